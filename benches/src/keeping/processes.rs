//! What processes take, as the system counts it.

use std::fs;

/// How often the system counts in a second (`getconf CLK_TCK`).
const TICKS: f64 = 100.0;

/// Returns the memory that a process has, in MiB.
pub fn memory(id: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}

/// Returns the processes that a process has started and that still run.
pub fn children(id: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// Returns the processor seconds that processes have had, and those of their children that have ended.
pub fn busy(ids: &[u32]) -> f64 {
    let of_one = |id: &u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // After the name, which may have spaces: utime, stime, cutime, cstime are the fields 14 to 17.
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields).split(' ');
        fields.skip(11).take(4).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
    };
    ids.iter().map(of_one).sum::<f64>() / TICKS
}
