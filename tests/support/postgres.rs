//! A PostgreSQL of a test's own, that can be killed in the middle of its work and started again.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

/// Who the server runs as when the tests are root's: PostgreSQL refuses root. Debian's `nobody`.
const NOBODY: u32 = 65534;

/// How long a server may take to start, or to recover after it was killed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster in a folder of its own, reached through a socket there, which ends with the test.
///
/// It writes as a real one does (`fsync` is on): what it says is committed is on the disk.
pub struct Postgres {
    programs: &'static Path,
    folder: TempDir,
    server: Option<Child>,
    made: AtomicUsize,
    settings: Vec<String>,
}

/// Starts a cluster; `None`, loudly, when there is no PostgreSQL.
///
/// # Panics
/// When it does not start.
pub fn postgres() -> Option<Postgres> {
    postgres_with(&[])
}

/// The same with settings of one's own: `shared_buffers=128MB`.
///
/// # Panics
/// When it does not start.
pub fn postgres_with(settings: &[&str]) -> Option<Postgres> {
    let Some(programs) = programs() else {
        crate::skip("no PostgreSQL: apt-get install postgresql");
        return None;
    };
    let folder = tempfile::Builder::new().prefix("pg-").tempdir().expect("a folder");
    if geteuid().is_root() {
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("the folder's owner");
    }
    let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
    let mut postgres = Postgres { programs, folder, server: None, made: AtomicUsize::new(0), settings };
    // Sorted as people sort, so that a query which needs bytes in order has to say so.
    let made = postgres
        .program("initdb")
        .args(["--username=lastkey", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
        .args(["--locale-provider=icu", "--icu-locale=und", "--pgdata"])
        .arg(postgres.data())
        .output()
        .expect("initdb");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    postgres.start();
    Some(postgres)
}

impl Postgres {
    /// Makes an empty database and returns its URL.
    ///
    /// # Panics
    /// When the server is not running.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.made.fetch_add(1, Ordering::SeqCst));
        self.run("postgres", &format!("CREATE DATABASE {name}"));
        format!("postgres://lastkey@localhost/{name}?host={}", self.folder.path().display())
    }

    /// Runs SQL on a database that [`Postgres::database`] made, and returns the rows: one a line, `|` between columns.
    ///
    /// # Panics
    /// When the database refuses it.
    pub fn query(&self, url: &str, sql: &str) -> String {
        let name = url.split('?').next().and_then(|url| url.rsplit('/').next()).expect("a database");
        self.run(name, sql)
    }

    /// Returns the folder with the cluster's files: what somebody has who steals the disk.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns the process that all others of the server come from.
    ///
    /// # Panics
    /// When it is not running.
    pub fn id(&self) -> u32 {
        self.server.as_ref().expect("a server that runs").id()
    }

    /// Kills all of the server's processes where they are: none writes another byte.
    ///
    /// # Panics
    /// When it is not running.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("a server that runs");
        let id = server.id();
        let children = children(id);
        signal(id, Signal::KILL);
        children.iter().for_each(|&child| signal(child, Signal::KILL));
        server.wait().expect("its end");
        // They are not ours to wait for.
        let until = Instant::now() + PATIENCE;
        while children.iter().any(|child| Path::new(&format!("/proc/{child}/fd/0")).exists()) {
            assert!(Instant::now() < until, "PostgreSQL does not die");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Kills one of the processes that serve clients: which, the number says. The server ends the others, and recovers
    /// by itself.
    ///
    /// # Panics
    /// When it is not running.
    pub fn kill_one(&self, number: usize) {
        let mut serving = children(self.server.as_ref().expect("a server that runs").id());
        // They call themselves `postgres: USER DATABASE [local] idle`.
        serving.retain(|child| {
            fs::read_to_string(format!("/proc/{child}/cmdline")).is_ok_and(|title| title.contains("[local]"))
        });
        if let Some(&child) = serving.get(number.checked_rem(serving.len()).unwrap_or(0)) {
            signal(child, Signal::KILL);
        }
    }

    /// Starts it again, and waits until it has recovered.
    ///
    /// # Panics
    /// When it runs, or does not start.
    pub fn start(&mut self) {
        assert!(self.server.is_none(), "it runs");
        let until = Instant::now() + PATIENCE;
        loop {
            let mut server = self.spawn();
            while server.try_wait().expect("its state").is_none() {
                if self.is_ready() {
                    self.server = Some(server);
                    return;
                }
                assert!(Instant::now() < until, "PostgreSQL does not answer: {}", self.log());
                thread::sleep(Duration::from_millis(10));
            }
            // A process that was born while the others were killed may hold the shared memory for a moment.
            assert!(Instant::now() < until, "PostgreSQL does not start: {}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log");
        self.program("postgres")
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.folder.path())
            .args(["-c", "listen_addresses=", "-c", "unix_socket_permissions=0700"])
            .args(["-c", "shared_buffers=16MB", "-c", "max_connections=40", "-c", "fsync=on"])
            .args(self.settings.iter().flat_map(|setting| ["-c", setting]))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres")
    }

    fn is_ready(&self) -> bool {
        self.program("pg_isready")
            .args(["--quiet", "--username=lastkey", "--dbname=postgres", "--host"])
            .arg(self.folder.path())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn run(&self, database: &str, sql: &str) -> String {
        let done = self
            .program("psql")
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
            .args(["--username=lastkey", "--dbname", database, "--command", sql, "--host"])
            .arg(self.folder.path())
            .output()
            .expect("psql");
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text").trim_end().to_owned()
    }

    /// Returns one of PostgreSQL's programs, as the user that it runs as.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.folder.path());
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        // At once, but so that it gives its shared memory back.
        signal(server.id(), Signal::QUIT);
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            if !matches!(server.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = server.kill();
        let _ = server.wait();
    }
}

/// Returns the folder with PostgreSQL's programs: the newest that Debian has, else what is in `PATH`.
fn programs() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
        let debian =
            fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
        let newest = debian.filter(|path| path.join("bin/initdb").exists()).max_by_key(version);
        newest.map(|folder| folder.join("bin")).or_else(|| {
            let path = std::env::var_os("PATH")?;
            std::env::split_paths(&path).find(|folder| folder.join("initdb").exists())
        })
    });
    folder.as_deref()
}

/// Returns the processes that a process has started.
fn children(id: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// Sends a signal to a process, which may have ended.
fn signal(id: u32, signal: Signal) {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process");
    let _ = kill_process(id, signal);
}
