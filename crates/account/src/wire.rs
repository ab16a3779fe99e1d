//! What a device and the server say to each other: JSON under `/api/v1`.
//!
//! Bytes are in standard Base64, times in seconds since 1970, volume and key IDs are GUIDs in upper case without
//! braces. Fields that are not known are refused by the server and ignored by devices, so that a newer server
//! may say more.

use serde::{Deserialize, Serialize};

/// The longest name of a device or a drive, in bytes.
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
    pub name: String,
    /// Its public key: Ed25519, 32 bytes.
    pub public_key: String,
}

/// A device that waits: what it shows to the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceLogin {
    /// Where to ask how it went.
    pub id: String,
    /// What the person types into the portal: eight letters, `BCDF-GHJK`.
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
        device: String,
        /// The account's name.
        account: String,
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

/// A record: `POST /api/v1/records`. The same bytes twice are one record, so that a device may say it again
/// when it did not hear the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewRecord {
    /// What it is of.
    pub kind: RecordKind,
    /// The volume.
    pub volume: String,
    /// The key ID; a snapshot has none.
    pub key_id: Option<String>,
    /// The drive in words, for lists.
    pub drive: String,
    /// When the device has proven what it sealed.
    pub proven: i64,
    /// To whom it is sealed: the recipients as the server gave them.
    pub recipients: Vec<String>,
    /// The age file.
    pub sealed: String,
}

/// What the server holds: the answer to a record, and `GET /api/v1/records/{id}/receipt`.
///
/// The hash is taken of what the database gave back, not of what came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// The record's ID: the SHA-256 of the sealed bytes, in hex.
    pub record: String,
    /// The bytes that are stored.
    pub length: u64,
    /// When they came.
    pub uploaded: i64,
    /// The leaf of the audit log that says so, and that it is in the log.
    pub inclusion: Inclusion,
}

/// That a leaf is in the log that a checkpoint is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Inclusion {
    /// The leaf's place, from 0.
    pub leaf: u64,
    /// The leaf's hash.
    pub hash: String,
    /// The audit path of RFC 6962, from the leaf upwards.
    pub path: Vec<String>,
    /// The signed checkpoint (C2SP tlog-checkpoint).
    pub checkpoint: String,
}

/// That one log begins with another: `GET /api/v1/audit/consistency?from=SIZE&to=SIZE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Consistency {
    /// The proof of RFC 6962.
    pub path: Vec<String>,
}

/// What a device sees of its drives: `POST /api/v1/check-ins`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CheckIn {
    /// Each drive with BitLocker on it: 64 at most.
    pub drives: Vec<DriveState>,
}

/// A drive at a check-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DriveState {
    /// The volume.
    pub volume: String,
    /// The drive in words.
    pub drive: String,
    /// `on`, `suspended`, `encrypting`, `decrypting`.
    pub protection: String,
    /// The key IDs of its recovery keys, as they are now.
    pub key_ids: Vec<String>,
}

/// What the server knows of the drives that checked in: the answer to a check-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckedIn {
    /// Key IDs of these drives that no record is kept of.
    pub missing: Vec<String>,
    /// Key IDs with a record whose protector is gone from the drive.
    pub stale: Vec<String>,
}

/// Why a request was refused, with a status of 400 or above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// One of a few words, for programs: `signature`, `clock`, `replay`, `revoked`, `not-found`, `invalid`,
    /// `too-large`, `too-many`, `busy`.
    pub code: String,
    /// What happened and what to do, for people.
    pub message: String,
    /// The server's clock.
    pub now: i64,
}
