//! `lastkey try`: a small BitLocker drive, and all that can be done with its key.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use backup::{About, Content, Document, FileDestination, back_up, verify};
use drives::Source;
use fve::{Key, Volume};
use recovery_key::Secret;
use serde::Serialize;
use tempfile::TempDir;

use crate::cli::Try;
use crate::failure::{self, Failure, Kind};
use crate::interrupt::{self, Critical};
use crate::output::Output;
use crate::words::{self, BOLD, GOOD, OFF};
use crate::{progress, sample};

/// The password of the sample drive: there is nothing in it to protect.
const PASSWORD: &str = "try-lastkey";

#[derive(Serialize)]
struct Report {
    drive: Option<String>,
    copy: Option<String>,
    volume: String,
    key_id: String,
    proven: bool,
}

/// Makes the drive, backs its key up, proves it, and cleans up.
pub fn run(arguments: &Try, output: &Output) -> Result<ExitCode, Failure> {
    let critical = Critical::begin();
    let folder = Folder::new(arguments.keep.as_deref())?;
    let report = show(&folder, output)?;
    match &arguments.keep {
        Some(shown) => {
            let _: PathBuf = folder.0.keep();
            let [drive, password] =
                ["sample.img", "password.txt"].map(|name| words::quoted(&shown.join(name)));
            output.say(format!(
                "\nLeft in {}: the drive sample.img, its password in password.txt, and the copy of its key.\n\
                 Try:  lastkey status {drive}\n      \
                       lastkey protectors {drive} --reveal --password-file {password}",
                shown.display()
            ))?;
        }
        None => {
            folder.0.close()?;
            output.say(
                "\nThe drive and its key are gone again. With a drive of your own:  lastkey backup DRIVE",
            )?;
        }
    }
    drop(critical);
    output.document(&report)?;
    Ok(ExitCode::SUCCESS)
}

fn show(folder: &Folder, output: &Output) -> Result<Report, Failure> {
    let path = folder.path().join("sample.img");
    output.say(format!(
        "{BOLD}1. A BitLocker drive{OFF} of {}, encrypted with XTS-AES 128",
        words::size(sample::SIZE)
    ))?;
    make(&path)?;
    interrupt::check()?;
    let password = Secret::new(PASSWORD.to_owned());
    fs::write(folder.path().join("password.txt"), format!("{PASSWORD}\n"))?;

    let source = Arc::new(Source::open(&path)?);
    let volume = Volume::open(source)?;
    let label = volume.metadata().label().unwrap_or_default();
    output.say(format!("   {label}\n   it opens by: password, recovery key"))?;

    output.say(format!(
        "\n{BOLD}2. Its recovery key{OFF}, read from the drive itself after opening it by its password"
    ))?;
    let unlocked = volume.unlock(&Key::Password(password))?;
    let found = unlocked.recovery_passwords().into_iter().next();
    let (key_id, password) = found
        .and_then(|found| Some((found.id, found.secret?)))
        .ok_or_else(|| Failure::new(Kind::Damaged, "the sample drive shows no recovery key"))?;
    let digits = password.digits();
    output.say(format!("   key ID {BOLD}{}{OFF}\n   {}", key_id.short(), digits.expose()))?;
    interrupt::check()?;

    let copies = folder.path().join("copies");
    fs::create_dir(&copies)?;
    output.say(format!("\n{BOLD}3. A backup{OFF} of it in a file, as Windows writes it"))?;
    let destination = FileDestination::new(copies);
    let drive =
        About { volume: volume.id(), label: volume.metadata().label(), now: words::now().to_unix().0 };
    let document = Document { drive, content: Content::RecoveryPassword { key_id, password } };
    let proven = back_up(&volume, &document, &destination)?;
    let name = proven.copy.name.clone().unwrap_or_default();
    output.say(format!(
        "   {name}\n   {GOOD}proven{OFF}: read back, and it opened the drive's master key; the metadata and the data key are authentic"
    ))?;
    interrupt::check()?;

    output.say(format!("\n{BOLD}4. A copy with one wrong digit{OFF} is no backup"))?;
    output.say(format!("   {}", spoil(digits.expose(), &name, &volume)?))?;
    let kept = |place: &Path| folder.1.as_ref().map(|shown| shown.join(place).display().to_string());
    Ok(Report {
        drive: kept(Path::new("sample.img")),
        copy: kept(&Path::new("copies").join(name)),
        volume: volume.id().to_string(),
        key_id: key_id.to_string(),
        proven: true,
    })
}

fn make(path: &Path) -> Result<(), Failure> {
    fs::File::create_new(path)?.set_len(sample::SIZE)?;
    let out = Source::open_writable(path)?;
    let recovery_password = sample::new_recovery_password().map_err(failed)?;
    let now = words::now();
    let date = words::time(now);
    let label = format!("LASTKEY Sample {}", date.get(..10).unwrap_or(&date));
    let bar = progress::bytes(sample::SIZE, "   encrypting");
    let password = Secret::new(PASSWORD.to_owned());
    let made = sample::write(&out, &label, now, &password, &recovery_password, |at| bar.set_position(at));
    bar.finish_and_clear();
    made.map_err(failed)?;
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::Other, format!("the sample drive could not be made: {error}"))
}

/// Changes one digit and returns what is wrong with it then.
fn spoil(digits: &str, name: &str, volume: &Volume) -> Result<String, Failure> {
    let mut text = Secret::new(digits.to_owned());
    let changed = if digits.ends_with('3') { "4" } else { "3" };
    text.expose_mut().replace_range(digits.len().saturating_sub(1).., changed);
    let verified = verify(volume, Some(name), text.expose().as_bytes());
    let remarks = verified.remarks.iter().map(ToString::to_string);
    let errors =
        verified.verdicts.iter().filter_map(|verdict| Some(verdict.outcome.as_ref().err()?.to_string()));
    let problem = errors.chain(remarks).next();
    problem.ok_or_else(|| Failure::new(Kind::NotProven, "a wrong digit was not noticed"))
}

/// A folder that is gone when the work fails or is done, unless it is kept; and what the person calls it.
struct Folder(TempDir, Option<PathBuf>);

impl Folder {
    fn new(keep: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = keep else {
            let made = tempfile::Builder::new().prefix("lastkey-try-").tempdir();
            return Ok(Self(made.map_err(|error| failure::about(&std::env::temp_dir(), &error))?, None));
        };
        let about = |error| failure::about(path, &error);
        if fs::symlink_metadata(path).is_ok() {
            return Err(
                about(io::ErrorKind::AlreadyExists.into()).hint("name a folder that does not exist yet")
            );
        }
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput).map_err(|kind| about(kind.into()))?;
        let made = tempfile::Builder::new().prefix(name).rand_bytes(0).tempdir_in(backup::parent(path));
        Ok(Self(made.map_err(about)?, Some(path.to_owned())))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}
