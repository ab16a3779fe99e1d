//! NTFS, made by mkntfs and filled and read by ntfs-3g.

use std::collections::BTreeSet;
use std::fs::{self};
use std::os::unix::fs::symlink;

use unlocked::{Error, Format, Kind, LinkKind, Name, Position};

use lastkey_tests::fill::{self};
use lastkey_tests::makers::{Mounted, Volume, mixed, noise, output, run};
use lastkey_tests::tree::{assert_same, find, of_folder, of_volume, read_all};

const EXACT: i128 = 1;
/// `streams_interface=windows`: `file:stream` names a stream.
const OPTIONS: [&str; 2] = ["-o", "compression,streams_interface=windows,special_files=wsl"];

pub fn make(size: u64, options: &[&str]) -> Option<Volume> {
    let options = [&["--quick", "--force", "--quiet", "--label", "Größe 字"], options].concat();
    Volume::make(size, "mkntfs", &options)
}

pub fn mount(volume: &Volume) -> Option<Mounted> {
    volume.mount("ntfs-3g", &OPTIONS)
}

#[test]
fn every_file_is_what_ntfs_3g_reads() {
    // Large clusters, sectors and records among them
    let forms: [&[&str]; 4] =
        [&["-c", "4096"], &["-c", "512"], &["-c", "4096", "-s", "4096"], &["-c", "65536"]];
    for options in forms {
        let Some(volume) = make(200 << 20, options) else { return };
        let Some(mounted) = mount(&volume) else { return };
        // Larger clusters cannot be compressed; ntfs-3g then does not.
        fill::ntfs(&mounted.folder);
        drop(mounted);
        let Some(mounted) = mount(&volume) else { return };
        let theirs = of_folder(&mounted.folder);
        drop(mounted);

        let files = volume.open();
        let ours = of_volume(&files);
        assert_same(&ours, &theirs, EXACT);
        assert_eq!(
            (files.about().format, files.about().label.to_string()),
            (Format::Ntfs, "Größe 字".into())
        );
        let extents = |path: &str| files.open_file(find(&files, path)).expect("a file").extents().len();
        assert!(options == ["-c", "65536"] || extents("many holes") > 2000, "it has no holes");
        assert_eq!(files.stat(find(&files, "resident.txt")).expect("a file").links, 61);
        let stat = files.stat(find(&files, "compressed/text")).expect("a file");
        if !options.contains(&"65536") {
            assert!(
                stat.attributes & 0x800 != 0 && stat.allocated < stat.size / 2,
                "not compressed: {stat:?}"
            );
        }
    }
}

