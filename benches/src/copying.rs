//! What it costs to write a decrypted copy: `lastkey read` into nothing, into files of every kind, and `qemu-img convert`
//! of the decrypted bytes, in turn, in memory. Prints medians and how they compare, never a verdict.
//!
//! `cargo run --release -p lastkey-benches --bin copying` (Debian: `apt-get install qemu-utils`)

mod volume;

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fve::Method;

const SIZE: u64 = 1 << 30;
const RUNS: usize = 5;

/// What is timed.
#[derive(Clone, Copy)]
enum Way {
    /// `lastkey read` into the null device.
    Nowhere,
    /// `lastkey read --out -` into a file: every zero is written.
    Stream,
    /// `lastkey read` into a new file, with these options.
    NewFile(&'static [&'static str]),
    /// `qemu-img convert` of the decrypted bytes, into this format: nothing to decrypt.
    Qemu(&'static str),
}

const WAYS: [(&str, Way); 7] = [
    ("lastkey to nowhere", Way::Nowhere),
    ("lastkey, every zero written", Way::Stream),
    ("lastkey raw", Way::NewFile(&[])),
    ("lastkey raw --resume", Way::NewFile(&["--resume"])),
    ("lastkey qcow2", Way::NewFile(&["--format", "qcow2"])),
    ("qemu-img raw", Way::Qemu("raw")),
    ("qemu-img qcow2", Way::Qemu("qcow2")),
];

fn main() -> Result<(), Box<dyn Error>> {
    let own = std::env::current_exe()?;
    let lastkey = own.with_file_name("lastkey");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = ["build", "--quiet", "--release", "--locked", "--package", "lastkey"];
    if !Command::new(cargo).args(build).status()?.success() {
        return Err("lastkey does not build".into());
    }
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
    let rig = Rig { lastkey, folder: folder.path().to_owned() };
    fs::write(rig.path("password"), volume::PASSWORD)?;
    for (filled, name) in [(16, "full"), (8, "half empty"), (0, "empty")] {
        println!("A drive of 1 GiB that is {name}");
        volume::make(&rig.path("drive"), SIZE, Method::AesXts128, filled)?;
        rig.run(&mut rig.read("plain", &[]))?;
        let mut rows: Vec<_> = WAYS.map(|(name, way)| (name, way, Vec::new())).into();
        for round in 0..=RUNS {
            for (_, way, times) in &mut rows {
                let time = rig.time(*way)?;
                // The first round warms caches.
                if round > 0 {
                    times.extend(time);
                }
            }
        }
        let mut first = None;
        for (name, _, times) in &mut rows {
            times.sort_unstable();
            let Some(median) = times.get(RUNS / 2) else {
                println!("  {name:<28} left out: not installed");
                continue;
            };
            let first = *first.get_or_insert(median.as_secs_f64());
            println!("  {name:<28} {:.2} of the time to nowhere", median.as_secs_f64() / first);
        }
        fs::remove_file(rig.path("plain"))?;
    }
    Ok(())
}

struct Rig {
    lastkey: PathBuf,
    folder: PathBuf,
}

impl Rig {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn read(&self, out: &str, options: &[&str]) -> Command {
        let mut command = Command::new(&self.lastkey);
        command.arg("read").arg(self.path("drive")).arg("--password-file").arg(self.path("password"));
        command.arg("--out").arg(if out.starts_with(['-', '/']) { out.into() } else { self.path(out) });
        command.args(options);
        command
    }

    /// Times one way, without opening the drive; `None` when the program is not installed.
    fn time(&self, way: Way) -> Result<Option<Duration>, Box<dyn Error>> {
        let mut command = match way {
            Way::Nowhere => self.read("/dev/null", &[]),
            Way::Stream => self.read("-", &[]),
            Way::NewFile(options) => self.read("copy", options),
            Way::Qemu(format) => {
                let mut command = Command::new("qemu-img");
                command.args(["convert", "-f", "raw", "-O", format]).arg(self.path("plain"));
                command.arg(self.path("copy"));
                command
            }
        };
        if matches!(way, Way::Stream) {
            command.stdout(File::create(self.path("copy"))?);
        } else {
            command.stdout(Stdio::null());
        }
        let started = Instant::now();
        let status = match command.stderr(Stdio::null()).status() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            status => status?,
        };
        let took = started.elapsed();
        if !status.success() {
            return Err(format!("{command:?}: {status}").into());
        }
        let _ = fs::remove_file(self.path("copy"));
        if matches!(way, Way::Qemu(_)) {
            return Ok(Some(took));
        }
        let started = Instant::now();
        self.run(&mut self.read("/dev/null", &["--length", "0"]))?;
        Ok(Some(took.saturating_sub(started.elapsed())))
    }

    fn run(&self, command: &mut Command) -> Result<(), Box<dyn Error>> {
        let output = command.output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}
