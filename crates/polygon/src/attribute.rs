//! Whose deed it was.
//!
//! Splits, merges, redemptions and conversions pass through several contracts, each of which may name the one
//! before it: a user calls a collateral adapter, which calls the neg-risk adapter, which calls the conditional
//! tokens. One deed then leaves up to three logs, of which the outermost that names a user counts, and where
//! none does, the shares that moved in the same transaction tell. What an exchange does while it matches orders
//! is told by the fills already. Pure.

mod deed;
mod moves;

use std::collections::{HashMap, HashSet};

use alloy_primitives::{Address, B256};
use alloy_sol_types::SolEvent;
use domain::{TxHash, Wallet};

use crate::abi::{v1, v2};
use crate::contracts::{Kind, NEG_RISK_ADAPTER, exchange_of, is_protocol_contract, kind_of};
use crate::decode::{Decoded, decode};
use crate::follow::Receipt;
use crate::log::RawLog;
pub(crate) use deed::Deed;
use deed::DeedKind;
pub(crate) use moves::{LEDGERS, TRANSFERS, is_transfer};

/// The transactions of a block of whose deeds the block's own logs do not say whose they were: their receipts
/// are needed, which hold also the logs that nobody asked for.
#[must_use]
pub fn wanting_receipts(logs: &[RawLog]) -> Vec<TxHash> {
    let deeds: Vec<Deed<'_>> = logs.iter().filter_map(deed_at_sight).collect();
    if deeds.is_empty() {
        return vec![];
    }
    let transactions = Transactions::of(&deeds, logs);
    let mut wanting: Vec<TxHash> = vec![];
    for deed in &deeds {
        let tx_hash = deed.log.tx_hash;
        if transactions.sight(deed) == Sight::Hidden && !wanting.contains(&tx_hash) {
            wanting.push(tx_hash);
        }
    }
    wanting
}

/// Most logs are of fills, and a condition's preparation is costly to decode: neither is a deed.
fn deed_at_sight(log: &RawLog) -> Option<Deed<'_>> {
    if exchange_of(log.address).is_some() || !log.topics.first().is_some_and(deed::is_deed) {
        return None;
    }
    match decode(log) {
        Ok(Decoded::Event(event)) => Deed::of(log, event),
        _ => None,
    }
}

/// Whose a deed was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This user's.
    User(Wallet),
    /// Another log tells it.
    Told,
    /// Nobody can say, and why.
    Unknown(String),
}

/// Whose the deeds of a block were, one for each. `logs` are all of the block's.
pub(crate) fn owners(deeds: &[Deed<'_>], logs: &[RawLog], receipts: &[Receipt]) -> Vec<Owner> {
    if deeds.is_empty() {
        return vec![];
    }
    let transactions = Transactions::of(deeds, logs);
    let owner = |deed: &Deed<'_>| match transactions.sight(deed) {
        Sight::User(user) => Owner::User(Wallet(user)),
        Sight::Told => Owner::Told,
        Sight::Hidden => {
            let receipt = receipts.iter().find(|receipt| receipt.tx_hash == deed.log.tx_hash);
            by_receipt(deed, &transactions, receipt)
        }
    };
    deeds.iter().map(owner).collect()
}

fn by_receipt(deed: &Deed<'_>, transactions: &Transactions<'_>, receipt: Option<&Receipt>) -> Owner {
    let unknown = |why: &str| {
        let Deed { kind, actor, .. } = deed;
        Owner::Unknown(format!("{kind} through {actor:#x}, a contract of the protocol, {why}"))
    };
    let Some(receipt) = receipt else {
        return unknown("and there is no receipt that says for whom");
    };
    let twins = transactions.deeds_of(deed.log.tx_hash).iter().filter(|other| other.is_twin(deed));
    match moves::user_of(deed, twins.map(|twin| twin.log.log_index), &receipt.logs) {
        Ok(user) => Owner::User(Wallet(user)),
        Err(why) => unknown(&why.to_string()),
    }
}

/// What the block's own logs say of a deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    User(Address),
    Told,
    Hidden,
}

/// The deeds of a block by transaction, and who matched orders in which.
struct Transactions<'a> {
    deeds: HashMap<TxHash, Vec<&'a Deed<'a>>>,
    matches: HashSet<(TxHash, Address)>,
    matched: HashSet<TxHash>,
}

impl<'a> Transactions<'a> {
    fn of(deeds: &'a [Deed<'a>], logs: &[RawLog]) -> Self {
        let mut grouped: HashMap<TxHash, Vec<&Deed<'_>>> = HashMap::new();
        for deed in deeds {
            grouped.entry(deed.log.tx_hash).or_default().push(deed);
        }
        let matching = logs.iter().filter(|log| is_match(log) && grouped.contains_key(&log.tx_hash));
        let matches: HashSet<_> = matching.map(|log| (log.tx_hash, log.address)).collect();
        let matched = matches.iter().map(|(tx_hash, _)| *tx_hash).collect();
        Self { deeds: grouped, matches, matched }
    }

    fn deeds_of(&self, tx_hash: TxHash) -> &[&'a Deed<'a>] {
        self.deeds.get(&tx_hash).map(Vec::as_slice).unwrap_or_default()
    }

    fn sight(&self, deed: &Deed<'_>) -> Sight {
        if !is_protocol_contract(deed.actor) {
            return Sight::User(deed.actor);
        }
        let others = self.deeds_of(deed.log.tx_hash);
        if self.is_matching(deed) || others.iter().any(|other| tells(other, deed)) {
            return Sight::Told;
        }
        match deed.recipients() {
            [Some(one), other] if other.is_none_or(|other| other == one) && !is_protocol_contract(one) => {
                Sight::User(one)
            }
            _ => Sight::Hidden,
        }
    }

    /// Whether an exchange made or unmade sets of shares to match orders, itself or through an adapter.
    fn is_matching(&self, deed: &Deed<'_>) -> bool {
        let tx_hash = deed.log.tx_hash;
        let regroups = matches!(deed.kind, DeedKind::Split | DeedKind::Merge);
        regroups
            && match exchange_of(deed.actor) {
                Some(_) => self.matches.contains(&(tx_hash, deed.actor)),
                None => self.matched.contains(&tx_hash),
            }
    }
}

/// Whether `outer` is the same deed as `inner`, told by the contract that had it done.
fn tells(outer: &Deed<'_>, inner: &Deed<'_>) -> bool {
    if outer.log.log_index == inner.log.log_index {
        return false;
    }
    let is_same = outer.kind == inner.kind && outer.subject == inner.subject;
    if is_same && outer.log.address == inner.actor {
        return true;
    }
    // A conversion makes the shares of the other answers by splits that it does not tell one by one.
    let regroups = matches!(inner.kind, DeedKind::Split | DeedKind::Merge);
    if inner.actor == NEG_RISK_ADAPTER && outer.log.address == NEG_RISK_ADAPTER {
        return outer.kind == DeedKind::Conversion && regroups;
    }
    // The redeemer goes through adapters that name it, or one another.
    is_same
        && inner.kind == DeedKind::Redemption
        && kind_of(outer.log.address) == Some(Kind::AutoRedeemer)
        && kind_of(inner.log.address) != Some(Kind::AutoRedeemer)
}

/// Whether an exchange tells of matched orders here.
fn is_match(log: &RawLog) -> bool {
    const TOPICS: [B256; 2] = [v2::OrderFilled::SIGNATURE_HASH, v1::OrderFilled::SIGNATURE_HASH];
    log.topics.first().is_some_and(|topic| TOPICS.contains(topic)) && exchange_of(log.address).is_some()
}

#[cfg(test)]
mod tests;
