//! `lastkey read --resume`: whatever stops a copy, the same command ends it, with every byte right.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lastkey_tests::makers::{Loop, run};
use lastkey_tests::{Image, program, sha256};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::read_formats::judged;
use crate::support::{Mounted, Said, folder, interrupt, is_root, names, sample};

const SIZE: u64 = 192 << 20;
const FORMATS: [&str; 2] = ["raw", "qcow2"];

/// A drive with data and nothing in turn, and a folder for its copies.
struct Rig {
    drive: PathBuf,
    hash: String,
    place: TempDir,
    _drives: TempDir,
}

impl Rig {
    fn new() -> Self {
        let drives = folder();
        let drive = drives.path().join("drive.img");
        fs::copy(&sample().drive, &drive).expect("a copy");
        let image = File::options().write(true).open(&drive).expect("the copy");
        image.set_len(SIZE).expect("longer");
        // Behind the volume's end nothing is encrypted.
        for at in (48 << 20..SIZE).step_by(3 << 20) {
            image.write_all_at(&noise(at, 2 << 20), at).expect("written");
        }
        let plain = drives.path().join("plain.img");
        lastkey!("read", drive, "--out", plain, "--vmk-file", sample().vmk).exits(0);
        Self { hash: hash(&plain), drive, place: folder(), _drives: drives }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn command(&self, format: &str) -> Command {
        let mut command = program::lastkey();
        command.arg("read").arg(&self.drive).arg("--out").arg(self.path("plain"));
        command.args(["--resume", "--format", format, "--vmk-file"]).arg(&sample().vmk);
        command
    }

    fn start(&self, format: &str) -> Child {
        let mut command = self.command(format);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program")
    }

    fn run(&self, format: &str) -> Said {
        ended(self.start(format))
    }

    /// Starts a copy, and holds it once so much of it is written.
    fn hold(&self, format: &str, written: u64) -> Option<Child> {
        let mut child = self.start(format);
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if child.try_wait().expect("a child").is_some() {
                return None;
            }
            if wchar(&child) >= written {
                break;
            }
            assert!(Instant::now() < deadline, "nothing is written");
        }
        signal(&child, Signal::STOP);
        Some(child)
    }

    /// Starts a copy and stops it as Ctrl-C does, when about half of it is there.
    fn half(&self, format: &str) {
        let child = self.hold(format, 50 << 20).expect("it is not so quick");
        interrupt(&child);
        signal(&child, Signal::CONT);
        ended(child).exits(130).says("the same command goes on from there");
        assert_eq!(names(self.place.path()), ["plain.part", "plain.part.state"]);
    }

    /// Returns how much of the copy is said to be on the medium; `None` when nothing is said any more.
    fn copied(&self) -> Option<u64> {
        let said = fs::read_to_string(self.path("plain.part.state")).ok()?;
        let last = said.lines().last().expect("a line");
        let reached: serde_json::Value = serde_json::from_str(last).unwrap_or_default();
        Some(reached["copied"].as_u64().unwrap_or(0))
    }

    /// Begins a copy or goes on with it, and kills it when more than before is said to be on the medium. Returns how
    /// much that is; `None` when the copy was done sooner.
    fn killed_behind(&self, format: &str, before: u64, written: u64) -> Option<u64> {
        let mut child = self.hold(format, written)?;
        // After a second something is on the medium.
        thread::sleep(Duration::from_millis(1100));
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.copied().is_some_and(|copied| copied <= before) {
            assert!(Instant::now() < deadline, "it never says how far it is");
            // The medium gets its time, and the copy little of it.
            signal(&child, Signal::CONT);
            thread::sleep(Duration::from_millis(1));
            signal(&child, Signal::STOP);
            thread::sleep(Duration::from_millis(20));
        }
        child.kill().and_then(|()| child.wait()).expect("it ends");
        self.copied()
    }

    /// Asserts that the copy is whole and alone.
    fn is_whole(&self, format: &str) {
        assert_eq!(names(self.place.path()), ["plain"]);
        let plain = self.path("plain");
        if format == "raw" {
            assert_eq!(hash(&plain), self.hash);
        } else if let Some(judged) = judged(&plain) {
            assert_eq!(hash(&judged), self.hash);
            fs::remove_file(judged).expect("removed");
        }
    }

