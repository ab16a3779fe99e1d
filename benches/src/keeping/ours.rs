//! lastkeyd, with as many records as a fleet has, and what devices and people ask of it.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use account::signature::{DeviceKey, Request, sign};
use account::wire::{NewRecord, RecordKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::postgres::Postgres;
use sealed::Seal;
use sha2::{Digest as _, Sha256};

use crate::load::{Server, trusting};
use crate::processes::memory;
use crate::{key_id, now, spread};

const ACCOUNT: &str = "00000000-0000-4000-8000-00000000000a";
const DEVICE: &str = "00000000-0000-4000-8000-00000000000d";
/// What the browser of who searches carries.
const SESSION: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// What the audit log says of each record, about as long as what it does say.
const ENTRY: &str =
    r#"{"time":1763900000,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","act":"record.add","outcome":"done"}"#;
/// As long as a sealed record with its capsule.
const SEALED: usize = 1500;

/// A server that runs.
pub struct Ours {
    lastkeyd: Lastkeyd,
    server: Server,
    device: DeviceKey,
    recipient: String,
    key_ids: Vec<String>,
    started: f64,
}

impl Ours {
    /// Starts a server, fills its database with so many records of one account, and starts it again.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(postgres: Option<&Postgres>, records: usize) -> Result<Self, Box<dyn Error>> {
        let database = postgres.map(Postgres::database);
        let mut options = vec!["--log-level", "error"];
        options.extend(database.iter().flat_map(|url| ["--database", url.as_str()]));
        let mut lastkeyd = Lastkeyd::start(&options);
        lastkeyd.end();
        let recipient = age::x25519::Identity::generate().to_public().to_string();
        let device = DeviceKey::generate()?;
        let rows = Rows { recipient: &recipient, device: &device, records };
        let some = format!("SELECT key_id FROM records WHERE leaf % {} = 0", spread(records));
        let key_ids = match (postgres, &database) {
            (Some(postgres), Some(url)) => {
                rows.all(&Dialect::PostgreSql).iter().for_each(|sql| drop(postgres.query(url, sql)));
                // As its own housekeeping does within a minute. SQLite has none, and lastkeyd does not ask it to.
                postgres.query(url, "VACUUM ANALYZE");
                postgres.query(url, "CHECKPOINT");
                postgres.query(url, &some).lines().map(str::to_owned).collect()
            }
            _ => {
                let database = rusqlite::Connection::open(lastkeyd.data().join("lastkeyd.sqlite"))?;
                database.execute_batch(&rows.all(&Dialect::Sqlite).join(";"))?;
                let mut some = database.prepare(&some)?;
                some.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?
            }
        };
        let tls = trusting(&lastkeyd.certificate())?;
        let port = lastkeyd.host().rsplit(':').next().and_then(|port| port.parse().ok()).ok_or("no port")?;
        let server = Server { address: ([127, 0, 0, 1], port).into(), tls };
        let since = Instant::now();
        lastkeyd.start_again();
        let mut ours = Self { lastkeyd, server, device, recipient, key_ids, started: 0.0 };
        let answered = ours.server.wait(&ours.search("FFFFFFFF"), 200, since)?;
        ours.started = answered.as_secs_f64();
        Ok(ours)
    }

    /// Returns where it is.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Returns after how many seconds it answered.
    pub fn started(&self) -> f64 {
        self.started
    }

    /// Returns the folder with its data.
    pub fn data(&self) -> PathBuf {
        self.lastkeyd.data()
    }

    /// Returns its process.
    pub fn process(&self) -> u32 {
        self.lastkeyd.id()
    }

    /// Returns the memory that it has, in MiB.
    pub fn memory(&self) -> f64 {
        memory(self.process())
    }

    /// Returns requests that each bring another record, sealed and signed.
    ///
    /// # Errors
    /// When it cannot be sealed.
    pub fn uploads(&self, count: usize) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
        let seal = Seal::to_recipients(&[&self.recipient])?;
        (0..count).map(|_| self.upload(&seal)).collect()
    }

    fn upload(&self, seal: &Seal) -> Result<Vec<u8>, Box<dyn Error>> {
        let record = NewRecord {
            kind: RecordKind::RecoveryKey,
            volume: key_id()?,
            key_id: Some(key_id()?),
            drive: "C:".to_owned(),
            proven: now(),
            recipients: vec![self.recipient.clone()],
            sealed: STANDARD.encode(seal.seal(&[b'x'; SEALED])?),
        };
        let body = serde_json::to_vec(&record)?;
        let (method, target, authority) = ("POST", "/api/v1/records", self.lastkeyd.host());
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        let request = Request { method, authority: &authority, target, body: &body };
        let signed = sign(&self.device, DEVICE, &request, now(), nonce);
        let mut request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
             Content-Digest: {}\r\nSignature-Input: {}\r\nSignature: {}\r\nContent-Length: {}\r\n\r\n",
            signed.content_digest,
            signed.signature_input,
            signed.signature,
            body.len()
        )
        .into_bytes();
        request.extend(body);
        Ok(request)
    }

    /// Returns requests that each look for a key that is there.
    pub fn searches(&self, count: usize) -> Vec<Vec<u8>> {
        self.key_ids.iter().cycle().take(count).map(|id| self.search(&id[..8])).collect()
    }

    fn search(&self, start: &str) -> Vec<u8> {
        let host = self.lastkeyd.host();
        format!("GET /?key={start} HTTP/1.1\r\nHost: {host}\r\nCookie: __Host-session={SESSION}\r\n\r\n")
            .into_bytes()
    }
}

