//! `lastkey read`: the whole drive, decrypted.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use backup::NewFile;
use fve::{ReadAt, View};
use serde::Serialize;

use crate::cli::Read;
use crate::drive::{self, Target};
use crate::failure::{Failure, Kind, kind_of, reason};
use crate::interrupt::Critical;
use crate::output::Output;
use crate::pipeline::{self, Stopped};
use crate::{keys, progress, words};

#[derive(Serialize)]
struct Report {
    drive: String,
    volume: String,
    out: String,
    file_system: Option<&'static str>,
    offset: u64,
    bytes: u64,
    seconds: f64,
}

/// Copies the decrypted volume.
pub fn run(arguments: &Read, output: &Output) -> Result<ExitCode, Failure> {
    if arguments.out.as_os_str() == "-" && output.is_json() {
        return Err(Failure::new(Kind::Usage, "--json and --out - both want standard output"));
    }
    let target = drive::open(&arguments.drive, output)?;
    let place = Place::check(&arguments.out, &target)?;
    let unlocked = keys::unlock(&target, &arguments.keys, output)?;
    let view = unlocked.view().map_err(|error| Failure::from(error).about(&target.name))?;
    let length = length(arguments, &target, &view)?;

    let started = Instant::now();
    let shown = place.shown();
    let about = |failure: Failure| match failure.kind {
        Kind::Interrupted => failure,
        _ => failure.about(&shown),
    };
    // A stream has nothing that could be left half done, and may keep this program waiting for ever.
    let critical = matches!(place, Place::NewFile(_)).then(Critical::begin);
    let out = place.create(length).map_err(about)?;
    let out = copy(&view, arguments.offset, length, out).map_err(about)?;
    out.keep().map_err(about)?;
    drop(critical);
    let report = Report {
        drive: target.name.clone(),
        volume: target.volume.id().to_string(),
        out: shown,
        file_system: view.file_system().map(|found| found.name),
        offset: arguments.offset,
        bytes: length,
        seconds: started.elapsed().as_secs_f64(),
    };
    output.note_unless_json(report.words());
    output.document(&report)?;
    Ok(ExitCode::SUCCESS)
}

impl Report {
    fn words(&self) -> String {
        let rate = words::size((self.bytes as f64 / self.seconds.max(0.001)) as u64);
        let inside = self.file_system.map_or(String::new(), |name| format!(" ({name})"));
        format!("{} decrypted{inside} to {}, {rate}/s", words::size(self.bytes), self.out)
    }
}

/// Returns how many bytes to copy; refuses before anything is written when they are not all there.
fn length(arguments: &Read, target: &Target, view: &View) -> Result<u64, Failure> {
    let inside = view.file_system().and_then(|found| found.size).unwrap_or(0);
    let expected = target.volume.expected_size().unwrap_or(0).max(inside);
    let there = view.size();
    let end =
        arguments.length.map_or(Some(expected.max(there)), |length| arguments.offset.checked_add(length));
    match end {
        Some(end) if end <= there && arguments.offset <= end => Ok(end - arguments.offset),
        _ if arguments.length.is_some() || arguments.offset > there => Err(Failure::new(
            Kind::Truncated,
            format!("the drive ends at byte {there}, before the end of what was asked for"),
        )
        .about(&target.name)),
        _ => Err(Failure::new(
            Kind::Truncated,
            format!(
                "the image is cut off: it has {} ({there} bytes) of {} ({expected} bytes)",
                words::size(there),
                words::size(expected)
            ),
        )
        .hint(format!("--length {} copies what is there", there.saturating_sub(arguments.offset)))
        .about(&target.name)),
    }
}

fn copy(view: &View, offset: u64, length: u64, mut out: Out) -> Result<Out, Failure> {
    let bar = progress::bytes(length, "decrypting");
    let result = pipeline::copy(view, offset, length, |bytes| {
        out.writer().write_all(bytes)?;
        bar.inc(bytes.len() as u64);
        Ok(())
    });
    bar.finish_and_clear();
    match result {
        Ok(()) => Ok(out),
        Err(Stopped::Interrupted) => {
            Err(Failure::new(Kind::Interrupted, "interrupted: nothing was left half done"))
        }
        Err(Stopped::Reading { at, source }) => Err(Failure::new(
            reading_kind(&source),
            format!("reading the drive at byte {at} failed: {}", reason(&source)),
        )),
        Err(Stopped::Writing(source)) => Err(source.into()),
    }
}

