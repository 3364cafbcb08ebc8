//! The strategy's five factors and the verdict they add up to.

use domain::{FactorScores, Tier, Timestamp, Usd, Wallet, WalletScore};

use super::record::Record;
use crate::policy::Eligibility;
use crate::skill::probability_of_skill;

/// Reads a wallet's verdict off its record.
pub(super) fn verdict(
    wallet: Wallet,
    record: &Record,
    as_of: Timestamp,
    eligibility: Eligibility,
) -> WalletScore {
    let raw = Raw::of(record, as_of);
    let factors = raw.factors();
    let events = u32::try_from(record.events.len()).unwrap_or(u32::MAX);
    // Four decimals are what is stored: the tier must agree with the score that people see.
    let score = (factors.total() * 10_000.0).round() / 10_000.0;
    let is_rated = eligibility.decisions <= record.decisions
        && eligibility.events <= events
        && eligibility.active_days <= record.active_days;
    let skill = record.skill.estimate();
    WalletScore {
        wallet,
        as_of,
        score,
        tier: if is_rated { Tier::of(score) } else { Tier::Unrated },
        factors,
        skill,
        skill_probability: probability_of_skill(skill),
        win_rate: raw.win_rate,
        break_even_win_rate: ratio(record.paid, f64::from(record.decisions)),
        profit_factor: ratio(record.gains.to_f64(), record.losses.to_f64()),
        roi: raw.roi,
        profitable_weeks: raw.profitable_weeks,
        mean_drift: raw.mean_drift,
        volume_30d: raw.volume,
        volume: record.volume,
        pnl: record.pnl,
        trades: record.trades,
        decisions: record.decisions,
        wins: record.wins,
        events,
        active_days: record.active_days,
        first_trade: record.first_trade,
        last_trade: record.last_trade,
    }
}

/// What the factors are made of.
struct Raw {
    win_rate: Option<f64>,
    roi: Option<f64>,
    profitable_weeks: Option<f64>,
    volume: Usd,
    mean_drift: Option<f64>,
}

impl Raw {
    fn of(record: &Record, as_of: Timestamp) -> Self {
        let profitable = record.weeks.values().filter(|pnl| pnl.is_positive()).count();
        Self {
            win_rate: ratio(f64::from(record.wins), f64::from(record.decisions)),
            roi: ratio((record.gains - record.losses).to_f64(), record.cost.to_f64()),
            profitable_weeks: ratio(count(profitable), count(record.weeks.len())),
            volume: record.volume_until(as_of.day()),
            mean_drift: ratio(record.drift, f64::from(record.drifts)),
        }
    }

    /// Column *as-spec* of `ORDER_FLOW_STRATEGY.md` §2. What is not known yet counts as neither good nor bad.
    fn factors(&self) -> FactorScores {
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

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[expect(clippy::cast_precision_loss, reason = "a count of weeks")]
fn count(items: usize) -> f64 {
    items as f64
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
