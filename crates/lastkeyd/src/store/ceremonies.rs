//! What was asked of a passkey and is not answered yet.

use std::net::IpAddr;

use sqlx::Row;

use super::{Store, now};
use crate::error::Error;
use crate::gate::network;

/// How long an answer may take, in seconds.
const LIFETIME: i64 = 300;
/// How many may be open from one network.
const OPEN: i64 = 50;
/// How many from all: some MiB, however many networks somebody has.
const ALL_OPEN: i64 = 5000;

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceremony {
    /// The account, when it is known.
    pub account: Option<String>,
    /// What for: an answer to one question is none to another.
    pub kind: &'static str,
    /// What the answer is checked with, as JSON.
    pub state: String,
}

impl Store {
    /// Keeps what was asked until it is answered.
    ///
    /// # Errors
    /// When too many are open from this network, or from all.
    pub async fn await_answer(&self, hash: Vec<u8>, ceremony: Ceremony, from: IpAddr) -> Result<(), Error> {
        let network = network(from).to_string();
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query("DELETE FROM ceremonies WHERE expires < $1")
                    .bind(now())
                    .execute(&mut *tx)
                    .await?;
                let open: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM ceremonies WHERE network = $1")
                    .bind(network.clone())
                    .fetch_one(&mut *tx)
                    .await?;
                let all: i64 =
                    sqlx::query_scalar("SELECT COUNT(*) FROM ceremonies").fetch_one(&mut *tx).await?;
                if open >= OPEN || all >= ALL_OPEN {
                    return Err(Error::TooMany(LIFETIME.unsigned_abs()));
                }
                sqlx::query(
                    "INSERT INTO ceremonies (id_hash, account_id, kind, state, network, expires) \
                     VALUES ($1, $2, $3, $4, $5, $6)",
                )
                .bind(hash)
                .bind(ceremony.account)
                .bind(ceremony.kind)
                .bind(ceremony.state)
                .bind(network)
                .bind(now() + LIFETIME)
                .execute(&mut *tx)
                .await?;
                Ok(((), Vec::new()))
            })
        })
        .await
    }

    /// Takes what was asked, so that it is answered once.
    ///
    /// # Errors
    /// What the database says.
    pub async fn answered(&self, hash: Vec<u8>, kind: &'static str) -> Result<Option<Ceremony>, Error> {
        self.write(move |tx| {
            Box::pin(async move {
                let row = sqlx::query(
                    "DELETE FROM ceremonies WHERE id_hash = $1 AND kind = $2 AND expires >= $3 \
                     RETURNING account_id, state",
                )
                .bind(hash)
                .bind(kind)
                .bind(now())
                .fetch_optional(&mut *tx)
                .await?;
                let ceremony = match row {
                    Some(row) => Some(Ceremony {
                        account: row.try_get("account_id")?,
                        kind,
                        state: row.try_get("state")?,
                    }),
                    None => None,
                };
                Ok((ceremony, Vec::new()))
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::app::App;
    use crate::tests::app;

    fn here() -> IpAddr {
        "2001:db8::1".parse().unwrap()
    }

    #[tokio::test]
    async fn a_question_is_answered_once_and_only_for_what_it_was_asked() {
        let (_folder, App { store, .. }, _) = app().await;
        let asked = Ceremony { account: None, kind: "sign-in", state: "{}".to_owned() };
        store.await_answer(vec![1], asked.clone(), here()).await.unwrap();
        assert_eq!(store.answered(vec![1], "register").await.unwrap(), None);
        assert_eq!(store.answered(vec![1], "sign-in").await.unwrap(), Some(asked));
        assert_eq!(store.answered(vec![1], "sign-in").await.unwrap(), None);
    }

    #[tokio::test]
    async fn neither_one_network_nor_all_together_ask_without_end() {
        let (_folder, App { store, .. }, _) = app().await;
        let asked = Ceremony { account: None, kind: "sign-in", state: "{}".to_owned() };
        // However many addresses a network has.
        for number in 0..OPEN {
            let from = format!("2001:db8::{number:x}").parse().unwrap();
            store.await_answer(number.to_be_bytes().to_vec(), asked.clone(), from).await.unwrap();
        }
        let refused = store.await_answer(vec![2], asked.clone(), here()).await;
        assert!(matches!(refused, Err(Error::TooMany(_))));
        let there = IpAddr::from([192, 0, 2, 1]);
        store.await_answer(vec![2], asked.clone(), there).await.unwrap();

        let many = store.write(|tx| {
            Box::pin(async move {
                for number in 0..ALL_OPEN {
                    sqlx::query(
                        "INSERT INTO ceremonies (id_hash, kind, state, network, expires) VALUES ($1, '', '', '', $2)",
                    )
                    .bind(format!("{number}").into_bytes())
                    .bind(now() + 60)
                    .execute(&mut *tx)
                    .await?;
                }
                Ok(((), Vec::new()))
            })
        });
        many.await.unwrap();
        assert!(matches!(store.await_answer(vec![3], asked, there).await, Err(Error::TooMany(_))));
    }
}
