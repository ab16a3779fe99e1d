//! A second reader of the format, written by others: what it does not read, other programs may not
//! read either, so it judges every database before that takes the old one's place.

use keepass::db::{DatabaseOpenError, EntryRef};
use keepass::{Database, DatabaseKey};

use super::credentials::Credentials;
use super::entry::{Entry, GROUP};
use super::error::KeePassError;
use super::text::{Step, Walker};

/// Seconds: no time in a database is later than the year 10,000.
const TIME_LIMIT: i64 = 315_537_897_600;

/// Lets the other reader open the file and find in it as many entries as we did, and ours as we wrote it.
///
/// It does not know all that people have in their databases. Where it does not open the old file either
/// it is no judge, and the comparison with the old one, byte for byte, has to be enough.
pub(super) fn judge(
    new: &Written<'_>,
    old: Option<&[u8]>,
    credentials: &Credentials,
) -> Result<(), KeePassError> {
    let differs = |what: &str| Err(KeePassError::NotTheSame(what.to_owned()));
    // Of some times it does not say that they are broken: it breaks off itself.
    if !has_plain_times(new.text)? {
        return if old.is_some() { Ok(()) } else { differs("a time") };
    }
    let database = match open(new.bytes, credentials) {
        Ok(database) => database,
        Err(_) if old.is_some_and(|old| open(old, credentials).is_err()) => return Ok(()),
        Err(error) => {
            return Err(KeePassError::NotTheSame(format!("another reader does not open it: {error}")));
        }
    };
    if database.num_entries() != new.entries.iter().filter(|entry| !entry.old).count() {
        return differs("another reader finds another number of entries in it");
    }
    let ours = new.entries.iter().find(|entry| entry.is_ours(new.title));
    let theirs = database
        .iter_all_entries()
        .find(|entry| entry.get_title() == Some(new.title) && entry.parent().name == GROUP);
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        return differs("another reader does not find the new entry in it");
    };
    if is_same(ours, &theirs, new.file) {
        Ok(())
    } else {
        differs("another reader finds another new entry in it")
    }
}

/// What was written, as we read it again.
pub(super) struct Written<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) text: &'a str,
    pub(super) entries: &'a [Entry],
    /// The new entry's title, and its attachment.
    pub(super) title: &'a str,
    pub(super) file: Option<&'a [u8]>,
}

fn open(bytes: &[u8], credentials: &Credentials) -> Result<Database, DatabaseOpenError> {
    let mut key = DatabaseKey::new();
    if let Some(password) = &credentials.password {
        key = key.with_password(password.expose());
    }
    if let Some(file) = &credentials.key_file {
        key = key.with_keyfile(&mut file.expose().as_slice())?;
    }
    Database::parse(bytes, key)
}

fn is_same(ours: &Entry, theirs: &EntryRef<'_>, file: Option<&[u8]>) -> bool {
    let fields = ours.fields.iter().all(|(key, value)| theirs.get(key) == Some(value.expose().as_str()));
    let files = ours.files.iter().all(|(name, _)| {
        theirs.attachment_by_name(name).is_some_and(|own| Some(own.data.get().as_slice()) == file)
    });
    fields && files
}

fn has_plain_times(text: &str) -> Result<bool, KeePassError> {
    use base64::Engine as _;
    let mut walker = Walker::new(text);
    let (mut time, mut value) = (false, String::new());
    while let Some(step) = walker.step()? {
        match step {
            Step::Open { name, .. } => {
                time = name.ends_with("Time") || name.ends_with("Changed");
                value.clear();
            }
            Step::Text(part) if time => value.push_str(&part),
            Step::Close { .. } if time => {
                time = false;
                let bytes = base64::prelude::BASE64_STANDARD.decode(value.trim()).unwrap_or_default();
                let seconds = bytes.first_chunk::<8>().map(|bytes| i64::from_le_bytes(*bytes));
                let plain = value.contains('-') || seconds.is_some_and(|s| (0..=TIME_LIMIT).contains(&s));
                if !plain {
                    return Ok(false);
                }
            }
            _ => {}
        }
    }
    Ok(true)
}
