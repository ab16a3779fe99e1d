//! Trying a copy on the drives, and what came of it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use ::find::forms::WHOLE_LIMIT;
use askama::Template;
use backup::{Verdict, Verified, VerifyError, verify};
use fve::{ProofError, Snapshot, UnlockError, Volume};
use recovery_key::{KeyId, Secret};
use web::{Icon, Say};

use crate::app::App;
use crate::inventory::Drive;
use crate::jobs::{Job, Outcome};
use crate::pages::unlock::volume;
use crate::speech::Sentence;
use crate::upload::{Said, Unreadable, Upload};
use crate::words;

/// What is to be checked, and on which drive.
pub struct Work {
    /// The drive; none for whichever it opens.
    pub drive: Option<String>,
    /// A file on this computer.
    pub path: Option<PathBuf>,
    /// Files that were chosen.
    pub upload: Upload,
}

/// What came of it.
#[derive(Default)]
pub struct Checked {
    proven: bool,
    /// The drive: what stands for it in addresses, its name.
    drive: Option<(String, String)>,
    /// What is to be said of each key in the copy, and whether it is good.
    lines: Vec<(bool, Sentence)>,
    /// Why nothing can be said.
    unreadable: Option<Unreadable>,
    problem: Option<Sentence>,
    /// The places of the record's copies that are now noted as proven.
    noted: Vec<String>,
}

/// One drive's answer.
struct Answer {
    proven: bool,
    own: bool,
    lines: Vec<(bool, Sentence)>,
    keys: Vec<KeyId>,
    failed: Option<String>,
}

impl Work {
    /// Tries the copy.
    pub fn run(self, app: &App, job: &Job) -> Checked {
        let problem = |message, why: &str| Checked {
            problem: Some(Sentence::new(message, &[("why", why)])),
            ..Checked::default()
        };
        job.step("verify-reading", &[]);
        let password = self.upload.password();
        let (mut said, mut copies) = (Said::default(), self.upload.files);
        if let Some(path) = &self.path {
            match read(path) {
                Ok(bytes) => {
                    copies.push((path.file_name().map(|name| name.to_string_lossy().into_owned()), bytes))
                }
                Err(why) => return problem("copy-unreadable", &why),
            }
        }
        for copy in copies {
            if let Err(why) = said.add(copy, password.as_ref()) {
                return Checked { unreadable: Some(why), ..Checked::default() };
            }
        }
        if let Err(error) = said.put_together() {
            return problem("copy-sheets", &error.to_string());
        }
        let drives = app.inventory.drives();
        let chosen = |drive: &&Drive| self.drive.as_ref().is_none_or(|id| drive.id == *id);
        let mut best: Option<(Drive, Answer, Volume)> = None;
        let mut away = None;
        for drive in drives.iter().filter(|drive| drive.facts().is_some()).filter(chosen) {
            if job.is_stopped() {
                break;
            }
            job.step("verify-trying", &[("drive", &words::title(drive))]);
            let Ok(volume) = volume(app, drive) else {
                job.failed();
                away = Some(words::title(drive));
                continue;
            };
            let answer = Answer::of(&volume, &said);
            let better = best
                .as_ref()
                .is_none_or(|(_, best, _)| (answer.proven, answer.own) > (best.proven, best.own));
            let done = answer.proven;
            if better {
                best = Some((drive.clone(), answer, volume));
            }
            if done {
                break;
            }
        }
        match (best, away) {
            (Some((drive, answer, volume)), _) => {
                let noted =
                    note(app, &volume, &answer, self.path.as_deref(), said.from_picture).unwrap_or_default();
                let drive = Some((drive.id.clone(), words::title(&drive)));
                Checked { proven: answer.proven, drive, lines: answer.lines, noted, ..Checked::default() }
            }
            (None, Some(drive)) => Checked {
                problem: Some(Sentence::new("verify-away", &[("drive", &drive)])),
                ..Checked::default()
            },
            (None, None) => problem("verify-no-drive", ""),
        }
    }
}

