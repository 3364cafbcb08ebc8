//! A match: who gave what to whom, and how far the chain has got with it.

use alloy_primitives::{Address, B256};
use domain::{ConditionId, Exchange, Price, Side, Timestamp, TokenId};

use super::control::Settlement;
use super::order::Order;

/// How far a match has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradeStatus {
    /// The venue says so, the chain does not yet.
    Matched,
    /// It is in a block.
    Mined,
    /// It will stay there.
    Confirmed,
    /// Its transaction failed and is sent again.
    Retrying,
    /// Its transaction failed for good: it never was.
    Failed,
}

impl TradeStatus {
    /// As the venue spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Matched => "MATCHED",
            Self::Mined => "MINED",
            Self::Confirmed => "CONFIRMED",
            Self::Retrying => "RETRYING",
            Self::Failed => "FAILED",
        }
    }
}

/// A match of one order that came with others that were there.
#[derive(Clone, Debug)]
pub(crate) struct Match {
    pub(crate) id: String,
    pub(crate) market: usize,
    pub(crate) condition: ConditionId,
    pub(crate) exchange: Exchange,
    pub(crate) taker: Party,
    pub(crate) makers: Vec<Party>,
    pub(crate) at: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) status: TradeStatus,
    pub(crate) fate: Settlement,
    /// The transaction it was last sent with.
    pub(crate) tx: Option<B256>,
    /// The block it is in.
    pub(crate) block: Option<u64>,
}

/// One side of a match.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    pub(crate) order: B256,
    pub(crate) wallet: Address,
    pub(crate) who: Who,
    pub(crate) outcome: usize,
    pub(crate) token: TokenId,
    pub(crate) side: Side,
    /// What its order asked.
    pub(crate) price: Price,
    /// Millionths of a share.
    pub(crate) micros: i64,
    /// Millionths of a dollar, without the fee.
    pub(crate) usd: i64,
    /// Millionths of a dollar.
    pub(crate) fee: i64,
    pub(crate) metadata: B256,
    pub(crate) builder: B256,
}

/// Who stands behind a side.
#[derive(Clone, Debug)]
pub(crate) enum Who {
    /// One of the world's, by number.
    Person(usize),
    /// Somebody with an API key.
    Outside { key: String, owner: Address },
}

impl Match {
    pub(crate) fn parties(&self) -> impl Iterator<Item = &Party> {
        std::iter::once(&self.taker).chain(&self.makers)
    }

    /// Whether a key's owner has a part in it.
    pub(crate) fn concerns(&self, of: Address) -> bool {
        self.parties().any(|party| matches!(&party.who, Who::Outside { owner, .. } if *owner == of))
    }

    /// Everybody outside who has a part in it, once.
    pub(crate) fn owners(&self) -> Vec<Address> {
        let mut owners: Vec<Address> = self.parties().filter_map(|party| party.owner()).collect();
        owners.sort();
        owners.dedup();
        owners
    }
}

impl Party {
    /// An outside order's side, without dollars yet.
    pub(crate) fn of(order: &Order, micros: i64) -> Self {
        Self {
            order: order.id,
            wallet: order.wallet,
            who: Who::Outside { key: order.key.clone(), owner: order.owner },
            outcome: order.outcome,
            token: order.token,
            side: order.side,
            price: order.price,
            micros,
            usd: 0,
            fee: 0,
            metadata: order.metadata,
            builder: order.builder,
        }
    }

    pub(crate) fn owner(&self) -> Option<Address> {
        match &self.who {
            Who::Person(_) => None,
            Who::Outside { owner, .. } => Some(*owner),
        }
    }

    /// The key it came with; those of the world's are made up.
    pub(crate) fn key(&self) -> String {
        match &self.who {
            Who::Person(_) => super::uuid(self.wallet.into_word()),
            Who::Outside { key, .. } => key.clone(),
        }
    }

    /// What it changes in millionths: dollars with the fee, and shares.
    pub(crate) fn changes(&self) -> (i64, i64) {
        match self.side {
            Side::Buy => (-(self.usd + self.fee), self.micros),
            Side::Sell => (self.usd - self.fee, -self.micros),
        }
    }
}
