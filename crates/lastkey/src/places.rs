//! From `--to KIND:PLACE` to destinations.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use backup::keepass::Credentials;
use backup::record::Record;
use backup::{
    AccountDestination, Destination, DirectoryDestination, FileDestination, FindError, ImportDestination,
    KeePassDestination, Manager, PaperDestination, PrintDestination, SheetsDestination, UsbDestination,
};
use directory::DirectoryAddress;
use recovery_key::Secret;
use sealed::Seal;
use uuid::Uuid;

use crate::cli::{PaperSize, Places, Sheets, SignIn};
use crate::drive::Target;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::{accounts, interrupt, keys, prompt};

/// How places are written.
const KINDS: &str = "write --to file:FOLDER, such as --to file:/media/share; or usb, paper:FILE.pdf, print, \
                     keepass:FILE.kdbx, directory:ldaps://SERVER/COMPUTER, account, bitwarden:FILE, 1password:FILE";

/// A destination, as the person named it.
pub struct Place {
    /// What they typed.
    pub given: String,
    /// What it is.
    pub destination: Box<dyn Destination>,
    /// The BitLocker volume that it lies on.
    pub lies_on: Option<Uuid>,
}

impl Place {
    /// Takes a destination that was chosen, not typed.
    pub fn new(given: String, destination: impl Destination + 'static) -> Self {
        Self { given, destination: Box::new(destination), lies_on: None }
    }
}

/// Makes destinations of what was typed, and asks for the passwords that they need.
pub struct Maker<'a> {
    options: &'a Places,
    passphrase: Option<Secret<String>>,
    accounts: Vec<String>,
}

impl<'a> Maker<'a> {
    /// Takes the command line.
    pub fn new(options: &'a Places) -> Self {
        Self { options, passphrase: None, accounts: Vec::new() }
    }

    /// Makes all the places that were named.
    pub fn all(&mut self) -> Result<Vec<Place>, Failure> {
        let places: Vec<_> = self.options.to.iter().map(|to| self.make(to)).collect::<Result<_, _>>()?;
        let seals = !self.options.age.is_empty() || self.wants_passphrase();
        if seals && !places.is_empty() && places.iter().all(|place| place.destination.kind() != "file") {
            return Err(Failure::new(
                Kind::Usage,
                "--age and --passphrase seal files, and no file: place is named",
            ));
        }
        Ok(places)
    }

    /// Reads `KIND:PLACE`.
    pub fn make(&mut self, to: &OsStr) -> Result<Place, Failure> {
        let given = to.to_string_lossy().into_owned();
        let (kind, rest) = split(to);
        let named = !rest.is_empty();
        // The record is read elsewhere, at another time.
        let path = std::path::absolute(&rest).unwrap_or_else(|_| PathBuf::from(&rest));
        match kind.as_str() {
            "file" if named => Ok(Place::new(given, self.file(path)?)),
            "usb" => {
                let stick = UsbDestination::find(&rest.to_string_lossy());
                let stick = stick.map_err(|error| Failure::new(Kind::NotFound, error.to_string()))?;
                Ok(Place::new(given, stick))
            }
            "paper" if named => Ok(match self.options.sheets {
                Some(Sheets { needed, sheets }) => {
                    Place::new(given, SheetsDestination::new(path, self.paper(), needed, sheets))
                }
                None => Place::new(given, PaperDestination::new(path, self.paper())),
            }),
            "print" if self.options.sheets.is_some() => Err(Failure::new(
                Kind::Usage,
                "sheets are saved first, each for another place: --to paper:FOLDER",
            )),
            "print" => {
                let printer = PrintDestination::find(&rest.to_string_lossy(), self.paper(), interrupt::asked);
                Ok(Place::new(given, printer.map_err(|error| no_printer(&error))?))
            }
            "account" => {
                let name = rest.to_str().filter(|name| !name.is_empty());
                Ok(Place::new(given, self.account(name)?))
            }
            "directory" if named => Ok(Place::new(given, self.directory(&rest)?)),
            "keepass" if named => Ok(Place::new(given, self.keepass(path)?)),
            "bitwarden" if named => Ok(Place::new(given, ImportDestination::new(Manager::Bitwarden, path))),
            "1password" if named => Ok(Place::new(given, ImportDestination::new(Manager::OnePassword, path))),
            _ => Err(Failure::new(Kind::Usage, format!("{to:?} is no place to save to")).hint(KINDS)),
        }
    }

    fn account(&mut self, name: Option<&str>) -> Result<AccountDestination, Failure> {
        let name = accounts::choose(name)?.name().to_owned();
        if self.accounts.contains(&name) {
            return Err(Failure::new(Kind::Usage, format!("the account {name} is named twice")));
        }
        let session = accounts::begin(Some(&name))?;
        self.accounts.push(name);
        Ok(AccountDestination::new(session))
    }

    fn paper(&self) -> paper::Paper {
        match self.options.paper {
            PaperSize::A4 => paper::Paper::A4,
            PaperSize::Letter => paper::Paper::Letter,
        }
    }

    fn wants_passphrase(&self) -> bool {
        self.options.passphrase || self.options.passphrase_file.is_some()
    }

