//! The saving, and the report of it.

use backup::record::Record;
use backup::{Backup as Saved, BackupError, Document, Found, SaveError, Standing, back_up, is_good_copy};
use fve::{ProtectorKind, Volume};
use recovery_key::KeyId;
use serde::Serialize;

use crate::commands::summary;
use crate::drive::Target;
use crate::failure::{Failure, Kind};
use crate::interrupt::{self, Critical};
use crate::output::Output;
use crate::places::Place;
use crate::words::{self, BOLD, ERROR, GOOD, OFF};
use crate::{accounts, record};

/// What became of every copy, and why the first failed that did.
pub struct Copies {
    /// Each document at each place.
    pub copies: Vec<CopyReport>,
    /// None when all is well.
    pub failed: Option<Kind>,
}

/// One copy.
#[derive(Serialize)]
pub struct CopyReport {
    key_id: Option<String>,
    kind: &'static str,
    destination: Option<String>,
    place: Option<String>,
    /// The key was read back and opened the drive.
    proven: bool,
    /// What is known of the copy: `proven`, `intact`, `stored`, `waiting`.
    standing: Option<&'static str>,
    error: Option<Failure>,
}

/// The saving, place after place.
pub struct Work<'a> {
    target: &'a Target,
    record: Option<&'a mut Record>,
    output: &'a Output,
    copies: Vec<CopyReport>,
    failed: Option<Kind>,
}

impl<'a> Work<'a> {
    /// Begins with nothing saved.
    pub fn new(target: &'a Target, record: Option<&'a mut Record>, output: &'a Output) -> Self {
        Self { target, record, output, copies: Vec::new(), failed: None }
    }

    /// Notes that the drive was here.
    pub fn see(&mut self) {
        let (target, now) = (self.target, words::now().to_unix().0);
        let path = std::path::absolute(&target.path).unwrap_or_else(|_| target.path.clone());
        if let Some(record) = &mut self.record
            && let Err(error) = record.see(&target.volume, &path.display().to_string(), now)
        {
            record::complain(&record::failure(&error), self.output);
        }
    }

    /// Saves to one place all that it can hold.
    pub fn save(&mut self, found: &Found, place: &Place) -> Result<(), Failure> {
        let (volume, destination) = (&self.target.volume, &*place.destination);
        let mut saved = false;
        for document in found.documents.iter().filter(|document| destination.holds(&document.content)) {
            interrupt::check()?;
            let critical = Critical::begin();
            let result = back_up(volume, document, destination);
            if let (Ok(backup), Some(record)) = (&result, &mut self.record)
                && let Err(error) = record.note(document, destination.kind(), backup, place.lies_on)
            {
                record::complain(&record::failure(&error), self.output);
            }
            drop(critical);
            let result = result.map_err(|error| explain(error, volume));
            match &result {
                Ok(backup) => {
                    if matches!(backup.standing, Standing::Waiting(_)) {
                        self.failed = self.failed.or(Some(Kind::Waiting));
                    }
                    self.output.say(praise(document, backup))?;
                }
                // The key is what matters: its copy is as good without the metadata beside it.
                Err(failure) if document.key_id().is_none() => self.output.note_unless_json(format!(
                    "note: the drive's metadata was not saved: {}",
                    failure.message
                )),
                Err(failure) => self.fail(failure),
            }
            saved |= result.is_ok();
            let given = Some(place.given.clone());
            self.copies.push(CopyReport::new(document.key_id(), document.kind(), given, result));
        }
        let finished = destination.finish();
        if destination.kind() == "account" {
            if let Some(record) = &mut self.record {
                accounts::reconcile(record, self.output);
            }
            if accounts::sound_all(self.output)? {
                self.failed = Some(Kind::Alarm);
            }
        }
        match finished {
            Ok(Some(word)) if saved => self.output.say(format!("  {word}"))?,
            Ok(_) => {}
            Err(error) => self.fail(&Failure::from(error)),
        }
        Ok(())
    }

