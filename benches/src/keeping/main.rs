//! lastkeyd beside a server for escrow as Django makes one (`benches/peer/escrow.py`, which says what it does and what it
//! leaves out): records that come in, keys that are looked for among a million, what both take while nothing happens,
//! and how soon they answer. The machine's processors are shared by server and clients, and by whatever else runs; so
//! the processor time of each answer is printed too, the server's (with that of its PostgreSQL) and the clients'. Prints
//! figures and ratios of one run, never a verdict.
//!
//! `cargo run --release -p lastkey-benches --bin keeping [RECORDS [SERVER...]]`, where the servers are `sqlite`,
//! `postgresql`, `django-kept` and `django`; all of them when none is named (Debian: `apt-get install postgresql
//! python3-venv`)

mod django;
mod load;
mod ours;
mod processes;

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use django::Django;
use lastkey_tests::postgres::{Postgres, postgres_with};
use load::{Asked, Server, flood, trickle};
use ours::Ours;
use processes::{busy, children};

/// How many records are there before.
const RECORDS: usize = 1_000_000;
/// What is measured when nothing is said; ratios are to the last.
const SERVERS: [&str; 4] = ["sqlite", "postgresql", "django-kept", "django"];
/// How many requests of a kind a fast server is asked, and a slow one.
const MANY: usize = 10_000;
const FEW: usize = 2_000;
/// How long it is asked half as fast as it goes.
const HALF: Duration = Duration::from_secs(10);
/// What PostgreSQL has when nobody sets it; the tests' has less.
const SETTINGS: [&str; 1] = ["shared_buffers=128MB"];

/// What was measured of a server.
struct Figures {
    name: &'static str,
    uploads: Pace,
    searches: Pace,
    idle: f64,
    after: f64,
    started: f64,
}

/// How fast it is at most, and how long an answer takes at half of that.
struct Pace {
    most: Asked,
    half: Asked,
    /// The processor time of the server per answer.
    busy: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let records = arguments.next().map_or(Ok(RECORDS), |count| count.parse())?;
    let mut servers: Vec<String> = arguments.collect();
    if servers.is_empty() {
        servers = SERVERS.map(str::to_owned).to_vec();
    }
    println!(
        "{records} records, {} connections at once, server and clients on the same processors\n",
        load::CONNECTIONS
    );
    let all = servers.iter().map(|server| figures(server, records)).collect::<Result<Vec<_>, _>>()?;
    print(&all);
    Ok(())
}

/// Starts a server, and measures it.
fn figures(server: &str, records: usize) -> Result<Figures, Box<dyn Error>> {
    match server {
        "sqlite" => of_ours("lastkeyd, SQLite", &Ours::start(None, records)?, None),
        "postgresql" => {
            let cluster = cluster()?;
            of_ours("lastkeyd, PostgreSQL", &Ours::start(Some(&cluster), records)?, Some(&cluster))
        }
        "django-kept" => of_django("Django, connections kept", records, true),
        "django" => of_django("Django, as Crypt-Server sets it", records, false),
        other => Err(format!("{other} is none of {}", SERVERS.join(", ")).into()),
    }
}

/// Prints what was measured; ratios to the server that was measured last.
fn print(all: &[Figures]) {
    let Some(peer) = all.last() else { return };
    for (title, pace) in [
        ("records in", (|figures| &figures.uploads) as fn(&Figures) -> &Pace),
        ("searches by the first 8 of a key ID", |figures| &figures.searches),
    ] {
        println!("{title:36} /second   ratio   processor   ratio    clients   half load: p50       p99");
        let least = pace(peer);
        for figures in all {
            let Pace { most, half, busy } = pace(figures);
            println!(
                "  {:32} {:9.0} {:6.1}x {:>11} {:6.1}x {:>10} {:>16} {:>9}",
                figures.name,
                most.rate,
                most.rate / least.most.rate,
                milliseconds(*busy),
                least.busy.as_secs_f64() / busy.as_secs_f64(),
                milliseconds(most.busy),
                milliseconds(half.percentile(50)),
                milliseconds(half.percentile(99)),
            );
        }
    }
    println!("{:36} idle, MiB   after load   first answer", "the process");
    for Figures { name, idle, after, started, .. } in all {
        println!("  {name:34} {idle:9.1} {after:12.1} {started:12.2} s");
    }
}

