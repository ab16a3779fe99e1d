//! Every file of whole drives, by every way in, as other programs read it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use fve::{Method, SectorSize};
use lastkey_tests::makers::noise;
use lastkey_tests::tree::{Tree, assert_same, of_folder};
use lastkey_tests::whole::{Form, Whole};
use serde_json::Value;

use crate::drive::{Inside, METHODS, Mounted, inside, lastkey, said, with};

#[test]
fn ntfs_of_every_method() {
    METHODS.into_iter().for_each(|method| compare(Inside::Ntfs, method));
}

#[test]
fn exfat_of_every_method() {
    METHODS.into_iter().for_each(|method| compare(Inside::ExFat, method));
}

#[test]
fn fat_of_every_method() {
    METHODS.into_iter().for_each(|method| compare(Inside::Fat, method));
}

fn compare(kind: Inside, method: Method) {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(whole) = kind.make(folder.path(), method) else { return };
    let Some(theirs) = kind.read_by_others(&whole.plain, &folder.path().join("theirs")) else { return };
    assert!(theirs.len() > 100, "there is little to compare");
    copied(kind, &whole, folder.path(), &theirs);
    mounted(kind, &whole, folder.path(), &theirs);
    listed(&whole, &theirs);
}

fn copied(kind: Inside, whole: &Whole, folder: &Path, theirs: &Tree) {
    let to = folder.join("copied");
    let said = said(lastkey("cp", whole).args(["-r", "--json", &inside(whole, "")]).arg(&to));
    let report = said.exits(0).json();
    for list in ["in_the_way", "damaged", "not_copied", "left_out"] {
        assert_eq!(report[list], Value::Array(Vec::new()), "{list}");
    }
    assert_same(&of_folder(&to), &renamed(theirs, &report), kind.precision());
}

/// Returns the tree with the names that were not safe as the report says they became.
fn renamed(tree: &Tree, report: &Value) -> Tree {
    let names: BTreeMap<_, _> = report["renamed"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|renamed| (renamed["path"].as_str().expect("a path"), renamed["name"].as_str().expect("a name")))
        .collect();
    let new = |path: &String| {
        let (mut old, mut new) = (String::new(), String::new());
        for name in path.split('/').skip(1) {
            old = format!("{old}/{name}");
            new = format!("{new}/{}", names.get(old.as_str()).unwrap_or(&name));
        }
        new
    };
    tree.iter().map(|(path, item)| (new(path), item.clone())).collect()
}

fn mounted(kind: Inside, whole: &Whole, folder: &Path, theirs: &Tree) {
    let at = folder.join("mounted");
    let mounted = Mounted::new(with(lastkey("mount", whole), [&whole.path, &at]).arg("--json"), &at);
    assert_same(&of_folder(&at), theirs, kind.precision());
    mounted.end("-INT").exits(0);

    // The decrypted bytes, read by the others' driver
    let at = folder.join("raw");
    let mounted = Mounted::new(with(lastkey("mount", whole), [&whole.path, &at]).arg("--raw"), &at);
    let theirs_again = kind.read_by_others(&at.join("drive.img"), &folder.join("theirs again"));
    assert_same(&theirs_again.expect("it was read before"), theirs, kind.precision());
    mounted.end("-INT").exits(0);
}

fn listed(whole: &Whole, theirs: &Tree) {
    let document = said(lastkey("tree", whole).args(["--json", &inside(whole, "/")])).exits(0).json();
    let entries = document["entries"].as_array().expect("a list");
    let ours: BTreeMap<_, _> =
        entries.iter().map(|entry| (entry["name"].as_str().expect("a path").to_owned(), entry)).collect();
    assert!(ours.keys().eq(theirs.keys()), "the names differ");
    for (path, item) in theirs {
        let (kind, size) = (&ours[path]["kind"], ours[path]["size"].as_u64());
        let expected = match item.kind {
            'f' => "file",
            'd' => "folder",
            'l' => "link",
            _ => "other",
        };
        assert_eq!(
            (kind.as_str(), size.filter(|_| item.kind == 'f').unwrap_or(0)),
            (Some(expected), item.size),
            "{path}"
        );
    }
    // Some of them alone
    for (path, item) in theirs.iter().filter(|(_, item)| item.kind == 'f').step_by(theirs.len() / 5) {
        let output = lastkey("cat", whole).arg(inside(whole, path)).output().expect("the program");
        assert!(output.status.success(), "{path}");
        let hash = lastkey_tests::sha256(&output.stdout, 0, output.stdout.len() as u64);
        assert_eq!(hash, item.content, "{path}");
    }
}

#[test]
fn sectors_of_4096_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let form = Form { sector_size: SectorSize::B4096, size: 200 << 20, ..Form::new(Method::AesXts256) };
    let Some(whole) = form.ntfs(folder.path(), lastkey_tests::fill::ntfs) else { return };
    let Some(theirs) = Inside::Ntfs.read_by_others(&whole.plain, &folder.path().join("theirs")) else {
        return;
    };
    copied(Inside::Ntfs, &whole, folder.path(), &theirs);
    mounted(Inside::Ntfs, &whole, folder.path(), &theirs);
}

#[test]
fn a_hundred_thousand_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let form = Form { size: 700 << 20, ..Form::new(Method::AesXts128) };
    let Some(whole) = form.ntfs(folder.path(), |root| {
        lastkey_tests::fill::ntfs(root);
        for number in 0..96_000_u64 {
            let place = root.join(format!("deep/{}/{}", number % 7, number / 7 % 40));
            if number < 280 {
                fs::create_dir_all(&place).expect("a folder");
            }
            let length = if number % 1000 == 0 { 200_000 } else { number % 1200 };
            let name = format!("Größe 世界 {}{number:x}", "long ".repeat((number % 20) as usize));
            fs::write(place.join(name), noise(length as usize, number)).expect("a file");
        }
        fs::create_dir(root.join("one folder")).expect("a folder");
        for number in 0..5000 {
            fs::write(root.join(format!("one folder/{number}")), number.to_string()).expect("a file");
        }
    }) else {
        return;
    };
    let Some(theirs) = Inside::Ntfs.read_by_others(&whole.plain, &folder.path().join("theirs")) else {
        return;
    };
    assert!(theirs.len() > 100_000, "{} files", theirs.len());
    copied(Inside::Ntfs, &whole, folder.path(), &theirs);
    mounted(Inside::Ntfs, &whole, folder.path(), &theirs);
    listed(&whole, &theirs);
}
