//! Files that a password manager imports: a plain text with the key, on its way into a vault.
//!
//! Bitwarden imports a JSON document of its own export's form ("Bitwarden (json)"). 1Password's `op`
//! makes an item of a template ("op item create --template FILE"). Both forms are documented by their
//! makers. Each file holds one key and lets everybody read it, so it is to be deleted after the import,
//! and [`Destination::finish`] says so.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use recovery_key::{Secret, document};
use serde_json::{Value, json};

use crate::destination::{Destination, ReadBack, Refusal, SaveError, SavedCopy, Warning};
use crate::document::{Content, Document};
use crate::file::{FileDestination, forget_cache};
use crate::new_file::{NewFile, parent, sync_folder};

/// A password manager that imports files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// Bitwarden, and Vaultwarden.
    Bitwarden,
    /// 1Password.
    OnePassword,
}

/// A file to be imported.
#[derive(Debug)]
pub struct ImportDestination {
    manager: Manager,
    path: PathBuf,
    /// What was written and is still there.
    written: Mutex<Vec<PathBuf>>,
}

impl ImportDestination {
    /// Names a file that is not there. A second key gets a file beside it, with its key ID in the name.
    pub fn new(manager: Manager, path: PathBuf) -> Self {
        Self { manager, path, written: Mutex::default() }
    }

    fn written(&self) -> std::sync::MutexGuard<'_, Vec<PathBuf>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path_for(&self, document: &Document) -> PathBuf {
        if !self.written().contains(&self.path) {
            return self.path.clone();
        }
        let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let short = document.key_id().map(|id| id.short()).unwrap_or_default();
        let (stem, extension) = (part(self.path.file_stem()), part(self.path.extension()));
        let dot = if extension.is_empty() { "" } else { "." };
        self.path.with_file_name(format!("{stem} {short}{dot}{extension}"))
    }

    fn text(&self, document: &Document) -> Option<Secret<String>> {
        let Content::RecoveryPassword { key_id, password } = &document.content else { return None };
        let id = key_id.to_string();
        let mut about = vec![("Volume", document.drive.volume.to_string().to_uppercase())];
        about.extend(document.drive.label.clone().map(|label| ("Label", label)));
        about.push(("Key ID", id.clone()));
        let notes = "When Windows asks for the recovery key, compare the first 8 characters of the key ID with \
                     those on the screen, then type the 48 digits of the password.";
        let title = format!("BitLocker recovery key {}", key_id.short());
        let digits = password.digits();
        let item = match self.manager {
            Manager::Bitwarden => {
                let fields =
                    about.into_iter().map(|(name, value)| json!({ "name": name, "value": value, "type": 0 }));
                json!({ "encrypted": false, "folders": [], "items": [{
                    "type": 1, "name": title, "notes": notes, "favorite": false, "reprompt": 1,
                    "fields": fields.collect::<Vec<_>>(),
                    "login": { "uris": [], "username": id, "password": digits.expose(), "totp": null },
                }] })
            }
            Manager::OnePassword => {
                let mut fields = vec![json!({ "id": "notesPlain", "type": "STRING", "purpose": "NOTES",
                        "label": "notesPlain", "value": notes })];
                fields.extend(about.into_iter().map(|(label, value)| {
                    json!({ "id": label.to_lowercase().replace(' ', "_"), "type": "STRING", "label": label,
                        "value": value })
                }));
                fields.push(json!({ "id": "password", "type": "CONCEALED", "purpose": "PASSWORD",
                    "label": "password", "value": digits.expose() }));
                json!({ "title": title, "category": "PASSWORD", "fields": fields })
            }
        };
        let mut item = Secret::new(Json(item));
        let text =
            serde_json::to_string_pretty(&item.expose_mut().0).expect("text and lists are always JSON");
        Some(Secret::new(text + "\n"))
    }

    fn write(&self, path: &Path, text: &Secret<String>) -> io::Result<()> {
        let mut new = NewFile::create(parent(path))?;
        new.file().write_all(text.expose().as_bytes())?;
        new.keep(path)
    }
}

/// A JSON document whose texts are wiped.
struct Json(Value);

impl zeroize::Zeroize for Json {
    fn zeroize(&mut self) {
        fn wipe(value: &mut Value) {
            match value {
                Value::String(text) => text.zeroize(),
                Value::Array(values) => values.iter_mut().for_each(wipe),
                Value::Object(values) => values.values_mut().for_each(wipe),
                _ => {}
            }
        }
        wipe(&mut self.0);
    }
}

