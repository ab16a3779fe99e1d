//! Real read errors: QEMU serves the drive as a file, by FUSE, and fails where it is told to.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lastkey_tests::makers::{Loop, run};
use lastkey_tests::said::Said;
use lastkey_tests::skip;
use rescue::{Map, Status};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Drive, assert_same, command, drive, judge, map_of, rescue, source_map};

const SECTOR: u64 = 512;

/// How a drive fails.
#[derive(Clone, Copy, Default)]
struct Fault {
    /// Every so many sectors one cannot be read.
    every: u64,
    /// Each can be read the second time.
    once: bool,
    /// It gives no more than so many bytes in a second.
    rate: Option<u64>,
}

/// A drive that fails.
struct Failing {
    folder: TempDir,
    path: PathBuf,
    daemon: Child,
}

impl Failing {
    /// Serves an image; `None`, loudly, where that is impossible.
    fn serve(image: &Path, fault: Fault) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("drive");
        let daemon = Self::start(image, &path, fault)?;
        Some(Self { folder, path, daemon })
    }

    fn start(image: &Path, path: &Path, fault: Fault) -> Option<Child> {
        let size = fs::metadata(image).expect("an image").len();
        File::create(path).expect("a file to mount over");
        let bad = (1..size / SECTOR / fault.every.max(1)).filter(|_| fault.every > 0).map(|n| {
            let sector = n * fault.every;
            json!({ "event": "none", "iotype": "read", "sector": sector, "errno": 5, "immediately": true, "once": fault.once })
        });
        let mut nodes = vec![
            json!({ "driver": "file", "node-name": "file", "filename": image, "read-only": true }),
            json!({ "driver": "raw", "node-name": "raw", "file": "file", "read-only": true }),
            json!({ "driver": "throttle", "node-name": "slow", "throttle-group": "rate", "file": "raw", "read-only": true }),
        ];
        let bad: Vec<_> = bad.collect();
        let last = if bad.is_empty() { "slow" } else { "bad" };
        if last == "bad" {
            nodes.push(json!({ "driver": "blkdebug", "node-name": "bad", "image": "slow", "read-only": true, "inject-error": bad }));
        }
        let mut daemon = Command::new("qemu-storage-daemon");
        daemon.arg("--object").arg(format!("throttle-group,id=rate,x-bps-read={}", fault.rate.unwrap_or(0)));
        for node in nodes {
            daemon.arg("--blockdev").arg(node.to_string());
        }
        daemon.arg("--export").arg(format!("fuse,id=drive,node-name={last},mountpoint={}", path.display()));
        let mut daemon = match daemon.stdout(Stdio::null()).spawn() {
            Ok(daemon) => daemon,
            Err(error) => {
                skip(&format!("qemu-storage-daemon: {error}"));
                return None;
            }
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while fs::metadata(path).map_or(true, |metadata| metadata.len() != size) {
            if let Some(status) = daemon.try_wait().expect("a process") {
                skip(&format!("qemu-storage-daemon cannot serve by FUSE: {status}"));
                return None;
            }
            assert!(Instant::now() < deadline, "qemu-storage-daemon does not start");
            sleep(Duration::from_millis(10));
        }
        Some(daemon)
    }

    /// Pulls the plug.
    fn pull(&mut self) {
        self.daemon.kill().and_then(|()| self.daemon.wait()).expect("it ends");
    }

    /// Asks for each sector and returns which cannot be read.
    fn probe(&self) -> Map {
        let file = File::open(&self.path).expect("the drive");
        let size = file.metadata().expect("the drive").len();
        let (mut map, mut buf) = (Map::new(size), [0; 64 * SECTOR as usize]);
        map.set(0..size, Status::Finished);
        for start in (0..size).step_by(buf.len()) {
            if file.read_exact_at(&mut buf, start).is_ok() {
                continue;
            }
            for at in (start..start + buf.len() as u64).step_by(SECTOR as usize) {
                if file.read_exact_at(&mut buf[..SECTOR as usize], at).is_err() {
                    map.set(at..at + SECTOR, Status::Bad);
                }
            }
        }
        map
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        let _ = Command::new("umount").arg("-l").arg(&self.path).stderr(Stdio::null()).status();
    }
}

/// Asserts that as much is lost as really cannot be read: places of the drive are those of the volume, but for its
/// beginning and BitLocker's own areas.
fn assert_no_more_lost(drive: &Drive, truth: &Map, out: &Path) {
    let layout = &drive.whole.layout;
    let front = fve::BOOT_BLOCK;
    let moved = |at: u64| if at < front { layout.boot_copy + at } else { at };
    let own = |at: u64| {
        layout.metadata.iter().any(|&start| (start..start + fve::METADATA_REGION).contains(&at))
            || (layout.boot_copy..layout.boot_copy + front).contains(&at)
    };
    let map = map_of(out);
    for at in (0..map.size()).step_by(SECTOR as usize) {
        let expected =
            if at >= front && own(at) { Status::Finished } else { truth.at(moved(at)).expect("a place") };
        assert_eq!(map.at(at), Some(expected), "{at:#x}");
    }
}

