//! Devices, and the short codes by which a person lets one in.

mod lately;

use sha2::{Digest, Sha256};
use sqlx::Row;
use uuid::Uuid;

use crate::audit::Entry;
use crate::error::Error;
use crate::store::{self, Nonce, Store, Tx, now};

pub(super) use self::lately::Lately;

/// How long a short code lives, in seconds.
pub const CODE_LIFETIME: i64 = 600;
/// Letters that nobody takes for one another, and that make no words.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How many letters a code has: 2.5 * 10^10 codes, of which a handful lives at a time.
const LENGTH: usize = 8;
/// How many devices may wait at once: more than any household has, or any helpdesk confirms in ten minutes.
const WAITING_LIMIT: i64 = 1000;
/// How many of them from one address, so that nobody takes all the places.
const ADDRESS_LIMIT: i64 = 50;
/// How often one of them may ask how it stands: twice a second. With the limits above it is bounded, by address too,
/// how many nonces there are of those whom nobody has let in.
const ASKING_LIMIT: i64 = 2 * CODE_LIFETIME;

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

/// A device that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The login's ID.
    pub id: String,
    /// What the device calls itself.
    pub name: String,
    /// Where it asked from.
    pub address: String,
    /// When its code ends.
    pub expires: i64,
}

/// How a login stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// Nobody has said anything.
    Waiting,
    /// It is this device now.
    Confirmed(Device),
    /// The person said no.
    Refused,
}

/// Takes a device's wish to be let in, and returns the login's ID and the code to show: `BCDF-GHJK`.
///
/// # Errors
/// When too many wait, the key is a device's already, or the nonce was used before.
pub async fn ask(
    store: &Store,
    name: &str,
    public_key: [u8; 32],
    address: &str,
    nonce: Option<Nonce>,
) -> Result<(String, String, i64), Error> {
    let (id, code) = (Uuid::new_v4().to_string(), new_code()?);
    let expires = now() + CODE_LIFETIME;
    let (name, address, hash) = (name.to_owned(), address.to_owned(), code_hash(&code));
    let row = (id.clone(), public_key.to_vec());
    store
        .write(move |tx| {
            Box::pin(async move {
                let (id, public_key) = row;
                if let Some(nonce) = nonce {
                    store::take_nonce(tx, &nonce).await?;
                }
                sqlx::query("DELETE FROM device_logins WHERE expires < $1")
                    .bind(now())
                    .execute(&mut *tx)
                    .await?;
                let waiting: i64 =
                    sqlx::query_scalar("SELECT COUNT(*) FROM device_logins").fetch_one(&mut *tx).await?;
                let from_there: i64 =
                    sqlx::query_scalar("SELECT COUNT(*) FROM device_logins WHERE address = $1")
                        .bind(address.clone())
                        .fetch_one(&mut *tx)
                        .await?;
                if waiting >= WAITING_LIMIT || from_there >= ADDRESS_LIMIT {
                    return Err(Error::TooMany(u64::try_from(CODE_LIFETIME).unwrap_or_default()));
                }
                let known: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM devices WHERE public_key = $1")
                    .bind(public_key.clone())
                    .fetch_one(&mut *tx)
                    .await?;
                if known > 0 {
                    return Err(Error::Invalid("this key is a device's already: make a new one".to_owned()));
                }
                sqlx::query(
                    "INSERT INTO device_logins (id, code_hash, name, public_key, address, expires) \
                     VALUES ($1, $2, $3, $4, $5, $6)",
                )
                .bind(id)
                .bind(hash)
                .bind(name)
                .bind(public_key)
                .bind(address)
                .bind(expires)
                .execute(&mut *tx)
                .await?;
                Ok(((), Vec::new()))
            })
        })
        .await?;
    Ok((id, code, expires))
}

/// Spends the nonce of a device that waits, and asks how its login stands.
///
/// # Errors
/// When it was used before, or the device asks too often.
pub async fn take_nonce(store: &Store, login: String, nonce: Nonce) -> Result<(), Error> {
    store
        .write(move |tx| {
            Box::pin(async move {
                let asked =
                    sqlx::query("UPDATE device_logins SET asked = asked + 1 WHERE id = $1 AND asked < $2")
                        .bind(login)
                        .bind(ASKING_LIMIT)
                        .execute(&mut *tx)
                        .await?;
                if asked.rows_affected() == 0 {
                    return Err(Error::TooMany(CODE_LIFETIME.unsigned_abs()));
                }
                store::take_nonce(tx, &nonce).await.map(|()| ((), Vec::new()))
            })
        })
        .await
}

