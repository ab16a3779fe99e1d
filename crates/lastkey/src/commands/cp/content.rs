//! The content of one file or stream, copied whole, or as much of it as is left.

use std::io;
use std::ops::{ControlFlow, Range};
use std::path::Path;

use fve::ReadAt;
use unlocked::{FileId, Name, Part as StoredPart, Stored};

use super::copier::{Copier, interrupted_now, is_of_one_file};
use super::new_file::{Part, There, Times, look};
use super::report::Problem;
use crate::commands::files::content::Content;
use crate::commands::files::said;
use crate::failure::{Failure, Kind};
use crate::interrupt;
use crate::pipeline::Stopped;

/// What is copied where.
struct Job<'a> {
    /// What the file is called in messages.
    shown: &'a str,
    content: Content,
    /// Where in it there is anything.
    stored: Vec<Range<u64>>,
    path: &'a Path,
    times: Times,
}

impl Copier<'_> {
    /// Copies a stream; the empty name is that of a file's own content.
    pub(super) fn content(
        &mut self,
        shown: &str,
        id: FileId,
        stream: &Name,
        times: Times,
        path: &Path,
    ) -> Result<(), Failure> {
        let content = match self.open.files.open_stream(id, stream) {
            Ok(file) => Content::new(file),
            Err(error) => {
                self.report.not_copied(shown, said(&error));
                return Ok(());
            }
        };
        match look(path, content.size(), times) {
            Ok(There::Nothing) => {}
            Ok(There::TheSame) => {
                self.report.already_there += 1;
                self.bar.inc(content.size());
                return Ok(());
            }
            Ok(There::Other) => {
                let message = "a file of this name is there, and differs in size or time";
                self.report.in_the_way(shown, &Failure::new(Kind::AlreadyThere, message));
                return Ok(());
            }
            Err(error) => return self.refused(shown, path, error),
        }
        let stored = self.stored(id, stream, content.size());
        let job = Job { shown, content, stored, path, times };
        let sum = crc32fast::hash(&stream.to_bytes());
        let hidden = path.with_file_name(format!(".lastkey-{:x}-{sum:x}.part", id.0));
        match Part::open(hidden, &job.content) {
            Ok(part) => self.fill(&job, part),
            Err(error) => self.refused(shown, path, error),
        }
    }

    fn fill(&mut self, job: &Job<'_>, mut part: Part) -> Result<(), Failure> {
        self.bar.inc(part.already());
        match part.fill(&job.content, &job.stored, |bytes| self.bar.inc(bytes)) {
            Ok(()) => {
                self.report.files += 1;
                self.report.bytes += job.content.size();
                part.keep(job.path, job.times).or_else(|error| self.refused(job.shown, job.path, error))
            }
            Err(Stopped::Interrupted) => Err(interrupted_now()),
            Err(Stopped::Writing(error)) => {
                if is_of_one_file(&error) {
                    part.remove();
                }
                self.refused(job.shown, job.path, error)
            }
            Err(Stopped::Reading { source, .. }) if self.arguments.salvage => {
                self.salvage(job, part, &source)
            }
            Err(Stopped::Reading { source, .. }) => {
                part.remove();
                self.report.not_copied(job.shown, Content::said(&source));
                Ok(())
            }
        }
    }

    /// Copies what is left of a damaged file.
    fn salvage(&mut self, job: &Job<'_>, mut part: Part, why: &io::Error) -> Result<(), Failure> {
        let go_on = |_| if interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let lost = match part.salvage(&job.content, &job.stored, go_on) {
            Ok(lost) => lost,
            Err(Stopped::Writing(error)) => return self.refused(job.shown, job.path, error),
            Err(_) => {
                part.remove();
                return Err(interrupted_now());
            }
        };
        if lost == job.stored.iter().map(|range| range.end - range.start).sum::<u64>() {
            part.remove();
            self.report.not_copied(job.shown, Content::said(why));
            return Ok(());
        }
        let mut name = job.path.file_name().unwrap_or_default().to_owned();
        name.push(".damaged");
        let path = job.path.with_file_name(name);
        let size = job.content.size();
        if look(&path, size, job.times).is_ok_and(|there| there == There::TheSame) {
            part.remove();
        } else if let Err(error) = part.keep(&path, job.times) {
            return self.refused(job.shown, &path, error);
        }
        let why = Content::said(why);
        let problem = format!("{lost} of {size} bytes are lost, and zeros in the copy: {why}");
        self.report.damaged.push(Problem { path: job.shown.to_owned(), problem });
        Ok(())
    }

    /// Returns where a stream has content. Of what lies in between nobody has to read that it is zeros: a file of a few
    /// bytes may say that it is 8 EiB long.
    fn stored(&self, id: FileId, stream: &Name, size: u64) -> Vec<Range<u64>> {
        let all = || std::iter::once(0..size).collect();
        let Ok(stored) = self.open.files.stored(id) else { return all() };
        let is_it =
            |stored: &&Stored| stored.part == StoredPart::Content { unit: 1 } && stored.name == *stream;
        let Some(stored) = stored.iter().find(is_it) else { return all() };
        let end = stored.written.min(size);
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for extent in stored.extents.iter().filter(|extent| extent.place.is_some() && extent.offset < end) {
            let range = extent.offset..extent.end().min(end);
            match ranges.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => ranges.push(range),
            }
        }
        ranges
    }
}
