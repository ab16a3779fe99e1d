//! External key files that Windows 10 wrote.

use std::path::PathBuf;

use recovery_key::bek::{self, Bek};
use recovery_key::document::{self, FoundSecret};

/// Returns the folder of real drives and key files, or `None` where there is none to be had.
fn images() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/images");
    let folder = std::env::var_os("LASTKEY_IMAGES").map_or_else(beside, PathBuf::from);
    let found = folder.join("startup_key.bek").is_file();
    assert!(found || std::env::var_os("CI").is_none(), "no real key files in {}", folder.display());
    if !found {
        eprintln!("skipped: no real key files in {}", folder.display());
    }
    found.then_some(folder)
}

#[test]
fn real_external_keys_are_read_and_written_the_same() {
    let Some(folder) = images() else { return };
    let files = [
        (
            "recovery_key.bek",
            "99B0081A-60B6-47E4-8482-DEA46EE1891D",
            0x01d7_bc6f_b340_8220,
            0x01d7_bc6f_b33e_3830,
        ),
        (
            "startup_key.bek",
            "B3411A58-3400-420A-8B7E-9B5F706425C0",
            0x01d7_bc6f_b900_d430,
            0x01d7_bc6f_b900_d430,
        ),
    ];
    for (name, id, created, modified) in files {
        let bytes = std::fs::read(folder.join(name)).expect("a real key file");
        let read = Bek::parse(&bytes).expect("an external key");
        assert_eq!(
            (read.key_id.to_string(), read.created, read.modified),
            (id.to_owned(), created, modified)
        );
        assert_eq!((read.label.as_deref(), read.volume), (Some("ExternalKey"), None));
        assert_eq!(read.key.expose()[..], bytes[0x7c..]);
        assert_eq!(*read.to_bytes().expose(), bytes);

        // Made anew of its contents it is the same again.
        let new = Bek::new(read.key_id, read.created, read.modified, read.volume, read.key.duplicate());
        assert_eq!(*new.to_bytes().expose(), bytes);

        let reading = document::read(Some(&bek::file_name(&read.key_id)), &bytes);
        assert!(reading.remarks.is_empty());
        assert!(matches!(&reading.keys[..], [found] if matches!(&found.secret, FoundSecret::ExternalKey(_))));
    }
}
