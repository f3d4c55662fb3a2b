//! On how many cores the threads of this process can run at the same time.
//!
//! Asked by whoever is about to spin: on one core, the thread that it spins for waits for the
//! very core that it burns. The answer is not kept for good, because affinity changes while a
//! program runs, and asking allocates nothing, because waiting does not.
//!
//! Linked into every crate that has threads wait, as `primitives.rs` is.

use crate::primitives::Deadline;
use std::cell::Cell;
use std::num::NonZero;
use std::time::Duration;

/// Asking takes some ten microseconds, as long as a whole spin.
const FRESH_FOR: Duration = Duration::from_millis(100);

/// The number of cores, as far as this thread is concerned.
pub(crate) fn usable() -> usize {
    thread_local!(static KNOWN: Cell<Option<(Deadline, usize)>> = const { Cell::new(None) });
    let known = KNOWN.try_with(Cell::get).ok().flatten();
    if let Some((fresh_until, cores)) = known {
        if !fresh_until.has_passed() {
            return cores;
        }
    }
    let cores = ask();
    if let Some(fresh_until) = Deadline::after(FRESH_FOR) {
        let _ = KNOWN.try_with(|known| known.set(Some((fresh_until, cores))));
    }
    cores
}

#[cfg(not(target_os = "linux"))]
fn ask() -> usize {
    parallelism()
}

/// What the standard library says. On Linux it reads the files of control groups, allocates for
/// it, and counts a quota of CPU time as fewer cores, though under a quota threads do run at the
/// same time; and it cannot tell one pinned thread from a process that has only one core.
fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// A thread that is pinned to one core has a mask of one, though the thread that it waits for
/// may be pinned to another. Then the main thread's mask tells: a process that is held to one
/// core as a whole (`taskset`, a container's cpuset) shows it there.
#[cfg(target_os = "linux")]
fn ask() -> usize {
    let own = allowed("/proc/thread-self/status");
    if own.is_some_and(|cores| cores > 1) {
        return own.unwrap_or(1);
    }
    own.and_then(|_| allowed("/proc/self/status")).unwrap_or_else(parallelism)
}

/// The number of CPUs on which the thread of this status file may run.
#[cfg(target_os = "linux")]
fn allowed(status: &str) -> Option<usize> {
    use std::io::Read;
    // The file has some 1500 bytes, and more only by lines that come after ours or are short.
    let mut text = [0; 4096];
    let mut file = std::fs::File::open(status).ok()?;
    let mut length = 0;
    while length < text.len() {
        match file.read(&mut text[length..]) {
            Ok(0) | Err(_) => break,
            Ok(read) => length += read,
        }
    }
    allowed_in(&text[..length])
}

#[cfg(target_os = "linux")]
pub(crate) fn allowed_in(status: &[u8]) -> Option<usize> {
    let list = status
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"Cpus_allowed_list:"))?;
    Some(count_cpus(std::str::from_utf8(list).ok()?.trim()))
}

/// The number of CPUs in a kernel list such as `0-3,8,10-11`.
#[cfg(target_os = "linux")]
pub(crate) fn count_cpus(list: &str) -> usize {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        Some((last + 1).saturating_sub(first))
    };
    list.split(',').filter_map(range).sum()
}
