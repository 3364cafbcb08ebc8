//! What the chain says happened, one variant a family, each with where it stands.

use alloy_primitives::{B256, U256};

use crate::fill::{Exchange, Fill, Side};
use crate::id::{BlockHash, ConditionId, FactKey, TokenId, TxHash, Wallet};
use crate::market::Payouts;
use crate::money::{Shares, Usd};
use crate::time::Timestamp;

/// Where a log stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The block's height.
    pub block_number: u64,
    /// The block's hash.
    pub block_hash: BlockHash,
    /// The block's own time.
    pub block_time: Timestamp,
    /// The transaction.
    pub tx_hash: TxHash,
    /// The log's index in the block.
    pub log_index: u32,
}

impl Place {
    /// What names the log.
    #[must_use]
    pub const fn key(&self) -> FactKey {
        FactKey { block: self.block_hash, log_index: self.log_index }
    }
}

/// Something that happened, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Where it stands on the chain.
    pub place: Place,
    /// What happened.
    pub event: ChainEvent,
}

/// Whether a fee was taken or given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeKind {
    /// The exchange took it. Already inside the fills: never add both.
    Charged,
    /// The V1 fee module gave part of it back.
    Refunded,
}

/// One decoded event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainEvent {
    /// One wallet's fill.
    Fill(Fill),
    /// A whole match as the aggressor saw it: the tape of trades, beside the fills of the wallets.
    Match {
        /// Where it was matched.
        exchange: Exchange,
        /// The aggressor.
        wallet: Wallet,
        /// The aggressor's side.
        side: Side,
        /// The aggressor's token.
        token: TokenId,
        /// Shares matched.
        shares: Shares,
        /// Dollars matched.
        usd: Usd,
    },
    /// A fee that moved.
    Fee {
        /// The exchange; `None` for the fee modules, which serve one of V1's two.
        exchange: Option<Exchange>,
        /// Taken or given back.
        kind: FeeKind,
        /// Who received the money.
        receiver: Wallet,
        /// The asset: `None` for dollars, else the outcome token.
        token: Option<TokenId>,
        /// The amount in millionths of that asset.
        micros: i64,
    },
    /// Dollars became one share of every outcome.
    Split {
        /// Who did it: a user, an adapter or an exchange.
        wallet: Wallet,
        /// The condition.
        condition: ConditionId,
        /// Dollars given, and shares of each outcome got.
        amount: Shares,
    },
    /// One share of every outcome became dollars.
    Merge {
        /// Who did it: a user, an adapter or an exchange.
        wallet: Wallet,
        /// The condition.
        condition: ConditionId,
        /// Shares of each outcome given, and dollars got.
        amount: Shares,
    },
    /// Shares of a resolved condition became dollars.
    Redemption {
        /// Whose shares they were.
        wallet: Wallet,
        /// The condition; `None` where the event names a position instead.
        condition: Option<ConditionId>,
        /// The position; `None` where the event names a condition instead.
        token: Option<TokenId>,
        /// Dollars paid.
        payout: Usd,
    },
    /// Shares against some answers of a neg-risk event became shares for the others.
    Conversion {
        /// Who did it.
        wallet: Wallet,
        /// The neg-risk market (adapter) or event (module, right-padded).
        market: B256,
        /// Which questions: a bit each, the lowest for the first.
        index_set: U256,
        /// Shares of each.
        amount: Shares,
    },
    /// A condition of two outcomes came into being: what its tokens will be can be computed from here on.
    Preparation {
        /// The condition.
        condition: ConditionId,
        /// Its tokens, in the order of the outcomes.
        tokens: [TokenId; 2],
    },
    /// A condition's payouts became final.
    Resolution {
        /// The condition.
        condition: ConditionId,
        /// What each outcome pays.
        payouts: Payouts,
    },
    /// Conditions of a neg-risk event follow from a sibling's result without an event of their own.
    Derivable {
        /// The event, right-padded to 32 bytes.
        event: B256,
        /// The condition that follows as YES; `None`: all that remain follow as NO.
        yes: Option<ConditionId>,
    },
}
