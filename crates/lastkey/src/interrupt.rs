//! Ctrl-C, and being told to end: at once where nothing can be half done, else as soon as it is undone.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::failure::{Failure, Kind};

static CRITICAL: AtomicUsize = AtomicUsize::new(0);
static ASKED: AtomicBool = AtomicBool::new(false);
static NEXT: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

/// While one lives, Ctrl-C does not end the program but is seen by [`check`].
pub struct Critical(());

impl Critical {
    /// Begins a part of the work that cleans up behind itself.
    pub fn begin() -> Self {
        CRITICAL.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Critical {
    fn drop(&mut self) {
        CRITICAL.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Returns whether Ctrl-C was pressed.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// Ends the work if Ctrl-C was pressed.
pub fn check() -> Result<(), Failure> {
    if asked() {
        Err(Failure::new(Kind::Interrupted, "interrupted: nothing was left half done"))
    } else {
        Ok(())
    }
}

/// Does something when Ctrl-C is pressed: for work that waits for something else than [`asked`]. Once in a process.
pub fn and_then(next: impl Fn() + Send + Sync + 'static) {
    let _ = NEXT.set(Box::new(next));
    if asked()
        && let Some(next) = NEXT.get()
    {
        next();
    }
}

/// Begins to listen for Ctrl-C, and on Unix for SIGTERM.
pub fn install() {
    // Without a handler either ends the program as ever, which is the next best.
    let _ = ctrlc::set_handler(end);
    listen_for_termination();
}

fn end() {
    ASKED.store(true, Ordering::SeqCst);
    if CRITICAL.load(Ordering::SeqCst) == 0 {
        crate::screen::close();
        show_typing();
        std::process::exit(Kind::Interrupted.code().into());
    }
    if let Some(next) = NEXT.get() {
        next();
    }
}

/// SIGHUP stays as it is: `nohup` may have turned it off.
#[cfg(unix)]
fn listen_for_termination() {
    use signal_hook::consts::SIGTERM;
    use signal_hook::iterator::Signals;
    if let Ok(mut signals) = Signals::new([SIGTERM]) {
        std::thread::spawn(move || signals.forever().for_each(|_| end()));
    }
}

#[cfg(not(unix))]
fn listen_for_termination() {}

/// A hidden prompt turns the echo off; whoever interrupts it wants to see again what they type.
#[cfg(unix)]
fn show_typing() {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let Ok(terminal) = std::fs::File::open("/dev/tty") else { return };
    if let Ok(mut settings) = tcgetattr(&terminal) {
        settings.local_modes |= LocalModes::ECHO;
        let _ = tcsetattr(&terminal, OptionalActions::Now, &settings);
    }
    eprintln!();
}

#[cfg(not(unix))]
fn show_typing() {}
