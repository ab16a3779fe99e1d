//! What a device and the server say to each other: JSON under `/api/v1`.
//!
//! Bytes are in standard Base64, times in seconds since 1970, volume and key IDs are GUIDs in upper case without
//! braces. Fields that are not known are refused by the server and ignored by devices, so that a newer server
//! may say more.

use serde::{Deserialize, Serialize};

/// The longest name of a device or a drive, in characters.
pub const NAME_LIMIT: usize = 200;
/// The largest sealed record, in bytes. A snapshot of 64 KiB with room to spare.
pub const SEALED_LIMIT: usize = 256 << 10;
/// How far the clocks of device and server may be apart, in seconds.
pub const CLOCK_LIMIT: i64 = 300;

/// Who the server is: `GET /api/v1/server`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Server {
    /// The program and its version: `lastkeyd 0.1.0`.
    pub software: String,
    /// The server's clock.
    pub now: i64,
    /// Where people go with a browser.
    pub portal: String,
    /// The key that checkpoints of the audit log are signed with, as a C2SP verifier key.
    pub log_key: String,
}

/// A device asks to be let in: `POST /api/v1/device-logins`. Signed with the key that it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewDeviceLogin {
    /// What the device calls itself, for the person who confirms it.
    #[cfg_attr(feature = "openapi", schema(value_type = text::Line))]
    pub name: String,
    /// Its public key: Ed25519, 32 bytes.
    #[cfg_attr(feature = "openapi", schema(value_type = text::Hash))]
    pub public_key: String,
}

/// A device that waits: what it shows to the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceLogin {
    /// Where to ask how it went.
    #[cfg_attr(feature = "openapi", schema(value_type = text::Id))]
    pub id: String,
    /// What the person types into the portal: eight letters, `BCDF-GHJK`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[B-Z]{4}-[B-Z]{4}$"))]
    pub code: String,
    /// When the code ends.
    pub expires: i64,
}

/// How a device's login went: `GET /api/v1/device-logins/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum DeviceLoginState {
    /// Nobody has confirmed it yet.
    Waiting,
    /// It is this account's device now.
    Confirmed {
        /// The device's ID, which it signs with from now on.
        #[cfg_attr(feature = "openapi", schema(value_type = text::Id))]
        device: String,
        /// The account's name.
        account: String,
        /// The account's ID, as the audit log calls it.
        #[cfg_attr(feature = "openapi", schema(value_type = text::Id))]
        account_id: String,
        /// To whom it seals.
        recipients: Vec<Recipient>,
    },
    /// The person said no.
    Refused,
}

/// To whom an account's records are sealed: `GET /api/v1/recipients` gives the list, the account's own first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Recipient {
    /// The public key: `age1...`.
    #[cfg_attr(feature = "openapi", schema(value_type = text::Age))]
    pub recipient: String,
    /// Whose it is, in words.
    pub name: String,
}

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RecordKind {
    /// The 48 digits.
    RecoveryKey,
    /// The key of a `.BEK` file.
    ExternalKey,
    /// The drive's metadata.
    Snapshot,
}

impl RecordKind {
    /// Returns its name, as it stands on the wire and in a device's own record of copies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RecoveryKey => "recovery-key",
            Self::ExternalKey => "external-key",
            Self::Snapshot => "snapshot",
        }
    }
}

/// A record: `POST /api/v1/records`. The same bytes twice are one record, so that a device may say it again
/// when it did not hear the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewRecord {
    /// What it is of.
    pub kind: RecordKind,
    /// The volume.
    #[cfg_attr(feature = "openapi", schema(value_type = text::Guid))]
    pub volume: String,
    /// The key ID; a snapshot has none.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<text::Guid>))]
    pub key_id: Option<String>,
    /// The drive in words, for lists.
    #[cfg_attr(feature = "openapi", schema(value_type = text::Line))]
    pub drive: String,
    /// When the device has proven what it sealed.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub proven: i64,
    /// To whom it is sealed: the recipients as the server gave them.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<text::Age>, min_items = 1))]
    pub recipients: Vec<String>,
    /// The age file.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Za-z0-9+/]+={0,2}$", max_length = 349528))]
    pub sealed: String,
}

