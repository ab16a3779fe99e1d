//! The document inside a record, as it is written.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fve::{Capsule, Snapshot};
use recovery_key::bek::Bek;
use recovery_key::{RecoveryPassword, Secret};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Content, RecordError, Result};
use crate::wire::RecordKind;

#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) format: u32,
}

/// The document. What is secret is borrowed, so that it is nowhere twice. The key ID stands right before the digits,
/// where whoever reads keys in texts looks for it.
#[derive(Serialize, Deserialize)]
pub(super) struct Text<'a> {
    pub(super) format: u32,
    pub(super) kind: RecordKind,
    #[serde(borrow)]
    pub(super) account: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) device: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) device_name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) drive: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) volume: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) made: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) proven: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) key_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) recovery_key: Option<&'a str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) capsule: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) external_key: Option<&'a str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) snapshot: Option<Cow<'a, str>>,
}

impl Text<'_> {
    /// Reads what the record is of.
    pub(super) fn content(&self, volume: Uuid) -> Result<Content> {
        let malformed = RecordError::Malformed;
        let fields = [
            self.recovery_key.is_some(),
            self.capsule.is_some(),
            self.external_key.is_some(),
            self.snapshot.is_some(),
        ];
        let expected = match self.kind {
            RecordKind::RecoveryKey => [true, true, false, false],
            RecordKind::ExternalKey => [false, false, true, false],
            RecordKind::Snapshot => [false, false, false, true],
        };
        if fields != expected {
            return Err(malformed("it does not have just the fields of its kind"));
        }
        let bytes =
            |text: Option<&str>| STANDARD.decode(text.unwrap_or_default()).map_err(|_| malformed("Base64"));
        Ok(match self.kind {
            RecordKind::RecoveryKey => Content::RecoveryKey {
                password: RecoveryPassword::parse(self.recovery_key.unwrap_or_default())
                    .map_err(|_| malformed("the digits are no recovery key"))?,
                capsule: Capsule::parse(&bytes(self.capsule.as_deref())?)
                    .map_err(|_| malformed("the capsule is none"))?,
            },
            RecordKind::ExternalKey => {
                let file = Secret::new(bytes(self.external_key)?);
                let bek =
                    Bek::parse(file.expose()).map_err(|_| malformed("the external key file is none"))?;
                Content::ExternalKey(bek)
            }
            RecordKind::Snapshot => {
                let snapshot = Snapshot::parse(&bytes(self.snapshot.as_deref())?).ok();
                let own = snapshot.filter(|snapshot| snapshot.volume() == volume);
                Content::Snapshot(own.ok_or(malformed("the snapshot is not the drive's"))?)
            }
        })
    }
}