/// Returns how a login stands, for the device that holds `public_key`.
///
/// # Errors
/// [`Error::NotFound`] when it is over, or another's.
pub async fn login(store: &Store, id: &str, public_key: [u8; 32]) -> Result<Login, Error> {
    let row = sqlx::query(
        "SELECT device_id, refused FROM device_logins WHERE id = $1 AND public_key = $2 AND expires >= $3",
    )
    .bind(id)
    .bind(public_key.to_vec())
    .bind(now())
    .fetch_optional(store.readers())
    .await?
    .ok_or(Error::NotFound)?;
    if let Some(device) = row.try_get::<Option<String>, _>("device_id")? {
        return Ok(Login::Confirmed(find(store, &device).await?));
    }
    Ok(match row.try_get::<Option<i64>, _>("refused")? {
        Some(_) => Login::Refused,
        None => Login::Waiting,
    })
}

/// Returns the device that waits with this code, typed in any case, with or without its dash.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn waiting(store: &Store, code: &str) -> Result<Waiting, Error> {
    let row = sqlx::query(
        "SELECT id, name, address, expires FROM device_logins \
         WHERE code_hash = $1 AND expires >= $2 AND device_id IS NULL AND refused IS NULL",
    )
    .bind(code_hash(code))
    .bind(now())
    .fetch_optional(store.readers())
    .await?
    .ok_or(Error::NotFound)?;
    Ok(Waiting {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        address: row.try_get("address")?,
        expires: row.try_get("expires")?,
    })
}

/// Makes the device that waits a device of this account, and returns its ID.
///
/// # Errors
/// [`Error::NotFound`] when it waits no more.
pub async fn confirm(store: &Store, account: &str, login: &str) -> Result<String, Error> {
    let (account, login) = (account.to_owned(), login.to_owned());
    let id = Uuid::new_v4().to_string();
    store
        .write(move |tx| {
            Box::pin(async move {
                let taken = sqlx::query(
                    "UPDATE device_logins SET device_id = $1 \
                     WHERE id = $2 AND expires >= $3 AND device_id IS NULL AND refused IS NULL",
                )
                .bind(id.clone())
                .bind(login.clone())
                .bind(now())
                .execute(&mut *tx)
                .await?;
                if taken.rows_affected() != 1 {
                    return Err(Error::NotFound);
                }
                sqlx::query(
                    "INSERT INTO devices (id, account_id, name, public_key, created) \
                     SELECT $1, $2, name, public_key, $3 FROM device_logins WHERE id = $4",
                )
                .bind(id.clone())
                .bind(account.clone())
                .bind(now())
                .bind(login)
                .execute(&mut *tx)
                .await?;
                let entry = Entry::done("device.confirm").account(&account).device(&id);
                Ok((id, vec![entry]))
            })
        })
        .await
}

/// Says no to the device that waits.
///
/// # Errors
/// [`Error::NotFound`] when it waits no more.
pub async fn refuse(store: &Store, account: &str, login: &str) -> Result<(), Error> {
    let (account, login) = (account.to_owned(), login.to_owned());
    store
        .write(move |tx| {
            Box::pin(async move {
                let refused = sqlx::query(
                    "UPDATE device_logins SET refused = $1 \
                     WHERE id = $2 AND expires >= $1 AND device_id IS NULL AND refused IS NULL",
                )
                .bind(now())
                .bind(login)
                .execute(&mut *tx)
                .await?;
                if refused.rows_affected() != 1 {
                    return Err(Error::NotFound);
                }
                Ok(((), vec![Entry::done("device.refuse").account(&account)]))
            })
        })
        .await
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

/// Shuts a device out. What it has added stays.
///
/// # Errors
/// [`Error::NotFound`] when the account has no such device, or it was shut out before.
pub async fn revoke(store: &Store, account: &str, id: &str) -> Result<(), Error> {
    let (account, device) = (account.to_owned(), id.to_owned());
    let revoked = store
        .write(move |tx| {
            Box::pin(async move {
                let revoked = sqlx::query(
                    "UPDATE devices SET revoked = $1 WHERE id = $2 AND account_id = $3 AND revoked IS NULL",
                )
                .bind(now())
                .bind(device.clone())
                .bind(account.clone())
                .execute(&mut *tx)
                .await?;
                if revoked.rows_affected() != 1 {
                    return Err(Error::NotFound);
                }
                Ok(((), vec![Entry::done("device.revoke").account(&account).device(&device)]))
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

fn new_code() -> Result<String, Error> {
    let mut code = String::with_capacity(LENGTH + 1);
    while code.len() < LENGTH + 1 {
        let mut byte = [0];
        getrandom::fill(&mut byte).map_err(|error| Error::Internal(error.to_string()))?;
        // 240 is the largest multiple of 20 in a byte: what is above would make some letters more frequent.
        if let Some(letter) =
            (byte[0] < 240).then(|| LETTERS.get(usize::from(byte[0]) % LETTERS.len())).flatten()
        {
            code.push(char::from(*letter));
            if code.len() == LENGTH / 2 {
                code.push('-');
            }
        }
    }
    Ok(code)
}

fn code_hash(code: &str) -> Vec<u8> {
    let letters: Vec<u8> =
        code.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_uppercase()).collect();
    Sha256::digest(letters).to_vec()
}

#[cfg(test)]
mod tests;
