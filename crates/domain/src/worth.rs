//! What a price is worth: the fair price of every price, by what a market is about and how far away its end is.

use std::collections::BTreeMap;

use crate::time::Timestamp;

/// What a market is about, as far as calibration tells markets apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Wars, borders, treaties.
    Geopolitics,
    /// Prices of coins.
    Crypto,
    /// Games.
    Sports,
    /// Elections and offices.
    Politics,
    /// Shares, rates, companies.
    Finance,
    /// Inflation, growth, employment.
    Economics,
    /// Products and models.
    Tech,
    /// Who says which word.
    Mentions,
    /// Films, music, people.
    Culture,
    /// Temperatures and storms.
    Weather,
    /// Everything else, and what is not described.
    Other,
}

/// How far away the end was when the price was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Horizon {
    /// Less than a day.
    Day,
    /// One to seven days.
    Week,
    /// More, or not known.
    Longer,
}

/// How far the fair price lies above the centre of each bin, dollars a share. It never falls from bin to bin by more
/// than the bins are apart, so that a higher price is worth no less.
pub type Curve = [f64; PriceMap::BINS];

/// The fair price of every price, as learned up to a moment. The default takes every price for fair.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PriceMap(BTreeMap<(Category, Horizon), Curve>);

impl Category {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Geopolitics,
        Self::Crypto,
        Self::Sports,
        Self::Politics,
        Self::Finance,
        Self::Economics,
        Self::Tech,
        Self::Mentions,
        Self::Culture,
        Self::Weather,
        Self::Other,
    ];

    /// The category a market's description names.
    #[must_use]
    pub fn of(name: Option<&str>) -> Self {
        name.and_then(Self::from_name).unwrap_or(Self::Other)
    }

    /// The category of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| name.eq_ignore_ascii_case(category.name()))
    }

    /// The name in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Geopolitics => "geopolitics",
            Self::Crypto => "crypto",
            Self::Sports => "sports",
            Self::Politics => "politics",
            Self::Finance => "finance",
            Self::Economics => "economics",
            Self::Tech => "tech",
            Self::Mentions => "mentions",
            Self::Culture => "culture",
            Self::Weather => "weather",
            Self::Other => "other",
        }
    }
}

impl Horizon {
    /// All of them, nearest first.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Longer];

    /// The horizon of a price paid at `entry` in a market that is expected to end at `end`.
    #[must_use]
    pub fn of(entry: Timestamp, end: Option<Timestamp>) -> Self {
        match end.map(|end| end.micros_since(entry)) {
            Some(left) if left < Timestamp::DAY => Self::Day,
            Some(left) if left <= 7 * Timestamp::DAY => Self::Week,
            _ => Self::Longer,
        }
    }

    /// The name in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Longer => "longer",
        }
    }

    /// The horizon of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|horizon| horizon.name() == name)
    }
}

impl PriceMap {
    /// Bins of equal width between 0 and 1.
    pub const BINS: usize = 20;

    /// A map of these curves; a price for which there is none is worth itself.
    #[must_use]
    pub fn new(curves: impl IntoIterator<Item = ((Category, Horizon), Curve)>) -> Self {
        Self(curves.into_iter().collect())
    }

    /// Its curves, in the order of what they are about.
    pub fn curves(&self) -> impl ExactSizeIterator<Item = ((Category, Horizon), &Curve)> {
        self.0.iter().map(|(about, curve)| (*about, curve))
    }

    /// g(c): what a price was worth. Rises with the price, lies within five cents of it, and is the price itself
    /// where nothing has been learned.
    #[must_use]
    pub fn fair(&self, price: f64, category: Category, horizon: Horizon) -> f64 {
        let Some(curve) = self.0.get(&(category, horizon)) else { return price };
        // Between bin centres on a straight line; 0 and 1 are worth themselves.
        let (mut left, mut right) = ((0.0, 0.0), (1.0, 0.0));
        for (number, shift) in (0u16..).zip(curve) {
            let point = (Self::centre(number), *shift);
            if price < point.0 {
                right = point;
                break;
            }
            left = point;
        }
        let way = ((price - left.0) / (right.0 - left.0)).clamp(0.0, 1.0);
        price + left.1 + way * (right.1 - left.1)
    }

    /// The middle of a bin.
    #[must_use]
    pub fn centre(bin: u16) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a handful of bins")]
        let bins = Self::BINS as f64;
        (f64::from(bin) + 0.5) / bins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for category in Category::ALL {
            assert_eq!(Category::from_name(category.name()), Some(category));
        }
        for horizon in Horizon::ALL {
            assert_eq!(Horizon::from_name(horizon.name()), Some(horizon));
        }
        assert_eq!(
            (Category::of(Some("SPORTS")), Category::of(Some("chess"))),
            (Category::Sports, Category::Other)
        );
    }

    #[test]
    fn a_curve_holds_for_what_it_is_about_alone() {
        let mut curve = [0.0; PriceMap::BINS];
        curve[14] = 0.02;
        let map = PriceMap::new([((Category::Sports, Horizon::Day), curve)]);
        let fair = |price, category, horizon| map.fair(price, category, horizon);
        assert!((fair(0.725, Category::Sports, Horizon::Day) - 0.745).abs() < 1e-12);
        assert!(
            (fair(0.70, Category::Sports, Horizon::Day) - 0.71).abs() < 1e-12,
            "half-way to the next bin"
        );
        assert!((fair(0.725, Category::Sports, Horizon::Week) - 0.725).abs() < 1e-12);
        assert!((fair(0.0, Category::Sports, Horizon::Day)).abs() < 1e-12);
        assert!((fair(1.0, Category::Sports, Horizon::Day) - 1.0).abs() < 1e-12);
    }
}
