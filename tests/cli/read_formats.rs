//! `lastkey read`: what the file looks like, by QEMU's judgement.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use fve::{Method, SectorSize};
use lastkey_tests::known::DRIVES;
use lastkey_tests::made::Form;
use lastkey_tests::{Image, sha256};
use serde_json::Value;

use crate::support::{Mounted, file, folder, is_root, names, sample};

/// Runs `qemu-img`; `None`, loudly, where it is not installed.
pub fn qemu_img(arguments: &[&dyn AsRef<OsStr>]) -> Option<String> {
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.as_ref()).collect();
    match Command::new("qemu-img").args(&arguments).output() {
        Ok(output) => {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            let (said, err) = (text(&output.stdout), text(&output.stderr));
            assert!(output.status.success(), "{arguments:?}: {said}{err}");
            Some(said)
        }
        Err(error) => {
            lastkey_tests::skip(&format!("qemu-img: {error}"));
            None
        }
    }
}

/// Has QEMU check an image, and turn it into what a disk with it would hold.
pub fn judged(image: &Path) -> Option<PathBuf> {
    let said = qemu_img(&[&"check", &"-f", &"qcow2", &"--output=json", &image])?;
    let said: Value = serde_json::from_str(&said).expect("a document");
    for fault in ["check-errors", "corruptions", "leaks"] {
        assert!(said.get(fault).is_none_or(|count| count == 0), "{said}");
    }
    assert_eq!(said["image-end-offset"], fs::metadata(image).expect("the image").len(), "{said}");
    let plain = image.with_extension("judged");
    qemu_img(&[&"convert", &"-f", &"qcow2", &"-O", &"raw", &image, &plain])?;
    Some(plain)
}

fn hash(path: &Path) -> String {
    let image = Image::open(path).expect("a file");
    sha256(&*image, 0, image.size())
}

#[test]
fn a_drive_without_much_on_it_takes_little_room() {
    let folder = folder();
    let sample = sample();
    let raw = folder.path().join("plain.img");
    let said = lastkey!("read", sample.drive, "--out", raw, "--vmk-file", sample.vmk, "--json");
    let report = said.exits(0).json();
    let metadata = fs::metadata(&raw).expect("the copy");
    assert_eq!(metadata.len(), 48 << 20);
    assert!(metadata.blocks() * 512 < 2 << 20, "{} blocks", metadata.blocks());
    assert_eq!(
        (&report["stored"], &report["out_format"]),
        (&(metadata.blocks() * 512).into(), &"raw".into())
    );

    let image = folder.path().join("plain.qcow2");
    let said = lastkey!("read", sample.drive, "--out", image, "--vmk-file", sample.vmk, "--format", "qcow2");
    said.exits(0).says("48.0 MiB decrypted (FAT32) to").says("where it takes");
    assert!(fs::metadata(&image).expect("the image").len() < 2 << 20);
    let Some(plain) = judged(&image) else { return };
    assert_eq!(hash(&plain), hash(&raw));
    qemu_img(&[&"compare", &"-f", &"raw", &"-F", &"qcow2", &raw, &image]);
    let info = qemu_img(&[&"info", &"--output=json", &image]).expect("it is there");
    let info: Value = serde_json::from_str(&info).expect("a document");
    assert_eq!((&info["format"], &info["virtual-size"]), (&"qcow2".into(), &(48 << 20).into()));
    assert_eq!(info["format-specific"]["data"]["compat"], "1.1");

    let nothing = lastkey!("read", sample.drive, "--out", "/dev/null", "--vmk-file", sample.vmk, "--json");
    assert!(nothing.exits(0).json()["stored"].is_null());
}

#[test]
fn real_drives_are_the_same_as_images() {
    let Some(images) = lastkey_tests::real_drives() else { return };
    let folder = folder();
    for drive in &DRIVES {
        let &[(0, 0, hash)] = drive.views else { continue };
        let [digits, ..] = drive.recovery_passwords else { continue };
        let key = file(&folder, "key", digits);
        let out = folder.path().join("drive.qcow2");
        let path = images.join(drive.file);
        lastkey!("read", path, "--out", out, "--recovery-key-file", key, "--format", "qcow2").exits(0);
        let Some(plain) = judged(&out) else { return };
        assert_eq!(self::hash(&plain), hash, "{}", drive.file);
        for path in [out, plain] {
            fs::remove_file(path).expect("removed");
        }
    }
}

