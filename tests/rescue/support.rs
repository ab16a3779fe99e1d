//! Whole volumes with many files, what is done to them, and who judges what is left.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use fve::{Method, ReadAt, WriteAt};
use lastkey_tests::makers::{noise, text};
use lastkey_tests::said::Said;
use lastkey_tests::whole::{Form, Whole};
use lastkey_tests::{Image, program};
use rescue::{Holes, Map, Status};
use serde_json::Value;
use tempfile::TempDir;
use unlocked::{FileId, FileSystem, Kind, Name, Position};

/// What was put into a volume, by path.
pub type Contents = BTreeMap<String, Vec<u8>>;

/// A volume with many files, the same for all tests of this process.
pub struct Drive {
    _folder: TempDir,
    pub whole: Whole,
    pub contents: Contents,
}

/// Returns an NTFS volume of many folders; `None`, loudly, when a program is missing.
pub fn drive() -> Option<&'static Drive> {
    static DRIVE: OnceLock<Option<Drive>> = OnceLock::new();
    DRIVE.get_or_init(|| make(|form, folder, fill| form.ntfs(folder, fill))).as_ref()
}

pub type Maker<'a> = &'a mut dyn FnMut(&Path);

/// Makes a volume with many files.
pub fn make(form: impl FnOnce(Form, &Path, Maker<'_>) -> Option<Whole>) -> Option<Drive> {
    let folder = tempfile::tempdir().expect("a folder");
    let contents = contents();
    let size = Form { size: 96 << 20, ..Form::new(Method::AesXts128) };
    let whole = form(size, folder.path(), &mut |root| {
        for (path, bytes) in &contents {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(path, bytes).expect("a file");
        }
    })?;
    Some(Drive { _folder: folder, whole, contents })
}

/// 2,400 files in 121 folders: tiny ones that lie in their records, others of up to some hundred clusters.
fn contents() -> Contents {
    let file = |n: usize| {
        let bytes = match n % 4 {
            0 => text(n % 400),
            1 => noise(n * 37 % 9000, n as u64),
            2 => text(n * 101 % 40_000),
            _ => noise(n * 53 % 30_000, n as u64),
        };
        (format!("Folder {}/Größe {}/file number {n}.bin", n % 20, n % 100), bytes)
    };
    let mut all: Contents = (0..2400).map(file).collect();
    all.insert("large.bin".to_owned(), noise(9_000_001, 77));
    all
}

/// Returns `lastkey rescue DRIVE OUT` with the key of the volume.
pub fn command(whole: &Whole, drive: &Path, out: &Path) -> Command {
    let mut command = program::lastkey();
    command.arg("rescue").arg(drive).arg(out).arg("--bek").arg(&whole.bek);
    command
}

/// Runs a command to its end. No key is among what it says.
pub fn said(command: &mut Command) -> Said {
    let said = Said::of(command.output().expect("the program"));
    said.assert_no_secret();
    said
}

pub fn rescue<S: AsRef<OsStr>>(whole: &Whole, drive: &Path, out: &Path, options: &[S]) -> Said {
    said(command(whole, drive, out).args(options))
}

/// Returns where the record of a file lies on an NTFS volume: its first sector.
pub fn record_of(files: &FileSystem, id: FileId) -> Range<u64> {
    /// The bits of a file's number that are the number of its record.
    const NUMBER: u64 = (1 << 48) - 1;
    const RECORD: u64 = 1024;
    let table = files.open_file(FileId(1 << 48)).expect("the table of all files");
    let at = (id.0 & NUMBER) * RECORD;
    let extent =
        table.extents().iter().find(|extent| extent.offset <= at && at < extent.end()).expect("a place");
    let start = extent.place.expect("a place") + at - extent.offset;
    start..start + 512
}

/// Copies the encrypted volume and overwrites parts of it with noise.
pub fn destroyed(whole: &Whole, folder: &Path, parts: &[Range<u64>]) -> PathBuf {
    let path = folder.join("damaged.img");
    fs::copy(&whole.path, &path).expect("a copy");
    let image = Image::open_to_write(&path).expect("the copy");
    for part in parts {
        image
            .write_at(part.start, &noise((part.end - part.start) as usize, part.start + 5))
            .expect("written");
    }
    path
}

/// Writes a map as GNU ddrescue would leave it behind: all was read but these parts.
pub fn source_map(folder: &Path, size: u64, bad: impl IntoIterator<Item = Range<u64>>) -> PathBuf {
    let mut map = Map::new(size);
    map.set(0..size, Status::Finished);
    bad.into_iter().for_each(|part| map.set(part, Status::Bad));
    let path = folder.join("source.map");
    fs::write(&path, map.to_string()).expect("written");
    path
}

/// Every 1,000th sector.
pub fn every_1000th(size: u64) -> impl Iterator<Item = Range<u64>> {
    (0..size / 512).filter(|n| n % 1000 == 999).map(|n| n * 512..(n + 1) * 512)
}

pub fn map_of(out: &Path) -> Map {
    let mut path = out.as_os_str().to_owned();
    path.push(".map");
    Map::parse(&fs::read(path).expect("a map")).expect("a map")
}

/// Opens a copy so that what it lacks is an error.
pub fn open(out: &Path) -> FileSystem {
    let image = Image::open(out).expect("the copy");
    FileSystem::open(Arc::new(Holes::new(image, Arc::new(map_of(out))))).expect("a file system")
}

/// Asserts that two images are the same, but where the map of the first has holes.
pub fn assert_same(out: &Path, plain: &Path) {
    let (map, out, plain) =
        (map_of(out), Image::open(out).expect("a copy"), Image::open(plain).expect("the plaintext"));
    assert_eq!(out.size(), plain.size());
    for (part, status) in map.parts() {
        let read = |from: &dyn ReadAt| lastkey_tests::sha256(from, part.start, part.end);
        if status == Status::Finished {
            assert_eq!(read(&*out), read(&*plain), "{part:x?}");
        }
    }
}

/// Judges a rescue by what was put into the volume: each file is whole and as it was, or in the list with as many
/// lost bytes as really cannot be read. Returns how many are not whole.
pub fn judge(contents: &Contents, out: &Path, report: &Value) -> usize {
    let files = open(out);
    let lost = report["files"]["lost"].as_array().expect("a list");
    assert_eq!(lost.len() as u64, report["files"]["damaged"].as_u64().expect("a number"));
    let named: BTreeMap<&str, &Value> =
        lost.iter().map(|file| (file["path"].as_str().expect("a path"), file)).collect();
    let mut damaged = 0;
    for (path, bytes) in contents {
        let missing = match files.find(path) {
            Ok(found) => match files.open_file(found.id) {
                Ok(file) => Some(unreadable(&file, bytes)),
                Err(_) => None,
            },
            Err(_) => None,
        };
        let name = path.rsplit('/').next().expect("a name");
        // Where folders are lost, too, only the end of the path is known.
        let entry = named.get(path.as_str()).or_else(|| named.get(format!("?/{name}").as_str()));
        match (missing, entry) {
            (Some(0), None) => continue,
            (Some(0), Some(entry)) => assert_eq!(entry["orphan"], true, "{path} is whole, but {entry}"),
            (Some(missing), entry) => {
                let entry =
                    entry.unwrap_or_else(|| panic!("{path}: {missing} bytes are lost, and nobody says so"));
                assert_eq!(entry["lost"], missing, "{path}");
                assert_eq!(entry["size"], bytes.len(), "{path}");
            }
            (None, Some(_)) => {}
            // FAT and exFAT know a file by its folder alone, NTFS by its record, too: without either the folder
            // is what can be named.
            (None, None) => {
                let folders: Vec<_> =
                    path.match_indices('/').filter_map(|(end, _)| named.get(&path[..end])).collect();
                let is_said =
                    folders.iter().any(|folder| matches!(folder["what"].as_str(), Some("names" | "record")));
                let nameless = report["files"]["lost_records"].as_u64().expect("a number");
                assert!(
                    is_said && (report["file_system"] != "NTFS" || nameless > 0),
                    "{path}: nobody says so: {report:#}"
                );
            }
        }
        damaged += 1;
    }
    damaged
}

/// Compares a file piece by piece, and returns how many bytes cannot be read.
fn unreadable(file: &unlocked::File, bytes: &[u8]) -> u64 {
    assert_eq!(file.size(), bytes.len() as u64);
    let mut missing = 0;
    for (at, piece) in (0..).step_by(512).zip(bytes.chunks(512)) {
        let mut read = vec![0; piece.len()];
        match file.read_at(at, &mut read) {
            Ok(_) => assert!(read == piece, "wrong bytes"),
            Err(_) => missing += piece.len() as u64,
        }
    }
    missing
}

/// Goes through all folders and returns the files, by their path.
pub fn tree(files: &FileSystem) -> BTreeMap<String, unlocked::FileId> {
    let mut all = BTreeMap::new();
    let mut folders = vec![(files.root(), String::new())];
    while let Some((folder, path)) = folders.pop() {
        for entry in
            files.list(folder, Position::default()).expect("a folder").map(|entry| entry.expect("an entry"))
        {
            let name: &Name = &entry.name;
            let path = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
            if entry.kind == Kind::Folder {
                folders.push((entry.id, path.clone()));
            }
            all.insert(path, entry.id);
        }
    }
    all
}
