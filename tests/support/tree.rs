//! All that is on a volume or in a folder, by path.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest, Sha256};
use unlocked::{Error, File, FileId, FileSystem, Kind, Position};

/// A file, folder or link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// `f` for a file, `d` for a folder, `l` for a link, `o` for something else.
    pub kind: char,
    /// The length of its content, 0 for what is no file.
    pub size: u64,
    /// The SHA-256 of its content, or where it leads.
    pub content: String,
    /// Seconds and nanoseconds since 1970.
    pub modified: (i64, u32),
}

/// Everything, by path from the root.
pub type Tree = BTreeMap<String, Item>;

/// Reads all that a file system has, in two ways each.
///
/// # Panics
/// When anything cannot be read.
pub fn of_volume(files: &FileSystem) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![(String::new(), files.root())];
    while let Some((path, folder)) = folders.pop() {
        for entry in files.list(folder, Position::default()).expect("a folder") {
            let entry = entry.expect("an entry");
            let path = format!("{path}/{}", String::from_utf8_lossy(&entry.name.to_bytes()));
            let stat = files.stat(entry.id).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert_eq!((stat.id, stat.kind), (entry.id, entry.kind), "{path}");
            let found = files.lookup(folder, &entry.name).expect("a folder").expect("its own name");
            assert_eq!((found.id, &found.name, found.kind), (entry.id, &entry.name, entry.kind), "{path}");
            let (kind, content) = match entry.kind {
                Kind::File => ('f', hash(&files.open_file(entry.id).expect("a file"), &path)),
                Kind::Folder => ('d', String::new()),
                Kind::Link => ('l', files.link(entry.id).expect("a link").target.to_string()),
                _ => ('o', String::new()),
            };
            if entry.kind == Kind::Folder {
                folders.push((path.clone(), entry.id));
            }
            let modified = stat.times.modified.expect("a time").to_unix();
            assert!(tree.insert(path, Item { kind, size: stat.size, content, modified }).is_none());
        }
    }
    tree
}

/// Reads all that lies in a folder of this computer.
///
/// # Panics
/// When anything cannot be read.
pub fn of_folder(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(&current).expect("a folder") {
            let path = entry.expect("an entry").path();
            let about = fs::symlink_metadata(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let (kind, content) = if about.is_dir() {
                folders.push(path.clone());
                ('d', String::new())
            } else if about.is_symlink() {
                ('l', fs::read_link(&path).expect("a link").to_string_lossy().into_owned())
            } else if about.is_file() {
                let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                ('f', hex(&Sha256::digest(bytes)))
            } else {
                ('o', String::new())
            };
            let size = if kind == 'f' { about.len() } else { 0 };
            let modified = (about.mtime(), about.mtime_nsec() as u32);
            let relative = path.strip_prefix(folder).expect("a path in the folder").as_os_str();
            let relative = format!("/{}", String::from_utf8_lossy(relative.as_bytes()));
            tree.insert(relative, Item { kind, size, content, modified });
        }
    }
    tree
}

/// Compares what was read in two ways, times to so many nanoseconds.
///
/// # Panics
/// When they differ.
pub fn assert_same(ours: &Tree, theirs: &Tree, precision: i128) {
    let names = |tree: &Tree| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(ours), names(theirs));
    for (path, ours) in ours {
        let theirs = &theirs[path];
        let what = |item: &Item| (item.kind, item.size, item.content.clone());
        assert_eq!(what(ours), what(theirs), "{path}");
        let time = |item: &Item| i128::from(item.modified.0) * 1_000_000_000 + i128::from(item.modified.1);
        let apart = (time(ours) - time(theirs)).abs();
        assert!(apart < precision, "{path}: {:?}, {:?}", ours.modified, theirs.modified);
    }
}

/// Hashes a file read in large pieces, and reads it again in odd ones, which must be parts of it.
///
/// # Panics
/// When that cannot be, or they differ.
pub fn hash(file: &File, path: &str) -> String {
    let all = read_all(file).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut at = 0;
    for length in [1, 511, 4096, 4097, 65_537, 70_000, 131_072].into_iter().cycle().take(40) {
        let mut piece = vec![0xa5; length];
        let read = file.read_at(at as u64, &mut piece).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(piece[..read], all[at..at + read], "{path} at {at}");
        assert!(read == length || at + read == all.len(), "{path} is short at {at}");
        // Forth, and now and then back
        at = if at + read == all.len() { all.len() / 3 } else { at + read };
    }
    hex(&Sha256::digest(all))
}

/// Reads a whole file.
///
/// # Errors
/// When it cannot be read.
///
/// # Panics
/// When it is shorter than it says.
pub fn read_all(file: &File) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; usize::try_from(file.size()).expect("a small file")];
    assert_eq!(file.read_at(0, &mut bytes)?, bytes.len());
    Ok(bytes)
}

/// Finds a file that must be there.
///
/// # Panics
/// When it is not.
pub fn find(files: &FileSystem, path: &str) -> FileId {
    files.find(path).unwrap_or_else(|error| panic!("{path}: {error}")).id
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
