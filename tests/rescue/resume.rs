//! A rescue that was stopped goes on; what is not its own is left as it is.

use std::fs::{self, File};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lastkey_tests::said::Said;

use crate::support::{assert_same, command, drive, every_1000th, map_of, rescue, source_map};

#[test]
fn killed_at_any_time_it_goes_on_and_ends_right() {
    let Some(drive) = drive() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let size = fs::metadata(&drive.whole.path).expect("an image").len();
    let map = source_map(folder.path(), size, every_1000th(size));
    let out = folder.path().join("out");
    let options = ["--skip-files".as_ref(), "--source-map".as_ref(), map.as_os_str()];
    let mut kills = 0;
    for wait in 0.. {
        let mut run = command(&drive.whole, &drive.whole.path, &out);
        let mut child =
            run.args(options).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program");
        let deadline = Instant::now() + Duration::from_millis(30 + wait * 45);
        let ended = loop {
            if let Some(status) = child.try_wait().expect("a process") {
                break Some(status);
            }
            if Instant::now() > deadline {
                break None;
            }
            sleep(Duration::from_millis(1));
        };
        if let Some(status) = ended {
            assert_eq!(status.code(), Some(15));
            break;
        }
        child.kill().and_then(|()| child.wait()).expect("it ends");
        kills += 1;
    }
    assert!(kills > 0, "it was never killed");
    assert_same(&out, &drive.whole.plain);
    assert!(map_of(&out).missing(0..size).eq(every_1000th(size).filter(|part| !is_zeros(drive, part.start))));
    let left: Vec<_> =
        fs::read_dir(folder.path()).expect("a folder").map(|e| e.expect("an entry").file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

/// BitLocker's own areas read as zeros, whatever the drive has there.
fn is_zeros(drive: &crate::support::Drive, at: u64) -> bool {
    let layout = &drive.whole.layout;
    let areas = layout.metadata.map(|start| start..start + fve::METADATA_REGION);
    areas.iter().any(|area| area.contains(&at))
        || (layout.boot_copy..layout.boot_copy + fve::BOOT_BLOCK).contains(&at)
}

#[test]
fn a_second_run_reads_only_what_is_missing() {
    let Some(drive) = drive() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let size = fs::metadata(&drive.whole.path).expect("an image").len();
    let map = source_map(folder.path(), size, std::iter::once(20 << 20..21 << 20));
    let out = folder.path().join("out");
    let options = ["--json".as_ref(), "--source-map".as_ref(), map.as_os_str()];
    let first = rescue(&drive.whole, &drive.whole.path, &out, &options).exits(15).json();
    assert_eq!(
        (&first["resumed"], &first["lost"], &first["lost_places"]),
        (&false.into(), &(1 << 20).into(), &1.into())
    );
    // Now other parts can be read no more: what of them is there stays, and is not asked for again.
    source_map(folder.path(), size, [4 << 20..8 << 20, 24 << 20..40 << 20]);
    let second = rescue(&drive.whole, &drive.whole.path, &out, &options).exits(0).json();
    assert_eq!((&second["resumed"], &second["complete"]), (&true.into(), &true.into()));
    assert_same(&out, &drive.whole.plain);
    assert!(!folder.path().join("out.lost.txt").exists());
    rescue(&drive.whole, &drive.whole.path, &out, &options).exits(0);
}

#[test]
fn what_is_not_its_own_is_left_as_it_is() {
    let Some(drive) = drive() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (out, map) = (folder.path().join("out"), folder.path().join("out.map"));
    let run = || rescue::<&str>(&drive.whole, &drive.whole.path, &out, &[]);
    fs::write(&out, "mine").expect("written");
    run().exits(11).says("it is already there, without a map");
    for foreign in ["mine", "# Mapfile\n0 ? 1\n0 0x6000000 ?\n"] {
        fs::write(&map, foreign).expect("written");
        run().exits(11).says("it was left as it is");
        assert_eq!(fs::read(&map).expect("the file"), foreign.as_bytes());
    }
    assert_eq!(fs::read(&out).expect("the file"), b"mine");
    fs::remove_file(&out).expect("removed");
    fs::remove_file(&map).expect("removed");
    fs::write(folder.path().join("out.lost.txt"), "mine").expect("written");
    run().exits(11);
    fs::remove_file(folder.path().join("out.lost.txt")).expect("removed");
    run().exits(0);
    fs::remove_file(&out).expect("removed");
    run().exits(12).says("it is gone");
    for size in [0, 1 << 20, 200 << 20] {
        File::create(&out).expect("a file").set_len(size).expect("a length");
        run().exits(11).says("bytes instead of");
    }
    rescue(&drive.whole, &drive.whole.path, &drive.whole.path, &[] as &[&str]).exits(11);
    rescue(&drive.whole, &drive.whole.path, &folder.path().join("no/out"), &[] as &[&str]).exits(12);
    let same = ["--map".as_ref(), out.as_os_str()];
    rescue(&drive.whole, &drive.whole.path, &out, &same).exits(2);
}

#[test]
fn ctrl_c_keeps_the_map() {
    let Some(drive) = drive() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let large = folder.path().join("large.img");
    fs::copy(&drive.whole.path, &large).expect("a copy");
    File::options().write(true).open(&large).expect("the copy").set_len(64 << 30).expect("longer");
    let out = folder.path().join("out");
    let mut run = command(&drive.whole, &large, &out);
    let child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !out.exists() {
        assert!(Instant::now() < deadline, "nothing is copied");
        sleep(Duration::from_millis(5));
    }
    sleep(Duration::from_millis(200));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("a running program");
    let said = Said::of(child.wait_with_output().expect("it ends"));
    said.exits(130).says("The same command goes on where this one stopped");
    let map = map_of(&out);
    assert!(map.total(rescue::Status::Finished) > 0 && !map.is_complete());
}
