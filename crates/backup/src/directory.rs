//! Active Directory or Samba: the key below its computer, where Windows would have put it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use directory::{Computer, Credentials, Directory, DirectoryAddress, DirectoryError, Entry, NewRecord};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use recovery_key::{KeyId, RecoveryPassword, Secret};

use crate::destination::{Destination, ReadBack, Refusal, SaveError, SavedCopy, Warning};
use crate::document::{Content, Document};

/// A computer in a directory.
///
/// A user with the right to read keys gets a proven copy. The computer's own account may only add keys:
/// its copies are stored, not proven.
#[derive(Debug)]
pub struct DirectoryDestination {
    address: DirectoryAddress,
    credentials: Credentials,
    ca: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: Option<Open>,
    /// The places of the copies that were added here, and no others.
    added: Vec<String>,
    /// What the person is to know in the end.
    notes: Vec<String>,
}

#[derive(Debug)]
struct Open {
    directory: Directory,
    /// The connection broke: a new one is needed.
    broken: bool,
}

impl DirectoryDestination {
    /// Names a computer in a directory, who signs in, and a file with the certificates to trust instead
    /// of the system's. Nothing is connected yet.
    pub fn new(address: DirectoryAddress, credentials: Credentials, ca: Option<PathBuf>) -> Self {
        Self { address, credentials, ca, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something on the connection that is open, or on a new one.
    fn connected<T>(
        &self,
        state: &mut State,
        work: impl FnOnce(&mut Directory) -> Result<T, DirectoryError>,
    ) -> Result<T, DirectoryError> {
        let open = match &mut state.open {
            Some(open) => open,
            none => none.insert(Open {
                directory: Directory::open(&self.address, &self.credentials, self.ca.as_deref())?,
                broken: false,
            }),
        };
        if open.broken {
            open.directory.reconnect(&self.credentials)?;
        }
        let result = work(&mut open.directory);
        open.broken = matches!(result, Err(DirectoryError::Lost | DirectoryError::Timeout));
        result
    }

    /// Returns the distinguished name of the computer.
    fn computer(&self, state: &mut State) -> Result<String, DirectoryError> {
        let computer = self.address.computer().ok_or_else(|| DirectoryError::NoComputer(String::new()))?;
        self.connected(state, |directory| directory.computer(computer))
    }

    /// Adds a record. When the connection broke, nobody knows whether it is there: then it is taken away.
    fn add(&self, state: &mut State, computer: &str, record: &NewRecord<'_>) -> Result<String, SaveError> {
        let error = match self.connected(state, |directory| directory.store(computer, record)) {
            Err(error @ (DirectoryError::Lost | DirectoryError::Timeout)) => error,
            result => return result.map_err(|error| self.error(error)),
        };
        let dn = Directory::place(computer, record);
        let left = match self.connected(state, |directory| directory.delete(&dn)) {
            Ok(true) => "the key had been stored and was taken away again".to_owned(),
            Ok(false) => "the key had not been stored".to_owned(),
            Err(_) => format!("the key may be there or not, as {dn}"),
        };
        Err(SaveError::Unreachable { place: self.place(), why: format!("{error}; {left}") })
    }

    fn place(&self) -> String {
        self.address.to_string()
    }

    fn copy(&self, dn: String) -> SavedCopy {
        let address = self.address.clone().with_computer(Computer::Dn(dn));
        SavedCopy { place: address.to_string(), ..SavedCopy::default() }
    }

    fn error(&self, error: DirectoryError) -> SaveError {
        use DirectoryError as Error;
        let place = self.place();
        match error {
            Error::Unreachable(why) => SaveError::Unreachable { place, why },
            Error::Timeout
            | Error::Lost
            | Error::Certificate(_)
            | Error::Tls(_)
            | Error::CaFile { .. }
            | Error::NoRoots => SaveError::Unreachable { place, why: error.to_string() },
            Error::Credentials(_) | Error::NoCredentials => {
                SaveError::Locked { place, why: error.to_string() }
            }
            Error::Rights(_) => SaveError::NotPermitted { place },
            other => SaveError::Rejected { place, why: other.to_string() },
        }
    }
}

impl Destination for DirectoryDestination {
    fn kind(&self) -> &'static str {
        "directory"
    }

    fn describe(&self) -> String {
        format!("the directory {}", self.place())
    }

    /// Signs in and looks the computer up.
    fn check(&self, _: &Path) -> Result<Vec<Warning>, Refusal> {
        let unusable = |why: String| Refusal::Unusable { place: self.place(), why };
        if self.address.computer().is_none() {
            return Err(unusable("it names no computer: write ldaps://SERVER/COMPUTER".to_owned()));
        }
        let result = self.computer(&mut self.state());
        result.map(|_| Vec::new()).map_err(|error| self.error(error).into())
    }

    fn holds(&self, content: &Content) -> bool {
        matches!(content, Content::RecoveryPassword { .. })
    }

    /// Adds the key. One that is there already, with the same digits, is the copy instead.
    fn save(&self, document: &Document) -> Result<SavedCopy, SaveError> {
        let Content::RecoveryPassword { key_id, password } = &document.content else {
            let why = "a directory holds recovery keys only".to_owned();
            return Err(SaveError::Rejected { place: self.place(), why });
        };
        let state = &mut *self.state();
        let there = self.computer(state).and_then(|computer| {
            let entries = self.connected(state, |directory| directory.of_key(&computer, *key_id))?;
            Ok((computer, entries))
        });
        let (computer, entries) = there.map_err(|error| self.error(error))?;
        let (same, notes) = compare(entries, *key_id, password);
        state.notes.extend(notes);
        if let Some(dn) = same {
            return Ok(self.copy(dn));
        }
        let now = Timestamp::from_second(document.drive.now).unwrap_or_default();
        let record = NewRecord {
            key_id: *key_id,
            password,
            volume: document.drive.volume,
            created: now.to_zoned(TimeZone::system()),
        };
        let copy = self.copy(self.add(state, &computer, &record)?);
        state.added.push(copy.place.clone());
        Ok(copy)
    }

    fn read_back(&self, copy: &SavedCopy) -> Result<ReadBack, SaveError> {
        let dn = distinguished_name(copy)?;
        let state = &mut *self.state();
        let found =
            self.connected(state, |directory| directory.read(&dn)).map_err(|error| self.error(error))?;
        match found {
            Some(Entry { key_id, password: Some(digits), .. }) => {
                let text = format!("{key_id}\r\n{}\r\n", digits.expose());
                Ok(ReadBack::Document(Secret::new(text.into_bytes())))
            }
            Some(_) => Ok(ReadBack::Withheld("this user may not see its digits".to_owned())),
            None if state.added.contains(&copy.place) => Ok(ReadBack::Withheld(
                "this user may add keys to the directory but not see them, so neither was it seen whether \
                 the key was there before; somebody who may see them can search for the key ID"
                    .to_owned(),
            )),
            None => {
                let why = "it is not there any more, or this user may not see it".to_owned();
                Err(SaveError::Rejected { place: copy.place.clone(), why })
            }
        }
    }

    /// Deletes a copy, unless it was there before.
    fn remove(&self, copy: &SavedCopy) -> Result<(), SaveError> {
        let state = &mut *self.state();
        if !state.added.contains(&copy.place) {
            let why = "it was there before".to_owned();
            return Err(SaveError::Rejected { place: copy.place.clone(), why });
        }
        let dn = distinguished_name(copy)?;
        self.connected(state, |directory| directory.delete(&dn)).map_err(|error| self.error(error))?;
        state.added.retain(|place| *place != copy.place);
        Ok(())
    }

    fn finish(&self) -> Result<Option<String>, SaveError> {
        let mut state = self.state();
        state.open = None;
        let notes = std::mem::take(&mut state.notes);
        Ok(if notes.is_empty() { None } else { Some(notes.join("; ")) })
    }
}

/// Looks at what the directory has under a key ID: returns the object with the same digits, and what is to be
/// known of the others.
fn compare(there: Vec<Entry>, key_id: KeyId, password: &RecoveryPassword) -> (Option<String>, Vec<String>) {
    let id = key_id.short();
    let (mut same, mut notes) = (None, Vec::new());
    for entry in there {
        match entry.has(password) {
            Some(true) if same.is_some() => {}
            Some(true) => {
                notes.push(format!("key ID {id} was in the directory already, so nothing was added"));
                same = Some(entry.dn);
            }
            Some(false) => notes.push(format!(
                "key ID {id} also stands in the directory with other digits, which do not open this drive: {}",
                entry.dn
            )),
            None => notes.push(format!(
                "key ID {id} also stood in the directory already, with digits that this user may not see: {}",
                entry.dn
            )),
        }
    }
    (same, notes)
}

/// Returns what a copy is called in the directory.
fn distinguished_name(copy: &SavedCopy) -> Result<String, SaveError> {
    match DirectoryAddress::parse(&copy.place).as_ref().map(DirectoryAddress::computer) {
        Ok(Some(Computer::Dn(dn))) => Ok(dn.clone()),
        _ => {
            let why = "it is no object of a directory".to_owned();
            Err(SaveError::Rejected { place: copy.place.clone(), why })
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::document::About;

    const KEY: &str = "132858-327525-689172-680790-354607-080454-642268-377564";

    fn destination(address: &str) -> DirectoryDestination {
        let address = DirectoryAddress::parse(address).expect("an address");
        let password = Secret::new("secret".to_owned());
        DirectoryDestination::new(address, Credentials { user: "ada".to_owned(), password }, None)
    }

    fn password() -> RecoveryPassword {
        RecoveryPassword::parse(KEY).expect("digits")
    }

    fn entry(dn: &str, digits: Option<&str>) -> Entry {
        Entry {
            dn: dn.to_owned(),
            computer: "PC01".to_owned(),
            key_id: KeyId::from(Uuid::from_u128(1)),
            volume: None,
            created: None,
            password: digits.map(|digits| Secret::new(digits.to_owned())),
        }
    }

    #[test]
    fn what_is_there_is_compared() {
        let id = KeyId::from(Uuid::from_u128(1));
        let other = "000011-".repeat(8);
        let compared = |there| compare(there, id, &password());
        assert_eq!(compared(vec![]), (None, vec![]));
        let (same, notes) = compared(vec![entry("CN=a", Some(KEY)), entry("CN=b", Some(KEY))]);
        assert_eq!((same.as_deref(), notes.len()), (Some("CN=a"), 1));
        let (same, notes) = compared(vec![entry("CN=a", Some(&other)), entry("CN=b", None)]);
        assert_eq!((same, notes.len()), (None, 2));
        assert!(notes[0].contains("CN=a") && notes[1].contains("CN=b"));
        assert!(!notes.concat().contains("000011"));
    }

    #[test]
    fn copies_are_found_again_by_their_place() {
        let destination = destination("ldaps://dc.example.com/PC01");
        for dn in [
            r"CN=2026-11-22T10:00:00\+01:00{063EA4E1-220C-4293-BA01-4754620A96E7},CN=PC01,DC=example",
            r"CN=a,CN=B\C3\BCro\, \22S\C3\BCd\22 50%41,DC=example",
        ] {
            let copy = destination.copy(dn.to_owned());
            assert!(copy.place.starts_with("ldaps://dc.example.com/CN="), "{}", copy.place);
            assert_eq!(distinguished_name(&copy).expect("its own"), dn);
            assert!(destination.remove(&copy).is_err(), "it was not added here");
        }
        assert!(distinguished_name(&SavedCopy::default()).is_err());
    }

    #[test]
    fn a_directory_that_cannot_be_used_is_refused() {
        let refusal =
            |address: &str| destination(address).check(Path::new("/dev/null")).expect_err("no server");
        let nameless = "it names no computer: write ldaps://SERVER/COMPUTER";
        assert!(matches!(refusal("ldaps://localhost:1"), Refusal::Unusable { why, .. } if why == nameless));
        let absent = refusal("ldaps://no-such-server.invalid/PC01");
        assert!(matches!(absent, Refusal::Save(SaveError::Unreachable { .. })), "{absent:?}");
    }

    #[test]
    fn it_holds_recovery_keys_only() {
        let destination = destination("ldaps://localhost:1/PC01");
        let bek = recovery_key::bek::Bek::new(KeyId::from(Uuid::nil()), 0, 0, None, Secret::new([7; 32]));
        let drive = About { volume: Uuid::nil(), label: None, now: 0 };
        let document = Document { drive, content: Content::ExternalKey(bek) };
        assert!(!destination.holds(&document.content));
        assert!(matches!(destination.save(&document), Err(SaveError::Rejected { .. })));
        let content = Content::RecoveryPassword { key_id: KeyId::from(Uuid::nil()), password: password() };
        assert!(destination.holds(&content));
    }
}
