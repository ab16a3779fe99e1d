//! A terminal with a person at it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use lastkey_tests::program;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::support::{Said, interrupt};

/// `lastkey`, started in a terminal of its own.
pub struct Terminal {
    master: File,
    slave: File,
    child: Child,
    shown: Arc<(Mutex<Shown>, Condvar)>,
    seen: usize,
}

#[derive(Default)]
struct Shown {
    text: String,
    ended: bool,
}

impl Terminal {
    /// Starts the program; `standard_output` may lead elsewhere.
    pub fn start(arguments: &[&dyn AsRef<OsStr>], standard_output: Option<Stdio>) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal");
        let name = ptsname(&master, Vec::new()).expect("its name").into_string().expect("text");
        let slave = fs::OpenOptions::new().read(true).write(true).open(name).expect("its other side");
        let side = || Stdio::from(OwnedFd::from(slave.try_clone().expect("a copy")));
        let child = Command::new("setsid")
            .args(["--ctty", "--wait"])
            .arg(program::lastkey().get_program())
            .args(arguments.iter().map(|argument| argument.as_ref()))
            .stdin(side())
            .stdout(standard_output.unwrap_or_else(side))
            .stderr(side())
            .spawn()
            .expect("setsid");
        let master = File::from(master);
        let shown = Arc::<(Mutex<Shown>, Condvar)>::default();
        let (mut from, to) = (master.try_clone().expect("a copy"), shown.clone());
        std::thread::spawn(move || {
            let mut buf = [0; 4096];
            loop {
                let length = from.read(&mut buf).unwrap_or(0);
                let mut shown = to.0.lock().expect("no panic");
                shown.text += &String::from_utf8_lossy(&buf[..length]);
                shown.ended = length == 0;
                to.1.notify_all();
                if length == 0 {
                    return;
                }
            }
        });
        Self { master, slave, child, shown, seen: 0 }
    }

    /// Waits until something new is shown.
    #[track_caller]
    pub fn sees(&mut self, text: &str) -> &mut Self {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut shown = self.shown.0.lock().expect("no panic");
        loop {
            if let Some(at) = shown.text[self.seen..].find(text) {
                self.seen += at + text.len();
                drop(shown);
                return self;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !shown.ended, "{text:?} is not shown: {}", shown.text);
            shown = self.shown.1.wait_timeout(shown, left).expect("no panic").0;
        }
    }

    /// Types something.
    pub fn types(&mut self, text: &str) -> &mut Self {
        self.master.write_all(text.as_bytes()).expect("a terminal");
        self
    }

    /// Types a key at a prompt that hides it, as soon as that hides it.
    #[track_caller]
    pub fn types_hidden(&mut self, text: &str) -> &mut Self {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.echoes() {
            assert!(Instant::now() < deadline, "what is typed would be shown");
            std::thread::sleep(Duration::from_millis(2));
        }
        self.types(text)
    }

    /// Sends the signal of Ctrl-C from elsewhere.
    pub fn interrupts_from_outside(&self) {
        // setsid has become the program.
        interrupt(&self.child);
    }

    /// Returns whether the terminal shows what is typed.
    pub fn echoes(&self) -> bool {
        tcgetattr(&self.slave).expect("a terminal").local_modes.contains(LocalModes::ECHO)
    }

    /// Waits for the end of the program, and returns all that was shown.
    #[track_caller]
    pub fn ends(mut self) -> Said {
        let deadline = Instant::now() + Duration::from_secs(60);
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                panic!("it does not end: {}", self.shown.0.lock().expect("no panic").text);
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(self.echoes(), "the terminal does not show any more what is typed");
        drop(self.slave);
        let mut shown = self.shown.0.lock().expect("no panic");
        while !shown.ended {
            shown = self.shown.1.wait(shown).expect("no panic");
        }
        Said { code: status.code().unwrap_or(-1), out: shown.text.clone(), err: String::new() }
    }
}
