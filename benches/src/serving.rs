//! `lastkey nbd` beside plain decryption: how fast the clients of others read a drive through it, and whether they
//! or the server are the limit (`qemu-nbd` lends the same bytes without decrypting anything). Whole processes, in
//! turn, on volumes of noise in memory. Prints medians and ratios, never a verdict.
//!
//! `cargo build --release -p lastkey && cargo run --release -p lastkey-benches --bin serving`
//! (Debian: `apt-get install libnbd-bin qemu-utils dislocker`). With an argument, that `lastkey` is measured.

mod volume;

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fve::Method;
use rustix::process::{Pid, Signal, kill_process};

const SIZE: u64 = 1 << 30;
const RUNS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let lastkey = match std::env::args_os().nth(1) {
        Some(path) => std::path::absolute(path)?,
        None => std::env::current_exe()?.with_file_name("lastkey"),
    };
    if !lastkey.is_file() {
        return Err("lastkey is not built yet: cargo build --release -p lastkey".into());
    }
    // Volumes lie in memory, so that no disk is measured.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
    let folder = folder.path();
    fs::write(folder.join("password"), volume::PASSWORD)?;
    println!(
        "Reading 1 GiB of noise from memory, MB/s, and the processor time of server and client, which a busy machine\n\
         does not spoil; of lastkey read without unlocking\n"
    );
    for method in [Method::AesXts128, Method::AesXts256, Method::AesCbc128Diffuser] {
        let drive = folder.join("drive.img");
        volume::make(&drive, SIZE, method, volume::FULL)?;
        println!("{method}");
        table(&lastkey, &drive, folder)?;
    }
    Ok(())
}

/// A way to read the drive.
struct Way<'a> {
    name: String,
    server: Option<&'a Server>,
    run: Box<dyn Fn() -> Timed + 'a>,
    times: Vec<Duration>,
    /// Processor seconds of the server and of the client.
    busy: Vec<[f64; 2]>,
}

/// Reads the drive in every way, in turn.
fn table(lastkey: &Path, drive: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    let decrypted = Server::of_lastkey(lastkey, drive, folder)?;
    let plain = Server::of_qemu(drive, folder)?;
    let password = folder.join("password");
    let way = |name: String, server, run| Way { name, server, run, times: Vec::new(), busy: Vec::new() };
    let mut ways =
        vec![way("lastkey read".to_owned(), None, Box::new(|| read(lastkey, drive, &password)) as Box<_>)];
    for (name, server) in [("lastkey nbd", Some(&decrypted)), ("qemu-nbd, not decrypted", plain.as_ref())] {
        let Some(server) = server else { continue };
        let of = |(client, run): (&str, Client)| {
            way(format!("{name} > {client}"), Some(server), Box::new(move || run(&server.uri)))
        };
        ways.extend(CLIENTS.map(of));
    }
    for round in 0..=RUNS {
        for way in &mut ways {
            let server = || way.server.map_or(Ok(0.0), |server| seconds(&server.child.id().to_string(), 11));
            let before = server()?;
            match (way.run)() {
                // The first round warms caches.
                Ok((time, client)) if round > 0 => {
                    way.busy.push([server()? - before, client]);
                    way.times.push(time);
                }
                Ok(_) => {}
                Err(error) if round == 0 => println!("  left out: {error}"),
                Err(_) => {}
            }
        }
    }
    let mut raw = None;
    for way in &mut ways {
        way.times.sort_unstable();
        way.busy.sort_unstable_by(|a, b| (a[0] + a[1]).total_cmp(&(b[0] + b[1])));
        let middle = way.times.len() / 2;
        let (Some(median), Some([server, client])) = (way.times.get(middle), way.busy.get(middle)) else {
            continue;
        };
        let rate = |time: &Duration| SIZE as f64 / 1e6 / time.as_secs_f64();
        let raw = *raw.get_or_insert(rate(median));
        println!(
            "  {:<52} {:>6.0}   ({:.0} to {:.0})   {:.2} of lastkey read   {server:.2} s + {client:.2} s",
            way.name,
            rate(median),
            way.times.last().map_or(0.0, rate),
            way.times.first().map_or(0.0, rate),
            rate(median) / raw,
        );
    }
    Ok(())
}

