//! The drives that people unplug, and how they are called.

use std::path::Path;

use drives::{Attached, Signature};

use super::mounted;

/// A drive that people unplug.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stick {
    /// The drive: name, maker, model, label, size, and what is on it.
    pub drive: Attached,
    /// The bytes that are free on it; `None` when that takes rights or a driver that are missing.
    pub free: Option<u64>,
}

/// Why no single drive was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StickError {
    /// There is no removable drive at all.
    #[error("no USB drive is plugged in")]
    None,
    /// None of the removable drives is called so.
    #[error("no USB drive is called {name:?}; plugged in: {}", .there.join(", "))]
    NoMatch {
        /// What was asked for.
        name: String,
        /// What there is.
        there: Vec<String>,
    },
    /// Several of them are called so.
    #[error("{name:?} can mean more than one USB drive: {}", .candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// What it can mean.
        candidates: Vec<String>,
    },
}

/// Lists the drives that people unplug, without those that the running system stands on.
///
/// To learn what is free, one that nobody has mounted is mounted for reading, if this process may,
/// where nobody else sees it.
pub fn sticks() -> Vec<Stick> {
    sticks_among(drives::attached())
}

/// The same of drives that somebody else has listed.
pub fn sticks_among(attached: Vec<Attached>) -> Vec<Stick> {
    let sticks = removable(attached).into_iter();
    sticks.map(|drive| Stick { free: mounted::free(&drive), drive }).collect()
}

/// Finds the one that `name` means; the empty name means the only one there is.
pub fn find(name: &str, attached: Vec<Attached>) -> Result<Attached, StickError> {
    let there = removable(attached);
    if there.is_empty() {
        return Err(StickError::None);
    }
    let same = |other: &str| other.to_lowercase() == name.to_lowercase();
    let exactly = |drive: &Attached| {
        let is_at = |path: &Path| path == Path::new(name);
        drive.name == name
            || drive.label.as_deref() == Some(name)
            || is_at(&drive.path)
            || drive.mounted_at.iter().any(|folder| is_at(folder))
    };
    let nearly = |drive: &Attached| {
        let hardware = hardware(drive);
        [&drive.label, &drive.model, &drive.parent, &hardware].into_iter().flatten().any(|own| same(own))
            || same(&drive.name)
    };
    let all = |_: &Attached| name.is_empty();
    let ways: [&dyn Fn(&Attached) -> bool; 3] = [&all, &exactly, &nearly];
    let titles = |drives: &[&Attached]| drives.iter().map(|drive| title(drive)).collect();
    for is_meant in ways {
        let found: Vec<_> = there.iter().filter(|drive| is_meant(drive)).collect();
        match found.as_slice() {
            [] => {}
            [only] => return Ok((*only).clone()),
            several => {
                return Err(StickError::Ambiguous { name: name.to_owned(), candidates: titles(several) });
            }
        }
    }
    Err(StickError::NoMatch { name: name.to_owned(), there: titles(&there.iter().collect::<Vec<_>>()) })
}

/// Leaves out what is built in, and the disk that the running system was started from.
///
/// Only Linux tells what can be removed; elsewhere any drive is meant that is named.
fn removable(attached: Vec<Attached>) -> Vec<Attached> {
    let is_system = |drive: &Attached| {
        drive.mounted_at.iter().any(|folder| folder == Path::new("/") || folder.starts_with("/boot"))
    };
    let disk = |drive: &Attached| drive.parent.clone().unwrap_or_else(|| drive.name.clone());
    let system: Vec<_> = attached.iter().filter(|drive| is_system(drive)).map(disk).collect();
    let is_stick =
        |drive: &Attached| (drive.removable || !cfg!(target_os = "linux")) && !system.contains(&disk(drive));
    attached.into_iter().filter(is_stick).collect()
}

/// Returns what a person calls it: its label, else its maker and model, and the name of the device.
pub fn title(drive: &Attached) -> String {
    let name = name(drive);
    if name == drive.name { name } else { format!("{name} ({})", drive.name) }
}

/// Names a drive so that it has the same name when it is plugged in again.
pub fn name(drive: &Attached) -> String {
    drive.label.clone().or_else(|| hardware(drive)).unwrap_or_else(|| drive.name.clone())
}

fn hardware(drive: &Attached) -> Option<String> {
    let words: Vec<_> = [&drive.vendor, &drive.model].into_iter().flatten().map(String::as_str).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Returns whether it is a file system that a key can be kept on.
pub fn holds_files(content: Signature) -> bool {
    use Signature as Is;
    is_windows(content)
        || matches!(content, Is::Ext2 | Is::Ext3 | Is::Ext4 | Is::Xfs | Is::Btrfs | Is::HfsPlus | Is::Apfs)
}

/// Returns whether its file system knows the attributes of Windows.
pub fn is_of_windows(drive: &Attached) -> bool {
    drive.content.is_some_and(is_windows)
}

fn is_windows(content: Signature) -> bool {
    use Signature as Is;
    matches!(content, Is::Fat12 | Is::Fat16 | Is::Fat32 | Is::ExFat | Is::Ntfs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drive(name: &str, label: Option<&str>, model: &str) -> Attached {
        let mut drive = Attached::default();
        drive.name = name.to_owned();
        drive.path = Path::new("/dev").join(name);
        drive.label = label.map(str::to_owned);
        drive.vendor = Some("Maker".to_owned());
        drive.model = Some(model.to_owned());
        drive.parent = Some(name.trim_end_matches(|char: char| char.is_ascii_digit()).to_owned());
        drive.removable = true;
        drive
    }

    fn three() -> Vec<Attached> {
        let mut system = drive("sda1", Some("KEYS"), "Internal");
        system.removable = false;
        let mut live = drive("sdd1", Some("Live"), "Stick");
        live.mounted_at = vec!["/".into()];
        vec![
            system,
            drive("sdb1", Some("Keys"), "Stick"),
            drive("sdc1", None, "Stick"),
            live,
            drive("sdd2", None, "x"),
        ]
    }

    fn names(name: &str) -> Result<String, StickError> {
        find(name, three()).map(|drive| drive.name)
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_means_one_stick_or_none() {
        for (name, found) in [
            ("Keys", "sdb1"),
            ("keys", "sdb1"),
            ("sdb1", "sdb1"),
            ("sdb", "sdb1"),
            ("/dev/sdc1", "sdc1"),
            ("SDC1", "sdc1"),
        ] {
            assert_eq!(names(name).as_deref(), Ok(found), "{name}");
        }
        let both = vec!["Keys (sdb1)".to_owned(), "Maker Stick (sdc1)".to_owned()];
        for name in ["", "Stick", "maker stick"] {
            let ambiguous = StickError::Ambiguous { name: name.to_owned(), candidates: both.clone() };
            assert_eq!(names(name), Err(ambiguous));
        }
        for name in ["sda1", "Internal", "sdd1", "sdd2", "Live", "no"] {
            assert_eq!(names(name), Err(StickError::NoMatch { name: name.to_owned(), there: both.clone() }));
        }
        assert_eq!(find("", Vec::new()), Err(StickError::None));
        assert_eq!(find("", vec![drive("sdb1", None, "x")]).map(|drive| drive.name).as_deref(), Ok("sdb1"));
    }
}