impl Destination for ImportDestination {
    fn kind(&self) -> &'static str {
        match self.manager {
            Manager::Bitwarden => "bitwarden",
            Manager::OnePassword => "1password",
        }
    }

    fn describe(&self) -> String {
        let manager = match self.manager {
            Manager::Bitwarden => "Bitwarden",
            Manager::OnePassword => "1Password",
        };
        format!("the file {}, to be imported by {manager}", self.path.display())
    }

    fn check(&self, drive: &Path) -> Result<Vec<Warning>, Refusal> {
        FileDestination::new(parent(&self.path).to_owned()).check(drive)
    }

    fn holds(&self, content: &Content) -> bool {
        matches!(content, Content::RecoveryPassword { .. })
    }

    fn save(&self, document: &Document) -> Result<SavedCopy, SaveError> {
        let place = || self.path.display().to_string();
        let text = self.text(document).ok_or_else(|| SaveError::Rejected {
            place: place(),
            why: "a password manager imports no files".to_owned(),
        })?;
        let path = self.path_for(document);
        self.write(&path, &text).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => SaveError::AlreadyThere { path: path.clone() },
            _ => SaveError::from_io(path.display().to_string(), error),
        })?;
        self.written().push(path.clone());
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(SavedCopy { place: path.display().to_string(), name, path: Some(path) })
    }

    fn read_back(&self, copy: &SavedCopy) -> Result<ReadBack, SaveError> {
        let read = || {
            let file = File::open(copy.path.as_deref().ok_or(io::ErrorKind::NotFound)?)?;
            forget_cache(&file)?;
            let mut bytes = Secret::new(Vec::new());
            file.take(document::SIZE_LIMIT as u64).read_to_end(bytes.expose_mut())?;
            Ok(ReadBack::Document(bytes))
        };
        read().map_err(|error: io::Error| SaveError::from_io(copy.place.clone(), error))
    }

    fn remove(&self, copy: &SavedCopy) -> Result<(), SaveError> {
        let path = copy.path.as_deref().unwrap_or(&self.path);
        fs::remove_file(path)
            .and_then(|()| sync_folder(parent(path)))
            .map_err(|error| SaveError::from_io(copy.place.clone(), error))?;
        self.written().retain(|own| own != path);
        Ok(())
    }

    fn finish(&self) -> Result<Option<String>, SaveError> {
        let written = self.written();
        if written.is_empty() {
            return Ok(None);
        }
        let files = written.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        let (it, reads) = if written.len() == 1 { ("it", "it") } else { ("them", "them") };
        let how = match self.manager {
            Manager::Bitwarden => "in Bitwarden under Tools, Import data, as \"Bitwarden (json)\"",
            Manager::OnePassword => "in 1Password with `op item create --template FILE`",
        };
        Ok(Some(format!(
            "Import {files} {how}, then delete {it}: whoever reads {reads} has the key. Until then the key is \
             not in the password manager"
        )))
    }
}

#[cfg(test)]
mod tests {
    use recovery_key::document::FoundSecret;
    use recovery_key::{KeyId, RecoveryPassword};

    use super::*;
    use crate::document::About;

    const IDS: [&str; 2] = ["AC9D5655-F7CA-4D1D-902F-1B6087118138", "0B9D5655-F7CA-4D1D-902F-1B6087118138"];
    const DIGITS: &str = "132858-327525-689172-680790-354607-080454-642268-377564";

    fn document(id: &str) -> Document {
        let key_id = id.parse::<KeyId>().expect("a GUID");
        let password = RecoveryPassword::parse(DIGITS).expect("well-formed digits");
        let volume = uuid::Uuid::from_u128(0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF);
        let drive = About { volume, label: Some("PC \"C:\" <1>".to_owned()), now: 1_700_000_000 };
        Document { drive, content: Content::RecoveryPassword { key_id, password } }
    }

    #[test]
    fn the_key_is_read_back_as_it_was_whatever_stands_beside_it() {
        for manager in [Manager::Bitwarden, Manager::OnePassword] {
            let folder = tempfile::tempdir().expect("a folder");
            let destination = ImportDestination::new(manager, folder.path().join("keys.json"));
            for id in IDS {
                let copy = destination.save(&document(id)).expect("a copy");
                let ReadBack::Document(bytes) = destination.read_back(&copy).expect("the copy") else {
                    panic!("a file is read back");
                };
                let reading = document::read(copy.name.as_deref(), bytes.expose());
                assert!(reading.remarks.is_empty(), "{:?}", reading.remarks);
                let [found] = reading.keys.as_slice() else { panic!("one key, not {:?}", reading.keys) };
                assert_eq!(found.key_id.expect("a key ID").to_string(), id);
                let FoundSecret::RecoveryPassword(password) = &found.secret else { panic!("digits") };
                assert_eq!(password.digits().expose(), DIGITS);
            }
            let said = destination.finish().expect("an end").expect("something to do");
            assert!(said.contains("delete them"), "{said}");
            assert!(folder.path().join("keys 0B9D5655.json").exists());
        }
    }

    #[test]
    fn bitwarden_finds_its_own_form() {
        let destination = ImportDestination::new(Manager::Bitwarden, PathBuf::from("keys.json"));
        let text = destination.text(&document(IDS[0])).expect("a text");
        let json: Value = serde_json::from_str(text.expose()).expect("JSON");
        assert_eq!(json["encrypted"], false);
        let item = &json["items"][0];
        assert_eq!((&item["type"], &item["login"]["password"]), (&json!(1), &json!(DIGITS)));
        assert_eq!(item["fields"][1]["value"], "PC \"C:\" <1>");
    }

    #[test]
    fn one_password_keeps_the_digits_concealed() {
        let destination = ImportDestination::new(Manager::OnePassword, PathBuf::from("item.json"));
        let text = destination.text(&document(IDS[0])).expect("a text");
        let json: Value = serde_json::from_str(text.expose()).expect("JSON");
        assert_eq!(json["category"], "PASSWORD");
        let fields = json["fields"].as_array().expect("fields");
        let with_digits: Vec<_> = fields.iter().filter(|field| field["value"] == DIGITS).collect();
        assert_eq!(with_digits.len(), 1);
        assert_eq!(with_digits[0]["type"], "CONCEALED");
    }

    #[test]
    fn a_file_that_is_there_is_left_as_it_is_and_a_removed_one_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys.json");
        fs::write(&path, "mine").expect("written");
        let destination = ImportDestination::new(Manager::Bitwarden, path.clone());
        assert!(matches!(destination.save(&document(IDS[0])), Err(SaveError::AlreadyThere { .. })));
        assert_eq!(fs::read(&path).expect("the file"), b"mine");
        fs::remove_file(&path).expect("removed");
        let copy = destination.save(&document(IDS[0])).expect("a copy");
        destination.remove(&copy).expect("removed");
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0);
        assert!(destination.finish().expect("an end").is_none());
    }
}
