//! What a lookup found, and what it could not find out.

use std::collections::{BTreeMap, BTreeSet};

use domain::{ConditionId, Market, TokenId};

use super::Key;
use crate::http::VenueError;
use crate::wire::MarketFlaw;

/// What the catalogue lists of what was asked for. What is in none of the lists is unknown to it.
#[derive(Debug, Default)]
pub struct Listing {
    /// The markets, each once, by condition.
    pub markets: Vec<Market>,
    /// What it lists but cannot be read as a market.
    pub rejected: Vec<Rejected>,
    /// What it gave no answer about; neither known nor unknown.
    pub unanswered: Unanswered,
}

/// A listed market that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Gamma's own id; empty where it has none.
    pub id: String,
    /// The condition as Gamma writes it; empty where it has none.
    pub condition: String,
    /// What is wrong with it.
    pub reason: MarketFlaw,
}

/// What was asked for without an answer.
#[derive(Debug, Default)]
pub struct Unanswered {
    /// The tokens.
    pub tokens: BTreeSet<TokenId>,
    /// The conditions.
    pub conditions: BTreeSet<ConditionId>,
    /// Why, of the last part that failed; `None` where everything was answered.
    pub error: Option<VenueError>,
}

/// A lookup under way.
#[derive(Default)]
pub(super) struct Found {
    markets: BTreeMap<ConditionId, Market>,
    tokens: BTreeSet<TokenId>,
    rejected: BTreeMap<(String, String), Rejected>,
    unanswered: Unanswered,
    answered: bool,
}

impl Found {
    pub(super) fn has(&self, key: Key) -> bool {
        match key {
            Key::Token(token) => self.tokens.contains(&token),
            Key::Condition(condition) => self.markets.contains_key(&condition),
        }
    }

    pub(super) fn take_in(&mut self, market: Market) {
        self.tokens.extend(market.tokens.iter().copied());
        self.markets.insert(market.condition, market);
    }

    pub(super) fn reject(&mut self, flawed: Rejected) {
        self.rejected.insert((flawed.id.clone(), flawed.condition.clone()), flawed);
    }

    pub(super) fn succeed(&mut self) {
        self.answered = true;
    }

    /// Notes that a part failed; what its first pages said stays.
    pub(super) fn fail(&mut self, part: &[Key], error: VenueError) {
        self.leave(part);
        self.unanswered.error = Some(error);
    }

    /// Notes that a part was not asked for.
    pub(super) fn leave(&mut self, part: &[Key]) {
        for key in part.iter().copied().filter(|key| !self.has(*key)).collect::<Vec<_>>() {
            match key {
                Key::Token(token) => self.unanswered.tokens.insert(token),
                Key::Condition(condition) => self.unanswered.conditions.insert(condition),
            };
        }
    }

    /// # Errors
    /// The last one, if there was no answer at all.
    pub(super) fn into_listing(self) -> Result<Listing, VenueError> {
        let Self { markets, rejected, mut unanswered, answered, .. } = self;
        if !answered
            && markets.is_empty()
            && let Some(error) = unanswered.error.take()
        {
            return Err(error);
        }
        let (markets, rejected) = (markets.into_values().collect(), rejected.into_values().collect());
        Ok(Listing { markets, rejected, unanswered })
    }
}
