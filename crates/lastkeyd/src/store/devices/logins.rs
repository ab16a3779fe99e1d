//! Devices that wait, and the short codes by which a person lets one in.

use std::net::IpAddr;

use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::any::AnyRow;
use uuid::Uuid;

use super::{By, Device, find};
use crate::error::Error;
use crate::gate::network;
use crate::store::{self, Nonce, Store, Tx, now, outbox};

/// How long a short code lives, in seconds.
pub const CODE_LIFETIME: i64 = 600;
/// Letters that nobody takes for one another, and that make no words.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How many letters a code has: 2.5 * 10^10 codes, of which a handful lives at a time.
const LENGTH: usize = 8;
/// How many devices may wait at once: more than any household has, or any helpdesk confirms in ten minutes.
const WAITING_LIMIT: i64 = 1000;
/// How many of them from one network, so that nobody takes all the places.
const NETWORK_LIMIT: i64 = 50;
/// How often one of them may ask how it stands: twice a second. With the limits above it is bounded, by network too,
/// how many nonces there are of those whom nobody has let in.
const ASKING_LIMIT: i64 = 2 * CODE_LIFETIME;

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
    let network = address.parse::<IpAddr>().map_or(address.to_owned(), |known| network(known).to_string());
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
                    sqlx::query_scalar("SELECT COUNT(*) FROM device_logins WHERE network = $1")
                        .bind(network.clone())
                        .fetch_one(&mut *tx)
                        .await?;
                if waiting >= WAITING_LIMIT || from_there >= NETWORK_LIMIT {
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
                    "INSERT INTO device_logins (id, code_hash, name, public_key, address, network, expires) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7)",
                )
                .bind(id)
                .bind(hash)
                .bind(name)
                .bind(public_key)
                .bind(address)
                .bind(network)
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
    .await?;
    read_waiting(&row.ok_or(Error::NotFound)?)
}

/// Returns the device that waits by its login's ID.
///
/// # Errors
/// [`Error::NotFound`] when it waits no more.
pub async fn waiting_still(store: &Store, login: &str) -> Result<Waiting, Error> {
    let row = sqlx::query(
        "SELECT id, name, address, expires FROM device_logins \
         WHERE id = $1 AND expires >= $2 AND device_id IS NULL AND refused IS NULL",
    )
    .bind(login)
    .bind(now())
    .fetch_optional(store.readers())
    .await?;
    read_waiting(&row.ok_or(Error::NotFound)?)
}

fn read_waiting(row: &AnyRow) -> Result<Waiting, Error> {
    Ok(Waiting {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        address: row.try_get("address")?,
        expires: row.try_get("expires")?,
    })
}

/// Makes the device that waits a device of this account, tells the account's owner, and returns its ID.
///
/// # Errors
/// [`Error::NotFound`] when it waits no more.
pub async fn confirm<'b>(store: &Store, by: impl Into<By<'b>>, login: &str) -> Result<String, Error> {
    let by = by.into();
    let (entry, place) = (by.entry("device.confirm"), by.place());
    let (account, login, id) = (by.account.to_owned(), login.to_owned(), Uuid::new_v4().to_string());
    store
        .write(move |tx| {
            Box::pin(async move {
                let taken = sqlx::query(
                    "UPDATE device_logins SET device_id = $1 \
                     WHERE id = $2 AND expires >= $3 AND device_id IS NULL AND refused IS NULL \
                     RETURNING name, address, public_key",
                )
                .bind(id.clone())
                .bind(login)
                .bind(now())
                .fetch_optional(&mut *tx)
                .await?
                .ok_or(Error::NotFound)?;
                let (name, address): (String, String) = (taken.try_get("name")?, taken.try_get("address")?);
                sqlx::query(
                    "INSERT INTO devices (id, account_id, name, public_key, created) VALUES ($1, $2, $3, $4, $5)",
                )
                .bind(id.clone())
                .bind(account.clone())
                .bind(name.clone())
                .bind(taken.try_get::<Vec<u8>, _>("public_key")?)
                .bind(now())
                .execute(&mut *tx)
                .await?;
                tell_let_in(tx, &account, &name, &address, &place).await?;
                let entry = entry.device(&id).detail(format!("{name}, which asked from {address}"));
                Ok((id, vec![entry]))
            })
        })
        .await
}

async fn tell_let_in(
    tx: &mut Tx,
    account: &str,
    name: &str,
    address: &str,
    place: &str,
) -> Result<(), Error> {
    let text = format!(
        "{name}, which asked from {address}, was let into your account{place}. It can add recovery keys and read none. \
         If it was not you, sign in, shut it out under Devices, end all sessions and change your password."
    );
    outbox::tell(tx, account, &format!("A device was let in: {name}"), &text).await?;
    Ok(())
}

/// Says no to the device that waits.
///
/// # Errors
/// [`Error::NotFound`] when it waits no more.
pub async fn refuse<'b>(store: &Store, by: impl Into<By<'b>>, login: &str) -> Result<(), Error> {
    let (entry, login) = (by.into().entry("device.refuse"), login.to_owned());
    store
        .write(move |tx| {
            Box::pin(async move {
                let refused = sqlx::query(
                    "UPDATE device_logins SET refused = $1 \
                     WHERE id = $2 AND expires >= $1 AND device_id IS NULL AND refused IS NULL RETURNING name",
                )
                .bind(now())
                .bind(login)
                .fetch_optional(&mut *tx)
                .await?;
                let name: String = refused.ok_or(Error::NotFound)?.try_get("name")?;
                Ok(((), vec![entry.detail(name)]))
            })
        })
        .await
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
