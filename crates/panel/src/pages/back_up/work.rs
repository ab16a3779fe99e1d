//! The saving: one step after the other, each of them seen.

use std::path::Path;
use std::sync::Arc;

use account::place::Accounts;
use backup::record::Record;
use backup::{
    Backup, BackupError, Content, Destination, Document, Found, ReadBack, Refusal, SaveError, SavedCopy,
    Standing, Warning, back_up, is_good_copy,
};
use fve::Volume;

use super::done::{Copy, Done, State};
use super::refusals::{self, backup_error, is_sealed, refusal};
use super::way::Way;
use crate::app::App;
use crate::desk::OpenDrive;
use crate::jobs::{Job, Outcome};
use crate::told::Told;

/// Saves all that a drive has to a place, and says what came of it.
pub fn save(app: &App, open: &Arc<OpenDrive>, way: Way, job: &Job) -> Arc<dyn Outcome> {
    let mut done = Done::new(&open.drive, way.path());
    if let Err(why) = try_to_save(app, open, way, job, &mut done) {
        job.failed();
        done.refused = Some(why);
    }
    done.proven_in_all = proven(app, open.volume());
    Arc::new(done)
}

fn try_to_save(app: &App, open: &Arc<OpenDrive>, way: Way, job: &Job, done: &mut Done) -> Result<(), Told> {
    job.step("back-up-step-place", &[("place", &way.place())]);
    let found = match open.found() {
        Ok(Ok(found)) => found,
        Ok(Err(why)) => return Err(Told::quoted(why.to_string())),
        Err(error) => return Err(Told::new("back-up-unreadable").because(Told::quoted(error.to_string()))),
    };
    // A backup is as good without the record, so that one that cannot be used is only said.
    let mut record = app.open_record().unwrap_or_else(|error| {
        done.note(&error.to_string());
        None
    });
    let destination = way.into_destination(app, job)?;
    let checked =
        backup::check(&*destination, &open.drive.attached.path, open.volume().id(), record.as_ref());
    let checked = checked.map_err(|error| refusal(&error))?;
    done.warnings = checked.warnings.iter().map(refusals::warning).collect();
    if let Some(record) = &mut record {
        let path = std::path::absolute(&open.drive.attached.path).unwrap_or_default();
        if let Err(error) = record.see(open.volume(), &path.display().to_string(), now()) {
            done.note(&error.to_string());
        }
    }
    let holds = |document: &&Document| destination.holds(&document.content);
    if !found.documents.iter().filter(holds).any(|document| document.key_id().is_some()) {
        return Err(Told::new("back-up-holds-none"));
    }
    for document in found.documents.iter().filter(holds) {
        if job.is_stopped() {
            done.stopped = true;
            break;
        }
        save_one(open.volume(), document, &*destination, record.as_mut(), checked.lies_on, job, done);
    }
    match destination.finish() {
        Ok(ending) => done.ending = ending,
        Err(error) => done.warnings.push(refusals::save_error(&error)),
    }
    if destination.kind() == "account"
        && let Some(accounts) = app.accounts()
    {
        after_account(&accounts, record.as_mut(), done);
    }
    done.left_out(&found);
    Ok(())
}

/// Saves one document, and notes it.
fn save_one(
    volume: &Volume,
    document: &Document,
    destination: &dyn Destination,
    record: Option<&mut Record>,
    lies_on: Option<uuid::Uuid>,
    job: &Job,
    done: &mut Done,
) {
    let key_id = document.key_id();
    match key_id {
        Some(id) => job.step("back-up-step-save", &[("key", &id.short())]),
        None => job.step("back-up-step-save-metadata", &[]),
    }
    let mut result = back_up(volume, document, &Watched { inner: destination, job });
    // What was read is the page on its way to the printer: the sheet itself, nobody has seen yet.
    if let Ok(Backup { standing, .. }) = &mut result
        && destination.kind() == "print"
    {
        *standing = Standing::Stored("the sheet itself was not looked at yet".to_owned());
    }
    if let (Ok(backup), Some(record)) = (&result, record) {
        job.step("back-up-step-note", &[]);
        if let Err(error) = record.note(document, destination.kind(), backup, lies_on) {
            done.note(&error.to_string());
        }
    }
    let (state, place) = match &result {
        Ok(Backup { standing, copy }) => (
            match standing {
                Standing::Proven(_) => State::Proven,
                Standing::Intact => State::Intact,
                Standing::Stored(_) if destination.kind() == "print" => State::Printed,
                Standing::Stored(why) => State::Stored(Told::quoted(why)),
                Standing::Waiting(why) => State::Waiting(Told::quoted(why)),
            },
            copy.place.clone(),
        ),
        Err(error) => {
            job.failed();
            (failed(error, volume), String::new())
        }
    };
    done.copies.push(Copy { key_id, place: refusals::place(destination.kind(), &place), state, time: now() });
}

