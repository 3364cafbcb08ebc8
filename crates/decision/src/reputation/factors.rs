//! The strategy's five factors and the verdict they add up to.

use domain::{FactorScores, Figures, Skill, Tier, Timestamp, Usd, WalletScore};

use super::record::Record;
use super::tally::{Tally, WINDOW_DAYS};
use crate::policy::Eligibility;
use crate::skill::probability_of_skill;

/// The verdict that a record's tally adds up to, if `before` is the tier that the days before have left behind.
pub(super) fn verdict(
    record: &Record,
    tally: &Tally<'_>,
    before: Option<Tier>,
    skill: Skill,
    (as_of, eligibility): (Timestamp, Eligibility),
) -> WalletScore {
    let raw = Raw::of(tally);
    WalletScore {
        wallet: record.wallet,
        as_of,
        score: tally.score(),
        tier: tally.tier(before, eligibility).unwrap_or(Tier::Unrated),
        factors: raw.factors(),
        skill,
        skill_probability: probability_of_skill(skill),
        win_rate: raw.win_rate,
        break_even_win_rate: mean_ppm(tally.paid, tally.decisions),
        profit_factor: ratio(tally.gains.to_f64(), tally.losses.to_f64()),
        roi: raw.roi,
        profitable_weeks: raw.profitable_weeks,
        mean_drift: raw.mean_drift,
        volume_30d: raw.volume,
        volume: record.volume,
        pnl: record.pnl,
        trades: record.trades,
        decisions: tally.decisions,
        wins: tally.wins,
        events: u32::try_from(tally.events.len()).unwrap_or(u32::MAX),
        active_days: tally.active_days,
        first_trade: record.first_trade,
        last_trade: record.last_trade,
    }
}

/// The other figures of a tally.
pub(super) fn figures(tally: &Tally<'_>, tier_before: Option<Tier>, as_of: Timestamp) -> Figures {
    // By days and not by the hour, so that only a new day changes what an idle wallet's row says.
    let since = as_of.day() - WINDOW_DAYS;
    let (mut decisions, mut wins, mut paid) = (0u32, 0u32, 0i64);
    for closed in tally.counted().filter(|closed| since < closed.at.day()) {
        decisions += 1;
        wins += u32::from(closed.won());
        paid = paid.saturating_add(closed.paid_ppm());
    }
    Figures {
        win_rate_30d: ratio(f64::from(wins), f64::from(decisions)),
        break_even_win_rate_30d: mean_ppm(paid, decisions),
        decisions_30d: decisions,
        wins_30d: wins,
        unknown_cost: tally.unknown,
        unknown_cost_pnl: tally.unknown_pnl,
        tier_before,
    }
}

/// What the factors are made of.
pub(super) struct Raw {
    win_rate: Option<f64>,
    roi: Option<f64>,
    profitable_weeks: Option<f64>,
    volume: Usd,
    mean_drift: Option<f64>,
}

impl Raw {
    pub(super) fn of(tally: &Tally<'_>) -> Self {
        let (weeks, profitable) = tally.weeks();
        Self {
            win_rate: ratio(f64::from(tally.wins), f64::from(tally.decisions)),
            roi: ratio((tally.gains - tally.losses).to_f64(), tally.cost.to_f64()),
            profitable_weeks: ratio(f64::from(profitable), f64::from(weeks)),
            volume: tally.volume_30d,
            mean_drift: mean_ppm(tally.drift, tally.drifts),
        }
    }

    /// Column *as-spec* of `ORDER_FLOW_STRATEGY.md` §2. What is not known yet counts as neither good nor bad.
    pub(super) fn factors(&self) -> FactorScores {
        let or_neutral = |factor: Option<f64>| factor.map_or(5.0, |score| score.clamp(0.0, 10.0));
        FactorScores {
            win_rate: or_neutral(self.win_rate.map(|rate| 10.0 * (rate - 0.30) / 0.40)),
            profit_factor: or_neutral(self.roi.map(|roi| 5.0 + 20.0 * roi)),
            consistency: or_neutral(self.profitable_weeks.map(|part| 10.0 * (part - 0.2) / 0.6)),
            volume: volume_score(self.volume),
            timing: or_neutral(self.mean_drift.map(|drift| 5.0 + 5.0 * drift / 0.03)),
        }
    }
}

/// $100 in 30 days scores 0, $100,000 scores 10, each tenfold a third of the way.
fn volume_score(volume: Usd) -> f64 {
    if !volume.is_positive() {
        return 0.0;
    }
    (10.0 * libm::log10(volume.to_f64() / 100.0) / 3.0).clamp(0.0, 10.0)
}

pub(super) fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

fn mean_ppm(sum: i64, count: u32) -> Option<f64> {
    ratio(micros_to_f64(sum), f64::from(count))
}

pub(super) fn micros_to_f64(millionths: i64) -> f64 {
    Usd::from_micros(millionths).to_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(win_rate: f64, roi: f64, weeks: f64, volume: i32, drift: f64) -> FactorScores {
        Raw {
            win_rate: Some(win_rate),
            roi: Some(roi),
            profitable_weeks: Some(weeks),
            volume: Usd::whole(volume),
            mean_drift: Some(drift),
        }
        .factors()
    }

    /// The ends and a point between, of each factor, from the table.
    #[test]
    fn factors_are_the_tables() {
        let best = raw(0.70, 0.25, 0.80, 100_000, 0.03);
        assert!((best.total() - 10.0).abs() < 1e-9);
        let worst = raw(0.30, -0.25, 0.20, 100, -0.03);
        assert!(worst.total().abs() < 1e-9);
        let between = raw(0.50, 0.20, 0.50, 1_000, 0.0);
        assert!((between.win_rate - 5.0).abs() < 1e-9);
        assert!((between.profit_factor - 9.0).abs() < 1e-9);
        assert!((between.consistency - 5.0).abs() < 1e-9);
        assert!((between.volume - 10.0 / 3.0).abs() < 1e-9);
        assert!((between.timing - 5.0).abs() < 1e-9);
    }

    #[test]
    fn factors_stay_between_0_and_10() {
        let beyond = raw(1.0, 9.0, 1.0, 2_000_000_000, 0.9);
        assert!((beyond.total() - 10.0).abs() < 1e-9);
        assert!(raw(0.0, -1.0, 0.0, 0, -0.9).total().abs() < 1e-9);
    }
}