#[test]
fn every_sector_size_and_length_comes_out_right() {
    let sizes = [SectorSize::B512, SectorSize::B1024, SectorSize::B2048, SectorSize::B4096];
    for (n, sector_size) in sizes.into_iter().enumerate() {
        let folder = folder();
        let to_go = n % 2 == 1;
        let inside = if to_go { "FAT32" } else { "NTFS" };
        let form = Form { method: Method::AesXts256, sector_size, to_go, inside, password: "pass" };
        let made = form.make(folder.path());
        let (key, out) = (folder.path().join("key.BEK"), folder.path().join("out"));
        let all = made.plain.len();
        for (offset, length) in [(0, all), (1000, 70_001), (65_536, 131_072), (4096, 0), (512, all - 512)] {
            let plain = &made.plain[offset..offset + length];
            for (format, more) in
                [("raw", "--json"), ("raw", "--resume"), ("qcow2", "--json"), ("qcow2", "--resume")]
            {
                let (from, count) = (format!("--offset={offset}"), format!("--length={length}"));
                let arguments: [&dyn AsRef<OsStr>; 11] = [
                    &"read",
                    &made.path,
                    &"--out",
                    &out,
                    &from,
                    &count,
                    &"--format",
                    &format,
                    &more,
                    &"--bek",
                    &key,
                ];
                crate::support::run(&arguments, b"").exits(0);
                let found = match format {
                    "raw" => out.clone(),
                    _ => {
                        let Some(judged) = judged(&out) else { return };
                        judged
                    }
                };
                let found = fs::read(found).expect("the copy");
                // A disk has whole sectors.
                let (found, rest) = found.split_at(plain.len());
                assert!(found == plain, "{length} bytes at {offset}, {format} {more}, {sector_size:?}");
                assert!(rest.len() < 512 && rest.iter().all(|&byte| byte == 0), "{} more", rest.len());
                fs::remove_file(&out).expect("removed");
            }
        }
        assert!(!names(folder.path()).iter().any(|name| name.starts_with("out.part")));
    }
}

#[test]
fn a_stream_takes_neither_an_image_nor_a_second_try() {
    let sample = sample();
    let read = |out: &str, option: &str| {
        lastkey!("read", sample.drive, "--out", out, "--vmk-file", sample.vmk, option)
    };
    for out in ["-", "/dev/null"] {
        read(out, "--format=qcow2").exits(2).says("--format qcow2 needs a new file");
        read(out, "--resume").exits(2).says("--resume needs a new file");
    }
    read("x", "--format=vhdx").exits(2).says("raw, qcow2");
}

#[test]
fn a_disk_smaller_than_the_drive_takes_what_is_on_it_or_gets_no_file() {
    if !is_root() {
        return lastkey_tests::skip("only root can mount a small disk");
    }
    let sample = sample();
    for format in ["raw", "qcow2"] {
        for (size, code) in [(256 << 10, 9), (8 << 20, 0)] {
            let folder = folder();
            let Some(_mounted) = Mounted::small(folder.path(), size) else { return };
            let out = folder.path().join("plain");
            let said =
                lastkey!("read", sample.drive, "--out", out, "--vmk-file", sample.vmk, "--format", format);
            said.exits(code).says("the copy needs 48.0 MiB, less what is empty on the drive");
            if code == 0 {
                assert_eq!(names(folder.path()), ["plain"]);
            } else {
                said.says("no room left").says("what is copied is kept");
                assert!(names(folder.path()).is_empty());
            }
        }
    }
}

#[test]
fn a_half_written_image_is_taken_for_none() {
    let folder = folder();
    let out = folder.path().join("plain.qcow2");
    let sample = sample();
    lastkey!("read", sample.drive, "--out", out, "--vmk-file", sample.vmk, "--format", "qcow2").exits(0);
    // As it was until the last write.
    let image = fs::File::options().write(true).open(&out).expect("the image");
    image.write_all_at(&[0; 104], 0).expect("written");
    let Ok(said) = Command::new("qemu-img").args(["info", "--output=json"]).arg(&out).output() else {
        return;
    };
    let info: Value = serde_json::from_slice(&said.stdout).expect("a document");
    assert_eq!(info["format"], "raw");
}
