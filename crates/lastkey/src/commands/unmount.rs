//! `lastkey unmount`: takes away what `lastkey mount` shows.

use std::process::ExitCode;

use crate::cli::Unmount;
use crate::failure::Failure;
use crate::output::Output;

#[cfg(not(target_os = "linux"))]
pub fn run(_: &Unmount, _: &Output) -> Result<ExitCode, Failure> {
    Err(crate::mounts::not_here())
}

/// Unmounts.
#[cfg(target_os = "linux")]
pub fn run(arguments: &Unmount, output: &Output) -> Result<ExitCode, Failure> {
    use crate::mounts;

    #[derive(serde::Serialize)]
    struct Report {
        folders: Vec<String>,
    }

    let busy = if arguments.force { mount::Busy::Detach } else { mount::Busy::Refuse };
    let places = if arguments.all {
        drives::mounts_of(mount::KIND).into_iter().rev().map(|mount| mount.mount_point).collect()
    } else {
        arguments.places.clone()
    };
    let mut report = Report { folders: Vec::new() };
    for place in places {
        let folder = mounts::take_away(&place, busy)?.display().to_string();
        output.say(format!("{folder} is unmounted"))?;
        report.folders.push(folder);
    }
    output.document(&report)?;
    Ok(ExitCode::SUCCESS)
}
