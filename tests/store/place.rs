//! Databases for one test, and what is put into them.

use std::sync::atomic::{AtomicU64, Ordering};

use account::wire::{Receipt, RecordKind};
use lastkey_tests::postgres::{self, Postgres};
use lastkeyd::error::Error;
use lastkeyd::store::{Log, Nonce, Store, Upload, now};
use tempfile::TempDir;

pub const ORIGIN: &str = "keys.example/log";

/// A database system, and room for files. Both end with the test.
pub struct Place {
    pub folder: TempDir,
    pub postgres: Option<Postgres>,
    made: AtomicU64,
}

impl Place {
    pub fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), postgres: None, made: AtomicU64::new(0) }
    }

    pub fn postgres() -> Option<Self> {
        let postgres = postgres::postgres()?;
        Some(Self { postgres: Some(postgres), ..Self::sqlite() })
    }

    /// Returns the URL of a new database.
    pub fn database(&self) -> String {
        match &self.postgres {
            Some(postgres) => postgres.database(),
            None => {
                let number = self.made.fetch_add(1, Ordering::Relaxed);
                format!("sqlite:{}", self.folder.path().join(format!("keys {number}.db")).display())
            }
        }
    }

    /// Opens a new database with an account `a` and its device `laptop`.
    pub async fn store(&self) -> Store {
        let store = open(&self.database()).await.unwrap();
        add_account(&store, "a", "laptop").await;
        store
    }
}

pub fn log() -> Log {
    Log::new(ORIGIN, &[5; 32]).unwrap()
}

pub async fn open(url: &str) -> Result<Store, Error> {
    Store::open(url, log()).await
}

pub async fn add_account(store: &Store, account: &'static str, device: &'static str) {
    let added = store.write(move |tx| {
        Box::pin(async move {
            sqlx::query("INSERT INTO accounts (id, name, folded_name, recipient, created) VALUES ($1, $2, $3, $4, $5)")
                .bind(account)
                .bind(format!("Account {account}"))
                .bind(account)
                .bind(format!("age1{account}"))
                .bind(now())
                .execute(&mut *tx)
                .await?;
            sqlx::query("INSERT INTO devices (id, account_id, name, public_key, created) VALUES ($1, $2, $3, $4, $5)")
                .bind(device)
                .bind(account)
                .bind(format!("The {device}"))
                .bind(device.as_bytes().to_vec())
                .bind(now())
                .execute(&mut *tx)
                .await?;
            Ok(((), vec![lastkeyd::audit::Entry::done("account.create").account(account)]))
        })
    });
    added.await.unwrap();
}

/// A nonce that was not used before.
pub fn nonce(device: &str) -> Nonce {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let bytes =
        [NEXT.fetch_add(1, Ordering::Relaxed).to_le_bytes(), u64::from(std::process::id()).to_le_bytes()];
    Nonce { device: device.to_owned(), bytes: bytes.concat(), expires: now() + 600 }
}

/// A key ID of a number: the number is what it begins with.
pub fn key_id(number: u32) -> String {
    format!("{number:08X}-292E-4AD8-8399-F6A339E3D001")
}

pub const VOLUME: &str = "4967D63B-2E29-4AD8-8399-F6A339E3D001";

/// The record of a key on account `a`'s laptop.
pub fn upload(number: u32, sealed: &[u8]) -> Upload {
    Upload {
        account: "a".to_owned(),
        address: Some([127, 0, 0, 1].into()),
        nonce: nonce("laptop"),
        kind: RecordKind::RecoveryKey,
        volume: VOLUME.to_owned(),
        key_id: Some(key_id(number)),
        drive: "Größe Ж C:".to_owned(),
        proven: 1_700_000_000,
        recipients: vec!["age1a".to_owned(), "age1friend".to_owned()],
        sealed: sealed.to_vec(),
        exactly: false,
        by_owner: false,
    }
}

pub async fn add(store: &Store, number: u32) -> Receipt {
    store.add_record(upload(number, &sealed(number))).await.unwrap()
}

/// What is sealed for a number: so many bytes that they lie on several pages.
pub fn sealed(number: u32) -> Vec<u8> {
    let mut bytes = format!("age-encryption.org/v1 {number}\n\0").into_bytes();
    bytes.resize(5000, number as u8);
    bytes
}

pub fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Everything in the database holds, and the log has so many entries.
pub async fn sound(store: &Store, entries: u64) {
    let report = store.check(&[]).await.unwrap();
    assert_eq!((report.findings.as_slice(), report.entries), (&[][..], entries));
}