/// What the database is filled with.
struct Rows<'r> {
    recipient: &'r str,
    device: &'r DeviceKey,
    records: usize,
}

/// How a database says it.
enum Dialect {
    Sqlite,
    PostgreSql,
}

impl Rows<'_> {
    fn all(&self, dialect: &Dialect) -> Vec<String> {
        let Self { recipient, records, .. } = self;
        let (now, later) = (now(), now() + 40_000);
        let bytes = |bytes: &[u8]| {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            match dialect {
                Dialect::Sqlite => format!("X'{hex}'"),
                Dialect::PostgreSql => format!("'\\x{hex}'::bytea"),
            }
        };
        let [device, session] = [bytes(&self.device.public()), bytes(&Sha256::digest(SESSION))];
        // From 0.
        let numbers = |count: usize| match dialect {
            Dialect::Sqlite => format!(
                "(WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {count} - 1) SELECT i FROM n)"
            ),
            Dialect::PostgreSql => format!("generate_series(0, {count} - 1) AS n (i)"),
        };
        let (id, guid, sealed) = match dialect {
            Dialect::Sqlite => (
                "randomblob(32)".to_owned(),
                "hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2)) || '-' || \
                 hex(randomblob(2)) || '-' || hex(randomblob(6))"
                    .to_owned(),
                format!("randomblob({SEALED})"),
            ),
            Dialect::PostgreSql => (
                "sha256(i::text::bytea)".to_owned(),
                "upper(gen_random_uuid()::text)".to_owned(),
                format!("substring(decode(repeat(md5(i::text), {}), 'hex') for {SEALED})", SEALED / 16 + 1),
            ),
        };
        let mut all = vec![
            // What its first start said: the log begins with the records.
            "DELETE FROM audit_entries".to_owned(),
            "DELETE FROM audit_nodes".to_owned(),
            format!(
                "INSERT INTO accounts (id, name, folded_name, recipient, created) \
                 VALUES ('{ACCOUNT}', 'Ada', 'ada', '{recipient}', {now})"
            ),
            format!(
                "INSERT INTO devices (id, account_id, name, public_key, created) \
                 VALUES ('{DEVICE}', '{ACCOUNT}', 'laptop', {device}, {now})"
            ),
            format!(
                "INSERT INTO sessions (id_hash, account_id, opener_id, agent, created, used, expires) \
                 VALUES ({session}, '{ACCOUNT}', '', '', {now}, {now}, {later})"
            ),
            format!(
                "INSERT INTO records (leaf, id, account_id, device_id, kind, volume_id, key_id, drive, sealed, proven, \
                 uploaded) SELECT i, {id}, '{ACCOUNT}', '{DEVICE}', 'recovery-key', {guid}, {guid}, 'C:', {sealed}, \
                 {now}, {now} FROM {}",
                numbers(*records)
            ),
            format!(
                "INSERT INTO record_recipients (leaf, recipient, account_id, key_id) \
                 SELECT leaf, '{recipient}', '{ACCOUNT}', key_id FROM records"
            ),
            format!(
                "INSERT INTO audit_entries (leaf, at, act, account_id, device_id, record_id, body) \
                 SELECT leaf, {now}, 'record.add', '{ACCOUNT}', '{DEVICE}', id, '{ENTRY}' FROM records"
            ),
            format!("UPDATE audit_head SET size = {records}, checkpoint = NULL"),
        ];
        // All entries say the same: so each level of the tree has one hash.
        let (mut level, mut hash) = (0, tlog::leaf_hash(ENTRY.as_bytes()));
        while records >> level > 0 {
            all.push(format!(
                "INSERT INTO audit_nodes (level, place, hash) SELECT {level}, i, {} FROM {}",
                bytes(&hash),
                numbers(records >> level)
            ));
            (level, hash) = (level + 1, tlog::node_hash(&hash, &hash));
        }
        all
    }
}
