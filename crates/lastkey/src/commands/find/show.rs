//! What was found, in words and for programs.

use ::find::{Entry, Findings, Unread, Variant};
use recovery_key::Secret;
use recovery_key::document::FoundSecret;
use serde::Serialize;

use super::Wanted;
use super::locks::{Outcome, Tried};
use crate::failure::Failure;
use crate::output::Output;
use crate::words::{self, BOLD, ERROR, GOOD, OFF};

/// So many places of one key are named to people; programs get all.
const SHOWN: usize = 10;

/// What a search found, and what the keys did.
#[derive(Serialize)]
pub struct Report {
    places: Vec<String>,
    files: u64,
    bytes: u64,
    seconds: f64,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
    drives: usize,
    keys: Vec<KeyReport>,
    other_keys: usize,
    untried: usize,
    wrong: Vec<WrongReport>,
    unread: Vec<UnreadReport>,
}

#[derive(Serialize)]
struct KeyReport {
    key_id: Option<String>,
    kind: &'static str,
    conflict: bool,
    variants: Vec<VariantReport>,
}

#[derive(Serialize)]
struct VariantReport {
    opens: Vec<Opened>,
    fails: Vec<Failed>,
    also_under: Vec<String>,
    copies: Vec<CopyReport>,
    /// The 48 digits; only with `--reveal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    revealed: Option<String>,
}

#[derive(Serialize)]
struct Opened {
    drive: String,
    volume: String,
    key_id: String,
}

#[derive(Serialize)]
struct Failed {
    drive: String,
    error: Failure,
}

#[derive(Serialize)]
struct CopyReport {
    path: String,
    inside: Option<String>,
    form: String,
}

#[derive(Serialize)]
struct WrongReport {
    path: String,
    inside: Option<String>,
    key_id: Option<String>,
    problem: String,
}

#[derive(Serialize)]
struct UnreadReport {
    why: &'static str,
    count: u64,
    examples: Vec<String>,
    #[serde(skip)]
    words: String,
    #[serde(skip)]
    quiet: bool,
}

impl Report {
    /// Begins with what the search itself tells.
    pub fn new(places: Vec<String>, findings: &Findings, seconds: f64) -> Self {
        let wrong = findings.wrong.iter().map(|wrong| WrongReport {
            path: wrong.place.path.display().to_string(),
            inside: wrong.place.inside.as_deref().map(str::to_owned),
            key_id: wrong.key_id.map(|id| id.to_string()),
            problem: wrong.error.to_string(),
        });
        let unread = findings.unread.iter().map(|unread| UnreadReport {
            why: unread.why.name(),
            count: unread.count,
            examples: unread.examples.iter().map(ToString::to_string).collect(),
            words: unread.why.to_string(),
            // Nobody expects keys there, and there are many.
            quiet: matches!(unread.why, Unread::Link),
        });
        Self {
            places,
            files: findings.files,
            bytes: findings.bytes,
            seconds,
            interrupted: false,
            drives: 0,
            keys: Vec::new(),
            other_keys: usize::try_from(findings.more_keys).unwrap_or(usize::MAX),
            untried: 0,
            wrong: wrong.collect(),
            unread: unread.collect(),
        }
    }

    /// Adds the keys that were wanted.
    pub fn take(&mut self, outcome: Outcome, wanted: &Wanted, reveal: bool) {
        self.drives = outcome.drives;
        self.untried = outcome.left_out;
        for (entry, tried) in outcome.entries {
            if wanted.is(&entry, &tried) {
                self.keys.push(KeyReport::of(&entry, tried, reveal));
            } else {
                self.other_keys += 1;
            }
        }
        // What opens a drive is what everybody wants to see first.
        self.keys.sort_by_key(|key| !key.variants.iter().any(|variant| !variant.opens.is_empty()));
    }

    /// Says whether the search found what it was for.
    pub fn has_what_was_wanted(&self, wanted: &Wanted) -> bool {
        if wanted.drives.is_empty() {
            !self.keys.is_empty()
        } else {
            self.keys.iter().flat_map(|key| &key.variants).any(|variant| !variant.opens.is_empty())
        }
    }

    /// Tells people.
    pub fn tell(&self, output: &Output) -> Result<(), Failure> {
        for key in &self.keys {
            // What holds digits is wiped.
            output.say(Secret::new(key.lines()).expose())?;
        }
        if !self.wrong.is_empty() {
            output.say(format!("{BOLD}Digits that look like a recovery key and are none{OFF}"))?;
            for wrong in self.wrong.iter().take(SHOWN) {
                output.say(format!(
                    "  {}\n    {}",
                    place(&wrong.path, wrong.inside.as_deref()),
                    wrong.problem
                ))?;
            }
            more(self.wrong.len(), output)?;
            output.say("  `lastkey repair DRIVE` finds what was meant, if it opens the drive.")?;
        }
        if self.keys.is_empty() {
            output.say(if self.other_keys == 0 {
                "No recovery key was found."
            } else {
                "The key was not found."
            })?;
        }
        if self.other_keys != 0 {
            output
                .say(format!("{} were found too, and not asked for.", count(self.other_keys, "other key")))?;
        }
        if self.untried != 0 {
            output.say(format!(
                "Keys under no key ID of these drives were not tried on them: that takes {} tries of up to half a \
                 second each. --try-all tries them.",
                self.untried
            ))?;
        }
        let took =
            if self.seconds < 0.95 { "under a second".to_owned() } else { format!("{:.0} s", self.seconds) };
        output.note_unless_json(format!(
            "{} ({}) searched in {took}; {} to try the keys on.",
            count(usize::try_from(self.files).unwrap_or(usize::MAX), "file"),
            words::size(self.bytes),
            count(self.drives, "BitLocker drive"),
        ));
        for unread in self.unread.iter().filter(|unread| !unread.quiet) {
            let first = unread.examples.first().map(|first| format!(", such as {first}")).unwrap_or_default();
            output.note_unless_json(format!("  not searched: {} {}{first}", unread.count, unread.words));
        }
        if self.interrupted {
            output.note_unless_json(format!("{ERROR}interrupted{OFF}: this is what was found up to then."));
        }
        Ok(())
    }
}