fn reading_kind(error: &io::Error) -> Kind {
    match kind_of(error) {
        Kind::Other => Kind::Damaged,
        kind => kind,
    }
}

/// Where the copy goes.
enum Place {
    StandardOutput,
    /// A pipe or the like: bytes go there as they come.
    Stream(PathBuf),
    NewFile(PathBuf),
}

impl Place {
    /// Refuses what must not be written, before a key is asked for.
    fn check(path: &Path, target: &Target) -> Result<Self, Failure> {
        let no = |kind, message: &str| Failure::new(kind, message).about(&path.display().to_string());
        if path.as_os_str() == "-" {
            return match io::stdout().is_terminal() {
                true => {
                    Err(Failure::new(Kind::Usage, "standard output is a terminal, which cannot show a drive")
                        .hint("name a file with --out FILE, or pipe it into another program"))
                }
                false => Ok(Self::StandardOutput),
            };
        }
        // A decrypted copy on the drive itself would overwrite what is being read. What cannot be looked
        // at cannot be created either, and that says it better.
        if drives::lies_on(path).and_then(|layers| drives::same_drive(&layers, &target.path)).unwrap_or(false)
        {
            return Err(
                no(Kind::Refused, "this is on the drive that is to be read").hint("write to another drive")
            );
        }
        match fs::symlink_metadata(path).and_then(|_| fs::metadata(path)) {
            Ok(there) if is_block_device(&there) => {
                Err(no(Kind::AlreadyThere, "this is a device: a decrypted copy goes into a new file"))
            }
            Ok(there) if !there.is_file() && !there.is_dir() => Ok(Self::Stream(path.to_owned())),
            Err(_) if fs::symlink_metadata(path).is_err() => {
                if !backup::parent(path).is_dir() {
                    return Err(no(Kind::NotFound, "there is no such folder"));
                }
                Ok(Self::NewFile(path.to_owned()))
            }
            _ => Err(no(Kind::AlreadyThere, "it is already there; it was left as it is")
                .hint("choose another name, or move it away")),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::StandardOutput => "standard output".to_owned(),
            Self::Stream(path) | Self::NewFile(path) => path.display().to_string(),
        }
    }

    fn create(self, length: u64) -> Result<Out, Failure> {
        let path = match self {
            Self::StandardOutput => return Ok(Out::Stream(Box::new(io::stdout()))),
            Self::Stream(path) => {
                return Ok(Out::Stream(Box::new(OpenOptions::new().write(true).open(path)?)));
            }
            Self::NewFile(path) => path,
        };
        let folder = backup::parent(&path);
        if let Some(free) = free_space(folder).filter(|&free| free < length) {
            let (needed, free) = (words::size(length), words::size(free));
            return Err(Failure::new(Kind::Full, format!("the copy needs {needed}, and {free} are free")));
        }
        Ok(Out::File { new: NewFile::create(folder)?, path })
    }
}

/// What is being written.
enum Out {
    Stream(Box<dyn Write + Send>),
    File { new: NewFile, path: PathBuf },
}

impl Out {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Stream(writer) => writer,
            Self::File { new, .. } => new.file(),
        }
    }

    /// Makes the copy last, under its own name.
    fn keep(self) -> Result<(), Failure> {
        match self {
            Self::Stream(mut writer) => Ok(writer.flush()?),
            Self::File { new, path } => Ok(new.keep(&path)?),
        }
    }
}

#[cfg(unix)]
fn is_block_device(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    metadata.file_type().is_block_device()
}

#[cfg(not(unix))]
fn is_block_device(_: &fs::Metadata) -> bool {
    false
}

#[cfg(unix)]
fn free_space(folder: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(folder).ok()?;
    space.f_bavail.checked_mul(space.f_frsize)
}

#[cfg(not(unix))]
fn free_space(_: &Path) -> Option<u64> {
    None
}
