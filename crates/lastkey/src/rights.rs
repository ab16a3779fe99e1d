//! Whether this process may do everything.

/// Returns whether more rights cannot be had: root on Unix.
#[cfg(unix)]
pub fn are_all() -> bool {
    rustix::process::geteuid().is_root()
}

/// Returns whether more rights cannot be had; unknown here.
#[cfg(not(unix))]
pub fn are_all() -> bool {
    false
}
