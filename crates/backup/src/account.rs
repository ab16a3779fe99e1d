//! An account at a server of one's own.
//!
//! A record is sealed, lies on this computer, is read back from there and proven. Only then does it wait to be sent, in
//! the place of an older one: what does not open the drive never leaves, whenever the computer goes off. It is a backup
//! when the server's receipt says that just these bytes are in its database. Where the server is not in reach, the
//! record waits on.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ::account::place::PlaceError;
use ::account::record::{self, Record, SealedRecord};
use ::account::wire::NewRecord;
use ::account::{ClientError, Session};
use fve::{Capsule, ProtectorKind, Volume};
use recovery_key::Secret;
use recovery_key::bek::Bek;

use crate::destination::{Destination, ReadBack, Refusal, SaveError, SavedCopy, Warning};
use crate::document::{Content, Document};

/// An account that this device is signed in to.
#[derive(Debug)]
pub struct AccountDestination(Mutex<State>);

#[derive(Debug)]
struct State {
    session: Session,
    /// The locks of the volume's recovery keys.
    capsules: Vec<Capsule>,
    /// What is on the way: what is sent, and what reads it back.
    sealed: Option<(NewRecord, SealedRecord)>,
    /// Why nothing can be delivered now: it is not tried again for every record.
    away: Option<String>,
}

