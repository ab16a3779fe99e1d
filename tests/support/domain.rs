//! The Active Directory domain that `./test` starts, and a way to cut it off.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use directory::{Credentials, Directory, DirectoryAddress};
use recovery_key::Secret;

use crate::skip;

/// Where the server listens.
const SERVER: &str = "127.77.3.6";

/// A running domain controller, with the accounts that `tests/setup/directory.py` made.
pub struct Domain {
    folder: PathBuf,
    accounts: String,
}

/// Returns the domain; `None`, loudly, when there is none.
///
/// # Panics
/// When it is not as it was made.
pub fn domain() -> Option<Domain> {
    let Some(folder) = env::var_os("LASTKEY_DIRECTORY").map(PathBuf::from) else {
        skip("no Active Directory server: ./test program starts one");
        return None;
    };
    let accounts = fs::read_to_string(folder.join("accounts")).expect("the accounts");
    Some(Domain { folder, accounts })
}

impl Domain {
    /// Returns the server's address.
    pub fn server(&self) -> &'static str {
        SERVER
    }

    /// Returns the address of a computer.
    pub fn address(&self, computer: &str) -> String {
        format!("ldaps://{SERVER}/{computer}")
    }

    /// Returns a file beside the server.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Returns the certificate of the authority to trust.
    pub fn ca(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// Returns what somebody signs in with; somebody who is not there, and the administrator with a wrong
    /// password, have something too.
    ///
    /// # Panics
    /// When the accounts are not as they were made.
    pub fn credentials(&self, name: &str) -> Credentials {
        let line = self.accounts.lines().find(|line| line.split(' ').next() == Some(name));
        let (user, password) = match (line.map(|line| line.split(' ').collect::<Vec<_>>()).as_deref(), name) {
            (Some(&[_, user, password]), _) => (user.to_owned(), password),
            (None, "wrong-password") => (self.credentials("administrator").user, "wrong"),
            (None, "nobody") => ("nobody@lastkey.test".to_owned(), "wrong"),
            other => panic!("{other:?}"),
        };
        Credentials { user, password: Secret::new(password.to_owned()) }
    }

    /// Signs in.
    ///
    /// # Panics
    /// When that fails.
    pub fn open(&self, name: &str) -> Directory {
        let address = DirectoryAddress::parse(&self.address("")).expect("an address");
        Directory::open(&address, &self.credentials(name), Some(&self.ca())).expect("a connection")
    }
}

/// Something between a client and the server that breaks once.
pub struct Proxy {
    host: &'static str,
    port: u16,
    passed: Arc<Passed>,
}

/// How many bytes have passed; as a limit, after how many it breaks.
#[derive(Debug)]
pub struct Passed {
    /// From clients to the server.
    pub requests: AtomicU64,
    /// From the server to clients.
    pub answers: AtomicU64,
}

impl Passed {
    /// Makes a limit.
    pub fn new(requests: u64, answers: u64) -> Self {
        Self { requests: AtomicU64::new(requests), answers: AtomicU64::new(answers) }
    }

    /// So much that nothing ever breaks.
    pub fn everything() -> Self {
        Self::new(u64::MAX, u64::MAX)
    }
}

impl Proxy {
    /// Starts one. Once broken, it takes new connections if it `returns`, and then passes everything on.
    ///
    /// # Panics
    /// When the system gives it no port.
    pub fn start(host: &'static str, limit: Passed, returns: bool) -> Self {
        let listener = TcpListener::bind((host, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let passed = Arc::new(Passed::new(0, 0));
        let count = Arc::clone(&passed);
        thread::spawn(move || {
            let mut limit = Arc::new(limit);
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect((SERVER, 636)).expect("the server");
                let back = (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
                let (count_back, limit_back) = (Arc::clone(&count), Arc::clone(&limit));
                let answers = thread::spawn(move || {
                    copy(back.0, back.1, &count_back.answers, limit_back.answers.load(Ordering::SeqCst))
                });
                let requests_broke =
                    copy(client, server, &count.requests, limit.requests.load(Ordering::SeqCst));
                let answers_broke = answers.join().expect("a thread");
                match requests_broke || answers_broke {
                    true if returns => limit = Arc::new(Passed::everything()),
                    true => return,
                    false => {}
                }
            }
        });
        Self { host, port, passed }
    }

    /// Returns the address of a computer.
    pub fn address(&self, computer: &str) -> String {
        let host = if self.host == "127.0.0.1" { "localhost" } else { self.host };
        format!("ldaps://{host}:{}/{computer}", self.port)
    }

    /// Returns how many bytes have passed so far: requests, answers.
    pub fn passed(&self) -> (u64, u64) {
        (self.passed.requests.load(Ordering::SeqCst), self.passed.answers.load(Ordering::SeqCst))
    }
}

/// Passes bytes on until one side ends or `limit` bytes have passed, and then ends both; says whether that
/// was because of the limit.
fn copy(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64, limit: u64) -> bool {
    let mut buffer = [0; 4096];
    let left = || limit.saturating_sub(count.load(Ordering::SeqCst));
    while left() > 0 {
        let most = left().min(buffer.len() as u64) as usize;
        match from.read(&mut buffer[..most]) {
            Ok(length @ 1..) if to.write_all(&buffer[..length]).is_ok() => {
                count.fetch_add(length as u64, Ordering::SeqCst);
            }
            _ => break,
        }
    }
    for side in [from, to] {
        let _ = side.shutdown(Shutdown::Both);
    }
    left() == 0
}
