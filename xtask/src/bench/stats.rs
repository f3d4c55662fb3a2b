//! Medians and spreads. Used by the benches as well, to show how a run is going.

/// The middle of several measurements, and the range of the middle four fifths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub p10: f64,
    pub p90: f64,
}

impl Spread {
    /// `None` of nothing, or if a value is not a number.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() || values.iter().any(|value| value.is_nan()) {
            return None;
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |p| quantile(&sorted, p);
        Some(Self { median: at(0.5), p10: at(0.1), p90: at(0.9) })
    }
}

/// Between two neighbours, in proportion (the definition that R, NumPy and spreadsheets default to).
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let place = p * (sorted.len() - 1) as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (sorted[high] - sorted[low]) * part
}
