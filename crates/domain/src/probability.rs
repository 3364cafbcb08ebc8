//! A belief between 0 and 1.

use std::fmt;

/// A finite number in `[0, 1]`.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub struct Probability(f64);

impl Probability {
    /// `None` for NaN and for anything outside `[0, 1]`.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// The nearest probability; NaN becomes 0, the belief that moves no money.
    #[must_use]
    pub fn clamped(value: f64) -> Self {
        if value.is_nan() { Self(0.0) } else { Self(value.clamp(0.0, 1.0)) }
    }

    /// As a float.
    #[must_use]
    pub const fn to_f64(self) -> f64 {
        self.0
    }
}

impl fmt::Debug for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Probability({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Probability;

    #[test]
    fn only_the_unit_interval_is_a_probability() {
        assert!(Probability::new(0.0).is_some() && Probability::new(1.0).is_some());
        assert!(Probability::new(f64::NAN).is_none() && Probability::new(1.0001).is_none());
        assert_eq!(Probability::clamped(f64::NAN).to_f64(), 0.0);
        assert_eq!(Probability::clamped(7.0).to_f64(), 1.0);
    }
}
