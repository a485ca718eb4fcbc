//! Memory of this process and of the machine, as Linux tells it; elsewhere nothing is known.

use std::fs;

/// Largest resident memory since [`forget_peak`], in bytes.
pub(super) fn peak() -> Option<u64> {
    value(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// Resident memory now, in bytes.
pub(super) fn resident() -> Option<u64> {
    value(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// Memory that could be had without swapping, in bytes.
pub(super) fn available() -> Option<u64> {
    value(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

/// Lets [`peak`] begin anew, where the system allows it; otherwise it stays the largest of all time.
pub(super) fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// A line such as `VmHWM:     123 kB`.
fn value(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(number * 1024)
}