/// What the server holds: the answer to a record, and `GET /api/v1/records/{id}/receipt`.
///
/// The hash is taken of what the database gave back, not of what came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// The record's ID: the SHA-256 of the sealed bytes, in hex.
    #[cfg_attr(feature = "openapi", schema(value_type = text::RecordId))]
    pub record: String,
    /// The bytes that are stored.
    pub length: u64,
    /// When they came.
    pub uploaded: i64,
    /// The entry of the audit log that says so, as it was hashed: JSON, with the salt that is in it.
    pub entry: String,
    /// The entry's leaf, and that it is in the log.
    pub inclusion: Inclusion,
}

/// That a leaf is in the log that a checkpoint is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Inclusion {
    /// The leaf's place, from 0.
    pub leaf: u64,
    /// The leaf's hash.
    #[cfg_attr(feature = "openapi", schema(value_type = text::Hash))]
    pub hash: String,
    /// The audit path of RFC 6962, from the leaf upwards.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<text::Hash>))]
    pub path: Vec<String>,
    /// The signed checkpoint (C2SP tlog-checkpoint).
    pub checkpoint: String,
}

/// That one log begins with another: `GET /api/v1/audit/consistency?from=SIZE&to=SIZE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Consistency {
    /// The proof of RFC 6962.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<text::Hash>))]
    pub path: Vec<String>,
}

/// What a device sees of its drives: `POST /api/v1/check-ins`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CheckIn {
    /// Each drive with BitLocker on it: 64 at most.
    #[cfg_attr(feature = "openapi", schema(max_items = 64))]
    pub drives: Vec<DriveState>,
}

/// A drive at a check-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DriveState {
    /// The volume.
    #[cfg_attr(feature = "openapi", schema(value_type = text::Guid))]
    pub volume: String,
    /// The drive in words.
    #[cfg_attr(feature = "openapi", schema(value_type = text::Line))]
    pub drive: String,
    /// How it is protected.
    pub protection: Protection,
    /// The key IDs of its recovery keys, as they are now: 200 at most.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<text::Guid>, max_items = 200))]
    pub key_ids: Vec<String>,
}

/// How a drive is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// Its key protectors are needed to open it.
    On,
    /// Everybody opens it, until it is resumed.
    Suspended,
    /// It is being encrypted.
    Encrypting,
    /// It is being decrypted.
    Decrypting,
}

impl Protection {
    /// Returns the word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Suspended => "suspended",
            Self::Encrypting => "encrypting",
            Self::Decrypting => "decrypting",
        }
    }
}

/// What the server knows of the drives that checked in: the answer to a check-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckedIn {
    /// Key IDs of these drives that no record is kept of.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<text::Guid>))]
    pub missing: Vec<String>,
    /// Key IDs with a record whose protector is gone from the drive.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<text::Guid>))]
    pub stale: Vec<String>,
}

/// Why a request was refused, with a status of 400 or above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// One of a few words, for programs: `signature`, `clock`, `replay`, `revoked`, `recipients`, `foreign`,
    /// `not-found`, `invalid`, `too-large`, `too-many`, `busy`, `internal`.
    pub code: String,
    /// What happened and what to do, for people.
    pub message: String,
    /// The server's clock.
    pub now: i64,
}

/// The forms of texts, for the OpenAPI document.
#[cfg(feature = "openapi")]
pub mod text {
    use utoipa::ToSchema;

    /// A GUID in upper case without braces.
    #[derive(ToSchema)]
    #[schema(pattern = "^[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}$")]
    pub struct Guid(pub String);

    /// What the server calls something of its own: a UUID in lower case.
    #[derive(ToSchema)]
    #[schema(pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
    pub struct Id(pub String);

    /// SHA-256 in hex.
    #[derive(ToSchema)]
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub struct RecordId(pub String);

    /// 32 bytes in Base64.
    #[derive(ToSchema)]
    #[schema(pattern = "^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$")]
    pub struct Hash(pub String);

    /// A public key of age.
    #[derive(ToSchema)]
    #[schema(pattern = "^age1[0-9a-z]+$")]
    pub struct Age(pub String);

    /// A line of text in which something is to be seen.
    #[derive(ToSchema)]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x1f\x7f-\x9f\s][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub struct Line(pub String);
}
