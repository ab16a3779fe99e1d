//! The process with an administrator's rights: what it lends, and all that it refuses.

use std::fs::{self, File};
use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lastkey_tests::panel::{Answer, Home, Panel};
use lastkey_tests::said::Said;
use lastkey_tests::{program, real_drives, skip};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::{Value, json};

use crate::{AS_NOBODY, NOBODY};

/// What turns a program into that user's, who may still get more rights when asked for.
const BECOME_NOBODY: [&str; 6] = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];

/// A real drive as a device.
struct Loop(PathBuf);

impl Loop {
    fn attach(image: &Path) -> Option<Self> {
        // Looking for partitions forgets those of whatever the device was before.
        let output = Command::new("losetup")
            .args(["--find", "--show", "--partscan", "--read-only"])
            .arg(image)
            .output();
        let Some(output) = output.ok().filter(|output| output.status.success()) else {
            skip("no loop devices: they take root");
            return None;
        };
        Some(Self(String::from_utf8_lossy(&output.stdout).trim().into()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.0).status();
    }
}

/// A helper as root, and the panel's end of its line.
struct Helper {
    process: Child,
    line: UnixStream,
}

impl Helper {
    fn start() -> Self {
        let (line, theirs) = UnixStream::pair().unwrap();
        line.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut command = Command::new(program::path());
        let process = command.arg("panel-helper").stdin(Stdio::from(OwnedFd::from(theirs))).spawn().unwrap();
        let mut helper = Self { process, line };
        let hello = helper.hear();
        assert!(hello.reply == "ready" && hello.file.is_none());
        helper
    }

    fn send(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        self.line.write_all(&[&length, bytes].concat()).unwrap();
    }

    fn ask(&mut self, request: &Value) -> Heard {
        self.send(request.to_string().as_bytes());
        self.hear()
    }

    fn open(&mut self, path: impl AsRef<Path>) -> Heard {
        self.ask(&json!({ "open": { "path": path.as_ref() } }))
    }

    fn hear(&mut self) -> Heard {
        let mut length = [0; 4];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut along = RecvAncillaryBuffer::new(&mut space);
        let received =
            recvmsg(&self.line, &mut [IoSliceMut::new(&mut length)], &mut along, RecvFlags::CMSG_CLOEXEC)
                .unwrap();
        assert_eq!(received.bytes, 4);
        let files: Vec<OwnedFd> = along
            .drain()
            .flat_map(|message| match message {
                RecvAncillaryMessage::ScmRights(files) => files.collect(),
                _ => Vec::new(),
            })
            .collect();
        assert!(files.len() <= 1);
        let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
        self.line.read_exact(&mut bytes).unwrap();
        let file = files.into_iter().next().map(File::from);
        Heard { reply: serde_json::from_slice(&bytes).unwrap(), file }
    }

