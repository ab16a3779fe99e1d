//! From what a person typed to the one drive that was meant.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Attached;

/// Why no single drive was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// Nothing is called so.
    #[error("no drive or image file is called {text:?}{}", listed("; attached are", .attached))]
    NoMatch {
        /// What was typed.
        text: String,
        /// The names of the drives there are.
        attached: Vec<String>,
    },
    /// More than one drive is called so.
    #[error("{text:?} can mean more than one drive{}", listed(":", .candidates))]
    Ambiguous {
        /// What was typed.
        text: String,
        /// Where those drives are.
        candidates: Vec<String>,
    },
    /// A folder that is not where an attached drive is mounted.
    #[error("{} is a folder, and no drive is mounted there", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// Something that is no drive: a terminal, a pipe, a socket.
    #[error("{} is neither a drive nor an image file", .path.display())]
    NotADrive {
        /// What it is.
        path: PathBuf,
    },
}

fn listed(before: &str, names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("{before} {}", names.join(", ")) }
}

/// Finds the drive that `text` means: a device, an image file, a folder where a drive is mounted, the
/// name or the label of an attached one.
///
/// A path is what it says. A word can be the name of a drive, a file in the current folder, or a label;
/// when it is several of these, nobody guesses. Only when it is none, labels in another case and the
/// names in the partition table count too.
///
/// # Errors
/// [`ResolveError`] names the candidates.
pub fn resolve(text: &str, attached: &[Attached]) -> Result<PathBuf, ResolveError> {
    let word = text.trim_end_matches(std::path::is_separator);
    let at_path = at_path(text, attached);
    if word.is_empty() || word.contains(std::path::is_separator) {
        return at_path;
    }
    let called = |is: &dyn Fn(&Attached) -> bool| -> BTreeSet<PathBuf> {
        attached.iter().filter(|drive| is(drive)).map(|drive| drive.path.clone()).collect()
    };
    let is_letter = word.len() == 2 && word.ends_with(':');
    let mut found = called(&|drive| {
        drive.name == word
            || is_letter && drive.name.eq_ignore_ascii_case(word)
            || drive.label.as_deref() == Some(word)
    });
    found.extend(at_path.as_ref().ok().cloned());
    let same = |name: &Option<String>| name.as_ref().is_some_and(|n| n.to_lowercase() == word.to_lowercase());
    if found.is_empty() {
        found = called(&|drive| same(&drive.label));
    }
    if found.is_empty() {
        found = called(&|drive| same(&drive.partition_name));
    }
    if found.is_empty() {
        // A disk that has partitions is not listed, and still has a name.
        found.extend(existing_device(word));
    }
    match found.len() {
        0 => at_path,
        1 => found.pop_first().ok_or_else(|| no_match(text, attached)),
        _ => {
            let candidates = found.iter().map(|path| path.display().to_string()).collect();
            Err(ResolveError::Ambiguous { text: text.into(), candidates })
        }
    }
}

/// Finds the drive that a path means.
fn at_path(text: &str, attached: &[Attached]) -> Result<PathBuf, ResolveError> {
    let path = Path::new(text);
    // The names of devices on Windows are no paths of files.
    if cfg!(windows) && text.starts_with(r"\\.\") {
        return Ok(path.into());
    }
    let real = fs::canonicalize(path).map_err(|_| no_match(text, attached))?;
    let kind = fs::metadata(&real).map_err(|_| no_match(text, attached))?.file_type();
    if kind.is_file() {
        return Ok(path.into());
    }
    if kind.is_dir() {
        let mut drives = attached.iter().filter(|drive| drive.mounted_at.contains(&real));
        return match (drives.next(), drives.next()) {
            (None, _) => Err(ResolveError::Folder { path: path.into() }),
            (Some(only), None) => Ok(only.path.clone()),
            (Some(first), Some(second)) => {
                let both = [first, second].into_iter().chain(drives);
                let candidates = both.map(|drive| drive.path.display().to_string()).collect();
                Err(ResolveError::Ambiguous { text: text.into(), candidates })
            }
        };
    }
    if !is_device(kind) {
        return Err(ResolveError::NotADrive { path: path.into() });
    }
    // Links such as those in /dev/disk/by-label are followed to the name that the list has.
    let listed = attached.iter().any(|drive| drive.path == real);
    Ok(if listed { real } else { path.into() })
}

