//! The edge that the evidence supports: measured against what the prices paid were worth, one vote an event,
//! fading with a half-life of 90 days, shrunken toward the population (`ORDER_FLOW_STRATEGY.md` §3).

use domain::{Probability, RawSkill, Skill, Timestamp};

use crate::half_lives::{Faded, Fading};
use crate::population::Population;

/// Shorter would leave too few decisions to tell an edge of some cents from luck.
const FADING: Fading<3> = Fading { half_life: 90 * Timestamp::DAY, powers: [1, 1, 2] };
/// Entries at or beyond these prices say almost nothing about the buyer and are left out.
const TOO_CHEAP: f64 = 0.03;
const TOO_DEAR: f64 = 0.95;
/// No fair price comes closer to 0 or 1, so that no deviation is zero.
const LEAST_DOUBT: f64 = 0.005;

/// A decision that has closed, as far as skill cares. All prices are of the outcome that was bet on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decided {
    /// The average price paid for a share.
    pub paid: f64,
    /// What that price was worth when it was paid, by the calibration of that time.
    pub fair: f64,
    /// What a share brought in the end, 0 to 1.
    pub payoff: f64,
    /// When it was decided.
    pub at: Timestamp,
}

/// One wallet's decisions in one event, which share a single vote. Kept for as long as the event can bring
/// another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ballot {
    decisions: u32,
    sums: Faded<3>,
}

/// Sums over a wallet's closed decisions: Σwe, Σws and Σw²s², with `e = y − g(c)` and `s = √(g(1 − g))`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkillSums(Faded<3>);

impl Decided {
    /// Whether it says anything about skill: entries near certainty count in volume but not here.
    #[must_use]
    pub fn is_informative(&self) -> bool {
        TOO_CHEAP < self.paid && self.paid < TOO_DEAR && self.fair.is_finite() && self.payoff.is_finite()
    }

    fn terms(&self) -> [f64; 3] {
        let fair = self.fair.clamp(LEAST_DOUBT, 1.0 - LEAST_DOUBT);
        let variance = fair * (1.0 - fair);
        [self.payoff.clamp(0.0, 1.0) - fair, variance.sqrt(), variance]
    }
}

impl Ballot {
    /// The informative decisions that share the vote.
    #[must_use]
    pub const fn decisions(&self) -> u32 {
        self.decisions
    }
}

impl SkillSums {
    /// Counts a closed decision with the others of its event: each weighs `1 / m`, so that the event counts as
    /// their mean, however many there are. Order does not matter.
    pub fn vote(&mut self, ballot: &mut Ballot, decided: &Decided) {
        if !decided.is_informative() {
            return;
        }
        if ballot.decisions > 0 {
            self.0.remove_part(&ballot.sums, i64::from(ballot.decisions));
        }
        ballot.sums.add(&FADING, decided.at, decided.terms());
        ballot.decisions = ballot.decisions.saturating_add(1);
        self.0.add_part(&ballot.sums, i64::from(ballot.decisions));
    }

    /// The evidence; `None` before the first informative decision.
    /// Growing older changes all weights alike, and so nothing here: an idle wallet's skill stays.
    #[must_use]
    pub fn raw(&self) -> Option<RawSkill> {
        let [edge, deviation, variance] = self.0.totals(&FADING)?;
        (deviation > 0.0 && variance > 0.0).then(|| RawSkill {
            kappa: edge / deviation,
            z: edge / variance.sqrt(),
            n_eff: deviation * deviation / variance,
        })
    }

    /// κ̂ and its standard error, given the population.
    #[must_use]
    pub fn estimate_with(&self, population: &Population) -> Skill {
        let nothing = RawSkill { kappa: 0.0, z: 0.0, n_eff: 0.0 };
        population.shrink(self.raw().unwrap_or(nothing))
    }
}

/// P(κ > 0): how sure it is that there is any skill at all.
#[must_use]
pub fn probability_of_skill(skill: Skill) -> Probability {
    normal_cdf(skill.kappa / skill.standard_error)
}