    fn clear(&self) {
        for name in names(self.place.path()) {
            fs::remove_file(self.path(&name)).expect("removed");
        }
    }
}

fn hash(path: &Path) -> String {
    let image = Image::open(path).expect("a file");
    sha256(&*image, 0, image.size())
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 32) as u32).to_le_bytes()
    };
    (0..length / 4).flat_map(|_| next()).collect()
}

fn wchar(child: &Child) -> u64 {
    let io = fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok()).unwrap_or(0)
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("a running program");
}

fn ended(child: Child) -> Said {
    let said = Said::of(child.wait_with_output().expect("it ends"));
    said.assert_no_secret();
    said
}

#[test]
fn a_copy_that_nobody_stops_is_as_any_other() {
    let rig = Rig::new();
    for format in FORMATS {
        let said = Said::of(rig.command(format).arg("--json").output().expect("the program"));
        let report = said.exits(0).json();
        assert_eq!((&report["resumed_at"], &report["bytes"]), (&0.into(), &SIZE.into()));
        let mode = fs::metadata(rig.path("plain")).expect("the copy").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        rig.is_whole(format);
        rig.run(format).exits(11).says("it is already there");
        rig.clear();
    }
}

#[test]
fn ctrl_c_loses_nothing() {
    let rig = Rig::new();
    for format in FORMATS {
        rig.half(format);
        for name in ["plain.part", "plain.part.state"] {
            let mode = fs::metadata(rig.path(name)).expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let plain =
            lastkey!("read", rig.drive, "--out", rig.path("plain"), "--length=0", "--vmk-file", sample().vmk);
        plain.exits(0).says("--resume would go on with it");
        fs::remove_file(rig.path("plain")).expect("removed");
        let said = Said::of(rig.command(format).arg("--json").output().expect("the program"));
        let resumed_at = said.exits(0).json()["resumed_at"].as_u64().expect("a number");
        assert!((40 << 20..SIZE).contains(&resumed_at), "{resumed_at}");
        rig.is_whole(format);
        rig.clear();
    }
}

#[test]
fn a_kill_at_any_moment_loses_little() {
    let rig = Rig::new();
    // A slow disk could say how far it is only when the copy is done.
    let _memory = is_root().then(|| Mounted::small(rig.place.path(), 1 << 30));
    for format in FORMATS {
        // At once, on its way, at its end.
        for moment in [0, 5, 20, 60, 100, 150, 200, 300, 400, 600] {
            let mut child = rig.start(format);
            thread::sleep(Duration::from_millis(moment));
            child.kill().and_then(|()| child.wait()).expect("it ends");
            if rig.path("plain").exists() {
                // It was too late. What is there is whole.
                rig.run(format).exits(11);
                rig.is_whole(format);
                rig.clear();
            }
        }
        rig.run(format);
        rig.is_whole(format);
        rig.clear();

        // On a busy machine it may be done before anybody can kill it.
        let three_times = || {
            let mut before = 0;
            for written in [20 << 20, 15 << 20, 15 << 20] {
                before = rig.killed_behind(format, before, written)?;
            }
            Some(())
        };
        let mut tries = 0;
        while three_times().is_none() {
            tries += 1;
            assert!(tries < 20, "it is always too quick");
            rig.clear();
        }
        let said = rig.run(format);
        said.exits(0).says("are there, and as on the drive: going on");
        rig.is_whole(format);
        rig.clear();
    }
}

#[test]
fn a_full_disk_is_gone_on_with_when_there_is_room() {
    if !is_root() {
        return lastkey_tests::skip("only root can mount a small disk");
    }
    let rig = Rig::new();
    for format in FORMATS {
        let Some(_disk) = Mounted::small(rig.place.path(), 40 << 20) else { return };
        for size in ["60m", "90m", "300m"] {
            rig.run(format).exits(9).says("no room left").says("the same command goes on from there");
            assert_eq!(names(rig.place.path()), ["plain.part", "plain.part.state"]);
            let mut again = Command::new("mount");
            again.args(["-o", &format!("remount,size={size}")]).arg(rig.place.path());
            assert!(again.status().expect("mount").success());
        }
        rig.run(format).exits(0).says("are there, and as on the drive: going on");
        rig.is_whole(format);
    }
}

#[test]
fn a_drive_that_goes_away_may_come_back() {
    let rig = Rig::new();
    for format in FORMATS {
        let whole = fs::read(&rig.drive).expect("the drive");
        let child = rig.hold(format, 30 << 20).expect("it is not so quick");
        let drive = File::options().write(true).open(&rig.drive).expect("the drive");
        drive.set_len(1 << 20).expect("shorter");
        signal(&child, Signal::CONT);
        let said = ended(child);
        said.exits(6).says("reading the drive at byte").says("the same command goes on from there");
        fs::write(&rig.drive, &whole).expect("as it was");
        rig.run(format).exits(0).says("are there, and as on the drive: going on");
        rig.is_whole(format);
        rig.clear();
    }
}

#[test]
fn only_the_same_copy_is_gone_on_with() {
    let rig = Rig::new();
    rig.half("raw");
    let before = fs::read(rig.path("plain.part")).expect("the copy");
    let is_as_before = |said: &Said| {
        said.exits(11);
        assert!(fs::read(rig.path("plain.part")).expect("the copy") == before, "{}", said.err);
    };
    let said = rig.run("qcow2");
    is_as_before(said.says("was begun with other options").says("--format raw"));
    let said = Said::of(rig.command("raw").args(["--offset", "512"]).output().expect("the program"));
    is_as_before(said.says("was begun with other options").says("--offset 0 --length 201326592"));

    // Another drive.
    let other = folder();
    lastkey!("try", "--keep", other.path().join("try")).exits(0);
    let (drive, password) = (other.path().join("try/sample.img"), other.path().join("try/password.txt"));
    assert!(drive.exists(), "{:?}", names(&other.path().join("try")));
    let said = lastkey!("read", drive, "--out", rig.path("plain"), "--resume", "--password-file", password);
    is_as_before(said.says("is of another drive").says("drive.img (volume "));

    // The same drive, written to.
    let drive = File::options().read(true).write(true).open(&rig.drive).expect("the drive");
    let (at, mut byte) = (before.len() as u64 - 1, [0]);
    drive.read_exact_at(&mut byte, at).expect("read");
    drive.write_all_at(&[byte[0] ^ 1], at).expect("written");
    let said = rig.run("raw");
    is_as_before(said.says("the drive is not what it was").says(&format!("byte {at} is another one")));
    drive.write_all_at(&byte, at).expect("as it was");
    drive.set_len(SIZE + 512).expect("longer");
    let said = Said::of(rig.command("raw").arg(format!("--length={SIZE}")).output().expect("the program"));
    is_as_before(said.says("it had 201326592 bytes, and has 201327104"));
    drive.set_len(SIZE).expect("as it was");
    rig.run("raw").exits(0);
    rig.is_whole("raw");
}

#[test]
fn what_is_spoilt_is_not_gone_on_with() {
    let rig = Rig::new();
    for format in FORMATS {
        rig.half(format);
        let (part, state) = (rig.path("plain.part"), rig.path("plain.part.state"));
        let (data, said) = (fs::read(&part).expect("a copy"), fs::read_to_string(&state).expect("a state"));
        let refused = |why: &str| {
            rig.run(format).exits(11).says("cannot be gone on with").says(why).says("to begin anew");
            assert_eq!(fs::read(&part).expect("the copy").len(), data.len());
        };
        for bad in ["", "mine\n", "{}\n", "\0\0\0\0", &said[..50]] {
            fs::write(&state, bad).expect("written");
            refused("");
            assert_eq!(fs::read_to_string(&state).expect("the state"), bad);
        }
        fs::remove_file(&state).expect("removed");
        refused("nothing says what it is a copy of");
        let far = said.replace("{\"copied\":", "{\"copied\":1");
        fs::write(&state, far).expect("written");
        rig.run(format).exits(11);
        let odd = format!("{}\n{{\"copied\":12345,\"end\":12345}}\n", said.lines().next().expect("a line"));
        fs::write(&state, odd).expect("written");
        refused("pauses at byte 12345");
        // Torn at its end it is a little behind, and that is all.
        fs::write(&state, format!("{said}{{\"copied\":9")).expect("written");
        fs::write(&part, &data[..data.len() - 1]).expect("shorter");
        rig.run(format).exits(11).says("cannot be gone on with");
        fs::write(&part, &data).expect("as it was");
        rig.run(format).exits(0);
        rig.is_whole(format);
        rig.clear();
    }
}

#[test]
fn a_name_that_is_taken_meanwhile_stays_as_it_is() {
    let rig = Rig::new();
    for format in FORMATS {
        let child = rig.hold(format, 30 << 20).expect("it is not so quick");
        let second = rig.run(format);
        second.exits(11).says("another lastkey is writing this copy now");
        fs::write(rig.path("plain"), "mine").expect("written");
        signal(&child, Signal::CONT);
        ended(child).exits(11).says("it is already there; it was left as it is").says("plain.part");
        for _ in 0..2 {
            rig.run(format).exits(11).says("plain.part");
            assert_eq!(fs::read(rig.path("plain")).expect("mine"), b"mine");
            assert_eq!(names(rig.place.path()), ["plain", "plain.part", "plain.part.state"]);
        }
        fs::remove_file(rig.path("plain")).expect("removed");
        rig.run(format).exits(0);
        rig.is_whole(format);
        rig.clear();
    }
}

#[test]
fn what_others_put_there_is_not_written_to() {
    let rig = Rig::new();
    let mine = rig.drive.with_file_name("mine");
    for name in ["plain.part", "plain.part.state"] {
        fs::write(&mine, "").expect("written");
        std::os::unix::fs::symlink(&mine, rig.path(name)).expect("a link");
        rig.run("raw").exits(11).says("this is no file of yours");
        assert_eq!(fs::read(&mine).expect("mine"), b"");
        rig.clear();
        if is_root() {
            fs::write(rig.path(name), "").expect("written");
            std::os::unix::fs::chown(rig.path(name), Some(65534), None).expect("somebody else's");
            rig.run("raw").exits(11).says("this is no file of yours");
            rig.clear();
        }
    }
    // Somebody's notes.
    fs::write(rig.path("plain.part.state"), "notes\n").expect("written");
    rig.run("raw").exits(11);
    assert_eq!(fs::read(rig.path("plain.part.state")).expect("the notes"), b"notes\n");
}

#[test]
fn a_stick_is_gone_on_with_whoever_it_belongs_to() {
    if !is_root() {
        return lastkey_tests::skip("only root can mount a stick");
    }
    let rig = Rig::new();
    let stick = rig.drive.with_file_name("stick.img");
    File::create(&stick).and_then(|stick| stick.set_len(512 << 20)).expect("a stick");
    if !run("mkfs.exfat", [&stick]) {
        return;
    }
    for format in FORMATS {
        // All files there are the desktop user's, as on FAT.
        let Some(device) = Loop::of(&stick, &[]) else { return };
        let mut mount = Command::new("mount.exfat-fuse");
        mount.args(["-o", "uid=1000,umask=077"]).arg(device.path()).arg(rig.place.path());
        let Some(_stick) = Mounted::by(&mut mount, rig.place.path()) else { return };
        rig.half(format);
        rig.run(format).exits(0).says("are there, and as on the drive: going on");
        rig.is_whole(format);
        rig.clear();
    }
}

#[test]
fn what_a_kill_at_the_end_left_is_tidied_up() {
    let rig = Rig::new();
    rig.half("raw");
    let state = fs::read(rig.path("plain.part.state")).expect("a state");
    rig.run("raw").exits(0);
    fs::write(rig.path("plain.part.state"), &state).expect("left over");
    rig.run("raw").exits(11).says("it is already there");
    rig.is_whole("raw");
    // Or the copy was moved away before.
    fs::write(rig.path("plain.part.state"), &state).expect("left over");
    fs::remove_file(rig.path("plain")).expect("moved away");
    rig.run("raw").exits(0);
    rig.is_whole("raw");
}
