//! The search for what a key was, and what came of it.

use std::ops::ControlFlow;

use askama::Template;
use fve::Key;
use recovery_key::RecoveryPassword;
use recovery_key::document::FoundSecret;
use repair::{Candidates, Hints, Outcome as Searched, Search};
use web::{Icon, Say};

use super::plan;
use crate::app::App;
use crate::inventory::Drive;
use crate::jobs::{Job, Outcome};
use crate::pages::unlock::{Digits, OpenFailure, put, volume};
use crate::words;

/// What came of it.
enum End {
    /// The key is found: its key ID, what was other than typed, and why it proves nothing all the same.
    Found { key: Box<FoundSecret>, id: String, slips: Slips, flaw: Option<String> },
    /// None of so many opens the drive.
    NotFound(u128),
    /// It was stopped at a place of so many.
    Stopped(u128, u128),
    /// The drive is gone.
    Gone,
    /// The drive cannot be read.
    Failed(String),
}

/// How what was typed differs from the key.
enum Slips {
    /// In these groups.
    Groups(Vec<String>),
    /// The groups are in another order.
    Order,
    /// Nobody can say: it was not typed in groups.
    Unknown,
}

/// What came of a search.
pub struct Mended {
    job: String,
    drive: Drive,
    unlocked: bool,
    end: End,
}

/// Tries what the key may have been, and unlocks the drive with what it was.
pub fn search(app: &App, job: &Job, drive: Drive, digits: &Digits, hints: &Hints, slips: u8) -> Mended {
    job.step("mend-searching", &[("drive", &words::title(&drive))]);
    let mut mended = Mended { job: job.id().to_owned(), drive, unlocked: false, end: End::Gone };
    let opened = match volume(app, &mended.drive) {
        Ok(volume) => volume,
        Err(OpenFailure::Other(why)) => return Mended { end: End::Failed(why), ..mended },
        Err(OpenFailure::Gone | OpenFailure::RightsMissing) => return mended,
    };
    let candidates = Candidates::new(hints);
    let to = candidates.count(slips);
    let small = |place: u128| u64::try_from(place).unwrap_or(u64::MAX);
    let locks = opened.recovery_locks();
    let search = Search { candidates: &candidates, volume: &opened, locks: &locks, from: 0, to };
    job.part(0, small(to));
    let searched = search.run(|at| {
        job.part(small(at), small(to));
        if job.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    drop(locks);
    let (password, id, flaw) = match searched {
        Searched::Mended { password, proof } => (password, proof.key_id(), None),
        Searched::Unproven { password, key_id, error } => (password, key_id, Some(error.to_string())),
        Searched::NotFound => return Mended { end: End::NotFound(to), ..mended },
        Searched::Stopped { at } => return Mended { end: End::Stopped(at, to), ..mended },
    };
    let keys = [Key::RecoveryPassword(password.duplicate())];
    mended.unlocked = put(app, mended.drive.clone(), opened, &keys).is_ok();
    let slips = differences(digits, &password);
    mended.end =
        End::Found { key: Box::new(FoundSecret::RecoveryPassword(password)), id: id.short(), slips, flaw };
    mended
}

/// Compares what was typed with what is right, group by group.
fn differences(digits: &Digits, password: &RecoveryPassword) -> Slips {
    let (typed, right) = (digits.text("?"), password.digits());
    let typed: Vec<&str> = typed.split('-').collect();
    let right: Vec<&str> = right.expose().split('-').collect();
    if typed.len() != right.len() {
        return Slips::Unknown;
    }
    let (mut sorted, mut right_sorted) = (typed.clone(), right.clone());
    sorted.sort_unstable();
    right_sorted.sort_unstable();
    if sorted == right_sorted && typed != right {
        return Slips::Order;
    }
    let pairs = typed.iter().zip(&right).enumerate();
    Slips::Groups(
        pairs
            .filter(|(_, (typed, right))| typed != right)
            .map(|(place, _)| (place + 1).to_string())
            .collect(),
    )
}

#[derive(Template)]
#[template(path = "mended.html")]
struct Page<'s> {
    say: Say<'s>,
    mended: &'s Mended,
    good: Icon,
    warning: Icon,
}

impl Page<'_> {
    fn found(&self, id: &str) -> String {
        self.say.with("mend-found", &[("id", id), ("drive", &words::title(&self.mended.drive))])
    }

    fn slips(&self, slips: &Slips) -> String {
        match slips {
            Slips::Groups(groups) if groups.is_empty() => self.say.of("mend-was-right"),
            Slips::Groups(groups) => self.say.with("mend-was-wrong", &[("groups", &groups.join(", "))]),
            Slips::Order => self.say.of("mend-was-order"),
            Slips::Unknown => String::new(),
        }
    }

    fn flaw(&self, why: &str) -> String {
        self.say.with("mend-flaw", &[("why", why)])
    }

    fn not_found(&self, count: &u128) -> String {
        self.say.with("mend-not-found", &[("count", &plan::number(*count, self.say.language()))])
    }

    fn stopped(&self, at: &u128, of: &u128) -> String {
        let language = self.say.language();
        self.say.with(
            "mend-stopped",
            &[("at", &plan::number(*at, language)), ("count", &plan::number(*of, language))],
        )
    }

    fn failed(&self, why: &str) -> String {
        self.say.with("unlock-failed", &[("why", why)])
    }
}

impl Outcome for Mended {
    fn title(&self, say: Say<'_>) -> String {
        match &self.end {
            End::Found { .. } => say.of("mend-mended"),
            _ => say.of("mend-none"),
        }
    }

    fn body(&self, say: Say<'_>) -> Result<String, askama::Error> {
        Page { say, mended: self, good: Icon::Good, warning: Icon::Warning }.render()
    }

    fn key(&self, _place: usize) -> Option<&FoundSecret> {
        match &self.end {
            End::Found { key, .. } => Some(key),
            _ => None,
        }
    }
}
