//! What is in an export.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::json;

use crate::app::App;
use crate::error::Error;
use crate::portal::page::time;
use crate::store::accounts::Account;
use crate::store::{Drive, Exported, Known, Written, hex, now};

/// The most that is gathered in memory.
const LIMIT: usize = 128 << 20;
/// How many drives are asked for at once.
const DRIVES: u32 = 200;

/// Files by their names.
pub type Files = Vec<(String, Vec<u8>)>;

/// What a file in `records/` is of.
#[derive(Serialize)]
struct Line {
    file: String,
    sha256: String,
    kind: String,
    drive: String,
    volume: String,
    key_id: Option<String>,
    device: String,
    device_id: String,
    proven: String,
    uploaded: String,
    /// The entry of the audit log by which it came.
    leaf: u64,
}

/// What was gathered, and how much it is.
#[derive(Default)]
struct Gathered {
    files: Files,
    size: usize,
}

impl Gathered {
    fn count(&mut self, bytes: usize) -> Result<(), Error> {
        self.size += bytes;
        if self.size > LIMIT {
            let most = LIMIT >> 20;
            return Err(Error::TooLarge(format!(
                "your account has more than {most} MiB, which is more than is put into one file here: ask whoever runs \
                 this server for a backup of it (lastkeyd backup)"
            )));
        }
        Ok(())
    }

    fn add(&mut self, name: &str, bytes: Vec<u8>) {
        self.files.push((name.to_owned(), bytes));
    }

    fn add_json(&mut self, name: &str, what: &impl Serialize) -> Result<(), Error> {
        let bytes = serde_json::to_vec_pretty(what).map_err(|error| Error::Internal(error.to_string()))?;
        self.count(bytes.len())?;
        self.add(name, bytes);
        Ok(())
    }
}

/// Gathers all that is kept of an account, but for its key.
pub async fn gather(app: &App, account: &Account) -> Result<Files, Error> {
    let mut gathered = Gathered::default();
    let records = records(app, account, &mut gathered).await?;
    let index = json!({
        "account": account.name,
        "recipient": account.recipient,
        "exported": time(now()),
        "records": records,
    });
    gathered.add_json("index.json", &index)?;
    gathered.add_json("account.json", &settings(app, account).await?)?;
    let devices = app.store.known_devices(&account.id).await?;
    gathered.add_json("devices.json", &devices.iter().map(device).collect::<Vec<_>>())?;
    gathered.add_json("drives.json", &drives(app, &account.id).await?)?;
    history(app, &account.id, &mut gathered).await?;
    // Read last: its log has all of these entries.
    gathered.add("checkpoint.txt", app.store.checkpoint().await?.into_bytes());
    Ok(gathered.files)
}

async fn records(app: &App, account: &Account, gathered: &mut Gathered) -> Result<Vec<Line>, Error> {
    let (mut lines, mut after) = (Vec::new(), None);
    loop {
        let page = app.store.exported(&account.id, after).await?;
        let Some(last) = page.last() else { return Ok(lines) };
        after = Some(last.leaf);
        for record in page {
            gathered.count(record.sealed.len())?;
            let (line, sealed) = line(record);
            gathered.add(&line.file, sealed);
            lines.push(line);
        }
    }
}

/// A device chooses what it seals, and with that some of the hash: only the whole of it keeps names apart.
fn line(record: Exported) -> (Line, Vec<u8>) {
    let sha256 = hex(&record.id);
    let what = record.key_id.as_deref().unwrap_or(&record.volume);
    let short = what.get(..8).unwrap_or("none");
    let line = Line {
        file: format!("records/{}-{short}-{sha256}.age", record.kind),
        sha256,
        kind: record.kind,
        drive: record.drive,
        volume: record.volume,
        key_id: record.key_id,
        device: record.device,
        device_id: record.device_id,
        proven: time(record.proven),
        uploaded: time(record.uploaded),
        leaf: record.leaf,
    };
    (line, record.sealed)
}

async fn settings(app: &App, account: &Account) -> Result<serde_json::Value, Error> {
    let openers: Vec<_> = app.store.openers(&account.id).await?;
    let openers = openers.iter().map(|opener| {
        json!({
            "kind": opener.kind.word(),
            "name": opener.name,
            "opens_keys": opener.wrapped.is_some(),
            "one_time_codes": opener.totp.is_some(),
            "made": time(opener.created),
            "used": opener.used.map(time),
        })
    });
    let others = app.store.others(&account.id).await?;
    let others = others.iter().map(|other| {
        json!({ "name": other.name, "recipient": other.recipient, "is_account": other.account.is_some() })
    });
    Ok(json!({
        "name": account.name,
        "id": account.id,
        "server": app.settings.url,
        "log_key": app.store.log().verifier().to_string(),
        "recipient": account.recipient,
        "made": time(account.created),
        "mail": account.mail,
        "webhook": account.webhook,
        "sign_in": openers.collect::<Vec<_>>(),
        "recipients": others.collect::<Vec<_>>(),
    }))
}

fn device(device: &Known) -> serde_json::Value {
    json!({
        "id": device.id,
        "name": device.name,
        "public_key": STANDARD.encode(&device.public_key),
        "let_in": time(device.created),
        "seen": device.seen.map(time),
        "shut_out": device.revoked.map(time),
    })
}

async fn drives(app: &App, account: &str) -> Result<Vec<serde_json::Value>, Error> {
    let (mut all, mut last): (_, Option<Drive>) = (Vec::new(), None);
    loop {
        let after = last.as_ref().map(|drive| (drive.device_id.as_str(), drive.volume.as_str()));
        let page = app.store.drives(account, after, DRIVES).await?;
        let drive = |drive: &Drive| {
            let keys = drive.keys.iter().map(|key| json!({ "key_id": key.key_id, "kept": key.kept }));
            json!({
                "drive": drive.drive,
                "volume": drive.volume,
                "device": drive.device,
                "device_id": drive.device_id,
                "protection": drive.protection,
                "recovery_keys": keys.collect::<Vec<_>>(),
                "seen": time(drive.at),
            })
        };
        all.extend(page.iter().map(drive));
        last = page.last().cloned();
        if last.is_none() {
            return Ok(all);
        }
    }
}

async fn history(app: &App, account: &str, gathered: &mut Gathered) -> Result<(), Error> {
    let (mut lines, mut after) = (Vec::new(), None);
    loop {
        let page = app.store.written(account, after).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.leaf);
        for Written { leaf, body } in page {
            let line = json!({ "leaf": leaf, "entry": body }).to_string();
            gathered.count(line.len())?;
            lines.extend_from_slice(line.as_bytes());
            lines.push(b'\n');
        }
    }
    gathered.add("history.jsonl", lines);
    Ok(())
}
