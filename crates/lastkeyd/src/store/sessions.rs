//! Who is signed in. Of what a browser carries only the SHA-256 is here.

use sqlx::Row;

use super::accounts::Account;
use super::{Store, Tx};
use crate::error::Error;

/// How long a session lives unused, in seconds.
pub const IDLE: i64 = 30 * 60;
/// How long it lives at most.
pub const LONGEST: i64 = 12 * 3600;
/// How exactly its last use is known: not every click is a write.
const EXACT: i64 = 60;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The SHA-256 of what the browser carries.
    pub hash: Vec<u8>,
    /// The account's ID.
    pub account: String,
    /// What it was opened with.
    pub opener: String,
    /// The browser, as it calls itself.
    pub agent: String,
    /// When it began.
    pub created: i64,
    /// When it was last used, to the minute.
    pub used: i64,
}

const COLUMNS: &str = "SELECT id_hash, account_id, opener_id, agent, created, used FROM sessions";

impl Store {
    /// Returns a session that has not ended with its account, and notes that it was used.
    ///
    /// # Errors
    /// What the database says.
    pub async fn session(&self, hash: &[u8], now: i64) -> Result<Option<(Session, Account)>, Error> {
        let mut connection = self.often.get().await?;
        let row = sqlx::query(
            "SELECT s.id_hash, s.account_id, s.opener_id, s.agent, s.created, s.used, a.name, a.recipient, a.mail,
             a.webhook, a.created AS account_created
             FROM sessions s JOIN accounts a ON a.id = s.account_id
             WHERE s.id_hash = $1 AND s.used > $2 AND s.expires > $3",
        )
        .bind(hash.to_vec())
        .bind(now - IDLE)
        .bind(now)
        .fetch_optional(&mut *connection)
        .await?;
        connection.done();
        let Some(row) = row else { return Ok(None) };
        let session = session(&row)?;
        let account = Account {
            id: session.account.clone(),
            name: row.try_get("name")?,
            recipient: row.try_get("recipient")?,
            mail: row.try_get("mail")?,
            webhook: row.try_get("webhook")?,
            created: row.try_get("account_created")?,
        };
        if session.used <= now - EXACT {
            let hash = hash.to_vec();
            self.write(move |tx| {
                Box::pin(async move {
                    sqlx::query("UPDATE sessions SET used = $1 WHERE id_hash = $2")
                        .bind(now)
                        .bind(hash)
                        .execute(&mut *tx)
                        .await?;
                    Ok(((), Vec::new()))
                })
            })
            .await?;
        }
        Ok(Some((session, account)))
    }

    /// Returns an account's sessions, the one used last first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn sessions(&self, account: &str, now: i64) -> Result<Vec<Session>, Error> {
        let query = format!(
            "{COLUMNS} WHERE account_id = $1 AND used > $2 AND expires > $3 ORDER BY used DESC LIMIT 100"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(query))
            .bind(account)
            .bind(now - IDLE)
            .bind(now)
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(session).collect()
    }
}

/// Begins a session, and forgets those that have ended.
///
/// # Errors
/// What the database says.
pub async fn begin(tx: &mut Tx, session: Session) -> Result<(), Error> {
    let now = session.created;
    sqlx::query("DELETE FROM sessions WHERE used <= $1 OR expires <= $2")
        .bind(now - IDLE)
        .bind(now)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "INSERT INTO sessions (id_hash, account_id, opener_id, agent, created, used, expires) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(session.hash)
    .bind(session.account)
    .bind(session.opener)
    .bind(session.agent)
    .bind(now)
    .bind(session.used)
    .bind(now + LONGEST)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Ends one of an account's sessions.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it is another account's.
pub async fn end(tx: &mut Tx, account: &str, hash: &[u8]) -> Result<(), Error> {
    let ended = sqlx::query("DELETE FROM sessions WHERE id_hash = $1 AND account_id = $2")
        .bind(hash.to_vec())
        .bind(account)
        .execute(&mut *tx)
        .await?;
    if ended.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound) }
}

/// Ends all of an account's sessions but one.
///
/// # Errors
/// What the database says.
pub async fn end_others(tx: &mut Tx, account: &str, but: &[u8]) -> Result<(), Error> {
    sqlx::query("DELETE FROM sessions WHERE account_id = $1 AND id_hash <> $2")
        .bind(account)
        .bind(but.to_vec())
        .execute(&mut *tx)
        .await?;
    Ok(())
}

fn session(row: &sqlx::any::AnyRow) -> Result<Session, Error> {
    Ok(Session {
        hash: row.try_get("id_hash")?,
        account: row.try_get("account_id")?,
        opener: row.try_get("opener_id")?,
        agent: row.try_get("agent")?,
        created: row.try_get("created")?,
        used: row.try_get("used")?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::app::App;
    use crate::tests::app;

    async fn begun(store: &Store, account: &str, byte: u8) {
        let session = Session {
            hash: vec![byte; 32],
            account: account.to_owned(),
            opener: "password".to_owned(),
            agent: "a browser".to_owned(),
            created: 1000,
            used: 1000,
        };
        let write = store
            .write(move |tx| Box::pin(async move { begin(tx, session).await.map(|()| ((), Vec::new())) }));
        write.await.unwrap();
    }

    #[tokio::test]
    async fn a_session_ends_when_it_is_not_used_and_at_last_even_if_it_is() {
        let (_folder, App { store, .. }, account) = app().await;
        begun(&store, &account, 1).await;
        let alive = async |now| store.session(&[1; 32], now).await.unwrap().is_some();
        assert!(alive(1000 + IDLE - 1).await);
        assert!(alive(1000 + IDLE + IDLE - 2).await);
        assert!(!alive(1000 + 3 * IDLE).await);

        begun(&store, &account, 2).await;
        for minutes in (0..12 * 60).step_by(20) {
            assert!(store.session(&[2; 32], 1000 + minutes * 60).await.unwrap().is_some(), "{minutes}");
        }
        assert!(store.session(&[2; 32], 1000 + LONGEST).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn nobody_ends_the_session_of_another() {
        let (_folder, App { store, .. }, account) = app().await;
        begun(&store, &account, 1).await;
        begun(&store, &account, 2).await;
        let ending = |account: String, byte: u8| {
            store.write(move |tx| {
                Box::pin(async move { end(tx, &account, &[byte; 32]).await.map(|()| ((), Vec::new())) })
            })
        };
        assert!(matches!(ending("other".to_owned(), 1).await, Err(Error::NotFound)));
        ending(account.clone(), 1).await.unwrap();
        assert_eq!(store.sessions(&account, 1001).await.unwrap().len(), 1);
        let all = account.clone();
        store
            .write(move |tx| {
                Box::pin(async move { end_others(tx, &all, &[]).await.map(|()| ((), Vec::new())) })
            })
            .await
            .unwrap();
        assert!(store.sessions(&account, 1001).await.unwrap().is_empty());
    }
}