#[test]
fn names_are_found_in_any_case() {
    let Some(volume) = make(64 << 20, &[]) else { return };
    let Some(mounted) = mount(&volume) else { return };
    fs::create_dir_all(mounted.path("Ordner/größe Жж")).expect("folders");
    for name in ["Case", "case", "ordner/x", "Ordner/größe Жж/Ω.txt"] {
        let _ = fs::write(mounted.path(name), name);
    }
    for number in 0..2000 {
        fs::write(mounted.path(&format!("Ordner/größe Жж/Name {number}")), b"").expect("a file");
    }
    drop(mounted);
    let files = volume.open();
    let content = |path: &str| {
        let found = files.find(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let file = files.open_stream(found.id, &found.stream).expect("a file");
        String::from_utf8(read_all(&file).expect("its content")).expect("text")
    };
    assert_eq!((content("Case"), content("case")), ("Case".into(), "case".into()));
    assert!(["Case", "case"].contains(&content("CASE").as_str()));
    assert_eq!(content("/ORDNER\\GRÖßE ЖЖ/ω.TXT/"), "Ordner/größe Жж/Ω.txt");
    let folder = find(&files, "Ordner/größe Жж");
    for number in 0..2000 {
        let found = files.lookup(folder, &format!("nAME {number}").as_str().into()).expect("a folder");
        assert_eq!(found.expect("in another case").name, format!("Name {number}").as_str().into());
    }
    assert!(matches!(files.find("Ordner/none/x"), Err(Error::NotFound(name)) if name == "none".into()));
    assert!(matches!(files.find("case/x"), Err(Error::NotAFolder)));
    assert!(matches!(files.open_file(folder), Err(Error::IsAFolder)));
    assert!(matches!(files.link(folder), Err(Error::NotALink)));
}

#[test]
fn a_listing_goes_on_where_it_stopped() {
    let Some(volume) = make(64 << 20, &[]) else { return };
    let Some(mounted) = mount(&volume) else { return };
    for number in 0..1000 {
        fs::write(mounted.path(&format!("{number}")), b"").expect("a file");
    }
    drop(mounted);
    let files = volume.open();
    let all: Vec<_> = files.list(files.root(), Position::default()).expect("a folder").flatten().collect();
    assert_eq!(all.iter().map(|entry| &entry.name).collect::<BTreeSet<_>>().len(), 1000);
    for (number, entry) in all.iter().enumerate() {
        let next = files.list(files.root(), entry.next).expect("a folder").flatten().next();
        assert_eq!(next.as_ref(), all.get(number + 1));
    }
}

#[test]
fn streams_are_listed_and_read() {
    let Some(volume) = make(64 << 20, &[]) else { return };
    let Some(mounted) = mount(&volume) else { return };
    fs::write(mounted.path("file"), b"own").expect("a file");
    fs::create_dir(mounted.path("folder")).expect("a folder");
    let long = noise(300_000, 9);
    fs::write(mounted.path("file:Zone.Identifier"), b"[ZoneTransfer]").expect("a stream");
    fs::write(mounted.path("file:größe"), &long).expect("a stream");
    fs::write(mounted.path("folder:note"), b"of a folder").expect("a stream");
    drop(mounted);
    let files = volume.open();
    let file = find(&files, "file");
    let mut streams = files.streams(file).expect("a file");
    streams.sort_by_key(|stream| stream.size);
    let names: Vec<_> = streams.iter().map(|stream| (stream.name.to_string(), stream.size)).collect();
    assert_eq!(names, [("Zone.Identifier".into(), 14), ("größe".into(), 300_000)]);
    let read = |path: &str| {
        let found = files.find(path)?;
        read_all(&files.open_stream(found.id, &found.stream)?)
    };
    assert_eq!(read("file").expect("content"), b"own");
    assert_eq!(read("FILE:zone.identifier").expect("a stream"), b"[ZoneTransfer]");
    assert_eq!(read("file:größe").expect("a stream"), long);
    assert_eq!(read("folder:note").expect("a stream"), b"of a folder");
    assert!(matches!(read("file:none"), Err(Error::NotFound(_))));
}

#[test]
fn links_say_where_they_lead() {
    let Some(volume) = make(64 << 20, &[]) else { return };
    let Some(mounted) = mount(&volume) else { return };
    fs::create_dir(mounted.path("junction")).expect("a folder");
    fs::write(mounted.path("symlink"), b"").expect("a file");
    symlink("/usr/bin", mounted.path("linux")).expect("a link");
    let pipe = mounted.path("pipe");
    let put = |name: &str, tag: u32, flags: &[u8], target: &str, shown: &str| {
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let (target, shown) = (utf16(target), utf16(shown));
        let lengths = [0, target.len() as u16, target.len() as u16, shown.len() as u16];
        let paths: Vec<u8> = lengths.into_iter().flat_map(u16::to_le_bytes).collect();
        let data = [&paths, flags, &target, &shown].concat();
        let header = [&tag.to_le_bytes()[..], &(data.len() as u32).to_le_bytes()].concat();
        let hex: String = [header, data].concat().iter().map(|byte| format!("{byte:02x}")).collect();
        let value = format!("0x{hex}");
        let path = mounted.path(name);
        let options = ["-h", "-n", "system.ntfs_reparse_data", "-v", &value].map(AsRef::as_ref);
        run("setfattr", options.into_iter().chain([path.as_os_str()]))
    };
    if !run("mkfifo", [&pipe])
        || !put("junction", 0xa000_0003, &[], r"\??\C:\Users", r"C:\Users")
        || !put("symlink", 0xa000_000c, &[1, 0, 0, 0], r"..\größe", r"..\größe")
    {
        return;
    }
    drop(mounted);
    let files = volume.open();
    let link = |path: &str| {
        let id = find(&files, path);
        assert_eq!(files.stat(id).expect("a link").kind, Kind::Link, "{path}");
        let link = files.link(id).expect("a link");
        (link.kind, link.target.to_string(), link.shown.to_string(), link.relative)
    };
    assert_eq!(link("junction"), (LinkKind::Junction, r"\??\C:\Users".into(), r"C:\Users".into(), false));
    assert_eq!(link("symlink"), (LinkKind::Symlink, r"..\größe".into(), r"..\größe".into(), true));
    assert_eq!(link("linux"), (LinkKind::Linux, "/usr/bin".into(), "/usr/bin".into(), false));
    assert_eq!(files.stat(find(&files, "pipe")).expect("a pipe").kind, Kind::Other);
    let kinds = files.list(files.root(), Position::default()).expect("the root").flatten();
    let kinds: BTreeSet<_> =
        kinds.map(|entry| (entry.name.to_string(), format!("{:?}", entry.kind))).collect();
    let expected = [("junction", "Link"), ("linux", "Link"), ("pipe", "Other"), ("symlink", "Link")];
    assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into());
}

