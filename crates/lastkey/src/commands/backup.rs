//! `lastkey backup`: save, read back, prove.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::ExitCode;

use backup::{Backup as Proven, BackupError, Destination, Document, FileDestination, SaveError, back_up};
use fve::{ProtectorKind, Recovered, Unlocked, Volume};
use recovery_key::KeyId;
use serde::Serialize;

use crate::cli::Backup;
use crate::commands::summary;
use crate::drive::{self, Target};
use crate::failure::{Failure, Kind};
use crate::interrupt::{self, Critical};
use crate::output::Output;
use crate::words::{BOLD, GOOD, OFF};
use crate::{keys, prompt};

#[derive(Serialize)]
struct Report {
    drive: String,
    volume: String,
    copies: Vec<CopyReport>,
}

#[derive(Serialize)]
struct CopyReport {
    key_id: String,
    kind: &'static str,
    destination: Option<String>,
    place: Option<String>,
    proven: bool,
    error: Option<Failure>,
}

/// Backs the drive's keys up to every destination.
pub fn run(arguments: &Backup, output: &Output) -> Result<ExitCode, Failure> {
    let target = drive::open(&arguments.drive, output)?;
    let given: Vec<_> = arguments.to.iter().map(|to| destination(to)).collect::<Result<_, _>>()?;
    if given.is_empty() && !prompt::can_ask() {
        return Err(Failure::new(Kind::Usage, "there is no terminal to ask where to save the key")
            .hint("say where with --to file:FOLDER"));
    }
    check(&given, &target, output)?;
    let unlocked = keys::unlock(&target, &arguments.keys, output)?;
    let found =
        Found::on(&unlocked, arguments.external_keys).map_err(|failure| failure.about(&target.name))?;
    let destinations = if given.is_empty() { vec![choose(&target, output)?] } else { given };
    save(&target, &found, &destinations, output)
}

/// Reads `file:FOLDER`.
fn destination(to: &OsStr) -> Result<FileDestination, Failure> {
    folder(to).filter(|folder| !folder.as_os_str().is_empty()).map(FileDestination::new).ok_or_else(|| {
        Failure::new(Kind::Usage, format!("{to:?} is no place to save to"))
            .hint("write --to file:FOLDER, such as --to file:/media/stick")
    })
}

#[cfg(unix)]
fn folder(to: &OsStr) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(PathBuf::from(OsStr::from_bytes(to.as_bytes().strip_prefix(b"file:")?)))
}

#[cfg(not(unix))]
fn folder(to: &OsStr) -> Option<PathBuf> {
    Some(PathBuf::from(to.to_str()?.strip_prefix("file:")?))
}

/// Refuses before a key is asked for.
fn check(destinations: &[FileDestination], target: &Target, output: &Output) -> Result<(), Failure> {
    for destination in destinations {
        for warning in destination.check(&target.path)? {
            output.note(format!("warning: {}: {warning}", destination.describe()));
        }
    }
    Ok(())
}

/// What there is to save.
#[derive(Default)]
struct Found {
    documents: Vec<Document>,
    /// Keys that the drive has, but cannot show any more.
    damaged: Vec<(KeyId, ProtectorKind)>,
}

impl Found {
    /// Finds every recovery key, and the external keys when they are asked for or there is nothing else.
    fn on(unlocked: &Unlocked<'_>, external_keys: bool) -> Result<Self, Failure> {
        let nothing = |why: &str| Failure::new(Kind::NothingToBackUp, why);
        if unlocked.vmk().is_none() {
            return Err(nothing(if unlocked.volume().protectors().is_empty() {
                "the drive is not encrypted, so it has no key"
            } else {
                "opened by its data key alone, the drive does not show its recovery keys"
            }));
        }
        let mut found = Self::default();
        for Recovered { id, secret, .. } in unlocked.recovery_passwords() {
            match secret {
                Some(password) => {
                    found.documents.push(Document::RecoveryPassword { key_id: id, password });
                }
                None => found.damaged.push((id, ProtectorKind::RecoveryPassword)),
            }
        }
        if external_keys || found.documents.is_empty() {
            for Recovered { id, secret, .. } in unlocked.external_keys() {
                match secret {
                    Some(bek) => found.documents.push(Document::ExternalKey(bek)),
                    None => found.damaged.push((id, ProtectorKind::ExternalKey)),
                }
            }
        }
        if found.documents.is_empty() && found.damaged.is_empty() {
            let way =
                "in Windows, `manage-bde -protectors -add DRIVE: -recoverypassword` adds a recovery key";
            return Err(nothing("the drive has no recovery key and no external key").hint(way));
        }
        Ok(found)
    }
}

