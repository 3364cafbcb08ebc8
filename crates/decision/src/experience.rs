//! Every candidate that was ever priced, until its outcome and beyond: what confidence is learned from.

use std::collections::BTreeMap;

use domain::{Appraisal, ConditionId, Payouts, SignalKind, Timestamp};

use crate::bet::{Bet, Terms};
use crate::refit::{self, Beliefs};

/// A candidate that was priced, as far as learning cares.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// When.
    pub at: Timestamp,
    /// Of which kind of signal.
    pub kind: SignalKind,
    /// The condition.
    pub condition: ConditionId,
    /// The event, all of whose candidates share one vote.
    pub event: String,
    /// The token's place among the market's outcomes.
    pub outcome: usize,
    /// What the price that the market gave the outcome was worth.
    pub fair: f64,
    /// What the belief is linear in.
    pub terms: Terms,
}

/// A case whose outcome is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// The case.
    pub case: Case,
    /// What a share paid, 0 to 1.
    pub payoff: f64,
    /// When the outcome became known.
    pub learned: Timestamp,
}

/// All cases, and what they taught by the start of the day.
#[derive(Clone, Debug, Default)]
pub struct Experience {
    open: BTreeMap<ConditionId, Vec<Case>>,
    known: Vec<Known>,
    /// The day at whose start the beliefs were learned.
    day: Option<i64>,
    beliefs: Beliefs,
}

impl Case {
    /// The case of an appraisal.
    #[must_use]
    pub fn of(kind: SignalKind, at: Timestamp, appraisal: &Appraisal) -> Self {
        let Appraisal { fair_price: fair, consensus: skill, part, size, run_up, .. } = *appraisal;
        let bet = Bet { fair, skill, part, size, run_up };
        Self {
            at,
            kind,
            condition: appraisal.condition,
            event: appraisal.event.clone(),
            outcome: appraisal.outcome,
            fair,
            terms: Self::terms(kind, &bet, appraisal.drop),
        }
    }

    /// What the belief about a candidate is linear in.
    #[must_use]
    pub fn terms(kind: SignalKind, bet: &Bet, drop: f64) -> Terms {
        match kind {
            SignalKind::FollowWhale => bet.terms(),
            SignalKind::FadeDegen => [drop, 0.0, 0.0, 0.0],
        }
    }
}

impl Experience {
    /// Remembers a case until its outcome is known.
    pub fn remember(&mut self, case: Case) {
        self.open.entry(case.condition).or_default().push(case);
    }

    /// Takes in a case whose outcome was known before a restart.
    pub fn recall(&mut self, known: Known) {
        self.known.push(known);
        self.day = None;
    }

    /// Learns what the outcomes of a condition paid; says whether anything had been judged about it.
    pub fn resolve(&mut self, condition: ConditionId, payouts: &Payouts, at: Timestamp) -> bool {
        let Some(cases) = self.open.remove(&condition) else { return false };
        self.known.extend(cases.into_iter().map(|case| {
            let payoff = payouts.fraction(case.outcome);
            Known { case, payoff, learned: at }
        }));
        true
    }

    /// Learns anew when a UTC day begins, from what was known when it began.
    pub fn refresh(&mut self, at: Timestamp) {
        if self.day == Some(at.day()) {
            return;
        }
        self.day = Some(at.day());
        let start = Timestamp::from_micros(at.day().saturating_mul(Timestamp::DAY));
        self.beliefs = refit::fit(&self.known, start);
    }

    /// What was believed at the start of the day.
    #[must_use]
    pub const fn beliefs(&self) -> &Beliefs {
        &self.beliefs
    }
}
