//! What opens an account's key: passwords, passkeys, account codes.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Store, Tx};
use crate::error::Error;

/// What kind of opener it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A password, with one-time codes or without.
    Password,
    /// A passkey.
    Passkey,
    /// The printed account code.
    Code,
}

impl Kind {
    /// Returns the word that the database knows it by.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Passkey => "passkey",
            Self::Code => "code",
        }
    }
}

/// What opens an account's key. What is sealed in it opens with what the person has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opener {
    /// Its ID.
    pub id: String,
    /// The account's ID.
    pub account: String,
    /// What it is.
    pub kind: Kind,
    /// What the person calls it.
    pub name: String,
    /// Goes into what its key is derived from.
    pub salt: Vec<u8>,
    /// The account's key, sealed; a passkey that derives no key has none.
    pub wrapped: Option<Vec<u8>>,
    /// Of a password: the secret of the one-time codes, sealed.
    pub totp: Option<Vec<u8>>,
    /// Of a passkey: its ID, and what its signatures are checked with, as JSON.
    pub passkey: Option<(Vec<u8>, String)>,
    /// When it was made.
    pub created: i64,
    /// When it was last used.
    pub used: Option<i64>,
}

const COLUMNS: &str = "SELECT id, account_id, kind, name, salt, wrapped, totp, credential_id, passkey, created, used \
                       FROM openers";

impl Store {
    /// Returns what opens an account, the oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn openers(&self, account: &str) -> Result<Vec<Opener>, Error> {
        let query = format!("{COLUMNS} WHERE account_id = $1 ORDER BY created, id LIMIT 100");
        let rows = sqlx::query(sqlx::AssertSqlSafe(query)).bind(account).fetch_all(self.readers()).await?;
        rows.iter().map(opener).collect()
    }

    /// Returns the passkey with an ID.
    ///
    /// # Errors
    /// What the database says.
    pub async fn passkey(&self, credential: &[u8]) -> Result<Option<Opener>, Error> {
        let query = format!("{COLUMNS} WHERE credential_id = $1");
        let query = sqlx::query(sqlx::AssertSqlSafe(query)).bind(credential.to_vec());
        query.fetch_optional(self.readers()).await?.as_ref().map(opener).transpose()
    }
}

