//! The nouns of the system, and nothing else: money, price, probability, time, identifiers, fills,
//! markets, books, scores, signals, orders, positions.
//!
//! Invariants: no IO, no clock, no serialisation.
//! Every border (chain, venue, database, screen) owns its own wire types and translates.

pub mod appraisal;
pub mod assessment;
pub mod book;
pub mod chain;
pub mod figure;
pub mod fill;
pub mod flag;
pub mod id;
pub mod market;
pub mod money;
pub mod news;
pub mod order;
pub mod position;
pub mod price;
pub mod probability;
pub mod score;
pub mod signal;
pub mod time;
pub mod worth;

pub use appraisal::{Appraisal, Coefficient, Further};
pub use assessment::{Assessment, Clv, Figures, MarketResult, RawSkill, WalletDay};
pub use book::{Book, Level};
pub use chain::{ChainEvent, Fact, FeeKind, Place};
pub use figure::Figure;
pub use fill::{Exchange, Fee, Fill, Role, Side};
pub use flag::{Flag, FlagKind};
pub use id::{BlockHash, ConditionId, FactKey, TokenId, TxHash, Wallet};
pub use market::{Market, NegRiskPlace, Oracle, Payouts};
pub use money::{MICRO, Shares, Usd};
pub use news::{Closing, Execution, OrderEvent, OrderNews, TradeId};
pub use order::{ExitReason, Order, Purpose, Size, TimeInForce};
pub use position::{Day, Ending, Position, Settlement};
pub use price::{Price, Rounding, Tick};
pub use probability::Probability;
pub use score::{FactorScores, Skill, Tier, Timing, Verdict, WalletScore};
pub use signal::{ConfidenceModel, Signal, SignalKind};
pub use time::Timestamp;
pub use worth::{Category, Horizon, PriceMap};
