//! The strategy's five factors with inputs that luck and favourites do not fool: the same weights, the
//! definitions of column *calibrated* (`ORDER_FLOW_STRATEGY.md` §2).

use domain::{FactorScores, Skill, Usd};

/// Pseudo-weeks of the prior of the share of profitable weeks, half of them profitable.
const PRIOR_WEEKS: f64 = 8.0;

/// What the calibrated score is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibrated {
    /// κ̂.
    pub skill: Skill,
    /// The effective number of decisions behind it.
    pub n_eff: f64,
    /// The shrunken return on cost.
    pub roi: f64,
    /// Weeks with closed decisions that made money.
    pub profitable_weeks: u32,
    /// Weeks with closed decisions.
    pub active_weeks: u32,
    /// The best event's part of all gains, 0 to 1; `None` without gains.
    pub top_event: Option<f64>,
    /// Opening cost of the last 30 days without round trips and hedges.
    pub net_volume_30d: Usd,
    /// The shrunken standardised move after an entry that a copier would have kept; 0 where it is not known.
    pub clv: f64,
}

impl Calibrated {
    /// The five factors, each 0 to 10; [`FactorScores::total`] is the score.
    #[must_use]
    pub fn factors(&self) -> FactorScores {
        FactorScores {
            win_rate: bounded(5.0 + 25.0 * self.skill.kappa),
            profit_factor: bounded(5.0 + 20.0 * self.roi),
            consistency: self.consistency(),
            volume: self.volume(),
            timing: bounded(5.0 + 5.0 * self.clv / 0.06),
        }
    }

    /// Half for steady weeks, half for not living on one event.
    fn consistency(&self) -> f64 {
        let weeks = f64::from(self.active_weeks) + PRIOR_WEEKS;
        let profitable = (f64::from(self.profitable_weeks) + PRIOR_WEEKS / 2.0) / weeks;
        let steady = ((profitable - 0.3) / 0.4).clamp(0.0, 1.0);
        let spread = self.top_event.map_or(0.5, |top| 1.0 - ((top - 0.15) / 0.45).clamp(0.0, 1.0));
        bounded(10.0 * (0.5 * steady + 0.5 * spread))
    }

    /// Volume counts as far as decisions stand behind it.
    fn volume(&self) -> f64 {
        if !self.net_volume_30d.is_positive() {
            return 0.0;
        }
        let size = (libm::log10(self.net_volume_30d.to_f64() / 100.0) / 3.0).clamp(0.0, 1.0);
        bounded(10.0 * (size * self.n_eff / (self.n_eff + 50.0)).sqrt())
    }
}

/// Within 0 and 10; what is not a number counts as neither good nor bad.
fn bounded(score: f64) -> f64 {
    if score.is_nan() { 5.0 } else { score.clamp(0.0, 10.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::Population;
    use domain::RawSkill;

    const NEUTRAL: Calibrated = Calibrated {
        skill: Skill { kappa: 0.0, standard_error: 0.1 },
        n_eff: 0.0,
        roi: 0.0,
        profitable_weeks: 0,
        active_weeks: 0,
        top_event: None,
        net_volume_30d: Usd::ZERO,
        clv: 0.0,
    };

    /// The first factor of a wallet that won that part of its decisions at that price.
    fn win_rate(decisions: f64, rate: f64, paid: f64) -> f64 {
        let deviation = f64::sqrt(paid * (1.0 - paid));
        let raw = RawSkill { kappa: (rate - paid) / deviation, z: 0.0, n_eff: decisions };
        Calibrated { skill: Population::default().shrink(raw), ..NEUTRAL }.factors().win_rate
    }

    /// The published examples: 70 % over 100, 10 and 30 bets at even money, 60 % over 500, and 70 % at 0.74.
    #[test]
    fn records_score_as_published() {
        let published = [
            (100.0, 0.70, 0.50, 9.6),
            (10.0, 0.70, 0.50, 5.2),
            (30.0, 0.70, 0.50, 6.7),
            (500.0, 0.60, 0.50, 9.0),
            (100.0, 0.70, 0.74, 3.5),
        ];
        for (decisions, rate, paid, score) in published {
            let found = win_rate(decisions, rate, paid);
            assert!((found - score).abs() < 0.05, "{rate} over {decisions} at {paid}: {found}");
        }
    }

    #[test]
    fn the_ends_are_the_tables() {
        let best = Calibrated {
            skill: Skill { kappa: 0.20, standard_error: 0.05 },
            n_eff: 1e12,
            roi: 0.25,
            profitable_weeks: 1_000,
            active_weeks: 1_000,
            top_event: Some(0.15),
            net_volume_30d: Usd::whole(100_000),
            clv: 0.06,
        };
        assert!((best.factors().total() - 10.0).abs() < 1e-6);
        let worst = Calibrated {
            skill: Skill { kappa: -0.20, standard_error: 0.05 },
            n_eff: 0.0,
            roi: -0.25,
            profitable_weeks: 0,
            active_weeks: 1_000,
            top_event: Some(0.60),
            net_volume_30d: Usd::whole(100_000),
            clv: -0.06,
        };
        assert!(worst.factors().total().abs() < 1e-9);
    }

    #[test]
    fn what_is_not_known_is_neither_good_nor_bad() {
        let factors = NEUTRAL.factors();
        let known = [factors.win_rate, factors.profit_factor, factors.consistency, factors.timing];
        assert!(known.into_iter().all(|factor| (factor - 5.0).abs() < 1e-9), "{factors:?}");
        let nonsense = Calibrated { roi: f64::NAN, clv: f64::NAN, ..NEUTRAL };
        assert!((nonsense.factors().total() - NEUTRAL.factors().total()).abs() < 1e-9);
    }

    #[test]
    fn volume_needs_decisions_behind_it() {
        let volume =
            |n_eff| Calibrated { n_eff, net_volume_30d: Usd::whole(100_000), ..NEUTRAL }.factors().volume;
        assert!((volume(50.0) - 10.0 * 0.5f64.sqrt()).abs() < 1e-9);
        assert!(volume(0.0).abs() < 1e-9 && volume(5.0) < volume(500.0));
    }
}
