//! The keys in a directory.

use std::path::PathBuf;

use ::find::forms::Readers;
use ::find::{Findings, Place, Unread};
use directory::{Directory, DirectoryAddress, DirectoryError, Entry};
use fve::ProtectorKind;
use recovery_key::{KeyIdPrefix, Secret};

use crate::cli::SignIn;
use crate::drive::Target;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::places;

/// What was found in all directories that were named.
#[derive(Default)]
pub struct Kept(Vec<(Place, Entry)>);

impl Kept {
    /// Signs in to each directory and asks it for a key ID, or for the keys of a computer, or of drives.
    pub fn ask(
        addresses: &[DirectoryAddress],
        wanted: Option<KeyIdPrefix>,
        drives: &[Target],
        sign_in: &SignIn,
        output: &Output,
    ) -> Result<Self, Failure> {
        let mut kept = Vec::new();
        for address in addresses {
            let server = format!("ldaps://{}", address.server());
            let ids = match wanted {
                Some(id) => vec![id],
                None => ids(drives),
            };
            if ids.is_empty() && address.computer().is_none() {
                return Err(Failure::new(Kind::Usage, format!("{server} holds the keys of all computers"))
                    .hint("say which: lastkey find KEY-ID, lastkey find DRIVE, or name the computer behind the server"));
            }
            let credentials = places::credentials(address, sign_in)?;
            output.note_unless_json(format!("Searching {server}"));
            let found =
                ask(address, &credentials, sign_in, &ids).map_err(|error| failure(&server, &error))?;
            kept.extend(
                found
                    .into_iter()
                    .map(|entry| (Place::from(PathBuf::from(format!("{server}/{}", entry.dn))), entry)),
            );
        }
        kept.dedup_by(|a, b| a.0 == b.0);
        Ok(Self(kept))
    }

    /// Adds it to what was found elsewhere.
    pub fn add_to(self, findings: &mut Findings) {
        for (place, entry) in self.0 {
            let Some(digits) = &entry.password else {
                findings.add_unread(place, Unread::NotPermitted);
                continue;
            };
            let parts = ["Identifier: ", &entry.key_id.to_string(), "\n", digits.expose(), "\n"];
            let document = Secret::new(parts.concat());
            findings.add(&place, "", document.expose().as_bytes(), &Readers::default());
        }
    }
}

fn ask(
    address: &DirectoryAddress,
    credentials: &directory::Credentials,
    sign_in: &SignIn,
    ids: &[KeyIdPrefix],
) -> Result<Vec<Entry>, DirectoryError> {
    let mut directory = Directory::open(address, credentials, sign_in.ca.as_deref())?;
    let mut found = match address.computer() {
        Some(computer) => {
            let computer = directory.computer(computer)?;
            let mut found = directory.list(&computer)?;
            found.retain(|entry| ids.is_empty() || ids.iter().any(|id| id.matches(&entry.key_id)));
            found
        }
        None => {
            let found: Result<Vec<_>, _> = ids.iter().map(|id| directory.search(id)).collect();
            found?.into_iter().flatten().collect()
        }
    };
    found.sort_by(|a, b| a.dn.cmp(&b.dn));
    Ok(found)
}

/// Returns the key IDs of the recovery keys that open the drives.
fn ids(drives: &[Target]) -> Vec<KeyIdPrefix> {
    let protectors = drives.iter().flat_map(|target| target.volume.protectors());
    protectors
        .filter(|protector| protector.kind == ProtectorKind::RecoveryPassword)
        .map(|protector| protector.id.into())
        .collect()
}

fn failure(server: &str, error: &DirectoryError) -> Failure {
    use DirectoryError as Error;
    let kind = match error {
        Error::Credentials(_) | Error::NoCredentials => Kind::WrongPassword,
        Error::NoComputer(_) | Error::NoSuchObject(_) => Kind::NotFound,
        Error::TooMany(_) | Error::ManyComputers { .. } => Kind::Usage,
        Error::Rights(_) => Kind::NotPermitted,
        _ => Kind::Unreachable,
    };
    Failure::new(kind, error.to_string()).about(server)
}