fn cluster() -> Result<Postgres, Box<dyn Error>> {
    Ok(postgres_with(&SETTINGS).ok_or("there is no PostgreSQL")?)
}

/// Returns all processes of a PostgreSQL.
fn processes_of(cluster: &Postgres) -> Vec<u32> {
    children(cluster.id()).into_iter().chain([cluster.id()]).collect()
}

fn of_ours(name: &'static str, ours: &Ours, cluster: Option<&Postgres>) -> Result<Figures, Box<dyn Error>> {
    let idle = ours.memory();
    let spent = || {
        let others = cluster.map(processes_of).unwrap_or_default();
        busy(&others) + busy(&[ours.process()])
    };
    let data = cluster.map_or_else(|| ours.data(), Postgres::data);
    let asked = Subject { name, server: ours.server(), data, spent: &spent };
    let searches = asked.pace("searches", MANY, 200, |count| Ok(ours.searches(count)))?;
    let uploads = asked.pace("records", MANY, 201, |count| ours.uploads(count))?;
    Ok(Figures { name, uploads, searches, idle, after: ours.memory(), started: ours.started() })
}

fn of_django(name: &'static str, records: usize, keep: bool) -> Result<Figures, Box<dyn Error>> {
    let cluster = cluster()?;
    let peer = Django::start(&django::python()?, &cluster, records, keep)?;
    let idle = peer.memory();
    let spent = || busy(&processes_of(&cluster)) + busy(&peer.processes());
    let asked = Subject { name, server: peer.server(), data: cluster.data(), spent: &spent };
    let searches = asked.pace("searches", FEW, 200, |count| Ok(peer.searches(count)))?;
    let uploads = asked.pace("records", FEW, 200, |count| {
        (0..count).map(|number| Ok(Django::check_in(number, &key_id()?))).collect()
    })?;
    Ok(Figures { name, uploads, searches, idle, after: peer.memory(), started: peer.started() })
}

/// Who is asked.
struct Subject<'s> {
    name: &'static str,
    server: &'s Server,
    /// The folder with its database.
    data: PathBuf,
    /// Returns the processor time that it has taken so far, in seconds.
    spent: &'s dyn Fn() -> f64,
}

impl Subject<'_> {
    /// Asks as fast as it goes, and then half as fast.
    fn pace(
        &self,
        what: &str,
        count: usize,
        status: u16,
        requests: impl Fn(usize) -> Result<Vec<Vec<u8>>, Box<dyn Error>>,
    ) -> Result<Pace, Box<dyn Error>> {
        let Self { name, server, spent, .. } = self;
        let begun = Instant::now();
        self.settle()?;
        flood(server, &requests(count / 10)?, status)?;
        let all = requests(count)?;
        let before = spent();
        let most = flood(server, &all, status)?;
        let busy = Duration::from_secs_f64((spent() - before) / count as f64);
        eprintln!("  {name}: {:.0} {what}/s, {} each", most.rate, milliseconds(busy));
        let few = requests((most.rate / 2.0 * HALF.as_secs_f64()) as usize)?;
        self.settle()?;
        let half = trickle(server, &few, status, most.rate / 2.0)?;
        let p99 = milliseconds(half.percentile(99));
        eprintln!("  {name}: p99 {p99} at half load; {:.0} s", begun.elapsed().as_secs_f64());
        Ok(Pace { most, half, busy })
    }

    /// Has the disk take what the database was filled with, or what was asked before, and the machine have it all in
    /// memory, as one has that is at its work: neither is measured.
    fn settle(&self) -> Result<(), Box<dyn Error>> {
        rustix::fs::sync();
        let mut folders = vec![self.data.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                match entry.file_type()? {
                    kind if kind.is_dir() => folders.push(entry.path()),
                    // PostgreSQL takes files away meanwhile.
                    kind if kind.is_file() => drop(read_through(&entry.path())),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn read_through(file: &Path) -> io::Result<()> {
    let (mut file, mut piece) = (File::open(file)?, vec![0; 1 << 20]);
    while file.read(&mut piece)? > 0 {}
    Ok(())
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// Returns a key ID that nobody has had.
fn key_id() -> Result<String, Box<dyn Error>> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:X}", uuid::Uuid::from_bytes(bytes)))
}

/// Returns the seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Returns every how many records one is looked for.
fn spread(records: usize) -> usize {
    (records / MANY).max(1)
}

fn free_port() -> Result<u16, Box<dyn Error>> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
