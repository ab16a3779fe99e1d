//! Accounts, and the invitations by which they are made.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Store, Tx, now};
use crate::error::Error;

/// The longest name of an account, in bytes.
pub const NAME_LIMIT: usize = 64;

/// A person's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its ID.
    pub id: String,
    /// Its name, as its owner wrote it.
    pub name: String,
    /// The public half of its key.
    pub recipient: String,
    /// Where mail goes about what happens to it.
    pub mail: Option<String>,
    /// What else is told of it: a URL.
    pub webhook: Option<String>,
    /// When it was made.
    pub created: i64,
}

const COLUMNS: &str = "SELECT id, name, recipient, mail, webhook, created FROM accounts";

/// Returns the form of a name by which accounts are found and are different.
#[must_use]
pub fn fold(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Takes a name for an account.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_name(name: &str) -> Result<String, Error> {
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() || name.len() > NAME_LIMIT || name.chars().any(char::is_control) {
        return Err(Error::Invalid(format!("A name is a line of text of 1 to {NAME_LIMIT} bytes.")));
    }
    Ok(name)
}

impl Store {
    /// Returns whether there is an invitation that can be used.
    ///
    /// # Errors
    /// What the database says.
    pub async fn is_invited(&self, code_hash: Vec<u8>) -> Result<bool, Error> {
        let known = sqlx::query("SELECT 1 FROM invitations WHERE code_hash = $1 AND expires >= $2")
            .bind(code_hash)
            .bind(now())
            .fetch_optional(&self.readers)
            .await?;
        Ok(known.is_some())
    }

    /// Returns the account with an ID.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub async fn account(&self, id: &str) -> Result<Account, Error> {
        self.one_account("id", id).await?.ok_or(Error::NotFound)
    }

    /// Returns the account with a name, however it is written.
    ///
    /// # Errors
    /// What the database says.
    pub async fn account_named(&self, name: &str) -> Result<Option<Account>, Error> {
        self.one_account("folded_name", &fold(name)).await
    }

    async fn one_account(&self, column: &str, value: &str) -> Result<Option<Account>, Error> {
        let query = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE {column} = $1"));
        let row = sqlx::query(query).bind(value).fetch_optional(self.readers()).await?;
        row.as_ref().map(account).transpose()
    }

    /// Returns whether there is any account.
    ///
    /// # Errors
    /// What the database says.
    pub async fn has_accounts(&self) -> Result<bool, Error> {
        Ok(sqlx::query("SELECT 1 FROM accounts LIMIT 1").fetch_optional(self.readers()).await?.is_some())
    }
}

