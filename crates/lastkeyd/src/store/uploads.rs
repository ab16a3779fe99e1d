//! Adding records: those that come at the same time go into the database together, each on the terms that hold for it.
//!
//! This is what a fleet asks most, so it is done on a connection of the database's own kind, with the few statements
//! that suit it: [`sqlite`] makes many small ones without leaving its thread, [`postgres`] few that carry much.

mod postgres;
mod recipients;
mod sqlite;
mod wal;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tlog::Edge;

use self::recipients::Recipients;
use super::audit::Head;
use super::connect::Place;
use super::devices::shut_out;
use super::log::Log;
use super::records::{Nonce, Upload, replay};
use super::sql::signed;
use crate::audit::Entry;
use crate::error::Error;

/// How long a transaction may take before its connection is given up.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// An upload and its record's ID.
pub(super) struct Hashed {
    pub(super) id: [u8; 32],
    pub(super) upload: Upload,
}

/// What came of an upload.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is a new record, which the log says.
    Added(Entry),
    /// It was there already.
    Known,
    /// Why not.
    Refused(Error),
}

/// What a transaction did.
pub(super) struct Done {
    pub(super) edge: Edge,
    pub(super) outcomes: Vec<Outcome>,
    /// What was added, as the database gives it back after the commit, and the log's head that has it all.
    pub(super) added: Option<(Head, Vec<Kept>)>,
}

/// What the database has of a record.
pub(super) struct Kept {
    pub(super) id: Vec<u8>,
    pub(super) sealed: Vec<u8>,
    pub(super) uploaded: i64,
    pub(super) leaf: u64,
    pub(super) body: String,
}

/// Why a transaction did nothing, or may have.
pub(super) enum Failed {
    /// Nothing of it is in the database.
    Undone(Error),
    /// It ended while it was being committed.
    Uncertain(Error),
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Undone(error.into())
    }
}

/// A record as far as another must be like it to be the same: account, kind, volume, key ID.
type Particulars = (String, String, String, Option<String>);

/// What the database says of some uploads.
#[derive(Default)]
struct Facts {
    /// Which nonces were not used before.
    fresh: HashSet<(i64, String, Vec<u8>)>,
    /// The account of each device, and whether it is revoked.
    owners: HashMap<String, (String, bool)>,
    /// Those of the records that are there already.
    known: HashMap<Vec<u8>, Particulars>,
    /// The recipients of each account.
    recipients: HashMap<String, Recipients>,
}

/// A new record, and its leaf in the log.
type New<'u> = (&'u Hashed, i64);

/// Who can open a record.
struct Reader<'r> {
    leaf: i64,
    recipient: &'r str,
    account: Option<&'r str>,
    key_id: Option<&'r str>,
}

impl Facts {
    /// Says what is to become of each upload, and which are new; `first` is the leaf that the log has next.
    fn judge<'u>(
        &mut self,
        uploads: &'u [Hashed],
        first: u64,
    ) -> Result<(Vec<Outcome>, Vec<New<'u>>), Error> {
        let mut new = Vec::new();
        let mut outcomes = Vec::with_capacity(uploads.len());
        for hashed in uploads {
            let outcome = match self.refuse(&hashed.upload).err() {
                Some(why) => Outcome::Refused(why),
                None => match self.known.get(hashed.id.as_slice()) {
                    Some(particulars) if *particulars == particulars_of(&hashed.upload) => Outcome::Known,
                    Some(_) => Outcome::Refused(Error::Invalid(
                        "these very bytes are kept as another record".to_owned(),
                    )),
                    None => {
                        self.known.insert(hashed.id.to_vec(), particulars_of(&hashed.upload));
                        new.push((hashed, signed(first + new.len() as u64)?));
                        Outcome::Added(entry(hashed))
                    }
                },
            };
            outcomes.push(outcome);
        }
        Ok((outcomes, new))
    }

    /// Says why an upload is not taken, whatever record it is of.
    fn refuse(&mut self, upload: &Upload) -> Result<(), Error> {
        let Nonce { expires, device, bytes } = &upload.nonce;
        if !self.fresh.remove(&(*expires, device.clone(), bytes.clone())) {
            return Err(replay());
        }
        let owner = self.owners.get(&upload.nonce.device);
        if !owner
            .is_some_and(|(account, revoked)| *account == upload.account && (!revoked || upload.by_owner))
        {
            return Err(shut_out());
        }
        let recipients = self.recipients.get(&upload.account);
        if upload.exactly && !recipients.is_some_and(|all| all.names().eq(&upload.recipients)) {
            let why = "the account's recipients are others by now: ask for them, and seal anew".to_owned();
            return Err(Error::Conflict("recipients", why));
        }
        let own = |name: &String| recipients.is_some_and(|all| all.reader(name) == Some(&upload.account));
        if upload.recipients.iter().any(own) {
            return Ok(());
        }
        Err(Error::Invalid(
            "the record is not sealed to the account's own key: ask for the recipients, and seal it to all of them"
                .to_owned(),
        ))
    }

    /// Returns who can open the new records. An account has a record once, however many of its keys open it.
    fn readers<'r>(&'r self, new: &[New<'r>]) -> Vec<Reader<'r>> {
        let mut readers = Vec::with_capacity(new.len());
        for &(Hashed { upload, .. }, leaf) in new {
            let known = self.recipients.get(&upload.account);
            let mut accounts = HashSet::new();
            for recipient in upload.recipients.iter().collect::<BTreeSet<_>>() {
                let account = known.and_then(|known| known.reader(recipient));
                readers.push(Reader {
                    leaf,
                    recipient,
                    account: account.filter(|&account| accounts.insert(account)).map(String::as_str),
                    key_id: upload.key_id.as_deref(),
                });
            }
        }
        readers
    }
}

