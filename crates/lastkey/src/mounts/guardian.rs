//! A small process beside a mount: when the one that serves the mount dies, whatever of, it takes the mount away.
//!
//! A dead mount stays in the way for ever: nobody can read, remove or mount over its folder. `fusermount3` can
//! guard mounts too, but only those that every user may enter.

use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use mount::Busy;

/// What is said when there is nothing left to guard.
const DONE: &[u8] = b"done\n";

/// The guardian of a folder.
pub struct Guardian {
    process: Child,
    line: Option<ChildStdin>,
}

impl Guardian {
    /// Starts to guard.
    pub fn start(folder: &Path) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("guard-mount")
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Ctrl-C is for the process that serves.
        let mut process = command.process_group(0).current_dir("/").spawn()?;
        let line = process.stdin.take();
        Ok(Self { process, line })
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        if let Some(mut line) = self.line.take() {
            // A guardian that is gone has nothing to be told.
            let _ = line.write_all(DONE);
        }
        let _ = self.process.wait();
    }
}

/// Guards a folder, as the process that [`Guardian::start`] starts.
pub fn watch(folder: &Path) {
    let mut said = Vec::new();
    // The line ends when the other process says so or dies.
    let _ = io::stdin().lock().read_until(b'\n', &mut said);
    if said == DONE {
        return;
    }
    // The kernel may take a moment to notice the death; a living mount there is somebody else's.
    for _ in 0..100 {
        if mount::is_dead(folder) {
            let _ = mount::unmount(folder, Busy::Detach);
            return;
        }
        if !super::linux::is_listed(folder) {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
}
