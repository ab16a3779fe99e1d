//! Sealing records anew, for who was added after they came.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use ::account::record::{Record, RecordError};
use futures_util::future::try_join_all;

use super::vouch;
use crate::app::App;
use crate::error::Error;
use crate::portal::reveal::open;
use crate::sign_in::account_key::AccountKey;
use crate::sign_in::{Refused, random};
use crate::store::accounts::Account;
use crate::store::{Nonce, Stored, Upload, now};

/// How many records are added together: they share a commit.
const TOGETHER: usize = 32;

/// What came of sealing anew.
pub(in crate::portal) struct Anew {
    pub(in crate::portal) sealed: usize,
    /// How many wait for the next request.
    pub(in crate::portal) left: usize,
    /// How many could not be opened, and stay as they are.
    pub(in crate::portal) broken: usize,
}

impl Anew {
    pub(super) fn say(&self) -> String {
        let mut text = format!("{} keys that were here were sealed anew.", self.sealed);
        if self.left > 0 {
            text += &format!(" {} more wait: seal them with the button below.", self.left);
        }
        if self.broken > 0 {
            text +=
                &format!(" {} cannot be opened and stay as they are; showing them says why.", self.broken);
        }
        text
    }
}

/// Seals what [`Store::unsealed`](crate::store::Store::unsealed) names to all who may open it now, for as long as a request
/// may take. Each record that is done is on the disk and not named again: whatever ends this, the next request goes on.
pub(in crate::portal) async fn seal_anew(
    app: &App,
    account: &Account,
    key: &AccountKey,
    from: IpAddr,
    portion: Duration,
) -> Result<Anew, Refused> {
    let end = Instant::now() + portion;
    let recipients = vouch::recipients(app, account, key, from).await?;
    let opener = key.opener();
    let ids = app.store.unsealed(&account.id).await?;
    let mut anew = Anew { sealed: 0, left: ids.len(), broken: 0 };
    for ids in ids.chunks(TOGETHER) {
        let mut uploads = Vec::with_capacity(ids.len());
        for id in ids {
            let stored = app.store.record(&account.id, id).await?;
            match open(&stored, &opener) {
                Ok(record) => uploads.push(upload(account, &stored, &record, &recipients, from)?),
                Err(why) => {
                    // One that cannot be trusted stays as it is; showing it says so.
                    tracing::error!(record = crate::store::hex(id), why, "a record could not be sealed anew");
                    anew.broken += 1;
                }
            }
        }
        let added = try_join_all(uploads.into_iter().map(|upload| app.store.add_record(upload))).await?;
        anew.sealed += added.len();
        anew.left -= ids.len();
        if Instant::now() >= end {
            break;
        }
    }
    Ok(anew)
}

fn upload(
    account: &Account,
    stored: &Stored,
    record: &Record,
    recipients: &[String],
    from: IpAddr,
) -> Result<Upload, Error> {
    let broken = |error: RecordError| Error::Internal(error.to_string());
    let sealed = record.seal(recipients).map_err(broken)?;
    // What was not read back is not kept.
    sealed.read_back(sealed.bytes()).map_err(broken)?;
    let listed = &stored.listed;
    Ok(Upload {
        account: account.id.clone(),
        address: Some(from),
        nonce: Nonce { device: listed.device_id.clone(), bytes: random::<16>()?.to_vec(), expires: now() },
        kind: listed.kind,
        volume: listed.volume.clone(),
        key_id: listed.key_id.clone(),
        drive: listed.drive.clone(),
        proven: listed.proven,
        recipients: recipients.to_vec(),
        sealed: sealed.bytes().to_vec(),
        exactly: false,
        by_owner: true,
    })
}
