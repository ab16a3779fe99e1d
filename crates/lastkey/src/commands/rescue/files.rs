//! Which files are lost, asked of the file system in the copy.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use fve::ReadAt;
use rescue::{Damage, Holes, Interrupted, LostFile, Summary};
use unlocked::FileSystem;

use super::copy::{Copy, replace};
use crate::failure::{self, Failure, Kind};
use crate::{interrupt, progress};

/// So many are kept for people and programs; the list has all.
const KEPT: usize = 10_000;

/// What was found out.
pub enum Looked {
    /// The file system cannot be read.
    Unknown(unlocked::Error),
    /// All files were looked at.
    Files(Lost),
}

/// The files that are lost.
pub struct Lost {
    /// What was looked at.
    pub summary: Summary,
    /// How many are not whole.
    pub count: u64,
    /// The first of them.
    pub first: Vec<LostFile>,
    /// The file with all of them.
    pub list: PathBuf,
}

/// Looks at all files in the copy, and writes down which are lost.
pub fn look(copy: &Copy) -> Result<Looked, Failure> {
    let out: Arc<dyn ReadAt> = copy.out.clone();
    let map = Arc::new(copy.map.clone());
    let files = match FileSystem::open(Arc::new(Holes::new(out, map.clone()))) {
        Ok(files) => files,
        Err(error) => return Ok(Looked::Unknown(error)),
    };
    let bar = progress::files("looking which files are lost");
    let (mut count, mut first, mut stopped) = (0, Vec::new(), false);
    let mut summary = Summary::default();
    let written = replace(&copy.paths.list, |list| {
        writeln!(
            list,
            "# What is not whole in {}: lost bytes, size, what is lost, path",
            copy.paths.out.display()
        )?;
        let mut result = Ok(());
        let mut found = |file: LostFile| {
            count += 1;
            if result.is_ok() {
                result = write_line(list, &file);
            }
            if first.len() < KEPT {
                first.push(file);
            }
        };
        let mut go_on = |looked: u64| {
            bar.set_position(looked);
            if interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        match rescue::lost_files(&files, &map, &mut found, &mut go_on) {
            Ok(all) => summary = all,
            Err(Interrupted) => {
                stopped = true;
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        result
    });
    bar.finish_and_clear();
    if stopped {
        return Err(Failure::new(
            Kind::Interrupted,
            "interrupted: the copy is whole, the list of lost files is not",
        )
        .hint("the same command looks again"));
    }
    written.map_err(|error| failure::about(&copy.paths.list, &error))?;
    Ok(Looked::Files(Lost { summary, count, first, list: copy.paths.list.clone() }))
}

fn write_line(list: &mut dyn Write, file: &LostFile) -> io::Result<()> {
    let number = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    writeln!(list, "{}\t{}\t{}\t{}", number(file.lost), number(file.size), what(file), path(&file.path))
}

/// Returns a path for a screen or a line of text.
pub fn path(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    if text.is_empty() {
        return "/".to_owned();
    }
    let plain = |c: char| if c.is_control() { c.escape_default().collect() } else { String::from(c) };
    text.chars().map(plain).collect()
}

/// Returns in words what is lost.
pub fn what(file: &LostFile) -> &'static str {
    match file.damage {
        Damage::Content => "content",
        Damage::Record => "record",
        Damage::Names => "names",
        Damage::Attributes => "attributes",
        Damage::Place => "place",
    }
}
