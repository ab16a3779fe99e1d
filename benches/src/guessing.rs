//! `lastkey repair` beside hashcat: how many candidates for a secret each tries on one drive in a second, on
//! all cores of the processor. Whole processes, in turn. Prints medians and ratios, never a verdict: one
//! of the time of day, one of the processor's time, which a busy machine does not spoil.
//!
//! `cargo build --release -p lastkey && cargo run --release -p lastkey-benches --bin guessing`
//! (Debian: `apt-get install hashcat pocl-opencl-icd`). With an argument, that `lastkey` is measured.
//!
//! hashcat (-m 22100) knows the drive's password, but not its recovery key: it refuses such hashes. The work
//! is the same all the same: 1,048,576 SHA-256 with the salt of one protector for each candidate.

mod volume;

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fve::{Method, ProtectorKind, ReadAt, Volume};
use rustix::process::{Pid, Signal, kill_process};

const SIZE: u64 = 64 << 20;
const RUNS: usize = 3;
const SECONDS: u64 = 40;
/// All but the last group of a key that is not the drive's.
const HINTS: &str = "132858-327525-689172-680790-354607-080454-642268-??????";

fn main() -> Result<(), Box<dyn Error>> {
    let lastkey = match std::env::args_os().nth(1) {
        Some(path) => std::path::absolute(path)?,
        None => std::env::current_exe()?.with_file_name("lastkey"),
    };
    if !lastkey.is_file() {
        return Err("lastkey is not built yet: cargo build --release -p lastkey".into());
    }
    let folder = tempfile::tempdir()?;
    let drive = folder.path().join("drive.img");
    volume::make(&drive, SIZE, Method::AesXts128, 0)?;
    fs::write(folder.path().join("hints"), HINTS)?;
    fs::write(folder.path().join("hash"), hash_of_the_password(&drive)?)?;

    let hashcat = Path::new("/usr/bin/hashcat");
    let hashcat = hashcat.is_file().then_some(hashcat);
    match hashcat {
        Some(hashcat) => {
            // It compiles its kernel, for a minute or so.
            run_hashcat(hashcat, folder.path(), 5)?;
        }
        None => println!("(hashcat is not installed, and left out)"),
    }
    let (mut own, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        own.push(run_lastkey(&lastkey, folder.path(), &drive)?);
        if let Some(hashcat) = hashcat {
            peer.push(run_hashcat(hashcat, folder.path(), SECONDS)?);
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{RUNS} runs of {SECONDS} s each, in turn; {cores} cores\n");
    let of = |rates: &[Rate], which: fn(&Rate) -> f64| rates.iter().map(which).collect::<Vec<_>>();
    for (title, which) in [
        ("Candidates a second, on all cores", (|rate| rate.by_clock) as fn(&Rate) -> f64),
        ("Candidates in a second of one core's time", |rate| rate.by_core),
    ] {
        println!("{title}");
        let ours = row("lastkey repair", &mut of(&own, which));
        if !peer.is_empty() {
            let theirs = row("hashcat -m 22100", &mut of(&peer, which));
            println!("  lastkey tries {:.2} times as many\n", ours / theirs);
        }
    }
    Ok(())
}

/// How many candidates a program tried in a second.
struct Rate {
    by_clock: f64,
    by_core: f64,
}

/// When a program had tried so many.
#[derive(Clone, Copy)]
struct Moment {
    tried: f64,
    at: Instant,
    cpu: f64,
}

impl Moment {
    fn now(tried: f64, child: &Child) -> Result<Self, Box<dyn Error>> {
        Ok(Self { tried, at: Instant::now(), cpu: cpu_seconds(child)? })
    }

    fn rate_until(&self, end: &Self) -> Rate {
        let tried = end.tried - self.tried;
        Rate { by_clock: tried / (end.at - self.at).as_secs_f64(), by_core: tried / (end.cpu - self.cpu) }
    }
}

/// Returns the processor time of a process and its threads, also when it has just ended.
fn cpu_seconds(child: &Child) -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
    // Behind the name, which may hold anything; in hundredths of a second.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<f64>().ok()).ok_or("no times");
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

fn row(name: &str, rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    let median = rates[rates.len() / 2];
    println!("  {name:<18} {median:>7.1}   ({:.1} to {:.1})", rates[0], rates[rates.len() - 1]);
    median
}

/// Searches for a while, is stopped, and says how many it tried.
fn run_lastkey(lastkey: &Path, folder: &Path, drive: &Path) -> Result<Rate, Box<dyn Error>> {
    let mut command = Command::new(lastkey);
    command.args(["repair", "--reveal", "--slips", "0", "--hints-file", "hints"]).arg(drive);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut lines = BufReader::new(child.stderr.take().ok_or("no pipe")?).lines();
    while !lines.next().ok_or("lastkey does not begin")??.starts_with("Searching") {}
    let begun = Moment::now(0.0, &child)?;
    std::thread::sleep(Duration::from_secs(SECONDS));
    kill_process(Pid::from_child(&child), Signal::INT)?;
    let said = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("candidates tried in")));
    let said = said.ok_or("lastkey does not say how many")??;
    let tried = said.split(' ').next().unwrap_or_default().replace(',', "").parse()?;
    let rate = begun.rate_until(&Moment::now(tried, &child)?);
    child.wait()?;
    Ok(rate)
}

/// Runs hashcat for so many seconds, between the first and the last time that its status says more.
fn run_hashcat(hashcat: &Path, folder: &Path, seconds: u64) -> Result<Rate, Box<dyn Error>> {
    let mut child = Command::new(hashcat)
        .args(["--force", "-D", "1", "-m", "22100", "-a", "3", "--self-test-disable", "--potfile-disable"])
        .args(["--status", "--status-timer", "1", "--session", "lastkey", "--runtime", &seconds.to_string()])
        .args(["hash", "candidate?d?d?d?d?d?d"])
        .current_dir(folder)
        // Its kernels and logs stay here, and go with the folder.
        .env("HOME", folder)
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_CACHE_HOME")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut moments: Vec<Moment> = Vec::new();
    for line in BufReader::new(child.stdout.take().ok_or("no pipe")?).lines() {
        let line = line?;
        let Some(progress) = line.strip_prefix("Progress.........:") else { continue };
        let tried = progress.trim().split('/').next().unwrap_or_default().parse()?;
        if tried > moments.last().map_or(0.0, |last| last.tried) {
            moments.push(Moment::now(tried, &child)?);
        }
    }
    child.wait()?;
    match moments.as_slice() {
        [first, .., last] => Ok(first.rate_until(last)),
        _ if seconds < SECONDS => Ok(Rate { by_clock: 0.0, by_core: 0.0 }),
        _ => Err("hashcat does not say how many it tried".into()),
    }
}

/// Writes the password's protector as hashcat reads it.
fn hash_of_the_password(drive: &Path) -> Result<String, Box<dyn Error>> {
    let volume = Volume::open(Arc::new(Image(File::open(drive)?)))?;
    let protectors = volume.protectors();
    let protector =
        protectors.iter().find(|protector| protector.kind == ProtectorKind::Password).ok_or("no password")?;
    let (salt, sealed) = (protector.salt().ok_or("no salt")?, protector.sealed_vmk().ok_or("no VMK")?);
    let data = [&sealed.tag[..], &sealed.ciphertext].concat();
    let length = data.len();
    Ok(format!("$bitlocker$1$16${}$1048576$12${}${length}${}\n", hex(salt), hex(&sealed.nonce), hex(&data)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

struct Image(File);

impl ReadAt for Image {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, buf, offset)
    }

    fn size(&self) -> u64 {
        SIZE
    }
}
