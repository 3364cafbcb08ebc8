//! What the evidence supports, beside the strategy's own score: skill and return against what prices were worth,
//! timing, and the reasons against copying.

use std::collections::BTreeMap;

use domain::{Assessment, Flag, FlagKind, Shares, Tier, Timestamp, Usd};

use super::beliefs::Beliefs;
use super::catalogue::Catalogue;
use super::copying::Copying;
use super::factors::{self, micros_to_f64, ratio};
use super::record::{Books, Record};
use super::tally::Tally;
use crate::calibrated::Calibrated;
use crate::policy::Eligibility;
use crate::roi::RoiSums;
use crate::skill::{Ballot, Decided, SkillSums};

/// Reads everything that is believed about a wallet off what is kept of it.
pub(super) fn assess(
    (catalogue, beliefs): (&Catalogue, &Beliefs),
    (books, record, copying): (&Books, &Record, &Copying),
    (as_of, eligibility): (Timestamp, Eligibility),
) -> Assessment {
    let mut tally = Tally::new(catalogue, books, record);
    let before = tally.advance(as_of, eligibility);
    let evidence = Evidence::of(catalogue, beliefs, &tally);
    let skill = evidence.skill.raw();
    let shrunk = evidence.skill.estimate_with(&beliefs.population);
    let verdict = factors::verdict(record, &tally, before, shrunk, (as_of, eligibility));
    let roi = evidence.returns.estimate(&beliefs.population);
    let clv = copying.clv.estimate();
    let (active_weeks, profitable_weeks) = tally.weeks();
    let all_figures = copying.sums.figures(as_of);
    let calibrated = Calibrated {
        skill: shrunk,
        n_eff: skill.map_or(0.0, |skill| skill.n_eff),
        roi,
        profitable_weeks,
        active_weeks,
        top_event: evidence.top_event(),
        net_volume_30d: net_volume(tally.opened_30d, &all_figures),
        clv: clv.map_or(0.0, |clv| clv.shrunk),
    };
    Assessment {
        calibrated: calibrated.factors(),
        is_verified: verdict.tier != Tier::Unrated
            && skill.is_some_and(|skill| beliefs.discovery.is_verified(skill.z)),
        figures: factors::figures(&tally, before, as_of),
        verdict,
        skill,
        roi,
        median_cost: evidence.returns.median_cost(),
        clv,
        flags: all_figures.into_iter().filter(Flag::is_raised).collect(),
    }
}

/// What was paid for exposure, without the parts that were hedged and traded back.
fn net_volume(opened: Usd, figures: &[Flag]) -> Usd {
    let part = |kind| figures.iter().find(|flag| flag.kind == kind).map_or(0.0, |flag| flag.figure);
    let kept = (1.0 - part(FlagKind::Hedged) - part(FlagKind::RoundTrips)).clamp(0.0, 1.0);
    // Only its logarithm is used, so that thousandths are exact enough.
    #[expect(clippy::cast_possible_truncation, reason = "between 0 and 1000")]
    let thousandths = (kept * 1_000.0) as i32;
    opened.prorated(Shares::whole(thousandths), Shares::whole(1_000))
}

/// Sums over a wallet's decisions, each against what its price was worth when it was paid.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// The decisions of one event share one vote.
    pub(super) skill: SkillSums,
    pub(super) returns: RoiSums,
    /// What each event brought.
    events: BTreeMap<u32, Usd>,
}

impl Evidence {
    pub(super) fn of(catalogue: &Catalogue, beliefs: &Beliefs, tally: &Tally<'_>) -> Self {
        let mut evidence = Self::default();
        let mut ballots: BTreeMap<u32, Ballot> = BTreeMap::new();
        for closed in tally.counted() {
            let question = catalogue.question(closed.question);
            let paid = micros_to_f64(closed.paid_ppm());
            let fair = beliefs.fair(paid, closed.opened, question.category, question.end);
            let ballot = ballots.entry(question.event).or_default();
            evidence.skill.vote(ballot, &Decided { paid, fair, payoff: closed.payoff(), at: closed.at });
            evidence.returns.add(closed.cost, closed.cost + closed.pnl, paid);
            *evidence.events.entry(question.event).or_default() += closed.pnl;
        }
        evidence
    }

    /// The best event's part of all gains.
    fn top_event(&self) -> Option<f64> {
        let gains = self.events.values().copied().filter(|pnl| pnl.is_positive());
        let (best, sum) = gains.fold((Usd::ZERO, Usd::ZERO), |(best, sum), pnl| (best.max(pnl), sum + pnl));
        ratio(best.to_f64(), sum.to_f64())
    }
}
