//! A look at wallets at large, some at a time: what those with enough history were like when a week began.

use domain::Timestamp;

use super::super::History;
use super::super::evidence::Evidence;
use super::super::tally::Tally;
use super::WEEK;
use crate::discovery::{Discovery, RATE};
use crate::population::PopulationSums;

/// What was seen so far of wallets at large. Their order does not matter; each takes part once.
#[derive(Debug)]
pub struct Survey {
    week: i64,
    sums: PopulationSums,
    z: Vec<f64>,
}

impl Survey {
    pub(super) fn of(week: i64) -> Self {
        Self { week, sums: PopulationSums::default(), z: Vec::new() }
    }

    /// The start of the week for which they are looked at.
    #[must_use]
    pub const fn start(&self) -> Timestamp {
        Timestamp::from_micros(self.week.saturating_mul(WEEK))
    }
}

impl History {
    /// Whether wallets at large have to be looked at before the next pass as of a moment. If so: load all wallets
    /// whose [`super::super::SavedWallet::decisions`] reach the eligibility, some at a time, let those in memory
    /// take part ([`Self::take_part`]), save what changed and forget them, and [`Self::conclude`]. A pass for which that was not done
    /// looks at the wallets in memory alone.
    pub fn survey(&mut self, as_of: Timestamp) -> Option<Survey> {
        self.learn_prices();
        let week = as_of.week();
        (self.beliefs.week != Some(week)).then(|| Survey::of(week))
    }

    /// Makes the next pass look at wallets at large, whenever they were looked at last: under other rules they look
    /// otherwise.
    pub fn survey_again(&mut self) {
        self.beliefs.week = None;
    }

    /// Lets all wallets in memory take part in a survey.
    pub fn take_part(&self, survey: &mut Survey) {
        // The moment itself belongs to what comes after.
        let before = survey.start().plus_micros(-1);
        for shard in &self.shards {
            let known = shard.people.iter().map(|person| &person.record);
            let known = known.filter(|record| self.eligibility.decisions <= record.decisions);
            for record in known {
                let mut tally = Tally::new(&self.catalogue, &shard.books, record);
                tally.advance(before, self.eligibility);
                if tally.tier(None, self.eligibility).is_none() {
                    continue;
                }
                let evidence = Evidence::of(&self.catalogue, &self.beliefs, &tally);
                if let Some(raw) = evidence.skill.raw() {
                    survey.sums.add_skill(raw);
                    survey.z.push(raw.z);
                }
                if let Some(raw) = evidence.returns.raw() {
                    survey.sums.add_roi(raw);
                }
            }
        }
    }

    /// Believes of wallets at large what a survey has seen.
    pub fn conclude(&mut self, survey: Survey) {
        let start = survey.start();
        self.beliefs.population = survey.sums.fit();
        self.beliefs.discovery = Discovery::among(survey.z, RATE);
        // While facts of the week before can still come, it is not over.
        self.beliefs.week = (start <= self.now).then_some(survey.week);
    }
}
