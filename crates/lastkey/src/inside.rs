//! What is inside a drive: its bytes as they were before BitLocker, and the files in them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fve::{ReadAt, Unlocked};
use rescue::{Holes, Map, Status};
use unlocked::FileSystem;
use uuid::Uuid;

use crate::cli::{Find, Keys};
use crate::drive::{self, Found, Target};
use crate::failure::{self, Failure, Kind};
use crate::output::Output;
use crate::{keys, words};

/// A drive that is open.
pub struct Inside {
    /// What the drive is called in messages.
    pub name: String,
    /// Where the drive is.
    pub path: PathBuf,
    /// The volume's GUID; `None` when it is not a BitLocker volume.
    pub id: Option<Uuid>,
    /// Its bytes, decrypted.
    pub bytes: Arc<dyn ReadAt>,
}

impl Inside {
    /// Opens a drive with a key. One that is not encrypted, such as a decrypted copy, is taken as it is.
    pub fn open(drive: &OsStr, find: &Find, keys: &Keys, output: &Output) -> Result<Self, Failure> {
        let target = match drive::find_one(drive, find, output)? {
            Found::BitLocker(target) => target,
            Found::Plain(plain) => {
                let bytes = with_map(plain.source, &plain.path, output)?;
                return Ok(Self { name: plain.name, path: plain.path, id: None, bytes });
            }
        };
        Self::of(&target, &keys::unlock(&target, keys, output)?)
    }

    /// Takes a volume that is open.
    pub fn of(target: &Target, unlocked: &Unlocked<'_>) -> Result<Self, Failure> {
        let view = unlocked.view().map_err(|error| Failure::from(error).about(&target.name))?;
        let id = Some(target.volume.id());
        Ok(Self { name: target.name.clone(), path: target.path.clone(), id, bytes: Arc::new(view) })
    }

    /// Returns the files in it.
    pub fn files(&self) -> Result<FileSystem, Failure> {
        FileSystem::open(self.bytes.clone()).map_err(|error| Failure::from(error).about(&self.name))
    }
}

/// Reads a copy as its map says: what `lastkey rescue` could not read is an error, never zeros.
fn with_map(bytes: Arc<dyn ReadAt>, path: &Path, output: &Output) -> Result<Arc<dyn ReadAt>, Failure> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".map");
    let beside = Path::new(&beside);
    if !beside.is_file() {
        return Ok(bytes);
    }
    let map = read_map(beside)?;
    let missing = bytes.size().saturating_sub(map.total(Status::Finished));
    if missing > 0 {
        let (missing, map) = (words::size(missing), beside.display());
        output.note(format!("note: {missing} of it could not be read when it was copied, as {map} says"));
    }
    Ok(Arc::new(Holes::new(bytes, Arc::new(map))))
}

/// Reads the map of a copy that this program or GNU ddrescue made.
pub fn read_map(path: &Path) -> Result<Map, Failure> {
    let bytes = fs::read(path).map_err(|error| failure::about(path, &error))?;
    Map::parse(&bytes).map_err(|error| {
        Failure::new(Kind::Usage, format!("this is no map of GNU ddrescue: {error}"))
            .about(&path.display().to_string())
    })
}