#[test]
fn files_and_their_table_may_be_in_many_pieces() {
    // A volume full of small files, of which every other one goes: what is free is in single clusters, and
    // there the table grows.
    let Some(volume) = make(48 << 20, &["-c", "4096"]) else { return };
    let Some(mounted) = mount(&volume) else { return };
    fs::create_dir(mounted.path("first")).expect("a folder");
    let mut count = 0;
    while fs::write(mounted.path(&format!("first/{count}")), noise(4096, count)).is_ok() {
        count += 1;
    }
    for number in (0..count).step_by(2) {
        fs::remove_file(mounted.path(&format!("first/{number}"))).expect("a file");
    }
    let _ = fs::remove_file(mounted.path(&format!("first/{count}")));
    fs::write(mounted.path("fragmented"), mixed(8 << 20)).expect("a file");
    fs::create_dir(mounted.path("second")).expect("a folder");
    let mut more = 0;
    while more < 12_000 && fs::write(mounted.path(&format!("second/{more}")), format!("{more}")).is_ok() {
        more += 1;
    }
    let _ = fs::remove_file(mounted.path(&format!("second/{more}")));
    drop(mounted);
    let Some(mounted) = mount(&volume) else { return };
    let theirs = of_folder(&mounted.folder);
    drop(mounted);
    let files = volume.open();
    assert_same(&of_volume(&files), &theirs, EXACT);
    let table = files.open_file(find(&files, "$MFT")).expect("the table");
    assert!(table.extents().len() > 300, "the table is in {} pieces", table.extents().len());
    let file = files.open_file(find(&files, "fragmented")).expect("a file");
    assert!(file.extents().len() > 100, "the file is in {} pieces", file.extents().len());
}

#[test]
fn what_the_volume_says_about_itself() {
    let Some(volume) = make(64 << 20, &["-c", "2048"]) else { return };
    let files = volume.open();
    let about = files.about();
    assert_eq!((about.cluster, about.from_backup, about.dirty), (2048, false, false));
    let serial =
        output("blkid", &["-p", "-o", "value", "-s", "UUID", volume.image.to_str().expect("a path")]);
    let Some(serial) = serial else { return };
    assert_eq!(format!("{:016X}", about.serial), serial.trim());
    assert!(about.size <= 64 << 20 && about.size > (64 << 20) - 8192);
    let names = files.list(files.root(), Position::default()).expect("the root");
    assert_eq!(names.count(), 0, "NTFS's own files are not listed");
    assert!(files.lookup(files.root(), &Name::from("$mft")).expect("the root").is_some());
}
