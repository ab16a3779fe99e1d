//! What is to be told to owners: written with the change that it is about, delivered afterwards.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::Row;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::error::Error;
use crate::store::{Store, Tx, now};

/// How often a notice is tried: with the pauses doubling, for nearly three days.
const TRIES: i64 = 12;
/// The first pause, in seconds.
const PAUSE: i64 = 60;

/// A notice that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its ID.
    pub id: String,
    /// Whose it is. The account may be gone.
    pub account: String,
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

impl Channel {
    /// Returns the word that the database and the figures know it by.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
        }
    }
}

impl Store {
    /// Whether mails go out: who delivers has said so.
    #[must_use]
    pub fn sends_mail(&self) -> bool {
        self.mails.load(Ordering::Relaxed)
    }

    /// Says whether mails go out.
    pub fn set_sends_mail(&self, sends: bool) {
        self.mails.store(sends, Ordering::Relaxed);
    }
}

/// Tells an account's owner something, by every way that they chose, and returns how many those are. There is never a
/// secret in it.
///
/// # Errors
/// What the database says.
pub async fn tell(tx: &mut Tx, account: &str, subject: &str, text: &str) -> Result<usize, Error> {
    let row = sqlx::query("SELECT mail, webhook FROM accounts WHERE id = $1")
        .bind(account)
        .fetch_optional(&mut *tx)
        .await?;
    let Some(row) = row else { return Ok(0) };
    let mut ways = 0;
    for channel in [Channel::Mail, Channel::Webhook] {
        if let Some(target) = row.try_get::<Option<String>, _>(channel.word())? {
            tell_there(tx, account, (channel, &target), subject, text).await?;
            ways += 1;
        }
    }
    Ok(ways)
}

/// Tells an account's owner something in one place, whatever they chose.
///
/// # Errors
/// What the database says.
pub async fn tell_there(
    tx: &mut Tx,
    account: &str,
    (channel, target): (Channel, &str),
    subject: &str,
    text: &str,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO outbox (id, account_id, channel, target, body, created, due) \
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
    )
    .bind(new_id())
    .bind(account)
    .bind(channel.word())
    .bind(target)
    .bind(format!("{}\n{text}", subject.replace(['\r', '\n'], " ")))
    .bind(now())
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Makes an ID that sorts by the time: what came in the same second goes out in the order in which it came.
fn new_id() -> String {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:020}-{}", time.as_nanos(), Uuid::new_v4())
}

/// Takes notices that are due, so that nobody else takes them before their next try: one of each account at most, and
/// none of those that are `busy`. Those that were tried often enough are given up.
///
/// # Errors
/// What the database says.
pub async fn take(store: &Store, most: usize, busy: HashSet<String>) -> Result<Vec<Notice>, Error> {
    let due = sqlx::query("SELECT 1 FROM outbox WHERE due <= $1 LIMIT 1").bind(now());
    if due.fetch_optional(store.readers()).await?.is_none() {
        return Ok(Vec::new());
    }
    let (given_up, notices) = store
        .write(move |tx| Box::pin(async move { Ok((take_due(tx, most, &busy).await?, Vec::new())) }))
        .await?;
    if given_up > 0 {
        tracing::warn!(given_up, "notices were not delivered in {TRIES} tries: their owners are not told");
    }
    Ok(notices)
}

async fn take_due(tx: &mut Tx, most: usize, busy: &HashSet<String>) -> Result<(u64, Vec<Notice>), Error> {
    let given_up = sqlx::query("DELETE FROM outbox WHERE due <= $1 AND tries >= $2")
        .bind(now())
        .bind(TRIES)
        .execute(&mut *tx)
        .await?;
    // The oldest of each account, so that many of one do not stand before those of others.
    let rows = sqlx::query(
        "SELECT id, account_id, channel, target, body, created, tries FROM outbox o WHERE due <= $1 AND NOT EXISTS (\
         SELECT 1 FROM outbox e WHERE e.account_id = o.account_id \
         AND (e.due < o.due OR (e.due = o.due AND e.id < o.id))) ORDER BY due LIMIT $2",
    )
    .bind(now())
    .bind(i64::try_from(most.saturating_add(busy.len())).unwrap_or(i64::MAX))
    .fetch_all(&mut *tx)
    .await?;
    let mut notices = Vec::with_capacity(most);
    for row in &rows {
        let notice = notice(row)?;
        if notices.len() == most || busy.contains(&notice.account) {
            continue;
        }
        let tries: i64 = row.try_get("tries")?;
        let pause = PAUSE.saturating_mul(1 << tries.clamp(0, 20));
        sqlx::query("UPDATE outbox SET tries = tries + 1, due = $1 WHERE id = $2")
            .bind(now().saturating_add(pause))
            .bind(notice.id.clone())
            .execute(&mut *tx)
            .await?;
        notices.push(notice);
    }
    Ok((given_up.rows_affected(), notices))
}

