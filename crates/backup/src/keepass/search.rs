//! Recovery keys in any entry of any database.

use fve::Snapshot;
use recovery_key::Secret;
use recovery_key::document::{self, Remark};

use super::credentials::Credentials;
use super::entry::{Entry, entries};
use super::error::KeePassError;
use super::kdbx::Database;

/// Something in a database that holds a recovery key.
#[derive(Debug)]
pub struct Kept {
    /// Where it is: the groups, the title and, in an earlier state of an entry, that it is one.
    pub place: String,
    /// The name of the attachment, when it is one.
    pub name: Option<String>,
    /// What [`document::read`] reads.
    pub bytes: Secret<Vec<u8>>,
}

/// Finds recovery keys in every field and every attachment of every entry, earlier states of entries and
/// the recycle bin included. Formats 3.1 and 4 are read.
///
/// # Errors
/// When the database does not open.
pub fn keys(bytes: &[u8], credentials: &Credentials) -> Result<Vec<Kept>, KeePassError> {
    let database = Database::open(bytes, credentials)?;
    let mut found = Vec::new();
    for entry in entries(database.text.expose())? {
        let files = entry.files.iter().filter_map(|(name, number)| {
            let bytes = database.file(*number).filter(|bytes| bytes.len() <= document::SIZE_LIMIT)?;
            Some((Some(name.clone()), Secret::new(bytes.to_vec())))
        });
        for (name, bytes) in std::iter::once((None, text_of(&entry))).chain(files) {
            let reading = document::read(name.as_deref(), bytes.expose());
            let wrong = |remark: &Remark| matches!(remark, Remark::WrongDigits { .. });
            // The metadata that is kept beside a key is no key, but opens a drive together with it.
            let snapshot = name.is_some() && Snapshot::parse(bytes.expose()).is_ok();
            if snapshot || !reading.keys.is_empty() || reading.remarks.iter().any(wrong) {
                found.push(Kept { place: place(&entry), name, bytes });
            }
        }
    }
    Ok(found)
}

fn place(entry: &Entry) -> String {
    let title = entry.field("Title").unwrap_or_default();
    let path = entry.groups.iter().map(String::as_str).chain([title]).collect::<Vec<_>>().join("/");
    if entry.old { format!("{path} (an earlier state)") } else { path }
}

/// Writes an entry as a text: a key ID that stands in the title or the user name comes right before the
/// digits, which are mostly the password.
pub(super) fn text_of(entry: &Entry) -> Secret<Vec<u8>> {
    let rank = |name: &str| match name {
        "Title" => 1,
        "UserName" => 2,
        "Key ID" => 3,
        "Password" => 4,
        "Notes" => 5,
        _ => 0,
    };
    let mut fields: Vec<_> = entry.fields.iter().collect();
    fields.sort_by_key(|(name, _)| rank(name));
    let length = fields.iter().map(|(name, value)| name.len() + value.expose().len() + 4).sum();
    let mut out = Secret::new(Vec::with_capacity(length));
    for (name, value) in fields {
        for part in [name.as_str(), ":\n", value.expose(), "\n\n"] {
            out.expose_mut().extend_from_slice(part.as_bytes());
        }
    }
    out
}
