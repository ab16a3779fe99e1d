//! Where a copy goes.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use backup::NewFile;
use disk_image::{Format, Writer};
use fve::ReadAt;

use super::part::{self, Part};
use super::state::Job;
use crate::cli::{ImageFormat, Read};
use crate::drive::Target;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::words;

/// Where the copy goes.
pub enum Place {
    StandardOutput,
    /// A pipe or the like: bytes go there as they come.
    Stream(PathBuf),
    NewFile(PathBuf),
}

impl Place {
    /// Refuses what must not be written, before a key is asked for.
    pub fn check(arguments: &Read, target: &Target) -> Result<Self, Failure> {
        let place = Self::find(&arguments.out, target, arguments.resume)?;
        if matches!(place, Self::NewFile(_)) {
            return Ok(place);
        }
        let no = |option: &str| {
            let message = format!("{option} needs a new file, and this is a stream");
            Failure::new(Kind::Usage, message).about(&place.shown())
        };
        if arguments.format != ImageFormat::Raw {
            return Err(no("--format qcow2").hint("leave --format out: a stream has the bytes as they are"));
        }
        if arguments.resume {
            return Err(no("--resume"));
        }
        Ok(place)
    }

    fn find(path: &Path, target: &Target, resume: bool) -> Result<Self, Failure> {
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
            _ if resume => Err(part::is_there(path).about(&path.display().to_string())),
            _ => Err(is_there().about(&path.display().to_string())),
        }
    }

    /// What it is called in messages.
    pub fn shown(&self) -> String {
        match self {
            Self::StandardOutput => "standard output".to_owned(),
            Self::Stream(path) | Self::NewFile(path) => path.display().to_string(),
        }
    }

    /// Begins to write there, or goes on.
    pub fn create(
        self,
        job: Job,
        arguments: &Read,
        drive: &dyn ReadAt,
        output: &Output,
    ) -> Result<Out, Failure> {
        let path = match self {
            Self::StandardOutput => return Ok(Out::Stream(Box::new(io::stdout()))),
            Self::Stream(path) => {
                return Ok(Out::Stream(Box::new(OpenOptions::new().write(true).open(path)?)));
            }
            Self::NewFile(path) => path,
        };
        let format = match arguments.format {
            ImageFormat::Raw => Format::Raw,
            ImageFormat::Qcow2 => Format::Qcow2,
        };
        let length = job.length;
        let out = if arguments.resume {
            Out::Part(Part::open(&path, job, format, drive)?)
        } else {
            if let Some(begun) = part::begun(&path) {
                output.note_unless_json(begun);
            }
            let mut new = NewFile::create(backup::parent(&path))?;
            let image = Writer::create(new.file().try_clone()?, format, length)?;
            Out::File { new, image, path: path.clone() }
        };
        // How much of the drive is empty shows itself only in time.
        let needed = length - out.position();
        if let Some(free) = free_space(backup::parent(&path)).filter(|&free| free < needed) {
            let (needed, free) = (words::size(needed), words::size(free));
            output.note_unless_json(format!(
                "the copy needs {needed}, less what is empty on the drive, and {free} are free"
            ));
        }
        Ok(out)
    }
}

/// What is being written.
pub enum Out {
    /// Bytes that are gone once written.
    Stream(Box<dyn Write + Send>),
    /// A file that is there when it is whole, or not at all.
    File {
        /// The file without its name.
        new: NewFile,
        /// What is written into it.
        image: Writer,
        /// Its name.
        path: PathBuf,
    },
    /// A file that may be gone on with.
    Part(Part),
}

impl Out {
    /// Returns how much is there already.
    pub fn position(&self) -> u64 {
        match self {
            Self::Part(part) => part.position(),
            Self::File { .. } | Self::Stream(_) => 0,
        }
    }

    /// Makes the copy last, under its own name; returns how many bytes of the medium a file takes.
    pub fn keep(self) -> Result<Option<u64>, Failure> {
        match self {
            Self::Stream(mut writer) => Ok(writer.flush().map(|()| None)?),
            Self::File { new, image, path } => {
                let stored = image.finish().map_err(|error| would_be_kept(error.into()))?;
                new.keep(&path)?;
                Ok(Some(stored))
            }
            Self::Part(part) => part.keep().map(Some),
        }
    }
}

/// Says how a copy that was stopped would not have been lost.
pub fn would_be_kept(failure: Failure) -> Failure {
    failure.hint("with --resume, what is copied is kept, and the same command goes on from there")
}

/// Says that a name is taken.
pub fn is_there() -> Failure {
    Failure::new(Kind::AlreadyThere, "it is already there; it was left as it is")
        .hint("choose another name, or move it away")
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
