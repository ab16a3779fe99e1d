//! From what a person typed to one BitLocker volume.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use drives::{Partition, Signature, Source};
use fve::{ReadAt, Volume};

use crate::cli::{Drive, Find};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::progress;

/// A BitLocker volume on a drive.
pub struct Target {
    /// What the drive is called in messages.
    pub name: String,
    /// Where the drive is.
    pub path: PathBuf,
    /// The partition of a whole disk.
    pub partition: Option<Partition>,
    /// The boot sector was lost, and the volume was found by its metadata at this byte.
    pub found_at: Option<u64>,
    /// The volume.
    pub volume: Volume,
}

/// Opens the drive that a command names.
pub fn open(drive: &Drive, output: &Output) -> Result<Target, Failure> {
    let path = drives::resolve(&drive.drive, &attached_unless_file(&drive.drive))?;
    open_path(path, &drive.find, Some(output))
}

/// Lists the attached drives, unless the name alone tells that it is a file.
fn attached_unless_file(text: &str) -> Vec<drives::Attached> {
    let is_file = text.contains(std::path::is_separator) && std::path::Path::new(text).is_file();
    if is_file { Vec::new() } else { drives::attached() }
}

/// Opens the drive at a path. Without `output` nothing is searched for that is not asked for.
pub fn open_path(path: PathBuf, find: &Find, output: Option<&Output>) -> Result<Target, Failure> {
    let name = path.display().to_string();
    let source = Arc::new(Source::open(&path)?);
    let finder = Finder { name, path, source, output };
    finder.find(find).map_err(|failure| match failure.kind {
        // These say themselves what they are about.
        Kind::NotFound | Kind::NotPermitted | Kind::Interrupted => failure,
        _ => failure.about(&finder.name),
    })
}

struct Finder<'a> {
    name: String,
    path: PathBuf,
    source: Arc<Source>,
    output: Option<&'a Output>,
}

impl Finder<'_> {
    fn find(&self, find: &Find) -> Result<Target, Failure> {
        if let Some(number) = find.partition {
            let partitions = drives::partitions(&*self.source);
            let partition = partitions.into_iter().find(|partition| partition.index == number);
            let partition = partition.ok_or_else(|| {
                Failure::new(Kind::NotFound, format!("{} has no partition {number}", self.name))
            })?;
            return self.in_partition(partition, find.scan);
        }
        if find.scan {
            return self.by_scan(self.source.clone(), None);
        }
        match Volume::open(self.source.clone()) {
            Ok(volume) => Ok(self.target(volume, None, None)),
            Err(fve::Error::NotBitLocker) => self.in_something_else(),
            Err(error) => Err(error.into()),
        }
    }

    /// The first sector is not BitLocker's: a whole disk, a lost boot sector, or no BitLocker at all.
    fn in_something_else(&self) -> Result<Target, Failure> {
        let signature = drives::signature(&*self.source)?;
        let partitions = drives::partitions(&*self.source);
        let mut found: Vec<Target> =
            partitions.iter().filter_map(|p| self.in_partition(p.clone(), false).ok()).collect();
        match found.len() {
            1 => return Ok(found.remove(0)),
            0 => {}
            _ => {
                let numbers: Vec<_> =
                    found.iter().filter_map(|t| t.partition.as_ref()).map(|p| p.index.to_string()).collect();
                let list = numbers.join(", ");
                return Err(Failure::new(
                    Kind::Usage,
                    format!("there is more than one BitLocker drive on this disk: partitions {list}"),
                )
                .hint(format!("choose one with --partition {}", numbers.join(" or --partition "))));
            }
        }
        let lost = matches!(
            signature,
            Signature::Zeros | Signature::Unknown | Signature::Mbr | Signature::Gpt | Signature::TooShort
        );
        let not_bitlocker = || {
            let failure =
                Failure::new(Kind::NotBitLocker, format!("this is no BitLocker drive, but {signature}"));
            match signature.advice() {
                Some(advice) => failure.hint(advice),
                None => failure.hint(
                    "if it was encrypted by BitLocker once, --scan searches it for what is left of that",
                ),
            }
        };
        if !lost || self.output.is_none() || self.source.size() == 0 {
            return Err(not_bitlocker());
        }
        self.by_scan(self.source.clone(), None).map_err(|failure| match failure.kind {
            Kind::NotBitLocker => {
                let mut failure = not_bitlocker();
                failure.hints.clear();
                failure.hint("its first sector was searched, and then all of it for BitLocker metadata")
            }
            _ => failure,
        })
    }

    fn in_partition(&self, partition: Partition, scan: bool) -> Result<Target, Failure> {
        let window = self.source.clone().window(partition.offset, partition.size);
        let window: Arc<dyn ReadAt> = Arc::new(window.ok_or_else(|| {
            Failure::new(Kind::Truncated, format!("partition {} lies beyond the end", partition.index))
        })?);
        if scan {
            return self.by_scan(window, Some(partition));
        }
        Ok(self.target(Volume::open(window)?, Some(partition), None))
    }

    fn by_scan(&self, source: Arc<dyn ReadAt>, partition: Option<Partition>) -> Result<Target, Failure> {
        let bar = progress::bytes(source.size(), "searching for BitLocker metadata");
        let found = fve::scan(&*source, 0, |at| {
            bar.set_position(at);
            ControlFlow::Continue(())
        });
        bar.finish_and_clear();
        let found = found?.ok_or_else(|| {
            Failure::new(Kind::NotBitLocker, "there is no BitLocker metadata anywhere on it")
        })?;
        let base = partition.as_ref().map_or(0, |partition| partition.offset);
        let rest = source.size() - found.start;
        let size = found.size.map_or(rest, |size| size.min(rest));
        let window = self.source.clone().window(base + found.start, size);
        let window = window.ok_or_else(|| Failure::new(Kind::Truncated, "the volume lies beyond the end"))?;
        if let Some(output) = self.output {
            output.note(format!(
                "note: the boot sector is lost; the volume was found by its metadata, at byte {}",
                base + found.start
            ));
        }
        let volume = Volume::open_at(Arc::new(window), found.places)?;
        Ok(self.target(volume, partition, Some(base + found.start)))
    }

    fn target(&self, volume: Volume, partition: Option<Partition>, found_at: Option<u64>) -> Target {
        let name = match &partition {
            Some(partition) => format!("{} partition {}", self.name, partition.index),
            None => self.name.clone(),
        };
        Target { name, path: self.path.clone(), partition, found_at, volume }
    }
}

impl Target {
    /// Returns how many bytes of the volume are missing at the end of an image, as far as is known.
    pub fn missing(&self) -> u64 {
        let there = self.volume.source().size();
        self.volume.expected_size().map_or(0, |expected| expected.saturating_sub(there))
    }
}
