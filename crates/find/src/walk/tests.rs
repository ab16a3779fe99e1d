use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;

use tempfile::TempDir;

use super::*;

const KEY: &str = "284867-596541-514998-422114-660297-261613-215424-199408";
const ID: &str = "3C116B76-C67B-484E-B439-CE2ED68B561E";

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn write(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(&path, bytes).expect("written");
    path
}

fn search(search: &Search) -> Findings {
    search.run(&|_| ControlFlow::Continue(()))
}

fn all(folder: &TempDir) -> Search {
    Search::new(vec![folder.path().to_owned()])
}

fn names(findings: &Findings) -> Vec<String> {
    let name = |key: &Finding| key.place.path.file_name().expect("a name").to_string_lossy().into_owned();
    findings.keys.iter().map(name).collect()
}

#[test]
fn every_file_of_every_folder_is_read_once() {
    let folder = folder();
    for n in 0..40 {
        write(&folder, &format!("{n}/empty"), "");
        for deep in 0..30 {
            write(&folder, &format!("{n}/x/{deep}/text"), "nothing of the kind");
        }
    }
    for n in 0..1000 {
        write(&folder, &format!("flat/{n}"), "1");
    }
    write(&folder, "flat/key", format!("{ID}\n{KEY}"));
    write(&folder, "7/x/9/key", KEY);
    let found = search(&all(&folder));
    assert_eq!(names(&found), ["key", "key"]);
    assert_eq!((found.files, found.folders), (40 + 1200 + 1000 + 2, 1 + 40 + 40 + 1200 + 1));
    assert!(!found.stopped && found.unread.is_empty() && found.more_keys == 0);
    // A folder that is named twice, and a file in it.
    let twice = vec![folder.path().to_owned(), folder.path().join("flat"), folder.path().join("flat/key")];
    assert_eq!(search(&Search::new(twice)).files, found.files);
    assert_eq!(search(&Search::new(vec![folder.path().join("flat/key")])).keys.len(), 1);
    let missing = search(&Search::new(vec![folder.path().join("missing")]));
    assert_eq!((missing.files, missing.unread[0].why), (0, Unread::Failed));
}

#[test]
fn large_files_are_searched_to_their_end() {
    let folder = folder();
    let text = format!("{ID}\n{KEY}\n");
    // Keys where one piece ends and the next begins, and at the very end.
    let mut binary = vec![1_u8; 13 << 20];
    for at in [(4 << 20) - 30, (8 << 20) - 16_500, binary.len() - text.len()] {
        binary[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    write(&folder, "image", &binary);
    let mut long = "some words\n".repeat(500_000);
    long.push_str(&text);
    write(&folder, "text", &long);
    let found = search(&all(&folder));
    assert_eq!(found.bytes, (binary.len() + long.len()) as u64);
    let report = found.report();
    assert_eq!(report.entries.len(), 1);
    let variant = &report.entries[0].variants[0];
    assert_eq!(variant.copies.len(), 2, "each file is one copy");
    let mut small = all(&folder);
    small.largest = 12 << 20;
    let found = search(&small);
    assert_eq!(
        (names(&found), found.unread[0].why, found.unread[0].count),
        (vec!["text".into()], Unread::TooLarge, 1)
    );
}

#[test]
fn a_search_is_stopped_and_gives_what_it_has() {
    let folder = folder();
    for n in 0..5000 {
        write(&folder, &format!("{}/{n}", n % 7), KEY);
    }
    let seen = AtomicUsize::new(0);
    let found = all(&folder).run(&|_| {
        if seen.fetch_add(1, Ordering::Relaxed) < 100 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    assert!(found.stopped);
    assert!((100..500).contains(&found.keys.len()), "{}", found.keys.len());
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_unless_told_and_loops_end() {
    use std::os::unix::fs::symlink;
    let (folder, elsewhere) = (folder(), tempfile::tempdir().expect("a folder"));
    write(&folder, "a/key", KEY);
    write(&elsewhere, "other", KEY);
    symlink(folder.path(), folder.path().join("a/loop")).expect("a link");
    symlink(elsewhere.path(), folder.path().join("elsewhere")).expect("a link");
    symlink("nowhere", folder.path().join("broken")).expect("a link");
    fs::hard_link(folder.path().join("a/key"), folder.path().join("second name")).expect("a link");
    let found = search(&all(&folder));
    assert_eq!(names(&found), ["key"], "two names of one file are one copy");
    assert_eq!((found.unread[0].why, found.unread[0].count), (Unread::Link, 3));
    let mut follow = all(&folder);
    follow.follow_links = true;
    let found = search(&follow);
    assert_eq!(names(&found), ["key", "other"]);
    assert!(found.unread.is_empty());
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_opened() {
    let folder = folder();
    let fifo = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo");
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).expect("a socket");
    write(&folder, "key", KEY);
    assert_eq!(search(&all(&folder)).files, 1);
}

#[cfg(target_os = "linux")]
#[test]
fn other_file_systems_are_left_alone() {
    // What the kernel shows of itself is on one of its own, and /proc/sys/fs/binfmt_misc may be another.
    let root = Path::new("/dev");
    let device = |path: &Path| fs::metadata(path).ok().and_then(|data| file::device(&data));
    if device(root).is_none() || device(root) == device(Path::new("/dev/shm")) {
        return;
    }
    let made = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    write(&made, "key", KEY);
    let found = search(&Search::new(vec![root.to_owned()]));
    assert!(found.unread.iter().any(|count| count.why == Unread::OtherFileSystem));
    assert!(found.keys.is_empty());
}