impl KeyReport {
    fn of(entry: &Entry, tried: Vec<Tried>, reveal: bool) -> Self {
        let is_external = entry
            .variants
            .first()
            .is_some_and(|variant| matches!(variant.secret, FoundSecret::ExternalKey(_)));
        Self {
            key_id: entry.key_id.map(|id| id.to_string()),
            kind: if is_external { "external-key" } else { "recovery-key" },
            conflict: entry.is_conflict(),
            variants: entry
                .variants
                .iter()
                .zip(tried)
                .map(|(v, t)| VariantReport::of(v, t, reveal))
                .collect(),
        }
    }

    fn lines(&self) -> String {
        let kind = if self.kind == "external-key" { "external key" } else { "recovery key" };
        let mut lines = Vec::new();
        let title = match &self.key_id {
            Some(id) => format!("key ID {BOLD}{}{OFF}  {kind}", id.get(..8).unwrap_or(id)),
            None => format!("{kind} without key ID"),
        };
        lines.push(title);
        if self.conflict {
            lines.push(format!(
                "  {ERROR}conflict{OFF}: {} different keys stand under this key ID, and at most one is right",
                self.variants.len()
            ));
        }
        for (n, variant) in self.variants.iter().enumerate() {
            if self.conflict {
                lines.push(format!("  {}:", n + 1));
            }
            variant.put(self.key_id.as_deref(), &mut lines);
        }
        // All the room at once: a string that grows leaves its unwiped self behind.
        let text = lines.join("\n");
        lines.into_iter().for_each(|line| drop(Secret::new(line)));
        text
    }
}

impl VariantReport {
    fn of(variant: &Variant, tried: Tried, reveal: bool) -> Self {
        let revealed = match &variant.secret {
            FoundSecret::RecoveryPassword(password) if reveal => Some(password.digits().expose().clone()),
            _ => None,
        };
        Self {
            opens: tried
                .opens
                .into_iter()
                .map(|(drive, proof)| Opened {
                    drive,
                    volume: proof.volume().to_string(),
                    key_id: proof.key_id().to_string(),
                })
                .collect(),
            fails: tried.fails.into_iter().map(|(drive, error)| Failed { drive, error }).collect(),
            also_under: variant.also_under.iter().map(ToString::to_string).collect(),
            copies: variant
                .copies
                .iter()
                .map(|(place, form)| CopyReport {
                    path: place.path.display().to_string(),
                    inside: place.inside.as_deref().map(str::to_owned),
                    form: form.to_string(),
                })
                .collect(),
            revealed,
        }
    }

    fn put(&self, key_id: Option<&str>, lines: &mut Vec<String>) {
        for opened in &self.opens {
            let own = opened.key_id.as_str();
            let label = match key_id {
                Some(id) if own.starts_with(id) => String::new(),
                Some(_) => {
                    format!(" ({ERROR}mislabelled{OFF}: there its key ID is {})", own.get(..8).unwrap_or(own))
                }
                None => format!(" (there its key ID is {})", own.get(..8).unwrap_or(own)),
            };
            lines.push(format!("  {GOOD}opens{OFF} {}, proven{label}", opened.drive));
        }
        for failed in &self.fails {
            lines.push(format!("  {ERROR}does not open{OFF} {}: {}", failed.drive, failed.error.message));
        }
        for id in &self.also_under {
            lines.push(format!(
                "  {ERROR}conflict{OFF}: the same key stands under key ID {}, too",
                id.get(..8).unwrap_or(id)
            ));
        }
        if let Some(digits) = &self.revealed {
            lines.push(format!("  {digits}"));
        }
        for copy in self.copies.iter().take(SHOWN) {
            lines.push(format!("    {}", place(&copy.path, copy.inside.as_deref())));
        }
        if self.copies.len() > SHOWN {
            lines.push(format!("    and {} more", self.copies.len() - SHOWN));
        } else if self.copies.len() > 1 {
            lines.push(format!("    {} copies of the same key", self.copies.len()));
        }
    }
}

/// Digits that were to be shown are wiped again.
impl Drop for VariantReport {
    fn drop(&mut self) {
        drop(self.revealed.take().map(Secret::new));
    }
}

fn place(path: &str, inside: Option<&str>) -> String {
    inside.map_or_else(|| path.to_owned(), |inside| format!("{path}: {inside}"))
}

fn more(count: usize, output: &Output) -> Result<(), Failure> {
    if count > SHOWN { output.say(format!("  and {} more", count - SHOWN)) } else { Ok(()) }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
