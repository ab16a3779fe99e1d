//! A page of the terminal that leaves nothing behind.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::stderr;

/// The other page of the terminal, empty: what is on it never scrolls away into the history.
const OPEN: &str = "\x1b[?1049h\x1b[2J\x1b[H";
const EMPTY: &str = "\x1b[2J\x1b[H";
/// Emptied before the first page is shown again, for terminals that have only one.
const CLOSE: &str = "\x1b[2J\x1b[H\x1b[?1049l";

static IS_OPEN: AtomicBool = AtomicBool::new(false);

/// The page, as long as this lives.
pub struct Screen(());

impl Screen {
    /// Turns to it.
    pub fn open() -> Self {
        // Windows' console learns to understand what follows.
        let _ = stderr().flush();
        IS_OPEN.store(true, Ordering::SeqCst);
        write(OPEN);
        Self(())
    }

    /// Shows these lines and nothing else.
    pub fn show(&self, text: &str) {
        write(EMPTY);
        write(text);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        close();
    }
}

/// Turns back, if it is open: also when the program is about to end.
pub fn close() {
    if IS_OPEN.swap(false, Ordering::SeqCst) {
        write(CLOSE);
    }
}

/// Nobody is left to be shown anything when standard error is gone.
fn write(text: &str) {
    let mut to = std::io::stderr().lock();
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}
