//! What the audit log says: one entry for each act, also for those that failed.

mod refused;

use std::net::IpAddr;

use serde::Serialize;

pub use self::refused::{Asker, note_refused};

/// An act, as it goes into the log.
///
/// There is no secret in an entry. The store adds time and salt; without the salt, the hash that stays when an
/// entry is erased would let one guess what it said.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// What was done: `key.reveal`, `sign-in`, `device.confirm`; the table of all is in portal/history.rs.
    pub act: &'static str,
    /// Whether it was done, or why not: `done`, `refused: wrong password`.
    pub outcome: String,
    /// The account that it was done to.
    pub account: Option<String>,
    /// The device that did it.
    pub device: Option<String>,
    /// The record that it was done to: its SHA-256.
    #[serde(serialize_with = "hex")]
    pub record: Option<Vec<u8>>,
    /// From where.
    pub address: Option<IpAddr>,
    /// What else there is to say: a reason, a key ID.
    pub detail: Option<String>,
}

impl Entry {
    /// Something that was done.
    #[must_use]
    pub fn done(act: &'static str) -> Self {
        Self {
            act,
            outcome: "done".to_owned(),
            account: None,
            device: None,
            record: None,
            address: None,
            detail: None,
        }
    }

    /// Something that was refused, and why.
    #[must_use]
    pub fn refused(act: &'static str, why: &str) -> Self {
        Self { outcome: format!("refused: {why}"), ..Self::done(act) }
    }

    /// Says to which account.
    #[must_use]
    pub fn account(mut self, id: &str) -> Self {
        self.account = Some(id.to_owned());
        self
    }

    /// Says by which device.
    #[must_use]
    pub fn device(mut self, id: &str) -> Self {
        self.device = Some(id.to_owned());
        self
    }

    /// Says to which record.
    #[must_use]
    pub fn record(mut self, id: &[u8]) -> Self {
        self.record = Some(id.to_vec());
        self
    }

    /// Says from where.
    #[must_use]
    pub fn from(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Says what else there is.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

fn hex<S: serde::Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    match bytes {
        Some(bytes) => serializer.collect_str(&crate::store::hex(bytes)),
        None => serializer.serialize_none(),
    }
}
