//! Kills, in the middle of the work: what was acknowledged is there and whole. On SQLite the whole program is killed
//! (`tests/account/crash.rs`).

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use lastkeyd::store::Store;
use sha2::{Digest, Sha256};

use crate::place::{Place, add_account, from_hex, open, upload};

/// How often something is killed.
const KILLS: u32 = 200;
/// How often everything is checked meanwhile.
const CHECKS: u32 = 20;

/// Says to the child where to write. It holds no secret.
const CHILD: &str = "LASTKEY_TESTS_STORE_CHILD";

/// Not a test but the child: writes until it is killed, eight at a time, and says what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_writes_until_it_is_killed() {
    let Ok(started) = std::env::var(CHILD) else { return };
    let (first, url) = started.split_once(' ').unwrap();
    let first: u32 = first.parse().unwrap();
    let store = open(url).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let store = store.clone();
        writers.spawn(async move {
            for number in (first..).skip(writer).step_by(8) {
                let mut upload = upload(number, &sealed(number));
                upload.nonce.bytes = number.to_le_bytes().to_vec();
                if let Ok(receipt) = store.add_record(upload).await {
                    println!("\nacknowledged {} {number}", receipt.record);
                }
            }
        });
    }
    writers.join_all().await;
}

/// Of very different lengths.
fn sealed(number: u32) -> Vec<u8> {
    let mut bytes = format!("age-encryption.org/v1 {number}\n").into_bytes();
    bytes.resize(100 + (number as usize * 997) % 30_000, number as u8);
    bytes
}

struct Writer {
    child: Child,
    said: Receiver<(Vec<u8>, u32)>,
}

impl Writer {
    fn start(url: &str, first: u32) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "crash::child_that_writes_until_it_is_killed",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(CHILD, format!("{first} {url}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (say, said) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((id, number)) =
                    line.strip_prefix("acknowledged ").and_then(|said| said.split_once(' '))
                {
                    let _ = say.send((from_hex(id), number.parse().unwrap()));
                }
            }
        });
        Self { child, said }
    }

    /// Waits until something was acknowledged, so that the kill comes in the middle of work.
    fn first(&self) -> (Vec<u8>, u32) {
        self.said.recv_timeout(Duration::from_secs(60)).expect("something acknowledged")
    }

    /// Kills it, and returns all that it has said since [`Writer::first`].
    fn kill(mut self) -> Vec<(Vec<u8>, u32)> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.said.into_iter().collect()
    }
}

/// A moment between nothing and so many milliseconds, another each time.
fn moment(round: u32, most: u32) -> Duration {
    let hash = Sha256::digest(round.to_le_bytes());
    Duration::from_micros(u64::from(u32::from_le_bytes([hash[0], hash[1], hash[2], 0]) % (most * 1000)))
}

async fn whole(store: &Store, acknowledged: &[(Vec<u8>, u32)]) {
    for (id, number) in acknowledged {
        let stored = store.record("a", id).await.unwrap_or_else(|why| panic!("{number} is lost: {why}"));
        assert!(stored.sealed == sealed(*number), "{number} is another");
        assert_eq!(stored.listed.id, *id);
    }
}

/// In every other round the database is killed, and the writer only after it.
#[tokio::test]
async fn a_server_or_database_that_is_killed_loses_nothing_on_postgresql() {
    let Some(mut place) = Place::postgres() else { return };
    let url = place.database();
    let store = open(&url).await.unwrap();
    add_account(&store, "a", "laptop").await;
    store.close().await;
    let mut all = Vec::new();
    for round in 0..KILLS {
        let writer = Writer::start(&url, round << 20);
        let mut acknowledged = vec![writer.first()];
        thread::sleep(moment(round, 60));
        if let Some(postgres) = place.postgres.as_mut().filter(|_| round % 2 == 0) {
            postgres.kill();
            postgres.start();
        }
        acknowledged.extend(writer.kill());
        let store = open(&url).await.unwrap();
        whole(&store, &acknowledged).await;
        all.extend(acknowledged);
        if round % CHECKS == CHECKS - 1 {
            let report = store.check(&[]).await.unwrap();
            assert!(report.is_sound(), "after {round} kills: {:?}", report.findings);
            // What was written and not acknowledged may be there; what is there is whole.
            assert!(report.records >= all.len() as u64);
        }
        store.close().await;
    }
    let store = open(&url).await.unwrap();
    whole(&store, &all).await;
    assert_eq!(all.iter().map(|(id, _)| id).collect::<HashSet<_>>().len(), all.len());
    println!("{KILLS} kills, {} records acknowledged", all.len());
}
