//! Clocks and another gauge of the process, and ways to pass time without sleeping.

use std::fs;
use std::hint;
use std::time::{Duration, Instant};

/// User and system time of all threads of this process so far.
pub fn cpu_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::try_from(time).ok()
    }
    #[cfg(not(unix))]
    None
}

/// How many bytes of this process are in memory, where Linux tells. The kernel adds them up at the
/// moment of the question; what is in `statm` may lag behind.
pub fn resident() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes << 10)
}

/// Spins on the clock: for what must last a time, whatever the core does.
pub fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        hint::spin_loop();
    }
}

/// Steps of [`work`] in a short critical section: about 0.1 µs.
pub const SHORT: u64 = 100;

/// A chain of `steps` dependent multiplications, about a nanosecond each: for what must cost CPU
/// time and is not to last longer when the scheduler takes the core away.
pub fn work(steps: u64) -> u64 {
    (0..steps).fold(hint::black_box(1), |x: u64, _| {
        hint::black_box(x.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    })
}
