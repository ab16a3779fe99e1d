//! How long one core stretches a key: the time to open a drive.
//!
//! `cargo bench -p fve-crypto --bench stretching` prints the best of ten for each kernel, and for comparison
//! how long `openssl speed` would hash as many blocks in one piece, with and without SHA instructions.

use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use fve_crypto::stretch::{Kernel, ROUNDS, stretch_with};
use recovery_key::Secret;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("Nothing to test; `cargo bench` measures.");
    }
    for kernel in Kernel::ALL.into_iter().filter(|kernel| kernel.is_available()) {
        let initial = Secret::new([1; 32]);
        let best = (0..10).map(|_| {
            let started = clock();
            black_box(stretch_with(kernel, black_box(&initial), &[2; 16], ROUNDS));
            clock() - started
        });
        report(&format!("{kernel:?}"), best.min());
    }
    report("openssl speed, in bulk", openssl(None));
    report("the same without SHA instructions", openssl(Some(":~0x20000000")));
}

fn report(name: &str, time: Option<Duration>) {
    match time {
        Some(time) => println!("{name:<34} {:.3} s", time.as_secs_f64()),
        None => println!("{name:<34} -"),
    }
}

/// The time for as many blocks as the chain has, from the rate that `openssl speed` reports.
fn openssl(capabilities: Option<&str>) -> Option<Duration> {
    let mut command = Command::new("openssl");
    command.args(["speed", "-seconds", "3", "-bytes", "16384", "sha256"]);
    command.envs(capabilities.map(|mask| ("OPENSSL_ia32cap", mask)));
    let output = String::from_utf8(command.output().ok()?.stdout).ok()?;
    // The last line ends in thousands of bytes per second: "sha256    1519697.92k".
    let thousands: f64 = output.lines().last()?.split_whitespace().last()?.strip_suffix('k')?.parse().ok()?;
    Some(Duration::from_secs_f64(f64::from(ROUNDS) * 128.0 / (thousands * 1e3)))
}

/// The processor time of this thread where it can be had, else the time of day.
#[cfg(unix)]
fn clock() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(not(unix))]
fn clock() -> Duration {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}
