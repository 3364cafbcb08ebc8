//! What the evidence supports, beside the strategy's own score: skill and return against what prices were worth,
//! timing, and the reasons against copying.

use std::collections::BTreeMap;

use domain::{FactorScores, Shares, Tier, Usd, WalletScore};

use super::beliefs::Beliefs;
use super::catalogue::Catalogue;
use super::copying::Copying;
use super::factors::{Figures, micros_to_f64, ratio};
use super::tally::Tally;
use crate::calibrated::Calibrated;
use crate::clv::Clv;
use crate::copyability::{Flag, FlagKind};
use crate::roi::RoiSums;
use crate::skill::{Ballot, Decided, RawSkill, SkillSums};

/// Everything that is believed about a wallet.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// The strategy's own verdict, with the evidence's number in it.
    pub verdict: WalletScore,
    /// What stands beside it.
    pub figures: Figures,
    /// The evidence before the population was asked; `None` before the first informative decision.
    pub skill: Option<RawSkill>,
    /// The return on cost, winsorised and shrunken.
    pub roi: f64,
    /// What the price did after its entries; `None` before the first was looked at.
    pub clv: Option<Clv>,
    /// The five factors with inputs that luck and favourites do not fool; their total is the calibrated score.
    pub calibrated: FactorScores,
    /// Whether its record stands out from those of all rated wallets, as of the last week's start.
    pub is_verified: bool,
    /// The reasons against copying it.
    pub flags: Vec<Flag>,
}

impl Assessment {
    pub(super) fn of(
        verdict: WalletScore,
        figures: Figures,
        (catalogue, beliefs): (&Catalogue, &Beliefs),
        tally: &Tally<'_>,
        copying: &Copying,
    ) -> Self {
        let evidence = Evidence::of(catalogue, beliefs, tally);
        let skill = evidence.skill.raw();
        let roi = evidence.returns.estimate(&beliefs.population);
        let clv = copying.clv.estimate();
        let (active_weeks, profitable_weeks) = tally.weeks();
        let all_figures = copying.sums.figures(verdict.as_of);
        let calibrated = Calibrated {
            skill: verdict.skill,
            n_eff: skill.map_or(0.0, |skill| skill.n_eff),
            roi,
            profitable_weeks,
            active_weeks,
            top_event: evidence.top_event(),
            net_volume_30d: net_volume(tally.opened_30d, &all_figures),
            clv: clv.map_or(0.0, |clv| clv.shrunk),
        };
        Self {
            calibrated: calibrated.factors(),
            is_verified: verdict.tier != Tier::Unrated
                && skill.is_some_and(|skill| beliefs.discovery.is_verified(skill.z)),
            verdict,
            figures,
            skill,
            roi,
            clv,
            flags: all_figures.into_iter().filter(Flag::is_raised).collect(),
        }
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
