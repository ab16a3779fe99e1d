//! A virtual machine with a real kernel, and a USB port whose sticks can be pulled out.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::nbd::Disk;

/// Returns the folder with the kernel and its first root file system; `None`, loudly, when there is none.
pub fn folder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let folder = env::var_os("LASTKEY_VM").map_or(root.join("target/vm"), PathBuf::from);
    let is_there = folder.join("root.cpio").exists()
        && Command::new("qemu-system-x86_64")
            .arg("--version")
            .output()
            .is_ok_and(|done| done.status.success());
    if !is_there {
        crate::skip("no virtual machine: ./test program prepares it");
    }
    is_there.then_some(folder)
}

/// A virtual machine that runs.
pub struct Vm {
    qemu: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    port: Port,
    folder: tempfile::TempDir,
    plugged: usize,
}

/// The machine's USB port.
#[derive(Clone)]
pub struct Port(Arc<Mutex<BufReader<UnixStream>>>);

impl Vm {
    /// Starts a machine with these files in it, each with its path there and, when it is a program, its libraries.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(machine: &Path, files: &[(&str, &Path)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut root = fs::read(machine.join("root.cpio")).expect("the root file system");
        archive(&mut root, files);
        let [image, socket] = ["root.cpio", "qmp"].map(|name| folder.path().join(name));
        fs::write(&image, root).expect("written");
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-machine", "q35,accel=tcg", "-cpu", "max", "-m", "512", "-smp", "1", "-nodefaults"])
            .args(["-no-reboot", "-display", "none", "-nic", "none", "-serial", "stdio"])
            .args(["-device", "qemu-xhci,id=usb", "-qmp"])
            .arg(format!("unix:{},server=on,wait=off", socket.display()))
            .args(["-append", "console=ttyS0 quiet loglevel=0 panic=-1", "-kernel"])
            .arg(machine.join("vmlinuz"))
            .arg("-initrd")
            .arg(image);
        let mut qemu = qemu.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("qemu");
        let input = qemu.stdin.take().expect("its input");
        let output = BufReader::new(qemu.stdout.take().expect("its output"));
        let mut vm = Self { qemu, input, output, port: Port::new(&socket), folder, plugged: 0 };
        vm.lines_until("@up");
        vm
    }

    /// Runs a line of shell and returns what it printed, and its exit status.
    pub fn run(&mut self, line: &str) -> (Vec<String>, i32) {
        writeln!(self.input, "{line}").expect("the machine listens");
        let mut lines = self.lines_until("@done ");
        let last = lines.pop().expect("the last line");
        let status = last.trim_start_matches("@done ").parse().expect("a number");
        (lines, status)
    }

    /// Does the same with a line that must succeed.
    ///
    /// # Panics
    /// When it fails.
    pub fn must(&mut self, line: &str) -> Vec<String> {
        let (lines, status) = self.run(line);
        assert_eq!(status, 0, "{line}: {lines:?}");
        lines
    }

    /// Plugs a stick in, waits until the machine has seen its partition, and returns what the machine calls that.
    ///
    /// # Panics
    /// When the machine does not see it.
    pub fn plug(&mut self, disk: &Disk) -> String {
        let socket = self.folder.path().join(format!("nbd{}", self.plugged + 1));
        disk.serve(&socket).expect("a socket");
        self.plug_in(&socket, false);
        self.name_of("sd?1")
    }

    /// Plugs in what a server lends at a socket, to be read only, waits until the machine has seen it, and returns
    /// what the machine calls it.
    ///
    /// # Panics
    /// When the machine does not see it.
    pub fn plug_lent(&mut self, socket: &Path) -> String {
        self.plug_in(socket, true);
        self.name_of("sd?")
    }

    fn plug_in(&mut self, socket: &Path, read_only: bool) {
        self.plugged += 1;
        let node = format!("disk{}", self.plugged);
        let server = json!({"type": "unix", "path": socket});
        let cache = json!({"direct": true});
        self.port.ask(
            "blockdev-add",
            &json!({
                "driver": "nbd", "node-name": node, "server": server, "cache": cache, "read-only": read_only
            }),
        );
        let device =
            json!({"driver": "usb-storage", "id": "stick", "bus": "usb.0", "drive": node, "removable": true});
        self.port.ask("device_add", &device);
    }

    /// Waits for a device in the machine and returns its name.
    fn name_of(&mut self, pattern: &str) -> String {
        let lines = self.must(&format!(
            "until ls /sys/block | grep sd; do sleep 0.1; done; until [ -e /dev/{pattern} ]; do sleep 0.1; done; ls /dev/{pattern}"
        ));
        lines.last().and_then(|path| path.strip_prefix("/dev/")).expect("a device").to_owned()
    }

    /// Takes the stick out, and waits until the machine has seen that.
    pub fn unplug(&mut self) {
        self.port.pull();
        self.must("while [ -e /sys/block/sd? ]; do sleep 0.1; done");
        // Its end of the connection is closed when nothing in the machine holds the stick any more.
        self.port.forget(&format!("disk{}", self.plugged));
    }

    /// Returns the port, to pull the stick out from elsewhere.
    pub fn port(&self) -> Port {
        self.port.clone()
    }

    fn lines_until(&mut self, end: &str) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        loop {
            let mut line = Vec::new();
            let length = self.output.read_until(b'\n', &mut line).expect("its output");
            assert!(length > 0, "the machine has stopped: {lines:#?}");
            lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            if lines.last().is_some_and(|line| line.starts_with(end)) {
                return lines;
            }
        }
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

