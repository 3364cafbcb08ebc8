//! What is believed of wallets at large, as bytes. What prices were worth is not among them: it is learned again
//! from the questions, which have the prices paid.

use super::super::History;
use super::super::saved::{Damaged, Reader, Writer};
use super::Beliefs;
use crate::discovery::Discovery;
use crate::population::Population;

/// What was read, before it is believed.
#[derive(Debug)]
pub(in crate::reputation) struct Believed {
    next_day: i64,
    is_stale: bool,
    week: Option<i64>,
    population: Population,
    discovery: Discovery,
}

impl Beliefs {
    pub(in crate::reputation) fn save(&self, to: &mut Writer) {
        to.signed(self.next_day);
        to.flag(self.is_stale);
        to.flag(self.week.is_some());
        if let Some(week) = self.week {
            to.signed(week);
        }
        let Population { kappa_mean, kappa_weight, roi_mean, roi_deviation } = self.population;
        [kappa_mean, kappa_weight, roi_mean, roi_deviation].into_iter().for_each(|number| to.float(number));
        let (least, verified) = self.discovery.parts();
        to.flag(least.is_some());
        if let Some(least) = least {
            to.float(least);
        }
        to.length(verified);
    }
}

impl Believed {
    pub(in crate::reputation) fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let (next_day, is_stale) = (from.signed()?, from.flag()?);
        let week = if from.flag()? { Some(from.signed()?) } else { None };
        let population = Population {
            kappa_mean: from.float()?,
            kappa_weight: from.float()?,
            roi_mean: from.float()?,
            roi_deviation: from.float()?,
        };
        let least = if from.flag()? { Some(from.float()?) } else { None };
        let discovery = Discovery::of_parts(least, from.whole()?);
        Ok(Self { next_day, is_stale, week, population, discovery })
    }
}

impl History {
    /// Believes what was read, and learns again up to the day up to which prices had been learned from.
    pub(in crate::reputation) fn believe_again(&mut self, believed: Believed) {
        let Believed { next_day, is_stale, week, population, discovery } = believed;
        let results = std::mem::take(&mut self.beliefs.results);
        self.beliefs = Beliefs { results, population, discovery, ..Beliefs::default() };
        self.learn_days(next_day);
        (self.beliefs.next_day, self.beliefs.is_stale, self.beliefs.week) = (next_day, is_stale, week);
    }
}
