//! The whole volumes that other tests take: what they hold is what was put into them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use fve::{Key, Method, ReadAt, SectorSize};
use lastkey_tests::makers::{noise, text};
use lastkey_tests::whole::{Form, Whole};
use lastkey_tests::{Image, open, sha256};
use recovery_key::bek::Bek;
use unlocked::FileSystem;

fn fill(root: &Path) {
    fs::create_dir_all(root.join("Documents/日本語")).expect("folders");
    fs::write(root.join("Documents/日本語/Grüße.txt"), text(5000)).expect("a file");
    fs::write(root.join("Documents/noise.bin"), noise(3_000_001, 9)).expect("a file");
}

fn check(whole: &Whole) {
    let bek = Bek::parse(&fs::read(&whole.bek).expect("a key")).expect("a key file");
    let volume = open(&whole.path);
    let unlocked = volume.unlock(&Key::External(bek)).expect("its key");
    let view = unlocked.view().expect("a view");
    let plain = Image::open(&whole.plain).expect("an image");
    assert_eq!(view.size(), plain.size());
    let hash = |source: &dyn ReadAt| sha256(source, 0, source.size());
    assert_eq!(hash(&view), hash(&plain));
    let files = FileSystem::open(Arc::new(view)).expect("a file system");
    let found = files.find("Documents/日本語/Grüße.txt").expect("the file");
    let mut bytes = vec![0; 5000];
    files.open_file(found.id).expect("content").read_at(0, &mut bytes).expect("content");
    assert!(bytes == text(5000));
}

#[test]
fn what_was_put_in_is_what_is_inside() {
    for method in [Method::AesXts128, Method::AesCbc256Diffuser] {
        for sector_size in [SectorSize::B512, SectorSize::B4096] {
            let form = Form { sector_size, ..Form::new(method) };
            let folder = || tempfile::tempdir().expect("a folder");
            let (one, two, three) = (folder(), folder(), folder());
            form.ntfs(one.path(), fill).iter().for_each(check);
            form.fat(two.path(), fill).iter().for_each(check);
            if sector_size == SectorSize::B512 {
                form.exfat(three.path(), fill).iter().for_each(check);
            }
        }
    }
}