impl Port {
    fn new(socket: &Path) -> Self {
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(20)),
            }
        };
        let port = Self(Arc::new(Mutex::new(BufReader::new(stream))));
        port.ask("qmp_capabilities", &json!({}));
        port
    }

    /// Pulls the stick out, if it is in.
    pub fn pull(&self) {
        let _ = self.try_ask("device_del", &json!({"id": "stick"}));
    }

    fn forget(&self, node: &str) {
        while self.try_ask("blockdev-del", &json!({"node-name": node})).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    fn ask(&self, command: &str, arguments: &Value) {
        self.try_ask(command, arguments).unwrap_or_else(|why| panic!("{command}: {why}"));
    }

    fn try_ask(&self, command: &str, arguments: &Value) -> Result<(), String> {
        let mut stream = self.0.lock().unwrap_or_else(|error| error.into_inner());
        let question = json!({"execute": command, "arguments": arguments});
        writeln!(stream.get_mut(), "{question}").map_err(|error| error.to_string())?;
        loop {
            let mut line = String::new();
            let length = stream.read_line(&mut line).map_err(|error| error.to_string())?;
            let answer: Value = serde_json::from_str(&line).unwrap_or_default();
            if length == 0 {
                return Err("qemu has stopped".to_owned());
            } else if let Some(error) = answer.get("error") {
                return Err(error.to_string());
            } else if answer.get("return").is_some() {
                return Ok(());
            }
        }
    }
}

/// Adds files to a cpio archive (`newc`), with the folders above them and the libraries they need.
fn archive(archive: &mut Vec<u8>, files: &[(&str, &Path)]) {
    let mut all: Vec<(String, PathBuf)> = Vec::new();
    for &(name, path) in files {
        all.push((name.to_owned(), path.to_owned()));
        all.extend(libraries(path).into_iter().map(|library| (library.clone(), library.into())));
    }
    let mut folders = BTreeSet::new();
    all.retain(|(name, _)| folders.insert(name.clone()));
    let folders: BTreeSet<_> = all
        .iter()
        .flat_map(|(name, _)| Path::new(name).ancestors().skip(1))
        .filter(|folder| folder.components().count() > 1)
        .map(|folder| folder.display().to_string())
        .collect();
    for folder in folders {
        entry(archive, &folder, 0o4_0755, &[]);
    }
    for (name, path) in all {
        entry(archive, &name, 0o10_0755, &fs::read(path).expect("a file"));
    }
    entry(archive, "/TRAILER!!!", 0, &[]);
}

fn entry(archive: &mut Vec<u8>, name: &str, mode: u32, bytes: &[u8]) {
    let name = name.trim_start_matches('/');
    let numbers = [0, mode, 0, 0, 1, 0, bytes.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
    archive.extend(b"070701");
    archive.extend(numbers.iter().flat_map(|number| format!("{number:08x}").into_bytes()));
    for part in [[name.as_bytes(), b"\0"].concat(), bytes.to_vec()] {
        archive.extend(part);
        archive.resize(archive.len().next_multiple_of(4), 0);
    }
}

/// Returns the paths of the libraries that a program needs: what `ldd` shows, none for anything else.
fn libraries(program: &Path) -> Vec<String> {
    let output = Command::new("ldd").arg(program).output().map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    let paths = text.split_whitespace().filter(|word| word.starts_with('/') && !word.ends_with(':'));
    paths.map(str::to_owned).collect()
}

/// Copies a program without what only debuggers read, which is most of it.
///
/// # Errors
/// When it cannot be copied.
pub fn strip(program: &Path, to: &Path) -> io::Result<()> {
    let stripped = Command::new("strip").arg("-o").arg(to).arg(program).status();
    if !stripped.is_ok_and(|status| status.success()) {
        fs::copy(program, to)?;
    }
    Ok(())
}
