//! What was refused, in the audit log: so that it is seen there, and not so often that somebody floods it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Store;
use crate::audit::Entry;
use crate::gate::network;

/// How long an entry stands for all that are like it.
const PAUSE: Duration = Duration::from_secs(60);
/// How many strangers and acts are told apart in that time: so many entries are made of all of them together.
const STRANGERS: usize = 60;
/// The same of those who are known: an account or a device has but a few acts.
const KNOWN: usize = 4096;

/// Whose refusals are counted together.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'w> {
    /// Those of a device or an account, by its ID.
    Known(&'w str),
    /// Those of whoever is behind an address.
    Stranger(IpAddr),
}

/// What was refused lately.
#[derive(Debug, Default)]
pub struct Refusals {
    known: Mutex<Kept>,
    strangers: Mutex<Kept>,
}

/// By whose it was and the act: since when an entry stands for it, and how often it was refused since.
type Kept = HashMap<(String, &'static str), (Instant, u64)>;

impl Refusals {
    /// Counts a refusal. Returns how many more there were since the last entry, if there is to be another.
    fn count(&self, whose: Whose<'_>, act: &'static str, now: Instant) -> Option<u64> {
        let (kept, limit, who) = match whose {
            Whose::Known(id) => (&self.known, KNOWN, id.to_owned()),
            Whose::Stranger(address) => (&self.strangers, STRANGERS, network(address).to_string()),
        };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |since: Instant| now.saturating_duration_since(since) < PAUSE;
        let key = (who, act);
        if let Some((since, more)) = kept.get_mut(&key) {
            if is_fresh(*since) {
                *more += 1;
                return None;
            }
            *since = now;
            return Some(std::mem::take(more));
        }
        if kept.len() >= limit {
            kept.retain(|_, (since, _)| is_fresh(*since));
        }
        if kept.len() >= limit {
            return None;
        }
        kept.insert(key, (now, 0));
        Some(0)
    }
}

impl Store {
    /// Adds an entry of what was refused to the audit log, unless there was one of the same act and the same origin
    /// within the last minute. The refusal stands, whatever becomes of the entry.
    pub async fn note_refusal(&self, whose: Whose<'_>, mut entry: Entry) {
        let Some(more) = self.refusals.count(whose, entry.act, Instant::now()) else { return };
        if more > 0 {
            let before = entry.detail.map(|detail| format!("{detail}; ")).unwrap_or_default();
            entry.detail = Some(format!("{before}{more} more since the last entry"));
        }
        let store = self.clone();
        // Who goes away is noted all the same.
        let noted = tokio::spawn(async move { store.note(entry).await }).await;
        if let Ok(Err(error)) = noted {
            tracing::error!(%error, "what was refused could not be put into the audit log");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::app::App;
    use crate::store::Of;
    use crate::tests::app;

    #[test]
    fn a_minute_has_one_entry_of_each_and_says_how_many_it_stands_for() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let count = |who, act, seconds| refusals.count(who, act, start + Duration::from_secs(seconds));
        let ada = Whose::Known("ada");
        assert_eq!((count(ada, "check-in", 0), count(ada, "check-in", 59)), (Some(0), None));
        assert_eq!(count(ada, "record.add", 1), Some(0));
        assert_eq!(count(Whose::Known("bob"), "check-in", 1), Some(0));
        assert_eq!((count(ada, "check-in", 60), count(ada, "check-in", 120)), (Some(1), Some(0)));
    }

    #[test]
    fn strangers_are_noted_by_network_and_in_all_not_without_end() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let count = |address: &str, seconds| {
            let whose = Whose::Stranger(address.parse().unwrap());
            refusals.count(whose, "sign-in", start + Duration::from_secs(seconds))
        };
        assert_eq!((count("2001:db8::1", 0), count("2001:db8::2", 0)), (Some(0), None));
        let many = (0..200).filter(|number| count(&format!("192.0.2.{number}"), 1).is_some());
        assert_eq!(many.count(), STRANGERS - 1);
        assert_eq!(count("198.51.100.1", 2), None);
        assert_eq!(
            refusals.count(Whose::Known("ada"), "sign-in", start),
            Some(0),
            "strangers are in nobody's way"
        );
        assert_eq!(count("198.51.100.1", 62), Some(0));
    }

    #[tokio::test]
    async fn what_is_refused_stands_in_the_history_once() {
        let (_folder, App { store, .. }, account) = app().await;
        for _ in 0..3 {
            let entry = Entry::refused("check-in", "replay").account(&account).device("d");
            store.note_refusal(Whose::Known("d"), entry).await;
        }
        let history = store.history(Of::Account(account), None, 10).await.unwrap();
        assert_eq!(history.len(), 1);
        assert_eq!(history[0].said.as_ref().unwrap().outcome, "refused: replay");
    }
}
