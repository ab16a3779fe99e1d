//! `lastkey status`: what the drives are.

use std::path::Path;
use std::process::ExitCode;

use backup::record::Record;
use drives::Attached;
use serde::Serialize;

use crate::cli::Status;
use crate::commands::copies::BackupSummary;
use crate::commands::summary::VolumeSummary;
use crate::drive::{self, Target};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::words::{self, BOLD, ERROR, OFF};
use crate::{record, rights};

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
    /// Where the copies of its keys are; none for a drive that needs none.
    backup: Option<BackupSummary>,
    error: Option<Failure>,
}

/// Shows the named drives, or all that are attached.
pub fn run(arguments: &Status, output: &Output) -> Result<ExitCode, Failure> {
    let record = record::look(output);
    let mut reports = Vec::new();
    let failed = if arguments.drives.is_empty() {
        all(arguments, record.as_ref(), &mut reports, output)?;
        None
    } else {
        named(arguments, record.as_ref(), &mut reports, output)?
    };
    let exposed = reports
        .iter()
        .any(|report: &DriveReport| report.backup.as_ref().is_some_and(|backup| !backup.backed_up));
    output.document(&Report { drives: reports })?;
    let failed = failed.or((arguments.check && exposed).then_some(Kind::NotBackedUp));
    Ok(failed.map_or(ExitCode::SUCCESS, |kind| kind.code().into()))
}

fn named(
    arguments: &Status,
    record: Option<&Record>,
    reports: &mut Vec<DriveReport>,
    output: &Output,
) -> Result<Option<Kind>, Failure> {
    let mut failed = None;
    for name in &arguments.drives {
        match drive::open_all(name, &arguments.find) {
            Ok(targets) => {
                for target in &targets {
                    show(reports, DriveReport::of(target, record), output)?;
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
    Ok(failed)
}

fn all(
    arguments: &Status,
    record: Option<&Record>,
    reports: &mut Vec<DriveReport>,
    output: &Output,
) -> Result<(), Failure> {
    if arguments.find.partition.is_some() || arguments.find.scan {
        return Err(Failure::new(Kind::Usage, "--partition and --scan need the name of a drive"));
    }
    for attached in drives::attached() {
        for report in DriveReport::of_attached(&attached, record) {
            show(reports, report, output)?;
        }
    }
    if reports.is_empty() {
        output.say("No drive is attached that this program can see.")?;
    }
    let unseen = reports.iter().filter(|report| report.bitlocker.is_none()).count();
    if unseen != 0 && !rights::are_all() {
        let which = if unseen == 1 { "One drive".to_owned() } else { format!("{unseen} drives") };
        output.note_unless_json(if cfg!(windows) {
            format!("{which} may be looked into only by an administrator: start the terminal with \"Run as administrator\".")
        } else {
            format!("{which} may be looked into only by root: run this again with sudo.")
        });
    }
    Ok(())
}

fn show(reports: &mut Vec<DriveReport>, report: DriveReport, output: &Output) -> Result<(), Failure> {
    output.say(report.lines())?;
    reports.push(report);
    Ok(())
}

impl DriveReport {
    fn of(target: &Target, record: Option<&Record>) -> Self {
        Self {
            drive: target.path.display().to_string(),
            size: Some(target.volume.source().size()),
            model: None,
            removable: None,
            mounted_at: Vec::new(),
            bitlocker: Some(true),
            partition: index(target),
            volume: Some(VolumeSummary::of(target)),
            backup: backup(target, record),
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
            backup: None,
            error: Some(failure),
        }
    }

    fn of_attached(attached: &Attached, record: Option<&Record>) -> Vec<Self> {
        let model: Vec<_> = [&attached.vendor, &attached.model].into_iter().flatten().cloned().collect();
        let report = |partition, volume, backup, error| Self {
            drive: attached.path.display().to_string(),
            size: (attached.size != 0).then_some(attached.size),
            model: (!model.is_empty()).then(|| model.join(" ")),
            removable: Some(attached.removable),
            mounted_at: attached.mounted_at.iter().map(|path| path.display().to_string()).collect(),
            bitlocker: attached.is_bitlocker,
            partition,
            volume,
            backup,
            error,
        };
        if attached.is_bitlocker != Some(true) {
            return vec![report(None, None, None, None)];
        }
        match drive::open_attached(attached) {
            Ok(targets) => targets
                .iter()
                .map(|target| {
                    report(index(target), Some(VolumeSummary::of(target)), backup(target, record), None)
                })
                .collect(),
            Err(failure) => vec![report(None, None, None, Some(failure))],
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
            (Some(volume), _) => {
                let copies = self.backup.as_ref().map(|backup| backup.lines(&self.drive)).unwrap_or_default();
                format!("{title}\n{}\n{copies}", volume.lines().trim_end()).trim_end().to_owned()
            }
            (None, Some(error)) => format!("{title}\n  {ERROR}problem{OFF}      {}", error.message),
            (None, None) => title,
        }
    }
}

/// What the record says. One that cannot be read knows of no copy, and has been complained of.
fn backup(target: &Target, record: Option<&Record>) -> Option<BackupSummary> {
    BackupSummary::of(&target.volume, record).or_else(|_| BackupSummary::of(&target.volume, None)).ok()?
}

fn index(target: &Target) -> Option<u32> {
    target.partition.as_ref().map(|partition| partition.index)
}
