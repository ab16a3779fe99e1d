//! What was saved, and what is lost, in words and for programs.

use std::path::Path;

use rescue::{Damage, LostFile, Status};
use serde::Serialize;

use super::copy::Copy;
use super::files::{self, Looked, Lost};
use crate::drive::{Target, Way};
use crate::words::{self, BOLD, ERROR, GOOD, OFF};

/// So many files are named to people.
const SHOWN: usize = 20;

#[derive(Serialize)]
pub struct Report {
    drive: String,
    volume: String,
    opened_by: Way,
    snapshot: Option<String>,
    out: String,
    map: String,
    resumed: bool,
    pub file_system: Option<&'static str>,
    bytes: u64,
    read: u64,
    lost: u64,
    lost_places: u64,
    complete: bool,
    pub seconds: f64,
    /// Why nobody knows which files are lost.
    files_unknown: Option<String>,
    pub files: Option<Files>,
}

#[derive(Serialize)]
pub struct Files {
    files: u64,
    folders: u64,
    orphans: u64,
    lost_records: u64,
    damaged: u64,
    list: String,
    lost: Vec<File>,
}

#[derive(Serialize)]
struct File {
    path: String,
    what: &'static str,
    size: Option<u64>,
    lost: Option<u64>,
    orphan: bool,
    #[serde(skip)]
    words: String,
}

impl Report {
    /// Says what became of the copy.
    pub fn new(target: &Target, way: Way, snapshot: Option<&Path>, copy: &Copy) -> Self {
        let map = &copy.map;
        let (bytes, read) = (map.size(), map.total(Status::Finished));
        Self {
            drive: target.name.clone(),
            volume: target.volume.id().to_string(),
            opened_by: way,
            snapshot: snapshot.map(|path| path.display().to_string()),
            out: copy.paths.out.display().to_string(),
            map: copy.paths.map.display().to_string(),
            resumed: copy.is_resumed,
            file_system: None,
            bytes,
            read,
            lost: bytes - read,
            lost_places: map.missing(0..bytes).count() as u64,
            complete: map.is_complete(),
            seconds: 0.0,
            files_unknown: None,
            files: None,
        }
    }

    /// Adds which files are lost.
    pub fn look(&mut self, looked: &Looked) {
        match looked {
            Looked::Unknown(error) => self.files_unknown = Some(error.to_string()),
            Looked::Files(lost) => self.files = Some(Files::new(lost)),
        }
    }

    /// Returns the report for people.
    pub fn words(&self) -> String {
        let inside = self.file_system.map_or(String::new(), |name| format!(" ({name})"));
        if self.complete {
            let size = words::size(self.bytes);
            return format!("{GOOD}everything was read{OFF}: {size}{inside} decrypted to {}", self.out);
        }
        let (read, lost) = (words::size(self.read), words::size(self.lost));
        let percent = words::percent(self.read, self.bytes);
        let mut text = format!(
            "{read} ({percent}){inside} decrypted to {}\n{ERROR}{lost} in {} cannot be read{OFF}; {} says which",
            self.out,
            counted(self.lost_places, "place", "places"),
            self.map
        );
        if let Some(error) = &self.files_unknown {
            text.push_str(&format!("\nwhich files are lost cannot be said: {error}"));
        }
        if let Some(files) = &self.files {
            text.push('\n');
            text.push_str(&files.words());
        }
        text
    }
}

impl Files {
    fn new(lost: &Lost) -> Self {
        let summary = &lost.summary;
        Self {
            files: summary.files,
            folders: summary.folders,
            orphans: summary.orphans,
            lost_records: summary.lost_records,
            damaged: lost.count,
            list: lost.list.display().to_string(),
            lost: lost.first.iter().map(File::new).collect(),
        }
    }

    fn words(&self) -> String {
        let looked = format!(
            "{} in {} looked at",
            counted(self.files + self.orphans, "file", "files"),
            counted(self.folders, "folder", "folders")
        );
        let mut text = if self.damaged == 0 && self.lost_records == 0 {
            format!("{looked}: {GOOD}all are whole{OFF}")
        } else if self.damaged == 0 {
            format!("{looked}: all that are known are whole")
        } else {
            format!("{looked}: {BOLD}{} not whole{OFF}", counted(self.damaged, "is", "are"))
        };
        for file in self.lost.iter().take(SHOWN) {
            text.push_str(&format!("\n  {}", file.words));
        }
        if self.damaged as usize > SHOWN {
            text.push_str(&format!("\n  ... and {} more", self.damaged as usize - SHOWN));
        }
        if self.lost_records > 0 {
            let records = counted(self.lost_records, "record cannot", "records cannot");
            text.push_str(&format!(
                "\n{records} be read; the files that no folder names by them are lost without a name"
            ));
        }
        text.push_str(&format!("\nthe list is {}", self.list));
        text
    }
}

impl File {
    fn new(file: &LostFile) -> Self {
        let path = files::path(&file.path);
        let said = match (file.damage, file.size, file.lost) {
            (Damage::Content, Some(size), Some(lost)) => format!("{lost} of {size} bytes are lost"),
            (Damage::Record, ..) => "its record is lost, and with it what it holds".to_owned(),
            (Damage::Names, ..) => "some names in this folder are lost".to_owned(),
            (Damage::Attributes, ..) => "its content is whole, but something else of it is lost".to_owned(),
            _ => "it is whole, but its folder is lost".to_owned(),
        };
        let words = format!("{path}: {said}");
        let (size, lost) = (file.size, file.lost);
        let path = String::from_utf8_lossy(&file.path).into_owned();
        Self { path, what: files::what(file), size, lost, orphan: file.orphan, words }
    }
}

fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
