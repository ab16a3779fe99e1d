//! `lastkey read`: the whole drive, decrypted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use fve::{ReadAt, View};
use serde::Serialize;

use crate::cli::Read;
use crate::drive::{self, Target};
use crate::failure::{Failure, Kind, kind_of};
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
    let to_standard_output = arguments.out.as_os_str() == "-";
    if to_standard_output && output.is_json() {
        return Err(Failure::new(Kind::Usage, "--json and --out - both want standard output"));
    }
    let target = drive::open(&arguments.drive, output)?;
    if !to_standard_output {
        refuse_same_drive(&arguments.out, &target)?;
    }
    let unlocked = keys::unlock(&target.volume, &arguments.keys, output)
        .map_err(|failure| failure.about(&target.name))?;
    let view = unlocked.view().map_err(|error| Failure::from(error).about(&target.name))?;
    let length = length(arguments, &target, &view)?;

    let started = Instant::now();
    let (out, shown): (Out, String) = if to_standard_output {
        (Out::stream(Box::new(io::stdout())), "standard output".to_owned())
    } else {
        (Out::create(&arguments.out, length)?, arguments.out.display().to_string())
    };
    let critical = Critical::begin();
    let out = copy(&view, arguments.offset, length, out).map_err(|failure| match failure.kind {
        Kind::Interrupted => failure,
        _ => failure.about(&shown),
    })?;
    out.keep().map_err(|failure| failure.about(&shown))?;
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
            format!("the drive has {there} bytes, which is less than was asked for"),
        )),
        _ => Err(Failure::new(
            Kind::Truncated,
            format!("the image is cut off: it has {there} bytes, the volume in it {expected}"),
        )
        .hint(format!("--length {} copies what is there", there.saturating_sub(arguments.offset)))
        .about(&target.name)),
    }
}

/// A decrypted copy on the drive itself would overwrite what is being read.
fn refuse_same_drive(out: &Path, target: &Target) -> Result<(), Failure> {
    let same = drives::lies_on(out).and_then(|layers| drives::same_drive(&layers, &target.path));
    match same {
        Ok(true) => {
            Err(Failure::new(Kind::Refused, format!("{} is on the drive that is to be read", out.display()))
                .hint("write to another drive"))
        }
        // What cannot be looked at cannot be created either, which says it better.
        Ok(false) | Err(_) => Ok(()),
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
            Err(Failure::new(Kind::Interrupted, "interrupted: nothing was left behind"))
        }
        Err(Stopped::Reading { at, source }) => Err(Failure::new(
            reading_kind(&source),
            format!("reading the drive at byte {at} failed: {source}"),
        )),
        Err(Stopped::Writing(source)) => Err(Failure::new(kind_of(&source), source.to_string())),
    }
}

fn reading_kind(error: &io::Error) -> Kind {
    match kind_of(error) {
        Kind::Other => Kind::Damaged,
        kind => kind,
    }
}

/// Where the copy goes: under another name until it is whole, unless it is a stream.
enum Out {
    Stream(Box<dyn Write + Send>),
    File { file: tempfile::NamedTempFile, path: PathBuf },
}

impl Out {
    fn stream(writer: Box<dyn Write + Send>) -> Self {
        Self::Stream(writer)
    }

    fn create(path: &Path, length: u64) -> Result<Self, Failure> {
        let about = |failure: Failure| failure.about(&path.display().to_string());
        match fs::metadata(path) {
            Ok(there) if there.is_file() || there.is_dir() => {
                Err(about(Failure::new(Kind::AlreadyThere, "it is already there; it was left as it is"))
                    .hint("choose another name, or move it away"))
            }
            Ok(there) if is_block_device(&there) => Err(about(Failure::new(
                Kind::AlreadyThere,
                "this is a device; a decrypted copy goes into a new file",
            ))),
            // A pipe or the like: bytes go there as they come.
            Ok(_) => {
                let file = OpenOptions::new().write(true).open(path).map_err(|error| about(error.into()))?;
                Ok(Self::stream(Box::new(file)))
            }
            Err(_) => {
                let folder = match path.parent() {
                    Some(folder) if !folder.as_os_str().is_empty() => folder,
                    _ => Path::new("."),
                };
                if let Some(free) = free_space(folder).filter(|&free| free < length) {
                    let (needed, free) = (words::size(length), words::size(free));
                    return Err(about(Failure::new(
                        Kind::Full,
                        format!("the copy needs {needed}, and {free} are free"),
                    )));
                }
                let file = tempfile::Builder::new()
                    .prefix(".lastkey-")
                    .tempfile_in(folder)
                    .map_err(|error| about(error.into()))?;
                Ok(Self::File { file, path: path.to_owned() })
            }
        }
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Stream(writer) => writer,
            Self::File { file, .. } => file,
        }
    }

    /// Makes the copy last, under its own name.
    fn keep(self) -> Result<(), Failure> {
        match self {
            Self::Stream(mut writer) => Ok(writer.flush()?),
            Self::File { file, path } => {
                file.as_file().sync_all()?;
                let _: File = file.persist_noclobber(&path).map_err(|failed| failed.error)?;
                Ok(())
            }
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
