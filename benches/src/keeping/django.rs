//! The server that lastkeyd is compared with (`benches/peer/escrow.py`), under gunicorn.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use lastkey_tests::postgres::Postgres;

use crate::load::{Server, trusting};
use crate::processes::{children, memory};
use crate::{free_port, key_id, spread};

/// A server that runs.
pub struct Django {
    process: Child,
    server: Server,
    session: String,
    key_ids: Vec<String>,
    started: f64,
    _certificate: tempfile::TempDir,
}

/// Returns the Python that has what the peer needs; made once, with packages from PyPI.
pub fn python() -> Result<PathBuf, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (folder, list) = (root.join("../target/bench-peer"), root.join("peer/requirements.txt"));
    let python = folder.join("bin/python3");
    let installed = folder.join("installed.txt");
    if fs::read(&installed).ok() != Some(fs::read(&list)?) {
        let run = |program: &Path, arguments: &[&Path]| -> Result<(), Box<dyn Error>> {
            let done = Command::new(program).args(arguments).status()?;
            if done.success() { Ok(()) } else { Err(format!("{}: {done}", program.display()).into()) }
        };
        run("/usr/bin/python3".as_ref(), &["-m".as_ref(), "venv".as_ref(), &folder])?;
        run(&python, &["-m".as_ref(), "pip".as_ref(), "install".as_ref(), "-qr".as_ref(), &list])?;
        fs::copy(&list, installed)?;
    }
    Ok(python)
}

impl Django {
    /// Fills a database with so many records and serves it, with two workers for two processors. They `keep` their
    /// connections to the database, or open one for each request.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(
        python: &Path,
        postgres: &Postgres,
        records: usize,
        keep: bool,
    ) -> Result<Self, Box<dyn Error>> {
        let url = postgres.database();
        let (base, host) = url.split_once("?host=").ok_or("a URL without a socket")?;
        let name = base.rsplit('/').next().unwrap_or_default();
        let (port, secret, folder) = (free_port()?, key_id()?, tempfile::tempdir()?);
        let command = || {
            let mut command = Command::new(python);
            command
                .env("DATABASE", name)
                .env("HOST", host)
                .env("SECRET", &secret)
                .env("KEEP", if keep { "1" } else { "" })
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("peer"));
            command
        };
        let fill = format!("import escrow; escrow.fill({records}, {:?})", folder.path());
        let filled = command().args(["-c", &fill]).stderr(Stdio::inherit()).output()?;
        if !filled.status.success() {
            return Err("the peer's database cannot be filled".into());
        }
        let session = String::from_utf8(filled.stdout)?;
        let some = format!("SELECT key_id FROM escrow_secret WHERE id % {} = 0", spread(records));
        let key_ids = postgres.query(&url, &some).lines().map(str::to_owned).collect();
        let file = |name| folder.path().join(name);
        let since = Instant::now();
        let process = command()
            .args(["-m", "gunicorn", "--workers", "2", "--worker-class", "gthread", "--threads", "8"])
            .args(["--keep-alive", "60", "--log-level", "error", "--no-control-socket", "--bind"])
            .arg(format!("127.0.0.1:{port}"))
            .arg("--certfile")
            .arg(file("certificate.pem"))
            .arg("--keyfile")
            .arg(file("key.pem"))
            .arg("escrow:application")
            .stdin(Stdio::null())
            .spawn()?;
        let tls = trusting(&file("certificate.pem"))?;
        let server = Server { address: ([127, 0, 0, 1], port).into(), tls };
        let mut django = Self { process, server, session, key_ids, started: 0.0, _certificate: folder };
        let answered = django.server.wait(&django.search("FFFFFFFF"), 200, since)?;
        django.started = answered.as_secs_f64();
        Ok(django)
    }

    /// Returns where it is.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Returns after how many seconds it answered.
    pub fn started(&self) -> f64 {
        self.started
    }

    /// Returns its processes.
    pub fn processes(&self) -> Vec<u32> {
        let id = self.process.id();
        children(id).into_iter().chain([id]).collect()
    }

    /// Returns the memory that its processes have, in MiB.
    pub fn memory(&self) -> f64 {
        self.processes().into_iter().map(memory).sum()
    }

    /// Returns a request that brings a key.
    pub fn check_in(number: usize, key_id: &str) -> Vec<u8> {
        let computer = 1 + number % 1000;
        let body = format!(
            "serial=S{computer}&username=somebody&macname=PC&key_id={key_id}&recovery_password=\
             {:06}-596541-514998-422114-660297-261613-215424-199408",
            number % 1_000_000
        );
        format!(
            "POST /checkin/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token \
             0123456789abcdef0123456789abcdef{computer}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// Returns requests that each look for a key that is there.
    pub fn searches(&self, count: usize) -> Vec<Vec<u8>> {
        self.key_ids.iter().cycle().take(count).map(|id| self.search(&id[..8])).collect()
    }

    fn search(&self, start: &str) -> Vec<u8> {
        let session = &self.session;
        format!("GET /search/?q={start} HTTP/1.1\r\nHost: localhost\r\nCookie: sessionid={session}\r\n\r\n")
            .into_bytes()
    }
}

impl Drop for Django {
    fn drop(&mut self) {
        let id = i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw);
        // So that it ends its workers.
        let _ = id.map(|id| rustix::process::kill_process(id, rustix::process::Signal::TERM));
        let _ = self.process.wait();
    }
}