/// Reads a file that may hold a copy.
fn read(path: &Path) -> Result<Secret<Vec<u8>>, String> {
    let mut bytes = Secret::new(Vec::new());
    let limit = WHOLE_LIMIT as u64;
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(bytes.expose_mut()));
    match read {
        Ok(length) if length as u64 > limit => Err(format!("{}: > {limit} B", path.display())),
        Ok(_) => Ok(bytes),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

impl Answer {
    fn of(volume: &Volume, said: &Said) -> Self {
        let (mut all, mut snapshots) = (Verified::default(), Vec::new());
        for (name, bytes) in &said.documents {
            match Snapshot::parse(bytes.expose()) {
                Ok(snapshot) => snapshots.push(snapshot),
                Err(_) => all.append(verify(volume, name.as_deref(), bytes.expose())),
            }
        }
        let (mut proven, mut own) = (all.is_proven(), false);
        let (mut lines, mut keys, mut failed) = (Vec::new(), Vec::new(), None);
        for verdict in &all.verdicts {
            own |= !matches!(verdict.outcome, Err(VerifyError::OtherDrive { .. }));
            match &verdict.outcome {
                Ok(proof) => keys.push(proof.key_id()),
                Err(VerifyError::OtherDrive { .. }) => {}
                Err(error) => failed = Some(error.to_string()),
            }
            lines.push((verdict.outcome.is_ok(), line(verdict)));
        }
        if let Some(snapshot) = snapshots.first()
            && lines.is_empty()
        {
            own = snapshot.volume() == volume.id();
            proven = own;
            let current = volume.snapshot().is_ok_and(|now| now == *snapshot);
            let message = match (own, current) {
                (false, _) => "verify-snapshot-other",
                (true, true) => "verify-snapshot",
                (true, false) => "verify-snapshot-old",
            };
            lines.push((own, Sentence::new(message, &[])));
        }
        Self { proven, own, lines, keys, failed }
    }
}

/// Says what became of one key.
fn line(verdict: &Verdict) -> Sentence {
    let id = verdict.key_id.map(|id| id.to_string().chars().take(8).collect::<String>());
    let id = id.as_deref().unwrap_or("–");
    match &verdict.outcome {
        Ok(proof) => Sentence::new("verify-opens", &[("id", &proof.key_id().short())]),
        Err(VerifyError::OtherDrive { .. }) => Sentence::new("verify-other-drive", &[("id", id)]),
        Err(VerifyError::Mislabelled { own, .. }) => {
            Sentence::new("verify-mislabelled", &[("id", id), ("own", &own.short())])
        }
        Err(VerifyError::Digits(_)) => Sentence::new("verify-digits", &[("id", id)]),
        Err(VerifyError::NotProven(ProofError::Unlock(UnlockError::WrongKey { .. }))) => {
            Sentence::new("verify-wrong-key", &[("id", id)])
        }
        Err(error) => Sentence::new("verify-failed", &[("id", id), ("why", &error.to_string())]),
    }
}

/// Notes it in the record, if the copy is one that the record knows: by its path, or as the page of a key of which no
/// more is known than that it is on paper: whoever has a picture of the page has the page.
fn note(
    app: &App,
    volume: &Volume,
    answer: &Answer,
    path: Option<&Path>,
    from_picture: bool,
) -> Option<Vec<String>> {
    let now = jiff::Timestamp::now().as_second();
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let path = path.map(real);
    let mut noted = Vec::new();
    // Where there is no record, nothing is noted in it.
    app.record().ok()??;
    let mut record = app.open_record().ok()??;
    for copy in record.copies(volume.id()).ok()? {
        let is_that_file =
            copy.path.as_ref().is_some_and(|known| path.as_ref() == Some(&real(Path::new(known))));
        let is_its_key =
            copy.key_id.map_or(answer.keys.is_empty() && answer.proven, |id| answer.keys.contains(&id));
        let is_page =
            from_picture && matches!(copy.kind.as_str(), "paper" | "print") && copy.key_id.is_some();
        if is_its_key && (is_that_file || is_page) {
            record.tried(copy.id, Ok(()), now).ok()?;
            noted.push(copy.place);
        } else if is_that_file && !answer.proven {
            let why = answer.failed.as_deref().unwrap_or("no key of the drive was found in it");
            record.tried(copy.id, Err(why), now).ok()?;
        }
    }
    Some(noted)
}

#[derive(Template)]
#[template(path = "verified.html")]
struct Page<'s> {
    say: Say<'s>,
    checked: &'s Checked,
    good: Icon,
    warning: Icon,
}

impl Page<'_> {
    fn noted(&self, place: &str) -> String {
        self.say.with("verify-noted", &[("place", place)])
    }
}

impl Outcome for Checked {
    fn title(&self, say: Say<'_>) -> String {
        match &self.drive {
            Some((_, drive)) if self.proven => say.with("verify-proven", &[("drive", drive)]),
            Some((_, drive)) => say.with("verify-not-proven", &[("drive", drive)]),
            None => say.of("verify-nothing"),
        }
    }

    fn body(&self, say: Say<'_>) -> Result<String, askama::Error> {
        Page { say, checked: self, good: Icon::Good, warning: Icon::Warning }.render()
    }
}
