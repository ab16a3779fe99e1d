//! `lastkey find`: where are the keys, and what does each open?

mod directories;
mod locks;
mod places;
pub mod sealed;
mod show;

use std::ffi::{OsStr, OsString};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use ::find::forms::Readers;
use ::find::{Entry, Findings, Search};
use backup::READERS;
use recovery_key::KeyIdPrefix;

use crate::cli::FindKeys;
use crate::failure::{Failure, Kind};
use crate::interrupt::{self, Critical};
use crate::output::Output;
use crate::progress;

use locks::{Locks, Tried};
use show::Report;

/// Fewer digits of a key ID can be anything.
const KEY_ID_DIGITS: usize = 8;

/// Searches, tries what was found, and tells.
pub fn run(arguments: &FindKeys, output: &Output) -> Result<ExitCode, Failure> {
    let wanted = Wanted::of(arguments)?;
    let places = places::all(&arguments.places, output)?;
    let locks = match wanted.drives.as_slice() {
        [] => Locks::attached(output),
        named => Locks::named(named, &arguments.find)?,
    };
    let kept = directories::Kept::ask(
        &places.directories,
        wanted.key_id,
        if wanted.drives.is_empty() { &[] } else { locks.drives() },
        &arguments.sign_in,
        output,
    )?;
    let mut search = Search::new(places.paths);
    search.follow_links = arguments.follow_links;
    search.other_file_systems = arguments.other_file_systems;
    search.readers = if arguments.no_pictures { Readers::default() } else { READERS };
    search.largest = arguments.largest.saturating_mul(1 << 20);
    let mut names: Vec<_> = search.roots.iter().map(|root| root.display().to_string()).collect();

    // While it lasts, Ctrl-C ends the search, and what was found is told.
    let critical = Critical::begin();
    let started = Instant::now();
    let mut findings = if names.is_empty() {
        Findings::default()
    } else {
        output.note_unless_json(format!("Searching {}", names.join(", ")));
        search_with_progress(&search)
    };
    let seconds = started.elapsed().as_secs_f64();
    drop(critical);
    if !interrupt::asked() {
        sealed::open(&mut findings, &arguments.seals, output);
    }
    let critical = Critical::begin();
    kept.add_to(&mut findings);
    names.extend(places.directories.iter().map(ToString::to_string));
    let mut report = Report::new(names, &findings, seconds);
    let tried = locks.try_all(findings.report().entries, arguments.try_all, !wanted.drives.is_empty());
    drop(critical);
    report.take(tried, &wanted, arguments.reveal);
    report.interrupted = interrupt::asked();
    report.tell(output)?;
    output.document(&report)?;
    Ok(match report {
        Report { interrupted: true, .. } => Kind::Interrupted.code().into(),
        _ if report.has_what_was_wanted(&wanted) => ExitCode::SUCCESS,
        _ => Kind::NotFound.code().into(),
    })
}

fn search_with_progress(search: &Search) -> Findings {
    let bar = progress::files("searching");
    let findings = search.run(&|files| {
        bar.set_position(files);
        if interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    findings
}

/// What the person asked for.
struct Wanted {
    key_id: Option<KeyIdPrefix>,
    drives: Vec<OsString>,
}

impl Wanted {
    fn of(arguments: &FindKeys) -> Result<Self, Failure> {
        let mut wanted = Self { key_id: None, drives: arguments.drives.clone() };
        let Some(text) = &arguments.wanted else { return Ok(wanted) };
        match key_id(text) {
            Some(_) if Path::new(text).exists() => {
                let text = text.to_string_lossy();
                return Err(Failure::new(Kind::Usage, format!("{text} is a key ID, and also a file"))
                    .hint(format!("for the file write --drive ./{text}, for the key ID write {{{text}}}")));
            }
            Some(id) => wanted.key_id = Some(id),
            None => wanted.drives.push(text.clone()),
        }
        Ok(wanted)
    }

    /// Says whether an entry belongs to what was asked for.
    fn is(&self, entry: &Entry, tried: &[Tried]) -> bool {
        let opens = || tried.iter().flat_map(|tried| &tried.opens);
        match self.key_id {
            Some(wanted) => {
                entry.key_id.is_some_and(|id| id.agrees_with(&wanted))
                    || opens().any(|(_, proof)| wanted.matches(&proof.key_id()))
            }
            None if self.drives.is_empty() => true,
            None => tried.iter().any(|tried| !tried.opens.is_empty() || !tried.fails.is_empty()),
        }
    }
}

fn key_id(text: &OsStr) -> Option<KeyIdPrefix> {
    text.to_str()?.parse::<KeyIdPrefix>().ok().filter(|id| id.digits() >= KEY_ID_DIGITS)
}
