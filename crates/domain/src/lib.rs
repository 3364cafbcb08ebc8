//! The nouns of the system, and nothing else: money, price, probability, time, identifiers, fills,
//! markets, books, scores, signals, orders, positions.
//!
//! Invariants: no IO, no clock, no serialisation.
//! Every border (chain, venue, database, screen) owns its own wire types and translates.

pub mod assessment;
pub mod book;
pub mod chain;
pub mod fill;
pub mod flag;
pub mod id;
pub mod market;
pub mod money;
pub mod order;
pub mod position;
pub mod price;
pub mod probability;
pub mod score;
pub mod signal;
pub mod time;

pub use assessment::{Assessment, Clv, Figures, MarketResult, RawSkill, WalletDay};
pub use book::{Book, Level};
pub use chain::{ChainEvent, Fact, FeeKind, Place};
pub use fill::{Exchange, Fee, Fill, Role, Side};
pub use flag::{Flag, FlagKind};
pub use id::{BlockHash, ConditionId, FactKey, TokenId, TxHash, Wallet};
pub use market::{Market, NegRiskPlace, Payouts};
pub use money::{MICRO, Shares, Usd};
pub use order::{Order, Report};
pub use position::{Day, Position, Settlement};
pub use price::{Price, Rounding, Tick};
pub use probability::Probability;
pub use score::{FactorScores, Skill, Tier, Verdict, WalletScore};
pub use signal::{ConfidenceModel, Signal, SignalKind};
pub use time::Timestamp;