    fn ends(&mut self) -> bool {
        ends(|| self.process.try_wait().unwrap().is_some())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Heard {
    reply: Value,
    file: Option<File>,
}

fn ends(mut is_over: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        if is_over() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

#[test]
fn it_lends_bitlocker_drives_to_be_read_and_only_read() {
    let Some(drives) = real_drives() else { return };
    let Some(device) = Loop::attach(&drives.join("aes-xts_128.bin")) else { return };
    let mut helper = Helper::start();
    let listed = helper.ask(&json!("list")).reply;
    let known =
        listed["drives"].as_array().unwrap().iter().find(|drive| drive["path"] == device.0.to_str().unwrap());
    assert_eq!(known.unwrap()["is_bitlocker"], true);

    let lent = helper.open(&device.0);
    assert_eq!(lent.reply, "open");
    let file = lent.file.unwrap();
    let mut signature = [0; 8];
    file.read_exact_at(&mut signature, 3).unwrap();
    assert_eq!(&signature, b"-FVE-FS-");
    let flags = rustix::fs::fcntl_getfl(&file).unwrap();
    assert_eq!(flags & rustix::fs::OFlags::RWMODE, rustix::fs::OFlags::RDONLY);
    assert!(file.write_at(b"x", 0).is_err());
    assert!(file.set_len(0).is_err());

    // It goes on, and ends when the panel does.
    assert_eq!(helper.open(&device.0).reply, "open");
    let (line, _) = UnixStream::pair().unwrap();
    drop(std::mem::replace(&mut helper.line, line));
    assert!(helper.ends());
}

#[test]
fn what_is_written_through_a_lent_drive_never_arrives() {
    let Some(drives) = real_drives() else { return };
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    fs::copy(drives.join("aes-xts_128.bin"), &image).unwrap();
    // The device itself could be written to.
    let output =
        Command::new("losetup").args(["--find", "--show", "--partscan"]).arg(&image).output().unwrap();
    if !output.status.success() {
        return skip("no loop devices: they take root");
    }
    let device = Loop(String::from_utf8_lossy(&output.stdout).trim().into());
    let mut helper = Helper::start();
    let file = helper.open(&device.0).file.unwrap();
    for offset in [0, 512, 1 << 20] {
        let error = file.write_at(&[0xff; 512], offset).expect_err("it is to be read");
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::BADF.raw_os_error()));
    }
    drop((file, helper, device));
    assert!(fs::read(&image).unwrap() == fs::read(drives.join("aes-xts_128.bin")).unwrap());
}

#[test]
fn it_refuses_all_that_is_no_attached_bitlocker_drive() {
    let Some(drives) = real_drives() else { return };
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    File::create(&plain).unwrap().set_len(8 << 20).unwrap();
    let Some(other) = Loop::attach(&plain) else { return };
    let Some(device) = Loop::attach(&drives.join("aes-xts_128.bin")) else { return };
    let mut helper = Helper::start();
    let not_bitlocker = helper.open(&other.0);
    assert_eq!(not_bitlocker.reply, json!({ "refused": "not-bitlocker" }));
    assert!(not_bitlocker.file.is_none());

    let link = folder.path().join("link");
    symlink(&device.0, &link).unwrap();
    let node = folder.path().join("node");
    let name = device.0.file_name().unwrap();
    let made = Command::new("mknod")
        .arg(&node)
        .args(["b", "7"])
        .arg(name.to_str().unwrap().trim_start_matches("loop"))
        .status();
    assert!(made.unwrap().success());
    let text = device.0.to_str().unwrap();
    let image = drives.join("aes-xts_128.bin");
    for path in [
        Path::new("/etc/shadow"),
        Path::new("/dev/null"),
        Path::new("/dev/mem"),
        Path::new("/dev"),
        Path::new("/"),
        Path::new(""),
        Path::new(name),
        Path::new(&format!("/dev/../etc/..{text}")),
        Path::new(&format!("{text}\0")),
        Path::new(&format!("/proc/self/root{text}")),
        &image,
        &link,
        &node,
    ] {
        let heard = helper.open(path);
        assert_eq!(heard.reply, json!({ "refused": "no-drive" }), "{}", path.display());
        assert!(heard.file.is_none(), "{}", path.display());
    }
    assert_eq!(helper.open(&device.0).reply, "open", "it still works");
}

#[test]
fn what_makes_no_sense_or_never_ends_is_refused_and_ends_it() {
    if !rustix::process::geteuid().is_root() {
        return skip("the helper takes root");
    }
    let long = json!({ "open": { "path": format!("/dev/{}", "x".repeat(9000)) } }).to_string();
    for request in [
        "",
        "{}",
        "list",
        "\"write\"",
        "{\"open\":{\"path\":\"/dev/sda\",\"write\":true}}",
        "{\"open\":{}}",
        "{\"open\":{\"path\":7}}",
        "{\"list\":null,\"open\":{\"path\":\"/\"}}",
        "[[[[[[",
        &long,
    ] {
        let mut helper = Helper::start();
        helper.send(request.as_bytes());
        assert_eq!(helper.hear().reply, json!({ "refused": "nonsense" }), "{request:.60}");
        assert!(helper.ends(), "{request:.60}");
    }
    // Four gigabytes are announced; what is said makes no difference to how much is kept.
    let mut helper = Helper::start();
    helper.line.write_all(&u32::MAX.to_le_bytes()).unwrap();
    assert_eq!(helper.hear().reply, json!({ "refused": "nonsense" }));
    assert!(helper.ends());
    // Without a panel at the other end it does nothing.
    for stdin in [Stdio::null(), File::open("/etc/passwd").unwrap().into()] {
        let output = Command::new(program::path()).arg("panel-helper").stdin(stdin).output().unwrap();
        Said::of(output).exits(1).says("the control panel starts this by itself");
    }
}

/// A home of somebody who may read no drive.
pub fn common_home() -> Option<Home> {
    if !rustix::process::geteuid().is_root() {
        skip("somebody else takes root");
        return None;
    }
    Some(Home::of(NOBODY, AS_NOBODY))
}

/// A home of somebody who may read no drive, and whom sudo lets start the helper, and nothing else. Nobody else's sudo knows.
fn home_with_sudo() -> Option<Home> {
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/sudo").exists() {
        skip("sudo is missing, or cannot be told for a test: that takes root");
        return None;
    }
    let rules = tempfile::NamedTempFile::new().unwrap().keep().unwrap().1;
    let script = format!(
        "mount --bind {0} /etc/sudoers && rm -f {0} && exec {1} \"$@\"",
        rules.display(),
        BECOME_NOBODY.join(" ")
    );
    let home =
        Home::of(NOBODY, &["unshare", "--mount", "--propagation", "private", "sh", "-c", &script, "sh"]);
    let text = format!(
        "Defaults !lecture\nDefaults use_pty\n#{NOBODY} ALL=(root) NOPASSWD: {} panel-helper\n",
        home.program().display()
    );
    fs::write(&rules, text).unwrap();
    fs::set_permissions(&rules, PermissionsExt::from_mode(0o440)).unwrap();
    Some(home)
}

/// A home of somebody who may read no drive, beside a polkit that answers as told.
fn home_with_polkit(answer: &str) -> Option<Home> {
    let is_there = |path| Path::new(path).exists();
    if !rustix::process::geteuid().is_root()
        || !["/usr/bin/pkexec", "/usr/lib/polkit-1/polkitd"].into_iter().all(is_there)
    {
        skip("polkit is missing, or cannot be started for a test: that takes root");
        return None;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rig = root.join("panel/polkit.sh");
    let policy = root.join("../packaging/org.lastkey.panel.policy");
    let mut home = Home::of(NOBODY, &[]);
    let program = home.program().to_owned();
    let mut words: Vec<_> = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"].into();
    words.extend(["--propagation", "private", rig.to_str()?, program.to_str()?, policy.to_str()?, answer]);
    words.extend(BECOME_NOBODY);
    home.wrap(&words);
    Some(home)
}

/// Somebody who has come in.
struct Person<'p> {
    panel: &'p Panel,
    cookie: String,
}

impl Person<'_> {
    fn ask(&self, method: &str, path: &str) -> Answer {
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        let own = [("Cookie", self.cookie.as_str()), ("Sec-Fetch-Site", "same-origin"), form];
        self.panel.ask(method, path, &own, "")
    }

