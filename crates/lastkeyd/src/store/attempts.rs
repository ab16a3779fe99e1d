//! How often somebody may guess.
//!
//! Each try counts before it is made, so that many at once are not one; a right one takes its count back. The first
//! few are free, then each waits twice as long as the one before. A name that no account has is treated like others.

use std::net::IpAddr;

use sha2::{Digest, Sha256};
use sqlx::Row;

use super::{Store, Tx, accounts, hex};
use crate::error::Error;
use crate::gate::network;

/// After how long without a try all is forgotten, in seconds.
const FORGOTTEN: i64 = 24 * 3600;
/// The longest wait.
const LONGEST: i64 = 900;

/// What tries are counted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    name: String,
    free: i64,
    /// Whether a right try makes up for all wrong ones, not only for itself.
    forgiving: bool,
}

impl Bucket {
    /// Tries to sign in with a password, by the account's name: it need not be there.
    #[must_use]
    pub fn account(name: &str) -> Self {
        let hash = Sha256::digest(accounts::fold(name));
        Self { name: format!("account:{}", hex(&hash)), free: 5, forgiving: true }
    }

    /// Tries of a password by who is signed in to an account, by its ID. Strangers who fail to sign in are in no way of
    /// theirs.
    #[must_use]
    pub fn signed_in(account: &str) -> Self {
        Self { name: format!("person:{account}"), free: 5, forgiving: true }
    }

    /// Tries from an address, whatever they are made on.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        Self { name: format!("address:{}", network(address)), free: 20, forgiving: false }
    }
}

/// Returns how long to wait after so many tries.
fn pause(tries: i64, free: i64) -> i64 {
    match tries - free {
        over if over < 0 => 0,
        over => {
            1i64.checked_shl(u32::try_from(over).unwrap_or(u32::MAX)).unwrap_or(LONGEST).clamp(1, LONGEST)
        }
    }
}

impl Store {
    /// Counts a try on each of the buckets.
    ///
    /// # Errors
    /// [`Error::TooMany`] when it is too early for another; then none is counted.
    pub async fn try_once(&self, buckets: Vec<Bucket>, now: i64) -> Result<(), Error> {
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query("DELETE FROM attempts WHERE since <= $1")
                    .bind(now - FORGOTTEN)
                    .execute(&mut *tx)
                    .await?;
                for bucket in &buckets {
                    count(tx, bucket, now).await?;
                }
                Ok(((), Vec::new()))
            })
        })
        .await
    }
}

async fn count(tx: &mut Tx, bucket: &Bucket, now: i64) -> Result<(), Error> {
    // Counting comes first: it holds the row, so that others wait for what it says.
    let row = sqlx::query(
        "INSERT INTO attempts (bucket, failures, since) VALUES ($1, 1, $2) \
         ON CONFLICT (bucket) DO UPDATE SET failures = attempts.failures + 1 RETURNING failures, since",
    )
    .bind(bucket.name.clone())
    .bind(now)
    .fetch_one(&mut *tx)
    .await?;
    let (tries, last): (i64, i64) = (row.try_get("failures")?, row.try_get("since")?);
    let earliest = last + pause(tries - 1, bucket.free);
    if now < earliest {
        return Err(Error::TooMany((earliest - now).unsigned_abs()));
    }
    sqlx::query("UPDATE attempts SET since = $1 WHERE bucket = $2")
        .bind(now)
        .bind(bucket.name.clone())
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// Takes back what a right try has counted: all on the account or person, this one on the address.
///
/// # Errors
/// What the database says.
pub async fn right(tx: &mut Tx, buckets: Vec<Bucket>) -> Result<(), Error> {
    for bucket in buckets {
        let query = if bucket.forgiving {
            "DELETE FROM attempts WHERE bucket = $1"
        } else {
            "UPDATE attempts SET failures = failures - 1 WHERE bucket = $1 AND failures > 0"
        };
        sqlx::query(query).bind(bucket.name).execute(&mut *tx).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::app::App;
    use crate::tests::app;

    async fn tries(store: &Store, name: &str, now: i64) -> Result<(), Error> {
        store.try_once(vec![Bucket::account(name)], now).await
    }

    #[tokio::test]
    async fn guessing_slows_down_on_names_that_are_there_and_that_are_not() {
        let (_folder, App { store, .. }, _) = app().await;
        for name in ["Ada", "nobody"] {
            for _ in 0..5 {
                tries(&store, name, 1000).await.unwrap();
            }
            tries(&store, name, 1000).await.unwrap_err();
            tries(&store, name, 1001).await.unwrap();
            assert!(matches!(tries(&store, name, 1002).await, Err(Error::TooMany(1))));
            tries(&store, name, 1003).await.unwrap();
            assert!(matches!(tries(&store, name, 1003).await, Err(Error::TooMany(4))));
            // What was refused did not count.
            tries(&store, &name.to_uppercase(), 1007).await.unwrap();
            tries(&store, name, 1007 + FORGOTTEN).await.unwrap();
            tries(&store, name, 1007 + FORGOTTEN).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_right_try_is_no_guess() {
        let (_folder, App { store, .. }, _) = app().await;
        for _ in 0..5 {
            tries(&store, "ada", 1000).await.unwrap();
        }
        store
            .write(|tx| {
                Box::pin(
                    async move { right(tx, vec![Bucket::account("Ada")]).await.map(|()| ((), Vec::new())) },
                )
            })
            .await
            .unwrap();
        tries(&store, "ada", 1000).await.unwrap();
    }

    #[tokio::test]
    async fn strangers_who_guess_do_not_keep_the_owner_from_showing_who_they_are() {
        let (_folder, App { store, .. }, id) = app().await;
        while tries(&store, "Ada", 1000).await.is_ok() {}
        for _ in 0..5 {
            store.try_once(vec![Bucket::signed_in(&id)], 1000).await.unwrap();
        }
        assert!(
            store.try_once(vec![Bucket::signed_in(&id)], 1000).await.is_err(),
            "who guesses there waits too"
        );
    }

    #[test]
    fn no_wait_is_longer_than_a_quarter_of_an_hour() {
        assert_eq!(pause(4, 5), 0);
        assert_eq!(pause(5, 5), 1);
        assert_eq!((pause(14, 5), pause(15, 5), pause(i64::MAX, 5)), (512, LONGEST, LONGEST));
    }

    #[test]
    fn neighbours_in_one_network_of_ipv6_are_one() {
        let bucket = |text: &str| Bucket::address(text.parse().unwrap());
        assert_eq!(bucket("2001:db8::1"), bucket("2001:db8::ffff:1"));
        assert_ne!(bucket("2001:db8::1"), bucket("2001:db8:0:1::1"));
        assert_eq!(bucket("::ffff:192.0.2.1"), bucket("192.0.2.1"));
    }
}