/// The standard normal distribution function.
#[must_use]
pub fn normal_cdf(z: f64) -> Probability {
    Probability::clamped(0.5 * libm::erfc(-z / std::f64::consts::SQRT_2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn days(days: i64) -> Timestamp {
        Timestamp::from_micros(days * Timestamp::DAY)
    }

    fn decided(paid: f64, payoff: f64, day: i64) -> Decided {
        Decided { paid, fair: paid, payoff, at: days(day) }
    }

    /// Each decision in an event of its own.
    fn record(decisions: u32, wins: u32, paid: f64) -> SkillSums {
        let mut sums = SkillSums::default();
        for decision in 0..decisions {
            let payoff = f64::from(u8::from(decision < wins));
            sums.vote(&mut Ballot::default(), &decided(paid, payoff, 0));
        }
        sums
    }

    fn estimate(decisions: u32, wins: u32, paid: f64) -> Skill {
        record(decisions, wins, paid).estimate_with(&Population::default())
    }

    /// `ORDER_FLOW_STRATEGY.md` §3: a genuine 70 % over 100 even-money decisions shrinks to κ̂ ≈ 0.185.
    #[test]
    fn a_genuine_record_shrinks_as_published() {
        let raw = record(100, 70, 0.50).raw().unwrap();
        assert!((raw.kappa - 0.40).abs() < 1e-6);
        assert!((raw.z - 4.0).abs() < 1e-6);
        assert!((raw.n_eff - 100.0).abs() < 1e-6);
        let skill = estimate(100, 70, 0.50);
        assert!((skill.kappa - 0.185).abs() < 1e-6);
        assert!((skill.standard_error - 1.0 / 200f64.sqrt()).abs() < 1e-6);
    }

    #[test]
    fn a_favourite_buyer_who_wins_often_has_no_skill() {
        assert!(estimate(100, 74, 0.74).kappa < 0.0);
    }

    #[test]
    fn a_favourite_that_everyone_profits_from_is_no_skill_either() {
        let mut sums = SkillSums::default();
        let mut bet = |wins: bool| {
            let payoff = f64::from(u8::from(wins));
            let one = Decided { paid: 0.80, fair: 0.85, payoff, at: days(0) };
            sums.vote(&mut Ballot::default(), &one);
            sums.raw().unwrap().kappa
        };
        let kappas: Vec<f64> = (0..100).map(|decision| bet(decision < 85)).collect();
        assert!(kappas[99].abs() < 1e-8);
        // The first 85 all won: 15 cents above what was paid for, in deviations of that.
        assert!((kappas[84] - 0.15 / (0.85f64 * 0.15).sqrt()).abs() < 1e-8);
    }

    #[test]
    fn without_history_the_population_speaks() {
        let skill = SkillSums::default().estimate_with(&Population::default());
        assert!((skill.kappa + 0.03).abs() < 1e-12);
        assert!(probability_of_skill(skill).to_f64() < 0.5);
    }

    #[test]
    fn certainties_longshots_and_nonsense_say_nothing() {
        let mut sums = SkillSums::default();
        for paid in [0.03, 0.95, 0.99, 0.001, f64::NAN, -1.0] {
            sums.vote(&mut Ballot::default(), &decided(paid, 1.0, 0));
        }
        sums.vote(&mut Ballot::default(), &decided(0.5, f64::NAN, 0));
        assert_eq!(sums, SkillSums::default());
    }

    #[test]
    fn an_event_has_one_vote_however_often_it_is_bet_on() {
        let (mut once, mut often, mut ballot) = (record(50, 25, 0.5), record(50, 25, 0.5), Ballot::default());
        once.vote(&mut Ballot::default(), &decided(0.5, 1.0, 0));
        for _ in 0..40 {
            often.vote(&mut ballot, &decided(0.5, 1.0, 0));
        }
        assert_eq!(ballot.decisions(), 40);
        let (once, often) = (once.raw().unwrap(), often.raw().unwrap());
        assert!((once.kappa - often.kappa).abs() < 1e-6 && (once.n_eff - often.n_eff).abs() < 1e-6);
    }

    /// One win now and one loss 90 days ago at even money: weights 1 and ½.
    #[test]
    fn what_is_90_days_old_weighs_half() {
        let mut sums = SkillSums::default();
        sums.vote(&mut Ballot::default(), &decided(0.5, 0.0, 10));
        sums.vote(&mut Ballot::default(), &decided(0.5, 1.0, 100));
        let raw = sums.raw().unwrap();
        assert!((raw.kappa - (1.0 - 0.5) / 1.5).abs() < 1e-6);
        assert!((raw.n_eff - 1.5 * 1.5 / 1.25).abs() < 1e-6);
    }

    #[test]
    fn the_normal_distribution_is_the_normal_distribution() {
        assert!((normal_cdf(1.959_964).to_f64() - 0.975).abs() < 1e-6);
        assert!((normal_cdf(-1.959_964).to_f64() - 0.025).abs() < 1e-6);
    }

    proptest! {
        /// Shrinkage lies between the evidence and the prior, and evidence wins as it grows.
        #[test]
        fn shrinkage_is_a_mean(kappa in -2.0f64..2.0, n in 0.0f64..1e9) {
            let population = Population::default();
            let shrunk = population.shrink(RawSkill { kappa, z: 0.0, n_eff: n }).kappa;
            let (low, high) = (kappa.min(population.kappa_mean), kappa.max(population.kappa_mean));
            prop_assert!(low - 1e-12 <= shrunk && shrunk <= high + 1e-12);
            let certain = population.shrink(RawSkill { kappa, z: 0.0, n_eff: 1e12 }).kappa;
            prop_assert!((certain - kappa).abs() < 1e-6);
        }

        #[test]
        fn order_does_not_matter(
            bets in prop::collection::vec((0.04f64..0.94, any::<bool>(), 0i64..900, 0usize..6), 1..40),
            turn in 0usize..40,
        ) {
            let all = |bets: &[(f64, bool, i64, usize)]| {
                let (mut sums, mut ballots) = (SkillSums::default(), vec![Ballot::default(); 6]);
                for (paid, wins, day, event) in bets {
                    let one = decided(*paid, f64::from(u8::from(*wins)), *day);
                    sums.vote(&mut ballots[*event], &one);
                }
                (sums, ballots)
            };
            let mut turned = bets.clone();
            turned.rotate_left(turn % bets.len());
            turned.reverse();
            prop_assert_eq!(all(&bets), all(&turned));
        }
    }
}
