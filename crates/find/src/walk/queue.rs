//! What is still to be searched, and when nothing is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// With so much waiting, every worker has enough to do.
const FULL: usize = 256;

/// Something to do.
pub(super) enum Work {
    /// A folder, and the file system that is not to be left.
    Folder { path: PathBuf, device: Option<u64> },
    /// Files of one folder.
    Files { folder: Arc<Path>, names: Vec<OsString> },
}

/// Work for all workers; what came last is done first, so that folders do not pile up.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    stopped: AtomicBool,
}

#[derive(Default)]
struct State {
    work: Vec<Work>,
    workers: usize,
    waiting: usize,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), stopped: AtomicBool::new(false) }
    }

    /// Says how many workers will come: when all of them wait, the work is done.
    pub(super) fn expect(&self, workers: usize) {
        self.lock().workers = workers;
    }

    pub(super) fn push(&self, work: Work) {
        self.lock().work.push(work);
        self.changed.notify_one();
    }

    pub(super) fn is_full(&self) -> bool {
        self.lock().work.len() >= FULL
    }

    /// Waits for something to do; `None` when there will be nothing any more.
    pub(super) fn next(&self) -> Option<Work> {
        let mut state = self.lock();
        state.waiting += 1;
        loop {
            if self.is_stopped() {
                return None;
            }
            if let Some(work) = state.work.pop() {
                state.waiting -= 1;
                return Some(work);
            }
            if state.waiting == state.workers {
                self.changed.notify_all();
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Whoever is about to wait holds the lock, and has looked before.
        drop(self.lock());
        self.changed.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
