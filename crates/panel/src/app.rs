//! What all pages share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use account::place::Accounts;
use backup::record::{Record, RecordError};

use crate::again::Card;
use crate::computer::Computer;
use crate::desk::Desk;
use crate::door::{Door, random_id};
use crate::inventory::Inventory;
use crate::jobs::Jobs;
use crate::private::Turn;

/// What the program says of the person and the computer.
pub struct Settings {
    /// The computer.
    pub computer: Arc<dyn Computer>,
    /// Image files that are shown beside its drives.
    pub images: Vec<PathBuf>,
    /// The record of where copies are; none when there is no folder for it.
    pub record: Option<PathBuf>,
    /// The folder of the accounts that this person is signed in to.
    pub accounts: Option<PathBuf>,
    /// The person's own folder, where searches and file choosers begin.
    pub home: Option<PathBuf>,
    /// The port to listen on; 0 for any that is free.
    pub port: u16,
    /// The right to be this person's only panel; none in tests, which run many.
    pub turn: Option<Turn>,
}

/// What all pages share.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// See [`App`].
pub struct Shared {
    /// What the program said.
    pub settings: Settings,
    /// The host name that the panel is reached by: `lastkey-1f3c….localhost:PORT`. It is another one each time, so that
    /// no page of another program on this computer shares cookies or storage with it.
    pub host: String,
    /// What the program is known by when it is started again.
    pub(crate) card: Card,
    /// Who may come in.
    pub door: Door,
    /// The drives.
    pub inventory: Inventory,
    /// Those that are unlocked.
    pub desk: Desk,
    /// What goes on.
    pub jobs: Jobs,
    /// Ends the program.
    pub end: tokio::sync::Notify,
}

impl App {
    /// Puts together what pages need, for a panel that listens at an address.
    #[must_use]
    pub fn new(settings: Settings, address: SocketAddr) -> Self {
        let label: String = random_id().chars().take(12).collect();
        let inventory = Inventory::new(Arc::clone(&settings.computer), settings.images.clone());
        let host = format!("lastkey-{label}.localhost:{}", address.port());
        Self(Arc::new(Shared {
            card: Card::new(&host),
            host,
            door: Door::default(),
            inventory,
            desk: Desk::default(),
            jobs: Jobs::default(),
            end: tokio::sync::Notify::new(),
            settings,
        }))
    }

    /// Opens the record to look into, if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn record(&self) -> Result<Option<Record>, RecordError> {
        self.settings.record.as_deref().map_or(Ok(None), Record::look)
    }

    /// Opens the record to write into, if there is a place for one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn open_record(&self) -> Result<Option<Record>, RecordError> {
        self.settings.record.as_deref().map(Record::open).transpose()
    }

    /// Returns the accounts that this person is signed in to.
    #[must_use]
    pub fn accounts(&self) -> Option<Accounts> {
        self.settings.accounts.clone().map(Accounts::at)
    }
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
