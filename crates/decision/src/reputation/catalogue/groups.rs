//! The catalogue, asked by those who save and load what refers to it.

use alloy_primitives::B256;
use domain::Market;

use super::{Catalogue, Siblings};
use crate::calibration::Category;
use crate::reputation::interner::{next_number, usize_of};

impl Catalogue {
    /// How many questions there are: their numbers are below this.
    pub(in crate::reputation) fn count(&self) -> u32 {
        next_number(&self.questions)
    }

    /// The neg-risk markets of which anything is known.
    pub(in crate::reputation) fn groups(&self) -> impl Iterator<Item = (B256, &Siblings)> {
        self.by_market.iter().map(|(market, number)| (*market, &self.siblings[usize_of(*number)]))
    }

    /// The number of the questions that share a neg-risk market, where anything is known of it.
    pub(in crate::reputation) fn group(&self, market: B256) -> Option<u32> {
        self.by_market.get(&market).copied()
    }

    /// A question that stands among siblings, which names them where their own number would not: that depends on
    /// whether a conversion or a description of theirs came first.
    pub(in crate::reputation) fn first_of(&self, siblings: u32) -> Option<u32> {
        let questions = self.siblings(siblings).questions.values().copied();
        questions.filter(|question| self.question(*question).siblings == Some(siblings)).min()
    }

    /// Whether a description groups or places a known condition in another way.
    pub(in crate::reputation) fn regroups(&self, market: &Market) -> bool {
        let Some(questions) = self.questions(market.condition) else { return false };
        let event = self.events.get(&market.event).copied();
        let place = market.place.filter(|_| market.tokens.len() == 2);
        let category = Category::of(market.category.as_deref());
        questions.into_iter().any(|number| {
            let known = self.question(number);
            let is_elsewhere = place.is_some_and(|place| {
                let group = self.group(place.market);
                let has = |group| self.siblings(group).questions.contains_key(&place.question);
                known.siblings != group
                    || !group.is_some_and(has)
                    || group.is_some_and(|group| self.siblings(group).count < place.questions)
            });
            is_elsewhere
                || Some(known.event) != event
                || known.category != category
                || known.end != market.end
        })
    }
}
