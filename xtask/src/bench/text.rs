//! How figures read, in the terminal and on the page alike.

use super::stats::Spread;

/// `9.9 ns`, `27.0 µs`, `5.4 µs CPU`, `0.250 allocations`, `144 bytes`.
pub fn figure(value: f64, unit: &str) -> String {
    match unit {
        "ns" => time(value),
        "cpu-ns" => format!("{} CPU", time(value)),
        "bytes" => format!("{value:.0} bytes"),
        unit => format!("{} {unit}", three_digits(value)),
    }
}

fn time(nanos: f64) -> String {
    match nanos {
        ..1e3 => format!("{} ns", short(nanos)),
        ..1e6 => format!("{} µs", short(nanos / 1e3)),
        _ => format!("{} ms", short(nanos / 1e6)),
    }
}

/// `×2.11`, to three digits, as wide as it need be.
pub fn ratio(value: f64) -> String {
    format!("×{}", three_digits(value))
}

/// `2.05–2.31`: where four fifths of the rounds lie.
pub fn range(spread: Spread) -> String {
    format!("{}–{}", three_digits(spread.p10), three_digits(spread.p90))
}

fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

pub fn three_digits(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        ..0.1 => format!("{value:.4}"),
        ..1.0 => format!("{value:.3}"),
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
