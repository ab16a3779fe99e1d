//! The whole server, killed in the middle of its work: what a device has a receipt for is there and whole, and the log
//! only grew. The devices are the client as it is, which believes nothing without a proof.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use account::place::{Accounts, Kept};
use account::wire::{DeviceLoginState, NewRecord, RecordKind};
use account::{ClientError, Login, Session, Trust, presented};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::postgres::postgres;
use lastkey_tests::said::Said;
use lastkey_tests::visitor::Visitor;
use sha2::{Digest, Sha256};
use sqlx::{Connection, Row};

/// How many devices send records at the same time.
const DEVICES: usize = 4;
/// How long after the first record of a round the kill comes at the latest.
const LATEST: Duration = Duration::from_millis(40);
/// How long after its start a server is killed at the latest that has answered nobody yet.
const START: Duration = Duration::from_millis(150);
/// How long a server may take until it takes a record again.
const PATIENCE: Duration = Duration::from_secs(60);

/// A device that sends one record after the other.
pub struct Device {
    session: Session,
    sealed: Vec<u8>,
    /// The number of the record that it sends until it has the receipt: after a kill the same once more.
    number: u32,
    /// The receipts since the last kill.
    fresh: Vec<Kept>,
    /// Those that were asked for again after a kill.
    checked: Vec<Kept>,
}

impl Device {
    pub fn let_in(ada: &mut Visitor, server: &Lastkeyd, folder: &Path, name: &str) -> Self {
        let address = server.url("").parse().unwrap();
        let trust = Trust::Pinned(presented(&address).unwrap());
        let mut login = Login::begin(address, trust, name).unwrap();
        ada.confirm(login.code().0);
        let state = login.state().unwrap();
        assert!(matches!(state, DeviceLoginState::Confirmed { .. }), "{state:?}");
        let (about, key) = login.finish();
        let account = Accounts::at(folder.to_owned()).add(name, &about, &key).unwrap();
        let recipients: Vec<_> = about.recipients.iter().map(|to| &to.recipient).collect();
        let sealed = sealed::Seal::to_recipients(&recipients).unwrap().seal(&[7; 3000]).unwrap();
        let session = Session::begin(account).unwrap();
        Self { session, sealed, number: 0, fresh: Vec::new(), checked: Vec::new() }
    }

    /// The next record: sealed once, and of another length and another end each time. Only who opens it would notice.
    fn record(&self) -> NewRecord {
        let mut sealed = self.sealed.clone();
        sealed.extend(self.number.to_le_bytes());
        sealed.resize(sealed.len() + (self.number as usize * 997) % 30_000, 7);
        NewRecord {
            kind: RecordKind::RecoveryKey,
            volume: "4967D63B-2E29-4AD8-8399-F6A339E3D001".to_owned(),
            key_id: Some(format!("{:08X}-292E-4AD8-8399-F6A339E3D001", self.number)),
            drive: "C:".to_owned(),
            proven: 1_700_000_000,
            recipients: self
                .session
                .account()
                .about()
                .recipients
                .iter()
                .map(|to| to.recipient.clone())
                .collect(),
            sealed: STANDARD.encode(sealed),
        }
    }

    /// Returns the ID of the record that is sent next.
    fn id(&self) -> String {
        let sealed = STANDARD.decode(self.record().sealed).unwrap();
        lastkeyd::store::hex(&Sha256::digest(sealed))
    }

    /// Sends one record.
    pub fn send(&mut self) {
        self.fresh.push(self.session.deliver(&self.record()).unwrap());
        self.number += 1;
    }

    /// Asks for what it was promised before the last kill, and sends records until the next.
    fn work(&mut self, killed: &AtomicBool, acknowledged: &Sender<()>) {
        for kept in std::mem::take(&mut self.fresh) {
            match unless(killed, || self.session.check(&kept)) {
                Some(again) => {
                    // The proof of it is another, because the log has grown; the client has checked both.
                    let (before, now) = (&kept.receipt.inclusion, &again.inclusion);
                    assert_eq!((before.leaf, &before.hash), (now.leaf, &now.hash));
                    self.checked.push(kept);
                }
                None => self.fresh.push(kept),
            }
        }
        while !killed.load(Ordering::Relaxed) {
            if let Some(kept) = unless(killed, || self.session.deliver(&self.record())) {
                self.number += 1;
                self.fresh.push(kept);
                let _ = acknowledged.send(());
            }
        }
    }
}

