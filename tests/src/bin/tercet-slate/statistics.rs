//! Statistics of latencies.

use serde::Serialize;

/// Of milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Statistics {
    median: f64,
    mean: f64,
    p95: f64,
    p99: f64,
    min: f64,
    max: f64,
    std_dev: f64,
}

impl Statistics {
    /// Of at least one sample; ranks are nearest ranks, nothing is interpolated or left out.
    pub(crate) fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let count = sorted.len() as f64;
        let rank = |share: f64| {
            let place = (count * share).ceil() as usize;
            sorted.get(place.saturating_sub(1)).copied()
        };
        let mean = sorted.iter().sum::<f64>() / count;
        let variance = sorted.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        Some(Self {
            median: rank(0.5)?,
            mean,
            p95: rank(0.95)?,
            p99: rank(0.99)?,
            min,
            max,
            std_dev: variance.sqrt(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may fail, loudly")]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_nearest_ranks() {
        let samples: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let found = Statistics::of(&samples).unwrap();
        assert_eq!((found.median, found.p95, found.p99), (50.0, 95.0, 99.0));
        assert_eq!((found.min, found.max, found.mean), (1.0, 100.0, 50.5));
        assert!((found.std_dev - 28.866).abs() < 0.001, "{}", found.std_dev);
        assert!(Statistics::of(&[]).is_none());
    }
}