impl AccountDestination {
    /// Takes an account.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self(Mutex::new(State { session, capsules: Vec::new(), sealed: None, away: None }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Destination for AccountDestination {
    fn kind(&self) -> &'static str {
        "account"
    }

    fn describe(&self) -> String {
        format!("the account {}", self.state().session.account().place())
    }

    /// The server keeps nothing on this computer; what only waits here counts as no backup.
    fn check(&self, _: &Path) -> Result<Vec<Warning>, Refusal> {
        let state = &mut *self.state();
        match state.session.recipients() {
            Ok(()) => Ok(Vec::new()),
            Err(error) if error.may_pass() => {
                state.away = Some(error.to_string());
                Ok(Vec::new())
            }
            Err(error) => {
                let place = state.session.account().place();
                Err(match error {
                    ClientError::Recipients => Refusal::Unusable {
                        place,
                        why: format!("{error}: look at them with `lastkey account accept`"),
                    },
                    error => Refusal::Unusable { place, why: error.to_string() },
                })
            }
        }
    }

    fn look_at(&self, volume: &Volume) {
        let protectors = volume.protectors().into_iter();
        let passwords = protectors.filter(|protector| protector.kind == ProtectorKind::RecoveryPassword);
        self.state().capsules = passwords.filter_map(|protector| volume.capsule(&protector.id)).collect();
    }

    /// Seals, and lays the record down. It does not wait before it is proven.
    fn save(&self, document: &Document) -> Result<SavedCopy, SaveError> {
        let state = &mut *self.state();
        let account = state.session.account();
        let place = account.place();
        let rejected = |why: String| SaveError::Rejected { place: place.clone(), why };
        let content = match &document.content {
            Content::RecoveryPassword { key_id, password } => {
                let found = state.capsules.iter().position(|capsule| capsule.key_id() == *key_id);
                let at = found.ok_or_else(|| {
                    rejected(format!("the drive has no protector with key ID {}", key_id.short()))
                })?;
                let capsule = state.capsules.swap_remove(at);
                record::Content::RecoveryKey { password: password.duplicate(), capsule }
            }
            Content::ExternalKey(bek) => {
                let file = bek.to_bytes();
                let same = Bek::parse(file.expose()).map_err(|error| rejected(error.to_string()))?;
                record::Content::ExternalKey(same)
            }
            Content::Snapshot(snapshot) => record::Content::Snapshot(snapshot.clone()),
        };
        let (about, drive) = (account.about(), &document.drive);
        let volume = || format!("volume {}", drive.volume.to_string().to_uppercase());
        let record = Record {
            account: about.account.clone(),
            device: about.device.clone(),
            device_name: about.device_name.clone(),
            drive: drive.label.as_deref().map(line).filter(|line| !line.is_empty()).unwrap_or_else(volume),
            volume: drive.volume,
            made: drive.now,
            proven: drive.now,
            content,
        };
        let recipients: Vec<_> = about.recipients.iter().map(|to| to.recipient.clone()).collect();
        let sealed = record.seal(&recipients).map_err(|error| rejected(error.to_string()))?;
        let upload = record.to_upload(&sealed, &recipients);
        account.lay_down(&upload).map_err(|error| lost(&place, error))?;
        state.sealed = Some((upload, sealed));
        Ok(SavedCopy { place, ..SavedCopy::default() })
    }

    /// Reads what was laid down, and opens it as only who has just sealed it can.
    fn read_back(&self, copy: &SavedCopy) -> Result<ReadBack, SaveError> {
        let state = self.state();
        let (upload, sealed) = on_the_way(&state, copy)?;
        let bytes = state.session.account().read_back(upload).map_err(|error| lost(&copy.place, error))?;
        let opened = sealed.read_back(&bytes).and_then(|json| Ok((Record::parse(&json)?, json)));
        let document = opened.map(|(record, json)| match record.content {
            // Its digits stand in the document, as a stranger finds them.
            record::Content::RecoveryKey { .. } => json,
            record::Content::ExternalKey(bek) => bek.to_bytes(),
            record::Content::Snapshot(snapshot) => Secret::new(snapshot.bytes().to_vec()),
        });
        document.map(ReadBack::Document).map_err(|error| SaveError::Rejected {
            place: copy.place.clone(),
            why: format!("what was sealed does not open again: {error}"),
        })
    }

    /// Takes away what was laid down. An older record that waits is a proven one, and waits on.
    fn remove(&self, copy: &SavedCopy) -> Result<(), SaveError> {
        let state = self.state();
        let (upload, _) = on_the_way(&state, copy)?;
        state.session.account().take_up(upload).map_err(|error| lost(&copy.place, error))
    }

    /// Sends what has waited from earlier, now that the server is in reach.
    fn finish(&self) -> Result<Option<String>, SaveError> {
        let state = self.state();
        if state.away.is_some() {
            return Ok(None);
        }
        let place = state.session.account().place();
        let lost = |error: ClientError| SaveError::Rejected { place: place.clone(), why: error.to_string() };
        let sent = state.session.deliver_all().map_err(lost)?;
        let sent = sent.iter().filter(|(_, result)| result.is_ok()).count();
        Ok((sent > 0).then(|| format!("delivered what had waited from earlier: {sent}")))
    }

    /// Lets the record wait, now that it is proven, and sends it.
    fn deliver(&self, copy: &SavedCopy) -> Result<(), String> {
        let state = &mut *self.state();
        let (upload, _) = on_the_way(state, copy).map_err(|error| error.to_string())?;
        // Whatever becomes of that, the server may take it.
        let waits = state.session.account().wait(upload);
        let why = match &state.away {
            Some(why) => why.clone(),
            None => match state.session.deliver(upload) {
                Ok(_) => return Ok(()),
                Err(error) => error.to_string(),
            },
        };
        state.away = Some(why.clone());
        match waits {
            Ok(()) => Err(why),
            Err(error) => {
                Err(format!("{why}; nor could it be kept here to be sent later ({error}): back it up again"))
            }
        }
    }
}

fn on_the_way<'s>(state: &'s State, copy: &SavedCopy) -> Result<&'s (NewRecord, SealedRecord), SaveError> {
    let why = "no record is on its way there".to_owned();
    state.sealed.as_ref().ok_or_else(|| SaveError::Rejected { place: copy.place.clone(), why })
}

fn lost(place: &str, error: PlaceError) -> SaveError {
    match error {
        PlaceError::Io { path, source } => SaveError::from_io(path.display().to_string(), source),
        error => SaveError::Rejected { place: place.to_owned(), why: error.to_string() },
    }
}

/// Windows lets a person write anything into a label; lists show it in one line.
fn line(label: &str) -> String {
    let mut line: String = label.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    while line.len() > ::account::wire::NAME_LIMIT {
        line.pop();
    }
    line.trim().to_owned()
}

#[cfg(test)]
mod tests;
