//! Who is verified: the wallets whose records are too good for chance even though many were looked at.

use crate::skill::normal_cdf;

/// The part of the verified that may be there by luck.
pub const RATE: f64 = 0.10;

/// The outcome of looking at many wallets at once (Benjamini and Hochberg 1995).
///
/// It says yes to few, which is why it is a badge beside κ̂ and not the score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Discovery {
    least: Option<f64>,
    verified: usize,
}

impl Discovery {
    /// Looks at the one-sided z of all eligible wallets, in any order; `rate` is the false-discovery rate.
    #[must_use]
    pub fn among(z: impl IntoIterator<Item = f64>, rate: f64) -> Self {
        let mut all: Vec<f64> = z.into_iter().filter(|z| !z.is_nan()).collect();
        all.sort_by(|one, other| other.total_cmp(one));
        let each = rate / count(all.len().max(1));
        let passes = |(place, z): &(usize, &f64)| normal_cdf(-**z).to_f64() <= each * count(place + 1);
        let last = all.iter().enumerate().rfind(passes);
        let least = last.map(|(_, z)| *z);
        let verified = least.map_or(0, |least| all.partition_point(|z| least <= *z));
        Self { least, verified }
    }

    /// Whether a wallet with this z is verified.
    #[must_use]
    pub fn is_verified(&self, z: f64) -> bool {
        self.least.is_some_and(|least| least <= z)
    }

    /// The least z that is verified, and how many are: all there is to save of it.
    pub(crate) const fn parts(&self) -> (Option<f64>, usize) {
        (self.least, self.verified)
    }

    /// Back from [`Self::parts`].
    pub(crate) const fn of_parts(least: Option<f64>, verified: usize) -> Self {
        Self { least, verified }
    }

    /// How many are.
    #[must_use]
    pub const fn verified(&self) -> usize {
        self.verified
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of wallets")]
fn count(items: usize) -> f64 {
    items as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// p of 0.01, 0.02, 0.03, 0.5: with q = 0.10 the limits are 0.025, 0.05, 0.075, 0.1; three pass.
    #[test]
    fn the_procedure_is_the_published_one() {
        let z = [0.0, 2.326_348, 1.880_794, 2.053_749];
        let discovery = Discovery::among(z, RATE);
        assert_eq!(discovery.verified(), 3);
        assert!(discovery.is_verified(1.880_794) && !discovery.is_verified(1.88));
    }

    /// A p above its own limit passes where a later one is below its: 0.04, 0.04, 0.04 against 0.033, 0.067, 0.1.
    #[test]
    fn the_last_that_passes_takes_all_before_it_along() {
        assert_eq!(Discovery::among([1.750_686; 3], RATE).verified(), 3);
    }

    #[test]
    fn nobody_stands_out_of_noise() {
        let noise = (0..1_000).map(|number| f64::from(number) / 500.0 - 1.0);
        let discovery = Discovery::among(noise, RATE);
        assert_eq!(discovery.verified(), 0);
        assert!(!discovery.is_verified(9.0));
        assert_eq!(Discovery::among([], RATE).verified(), 0);
        assert_eq!(Discovery::among([f64::NAN], RATE).verified(), 0);
    }
}
