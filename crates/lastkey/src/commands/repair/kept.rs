//! The file that a stopped search goes on from.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use recovery_key::KeyId;
use repair::{Hints, Progress};

use crate::drive::Target;
use crate::failure::{self, Failure, Kind};
use crate::words;

/// How often it is written while the search goes on, against a power cut.
const OFTEN: Duration = Duration::from_secs(60);
/// Longer than any that this program wrote.
const LONGEST: u64 = 64 << 10;

/// How far a search has come, and where that is kept.
pub struct Kept {
    path: PathBuf,
    progress: Progress,
    /// It is there already, by an earlier run.
    resumed: bool,
    written: bool,
    last: Instant,
}

impl Kept {
    /// Reads the file that a search goes on from, or prepares a new one, of which nothing is written yet.
    pub fn open(
        resume: Option<&Path>,
        target: &Target,
        key_ids: &[KeyId],
        hints: &Hints,
    ) -> Result<Self, Failure> {
        let volume = target.volume.id();
        let (path, progress) = match resume {
            Some(path) => (path.to_owned(), read(path)?),
            None => {
                let mut salt = [0; 16];
                getrandom::fill(&mut salt).map_err(|error| Failure::new(Kind::Other, error.to_string()))?;
                (free_name(key_ids), Progress::new(volume, key_ids, hints, 0, salt))
            }
        };
        progress.check(volume, key_ids, hints).map_err(|error| {
            Failure::new(Kind::OtherDrive, error.to_string()).about(&path.display().to_string())
        })?;
        Ok(Self {
            path,
            progress,
            resumed: resume.is_some(),
            written: resume.is_some(),
            last: Instant::now(),
        })
    }

    /// Returns how many slips the search considers that goes on.
    pub fn slips(&self) -> Option<u8> {
        self.resumed.then(|| self.progress.slips())
    }

    /// Returns where the search begins.
    pub fn at(&self) -> u128 {
        self.progress.at()
    }

    /// Begins, with as many slips as were decided on.
    pub fn begin(mut self, slips: u8) -> Self {
        self.progress = self.progress.with_slips(slips);
        self.last = Instant::now();
        self
    }

    /// Writes it every minute. That it cannot be written is said at the end.
    pub fn now_and_then(&mut self, at: u128) {
        self.progress.set(at);
        if self.last.elapsed() >= OFTEN {
            self.last = Instant::now();
            let _ = self.write();
        }
    }

    /// Takes the file away: nothing is left to go on with.
    pub fn done(self) {
        if self.written {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Writes it for the last time, and says how to go on.
    pub fn stop(mut self, at: u128, drive: &Path, failure: Failure) -> Failure {
        self.progress.set(at);
        match self.write() {
            Ok(()) => failure.hint(format!(
                "`lastkey repair {} --resume {}` goes on from here",
                words::quoted(drive),
                words::quoted(&self.path)
            )),
            Err(error) => failure.hint(format!("how far it came could not be kept: {}", error.message)),
        }
    }

    fn write(&mut self) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(&self.progress)
            .map_err(|error| Failure::new(Kind::Other, error.to_string()))?;
        let folder = backup::parent(&self.path);
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::Builder::new().prefix(".lastkey-").tempfile_in(folder)?;
            writeln!(file, "{text}")?;
            file.as_file().sync_all()?;
            file.persist(&self.path)?;
            Ok(())
        };
        write().map_err(|error| failure::about(&self.path, &error))?;
        self.written = true;
        Ok(())
    }
}

fn read(path: &Path) -> Result<Progress, Failure> {
    let metadata = fs::metadata(path).map_err(|error| failure::about(path, &error))?;
    let text = if metadata.len() <= LONGEST { fs::read(path) } else { Ok(Vec::new()) };
    let text = text.map_err(|error| failure::about(path, &error))?;
    serde_json::from_slice(&text).map_err(|_| {
        Failure::new(Kind::Usage, "this is no file that a stopped search left")
            .about(&path.display().to_string())
    })
}

/// Returns a name in the current folder that is not taken.
fn free_name(key_ids: &[KeyId]) -> PathBuf {
    let id = key_ids.first().map(KeyId::short).unwrap_or_default();
    let name = |n: u32| {
        PathBuf::from(format!(
            "lastkey-repair-{id}{}.json",
            if n == 1 { String::new() } else { format!("-{n}") }
        ))
    };
    (1..).map(name).find(|name| !name.exists()).unwrap_or_else(|| name(1))
}
