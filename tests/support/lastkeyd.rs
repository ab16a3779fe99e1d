//! The account's server, as somebody runs it who tries it: a folder of its own, a free port, its own certificate.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::program;

/// How long it may take to start, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server, and what it stands on. Its end is the end of all of it.
pub struct Lastkeyd {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    trusted: Option<PathBuf>,
    server: Option<Child>,
}

impl Lastkeyd {
    /// Starts a server with an empty folder; with `options` besides where it listens and keeps things.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(options: &[&str]) -> Self {
        Self::start_at(free_port(), options)
    }

    /// The same at a port that is known before.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_at(port: u16, options: &[&str]) -> Self {
        let mut lastkeyd = Self::new(port, options);
        lastkeyd.start_again();
        lastkeyd
    }

    /// Starts one and kills it so long afterwards, whatever it has made of its empty folder by then.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_killed(options: &[&str], after: Duration) -> Self {
        let mut lastkeyd = Self::new(free_port(), options);
        lastkeyd.start_and_kill(after);
        lastkeyd
    }

    fn new(port: u16, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Self { folder, port, options, trusted: None, server: None }
    }

    /// Lets it have other options when it is started again.
    pub fn set_options(&mut self, options: &[&str]) {
        self.options = options.iter().map(|&option| option.to_owned()).collect();
    }

    /// Lets it trust the certificates of a file, instead of the system's, when it is started again.
    pub fn trust(&mut self, certificates: &Path) {
        self.trusted = Some(certificates.to_owned());
    }

    /// Starts it after [`Lastkeyd::kill`] or [`Lastkeyd::end`], on the same folder and port, and waits until it
    /// answers.
    ///
    /// # Panics
    /// When it runs, or does not start.
    pub fn start_again(&mut self) {
        let mut server = self.spawn();
        let until = Instant::now() + PATIENCE;
        // It listens before it has greeted; the greeting ends with an empty line.
        while !self.said().ends_with("\n\n") || TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = server.try_wait().expect("its state");
            assert!(ended.is_none(), "lastkeyd ended: {}{}", self.said(), self.log());
            assert!(Instant::now() < until, "lastkeyd does not answer: {}{}", self.said(), self.log());
            thread::sleep(Duration::from_millis(5));
        }
        self.server = Some(server);
    }

    /// Starts it and kills it so long afterwards, whether it answers by then or not.
    ///
    /// # Panics
    /// When it runs, or does not start.
    pub fn start_and_kill(&mut self, after: Duration) {
        let mut server = self.spawn();
        thread::sleep(after);
        server.kill().and_then(|()| server.wait()).expect("its end");
    }

    fn spawn(&self) -> Child {
        assert!(self.server.is_none(), "it runs");
        let output = |name| File::create(self.folder.path().join(name)).expect("a file");
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log");
        let mut command = Command::new(path());
        command
            .args(["--data".as_ref(), self.data().as_os_str()])
            .args(["--listen", &format!("127.0.0.1:{}", self.port), "--log", "json"])
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(output("said"))
            .stderr(log);
        if let Some(trusted) = &self.trusted {
            command.env("SSL_CERT_FILE", trusted).env_remove("SSL_CERT_DIR");
        }
        command.spawn().expect("lastkeyd")
    }

    /// Returns the folder that it keeps everything in.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns its certificate.
    pub fn certificate(&self) -> PathBuf {
        self.data().join("tls.crt")
    }

    /// Returns where it is found: `localhost:4848`.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Returns the URL of a path on it.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.host())
    }

    /// Returns what it printed when it started.
    pub fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("said")).unwrap_or_default()
    }

    /// Returns the certificate's fingerprint, as it printed it.
    ///
    /// # Panics
    /// When it printed none.
    pub fn fingerprint(&self) -> String {
        let said = self.said();
        let found = said.lines().find_map(|line| Some(line.split_once("SHA-256 ")?.1.trim().to_owned()));
        found.unwrap_or_else(|| panic!("no fingerprint: {said}"))
    }

    /// Returns the link by which the first account is made, as it printed it.
    ///
    /// # Panics
    /// When it printed none.
    pub fn welcome(&self) -> String {
        let said = self.said();
        let link = said.split_whitespace().find(|word| word.contains("/welcome#"));
        link.unwrap_or_else(|| panic!("no link: {said}")).to_owned()
    }

    /// Returns all that it logged, before and after it was started again.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Runs one of its commands on the same folder and database: `&["audit", "verify"]`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(path());
        command.args(arguments).args(["--data".as_ref(), self.data().as_os_str()]);
        let mut options = self.options.iter();
        while let Some(option) = options.next() {
            if ["--config", "--database"].contains(&option.as_str()) {
                command.arg(option).args(options.next());
            }
        }
        command.stdin(Stdio::null()).output().expect("lastkeyd")
    }

    /// Returns the process.
    ///
    /// # Panics
    /// When it does not run.
    pub fn id(&self) -> u32 {
        self.server.as_ref().expect("a server that runs").id()
    }

    /// Kills it where it is.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("a server that runs");
        server.kill().and_then(|()| server.wait()).expect("its end");
    }

    /// Asks it to end as the system does, and returns whether it ended well.
    ///
    /// # Panics
    /// When it does not end.
    pub fn end(&mut self) -> bool {
        self.ask_to_end();
        self.wait()
    }

    /// Asks it to end as the system does.
    ///
    /// # Panics
    /// When it does not run.
    pub fn ask_to_end(&self) {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(id, Signal::TERM).expect("a signal");
    }

    /// Waits until it has ended, and returns whether it ended well.
    ///
    /// # Panics
    /// When it does not end.
    pub fn wait(&mut self) -> bool {
        let mut server = self.server.take().expect("a server that runs");
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = server.try_wait().expect("its state") {
                return status.success();
            }
            if Instant::now() >= until {
                let _ = server.kill();
                panic!("lastkeyd does not end: {}", self.log());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Lastkeyd {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Returns a port that is free until somebody else asks the system for one; the server itself takes only ports with a
/// number.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("an address").port()
}

/// Returns where `lastkeyd` is, built just as these tests are.
///
/// # Panics
/// When it cannot be built.
pub fn path() -> &'static Path {
    program::built("lastkeyd")
}

/// Returns the program with the tests inside the server's crate, built just as these tests are.
///
/// # Panics
/// When it cannot be built.
pub fn unit_tests() -> PathBuf {
    let mut build = program::cargo("test");
    build.args(["--lib", "--no-run", "--message-format=json"]);
    let built = build.stderr(Stdio::inherit()).output().expect("cargo");
    assert!(built.status.success(), "the server's tests cannot be built");
    let lines = built.stdout.split(|&byte| byte == b'\n');
    let made = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let tests = made.filter(|made| made["target"]["name"] == "lastkeyd" && made["profile"]["test"] == true);
    let path = tests.filter_map(|made| made["executable"].as_str().map(PathBuf::from)).next_back();
    path.expect("the tests of lastkeyd")
}
