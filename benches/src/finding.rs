//! `lastkey find` beside grep and ripgrep: whole processes, in turn, on 100,000 small files in memory.
//! Prints medians and ratios, never a verdict.
//!
//! `cargo run --release -p lastkey-benches --bin finding` (Debian: `apt-get install ripgrep`). With an
//! argument, that `lastkey` is measured instead of one that is built first.
//!
//! The peers look for one pattern in the bytes of ASCII. lastkey also reads UTF-16, ZIP, Office, PDF, RTF, JSON, CSV
//! and LDIF, checks the digits, and pairs them with key IDs.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const FILES: usize = 100_000;
const FOLDERS: usize = 500;
/// One file in so many holds a key.
const WITH_KEY: usize = 5_000;
const RUNS: usize = 5;
const PATTERN: &str = "([0-9]{6}-){7}[0-9]{6}";
const KEY: &str = "284867-596541-514998-422114-660297-261613-215424-199408";

fn main() -> Result<(), Box<dyn Error>> {
    let lastkey = std::env::args_os().nth(1).map_or_else(build, |path| Ok(std::path::absolute(path)?))?;
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
    let bytes = make(folder.path())?;
    println!("{FILES} files, {} MB, {} of them with a key\n", bytes / 1_000_000, FILES / WITH_KEY);

    let command = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).arg(folder.path());
        command
    };
    let mut rows = vec![("lastkey find", command(&lastkey, &["find", "--in"]), Vec::new())];
    for (name, arguments) in [("grep", &["-rlE", PATTERN][..]), ("rg", &["-uuul", PATTERN])] {
        match ["/usr/bin", "/bin"]
            .map(|folder| Path::new(folder).join(name))
            .into_iter()
            .find(|path| path.is_file())
        {
            Some(path) => rows.push((name, command(&path, arguments), Vec::new())),
            None => println!("({name} is not installed, and left out)"),
        }
    }
    for round in 0..=RUNS {
        for (name, command, times) in &mut rows {
            let started = Instant::now();
            let output = command.stdin(Stdio::null()).output()?;
            let took = started.elapsed();
            let found =
                String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains("key-")).count();
            if found == 0 || !output.status.success() {
                return Err(
                    format!("{name} finds nothing: {}", String::from_utf8_lossy(&output.stderr)).into()
                );
            }
            // The first round warms caches.
            if round > 0 {
                times.push(took);
            }
        }
    }
    let mut own = None;
    for (name, _, times) in &mut rows {
        times.sort_unstable();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        let own: Duration = *own.get_or_insert(median);
        println!(
            "  {name:<14} {:>6.2} s  {:>11.0} files a minute   lastkey takes {:.2} of its time",
            median.as_secs_f64(),
            FILES as f64 * 60.0 / median.as_secs_f64(),
            own.as_secs_f64() / median.as_secs_f64(),
        );
    }
    Ok(())
}

/// Builds the program as it is released.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--locked", "--package", "lastkey"])
        .status()?;
    if !status.success() {
        return Err("lastkey does not build".into());
    }
    Ok(std::env::current_exe()?.with_file_name("lastkey"))
}

/// Makes files as they lie in a home: notes, logs, tables, sources, settings, and bytes of programs.
fn make(folder: &Path) -> Result<u64, Box<dyn Error>> {
    let mut state = 1_u64;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let words =
        ["the", "drive", "invoice", "2026", "meeting", "0x1f", "naïve", "return", "=", "1234,56", "\n"];
    let mut all = 0;
    for number in 0..FILES {
        let place = folder.join(format!("{:03}", number % FOLDERS));
        if number < FOLDERS {
            fs::create_dir(&place)?;
        }
        let length = 200 + next(3000);
        let mut bytes = Vec::with_capacity(length + 100);
        while bytes.len() < length {
            match number % 5 {
                0 => bytes.extend((0..64).map(|_| next(256) as u8)),
                1 => bytes.extend(
                    format!("2026-11-{:02} 12:{:02}:00 INFO {}\n", next(28), next(60), next(100_000)).bytes(),
                ),
                2 => bytes
                    .extend(format!("{},{},\"{}\"\n", next(1000), next(1_000_000), words[next(8)]).bytes()),
                _ => bytes.extend(format!("{} ", words[next(words.len())]).bytes()),
            }
        }
        let name = if number % WITH_KEY == 1 {
            bytes.extend(format!("\nRecovery Key:\n\n\t{KEY}\n").bytes());
            format!("key-{number}.txt")
        } else {
            format!("{number}.txt")
        };
        all += bytes.len() as u64;
        fs::write(place.join(name), bytes)?;
    }
    Ok(all)
}