fn notice(row: &AnyRow) -> Result<Notice, Error> {
    let channel: String = row.try_get("channel")?;
    let body: String = row.try_get("body")?;
    let (subject, text) = body.split_once('\n').unwrap_or((&body, ""));
    Ok(Notice {
        id: row.try_get("id")?,
        account: row.try_get("account_id")?,
        channel: if channel == Channel::Mail.word() { Channel::Mail } else { Channel::Webhook },
        target: row.try_get("target")?,
        subject: subject.to_owned(),
        text: text.to_owned(),
        created: row.try_get("created")?,
    })
}

/// Removes a notice that was delivered.
///
/// # Errors
/// What the database says.
pub async fn done(store: &Store, id: &str) -> Result<(), Error> {
    let id = id.to_owned();
    store
        .write(|tx| {
            Box::pin(async move {
                sqlx::query("DELETE FROM outbox WHERE id = $1").bind(id).execute(&mut *tx).await?;
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
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::app::App;
    use crate::tests::{account, app};

    /// Tells accounts something by mail, each as often as it stands there.
    pub async fn tell_all(store: &Store, accounts: &[&str]) {
        let accounts: Vec<String> = accounts.iter().map(|&account| account.to_owned()).collect();
        let told = store.write(|tx| {
            Box::pin(async move {
                for account in accounts {
                    let to = (Channel::Mail, "a@example.org");
                    tell_there(tx, &account, to, "A key\r\nwas shown", "by somebody").await?;
                }
                Ok(((), Vec::new()))
            })
        });
        told.await.unwrap();
    }

    async fn set(store: &Store, what: &'static str) {
        let set = store.write(move |tx| {
            Box::pin(async move {
                sqlx::query(what).execute(&mut *tx).await?;
                Ok(((), Vec::new()))
            })
        });
        set.await.unwrap();
    }

    async fn take_any(store: &Store) -> Vec<Notice> {
        take(store, 9, HashSet::new()).await.unwrap()
    }

    #[tokio::test]
    async fn a_notice_is_taken_once_and_waits_for_its_next_try() {
        let (_folder, App { store, .. }, account) = app().await;
        set(&store, "UPDATE accounts SET mail = 'a@example.org'").await;
        let id = account.clone();
        let told = store.write(move |tx| {
            Box::pin(
                async move { Ok((tell(tx, &id, "A key\r\nwas shown", "by somebody").await?, Vec::new())) },
            )
        });
        assert_eq!(told.await.unwrap(), 1);
        let notice = take_any(&store).await.remove(0);
        assert_eq!((notice.subject.as_str(), notice.text.as_str()), ("A key  was shown", "by somebody"));
        assert_eq!((notice.channel, notice.target.as_str()), (Channel::Mail, "a@example.org"));
        assert_eq!(take_any(&store).await, []);
        assert_eq!(waiting(&store).await.unwrap(), 1);
        done(&store, &notice.id).await.unwrap();
        assert_eq!(waiting(&store).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn one_of_each_account_is_taken_and_none_of_those_that_are_busy() {
        let (_folder, app, ada) = app().await;
        let bob = account(&app, "Bob").await;
        tell_all(&app.store, &[&ada, &ada, &ada, &bob, &bob]).await;
        let accounts = |taken: Vec<Notice>| taken.into_iter().map(|one| one.account).collect::<HashSet<_>>();
        let busy = HashSet::from([ada.clone()]);
        assert_eq!(accounts(take(&app.store, 9, busy).await.unwrap()), HashSet::from([bob.clone()]));
        let both = take_any(&app.store).await;
        assert_eq!((both.len(), accounts(both)), (2, HashSet::from([ada.clone(), bob])));
        assert_eq!(take(&app.store, 0, HashSet::new()).await.unwrap(), []);
        assert_eq!(accounts(take(&app.store, 1, HashSet::new()).await.unwrap()), HashSet::from([ada]));
    }

    #[tokio::test]
    async fn what_came_first_goes_first_within_a_second_too() {
        let (_folder, App { store, .. }, account) = app().await;
        let told = store.write(move |tx| {
            Box::pin(async move {
                for number in 0..9 {
                    let to = (Channel::Mail, "a@example.org");
                    tell_there(tx, &account, to, &number.to_string(), "").await?;
                }
                Ok(((), Vec::new()))
            })
        });
        told.await.unwrap();
        for number in 0..9 {
            let taken = take_any(&store).await.remove(0);
            assert_eq!(taken.subject, number.to_string());
            done(&store, &taken.id).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_cannot_be_delivered_is_given_up_though_nothing_else_is() {
        let (_folder, App { store, .. }, account) = app().await;
        tell_all(&store, &[&account]).await;
        for _ in 0..TRIES {
            assert_eq!(take_any(&store).await.len(), 1);
            set(&store, "UPDATE outbox SET due = 0").await;
        }
        assert_eq!((take_any(&store).await, waiting(&store).await.unwrap()), (Vec::new(), 0));
    }
}