/// Asks where to, as Windows does.
fn choose(target: &Target, output: &Output) -> Result<FileDestination, Failure> {
    let sticks: Vec<_> = drives::attached()
        .into_iter()
        .filter(|drive| drive.removable && !drive.read_only && drive.path != target.path)
        .flat_map(|drive| {
            let name = drive.label.clone().or(drive.model.clone()).unwrap_or(drive.name.clone());
            drive.mounted_at.into_iter().map(move |folder| (name.clone(), folder))
        })
        .collect();
    loop {
        output.note(format!("{BOLD}How do you want to back up your recovery key?{OFF}"));
        for (n, (name, folder)) in sticks.iter().enumerate() {
            output.note(format!("  {}  Save to the removable drive {name}, {}", n + 1, folder.display()));
        }
        let file = sticks.len() + 1;
        output
            .note(format!("  {file}  Save to a file: in a folder on another drive, a USB stick or a share"));
        let number = prompt::line("Choose a number: ")?.parse::<usize>().unwrap_or(0);
        let folder = match number.checked_sub(1).and_then(|n| sticks.get(n)) {
            Some((_, folder)) => folder.clone(),
            None if number == file => PathBuf::from(prompt::line("Folder: ")?),
            None => {
                output.note(format!("  Type a number from 1 to {file}."));
                continue;
            }
        };
        let destination = FileDestination::new(folder);
        match check(std::slice::from_ref(&destination), target, output) {
            Ok(()) => return Ok(destination),
            Err(failure) => output.report(&failure),
        }
    }
}

fn save(
    target: &Target,
    found: &Found,
    destinations: &[FileDestination],
    output: &Output,
) -> Result<ExitCode, Failure> {
    let volume = &target.volume;
    let (mut copies, mut failed) = (Vec::new(), None);
    for destination in destinations {
        for document in &found.documents {
            interrupt::check()?;
            let critical = Critical::begin();
            let result = back_up(volume, document, destination).map_err(|error| explain(error, volume));
            drop(critical);
            match &result {
                Ok(proven) => output.say(praise(proven))?,
                Err(failure) => {
                    output.report(failure);
                    failed = failed.or(Some(failure.kind));
                }
            }
            copies.push(CopyReport::new(document.key_id(), kind(document), Some(destination), result));
        }
    }
    for &(key_id, kind) in &found.damaged {
        let what = format!("the {kind} with key ID {} is damaged in the drive's metadata", key_id.short());
        let failure = Failure::new(Kind::Damaged, what)
            .hint("it is not backed up: add a new one in Windows, and save that");
        output.report(&failure);
        failed = failed.or(Some(failure.kind));
        copies.push(CopyReport::new(key_id, kind, None, Err(failure)));
    }
    output.document(&Report { drive: target.name.clone(), volume: volume.id().to_string(), copies })?;
    if failed.is_none() {
        output.say("Check now and then that it still opens the drive: lastkey verify DRIVE COPY")?;
    }
    Ok(failed.map_or(ExitCode::SUCCESS, |kind| kind.code().into()))
}

fn praise(proven: &Proven) -> String {
    format!(
        "{GOOD}backed up and proven{OFF}  {}\n  {}  key ID {BOLD}{}{OFF}: read back, and it opened the drive",
        proven.copy.place,
        proven.proof.kind(),
        proven.proof.key_id().short(),
    )
}

/// Adds what to do, and for a file that is there already, whether that one is a good copy.
fn explain(error: BackupError, volume: &Volume) -> Failure {
    let path = match &error {
        BackupError::Save(SaveError::AlreadyThere { path }) => Some(path.clone()),
        _ => None,
    };
    let failure = Failure::from(error);
    let Some(path) = path else { return failure };
    let good = keys::read_file(&path).is_ok_and(|bytes| {
        let name = path.file_name().and_then(|name| name.to_str());
        backup::verify(volume, name, bytes.expose()).is_proven()
    });
    if good {
        failure.hint("that file is a good copy: it was read now, and it opened the drive")
    } else {
        failure.hint("that file does not open the drive: look at it, and move it away before you save again")
    }
}

fn kind(document: &Document) -> ProtectorKind {
    match document {
        Document::RecoveryPassword { .. } => ProtectorKind::RecoveryPassword,
        Document::ExternalKey(_) => ProtectorKind::ExternalKey,
    }
}

impl CopyReport {
    fn new(
        key_id: KeyId,
        kind: ProtectorKind,
        destination: Option<&FileDestination>,
        result: Result<Proven, Failure>,
    ) -> Self {
        Self {
            key_id: key_id.to_string(),
            kind: summary::kind(kind),
            destination: destination.map(|place| format!("file:{}", place.folder().display())),
            place: result.as_ref().ok().map(|proven| proven.copy.place.clone()),
            proven: result.is_ok(),
            error: result.err(),
        }
    }
}