const EVERY: Fault = Fault { every: 1000, once: false, rate: None };

#[test]
fn a_file_with_bad_sectors_loses_those_and_no_more() {
    let Some(drive) = drive() else { return };
    let Some(failing) = Failing::serve(&drive.whole.path, EVERY) else { return };
    let truth = failing.probe();
    assert!(!truth.is_complete());
    let out = failing.folder.path().join("out");
    let report = rescue(&drive.whole, &failing.path, &out, &["--json"]).exits(15).json();
    assert_no_more_lost(drive, &truth, &out);
    assert_same(&out, &drive.whole.plain);
    judge(&drive.contents, &out, &report);
}

#[test]
fn a_device_with_bad_sectors_loses_those_and_no_more() {
    let Some(drive) = drive() else { return };
    let fault = Fault { every: 6000, ..EVERY };
    let Some(failing) = Failing::serve(&drive.whole.path, fault) else { return };
    let Some(device) = Loop::of(&failing.path, &["--read-only", "--direct-io=on"]) else { return };
    let out = failing.folder.path().join("out");
    let said = rescue(&drive.whole, device.path(), &out, &["--json"]);
    drop(device);
    let report = said.exits(15).json();
    let (truth, map) = (failing.probe(), map_of(&out));
    // The kernel asks for other pieces than the probe does, and may so get more.
    assert!(
        map.missing(0..map.size()).all(|part| truth.within(part).all(|(_, status)| status == Status::Bad))
    );
    assert!(report["lost_places"].as_u64().is_some_and(|places| places > 20));
    assert_same(&out, &drive.whole.plain);
    judge(&drive.contents, &out, &report);
}

#[test]
fn a_copy_by_gnu_ddrescue_gives_the_same() {
    let Some(drive) = drive() else { return };
    let Some(failing) = Failing::serve(&drive.whole.path, EVERY) else { return };
    let truth = failing.probe();
    let path = |name: &str| failing.folder.path().join(name);
    let (copy, map, out) = (path("copy"), path("copy.map"), path("out"));
    if !run("ddrescue", [failing.path.as_os_str(), copy.as_os_str(), map.as_os_str()]) {
        return;
    }
    let options = ["--json".as_ref(), "--source-map".as_ref(), map.as_os_str()];
    let report = rescue(&drive.whole, &copy, &out, &options).exits(15).json();
    assert_no_more_lost(drive, &truth, &out);
    assert_same(&out, &drive.whole.plain);
    judge(&drive.contents, &out, &report);
}

#[test]
fn what_can_be_read_the_second_time_is_not_lost() {
    let Some(drive) = drive() else { return };
    let Some(failing) = Failing::serve(&drive.whole.path, Fault { once: true, ..EVERY }) else { return };
    let out = failing.folder.path().join("out");
    rescue(&drive.whole, &failing.path, &out, &["--retries=0"]).exits(0).says("everything was read");
    assert_same(&out, &drive.whole.plain);
}

#[test]
fn a_drive_that_goes_away_is_waited_for_and_not_called_bad() {
    let Some(drive) = drive() else { return };
    let slow = Fault { rate: Some(20 << 20), ..Fault::default() };
    let Some(mut failing) = Failing::serve(&drive.whole.path, slow) else { return };
    let out = failing.folder.path().join("out");
    let mut run = command(&drive.whole, &failing.path, &out);
    let child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !out.exists() {
        assert!(Instant::now() < deadline, "nothing is copied");
        sleep(Duration::from_millis(5));
    }
    sleep(Duration::from_millis(1500));
    failing.pull();
    let said = Said::of(child.wait_with_output().expect("it ends"));
    said.exits(17).says("the drive is gone").says("The same command goes on where this one stopped");
    let map = map_of(&out);
    assert!(map.total(Status::Finished) > 0 && !map.is_complete() && map.unreadable() == 0);
    // Plugged in again, by another name, and the rest of it is enough.
    let size = map.size();
    let only_rest = source_map(failing.folder.path(), size, std::iter::once(0x80_0000..0xa0_0000));
    let options = ["--source-map".as_ref(), only_rest.as_os_str()];
    rescue(&drive.whole, &drive.whole.path, &out, &options).exits(0).says("everything was read");
    assert_same(&out, &drive.whole.plain);
}
