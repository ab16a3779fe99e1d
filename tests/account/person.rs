//! A person at a browser, with a password, an app for one-time codes, and a computer to let in.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lastkey_tests::browser::{Page, What};
use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::program;
use lastkey_tests::said::Said;
use lastkey_tests::visitor::Visitor;
use tempfile::TempDir;

/// How long a one-time code is good, in seconds.
const STEP: u64 = 30;

/// Somebody with a browser. What only their eyes may see is remembered, to be looked for in logs afterwards.
pub struct Person {
    pub page: Page,
    pub name: &'static str,
    pub password: &'static str,
    /// What nobody else may see.
    pub secrets: Vec<String>,
    codes: Option<String>,
    used: u64,
}

impl Person {
    pub fn new(page: Page, name: &'static str, password: &'static str) -> Self {
        Self { page, name, password, secrets: vec![password.to_owned()], codes: None, used: 0 }
    }

    /// Makes an account with a password, on the page that is open. Ends on the first page.
    pub fn make_account(&mut self) {
        self.page.fill("Name", self.name);
        self.page.fill("Password", self.password);
        self.page.fill("The same password once more", self.password);
        self.page.click(What::Role("button", "Make the account with a password"));
        self.page.wait(What::Role("heading", "Print your account code"));
        let code = self.page.read(What::Css(".code"));
        self.secrets.push(code);
    }

    /// Goes to a place in the menu.
    pub fn go_to(&self, place: &str) {
        self.page.click(What::Css(&format!("nav a:text-is('{place}')")));
    }

    /// Sets up one-time codes. Ends on the account's page.
    pub fn set_up_one_time_codes(&mut self, review: impl Fn(&Page)) {
        self.go_to("Account");
        self.page.click(What::Role("button", "Set up one-time codes"));
        self.page.wait(What::Role("heading", "One-time codes"));
        review(&self.page);
        let secret: String = self.page.read(What::Css("p.code")).split_whitespace().collect();
        self.secrets.push(secret.clone());
        self.codes = Some(secret);
        let code = self.one_time();
        self.page.fill("The code that the app shows now", &code);
        self.page.fill("Password", self.password);
        self.page.click(What::Role("button", "Use one-time codes"));
        self.page.wait(What::Css("summary:text-is('Remove one-time codes')"));
    }

    /// Types the password, and a one-time code if there is an app.
    pub fn type_password(&mut self) {
        self.page.fill("Password", self.password);
        if self.codes.is_some() {
            let code = self.one_time();
            self.page.fill("One-time code", &code);
        }
    }

    /// What the app shows: each code is good once, so it is waited for the next.
    fn one_time(&mut self) -> String {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / STEP;
        while now() <= self.used {
            thread::sleep(Duration::from_millis(200));
        }
        self.used = now();
        let mut app = Command::new("oathtool")
            .args(["--totp", "--base32", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(app.stdin.take().unwrap(), "{}", self.codes.as_ref().unwrap()).unwrap();
        let code = app.wait_with_output().unwrap();
        String::from_utf8(code.stdout).unwrap().trim().to_owned()
    }

    /// Lets a computer in by the code that it shows. Ends on the page of devices.
    pub fn let_in(&mut self, code: &str, review: impl Fn(&Page)) {
        self.go_to("Devices");
        self.page.fill("Code", code);
        self.page.click(What::Role("button", "Look it up"));
        self.page.wait(What::Role("heading", "Is this your device?"));
        review(&self.page);
        self.type_password();
        self.page.click(What::Role("button", "Yes, let it in"));
        self.page.wait(What::Role("heading", "Devices"));
    }

    /// Returns the digits that are shown, in groups.
    pub fn digits(&self) -> String {
        let script =
            "[...document.querySelectorAll('.key .digits')].map((group) => group.textContent).join('-')";
        self.page.evaluate(script).as_str().unwrap().to_owned()
    }
}

/// A computer with `lastkey`, and what it remembers.
pub struct Computer(TempDir);

/// A device that waits to be let in.
pub struct Login {
    process: Child,
    /// What it shows.
    pub code: String,
}

impl Computer {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn command(&self) -> Command {
        let mut command = program::lastkey();
        command.env("LASTKEY_RECORD", self.0.path().join("record.db"));
        command
    }

    /// Keeps the keys of a drive that its password opens.
    pub fn back_up(&self, drive: &Path) -> Said {
        let password = self.file("password", "password12!@");
        let mut command = self.command();
        command.arg("backup").arg(drive).args(["--to", "account:home", "--password-file"]).arg(password);
        Said::of(command.stdin(Stdio::null()).output().unwrap())
    }

    /// Makes a file on it.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Signs in to a server on which somebody lets it in.
    pub fn sign_in(&self, server: &Lastkeyd, owner: &mut Visitor) {
        let login = self.log_in(server);
        owner.confirm(&login.code);
        login.wait();
    }

    /// Asks to be let in, and returns once it shows its code.
    pub fn log_in(&self, server: &Lastkeyd) -> Login {
        let mut process = self
            .command()
            .args(["account", "login", &server.url(""), "--name", "home", "--device", "Ada's laptop"])
            .args(["--fingerprint", &server.fingerprint()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut said = Vec::new();
        let code = lines.by_ref().inspect(|line| said.push(line.clone())).find_map(|line| {
            let code = line.trim();
            let is_code = code.len() == 9
                && code
                    .chars()
                    .enumerate()
                    .all(|(at, c)| if at == 4 { c == '-' } else { c.is_ascii_uppercase() });
            is_code.then(|| code.to_owned())
        });
        let code = code.unwrap_or_else(|| panic!("no code: {said:?}"));
        // It goes on talking.
        thread::spawn(move || lines.for_each(drop));
        Login { process, code }
    }
}

impl Login {
    /// Waits until it is in.
    pub fn wait(self) {
        let said = self.process.wait_with_output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    }
}

/// Asserts that the browser had nothing to complain about: no script failed, no policy was broken.
pub fn assert_quiet(person: &Person) {
    assert_eq!(person.page.complaints(), Vec::<String>::new());
}

/// Asserts that no page asked anybody else for anything, and that nothing secret was in an address.
pub fn assert_kept_to_itself(person: &Person, server: &Lastkeyd) {
    let own = server.url("/");
    for request in person.page.requests() {
        let address = request.split_once(' ').unwrap().1;
        assert!(address.starts_with(&own) || address.starts_with("data:"), "{request}");
        for secret in &person.secrets {
            assert!(!address.contains(secret.as_str()), "a secret is in an address");
        }
    }
}

/// Asserts that no secret stands in any file of the server in clear, nor in what it logged.
pub fn assert_nowhere(secrets: &[String], server: &Lastkeyd) {
    let log = server.log();
    for secret in secrets {
        assert!(!log.contains(secret.as_str()), "a secret is in the log");
    }
    for file in files(&server.data()) {
        let bytes = std::fs::read(&file).unwrap();
        for secret in secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "a secret is in {}", file.display());
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
