//! What tests of several modules begin with.
#![allow(clippy::unwrap_used)]

mod roles;

use std::path::Path;
use std::sync::Arc;

use account::signature::DeviceKey;
use account::wire::RecordKind;
use age::x25519::Identity;
use sqlx::Connection;
use uuid::Uuid;

use crate::app::{App, Settings};
use crate::audit::Entry;
use crate::store::{Log, Nonce, Store, Upload, devices, now};

/// Names a database on a PostgreSQL server, by its URL: then each test has one of its own there.
const POSTGRES: &str = "LASTKEYD_TEST_DATABASE";

/// Returns the URL of a new database: a file in a folder, or on PostgreSQL.
async fn database(folder: &Path) -> String {
    let Ok(known) = std::env::var(POSTGRES) else { return format!("sqlite:{}/a.db", folder.display()) };
    let name = format!("unit_{}", Uuid::new_v4().simple());
    sqlx::any::install_default_drivers();
    let mut server = sqlx::AnyConnection::connect(&known).await.unwrap();
    let make = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(make).execute(&mut server).await.unwrap();
    server.close().await.unwrap();
    let (place, options) = known.split_once('?').unwrap_or((&known, ""));
    format!("{}/{name}?{options}", place.rsplit_once('/').unwrap().0)
}

/// Makes a server's insides with one account, and returns that account's ID.
pub async fn app() -> (tempfile::TempDir, App, String) {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new("localhost/audit", &[7; 32]).unwrap();
    let store = Store::open(&database(folder.path()).await, log).await.unwrap();
    let settings = Settings {
        url: "https://localhost:4848".to_owned(),
        host: "localhost".to_owned(),
        hosts: Vec::new(),
        proxies: Vec::new(),
        lasting_tls: false,
    };
    let app = App { store, settings: Arc::new(settings) };
    let account = account(&app, "Ada").await;
    (folder, app, account)
}

/// Makes one more account.
pub async fn account(app: &App, name: &str) -> String {
    let id = Uuid::new_v4().to_string();
    let (account, name) = (id.clone(), name.to_owned());
    let recipient = Identity::generate().to_public().to_string();
    let made = app.store.write(|tx| {
        Box::pin(async move {
            sqlx::query(
                "INSERT INTO accounts (id, name, folded_name, recipient, created) VALUES ($1, $2, $3, $4, 0)",
            )
            .bind(id)
            .bind(name.clone())
            .bind(name.to_lowercase())
            .bind(recipient)
            .execute(&mut *tx)
            .await?;
            Ok(((), vec![Entry::done("account.create")]))
        })
    });
    made.await.unwrap();
    account
}

/// Lets a device into an account, and returns its key and its ID.
pub async fn device(app: &App, account: &str) -> (DeviceKey, String) {
    let key = DeviceKey::generate().unwrap();
    let (_, code, _) = devices::ask(&app.store, "laptop", key.public(), "127.0.0.1", None).await.unwrap();
    let waiting = devices::waiting(&app.store, &code).await.unwrap();
    (key, devices::confirm(&app.store, account, &waiting.id).await.unwrap())
}

/// Adds a record that nobody opens, and returns its ID.
pub async fn record(app: &App, account: &str, device: &str) -> Vec<u8> {
    let recipient = app.store.account(account).await.unwrap().recipient;
    let sealed = sealed::Seal::to_recipients(&[&recipient]).unwrap().seal(b"123456").unwrap();
    let nonce =
        Nonce { device: device.to_owned(), bytes: Uuid::new_v4().into_bytes().to_vec(), expires: now() + 60 };
    let upload = Upload {
        account: account.to_owned(),
        address: None,
        nonce,
        kind: RecordKind::RecoveryKey,
        volume: "4967D63B-2E29-4AD8-8399-F6A339E3D001".to_owned(),
        key_id: Some("3C116B76-C67B-484E-B439-CE2ED68B561E".to_owned()),
        drive: "C: of Bob".to_owned(),
        proven: now(),
        recipients: vec![recipient],
        sealed,
        exactly: false,
        by_owner: false,
    };
    let receipt = app.store.add_record(upload).await.unwrap();
    crate::store::from_hex(&receipt.record).unwrap()
}

/// Writes a form as browsers do.
pub fn url_encoded(fields: &[(&str, &str)]) -> String {
    let quoted = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    pairs.join("&")
}