/// Says why there is no copy; of a file that is there already, whether that one is good.
fn failed(error: &BackupError, volume: &Volume) -> State {
    if let BackupError::Save(SaveError::AlreadyThere { path }) = error {
        let place = path.display().to_string();
        if is_good_copy(volume, path) {
            return State::There(Told::new("failed-there-good").with("place", place));
        }
        let message = if is_sealed(path) { "failed-already-there" } else { "failed-there-other" };
        return State::Failed(Told::new(message).with("place", place));
    }
    State::Failed(backup_error(error))
}

/// Notes what had waited and has arrived on the occasion, and looks for alarms.
fn after_account(accounts: &Accounts, record: Option<&mut Record>, done: &mut Done) {
    if let Some(record) = record
        && let Err(error) = record.reconcile(accounts)
    {
        done.note(&error.to_string());
    }
    for name in accounts.names().unwrap_or_default() {
        let alarms = accounts.open(&name).ok().flatten().and_then(|account| account.evidence().ok());
        done.alarms.extend(alarms.unwrap_or_default().iter().map(ToString::to_string));
    }
}

/// Counts the proven copies of a volume's keys that the record knows, of the key that has fewest.
fn proven(app: &App, volume: &Volume) -> Option<usize> {
    let copies = app.record().ok()??.copies(volume.id()).ok()?;
    let good = |copy: &&backup::record::Copy| {
        copy.proven.is_some() && copy.failed.is_none() && copy.waiting.is_none() && !copy.stale
    };
    let keys = copies.iter().filter_map(|copy| copy.key_id);
    keys.map(|key| copies.iter().filter(good).filter(|copy| copy.key_id == Some(key)).count()).min()
}

/// Returns the time, in seconds since 1970.
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A place, with somebody who watches what is done there.
struct Watched<'a> {
    inner: &'a dyn Destination,
    job: &'a Job,
}

impl Destination for Watched<'_> {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn check(&self, drive: &Path) -> Result<Vec<Warning>, Refusal> {
        self.inner.check(drive)
    }

    fn holds(&self, content: &Content) -> bool {
        self.inner.holds(content)
    }

    fn look_at(&self, volume: &Volume) {
        self.inner.look_at(volume);
    }

    fn save(&self, document: &Document) -> Result<SavedCopy, SaveError> {
        self.inner.save(document)
    }

    fn read_back(&self, copy: &SavedCopy) -> Result<ReadBack, SaveError> {
        self.job.step("back-up-step-read", &[]);
        let back = self.inner.read_back(copy)?;
        if matches!(back, ReadBack::Document(_)) {
            self.job.step("back-up-step-prove", &[]);
        }
        Ok(back)
    }

    fn remove(&self, copy: &SavedCopy) -> Result<(), SaveError> {
        self.job.failed();
        self.job.step("back-up-step-remove", &[]);
        self.inner.remove(copy)
    }

    fn deliver(&self, copy: &SavedCopy) -> Result<(), String> {
        if self.kind() == "account" {
            self.job.step("back-up-step-deliver", &[]);
        }
        self.inner.deliver(copy)
    }

    fn finish(&self) -> Result<Option<String>, SaveError> {
        self.inner.finish()
    }
}

impl Done {
    /// Says what the drive has and could not be saved.
    fn left_out(&mut self, found: &Found) {
        self.damaged = found.damaged.iter().map(|(id, _)| id.short()).collect();
        self.no_snapshot = found.no_snapshot.as_ref().map(ToString::to_string);
    }
}
