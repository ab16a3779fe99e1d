//! What the accounts know that the record does not yet.

use account::place::{Accounts, PlaceError};

use super::{Record, RecordError};

/// Why the record could not be brought up to what the accounts know.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// What is kept of an account cannot be read.
    #[error(transparent)]
    Account(#[from] PlaceError),
    /// The record cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Record {
    /// Notes which copies that waited have arrived, from the receipts that are kept: a crash between the receipt and
    /// the record costs nothing.
    ///
    /// # Errors
    /// When either cannot be used; an account that cannot keeps none of the others back. What is not noted now is noted the
    /// next time.
    pub fn reconcile(&mut self, accounts: &Accounts) -> Result<(), ReconcileError> {
        let mut done = Ok(());
        for name in accounts.names()? {
            let account = match accounts.open(&name) {
                Ok(Some(account)) => account,
                Ok(None) => continue,
                Err(error) => {
                    done = Err(error.into());
                    continue;
                }
            };
            let place = account.place();
            for kept in account.kept()? {
                let Ok(volume) = kept.record.volume.parse() else { continue };
                let key_id = kept.record.key_id.as_deref().and_then(|id| id.parse().ok());
                let of = (volume, key_id, kept.record.kind.name());
                self.delivered(of, "account", &place, kept.record.proven)?;
            }
        }
        done
    }
}
