//! Mounts that a command keeps up, and that are gone whatever ends it.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod guardian;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
pub use self::elsewhere::{Shown, show};
#[cfg(target_os = "linux")]
pub use self::guardian::watch;
#[cfg(target_os = "linux")]
pub use self::linux::{Shown, show, take_away};

use crate::failure::{Failure, Kind};

/// How a drive is to be shown.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nothing is shown"))]
pub struct Wish {
    /// One file with all decrypted bytes instead of the files.
    pub raw: bool,
    /// Every user of this computer may read.
    pub everyone: bool,
}

/// Says what to do where there is no FUSE.
#[cfg(not(target_os = "linux"))]
pub fn not_here() -> Failure {
    Failure::new(Kind::Other, "drives are mounted on Linux only")
        .hint("`lastkey cp` copies files out of the drive, `lastkey nbd` lends it to another computer")
}

/// Says that a mount is not there.
#[cfg(target_os = "linux")]
pub fn no_such_mount(place: &std::ffi::OsStr) -> Failure {
    let failure = Failure::new(Kind::NotFound, "no drive is mounted there by lastkey");
    failure.about(&place.display().to_string())
}
