//! What a wallet had made by the end of each day, as a line of blocks.

use domain::{Usd, WalletDay};
use serde_json::{Value, json};

use super::figures::{dollars, float};
use super::past::date;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// How many days, or stretches of equally many days, fit beside each other.
const WIDTH: usize = 80;
/// No chain is that old: beyond this a curve would be a mistake in a time.
const MOST_DAYS: i64 = 40_000;

/// The result by the end of each day from the first with anything in it to the last.
pub(super) struct Curve {
    first_day: i64,
    /// None is missing: days without a result repeat the one before.
    ends: Vec<Usd>,
}

impl Curve {
    /// `None` before the first day.
    pub(super) fn of(days: &[WalletDay]) -> Option<Self> {
        let (first, last) = (days.first()?, days.last()?);
        if !(0..MOST_DAYS).contains(&(last.day - first.day)) {
            return None;
        }
        let mut rest = days.iter().peekable();
        let mut made = Usd::ZERO;
        let ends = (first.day..=last.day)
            .map(|number| {
                while let Some(day) = rest.next_if(|day| day.day <= number) {
                    made += day.pnl;
                }
                made
            })
            .collect();
        Some(Self { first_day: first.day, ends })
    }

    fn low(&self) -> Usd {
        self.ends.iter().copied().min().unwrap_or_default()
    }

    fn high(&self) -> Usd {
        self.ends.iter().copied().max().unwrap_or_default()
    }

    fn first(&self) -> Usd {
        self.ends.first().copied().unwrap_or_default()
    }

    fn last(&self) -> Usd {
        self.ends.last().copied().unwrap_or_default()
    }

    fn last_day(&self) -> i64 {
        self.first_day.saturating_add(i64::try_from(self.ends.len()).unwrap_or(1) - 1)
    }

    /// A block a day, or one for each stretch of days that ends with it.
    fn spark(&self) -> String {
        let stretch = self.ends.len().div_ceil(WIDTH).max(1);
        let ends = self.ends.chunks(stretch).filter_map(|stretch| stretch.last());
        ends.map(|end| self.block(*end)).collect()
    }

    fn block(&self, end: Usd) -> char {
        let (low, high) = (i128::from(self.low().micros()), i128::from(self.high().micros()));
        let above = i128::from(end.micros()) - low;
        // A flat line stands in the middle.
        let step = (above * 8).checked_div(high - low).unwrap_or(3);
        BLOCKS[usize::try_from(step.clamp(0, 7)).unwrap_or(0)]
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let (first, last) = (date(self.first_day), date(self.last_day()));
        vec![
            format!("Result by day, {first} to {last}"),
            format!("  {}", self.spark()),
            format!(
                "  first {}, last {}, low {}, high {}",
                dollars(self.first()),
                dollars(self.last()),
                dollars(self.low()),
                dollars(self.high())
            ),
        ]
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "first_day": date(self.first_day),
            "last_day": date(self.last_day()),
            "first_usd": float(self.first()),
            "last_usd": float(self.last()),
            "low_usd": float(self.low()),
            "high_usd": float(self.high()),
            "sparkline": self.spark(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64, dollars: i32) -> WalletDay {
        WalletDay { day, pnl: Usd::whole(dollars), volume: Usd::ZERO, fills: 1 }
    }

    #[test]
    fn days_between_repeat_the_one_before() {
        let curve = Curve::of(&[day(10, -7), day(12, 7), day(13, 0), day(14, 7)]).unwrap();
        assert_eq!(curve.spark(), "▁▁▅▅█");
        assert_eq!((curve.low(), curve.high(), curve.last()), (Usd::whole(-7), Usd::whole(7), Usd::whole(7)));
        assert_eq!(curve.json()["first_day"], "1970-01-11");
        assert_eq!(curve.json()["last_day"], "1970-01-15");
    }

    #[test]
    fn a_long_life_fits_and_ends_where_it_ended() {
        let days: Vec<WalletDay> = (0..1_000).map(|number| day(number, 1)).collect();
        let spark = Curve::of(&days).unwrap().spark();
        assert!(spark.chars().count() <= WIDTH);
        assert!(spark.starts_with('▁') && spark.ends_with('█'));
    }

    #[test]
    fn nothing_made_is_a_flat_line_and_no_day_is_none() {
        assert_eq!(Curve::of(&[day(1, 0), day(3, 0)]).unwrap().spark(), "▄▄▄");
        assert!(Curve::of(&[]).is_none());
    }
}
