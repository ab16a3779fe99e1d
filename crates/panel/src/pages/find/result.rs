//! What a search for keys has found.

use ::find::{Findings, Unread};
use askama::Template;
use backup::{Tried, Tries};
use recovery_key::KeyIdPrefix;
use recovery_key::document::FoundSecret;
use web::{Icon, Say};

use crate::inventory::Drive;
use crate::jobs::Outcome;
use crate::words;

/// So many places of one key are named.
pub const SHOWN: usize = 10;

/// What a search has found.
#[derive(Default)]
pub struct Result {
    /// What stands for the job in addresses.
    pub job: String,
    entries: Vec<Entry>,
    /// Keys that were not asked for.
    others: usize,
    /// Tries that were left out.
    left_out: usize,
    /// How many files were read.
    pub files: u64,
    /// Whether somebody ended it early.
    pub stopped: bool,
    /// Digits that look like a key and are none.
    pub wrong: usize,
    /// Where some of those are.
    pub wrong_places: Vec<String>,
    /// What was not read.
    pub unread: Vec<Left>,
}

/// What was not read for one reason.
pub struct Left {
    message: &'static str,
    count: u64,
    places: Vec<String>,
}

/// All that stands under one key ID.
struct Entry {
    /// Its first eight digits, and all that is known of it.
    id: Option<(String, String)>,
    variants: Vec<Variant>,
}

struct Variant {
    /// Its number among all keys.
    place: usize,
    secret: FoundSecret,
    /// The drives that it opens: what stands for each in addresses, its name.
    opens: Vec<(String, String)>,
    fails: Vec<String>,
    copies: Vec<String>,
    more: usize,
    also_under: Vec<String>,
}

impl Variant {
    fn is_password(&self) -> bool {
        matches!(self.secret, FoundSecret::RecoveryPassword(_))
    }
}

impl Entry {
    fn opens(&self) -> bool {
        self.variants.iter().any(|variant| !variant.opens.is_empty())
    }
}

/// Counts what was not read, by what a person can do about it.
pub fn unread(findings: &Findings) -> Vec<Left> {
    let mut all: Vec<Left> = Vec::new();
    for unread in &findings.unread {
        let message = match unread.why {
            // Nobody expects keys there, and there are many.
            Unread::Link => continue,
            Unread::Sealed(_) => "find-sealed",
            Unread::NotPermitted => "find-not-permitted",
            Unread::TooLarge | Unread::TooSlow => "find-too-large",
            Unread::SpoiltPage => "find-spoilt-page",
            Unread::Share => "find-share",
            Unread::InTheCloud => "find-in-cloud",
            Unread::OtherFileSystem => "find-other-file-system",
            _ => "find-unreadable",
        };
        let place = all.iter().position(|left| left.message == message).unwrap_or_else(|| {
            all.push(Left { message, count: 0, places: Vec::new() });
            all.len() - 1
        });
        if let Some(left) = all.get_mut(place) {
            left.count += unread.count;
            let room = SHOWN.saturating_sub(left.places.len());
            left.places.extend(unread.examples.iter().take(room).map(ToString::to_string));
        }
    }
    all
}

impl Result {
    /// Takes what was found, and what it opens.
    pub fn of(tries: Tries, drives: &[&Drive], wanted: Option<KeyIdPrefix>) -> Self {
        let mut result = Self { left_out: tries.left_out, ..Self::default() };
        let named = |place: usize| drives.get(place).map(|drive| (drive.id.clone(), words::title(drive)));
        let mut place = 0;
        for (entry, tried) in tries.entries {
            let is_wanted = wanted.is_none_or(|wanted| {
                let opens = || tried.iter().flat_map(|tried| &tried.opens);
                entry.key_id.is_some_and(|id| id.agrees_with(&wanted))
                    || opens().any(|(_, proof)| wanted.matches(&proof.key_id()))
            });
            if !is_wanted {
                result.others += 1;
                continue;
            }
            let id = entry.key_id.map(|id| id.to_string());
            let id = id.map(|id| (id.chars().take(8).collect(), id));
            let mut variants = Vec::new();
            for (variant, Tried { opens, fails }) in entry.variants.into_iter().zip(tried) {
                let copies =
                    variant.copies.iter().take(SHOWN).map(|(place, form)| format!("{place} ({form})"));
                variants.push(Variant {
                    place,
                    copies: copies.collect(),
                    more: variant.copies.len().saturating_sub(SHOWN),
                    also_under: variant.also_under.iter().map(ToString::to_string).collect(),
                    opens: opens.into_iter().filter_map(|(drive, _)| named(drive)).collect(),
                    fails: fails.into_iter().filter_map(|(drive, _)| Some(named(drive)?.1)).collect(),
                    secret: variant.secret,
                });
                place += 1;
            }
            result.entries.push(Entry { id, variants });
        }
        // What opens a drive is what everybody wants to see first.
        result.entries.sort_by_key(|entry| !entry.opens());
        result
    }
}

#[derive(Template)]
#[template(path = "find_result.html")]
struct Page<'s> {
    say: Say<'s>,
    result: &'s Result,
    good: Icon,
    warning: Icon,
}

impl Page<'_> {
    fn more(&self, count: usize) -> String {
        self.say.count("find-more", count as u64)
    }

    fn heading(&self, id: &str) -> String {
        self.say.with("find-key-id", &[("id", id)])
    }

    fn opens(&self, drive: &str) -> String {
        self.say.with("find-opens", &[("drive", drive)])
    }

    fn fails(&self, drive: &str) -> String {
        self.say.with("find-fails", &[("drive", drive)])
    }

    fn also(&self, id: &str) -> String {
        self.say.with("find-also-under", &[("id", id)])
    }

    fn count(&self, message: &str, count: usize) -> String {
        self.say.count(message, count as u64)
    }
}

impl Outcome for Result {
    fn title(&self, say: Say<'_>) -> String {
        match self.entries.len() {
            0 => say.of("find-none"),
            count => say.count("find-found", count as u64),
        }
    }

    fn body(&self, say: Say<'_>) -> std::result::Result<String, askama::Error> {
        Page { say, result: self, good: Icon::Good, warning: Icon::Warning }.render()
    }

    fn key(&self, place: usize) -> Option<&FoundSecret> {
        let mut all = self.entries.iter().flat_map(|entry| &entry.variants);
        all.find(|variant| variant.place == place).map(|variant| &variant.secret)
    }
}
