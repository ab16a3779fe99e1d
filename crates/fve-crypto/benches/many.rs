//! How many recovery passwords one core stretches in a second.
//!
//! `cargo bench -p fve-crypto --bench many` prints the best of five for each kernel.

use std::hint::black_box;
use std::time::Duration;

use fve_crypto::stretch::ROUNDS;
use fve_crypto::stretch::many::{Kernel, stretch_with};
use recovery_key::Secret;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("Nothing to test; `cargo bench` measures.");
    }
    for kernel in Kernel::ALL.into_iter().filter(|kernel| kernel.is_available()) {
        let lanes = kernel.lanes();
        let initial: Vec<_> = (0..lanes).map(|n| Secret::new([n as u8; 32])).collect();
        let best = (0..5).map(|_| {
            let started = clock();
            black_box(stretch_with(kernel, black_box(&initial), &[2; 16], ROUNDS));
            clock() - started
        });
        let seconds = best.min().unwrap_or_default().as_secs_f64();
        println!(
            "{:<10} {lanes:>2} lanes  {:>6.1} per second",
            format!("{kernel:?}"),
            lanes as f64 / seconds
        );
    }
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