/// Adds an account.
///
/// # Errors
/// When somebody else has the name.
pub async fn add(tx: &mut Tx, account: &Account) -> Result<(), Error> {
    let added = sqlx::query(
        "INSERT INTO accounts (id, name, folded_name, recipient, mail, webhook, created) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(account.id.clone())
    .bind(account.name.clone())
    .bind(fold(&account.name))
    .bind(account.recipient.clone())
    .bind(account.mail.clone())
    .bind(account.webhook.clone())
    .bind(account.created)
    .execute(&mut *tx)
    .await?;
    match added.rows_affected() {
        1 => Ok(()),
        _ => Err(Error::Conflict("name", "Somebody here has this name already: take another.".to_owned())),
    }
}

/// Says where an account's notices go.
///
/// # Errors
/// What the database says.
pub async fn set_notices(
    tx: &mut Tx,
    account: &str,
    mail: Option<String>,
    webhook: Option<String>,
) -> Result<(), Error> {
    sqlx::query("UPDATE accounts SET mail = $1, webhook = $2 WHERE id = $3")
        .bind(mail)
        .bind(webhook)
        .bind(account)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// Removes an account and all that is its own, but for the notices that wait: they are delivered all the same, so that
/// nobody keeps an owner from being told by deleting the account.
///
/// # Errors
/// What the database says.
pub async fn remove(tx: &mut Tx, account: &str) -> Result<(), Error> {
    // SQLite minds REFERENCES only where it is told to; so nothing is left to it.
    for query in [
        "DELETE FROM record_recipients WHERE leaf IN (SELECT leaf FROM records WHERE account_id = $1)",
        "DELETE FROM record_recipients WHERE account_id = $1",
        "DELETE FROM records WHERE account_id = $1",
        "DELETE FROM check_ins WHERE device_id IN (SELECT id FROM devices WHERE account_id = $1)",
        "DELETE FROM device_logins WHERE device_id IN (SELECT id FROM devices WHERE account_id = $1)",
        "DELETE FROM devices WHERE account_id = $1",
        "DELETE FROM recipients WHERE account_id = $1",
        "DELETE FROM recipients WHERE other_account_id = $1",
        "DELETE FROM ceremonies WHERE account_id = $1",
        "DELETE FROM sessions WHERE account_id = $1",
        "DELETE FROM openers WHERE account_id = $1",
        "DELETE FROM accounts WHERE id = $1",
    ] {
        sqlx::query(query).bind(account.to_owned()).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Adds an invitation, and forgets those that are over.
///
/// # Errors
/// What the database says.
pub async fn invite(tx: &mut Tx, code_hash: Vec<u8>, expires: i64) -> Result<(), Error> {
    sqlx::query("DELETE FROM invitations WHERE expires < $1").bind(now()).execute(&mut *tx).await?;
    sqlx::query("INSERT INTO invitations (code_hash, expires) VALUES ($1, $2)")
        .bind(code_hash)
        .bind(expires)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// Uses up an invitation. `false` when there is none, or it is over.
///
/// # Errors
/// What the database says.
pub async fn use_invitation(tx: &mut Tx, code_hash: Vec<u8>) -> Result<bool, Error> {
    let used = sqlx::query("DELETE FROM invitations WHERE code_hash = $1 AND expires >= $2")
        .bind(code_hash)
        .bind(now())
        .execute(&mut *tx)
        .await?;
    Ok(used.rows_affected() == 1)
}

fn account(row: &AnyRow) -> Result<Account, Error> {
    Ok(Account {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        recipient: row.try_get("recipient")?,
        mail: row.try_get("mail")?,
        webhook: row.try_get("webhook")?,
        created: row.try_get("created")?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use super::*;
    use crate::app::App;
    use crate::store::outbox::{self, tests::tell_all};
    use crate::tests::app;

    #[tokio::test]
    async fn an_account_is_found_however_its_name_is_written_and_nobody_else_takes_it() {
        let (_folder, App { store, .. }, id) = app().await;
        let ada = store.account_named(" ADA ").await.unwrap().unwrap();
        assert_eq!(ada.id, id);
        assert_eq!(store.account_named("ad").await.unwrap(), None);
        let other = Account { id: "other".to_owned(), name: "aDA".to_owned(), ..ada };
        let added =
            store.write(move |tx| Box::pin(async move { add(tx, &other).await.map(|()| ((), Vec::new())) }));
        assert!(matches!(added.await, Err(Error::Conflict("name", _))));
        assert!(check_name(" Ada  L. ").unwrap() == "Ada L." && check_name(" ").is_err());
        assert!(check_name("a\u{7}").is_err() && check_name(&"a".repeat(65)).is_err());
    }

    #[tokio::test]
    async fn an_invitation_is_used_once_and_not_when_it_is_over() {
        let (_folder, App { store, .. }, _) = app().await;
        let using = |hash: u8| {
            store.write(move |tx| {
                Box::pin(async move { Ok((use_invitation(tx, vec![hash]).await?, Vec::new())) })
            })
        };
        store
            .write(|tx| {
                Box::pin(async move {
                    invite(tx, vec![2], now() - 1).await?;
                    sqlx::query("UPDATE invitations SET expires = expires").execute(&mut *tx).await?;
                    invite(tx, vec![1], now() + 60).await?;
                    Ok(((), Vec::new()))
                })
            })
            .await
            .unwrap();
        assert!(using(1).await.unwrap());
        assert!(!using(1).await.unwrap() && !using(2).await.unwrap() && !using(3).await.unwrap());
    }

    #[tokio::test]
    async fn nothing_of_a_removed_account_is_left_but_what_is_to_be_told() {
        let (_folder, App { store, .. }, id) = app().await;
        tell_all(&store, &[&id]).await;
        store
            .write(move |tx| Box::pin(async move { remove(tx, &id).await.map(|()| ((), Vec::new())) }))
            .await
            .unwrap();
        assert!(!store.has_accounts().await.unwrap());
        let told = outbox::take(&store, 1, HashSet::new()).await.unwrap();
        assert_eq!(told[0].target, "a@example.org");
    }
}
