//! What the venue knows at a moment: its markets, their books, and what changed since the moment before.

use std::collections::HashMap;
use std::sync::Arc;

use alloy_primitives::B256;
use domain::{ConditionId, Exchange, Price, Timestamp, TokenId, Usd};

use crate::world::{Ladder, NewBlock, SimMarket, Trade, World};

/// A market as the venue lists it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) id: usize,
    pub(crate) exchange: Exchange,
    pub(crate) condition: ConditionId,
    pub(crate) question_id: B256,
    pub(crate) tokens: [TokenId; 2],
    pub(crate) title: String,
    pub(crate) slug: String,
    pub(crate) event: (usize, String, String),
    pub(crate) category: &'static str,
    pub(crate) outcomes: [&'static str; 2],
    pub(crate) fee_rate_ppm: u32,
    pub(crate) opens: Timestamp,
    pub(crate) closes: Timestamp,
    /// Known once it is answered.
    pub(crate) winner: Option<usize>,
    pub(crate) last_price: Option<Price>,
    pub(crate) volume: Usd,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Board {
    listed: Vec<Arc<Listed>>,
    ladders: HashMap<usize, Ladder>,
    by_token: HashMap<TokenId, (usize, usize)>,
    by_condition: HashMap<ConditionId, usize>,
}

/// Something a subscriber of the market channel is told.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A book is another one now.
    Book { market: Arc<Listed>, before: Ladder, after: Ladder },
    /// Somebody traded.
    Trade { market: Arc<Listed>, trade: Trade },
    /// A market is answered.
    Answered { market: Arc<Listed> },
}

impl Listed {
    pub(crate) fn of(market: &SimMarket) -> Self {
        Self {
            id: market.id,
            exchange: market.exchange,
            condition: market.condition,
            question_id: market.question_id,
            tokens: market.tokens,
            title: market.title.clone(),
            slug: market.slug.clone(),
            event: (market.event_id, market.event_slug.clone(), market.event_title.clone()),
            category: market.category,
            outcomes: market.outcomes,
            fee_rate_ppm: market.fee_rate_ppm,
            opens: market.opens,
            closes: market.closes,
            winner: market.closed.then_some(market.winner),
            last_price: market.last_price,
            volume: market.volume,
        }
    }

    pub(crate) fn protocol_v2(&self) -> bool {
        self.exchange == Exchange::V3
    }

    pub(crate) fn neg_risk(&self) -> bool {
        self.exchange == Exchange::V2NegRisk
    }

    /// What it shares with its siblings: the question's id without its number.
    pub(crate) fn neg_risk_market(&self) -> Option<B256> {
        let mut id = self.question_id;
        id[31] = 0;
        self.neg_risk().then_some(id)
    }
}

impl Board {
    pub(crate) fn all(&self) -> &[Arc<Listed>] {
        &self.listed
    }

    /// The market of a token, and which outcome it is.
    pub(crate) fn of_token(&self, token: TokenId) -> Option<(&Arc<Listed>, usize)> {
        let (id, outcome) = *self.by_token.get(&token)?;
        Some((self.listed.get(id)?, outcome))
    }

    pub(crate) fn of_condition(&self, condition: ConditionId) -> Option<&Arc<Listed>> {
        self.listed.get(*self.by_condition.get(&condition)?)
    }

    /// The book of an outcome; only open markets have one.
    pub(crate) fn ladder(&self, market: usize, outcome: usize) -> Option<Ladder> {
        let first = self.ladders.get(&market)?;
        Some(if outcome == 0 { first.clone() } else { first.mirrored() })
    }

    /// Takes over what the world is now, and says what is new.
    pub(crate) fn update(&mut self, world: &World, at: Timestamp, blocks: &[NewBlock]) -> Vec<Change> {
        let mut changes = Vec::new();
        for market in &world.markets()[self.listed.len()..] {
            for (outcome, token) in market.tokens.into_iter().enumerate() {
                self.by_token.insert(token, (market.id, outcome));
            }
            self.by_condition.insert(market.condition, market.id);
            self.listed.push(Arc::new(Listed::of(market)));
        }
        for trade in blocks.iter().flat_map(|block| &block.trades) {
            self.refresh(world, trade.market);
            let market = Arc::clone(&self.listed[trade.market]);
            changes.push(Change::Trade { market, trade: *trade });
        }
        let mut ladders = HashMap::new();
        for (id, after) in world.ladders(at) {
            let before = self.ladders.remove(&id).unwrap_or_default();
            if before != after {
                let market = Arc::clone(&self.listed[id]);
                changes.push(Change::Book { market, before, after: after.clone() });
            }
            ladders.insert(id, after);
        }
        // Whose book is gone has been answered.
        for id in std::mem::replace(&mut self.ladders, ladders).into_keys() {
            self.refresh(world, id);
            changes.push(Change::Answered { market: Arc::clone(&self.listed[id]) });
        }
        changes
    }

    fn refresh(&mut self, world: &World, id: usize) {
        if let (Some(listed), Some(market)) = (self.listed.get_mut(id), world.markets().get(id)) {
            *listed = Arc::new(Listed::of(market));
        }
    }
}
