//! A server that runs, and its clients.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use lastkey_tests::{program, skip};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// `lastkey nbd --json`, ready for clients. It is ended when dropped.
pub struct Server {
    child: Child,
    errors: ChildStderr,
    /// What it said when it was ready.
    pub document: Value,
    pub uri: String,
}

impl Server {
    /// Starts it and waits until it is ready.
    #[track_caller]
    pub fn start(arguments: &[&dyn AsRef<OsStr>]) -> Self {
        let mut command = program::lastkey();
        command.arg("nbd").args(arguments.iter().map(|argument| argument.as_ref())).arg("--json");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let errors = child.stderr.take().expect("piped");
        let mut text = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        while !text.ends_with("\n}\n") && output.read_line(&mut text).is_ok_and(|length| length > 0) {}
        let document: Value = serde_json::from_str(&text).expect("a document");
        let uri = document["uri"].as_str().unwrap_or_else(|| panic!("{document}")).to_owned();
        Self { child, errors, document, uri }
    }

    /// Returns the path of its socket.
    pub fn socket(&self) -> PathBuf {
        self.document["socket"].as_str().expect("a socket").into()
    }

    /// Returns how many descriptors and threads it has.
    pub fn load(&self) -> (usize, usize) {
        let count = |what| {
            let folder = format!("/proc/{}/{what}", self.child.id());
            fs::read_dir(folder).expect("it runs").count()
        };
        (count("fd"), count("task"))
    }

    /// Waits until it has no more descriptors and threads than this.
    pub fn settles_at(&self, load: (usize, usize)) {
        for _ in 0..600 {
            let now = self.load();
            if now.0 <= load.0 && now.1 <= load.1 {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("descriptors and threads: {load:?} before, now {:?}", self.load());
    }

    /// Sends a signal and returns the exit code, and what was said on standard error.
    pub fn end(&mut self, signal: Signal) -> (Option<i32>, String) {
        self.signal(signal);
        self.wait()
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.errors.read_to_string(&mut said).expect("text");
        (self.child.wait().expect("it ends").code(), said)
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("it runs");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal(Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// Returns whether the clients are installed; says so loudly when they are not.
pub fn has_clients() -> bool {
    ["nbdinfo", "nbdcopy", "qemu-img", "qemu-io"].iter().all(|program| {
        let there = Command::new(program).arg("--version").output().is_ok();
        if !there {
            skip(&format!("no {program}: apt-get install libnbd-bin qemu-utils"));
        }
        there
    })
}

/// Runs a client.
pub fn client(program: &str, arguments: &[&dyn AsRef<OsStr>]) -> Output {
    let arguments = arguments.iter().map(|argument| argument.as_ref());
    Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// Runs a client that must succeed, and returns what it printed.
#[track_caller]
pub fn must(program: &str, arguments: &[&dyn AsRef<OsStr>]) -> String {
    let output = client(program, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Has qemu-io do some things over one connection; returns whether all went well, and what it said.
pub fn qemu_io(uri: &str, commands: &[impl AsRef<str>]) -> (bool, String) {
    let commands = commands.iter().flat_map(|command| ["-c", command.as_ref()]);
    let output = Command::new("qemu-io").args(["-r", "-f", "raw"]).args(commands).arg(uri).output();
    let output = output.expect("qemu-io");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// Returns the SHA-256 of all that nbdcopy reads, in hex.
#[track_caller]
pub fn hash(uri: &str, options: &[&str]) -> String {
    let mut command = Command::new("nbdcopy");
    command.args(options).args([uri, "-"]).stdout(Stdio::piped());
    let mut child = command.spawn().expect("nbdcopy");
    let mut output = child.stdout.take().expect("piped");
    let mut hasher = Sha256::new();
    let mut buf = vec![0; 1 << 20];
    loop {
        match output.read(&mut buf).expect("a pipe") {
            0 => break,
            length => hasher.update(&buf[..length]),
        }
    }
    assert!(child.wait().expect("it ends").success());
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
