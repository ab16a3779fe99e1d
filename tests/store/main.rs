//! The account server's database: the same tests on SQLite and on PostgreSQL.

#![allow(clippy::unwrap_used)]

mod changes;
#[cfg(unix)]
mod conformance;
mod copies;
mod lists;
mod log;
mod place;
mod records;

/// Makes each test one on SQLite and one on PostgreSQL.
macro_rules! on_both_databases {
    ($($name:ident)*) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::place::Place::sqlite()).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let Some(place) = crate::place::Place::postgres() else { return };
                    super::$name(place).await;
                }
            )*
        }
    };
}
use on_both_databases;
