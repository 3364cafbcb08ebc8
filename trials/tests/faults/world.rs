//! The simulated chain, and its truth in the words that the database is compared in.

use std::collections::BTreeSet;

use devnet::{Devnet, DevnetConfig, Faults, Head, Provider};
use domain::{BlockHash, ChainEvent, Timestamp};
use service::CancellationToken;

use crate::line::{Line, Spot};
use crate::trouble::{Trouble, Who};

/// When its present begins.
const START: Timestamp = Timestamp::from_seconds(1_795_420_800);
/// How deep below the head a block is final: the deepest reorganisation spares what is final.
pub(crate) const FINALITY: u64 = 64;

/// How many blocks its past has, about: one stands for four minutes.
pub(crate) const HISTORY: u64 = DAYS as u64 * 24 * 15;
/// How long its past is.
const DAYS: u32 = 6;

/// A small fast world of two nodes and a portal: a block each tenth of a second.
pub(crate) struct World {
    pub(crate) devnet: Devnet,
    _stop: Stop,
}

/// Ends the world with the test.
struct Stop(CancellationToken);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl World {
    /// The same seed gives the same past.
    pub(crate) async fn start(seed: u64) -> Self {
        service::process::use_tls();
        let stop = CancellationToken::new();
        let config = DevnetConfig {
            seed,
            speed: 15.0,
            wallets: 400,
            skilled: 10,
            history_days: DAYS,
            nodes: 2,
            finality: FINALITY,
            ..DevnetConfig::default()
        };
        let devnet = Devnet::start(config, START, stop.clone()).await.unwrap();
        Self { devnet, _stop: Stop(stop) }
    }

    /// From now on this goes wrong.
    pub(crate) fn misbehave(&self, trouble: &Trouble, provider: Provider, seed: u64) {
        let faults = Faults { seed, ..(trouble.faults)(provider) };
        match trouble.who {
            Who::All => {
                self.devnet.set_faults(faults.clone());
                self.devnet.set_portal_faults(faults);
            }
            Who::First => self.devnet.set_faults_of(0, faults),
        }
    }

    /// From now on all are honest.
    pub(crate) fn behave(&self) {
        self.devnet.set_faults(Faults::default());
        self.devnet.set_portal_faults(Faults::default());
    }

    /// The newest block.
    pub(crate) fn head(&self) -> Head {
        self.devnet.head()
    }

    /// Every fill of the chain as it is.
    pub(crate) fn fills(&self) -> Vec<Line> {
        let fills = self.devnet.canonical_fills();
        let line = |truth: &devnet::TruthFill| {
            let spot = Spot {
                block: truth.block_number,
                hash: truth.block_hash,
                log: truth.log_index,
                tx: truth.tx_hash,
            };
            Line::of_fill(spot, &truth.fill)
        };
        fills.iter().map(line).collect()
    }

    /// Everything else that the ledger keeps of it.
    pub(crate) fn ledger(&self) -> Vec<Line> {
        let line = |truth: &devnet::TruthEvent| {
            let spot = Spot {
                block: truth.block_number,
                hash: truth.block_hash,
                log: truth.log_index,
                tx: truth.tx_hash,
            };
            Line::of_event(spot, &truth.event)
        };
        self.devnet.canonical_ledger().iter().filter_map(line).collect()
    }

    /// The conditions that were prepared on it, with their tokens.
    pub(crate) fn conditions(&self) -> BTreeSet<String> {
        let told = |event: &ChainEvent| match event {
            ChainEvent::Preparation { condition, tokens: [first, second] } => {
                Some(format!("{condition} {first},{second}"))
            }
            _ => None,
        };
        self.devnet.canonical_ledger().iter().filter_map(|truth| told(&truth.event)).collect()
    }

    /// The hashes of its blocks with fills.
    pub(crate) fn hashes(&self) -> BTreeSet<BlockHash> {
        self.devnet.canonical_fills().iter().map(|truth| truth.block_hash).collect()
    }
}
