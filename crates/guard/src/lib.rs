//! Keeps the keys in this process's memory away from others. What both programs do first.

/// Turns off core dumps and debugging by other processes of the same user, as far as the system can.
///
/// What this does not cover: swap, hibernation, an administrator, another program with their rights.
#[cfg(target_os = "linux")]
pub fn protect_memory() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    // Best effort: a sandbox may forbid either, and the program is still right to go on.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Other systems keep no core dumps of a program by themselves, or not where others may read them.
#[cfg(not(target_os = "linux"))]
pub fn protect_memory() {}
