//! `lastkey status`: what the drives are.

use std::process::ExitCode;

use drives::Attached;
use serde::Serialize;

use crate::cli::{Drive, Find, Status};
use crate::commands::summary::VolumeSummary;
use crate::drive::{self, Target};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::words::{self, BOLD, OFF};

#[derive(Serialize)]
struct Report {
    drives: Vec<DriveReport>,
}

#[derive(Serialize)]
struct DriveReport {
    drive: String,
    size: Option<u64>,
    model: Option<String>,
    removable: Option<bool>,
    mounted_at: Vec<String>,
    bitlocker: Option<bool>,
    partition: Option<u32>,
    volume: Option<VolumeSummary>,
    error: Option<String>,
}

/// Shows the named drives, or all that are attached.
pub fn run(arguments: &Status, output: &Output) -> Result<ExitCode, Failure> {
    if arguments.drives.is_empty() { all(arguments, output) } else { named(arguments, output) }
}

fn named(arguments: &Status, output: &Output) -> Result<ExitCode, Failure> {
    let (mut reports, mut failure) = (Vec::new(), None);
    for name in &arguments.drives {
        let drive = Drive {
            drive: name.clone(),
            find: Find { partition: arguments.find.partition, scan: arguments.find.scan },
        };
        match drive::open(&drive, output) {
            Ok(target) => {
                let report = DriveReport::of(&target);
                output.say(report.lines())?;
                reports.push(report);
            }
            Err(error) if arguments.drives.len() == 1 || error.kind == Kind::Interrupted => {
                return Err(error);
            }
            Err(error) => {
                if !output.is_json() {
                    output.fail(&error);
                }
                reports.push(DriveReport::failed(name, &error));
                failure = failure.or(Some(error.kind));
            }
        }
    }
    output.document(&Report { drives: reports })?;
    Ok(failure.map_or(ExitCode::SUCCESS, |kind| kind.code().into()))
}

fn all(arguments: &Status, output: &Output) -> Result<ExitCode, Failure> {
    if arguments.find.partition.is_some() || arguments.find.scan {
        return Err(Failure::new(Kind::Usage, "--partition and --scan need the name of a drive"));
    }
    let (mut reports, mut unseen) = (Vec::new(), 0);
    for attached in drives::attached() {
        let report = DriveReport::of_attached(&attached);
        unseen += usize::from(report.bitlocker.is_none());
        output.say(report.lines())?;
        reports.push(report);
    }
    if reports.is_empty() {
        output.say("No drive is attached that this program can see.")?;
    }
    if unseen != 0 {
        let (who, how) = if cfg!(windows) {
            ("an administrator", "in a terminal started with \"Run as administrator\"")
        } else {
            ("root", "with sudo")
        };
        output
            .note(format!("{unseen} of the drives can be looked into only by {who}: run this again {how}."));
    }
    output.document(&Report { drives: reports })?;
    Ok(ExitCode::SUCCESS)
}

impl DriveReport {
    fn of(target: &Target) -> Self {
        Self {
            drive: target.path.display().to_string(),
            size: Some(target.volume.source().size()),
            model: None,
            removable: None,
            mounted_at: Vec::new(),
            bitlocker: Some(true),
            partition: target.partition.as_ref().map(|partition| partition.index),
            volume: Some(VolumeSummary::of(target)),
            error: None,
        }
    }

    fn failed(name: &str, failure: &Failure) -> Self {
        Self {
            drive: name.to_owned(),
            size: None,
            model: None,
            removable: None,
            mounted_at: Vec::new(),
            bitlocker: (failure.kind == Kind::NotBitLocker).then_some(false),
            partition: None,
            volume: None,
            error: Some(failure.message.clone()),
        }
    }

    fn of_attached(attached: &Attached) -> Self {
        let opened = match attached.is_bitlocker {
            Some(true) => {
                let find = Find { partition: None, scan: false };
                Some(drive::open_path(attached.path.clone(), &find, None))
            }
            _ => None,
        };
        let model: Vec<_> = [&attached.vendor, &attached.model].into_iter().flatten().cloned().collect();
        let (volume, error) = match opened {
            Some(Ok(target)) => (Some(VolumeSummary::of(&target)), None),
            Some(Err(failure)) => (None, Some(failure.message)),
            None => (None, None),
        };
        Self {
            drive: attached.path.display().to_string(),
            size: (attached.size != 0).then_some(attached.size),
            model: (!model.is_empty()).then(|| model.join(" ")),
            removable: Some(attached.removable),
            mounted_at: attached.mounted_at.iter().map(|path| path.display().to_string()).collect(),
            bitlocker: attached.is_bitlocker,
            partition: None,
            volume,
            error,
        }
    }

    fn lines(&self) -> String {
        let mut title = format!("{BOLD}{}{OFF}", self.drive);
        if let Some(partition) = self.partition {
            title += &format!(" partition {partition}");
        }
        if let Some(size) = self.size {
            title += &format!("  {}", words::size(size));
        }
        if let Some(model) = &self.model {
            title += &format!("  {model}");
        }
        title += match self.bitlocker {
            Some(true) => "  BitLocker",
            Some(false) => "  no BitLocker",
            None => "  rights are missing to look",
        };
        if !self.mounted_at.is_empty() {
            title += &format!("  mounted at {}", self.mounted_at.join(", "));
        }
        match (&self.volume, &self.error) {
            (Some(volume), _) => format!("{title}\n{}", volume.lines().trim_end()),
            (None, Some(error)) => format!("{title}\n  problem      {error}"),
            (None, None) => title,
        }
    }
}