    /// Asks for rights, and returns the page that says what came of it.
    fn ask_for_rights(&self) -> String {
        let begun = self.ask("POST", "/rights");
        assert_eq!(begun.status, 303, "{}", begun.body);
        let job = begun.head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap();
        assert!(ends(|| self.ask("GET", &format!("{job}/part")).status == 205), "nobody answers");
        self.ask("GET", job).body
    }
}

/// A panel without rights asks for them, sees a drive, and gives it back.
fn borrows_a_drive(home: &Home) {
    let Some(drives) = real_drives() else { return };
    let image = drives.join("recovery_password.bin");
    let Some(device) = Loop::attach(&image) else { return };
    let mut panel = home.start(&[]);
    let person = Person { panel: &panel, cookie: panel.cookie(panel.code()) };
    let volume = lastkey_tests::open(&image);
    let mut protectors = volume.protectors().into_iter();
    let id = protectors.find(|one| one.kind == fve::ProtectorKind::RecoveryPassword).unwrap().id.short();
    let name = device.0.file_name().unwrap().to_str().unwrap();
    let before = person.ask("GET", "/drives").body;
    assert!(before.contains(name) && !before.contains(&id), "{before}");

    let outcome = person.ask_for_rights();
    assert!(outcome.contains("BitLocker drives can be read"), "{outcome}");
    let after = person.ask("GET", "/drives").body;
    assert!(after.contains(&id), "{after}");
    // The helper has nothing to hide on its command line, and goes when the panel goes.
    let helpers = || helpers(home.program());
    let running = helpers();
    assert!(!running.is_empty());
    for line in running {
        assert!(line.ends_with("lastkey\0panel-helper\0"), "{line:?}");
    }
    assert!(person.ask_for_rights().contains("BitLocker drives can be read"));
    panel.kill();
    assert!(ends(|| helpers().is_empty()), "the helper outlives the panel");
}

#[test]
fn a_panel_without_rights_borrows_drives_by_sudo_and_gives_them_back() {
    if let Some(home) = home_with_sudo() {
        borrows_a_drive(&home);
    }
}

#[test]
fn a_panel_without_rights_borrows_drives_by_polkit_with_our_policy() {
    if let Some(home) = home_with_polkit("yes") {
        borrows_a_drive(&home);
    }
}

#[test]
fn where_polkit_says_no_or_finds_nobody_to_ask_nothing_is_lent() {
    for answer in ["no", "auth_admin"] {
        let Some(home) = home_with_polkit(answer) else { return };
        let panel = home.start(&[]);
        let person = Person { panel: &panel, cookie: panel.cookie(panel.code()) };
        let outcome = person.ask_for_rights();
        assert!(outcome.contains("could ask for the rights"), "{answer}: {outcome}");
        assert!(helpers(home.program()).is_empty());
    }
}

/// Returns the command lines of the helpers of a program.
fn helpers(program: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines.filter(|line| line.contains(&*program.to_string_lossy()) && line.contains("panel-helper")).collect()
}

#[test]
fn where_nobody_gives_rights_the_page_says_what_to_type() {
    let Some(home) = common_home() else { return };
    let panel = home.start(&[]);
    let person = Person { panel: &panel, cookie: panel.cookie(panel.code()) };
    let outcome = person.ask_for_rights();
    assert!(
        outcome.contains("sudo lastkey panel") && outcome.contains("could ask for the rights"),
        "{outcome}"
    );
    assert!(helpers(home.program()).is_empty());
}
