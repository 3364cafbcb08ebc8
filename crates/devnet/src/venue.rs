//! The venue behind the CLOB: accounts, signed orders, the matching of them, and what becomes of a match on the
//! chain.
//!
//! It trusts nothing that comes in and knows nothing of the clients that talk to it: signatures, amounts and
//! balances are checked here from the contracts' own rules, so that a client that passes is right and not merely
//! of the same mind.

mod account;
mod checks;
mod control;
mod events;
mod fills;
mod keys;
mod ledger;
mod order;
mod passive;
mod queries;
mod refusal;
mod settle;
mod signing;
mod trade;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use alloy_primitives::{Address, B256, keccak256};
use domain::Timestamp;
use tokio::sync::broadcast;

use self::account::Account;
pub(crate) use self::account::Asset;
pub use self::account::{AccountTruth, OpenAccount, SignatureType};
use self::control::Controls;
pub(crate) use self::control::restarting;
pub use self::control::{Mode, Settlement, SocketFaults};
pub(crate) use self::events::Told;
pub(crate) use self::fills::Depth;
use self::keys::Beat;
pub(crate) use self::keys::is_fresh;
pub(crate) use self::keys::{ApiKey, Credentials};
use self::order::Order;
pub use self::order::OrderStatus;
pub(crate) use self::order::{Placed, Wish};
pub(crate) use self::queries::{OrderFilter, TradeFilter};
pub(crate) use self::refusal::Refusal;
pub(crate) use self::signing::attests;
use self::trade::Match;
pub use self::trade::TradeStatus;

/// Who reads too slowly misses events, as on the real channel.
const BACKLOG: usize = 1_024;

/// Everything the venue knows of outside traders.
#[derive(Debug)]
pub(crate) struct Venue {
    /// By the wallet that holds the money.
    accounts: BTreeMap<Address, Account>,
    /// By the key's public part.
    keys: HashMap<String, ApiKey>,
    /// Keys that were taken back: none of these names is made again.
    revoked: HashSet<String>,
    /// Every order ever taken in.
    orders: BTreeMap<B256, Order>,
    /// Orders that rest, by market, the oldest first.
    resting: BTreeMap<usize, Vec<B256>>,
    /// Orders that wait for the taker delay's end.
    delayed: Vec<(Timestamp, B256)>,
    /// Every match of an outside order, in order.
    matches: Vec<Match>,
    /// Matches that are not at their end.
    unsettled: Vec<usize>,
    /// What outside orders took from the world's levels since its makers looked last: by market, the first
    /// outcome's side and its price.
    eaten: HashMap<(usize, domain::Side, u32), i64>,
    /// Answered markets whose winners wait for their dollars.
    answered: Vec<usize>,
    beats: HashMap<String, Beat>,
    /// Markets whose books have changed since anybody was told.
    touched: BTreeSet<usize>,
    controls: Controls,
    told: broadcast::Sender<Told>,
    /// Counts what needs a name of its own.
    names: u64,
}

impl Venue {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            accounts: BTreeMap::new(),
            keys: HashMap::new(),
            revoked: HashSet::new(),
            orders: BTreeMap::new(),
            resting: BTreeMap::new(),
            delayed: Vec::new(),
            matches: Vec::new(),
            unsettled: Vec::new(),
            eaten: HashMap::new(),
            answered: Vec::new(),
            beats: HashMap::new(),
            touched: BTreeSet::new(),
            controls: Controls::new(seed),
            told: broadcast::Sender::new(BACKLOG),
            names: 0,
        }
    }

    /// What happens to outside orders, from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Told> {
        self.told.subscribe()
    }

    /// A word nobody has had before.
    fn fresh_word(&mut self) -> B256 {
        self.names += 1;
        keccak256([b"a name of the simulated venue".as_slice(), &self.names.to_be_bytes()].concat())
    }

    /// Markets whose books have changed since this was asked last.
    pub(crate) fn take_touched(&mut self) -> BTreeSet<usize> {
        std::mem::take(&mut self.touched)
    }

    fn fresh_uuid(&mut self) -> String {
        uuid(self.fresh_word())
    }
}

/// A word's first half as a random UUID is written.
fn uuid(word: B256) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&word[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = alloy_primitives::hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