fn no_match(text: &str, attached: &[Attached]) -> ResolveError {
    let attached = attached.iter().map(|drive| drive.name.clone()).collect();
    ResolveError::NoMatch { text: text.into(), attached }
}

fn existing_device(word: &str) -> Option<PathBuf> {
    let path = Path::new("/dev").join(word);
    fs::metadata(&path).is_ok_and(|metadata| is_device(metadata.file_type())).then_some(path)
}

#[cfg(unix)]
fn is_device(kind: fs::FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_block_device(&kind)
}

#[cfg(not(unix))]
fn is_device(_: fs::FileType) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drive(name: &str, label: &str, partition_name: &str) -> Attached {
        Attached {
            name: name.into(),
            path: format!("/dev/{name}").into(),
            label: Some(label.into()).filter(|label: &String| !label.is_empty()),
            partition_name: Some(partition_name.into()),
            ..Attached::default()
        }
    }

    fn drives() -> Vec<Attached> {
        vec![
            drive("sdx1", "System", "Basic data partition"),
            drive("sdx2", "Photos", "Basic data partition"),
            drive("sdy1", "Photos", "Backup"),
            drive("E:", "", ""),
        ]
    }

    #[test]
    fn names_and_labels_are_drives() {
        let drives = drives();
        for (text, path) in [
            ("sdx1", "/dev/sdx1"),
            ("System", "/dev/sdx1"),
            ("system", "/dev/sdx1"),
            ("BACKUP", "/dev/sdy1"),
            ("e:", "/dev/E:"),
        ] {
            assert_eq!(resolve(text, &drives), Ok(PathBuf::from(path)), "{text}");
        }
        #[cfg(windows)]
        assert_eq!(resolve("E:\\", &drives), Ok(PathBuf::from("/dev/E:")));
    }

    #[test]
    fn what_is_not_clear_is_asked_back() {
        let drives = drives();
        for text in ["Photos", "photos", "Basic data partition"] {
            let error = resolve(text, &drives).expect_err("two drives");
            assert!(matches!(error, ResolveError::Ambiguous { .. }));
            assert!(error.to_string().contains("/dev/sdx2"), "{error}");
        }
        for text in ["", "/", "SDX1", "/dev/sdx1", "no such thing", "./System"] {
            let error = resolve(text, &drives).expect_err("no drive");
            assert!(!matches!(error, ResolveError::Ambiguous { .. }), "{error}");
        }
        let message = resolve("sdz", &drives).expect_err("no drive").to_string();
        assert_eq!(message, "no drive or image file is called \"sdz\"; attached are sdx1, sdx2, sdy1, E:");
    }

    #[test]
    fn paths_are_image_files_and_mount_points() {
        let folder = tempfile::tempdir().expect("a temp folder");
        let real = folder.path().canonicalize().expect("its real path");
        let mut drives = drives();
        drives[1].mounted_at = vec![real.clone()];
        let text = |path: &Path| path.to_str().expect("a plain path").to_owned();
        assert_eq!(resolve(&text(&real), &drives), Ok("/dev/sdx2".into()));
        drives[0].mounted_at = vec![real.clone()];
        assert!(matches!(resolve(&text(&real), &drives), Err(ResolveError::Ambiguous { .. })));

        let image = real.join("Photos");
        std::fs::write(&image, b"").expect("a file");
        assert_eq!(resolve(&text(&image), &drives), Ok(image));
        std::fs::create_dir(real.join("sdx1")).expect("a folder");
        let inside = resolve(&text(&real.join("sdx1")), &drives);
        assert!(matches!(inside, Err(ResolveError::Folder { .. })));
        #[cfg(unix)]
        assert!(matches!(resolve("/dev/null", &drives), Err(ResolveError::NotADrive { .. })));
    }
}
