//! `lastkey protectors`: what opens a drive, and its keys.

use std::collections::HashMap;
use std::fmt::Write;
use std::process::ExitCode;

use recovery_key::{KeyId, Secret};
use serde::Serialize;

use crate::cli::Protectors;
use crate::commands::summary::ProtectorSummary;
use crate::failure::Failure;
use crate::output::Output;
use crate::{drive, keys};

#[derive(Serialize)]
struct Report {
    drive: String,
    volume: String,
    protectors: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    summary: ProtectorSummary,
    /// The 48 digits, or the 32 bytes of an external key in hex; only with `--reveal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    revealed: Option<String>,
}

/// Lists the protectors.
pub fn run(arguments: &Protectors, output: &Output) -> Result<ExitCode, Failure> {
    let target = drive::open(&arguments.drive, output)?;
    let volume = &target.volume;
    let mut secrets: HashMap<KeyId, Option<Secret<String>>> = HashMap::new();
    if arguments.reveal {
        let unlocked = keys::unlock(&target, &arguments.keys, output)?;
        let passwords = unlocked.recovery_passwords().into_iter();
        secrets.extend(passwords.map(|found| (found.id, found.secret.map(|password| password.digits()))));
        let externals = unlocked.external_keys().into_iter();
        secrets.extend(externals.map(|found| (found.id, found.secret.map(|bek| hex(&bek.key)))));
        if unlocked.vmk().is_none() && !volume.protectors().is_empty() {
            output.note("note: opened by its data key alone, the drive does not show its recovery keys");
        }
    }
    let mut entries = Vec::new();
    for protector in volume.protectors() {
        let summary = ProtectorSummary::of(&protector);
        let mut lines = Secret::new(summary.lines());
        // A String that grows leaves copies behind.
        lines.expose_mut().reserve(200);
        match secrets.get(&protector.id) {
            Some(Some(secret)) => {
                let name = if summary.is_recovery_key() { "recovery key" } else { "external key" };
                let _ = writeln!(lines.expose_mut(), "  {name} {}", secret.expose());
            }
            Some(None) => {
                lines.expose_mut().push_str("  its copy under the volume master key is missing or damaged\n")
            }
            None => {}
        }
        output.say(lines.expose().trim_end())?;
        let revealed = secrets.get(&protector.id).and_then(|secret| Some(secret.as_ref()?.expose().clone()));
        entries.push(Entry { summary, revealed });
    }
    if entries.is_empty() {
        output.say("No protector: the drive is not encrypted.")?;
    }
    if arguments.reveal && entries.iter().any(|entry| entry.revealed.is_some()) {
        output.note("note: a key that others have seen opens the drive until its protector is replaced");
    }
    let report = Report { drive: target.name.clone(), volume: volume.id().to_string(), protectors: entries };
    output.document(&report)?;
    Ok(ExitCode::SUCCESS)
}

fn hex(key: &Secret<[u8; 32]>) -> Secret<String> {
    let mut text = Secret::new(String::with_capacity(64));
    for byte in key.expose() {
        let _ = write!(text.expose_mut(), "{byte:02x}");
    }
    text
}