/// Adds an opener.
///
/// # Errors
/// What the database says: also when the passkey is there already.
pub async fn add(tx: &mut Tx, opener: Opener) -> Result<(), Error> {
    let (credential, passkey) = opener.passkey.unzip();
    sqlx::query(
        "INSERT INTO openers (id, account_id, kind, name, salt, wrapped, totp, credential_id, passkey, created) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(opener.id)
    .bind(opener.account)
    .bind(opener.kind.word())
    .bind(opener.name)
    .bind(opener.salt)
    .bind(opener.wrapped)
    .bind(opener.totp)
    .bind(credential)
    .bind(passkey)
    .bind(opener.created)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Removes one of an account's openers, and ends the sessions that it began: whoever has it is out.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it is another account's.
pub async fn remove(tx: &mut Tx, account: &str, id: &str) -> Result<(), Error> {
    let removed = sqlx::query("DELETE FROM openers WHERE id = $1 AND account_id = $2")
        .bind(id)
        .bind(account)
        .execute(&mut *tx)
        .await?;
    if removed.rows_affected() != 1 {
        return Err(Error::NotFound);
    }
    sqlx::query("DELETE FROM sessions WHERE account_id = $1 AND opener_id = $2")
        .bind(account)
        .bind(id)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// Removes all of an account's openers of a kind.
///
/// # Errors
/// What the database says.
pub async fn remove_kind(tx: &mut Tx, account: &str, kind: Kind) -> Result<(), Error> {
    sqlx::query("DELETE FROM openers WHERE account_id = $1 AND kind = $2")
        .bind(account)
        .bind(kind.word())
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// Notes that an opener was used.
///
/// # Errors
/// What the database says.
pub async fn used(tx: &mut Tx, id: &str, now: i64) -> Result<(), Error> {
    sqlx::query("UPDATE openers SET used = $1 WHERE id = $2").bind(now).bind(id).execute(&mut *tx).await?;
    Ok(())
}

/// Uses up a one-time code, and all before it. `false` when it was used up already.
///
/// # Errors
/// What the database says.
pub async fn use_step(tx: &mut Tx, id: &str, step: i64) -> Result<bool, Error> {
    let used = sqlx::query("UPDATE openers SET totp_step = $1 WHERE id = $2 AND totp_step < $1")
        .bind(step)
        .bind(id)
        .execute(&mut *tx)
        .await?;
    Ok(used.rows_affected() == 1)
}

/// Gives a password one-time codes, or takes them away.
///
/// # Errors
/// What the database says.
pub async fn set_totp(tx: &mut Tx, id: &str, totp: Option<Vec<u8>>, step: i64) -> Result<(), Error> {
    sqlx::query("UPDATE openers SET totp = $1, totp_step = $2 WHERE id = $3")
        .bind(totp)
        .bind(step)
        .bind(id)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// Keeps what a passkey's last signature has changed: its counter.
///
/// # Errors
/// What the database says.
pub async fn renew_passkey(tx: &mut Tx, id: &str, passkey: &str) -> Result<(), Error> {
    sqlx::query("UPDATE openers SET passkey = $1 WHERE id = $2")
        .bind(passkey)
        .bind(id)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

fn opener(row: &AnyRow) -> Result<Opener, Error> {
    let kind: String = row.try_get("kind")?;
    let kind = [Kind::Password, Kind::Passkey, Kind::Code].into_iter().find(|known| known.word() == kind);
    let (credential, passkey): (Option<Vec<u8>>, Option<String>) =
        (row.try_get("credential_id")?, row.try_get("passkey")?);
    Ok(Opener {
        id: row.try_get("id")?,
        account: row.try_get("account_id")?,
        kind: kind.ok_or_else(|| Error::Internal("an opener of no known kind".to_owned()))?,
        name: row.try_get("name")?,
        salt: row.try_get("salt")?,
        wrapped: row.try_get("wrapped")?,
        totp: row.try_get("totp")?,
        passkey: credential.zip(passkey),
        created: row.try_get("created")?,
        used: row.try_get("used")?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::app::App;
    use crate::store::sessions::{self, Session};
    use crate::tests::app;

    fn passkey(account: &str, id: &str) -> Opener {
        Opener {
            id: id.to_owned(),
            account: account.to_owned(),
            kind: Kind::Passkey,
            name: id.to_owned(),
            salt: Vec::new(),
            wrapped: None,
            totp: None,
            passkey: Some((id.into(), "{}".to_owned())),
            created: 1000,
            used: None,
        }
    }

    #[tokio::test]
    async fn the_sessions_of_a_passkey_end_with_it_and_others_go_on() {
        let (_folder, App { store, .. }, account) = app().await;
        let id = account.clone();
        let made = store.write(move |tx| {
            Box::pin(async move {
                for (opener, byte) in [("lost", 1), ("lost", 2), ("kept", 3)] {
                    if byte != 2 {
                        add(tx, passkey(&id, opener)).await?;
                    }
                    let session = Session {
                        hash: vec![byte; 32],
                        account: id.clone(),
                        opener: opener.to_owned(),
                        agent: String::new(),
                        created: 1000,
                        used: 1000,
                    };
                    sessions::begin(tx, session).await?;
                }
                assert!(matches!(remove(tx, "another", "lost").await, Err(Error::NotFound)));
                remove(tx, &id, "lost").await.map(|()| ((), Vec::new()))
            })
        });
        made.await.unwrap();
        let left = store.sessions(&account, 1001).await.unwrap();
        assert_eq!(left.iter().map(|session| session.opener.as_str()).collect::<Vec<_>>(), ["kept"]);
    }
}
