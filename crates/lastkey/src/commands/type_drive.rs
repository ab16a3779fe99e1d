//! `lastkey type`: a recovery key that somebody reads out, checked group by group and proven.

use std::process::ExitCode;

use fve::{Key, Proof, ProofError, ProtectorKind, UnlockError};
use serde::Serialize;

use crate::cli::TypeDrive;
use crate::commands::backup::{Copies, CopyReport, Saving};
use crate::drive::{self, Target};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::prompt;
use crate::words::{BOLD, GOOD, OFF};

/// How often a whole key may be typed.
const TRIES: usize = 3;

#[derive(Serialize)]
struct Report {
    drive: String,
    volume: String,
    key_id: String,
    proven: bool,
    copies: Vec<CopyReport>,
}

/// Asks for the digits and proves them on the drive.
pub fn run(arguments: &TypeDrive, output: &Output) -> Result<ExitCode, Failure> {
    let target = drive::open(&arguments.drive, output)?;
    let saving = Saving::prepare(&arguments.places, &target, output)?;
    let (key, proof) = typed(&target, output).map_err(|failure| failure.about(&target.name))?;
    output.say(format!(
        "{GOOD}proven{OFF}: the recovery key with key ID {BOLD}{}{OFF} opens {}",
        proof.key_id().short(),
        target.name
    ))?;
    let Copies { copies, failed } = if saving.has_places() {
        saving.save_with(&key, output)?
    } else {
        Copies { copies: Vec::new(), failed: None }
    };
    output.document(&Report {
        drive: target.name.clone(),
        volume: proof.volume().to_string(),
        key_id: proof.key_id().to_string(),
        proven: true,
        copies,
    })?;
    Ok(failed.map_or(ExitCode::SUCCESS, |kind| kind.code().into()))
}

/// Asks until the key opens the drive. The key is returned for whoever saves it.
fn typed(target: &Target, output: &Output) -> Result<(Key, Proof), Failure> {
    let own = target.volume.protectors().into_iter();
    let ids: Vec<_> = own
        .filter(|protector| protector.kind == ProtectorKind::RecoveryPassword)
        .map(|protector| protector.id.short())
        .collect();
    if ids.is_empty() {
        return Err(Failure::new(Kind::WrongKey, "no recovery key opens this drive: it has none"));
    }
    if !prompt::can_ask() {
        return Err(Failure::new(Kind::KeyNeeded, "there is no terminal to type the key at")
            .hint("a file with the key is checked by `lastkey verify DRIVE COPY`"));
    }
    output.note(format!("The drive asks for the recovery key with key ID {BOLD}{}{OFF}", ids.join(" or ")));
    for left in (0..TRIES).rev() {
        let key = Key::RecoveryPassword(prompt::recovery_password()?);
        match target.volume.prove(&key) {
            Ok(proof) => return Ok((key, proof)),
            Err(ProofError::Unlock(UnlockError::WrongKey { .. })) => {
                output.note("  Each group is well-formed, but the key does not open the drive.");
                output.note("  Two groups in the wrong order, or the key of another key ID?");
                if left != 0 {
                    output.note("  Type it once more.");
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::new(Kind::WrongKey, "the key does not open the drive")
        .hint("compare the key ID of what is read out with the one above")
        .hint("`lastkey repair DRIVE` tries what was probably meant"))
}