    fn file(&mut self, folder: PathBuf) -> Result<FileDestination, Failure> {
        let destination = FileDestination::new(folder);
        let seal = if self.wants_passphrase() {
            Seal::with_passphrase(self.passphrase()?)
        } else if !self.options.age.is_empty() {
            Seal::to_recipients(&self.options.age)
        } else {
            return Ok(destination);
        };
        seal.map(|seal| destination.sealed(seal))
            .map_err(|error| Failure::new(Kind::Usage, error.to_string()))
    }

    /// Asks once for all files.
    fn passphrase(&mut self) -> Result<Secret<String>, Failure> {
        let passphrase = match (self.passphrase.take(), &self.options.passphrase_file) {
            (Some(known), _) => known,
            (None, Some(path)) => keys::password(path)?,
            (None, None) => new_password("Passphrase for the sealed files", "--passphrase-file FILE")?,
        };
        self.passphrase = Some(passphrase.duplicate());
        Ok(passphrase)
    }

    fn directory(&self, address: &OsStr) -> Result<DirectoryDestination, Failure> {
        let usage = |error: String| Failure::new(Kind::Usage, error);
        let address = address.to_str().ok_or_else(|| usage("a directory's address is text".to_owned()))?;
        let address = DirectoryAddress::parse(address).map_err(|error| usage(error.to_string()))?;
        if address.computer().is_none() {
            return Err(usage("the address does not say which computer the drive belongs to".to_owned())
                .hint("write directory:ldaps://SERVER/COMPUTER"));
        }
        let sign_in = &self.options.sign_in;
        let credentials = credentials(&address, sign_in)?;
        Ok(DirectoryDestination::new(address, credentials, sign_in.ca.clone()))
    }

    fn keepass(&self, path: PathBuf) -> Result<KeePassDestination, Failure> {
        let key_file =
            self.options.keepass_key_file.as_deref().map(|path| {
                keys::read_file(path).map_err(|failure| failure.about(&path.display().to_string()))
            });
        let key_file = key_file.transpose()?;
        let option = "--keepass-password-file FILE";
        let password = match &self.options.keepass_password_file {
            Some(path) => Some(keys::password(path)?),
            None if key_file.is_some() && !prompt::can_ask() => None,
            None if path.exists() => Some(password(&format!("Password of {}", path.display()), option)?),
            None => {
                let question = format!("Password for the new database {}", path.display());
                Some(new_password(&question, option)?)
            }
        };
        let password = password.filter(|typed| !typed.expose().is_empty());
        Ok(KeePassDestination::new(path, Credentials::new(password, key_file)))
    }
}

fn no_printer(error: &FindError) -> Failure {
    match error {
        FindError::NoMatch { .. } => Failure::new(Kind::NotFound, error.to_string())
            .hint("save the page instead, and print it elsewhere: --to paper:FILE.pdf"),
        _ => Failure::new(Kind::Unreachable, error.to_string())
            .hint("save the page instead, and print it elsewhere: --to paper:FILE.pdf"),
    }
}

/// Asks who signs in to a directory.
pub fn credentials(address: &DirectoryAddress, sign_in: &SignIn) -> Result<directory::Credentials, Failure> {
    let server = address.server();
    let user = match &sign_in.user {
        Some(user) => user.clone(),
        None if prompt::can_ask() => prompt::line(&format!("User at {server}: "))?,
        None => {
            return Err(Failure::new(Kind::KeyNeeded, format!("{server} asks who signs in"))
                .hint("name the user with --user NAME"));
        }
    };
    let password = match &sign_in.user_password_file {
        Some(path) => keys::password(path)?,
        None => password(&format!("Password of {user} at {server}"), "--user-password-file FILE")?,
    };
    Ok(directory::Credentials { user, password })
}

fn password(question: &str, option: &str) -> Result<Secret<String>, Failure> {
    if prompt::can_ask() {
        return prompt::hidden(&format!("{question}: "));
    }
    Err(Failure::new(Kind::KeyNeeded, "a password is needed, and there is nobody to ask")
        .hint(format!("name a file that holds it: {option}")))
}

/// Asks twice: what is typed wrongly once could never be opened again.
fn new_password(question: &str, option: &str) -> Result<Secret<String>, Failure> {
    loop {
        let first = password(question, option)?;
        if first.expose().is_empty() {
            eprintln!("It must not be empty.");
            continue;
        }
        if password("The same again", option)?.expose() == first.expose() {
            return Ok(first);
        }
        eprintln!("That was something else. Once more from the start.");
    }
}

#[cfg(unix)]
fn split(to: &OsStr) -> (String, OsString) {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut parts = to.as_bytes().splitn(2, |&byte| byte == b':');
    let kind = parts.next().unwrap_or_default();
    let rest = parts.next().unwrap_or_default();
    (String::from_utf8_lossy(kind).into_owned(), OsString::from_vec(rest.to_vec()))
}

#[cfg(not(unix))]
fn split(to: &OsStr) -> (String, OsString) {
    let text = to.to_string_lossy();
    let (kind, rest) = text.split_once(':').unwrap_or((&text, ""));
    (kind.to_owned(), rest.into())
}

/// Refuses places that the lock-out would lock too, before a key is asked for.
pub fn check(
    place: &mut Place,
    target: &Target,
    record: Option<&Record>,
    output: &Output,
) -> Result<(), Failure> {
    let about = place.destination.describe();
    let checked = backup::check(&*place.destination, &target.path, target.volume.id(), record)?;
    for warning in checked.warnings {
        output.note(format!("warning: {about}: {warning}"));
    }
    place.lies_on = checked.lies_on;
    Ok(())
}
