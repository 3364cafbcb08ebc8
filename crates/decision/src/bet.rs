//! A whale's bet, as far as the belief in it cares: what may move it away from what its price is worth
//! (`ORDER_FLOW_STRATEGY.md` §4).

use domain::Skill;

/// From this part on an entry counts as one that took what rested.
const TAKEN: f64 = 0.5;

/// What the log-odds of an outcome are linear in. Of a whale's bet, in this order: the edge at what the price is worth, the
/// same if the entry took what rested, the logarithm of its size, and how far the price has run away. Of a panic, its drop
/// and nothing else.
pub type Terms = [f64; 4];

/// What is looked at of a whale's bet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bet {
    /// What the price that the market gives the outcome is worth.
    pub fair: f64,
    /// The edge of whoever bets, and how unsure that is.
    pub skill: Skill,
    /// The part of the entry's dollars that took what rested, 0 to 1.
    pub part: f64,
    /// How many times the wallet's median decision the entry costs; `None` where nobody knows.
    pub size: Option<f64>,
    /// How far the middle of the book stands above what the wallet paid, dollars a share.
    pub run_up: f64,
}

impl Bet {
    /// The standard deviation of the outcome if the price is worth that: what edges are measured in.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        (self.fair * (1.0 - self.fair)).max(0.0).sqrt()
    }

    /// Whether the entry took what rested.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        TAKEN <= self.part
    }

    /// What the log-odds are linear in. What is not known moves nothing.
    #[must_use]
    pub fn terms(&self) -> Terms {
        let deviation = self.deviation();
        if deviation <= 0.0 {
            return Terms::default();
        }
        let edge = self.skill.kappa / deviation;
        let size = self.size.filter(|size| 0.0 < *size && size.is_finite() && 0.0 < edge);
        [
            edge,
            if self.is_taken() { edge } else { 0.0 },
            size.map_or(0.0, libm::log),
            // Zero must have no sign: what is kept of it has none.
            0.0 - self.run_up.max(0.0) / deviation,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BET: Bet = Bet {
        fair: 0.50,
        skill: Skill { kappa: 0.10, standard_error: 0.05 },
        part: 1.0,
        size: Some(2.0),
        run_up: 0.01,
    };

    fn assert_terms(bet: Bet, expected: Terms) {
        let terms = bet.terms();
        let is_close = terms.iter().zip(expected).all(|(found, wanted)| (found - wanted).abs() < 1e-12);
        assert!(is_close, "{terms:?} {expected:?}");
    }

    #[test]
    fn terms_are_the_formulas() {
        let twice = std::f64::consts::LN_2;
        assert_terms(BET, [0.2, 0.2, twice, -0.02]);
        assert_terms(Bet { part: 0.49, ..BET }, [0.2, 0.0, twice, -0.02]);
        assert_terms(Bet { fair: 0.80, ..BET }, [0.25, 0.25, twice, -0.025]);
    }

    #[test]
    fn what_is_not_known_or_speaks_for_nothing_moves_nothing() {
        assert_terms(Bet { size: None, ..BET }, [0.2, 0.2, 0.0, -0.02]);
        assert_terms(Bet { size: Some(0.0), ..BET }, [0.2, 0.2, 0.0, -0.02]);
        // A price that came back is no run-up, and the size of what loses says nothing.
        assert_terms(Bet { run_up: -0.03, ..BET }, [0.2, 0.2, std::f64::consts::LN_2, 0.0]);
        let loser = Skill { kappa: -0.10, standard_error: 0.05 };
        assert_terms(Bet { skill: loser, ..BET }, [-0.2, -0.2, 0.0, -0.02]);
        assert_terms(Bet { fair: 1.0, ..BET }, [0.0; 4]);
    }
}
