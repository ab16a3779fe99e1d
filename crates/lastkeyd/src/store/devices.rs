//! The devices of accounts.

mod lately;
mod logins;

use std::net::IpAddr;

use sqlx::Row;

use crate::audit::Entry;
use crate::error::Error;
use crate::store::{self, Nonce, Store, Tx, now, outbox};

pub(super) use self::lately::Lately;
pub use self::logins::{
    CODE_LIFETIME, Login, Waiting, ask, confirm, login, refuse, take_nonce, waiting, waiting_still,
};

/// A device of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its ID.
    pub id: String,
    /// The account that it belongs to.
    pub account: String,
    /// What it calls itself.
    pub name: String,
    /// The key that it signs with.
    pub public_key: [u8; 32],
    /// When it was let in.
    pub created: i64,
    /// When it was last heard of.
    pub seen: Option<i64>,
    /// When it was shut out.
    pub revoked: Option<i64>,
}

/// Who says what becomes of a device: an account, and from where, if that is known.
#[derive(Clone, Copy, Debug)]
pub struct By<'b> {
    account: &'b str,
    address: Option<IpAddr>,
}

impl<'b, S: AsRef<str> + ?Sized> From<&'b S> for By<'b> {
    fn from(account: &'b S) -> Self {
        Self { account: account.as_ref(), address: None }
    }
}

impl<'b> From<(&'b str, IpAddr)> for By<'b> {
    fn from((account, address): (&'b str, IpAddr)) -> Self {
        Self { account, address: Some(address) }
    }
}

impl By<'_> {
    /// Returns the entry that says so.
    fn entry(&self, act: &'static str) -> Entry {
        let entry = Entry::done(act).account(self.account);
        match self.address {
            Some(address) => entry.from(address),
            None => entry,
        }
    }

    /// Says from where, to go behind what was done.
    fn place(&self) -> String {
        self.address.map(|address| format!(", from {address}")).unwrap_or_default()
    }
}

/// Returns a device.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn find(store: &Store, id: &str) -> Result<Device, Error> {
    let row = sqlx::query(
        "SELECT id, account_id, name, public_key, created, seen, revoked FROM devices WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(store.readers())
    .await?;
    device(&row.ok_or(Error::NotFound)?)
}

/// Returns a device as it was within the last minute: what it is, it stays, but it may have been shut out since. So what
/// is done for it begins with [`hear`], or goes through [`Store::add_record`], which look again.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn known(store: &Store, id: &str) -> Result<Device, Error> {
    if let Some(device) = store.devices.get(id) {
        return Ok(device);
    }
    let device = find(store, id).await?;
    store.devices.keep(&device);
    Ok(device)
}

/// Spends a device's nonce, and notes that it was heard of.
///
/// # Errors
/// `replay` when the nonce was used before, `revoked` when the device was shut out.
pub async fn hear(tx: &mut Tx, nonce: &Nonce) -> Result<(), Error> {
    let heard = sqlx::query("UPDATE devices SET seen = $1 WHERE id = $2 AND revoked IS NULL")
        .bind(now())
        .bind(&nonce.device)
        .execute(&mut *tx)
        .await?;
    if heard.rows_affected() != 1 {
        return Err(shut_out());
    }
    store::take_nonce(tx, nonce).await
}

/// What a device is told that was shut out.
#[must_use]
pub fn shut_out() -> Error {
    let why =
        "this device was shut out in the portal: log in again if it is yours, with `lastkey account login`";
    Error::Unauthorized("revoked", why.to_owned())
}

/// Returns an account's devices, those that were shut out last.
///
/// # Errors
/// What the database says.
pub async fn list(store: &Store, account: &str) -> Result<Vec<Device>, Error> {
    let rows = sqlx::query(
        "SELECT id, account_id, name, public_key, created, seen, revoked FROM devices \
         WHERE account_id = $1 ORDER BY COALESCE(revoked, 0), name, created LIMIT 1000",
    )
    .bind(account)
    .fetch_all(store.readers())
    .await?;
    rows.iter().map(device).collect()
}

/// Shuts a device out, and tells the account's owner. What it has added stays.
///
/// # Errors
/// [`Error::NotFound`] when the account has no such device, or it was shut out before.
pub async fn revoke<'b>(store: &Store, by: impl Into<By<'b>>, id: &str) -> Result<(), Error> {
    let by = by.into();
    let (account, device, entry, place) =
        (by.account.to_owned(), id.to_owned(), by.entry("device.revoke"), by.place());
    let revoked = store
        .write(move |tx| {
            Box::pin(async move {
                let revoked = sqlx::query(
                    "UPDATE devices SET revoked = $1 WHERE id = $2 AND account_id = $3 AND revoked IS NULL \
                     RETURNING name",
                )
                .bind(now())
                .bind(device.clone())
                .bind(account.clone())
                .fetch_optional(&mut *tx)
                .await?;
                let name: String = revoked.ok_or(Error::NotFound)?.try_get("name")?;
                let subject = format!("A device was shut out: {name}");
                let text = format!(
                    "{name} can add no keys to your account any more{place}. The keys that it has added stay. If it was \
                     not you, sign in, end all sessions and change your password."
                );
                outbox::tell(tx, &account, &subject, &text).await?;
                Ok(((), vec![entry.device(&device).detail(name)]))
            })
        })
        .await;
    store.devices.forget(id);
    revoked
}

fn device(row: &sqlx::any::AnyRow) -> Result<Device, Error> {
    let key: Vec<u8> = row.try_get("public_key")?;
    let id: String = row.try_get("id")?;
    let public_key =
        key.try_into().map_err(|_| Error::Internal(format!("the key of device {id} has a wrong length")))?;
    Ok(Device {
        id,
        account: row.try_get("account_id")?,
        name: row.try_get("name")?,
        public_key,
        created: row.try_get("created")?,
        seen: row.try_get("seen")?,
        revoked: row.try_get("revoked")?,
    })
}