/// Returns two times of a process from the fields of its `stat` on: its own (11), or those of its children that have
/// ended (13).
fn seconds(process: &str, first: usize) -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Behind the name, which may hold anything; in hundredths of a second.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Result<Vec<f64>, _> = fields.skip(first).take(2).map(str::parse).collect();
    Ok(ticks?.iter().sum::<f64>() / 100.0)
}

/// How long a program took, and how much of a processor's time.
type Timed = Result<(Duration, f64), Box<dyn Error>>;
type Client = fn(&str) -> Timed;

/// What reads all of an export.
const CLIENTS: [(&str, Client); 4] = [
    ("nbdcopy", |uri| time(Command::new("nbdcopy").args([uri, "null:"]))),
    ("nbdcopy, one connection", |uri| time(Command::new("nbdcopy").args(["--connections=1", uri, "null:"]))),
    ("qemu-img bench, 256 KiB", |uri| {
        let count = (SIZE / (256 << 10)).to_string();
        time(
            Command::new("qemu-img")
                .args(["bench", "-f", "raw", "-d", "16", "-s", "256k", "-c", &count, uri]),
        )
    }),
    ("qemu-img convert", |uri| {
        let target = format!("driver=null-co,size={SIZE}");
        time(Command::new("qemu-img").args([
            "convert",
            "-n",
            "-W",
            "-m",
            "8",
            "-f",
            "raw",
            "--target-image-opts",
            uri,
            &target,
        ]))
    }),
];

/// Reads a drive without a server; the time to open it is taken off.
fn read(lastkey: &Path, drive: &Path, password: &Path) -> Timed {
    let run = |more: &[&str]| {
        let mut command = Command::new(lastkey);
        command
            .arg("read")
            .arg(drive)
            .args(["--out", "/dev/null", "--password-file"])
            .arg(password)
            .args(more);
        time(&mut command)
    };
    let (whole, opening) = (run(&[])?, run(&["--length", "0"])?);
    Ok((whole.0.saturating_sub(opening.0), whole.1 - opening.1))
}

fn time(command: &mut Command) -> Timed {
    let before = seconds("self", 13)?;
    let started = Instant::now();
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let took = started.elapsed();
    let program = command.get_program().to_string_lossy().into_owned();
    match output {
        Err(error) => Err(format!("{program}: {error}").into()),
        Ok(output) if !output.status.success() => {
            Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)).into())
        }
        Ok(_) => Ok((took, seconds("self", 13)? - before)),
    }
}

/// A server that is ended when it is dropped.
struct Server {
    child: Child,
    uri: String,
}

impl Server {
    fn of_lastkey(lastkey: &Path, drive: &Path, folder: &Path) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(lastkey);
        command.arg("nbd").arg(drive).arg("--password-file").arg(folder.join("password"));
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let lines = BufReader::new(output).lines().map_while(Result::ok);
        let uri = lines.map(|line| line.trim().to_owned()).find(|line| line.starts_with("nbd+unix:"));
        Ok(Self { child, uri: uri.ok_or("lastkey nbd does not start")? })
    }

    /// `None` when it is not installed.
    fn of_qemu(drive: &Path, folder: &Path) -> Result<Option<Self>, Box<dyn Error>> {
        let socket: PathBuf = folder.join("qemu-nbd");
        let _ = fs::remove_file(&socket);
        let mut command = Command::new("qemu-nbd");
        command.args(["--read-only", "--persistent", "--shared=8", "--format=raw", "--cache=writeback"]);
        let Ok(child) = command.arg("--socket").arg(&socket).arg(drive).spawn() else {
            println!("(qemu-nbd is not installed, and left out)");
            return Ok(None);
        };
        while !socket.exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Some(Self { child, uri: format!("nbd+unix:///?socket={}", socket.display()) }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.child.wait();
    }
}
