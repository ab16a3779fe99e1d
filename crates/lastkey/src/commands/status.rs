//! `lastkey status`: what the drives are.

use std::path::Path;
use std::process::ExitCode;

use drives::Attached;
use serde::Serialize;

use crate::cli::Status;
use crate::commands::summary::VolumeSummary;
use crate::drive::{self, Target};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::rights;
use crate::words::{self, BOLD, ERROR, OFF};

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
    error: Option<Failure>,
}

/// Shows the named drives, or all that are attached.
pub fn run(arguments: &Status, output: &Output) -> Result<ExitCode, Failure> {
    if arguments.drives.is_empty() { all(arguments, output) } else { named(arguments, output) }
}

fn named(arguments: &Status, output: &Output) -> Result<ExitCode, Failure> {
    let (mut reports, mut failed) = (Vec::new(), None);
    for name in &arguments.drives {
        match drive::open_all(name, &arguments.find) {
            Ok(targets) => {
                for target in &targets {
                    show(&mut reports, DriveReport::of(target), output)?;
                }
            }
            Err(failure) if arguments.drives.len() == 1 || failure.kind == Kind::Interrupted => {
                return Err(failure);
            }
            Err(failure) => {
                output.report(&failure);
                failed = failed.or(Some(failure.kind));
                reports.push(DriveReport::failed(Path::new(name).display().to_string(), failure));
            }
        }
    }
    output.document(&Report { drives: reports })?;
    Ok(failed.map_or(ExitCode::SUCCESS, |kind| kind.code().into()))
}

fn all(arguments: &Status, output: &Output) -> Result<ExitCode, Failure> {
    if arguments.find.partition.is_some() || arguments.find.scan {
        return Err(Failure::new(Kind::Usage, "--partition and --scan need the name of a drive"));
    }
    let mut reports = Vec::new();
    for attached in drives::attached() {
        for report in DriveReport::of_attached(&attached) {
            show(&mut reports, report, output)?;
        }
    }
    if reports.is_empty() {
        output.say("No drive is attached that this program can see.")?;
    }
    let unseen = reports.iter().filter(|report| report.bitlocker.is_none()).count();
    output.document(&Report { drives: reports })?;
    if unseen != 0 && !rights::are_all() {
        let which = if unseen == 1 { "One drive".to_owned() } else { format!("{unseen} drives") };
        output.note_unless_json(if cfg!(windows) {
            format!("{which} may be looked into only by an administrator: start the terminal with \"Run as administrator\".")
        } else {
            format!("{which} may be looked into only by root: run this again with sudo.")
        });
    }
    Ok(ExitCode::SUCCESS)
}

fn show(reports: &mut Vec<DriveReport>, report: DriveReport, output: &Output) -> Result<(), Failure> {
    output.say(report.lines())?;
    reports.push(report);
    Ok(())
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
            partition: index(target),
            volume: Some(VolumeSummary::of(target)),
            error: None,
        }
    }

    fn failed(drive: String, failure: Failure) -> Self {
        Self {
            drive,
            size: None,
            model: None,
            removable: None,
            mounted_at: Vec::new(),
            bitlocker: (failure.kind == Kind::NotBitLocker).then_some(false),
            partition: None,
            volume: None,
            error: Some(failure),
        }
    }

    fn of_attached(attached: &Attached) -> Vec<Self> {
        let model: Vec<_> = [&attached.vendor, &attached.model].into_iter().flatten().cloned().collect();
        let report = |partition, volume, error| Self {
            drive: attached.path.display().to_string(),
            size: (attached.size != 0).then_some(attached.size),
            model: (!model.is_empty()).then(|| model.join(" ")),
            removable: Some(attached.removable),
            mounted_at: attached.mounted_at.iter().map(|path| path.display().to_string()).collect(),
            bitlocker: attached.is_bitlocker,
            partition,
            volume,
            error,
        };
        if attached.is_bitlocker != Some(true) {
            return vec![report(None, None, None)];
        }
        match drive::open_attached(attached) {
            Ok(targets) => targets
                .iter()
                .map(|target| report(index(target), Some(VolumeSummary::of(target)), None))
                .collect(),
            Err(failure) => vec![report(None, None, Some(failure))],
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
            _ if self.error.is_some() => "",
            Some(false) => "  no BitLocker",
            None if rights::are_all() => "  cannot be looked into",
            None => "  rights are missing to look into it",
        };
        if !self.mounted_at.is_empty() {
            title += &format!("  mounted at {}", self.mounted_at.join(", "));
        }
        match (&self.volume, &self.error) {
            (Some(volume), _) => format!("{title}\n{}", volume.lines().trim_end()),
            (None, Some(error)) => format!("{title}\n  {ERROR}problem{OFF}      {}", error.message),
            (None, None) => title,
        }
    }
}

fn index(target: &Target) -> Option<u32> {
    target.partition.as_ref().map(|partition| partition.index)
}
