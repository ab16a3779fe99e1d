//! What is to be told to owners: written with the change that it is about, delivered afterwards.

use sqlx::Row;
use uuid::Uuid;

use crate::error::Error;
use crate::store::{Store, Tx, now};

/// How often a notice is tried: with the pauses doubling, for about two days.
const TRIES: i64 = 12;
/// The first pause, in seconds.
const PAUSE: i64 = 60;

/// A notice that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its ID.
    pub id: String,
    /// The way.
    pub channel: Channel,
    /// A mail address or a URL.
    pub target: String,
    /// What happened, in a line.
    pub subject: String,
    /// The rest.
    pub text: String,
    /// When it happened.
    pub created: i64,
}

/// The way a notice takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A mail.
    Mail,
    /// A POST of JSON.
    Webhook,
}

/// Tells an account's owner something, by every way that they chose. There is never a secret in it.
///
/// # Errors
/// What the database says.
pub async fn tell(tx: &mut Tx, account: &str, subject: &str, text: &str) -> Result<(), Error> {
    let row = sqlx::query("SELECT mail, webhook FROM accounts WHERE id = $1")
        .bind(account)
        .fetch_optional(&mut *tx)
        .await?;
    let Some(row) = row else { return Ok(()) };
    for (channel, column) in [("mail", "mail"), ("webhook", "webhook")] {
        let Some(target) = row.try_get::<Option<String>, _>(column)? else { continue };
        sqlx::query(
            "INSERT INTO outbox (id, account_id, channel, target, body, created, due) \
             VALUES ($1, $2, $3, $4, $5, $6, $6)",
        )
        .bind(Uuid::new_v4().to_string())
        .bind(account)
        .bind(channel)
        .bind(target)
        .bind(format!("{}\n{text}", subject.replace(['\r', '\n'], " ")))
        .bind(now())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Takes a notice that is due, so that nobody else takes it before its next try.
///
/// # Errors
/// What the database says.
pub async fn take(store: &Store) -> Result<Option<Notice>, Error> {
    store
        .write(|tx| {
            Box::pin(async move {
                let row = sqlx::query(
                    "SELECT id, channel, target, body, created, tries FROM outbox WHERE due <= $1 ORDER BY due LIMIT 1",
                )
                .bind(now())
                .fetch_optional(&mut *tx)
                .await?;
                let Some(row) = row else { return Ok((None, Vec::new())) };
                let (id, tries): (String, i64) = (row.try_get("id")?, row.try_get("tries")?);
                let pause = PAUSE.saturating_mul(1 << tries.clamp(0, 20));
                sqlx::query("UPDATE outbox SET tries = tries + 1, due = $1 WHERE id = $2 AND tries = $3")
                    .bind(now().saturating_add(pause))
                    .bind(id.clone())
                    .bind(tries)
                    .execute(&mut *tx)
                    .await?;
                let channel = match row.try_get::<String, _>("channel")?.as_str() {
                    "mail" => Channel::Mail,
                    _ => Channel::Webhook,
                };
                let body: String = row.try_get("body")?;
                let (subject, text) = body.split_once('\n').unwrap_or((&body, ""));
                let notice = Notice {
                    id,
                    channel,
                    target: row.try_get("target")?,
                    subject: subject.to_owned(),
                    text: text.to_owned(),
                    created: row.try_get("created")?,
                };
                Ok((Some(notice), Vec::new()))
            })
        })
        .await
}

/// Removes a notice that was delivered, and those that nobody took in two days.
///
/// # Errors
/// What the database says.
pub async fn done(store: &Store, id: &str) -> Result<(), Error> {
    let id = id.to_owned();
    store
        .write(|tx| {
            Box::pin(async move {
                sqlx::query("DELETE FROM outbox WHERE id = $1 OR tries >= $2")
                    .bind(id)
                    .bind(TRIES)
                    .execute(&mut *tx)
                    .await?;
                Ok(((), Vec::new()))
            })
        })
        .await
}

/// Returns how many notices wait.
///
/// # Errors
/// What the database says.
pub async fn waiting(store: &Store) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM outbox").fetch_one(store.readers()).await?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::app::App;
    use crate::tests::app;

    #[tokio::test]
    async fn a_notice_is_taken_once_and_waits_for_its_next_try() {
        let (_folder, App { store, .. }, account) = app().await;
        store
            .write(move |tx| {
                Box::pin(async move {
                    sqlx::query("UPDATE accounts SET mail = 'a@example.org' WHERE id = $1")
                        .bind(account.clone())
                        .execute(&mut *tx)
                        .await?;
                    tell(tx, &account, "A key\r\nwas shown", "by somebody").await?;
                    Ok(((), Vec::new()))
                })
            })
            .await
            .unwrap();
        let notice = take(&store).await.unwrap().unwrap();
        assert_eq!((notice.subject.as_str(), notice.text.as_str()), ("A key  was shown", "by somebody"));
        assert_eq!((notice.channel, notice.target.as_str()), (Channel::Mail, "a@example.org"));
        assert_eq!(take(&store).await.unwrap(), None);
        assert_eq!(waiting(&store).await.unwrap(), 1);
        done(&store, &notice.id).await.unwrap();
        assert_eq!(waiting(&store).await.unwrap(), 0);
    }
}
