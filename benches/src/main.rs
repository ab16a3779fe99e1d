//! lastkey and other BitLocker readers, side by side in one run: whole processes, in turn, on volumes
//! in memory. Prints medians and ratios, never a verdict.
//!
//! `cargo run --release -p lastkey-benches --bin side-by-side`
//! (Debian: `apt-get install dislocker cryptsetup-bin libbde-utils`)

mod peers;
mod volume;

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use fve::Method;

use crate::peers::{Job, Program};

const SMALL: u64 = 64 << 20;
const LARGE: u64 = 1 << 30;
const RUNS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let lastkey = build()?;
    // Volumes lie in memory, so that no disk is measured.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
    let programs = Program::all(&lastkey, folder.path())?;

    println!("Unlocking, seconds (whole process; key stretching dominates)\n");
    let path = folder.path().join("small.img");
    volume::make(&path, SMALL, Method::AesXts128, 0)?;
    table(
        &programs,
        &[("recovery key", Job::UnlockByRecoveryKey), ("password", Job::UnlockByPassword)],
        &path,
        |time| format!("{:.3}", time.as_secs_f64()),
    )?;

    println!(
        "\nReading 1 GiB from memory, decrypted, to nowhere; MB/s of the whole process without unlocking\n"
    );
    let path = folder.path().join("large.img");
    for method in Method::ALL {
        volume::make(&path, LARGE, method, 0)?;
        let name = method.to_string();
        table(&programs, &[(&name, Job::Read)], &path, |time| {
            format!("{:.0}", LARGE as f64 / 1e6 / time.as_secs_f64())
        })?;
    }
    Ok(())
}

/// Builds the program as it is released.
fn build() -> Result<std::path::PathBuf, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = std::process::Command::new(cargo)
        .args(["build", "--quiet", "--release", "--locked", "--package", "lastkey"])
        .status()?;
    if !status.success() {
        return Err("lastkey does not build".into());
    }
    let own = std::env::current_exe()?;
    Ok(own.parent().ok_or("no folder")?.with_file_name("release").join("lastkey"))
}

/// Runs each program in turn, several times, and prints a row for each.
fn table(
    programs: &[Program],
    jobs: &[(&str, Job)],
    volume: &Path,
    show: impl Fn(Duration) -> String,
) -> Result<(), Box<dyn Error>> {
    for (title, job) in jobs {
        println!("{title}");
        let mut rows: Vec<_> = programs
            .iter()
            .filter(|program| program.can(*job))
            .map(|program| (program, Vec::new()))
            .collect();
        for round in 0..=RUNS {
            let mut failed = Vec::new();
            for (n, (program, times)) in rows.iter_mut().enumerate() {
                match program.time(*job, volume) {
                    // The first round warms caches.
                    Ok(time) if round > 0 => times.push(time),
                    Ok(_) => {}
                    // Not every program knows every cipher.
                    Err(error) if n > 0 => {
                        println!("  {:<24} left out: {}", program.name(), first_line(&error.to_string()));
                        failed.push(n);
                    }
                    Err(error) => return Err(error),
                }
            }
            failed.into_iter().rev().for_each(|n| drop(rows.remove(n)));
        }
        let mut own = None;
        for (program, times) in &mut rows {
            let median = median(times);
            let own = *own.get_or_insert(median);
            let (least, most) = (times.first().copied(), times.last().copied());
            println!(
                "  {:<24} {:>8}   ({} to {})   lastkey takes {:.2} of its time",
                program.name(),
                show(median),
                show(least.unwrap_or_default()),
                show(most.unwrap_or_default()),
                own.as_secs_f64() / median.as_secs_f64(),
            );
        }
    }
    Ok(())
}

fn first_line(text: &str) -> &str {
    text.lines().find(|line| line.contains("libbde_")).or(text.lines().next()).unwrap_or_default()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