    fn fail(&mut self, failure: &Failure) {
        self.output.report(failure);
        self.failed = self.failed.or(Some(failure.kind));
    }

    /// Says what is not backed up, and ends.
    pub fn end(mut self, found: &Found) -> Copies {
        for &(key_id, kind) in &found.damaged {
            let what =
                format!("the {kind} with key ID {} is damaged in the drive's metadata", key_id.short());
            let failure = Failure::new(Kind::Damaged, what)
                .hint("it is not backed up: add a new one in Windows, and save that");
            self.fail(&failure);
            self.copies.push(CopyReport::new(Some(key_id), Some(kind), None, Err(failure)));
        }
        if let Some(error) = &found.no_snapshot {
            self.output.note_unless_json(format!("note: the drive's metadata was not saved: {error}"));
        }
        for key_id in found.key_ids() {
            let id = key_id.to_string();
            let of_key = || self.copies.iter().filter(|copy| copy.key_id.as_ref() == Some(&id));
            let is_safe = |copy: &CopyReport| !matches!(copy.standing, Some("stored" | "waiting"));
            if !of_key().any(is_safe) {
                self.failed = self.failed.or(Some(Kind::NotProven));
                self.output.note_unless_json(format!(
                    "{ERROR}no proven copy{OFF} of key ID {}: save it to one more place",
                    key_id.short()
                ));
            }
        }
        Copies { copies: self.copies, failed: self.failed }
    }
}

fn praise(document: &Document, backup: &Saved) -> String {
    let place = &backup.copy.place;
    match &backup.standing {
        Standing::Proven(proof) => format!(
            "{GOOD}backed up and proven{OFF}  {place}\n  {}  key ID {BOLD}{}{OFF}: read back, and it opened the drive",
            proof.kind(),
            proof.key_id().short(),
        ),
        Standing::Intact => format!(
            "{GOOD}saved and compared{OFF}    {place}\n  the drive's metadata: no key, but it opens the drive together \
             with one if the drive's own is destroyed",
        ),
        Standing::Stored(why) => format!(
            "{ERROR}stored, not proven{OFF}    {place}\n  {}: it could not be read back: {why}",
            document.key_id().map(|id| format!("key ID {}", id.short())).unwrap_or_default(),
        ),
        Standing::Waiting(why) => format!(
            "{ERROR}waiting, not backed up yet{OFF}  {place}\n  {}: sealed on this computer, and sent later: {why}",
            document
                .key_id()
                .map_or("the drive's metadata".to_owned(), |id| format!("key ID {BOLD}{}{OFF}", id.short())),
        ),
    }
}

/// Adds what to do, and for a file that is there already, whether that one is a good copy.
fn explain(error: BackupError, volume: &Volume) -> Failure {
    let path = match &error {
        BackupError::Save(SaveError::AlreadyThere { path }) => Some(path.clone()),
        _ => None,
    };
    let failure = Failure::from(error);
    let Some(path) = path else { return failure };
    if is_good_copy(volume, &path) {
        failure.hint("that file is a good copy: it was read now, and it opened the drive")
    } else {
        failure.hint("that file does not open the drive: look at it, and move it away before you save again")
    }
}

impl CopyReport {
    fn new(
        key_id: Option<KeyId>,
        kind: Option<ProtectorKind>,
        destination: Option<String>,
        result: Result<Saved, Failure>,
    ) -> Self {
        let standing = result.as_ref().ok().map(|backup| match backup.standing {
            Standing::Proven(_) => "proven",
            Standing::Intact => "intact",
            Standing::Stored(_) => "stored",
            Standing::Waiting(_) => "waiting",
        });
        Self {
            key_id: key_id.map(|id| id.to_string()),
            kind: kind.map_or("snapshot", summary::kind),
            destination,
            place: result.as_ref().ok().map(|backup| backup.copy.place.clone()),
            proven: standing == Some("proven"),
            standing,
            error: result.err(),
        }
    }
}
