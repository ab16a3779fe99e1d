//! What became of each drive, a line of JSON for each.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use fve::Proof;
use serde::Serialize;

use crate::drive::Target;
use crate::failure::{self, Failure};
use crate::words;

/// What became of a drive. No secret is in it.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// When, in UTC.
    time: Option<String>,
    pub drive: String,
    volume: Option<String>,
    label: Option<String>,
    /// The protectors that a key could have opened: what to search for when none did.
    key_ids: Vec<String>,
    opened: bool,
    /// The key that opened it.
    pub key_id: Option<String>,
    /// Where that key was found.
    pub copy: Option<String>,
    proven: bool,
    pub folder: Option<String>,
    pub problem: Option<String>,
}

impl Outcome {
    /// Begins with what can be said without a key.
    pub fn of(target: &Target) -> Self {
        let volume = &target.volume;
        let key_ids = volume.protectors().iter().map(|protector| protector.id.to_string()).collect();
        Self {
            volume: Some(volume.id().to_string()),
            label: volume.metadata().label(),
            key_ids,
            opened: true,
            ..Self::empty(&target.name)
        }
    }

    /// A drive that could not even be looked into.
    pub fn failed(drive: &str, failure: &Failure) -> Self {
        Self::empty(drive).with_failure(failure)
    }

    fn empty(drive: &str) -> Self {
        Self {
            time: words::utc(words::now()),
            drive: drive.to_owned(),
            volume: None,
            label: None,
            key_ids: Vec::new(),
            opened: false,
            key_id: None,
            copy: None,
            proven: false,
            folder: None,
            problem: None,
        }
    }

    /// Adds the key that opened it, and where it was found.
    #[must_use]
    pub fn with_proof(self, proof: &Proof, copy: &str) -> Self {
        let key_id = Some(proof.key_id().to_string());
        Self { opened: true, key_id, copy: Some(copy.to_owned()), proven: true, ..self }
    }

    /// Adds where its files are.
    #[must_use]
    pub fn mounted_at(self, folder: &Path) -> Self {
        Self { folder: Some(folder.display().to_string()), ..self }
    }

    /// Adds what went wrong. A key that was proven before stays so.
    #[must_use]
    pub fn with_failure(self, failure: &Failure) -> Self {
        Self { opened: self.proven, problem: Some(failure.message.clone()), ..self }
    }

    /// Returns whether a key opened it, or none was needed.
    pub fn is_open(&self) -> bool {
        self.opened
    }
}

/// A file that lines are added to.
pub struct Log {
    file: File,
    path: PathBuf,
}

impl Log {
    /// Opens it; other users may not read who had which drive.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| failure::about(path, &error))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Adds a line, at once: the next thing may be that the power goes.
    pub fn add(&mut self, outcome: &Outcome) -> Result<(), Failure> {
        let line = serde_json::to_string(outcome).unwrap_or_default();
        let added = self.file.write_all(format!("{line}\n").as_bytes()).and_then(|()| self.file.sync_data());
        added.map_err(|error| failure::about(&self.path, &error))
    }
}
