//! Every byte that a client reads is right.

use std::fs;
use std::path::Path;

use fve::{Method, SectorSize};
use lastkey_tests::known::{DRIVES, Drive};
use lastkey_tests::made::Form;
use lastkey_tests::makers::noise;
use lastkey_tests::{Image, real_drives, sha256, whole};
use serde_json::Value;

use crate::server::{Server, client, has_clients, hash, must, qemu_io};

/// Serves a real drive, opened by whatever is published.
fn serve(drive: &Drive, images: &Path, folder: &Path) -> Server {
    let image = images.join(drive.file);
    let key = folder.join("key");
    if let Some(password) = drive.password {
        fs::write(&key, password).expect("a file");
        Server::start(&[&image, &"--password-file", &key])
    } else if let Some(digits) = drive.recovery_passwords.first() {
        fs::write(&key, digits).expect("a file");
        Server::start(&[&image, &"--recovery-key-file", &key])
    } else {
        Server::start(&[&image])
    }
}

#[test]
fn real_drives_are_read_right() {
    let Some(images) = real_drives().filter(|_| has_clients()) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    for drive in &DRIVES {
        let server = serve(drive, images, folder.path());
        for &(from, to, expected) in drive.views {
            let found = if to == 0 {
                hash(&server.uri, &[])
            } else {
                let part = folder.path().join("part");
                let options = format!(
                    "driver=raw,offset={from},size={},file.driver=nbd,file.server.type=unix,file.server.path={}",
                    to - from,
                    server.socket().display()
                );
                must("qemu-img", &[&"convert", &"--image-opts", &options, &"-O", &"raw", &part]);
                let part = Image::open(&part).expect("a file");
                sha256(&part, 0, part.size())
            };
            assert_eq!(found, expected, "{} from {from:#x} to {to:#x}", drive.file);
        }
    }
}

#[test]
fn every_form_is_read_right_over_several_connections() {
    if !has_clients() {
        return;
    }
    for method in Method::ALL {
        for (sector_size, to_go) in
            [(SectorSize::B512, false), (SectorSize::B512, true), (SectorSize::B4096, false)]
        {
            let folder = tempfile::tempdir().expect("a folder");
            let form = Form { method, sector_size, to_go, inside: "NTFS", password: "Grüße 1" };
            let made = form.make(folder.path());
            let server = Server::start(&[&made.path, &"--bek", &folder.path().join("key.BEK")]);
            let copy = folder.path().join("copy");
            must("nbdcopy", &[&"--connections=4", &"--request-size=65536", &server.uri, &copy]);
            assert!(fs::read(&copy).expect("a copy") == made.plain, "{form:?}");
        }
    }
}

#[test]
fn qemu_and_libnbd_see_what_is_inside() {
    let folder = tempfile::tempdir().expect("a folder");
    let fill = |root: &Path| fs::write(root.join("noise.bin"), noise(20_000_003, 5)).expect("a file");
    let Some(whole) = whole::ntfs(folder.path(), Method::AesXts128, fill).filter(|_| has_clients()) else {
        return;
    };
    let server = Server::start(&[&whole.path, &"--bek", &whole.bek, &"--name", &"the drive"]);
    let uri = &server.uri;
    assert!(uri.starts_with("nbd+unix:///the%20drive?socket="), "{uri}");

    let info: Value = serde_json::from_str(&must("nbdinfo", &[&"--json", uri])).expect("JSON");
    assert_eq!((&info["protocol"], &info["structured"]), (&"newstyle-fixed".into(), &true.into()));
    let export = &info["exports"][0];
    let expected = [
        ("export-size", Value::from(64 << 20)),
        ("is_read_only", true.into()),
        ("can_multi_conn", true.into()),
        ("can_df", true.into()),
        ("block_size_minimum", 1.into()),
        ("block_size_maximum", (32 << 20).into()),
    ];
    for (name, value) in expected {
        assert_eq!(export[name], value, "{name}");
    }
    let list = must("nbdinfo", &[&"--list", uri]);
    assert!(list.contains("export=\"the drive\":"), "{list}");
    let map: Value = serde_json::from_str(&must("nbdinfo", &[&"--map", &"--json", uri])).expect("JSON");
    let lengths = map.as_array().expect("extents").iter().map(|extent| extent["length"].as_u64());
    assert_eq!(lengths.sum::<Option<u64>>(), Some(64 << 20));

    let raw = ["-f", "raw", "-F", "raw"];
    must("qemu-img", &[&"compare", &raw[0], &raw[1], &raw[2], &raw[3], uri, &whole.plain]);
    let qcow2 = folder.path().join("copy.qcow2");
    must("qemu-img", &[&"convert", &"-f", &"raw", &"-O", &"qcow2", uri, &qcow2]);
    must("qemu-img", &[&"compare", &"-f", &"qcow2", &"-F", &"raw", &qcow2, &whole.plain]);
    assert_eq!(hash(uri, &["--synchronous"]), hash(uri, &[]));

    let read = ["read 1 511", "read 511 3", "read 4k 32M", "aio_read 5M 1M", "aio_read 7M 1M", "aio_flush"];
    let (good, said) = qemu_io(uri, &read);
    assert!(good && said.matches("bytes at offset").count() == 5, "{said}");
    let write = client("qemu-io", &[&"-f", &"raw", &"-c", &"write 0 512", uri]);
    let said = [write.stdout, write.stderr].concat();
    assert!(!write.status.success() || String::from_utf8_lossy(&said).contains("read-only"));
}
