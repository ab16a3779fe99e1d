//! Why a copy was not made, in words.

use std::path::Path;

use account::ClientError;
use account::place::PlaceError;
use backup::{BackupError, Refusal, SaveError, Warning};

use crate::told::Told;

/// Says why a place is refused.
pub fn refusal(refusal: &Refusal) -> Told {
    match refusal {
        Refusal::OnTheDrive { place } => Told::new("refused-on-the-drive").with("place", place),
        Refusal::OnBitLocker { place, .. } => Told::new("refused-on-bitlocker").with("place", place),
        Refusal::NoFolder { place } => Told::new("refused-no-folder").with("place", place),
        Refusal::Unusable { place, why } => {
            Told::new("refused-unusable").with("place", place).because(Told::quoted(why))
        }
        Refusal::Save(error) => save_error(error),
        Refusal::Unseen { place, source } => {
            Told::new("refused-unseen").with("place", place).because(Told::quoted(source.to_string()))
        }
        other => Told::quoted(other.to_string()),
    }
}

/// Says what to know about a place that is not refused.
pub fn warning(warning: &Warning) -> Told {
    match warning {
        Warning::SameDisk => Told::new("warned-same-disk"),
        Warning::FixedDrive => Told::new("warned-fixed-drive"),
        Warning::InMemory => Told::new("warned-in-memory"),
        Warning::Network => Told::new("warned-network"),
        Warning::Unknown => Told::new("warned-unknown"),
        Warning::OtherBitLocker => Told::new("warned-other-bitlocker"),
        other => Told::quoted(other.to_string()),
    }
}

/// Says why nothing was saved.
pub fn save_error(error: &SaveError) -> Told {
    let of = |message, place: &String| Told::new(message).with("place", place);
    match error {
        SaveError::AlreadyThere { path } => of("failed-already-there", &path.display().to_string()),
        SaveError::Full { place } => of("failed-full", place),
        SaveError::NotPermitted { place } => of("failed-not-permitted", place),
        SaveError::ReadOnly { place } => of("failed-read-only", place),
        SaveError::Taken { place, name } => of("failed-taken", place).with("name", name),
        SaveError::NoFolder { place } => of("refused-no-folder", place),
        SaveError::Unreachable { place, why } => of("failed-unreachable", place).because(Told::quoted(why)),
        SaveError::Locked { place, why } => of("failed-locked", place).because(Told::quoted(why)),
        SaveError::Rejected { place, why } => of("failed-rejected", place).because(Told::quoted(why)),
        SaveError::Io { place, source } => of("failed-io", place).because(Told::quoted(source.to_string())),
        other => Told::quoted(other.to_string()),
    }
}

/// Says why there is no backup.
pub fn backup_error(error: &BackupError) -> Told {
    match error {
        BackupError::Save(error) => save_error(error),
        BackupError::ReadBack(error) => Told::new("failed-read-back").because(save_error(error)),
        BackupError::NotProven(why) => Told::new("failed-not-proven").because(Told::quoted(why)),
        BackupError::NotRemoved { problem, place, source } => {
            let why = Told::quoted(problem).because(save_error(source));
            Told::new("failed-not-removed").with("place", place).because(why)
        }
        other => Told::quoted(other.to_string()),
    }
}

/// Says what went wrong at an account's server.
pub fn client_error(error: &ClientError) -> Told {
    let quoted = Told::quoted(error.to_string());
    match error {
        ClientError::Unreachable { server, why } => {
            let unreachable = Told::new("server-unreachable").with("server", server.to_string());
            unreachable.because(Told::quoted(why))
        }
        ClientError::Untrusted { server, why } => {
            let untrusted = Told::new("server-untrusted").with("server", server.to_string());
            untrusted.because(Told::quoted(why))
        }
        ClientError::Refused { code, .. } if matches!(code.as_str(), "revoked" | "signature") => {
            Told::new("server-revoked").because(quoted)
        }
        ClientError::Alarm(_) => Told::new("server-alarm").because(quoted),
        ClientError::Recipients => Told::new("server-recipients"),
        ClientError::Outdated => Told::new("server-outdated"),
        ClientError::Place(PlaceError::Busy) => Told::new("account-busy"),
        _ => quoted,
    }
}

/// Says where a copy is, of what the record calls its place.
pub fn place(kind: &str, place: &str) -> Told {
    match kind {
        "usb" => {
            let name = place.strip_prefix("the USB drive ").unwrap_or(place);
            Told::new("at-usb").with("place", name)
        }
        "print" => {
            let printer = place.rsplit_once("from the printer ").map_or(place, |(_, printer)| printer);
            Told::new("at-print").with("place", printer)
        }
        "account" => Told::new("at-account").with("place", place),
        "directory" => Told::new("at-directory").with("place", place),
        "keepass" => {
            let file = place.split(", group ").next().unwrap_or(place);
            Told::new("at-keepass").with("place", file)
        }
        "paper" => Told::new("at-pdf").with("place", place),
        "bitwarden" | "1password" => Told::new("at-import").with("place", place),
        _ => Told::new("at-file").with("place", place),
    }
}

/// Returns whether a file is sealed, so that nobody can look into it.
pub fn is_sealed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == sealed::EXTENSION)
}
