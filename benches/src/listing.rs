//! The control panel: how long its page of a thousand BitLocker drives takes, and what the program takes while nobody
//! looks. There is no other such panel here to stand beside it. Prints figures, never a verdict.
//!
//! `cargo run --release --bin listing [IMAGE]`: IMAGE is a BitLocker drive, a thousand times the same one.

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use drives::{Attached, OpenError, Source};
use fve::ReadAt;
use panel::{Computer, Denied, Panel, Rights, Settings};

const DRIVES: usize = 1000;
const RUNS: usize = 20;
/// How long the idle program is watched.
const WATCHED: Duration = Duration::from_secs(10);

/// A computer with a thousand drives.
struct Simulated {
    image: Arc<dyn ReadAt>,
}

impl Computer for Simulated {
    fn attached(&self) -> Vec<Attached> {
        let drive = |number| {
            let mut drive = Attached::default();
            drive.name = format!("sd{number}");
            drive.path = format!("/dev/sd{number}").into();
            drive.size = self.image.size();
            drive.is_bitlocker = Some(true);
            drive.removable = number % 3 == 0;
            drive
        };
        (0..DRIVES).map(drive).collect()
    }

    fn open(&self, _: &Path) -> Result<Arc<dyn ReadAt>, OpenError> {
        Ok(Arc::clone(&self.image))
    }

    fn mark(&self) -> u64 {
        0
    }

    fn rights(&self) -> Rights {
        Rights::All
    }

    fn ask_for_rights(&self) -> Result<(), Denied> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let image = std::env::args_os().nth(1).map(PathBuf::from);
    let image = image.or_else(|| Some(lastkey_tests::real_drives()?.join("recovery_password.bin")));
    let image: Arc<dyn ReadAt> = Arc::new(Source::open(&image.ok_or("there is no real drive here")?)?);
    let folder = tempfile::tempdir()?;
    let panel = Panel::new(Settings {
        computer: Arc::new(Simulated { image }),
        images: Vec::new(),
        record: Some(folder.path().join("record.db")),
        accounts: None,
        home: None,
        port: 0,
        turn: None,
    })?;
    let (app, host) = (panel.app().clone(), panel.app().host.clone());
    let served = thread::spawn(move || panel.serve().map_err(|error| error.to_string()));
    let code = app.door.new_code();
    let cookie = format!("lastkey-panel={}", *app.door.enter(&code).map_err(|wrong| format!("{wrong:?}"))?);

    let (first, length) = ask(&host, &cookie, "/drives")?;
    let mut known = Vec::new();
    for _ in 0..RUNS {
        known.push(ask(&host, &cookie, "/drives")?.0);
    }
    let mut anew = Vec::new();
    for _ in 0..RUNS {
        app.inventory.forget();
        anew.push(ask(&host, &cookie, "/drives")?.0);
    }
    println!("{DRIVES} BitLocker drives on one page of {} kB", length / 1000);
    println!("  first                 {:8.1} ms", milliseconds(first));
    println!("  read anew, median     {:8.1} ms", milliseconds(median(anew)));
    println!("  unchanged, median     {:8.1} ms", milliseconds(median(known)));
    app.end.notify_one();
    served.join().map_err(|_| "the panel panicked")??;

    let idle = Idle::start(folder.path())?;
    thread::sleep(Duration::from_secs(2));
    let before = idle.processor_time()?;
    thread::sleep(WATCHED);
    let used = idle.processor_time()? - before;
    println!("lastkey panel while nobody looks");
    println!("  memory                {:8.1} MiB", idle.memory()?);
    println!("  processor, of {} s    {:6.0} ms", WATCHED.as_secs(), used);
    Ok(())
}

/// Asks for a page, and returns how long that took and how long the page is.
fn ask(host: &str, cookie: &str, path: &str) -> Result<(Duration, usize), Box<dyn Error>> {
    let port: u16 = host.rsplit(':').next().unwrap_or_default().parse()?;
    let started = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nSec-Fetch-Site: none\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if !answer.starts_with(b"HTTP/1.1 200") {
        return Err("the panel shows no page".into());
    }
    Ok((started.elapsed(), answer.len()))
}

/// The program, with nobody who looks at it.
struct Idle(Child);

impl Idle {
    fn start(home: &Path) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(lastkey_tests::program::path());
        command.args(["panel", "--no-browser"]).env("LASTKEY_RECORD", home.join("idle.db"));
        command.env("HOME", home).env_remove("XDG_RUNTIME_DIR");
        Ok(Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?))
    }

    /// Returns the memory that it has, in MiB.
    fn memory(&self) -> Result<f64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("it has ended")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }

    /// Returns the processor time that it has used, in milliseconds.
    fn processor_time(&self) -> Result<f64, Box<dyn Error>> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |field: usize| fields.get(field).and_then(|ticks| ticks.parse::<f64>().ok());
        // A tick is a hundredth of a second on every Linux.
        Ok((ticks(11).ok_or("no time")? + ticks(12).ok_or("no time")?) * 10.0)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
