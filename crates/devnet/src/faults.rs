//! How a simulated node misbehaves, on command: everything a real one has been seen to do to its clients.
//!
//! The truth stays what it is meanwhile; only what is said of it goes wrong.

mod mood;
mod venue;

use std::time::Duration;

pub(crate) use self::mood::{Fate, Mood, Refusal, Spoiling};
pub(crate) use self::venue::VenueMood;
pub use self::venue::{RandomFaults, Trouble, VenueFault, VenueRoute};

/// What goes wrong, and how often. Nothing by default.
///
/// A share is the probability, from 0 to 1, with which it happens each time; chance comes from `seed`, so that
/// the same requests in the same order meet the same fate. A batch is one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Where chance begins anew when these faults are set.
    pub seed: u64,
    /// The share of requests that are held until the client leaves or other faults are set.
    pub stalled: f64,
    /// The share of requests at which the connection is dropped in the middle of the answer. A WebSocket is cut, and
    /// so it is at this share of new blocks.
    pub disconnected: f64,
    /// WebSockets stay open, but nothing is answered and nothing announced on them. HTTP goes on.
    pub silent: bool,
    /// The share of logs that stand twice in an answer; of the portal's blocks that come twice.
    pub duplicated_logs: f64,
    /// The share of notices that are sent twice.
    pub duplicated_notices: f64,
    /// An index that lags behind the chain.
    pub withheld: Option<Withheld>,
    /// Answers that are none.
    pub wrong: WrongAnswers,
    /// How many blocks it lags behind the others: another machine of the provider.
    pub behind: u64,
    /// What `eth_getLogs` refuses. Without it an answer holds 10,000 logs at most, in Infura's words.
    pub limit: Option<Limit>,
    /// "Too many requests", with the time to wait.
    pub rate_limited: Option<RateLimit>,
    /// The share of requests answered with status 503.
    pub overloaded: f64,
    /// The portal ends its stream after so many blocks of the range.
    pub stream_blocks: Option<u64>,
}

/// What an index that lags behind leaves out, for as long as a block is young.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Withheld {
    /// Blocks fewer than so many below the newest are young; 1 is the newest alone.
    pub younger_than: u64,
    /// The share of young blocks all of whose logs are missing from an answer to a range.
    pub blocks: f64,
    /// The share of single logs of young blocks that are missing from an answer to a range.
    pub logs: f64,
    /// The share of questions about a young block by its hash, and about its transactions, to which the answer is
    /// that there is no such block.
    pub unknown: f64,
}

/// Shares of answers that are none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WrongAnswers {
    /// A web page instead of JSON, under status 200.
    pub html: f64,
    /// The first half of the answer, passed off as the whole.
    pub half: f64,
    /// A number where a text should be.
    pub wrong_type: f64,
    /// One log's data short of a byte.
    pub bad_length: f64,
    /// The answer to another question's id.
    pub other_id: f64,
}

/// A provider, whose words for "too much" clients have to understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Alchemy.
    Alchemy,
    /// Infura.
    Infura,
    /// QuickNode.
    QuickNode,
    /// dRPC.
    Drpc,
    /// PublicNode.
    Publicnode,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Alchemy, Self::Infura, Self::QuickNode, Self::Drpc, Self::Publicnode];
}

/// The most that `eth_getLogs` gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// In whose words it refuses more.
    pub provider: Provider,
    /// Of what there is a most.
    pub most: Most,
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Most {
    /// Logs in an answer.
    Results(usize),
    /// Blocks in a question.
    Blocks(u64),
}

/// Status 429 with a `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// The share of requests it meets.
    pub share: f64,
    /// What the client is told to wait, in whole seconds, rounded up.
    pub retry_after: Duration,
}