fn particulars_of(upload: &Upload) -> Particulars {
    let kind = upload.kind.name().to_owned();
    (upload.account.clone(), kind, upload.volume.clone(), upload.key_id.clone())
}

fn entry(Hashed { id, upload }: &Hashed) -> Entry {
    let act = if upload.by_owner { "record.reseal" } else { "record.add" };
    let mut entry = Entry::done(act).account(&upload.account).device(&upload.nonce.device).record(id);
    entry.address = upload.address;
    entry.detail.clone_from(&upload.key_id);
    entry
}

fn entries(outcomes: &[Outcome]) -> impl Iterator<Item = &Entry> {
    outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Added(entry) => Some(entry),
        _ => None,
    })
}

/// Who adds records, on a connection that is opened when it is needed, and anew after whatever went wrong on it.
pub(super) struct Adder(Database);

enum Database {
    Sqlite(sqlite::Sqlite),
    Postgres(Box<postgres::Postgres>),
}

impl Adder {
    pub(super) fn new(place: &Place) -> Result<Self, Error> {
        Ok(Self(match place {
            Place::Sqlite(file) => Database::Sqlite(sqlite::Sqlite::new(file.clone())),
            Place::Postgres(url) => Database::Postgres(Box::new(postgres::Postgres::new(url)?)),
        }))
    }

    /// Adds uploads in one transaction; `known` is the edge of the log's tree, if it is known. Should the database
    /// refuse them together, each is tried alone.
    pub(super) async fn add(
        &mut self,
        log: &Arc<Log>,
        known: Option<Edge>,
        uploads: &Arc<Vec<Hashed>>,
    ) -> Result<Done, Failed> {
        let failed = match self.transact(log, known, uploads, 0..uploads.len()).await {
            Err(Failed::Undone(error)) if uploads.len() > 1 && error.is_refusal() => Failed::Undone(error),
            done => return done,
        };
        let (mut last, mut outcomes) = (Err(failed), Vec::with_capacity(uploads.len()));
        for number in 0..uploads.len() {
            let known = last.as_ref().ok().cloned();
            match self.transact(log, known, uploads, number..number + 1).await {
                Ok(done) => {
                    outcomes.extend(done.outcomes);
                    last = Ok(done.edge);
                }
                Err(Failed::Undone(error) | Failed::Uncertain(error)) => {
                    outcomes.push(Outcome::Refused(error));
                }
            }
        }
        last.map(|edge| Done { edge, outcomes, added: None })
    }

    async fn transact(
        &mut self,
        log: &Arc<Log>,
        known: Option<Edge>,
        uploads: &Arc<Vec<Hashed>>,
        some: Range<usize>,
    ) -> Result<Done, Failed> {
        match &mut self.0 {
            Database::Sqlite(sqlite) => sqlite.add(log, known, uploads, some).await,
            Database::Postgres(postgres) => postgres.add(log, known, &uploads[some]).await,
        }
    }

    /// Does what is best done while nothing else is asked. `false` when it is not done yet.
    pub(super) async fn tidy(&mut self) -> bool {
        match &mut self.0 {
            Database::Sqlite(sqlite) => sqlite.tidy().await,
            // It has somebody for that.
            Database::Postgres(_) => true,
        }
    }

    /// Waits for what is under way, and closes the connection.
    pub(super) async fn close(self) {
        match self.0 {
            Database::Sqlite(sqlite) => sqlite.close().await,
            Database::Postgres(postgres) => postgres.close().await,
        }
    }
}
