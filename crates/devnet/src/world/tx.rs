//! What reaches the chain: transactions, and beside their logs what the world meant by them.

use alloy_primitives::B256;
use domain::ChainEvent;
use polygon::encode::LogBody;

/// A transaction: a hash, its logs in order, and what they mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tx {
    /// The hash.
    pub hash: B256,
    /// What its contracts emit.
    pub logs: Vec<LogBody>,
    /// What happened, as the world that made it happen knows it, in the order of the logs that say it.
    pub deeds: Vec<Deed>,
}

/// Something that happened to somebody, and the log of its transaction that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// The log's place in the transaction.
    pub log: usize,
    /// What happened, credited to the user and never to a contract that acted for them.
    pub event: ChainEvent,
}

impl Tx {
    /// Adds a log that says nothing new about anybody's position: a fee, a tape, a transfer, a contract's part.
    pub(crate) fn note(&mut self, log: LogBody) {
        self.logs.push(log);
    }

    /// Adds the log that says what happened.
    pub(crate) fn tell(&mut self, log: LogBody, event: ChainEvent) {
        self.deeds.push(Deed { log: self.logs.len(), event });
        self.logs.push(log);
    }
}
