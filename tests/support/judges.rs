//! Programs that judge the account's server from outside, each in a language of its own.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::said::Said;

/// How many requests schemathesis makes of each operation, in each of its phases.
const EXAMPLES: &str = "60";
/// How long a mail may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the Python that has the judges; `None`, loudly, when there is none.
fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python =
        env::var_os("LASTKEY_JUDGES").map_or(root.join("../target/judges/bin/python3"), PathBuf::from);
    if !python.exists() {
        crate::skip("no schemathesis and no mail server: ./test program prepares them");
        return None;
    }
    Some(python)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("judges").join(name)
}

/// What schemathesis cannot know by itself. Keys are an ID and the private half, in Base64.
pub struct Known<'a> {
    /// A device that is let in.
    pub device: (&'a str, &'a str),
    /// A device that waits to be let in.
    pub stranger: (&'a str, &'a str),
    /// What the stranger waits for: the login's ID.
    pub login: &'a str,
    /// A record that the server takes.
    pub record: &'a Value,
    /// The ID of a record that it has.
    pub receipt: &'a str,
}

/// Operations such as `GET /api/v1/server`, and how they were answered.
pub type Answers = Vec<(String, u16)>;

/// Tries on a server what an OpenAPI document allows and what it forbids, always the same; it fails when an answer is
/// not what the document says, or is a failure of the server. `certificate` is what the server shows. Returns what it
/// said and how it was answered.
///
/// # Panics
/// When it cannot be started.
pub fn schemathesis(url: &str, certificate: &Path, document: &str, known: &Known) -> Option<(Said, Answers)> {
    let python = python()?;
    let folder = tempfile::tempdir().expect("a folder");
    let [openapi, knows, answers] =
        ["openapi.json", "known.json", "answers"].map(|name| folder.path().join(name));
    let key = |(id, key): (&str, &str)| json!({ "id": id, "key": key });
    let text = json!({
        "device": key(known.device), "stranger": key(known.stranger), "login": known.login,
        "record": known.record, "receipt": known.receipt,
    });
    std::fs::write(&openapi, document).expect("written");
    std::fs::write(&knows, text.to_string()).expect("written");
    let done = Command::new(python)
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(script("schemathesis.toml"))
        .args(["run", "--url", url, "--tls-verify"])
        .arg(certificate)
        .args(["--seed", "1", "--generation-database", "none", "--workers", "1"])
        .args(["--max-examples", EXAMPLES, "--continue-on-failure", "--no-color"])
        // A connection that was idle may end just when it is used again; clients then ask once more.
        .args(["--request-retries", "3"])
        .arg(openapi)
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", script(""))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("LASTKEY_KNOWN", knows)
        .env("LASTKEY_ANSWERS", &answers)
        .current_dir(folder.path())
        .output()
        .expect("schemathesis");
    let answers = std::fs::read_to_string(answers).unwrap_or_default();
    let answer = |line: &str| {
        let (operation, status) = line.rsplit_once(' ')?;
        Some((operation.to_owned(), status.parse().ok()?))
    };
    Some((Said::of(done), answers.lines().filter_map(answer).collect()))
}

/// A request as a device sent it.
pub struct Request<'a> {
    /// `POST`.
    pub method: &'a str,
    /// With scheme and host.
    pub url: &'a str,
    /// Its fields.
    pub headers: &'a [(&'a str, &'a str)],
    /// Its body, in Base64.
    pub body: &'a str,
}

/// Whether another library finds a request to be signed with a key (Base64), with all that we want signed: the
/// signature's parameters, or why not.
///
/// # Panics
/// When it cannot be asked.
pub fn signature(request: &Request, public_key: &str) -> Option<Result<Value, String>> {
    let headers: serde_json::Map<_, _> =
        request.headers.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    let asked = json!({
        "method": request.method, "url": request.url, "headers": headers, "body": request.body,
        "public_key": public_key,
    });
    let mut judge = Command::new(python()?)
        .arg(script("signature.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python");
    judge.stdin.take().expect("its input").write_all(asked.to_string().as_bytes()).expect("asked");
    let said = judge.wait_with_output().expect("an answer");
    let said: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    Some(said["refused"].as_str().map_or_else(|| Ok(said["parameters"].clone()), |why| Err(why.to_owned())))
}

/// A mail.
#[derive(Debug, Deserialize)]
pub struct Mail {
    /// Who sent it.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub text: String,
}

/// A mail server on this computer, which ends with the test.
pub struct MailServer {
    server: Child,
    input: Option<ChildStdin>,
    port: u16,
    mails: Receiver<Mail>,
}

impl MailServer {
    /// Starts one.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start() -> Option<Self> {
        let mut server = Command::new(python()?)
            .arg(script("mail.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python");
        let input = server.stdin.take();
        let mut lines =
            BufReader::new(server.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let first: Value = serde_json::from_str(&lines.next().expect("a line")).expect("JSON");
        let port = first["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
        let (send, mails) = channel();
        thread::spawn(move || {
            lines.try_for_each(|line| send.send(serde_json::from_str(&line).expect("a mail")))
        });
        Some(Self { server, input, port, mails })
    }

    /// Returns its address.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Waits for the next mail.
    ///
    /// # Panics
    /// When none comes.
    pub fn next(&self) -> Mail {
        self.mails.recv_timeout(PATIENCE).expect("a mail")
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.server.wait();
    }
}

/// An ACME server on this computer, which ends with the test.
pub struct AcmeServer {
    server: Child,
    input: Option<ChildStdin>,
    folder: TempDir,
    port: u16,
}

impl AcmeServer {
    /// Starts one. Where it goes to `name` to see who answers there, it goes to a port of this computer.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(name: &str, port: u16) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = Command::new(python()?)
            .arg(script("acme.py"))
            .arg(folder.path())
            .args([name, &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python");
        let input = server.stdin.take();
        let mut lines = BufReader::new(server.stdout.take().expect("its output")).lines();
        let first: Value = serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON");
        let port = first["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
        Some(Self { server, input, folder, port })
    }

    /// Returns the address of its directory.
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/directory", self.port)
    }

    /// Returns the file with the certificate that it signs others with.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

impl Drop for AcmeServer {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.server.wait();
    }
}