/// Asks until there is an answer, or nobody is there any more who could give it.
fn unless<T>(killed: &AtomicBool, mut ask: impl FnMut() -> Result<T, ClientError>) -> Option<T> {
    loop {
        match ask() {
            Ok(answer) => return Some(answer),
            Err(why) if !why.may_pass() => panic!("{why}"),
            Err(_) if killed.load(Ordering::Relaxed) => return None,
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// A moment that nobody foresees, and that is the same in each run.
fn moment(round: u32, latest: Duration) -> Duration {
    let hash = Sha256::digest(round.to_le_bytes());
    latest.mul_f64(f64::from(u16::from_le_bytes([hash[0], hash[1]])) / f64::from(u16::MAX))
}

/// Lets all devices work, and kills something in the middle of it.
fn round(devices: &mut [Device], number: u32, kill: impl FnOnce()) {
    let killed = AtomicBool::new(false);
    let (acknowledge, acknowledged) = channel();
    let first = thread::scope(|scope| {
        for device in devices {
            let acknowledge = acknowledge.clone();
            let killed = &killed;
            scope.spawn(move || device.work(killed, &acknowledge));
        }
        let first = acknowledged.recv_timeout(PATIENCE);
        thread::sleep(moment(number, LATEST));
        kill();
        killed.store(true, Ordering::Relaxed);
        first
    });
    assert!(first.is_ok(), "no record was taken after the kill number {number}");
}

/// Kills a server and starts it again; every fourth time it is killed once more while it starts, before it has answered
/// anybody.
fn kill_server(server: &mut Lastkeyd, round: u32) {
    server.kill();
    if round.is_multiple_of(4) {
        server.start_and_kill(moment(round + 1, START));
    }
    server.start_again();
}

/// So many times `kill` makes a server or a database end and begin anew, in the round with this number.
fn nothing_is_lost(mut server: Lastkeyd, url: &str, kills: u32, mut kill: impl FnMut(&mut Lastkeyd, u32)) {
    let folder = tempfile::tempdir().unwrap();
    let mut ada = Visitor::new(&server);
    ada.make_account(&server, "Ada");
    let names: Vec<_> = (0..DEVICES).map(|number| format!("device-{number}")).collect();
    let mut devices: Vec<_> =
        names.iter().map(|name| Device::let_in(&mut ada, &server, folder.path(), name)).collect();
    for number in 0..kills {
        round(&mut devices, number, || kill(&mut server, number));
    }
    // Once more without a kill, until all of it was asked for.
    round(&mut devices, kills, || ());
    assert!(server.end(), "{}", server.log());
    Said::of(server.command(&["check"])).exits(0);

    let promised: Vec<_> =
        devices.iter().flat_map(|device| device.checked.iter().chain(&device.fresh)).collect();
    let (records, recipients) = rows(url);
    for kept in &promised {
        assert!(records.contains(&kept.receipt.record), "{} is lost", kept.receipt.record);
    }
    // Besides, only what a device has sent last and got no answer to may be there.
    for record in &records {
        let is_promised = promised.iter().any(|kept| kept.receipt.record == *record);
        assert!(is_promised || devices.iter().any(|device| device.id() == *record), "nobody sent {record}");
    }
    // Each is sealed to the account alone, and there once: what was said again is the same.
    assert_eq!(records.len(), recipients);
    println!("{kills} kills, {} records", promised.len());
}

/// Returns the IDs of the records, and how many recipients they have together.
#[tokio::main(flavor = "current_thread")]
async fn rows(url: &str) -> (Vec<String>, usize) {
    sqlx::any::install_default_drivers();
    let mut database = sqlx::AnyConnection::connect(url).await.unwrap();
    let rows = sqlx::query("SELECT id FROM records").fetch_all(&mut database).await.unwrap();
    let records = rows.iter().map(|row| lastkeyd::store::hex(&row.get::<Vec<u8>, _>(0))).collect();
    let counted = sqlx::query("SELECT COUNT(*) FROM record_recipients").fetch_one(&mut database).await;
    (records, usize::try_from(counted.unwrap().get::<i64, _>(0)).unwrap())
}

#[test]
fn a_server_that_is_killed_loses_nothing_on_sqlite() {
    let server = Lastkeyd::start(&[]);
    let url = format!("sqlite:{}", server.data().join("lastkeyd.sqlite").display());
    nothing_is_lost(server, &url, 200, kill_server);
}

#[test]
fn a_server_or_database_that_is_killed_loses_nothing_on_postgresql() {
    let Some(mut postgres) = postgres() else { return };
    let url = postgres.database();
    let server = Lastkeyd::start(&["--database", &url]);
    nothing_is_lost(server, &url, 100, |server, round| match round % 6 {
        // PostgreSQL then ends all others that serve, and recovers; lastkeyd has to connect anew.
        1 => postgres.kill_one(round as usize),
        5 => {
            postgres.kill();
            postgres.start();
        }
        _ => kill_server(server, round),
    });
}

#[test]
fn a_server_that_is_killed_while_it_makes_its_database_starts_again() {
    let Some(postgres) = postgres() else { return };
    for (round, database) in (0..10).flat_map(|round| [(round, true), (round, false)]) {
        let url = postgres.database();
        let options = if database { vec!["--database", &url] } else { Vec::new() };
        let mut server = Lastkeyd::start_killed(&options, moment(round, START));
        server.start_again();
        // By what was printed first or by what is printed now: somebody gets in, and once.
        Visitor::new(&server).make_account(&server, "Ada");
        assert!(server.end(), "{}", server.log());
        Said::of(server.command(&["check"])).exits(0);
    }
}
