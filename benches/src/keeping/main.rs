//! lastkeyd beside a server for escrow as Django makes one (`benches/peer/escrow.py`): records that come in, keys that
//! are looked for among a million, what both take while nothing happens, and how soon they answer. Ours speaks TLS,
//! checks a signature, keeps an audit log; the peer does none of that. Prints figures and ratios of one run, never a
//! verdict.
//!
//! `cargo run --release -p lastkey-benches --bin keeping [RECORDS]` (Debian: `apt-get install postgresql python3-venv`)

mod django;
mod load;
mod ours;

use std::error::Error;
use std::fs;
use std::net::TcpListener;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use django::Django;
use lastkey_tests::postgres::postgres;
use load::{Asked, Server, flood, trickle};
use ours::Ours;

/// How many records are there before.
const RECORDS: usize = 1_000_000;
/// How many requests of a kind a fast server is asked, and a slow one.
const MANY: usize = 20_000;
const FEW: usize = 2_000;

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
    most: f64,
    half: Asked,
}

fn main() -> Result<(), Box<dyn Error>> {
    let records = std::env::args().nth(1).map_or(Ok(RECORDS), |count| count.parse())?;
    let python = django::python()?;
    println!(
        "{records} records, {} connections at once, server and clients on the same processors\n",
        load::CONNECTIONS
    );

    let ours = Ours::start(None, records)?;
    let sqlite = of_ours("lastkeyd, SQLite", &ours)?;
    drop(ours);
    let Some(cluster) = postgres() else { return Err("there is no PostgreSQL".into()) };
    let ours = Ours::start(Some(&cluster), records)?;
    let postgresql = of_ours("lastkeyd, PostgreSQL", &ours)?;
    drop((ours, cluster));
    let Some(cluster) = postgres() else { return Err("there is no PostgreSQL".into()) };
    let peer = Django::start(&python, &cluster, records)?;
    let django = of_django(&peer)?;

    let all = [&sqlite, &postgresql, &django];
    for (title, pace) in [
        ("records in", (|figures| &figures.uploads) as fn(&Figures) -> &Pace),
        ("searches by the first 8 of a key ID", |figures| &figures.searches),
    ] {
        println!("{title:38} per second    ratio   at half load: p50       p99");
        for figures in all {
            let Pace { most, half } = pace(figures);
            println!(
                "  {:36} {most:10.0} {:7.1}x {:>18} {:>9}",
                figures.name,
                most / pace(&django).most,
                milliseconds(half.percentile(50)),
                milliseconds(half.percentile(99)),
            );
        }
    }
    println!("{:38} idle, MiB   after load   first answer", "the process");
    for Figures { name, idle, after, started, .. } in all {
        println!("  {name:36} {idle:9.1} {after:12.1} {started:12.2} s");
    }
    Ok(())
}

fn of_ours(name: &'static str, ours: &Ours) -> Result<Figures, Box<dyn Error>> {
    let idle = ours.memory();
    let searches = pace(ours.server(), MANY, 200, |count| {
        (0..count).map(|_| Ok(ours.search(&key_id()?[..8]))).collect()
    })?;
    let uploads = pace(ours.server(), MANY, 201, |count| ours.uploads(count))?;
    Ok(Figures { name, uploads, searches, idle, after: ours.memory(), started: ours.started() })
}

fn of_django(peer: &Django) -> Result<Figures, Box<dyn Error>> {
    let idle = peer.memory();
    let searches = pace(peer.server(), FEW, 200, |count| {
        (0..count).map(|_| Ok(Django::search(&key_id()?[..8]))).collect()
    })?;
    let uploads = pace(peer.server(), FEW, 200, |count| {
        (0..count).map(|number| Ok(Django::check_in(number, &key_id()?))).collect()
    })?;
    let name = "Django, PostgreSQL";
    Ok(Figures { name, uploads, searches, idle, after: peer.memory(), started: peer.started() })
}

/// Asks as fast as it goes, and then half as fast.
fn pace(
    server: &Server,
    count: usize,
    status: u16,
    requests: impl Fn(usize) -> Result<Vec<Vec<u8>>, Box<dyn Error>>,
) -> Result<Pace, Box<dyn Error>> {
    flood(server, &requests(count / 10)?, status)?;
    let most = flood(server, &requests(count)?, status)?.rate;
    let half = trickle(server, &requests(count)?, status, most / 2.0)?;
    Ok(Pace { most, half })
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
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

/// Returns the memory that a process has, in MiB.
fn memory(id: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}

fn free_port() -> Result<u16, Box<dyn Error>> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
