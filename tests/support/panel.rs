//! The control panel, as somebody starts it, with a home of its own.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::browser::{Page, What};
use crate::program;

/// How long it may take to start, to answer, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a person's things are. Panels that are started in the same home are the same person's.
pub struct Home {
    folder: TempDir,
    /// What the program is run by: `setpriv --reuid 1234 ...`; none: as we are.
    wrapper: Vec<String>,
    program: PathBuf,
}

impl Home {
    /// Makes one for whoever runs the tests.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, wrapper: Vec::new(), program: program::path().to_owned() }
    }

    /// Makes one for another user, whom `wrapper` turns the program into; it takes root.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn of(user: u32, wrapper: &[&str]) -> Self {
        use std::os::unix::fs::{PermissionsExt, chown};
        let mut home = Self::new();
        // Where the program was built may be closed to others.
        home.program = home.path("lastkey");
        if fs::hard_link(program::path(), &home.program).is_err() {
            fs::copy(program::path(), &home.program).expect("a copy of the program");
        }
        fs::set_permissions(home.folder.path(), PermissionsExt::from_mode(0o755)).expect("rights");
        chown(home.folder.path(), Some(user), Some(user)).expect("another owner");
        home.wrap(wrapper);
        home
    }

    /// Has the program run by another.
    pub fn wrap(&mut self, wrapper: &[&str]) {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
    }

    /// Returns the path of something in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Returns the panel's private folder.
    pub fn private(&self) -> PathBuf {
        self.path("panel")
    }

    /// Returns `lastkey panel`, to be run in this home.
    pub fn command(&self) -> Command {
        let mut words = self.wrapper.iter().map(Into::into).chain([self.program.clone().into_os_string()]);
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).arg("panel").current_dir("/");
        command.env("LASTKEY_RECORD", self.path("record.db")).env("HOME", self.folder.path());
        for name in ["XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY"] {
            command.env_remove(name);
        }
        command
    }

    /// Starts the panel and waits until it says where it is.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(&self, images: &[&Path]) -> Panel {
        let mut command = self.command();
        command.arg("--no-browser").args(images);
        self.start_with(command)
    }

    /// The same with a command that was changed.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_with(&self, mut command: Command) -> Panel {
        let output = |name| File::create(self.path(name)).expect("a file");
        command.stdin(Stdio::null()).stdout(output("said")).stderr(output("log"));
        let mut process = command.spawn().expect("lastkey");
        let until = Instant::now() + PATIENCE;
        let said = || fs::read_to_string(self.path("said")).unwrap_or_default();
        let log = || fs::read_to_string(self.path("log")).unwrap_or_default();
        let (url, code) = loop {
            if let Some(found) = invitation(&said()) {
                break found;
            }
            let ended = process.try_wait().expect("its state");
            assert!(ended.is_none(), "the panel ended: {}{}", said(), log());
            assert!(Instant::now() < until, "the panel does not start: {}{}", said(), log());
            thread::sleep(Duration::from_millis(5));
        };
        Panel { process: Some(process), url, code }
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

/// Finds the address and the code in what the program said.
pub fn invitation(said: &str) -> Option<(String, String)> {
    let line = said.lines().find(|line| line.starts_with("Open http://"))?;
    let (url, code) = line.strip_prefix("Open ")?.split_once(" and type the code ")?;
    Some((url.trim_end_matches('/').to_owned(), code.to_owned()))
}

/// A panel that runs, and ends with this.
pub struct Panel {
    process: Option<Child>,
    url: String,
    code: String,
}

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, as they came.
    pub head: String,
    /// Its body.
    pub body: String,
}

impl Panel {
    /// Returns the URL of a path in it: `/drives`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Returns its name and port: `lastkey-1f3c….localhost:4849`.
    pub fn host(&self) -> &str {
        self.url.strip_prefix("http://").unwrap_or_default()
    }

    /// Returns its port.
    ///
    /// # Panics
    /// When its address has none.
    pub fn port(&self) -> u16 {
        let port = self.host().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        port.expect("a port")
    }

    /// Returns the code that it showed.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Returns the process.
    ///
    /// # Panics
    /// When it has ended.
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("a panel that runs").id()
    }

    /// Comes in, as a person does who types the code.
    #[track_caller]
    pub fn enter(&self, page: &Page) {
        page.open(&self.url("/"));
        page.fill("Code", &self.code);
        page.click(What::Css("main button[type=submit]"));
        page.until(&self.url("/"));
    }

    /// Asserts that nothing on the page went wrong, and that nobody else was asked for anything.
    #[track_caller]
    pub fn assert_quiet(&self, page: &Page) {
        assert_eq!(page.complaints(), Vec::<String>::new());
        let own = |url: &str| url.starts_with(&self.url("/")) || url.starts_with("data:");
        let foreign = |request: &String| !request.split_once(' ').is_some_and(|(_, url)| own(url));
        assert_eq!(page.requests().into_iter().filter(foreign).collect::<Vec<_>>(), Vec::<String>::new());
    }

    /// Sends a request, as any program can, and returns the answer.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port())).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request += &format!("Host: {}\r\n", self.host());
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).expect("a request");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// Comes in with a code, without a browser, and returns the cookie: `lastkey-panel=…`.
    ///
    /// # Panics
    /// When the code is wrong.
    #[track_caller]
    pub fn cookie(&self, code: &str) -> String {
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let answer = self.ask("POST", "/start", &form, &format!("code={code}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        let cookie = answer.head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("set-cookie").then(|| value.split(';').next().unwrap_or_default())
        });
        cookie.expect("a cookie").to_owned()
    }

    /// Asks it to end as the system does, and returns its exit code.
    ///
    /// # Panics
    /// When it does not end.
    pub fn end(&mut self) -> Option<i32> {
        let process = self.process.as_ref().expect("a panel that runs");
        let id = i32::try_from(process.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(id, Signal::TERM).expect("a signal");
        self.ended()
    }

    /// Waits until it has ended, and returns its exit code.
    ///
    /// # Panics
    /// When it does not end.
    pub fn ended(&mut self) -> Option<i32> {
        let mut process = self.process.take().expect("a panel that runs");
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = process.try_wait().expect("its state") {
                return status.code();
            }
            if Instant::now() >= until {
                let _ = process.kill();
                panic!("the panel does not end");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills it where it is.
    ///
    /// # Panics
    /// When it has ended.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("a panel that runs");
        process.kill().and_then(|()| process.wait()).expect("its end");
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
