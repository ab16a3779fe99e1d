//! `lastkey try`: a small BitLocker drive, and all that can be done with its key.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use backup::{Document, FileDestination, back_up, verify};
use drives::Source;
use fve::{Key, Volume};
use recovery_key::Secret;
use serde::Serialize;

use crate::cli::Try;
use crate::failure::{Failure, Kind};
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
    let report = show(&folder, arguments.keep.is_some(), output)?;
    let kept = folder.finish(arguments.keep.is_some())?;
    drop(critical);
    match &kept {
        Some(folder) => {
            let shown = folder.display();
            output.say(format!(
                "\nLeft in {shown}: the drive sample.img, its password in password.txt, and the copy of its key.\n\
                 Try:  lastkey status {shown}/sample.img\n      \
                       lastkey protectors {shown}/sample.img --reveal --password-file {shown}/password.txt"
            ))?;
        }
        None => output
            .say("\nThe drive and its key are gone again. With a drive of your own:  lastkey backup DRIVE")?,
    }
    output.document(&report)?;
    Ok(ExitCode::SUCCESS)
}

fn show(folder: &Folder, keep: bool, output: &Output) -> Result<Report, Failure> {
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
    let document = Document::RecoveryPassword { key_id, password };
    let proven = back_up(&volume, &document, &destination)?;
    let name = proven.copy.name.clone().unwrap_or_default();
    output.say(format!(
        "   {name}\n   {GOOD}proven{OFF}: read back, and it opened the drive's master key; the metadata and the data key are authentic"
    ))?;
    interrupt::check()?;

    output.say(format!("\n{BOLD}4. A copy with one wrong digit{OFF} is no backup"))?;
    let spoiled = spoil(digits.expose(), &name, &volume);
    output.say(format!("   {spoiled}"))?;
    Ok(Report {
        drive: keep.then(|| path.display().to_string()),
        copy: keep.then(|| proven.copy.place.clone()),
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

/// Changes one digit and says what `lastkey verify` would.
fn spoil(digits: &str, name: &str, volume: &Volume) -> String {
    let mut text = Secret::new(digits.to_owned());
    let changed = if digits.ends_with('3') { "4" } else { "3" };
    let last = digits.len().saturating_sub(1);
    text.expose_mut().replace_range(last.., changed);
    let verified = verify(volume, Some(name), text.expose().as_bytes());
    let remarks = verified.remarks.iter().map(ToString::to_string);
    let errors =
        verified.verdicts.iter().filter_map(|verdict| Some(verdict.outcome.as_ref().err()?.to_string()));
    remarks.chain(errors).next().unwrap_or_else(|| "it was not noticed".to_owned())
}

/// A folder that is gone when the work fails or is done, unless it is to be kept.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(keep: Option<&Path>) -> Result<Self, Failure> {
        let made = match keep {
            None => tempfile::Builder::new().prefix("lastkey-try-").tempdir(),
            Some(path) => {
                let about = |error: std::io::Error| Failure::from(error).about(&path.display().to_string());
                if path.exists() {
                    return Err(Failure::new(
                        Kind::AlreadyThere,
                        format!("{} is already there", path.display()),
                    )
                    .hint("name a folder that does not exist yet"));
                }
                let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                let name = path.file_name().unwrap_or_default();
                fs::create_dir_all(parent.unwrap_or(Path::new("."))).map_err(about)?;
                tempfile::Builder::new()
                    .prefix(name)
                    .rand_bytes(0)
                    .tempdir_in(parent.unwrap_or(Path::new(".")))
            }
        };
        made.map(Self).map_err(|error| Failure::from(error).about("the folder for the sample drive"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn finish(self, keep: bool) -> Result<Option<PathBuf>, Failure> {
        if keep {
            return Ok(Some(self.0.keep()));
        }
        self.0.close()?;
        Ok(None)
    }
}
