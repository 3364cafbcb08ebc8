//! What a block did to its users' positions.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use domain::{ChainEvent, Fact, FeeKind, Wallet};

use super::{Decoded, decode};
use crate::attribute::{Deed, Owner, owners};
use crate::contracts::{is_protocol_contract, watched_addresses, watched_topics};
use crate::follow::ChainBlock;
use crate::log::{MalformedLog, RawLog};

/// A block, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecodedBlock {
    /// What moved a user's position, and what came of conditions; by log index.
    pub facts: Vec<Fact>,
    /// What cannot be read, or not be credited to a user.
    pub unreadable: Vec<UnreadableLog>,
}

/// A log to be kept aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableLog {
    /// Its index in the block; `None` where not even that can be read.
    pub log_index: Option<u32>,
    /// What is wrong with it.
    pub reason: String,
    /// The log as it came, in one line.
    pub raw: String,
}

/// Decodes a block's logs and credits them to users.
///
/// Matches and fees charged repeat what the fills say, and are left out, as is what the protocol does for itself.
/// A fee given back is said nowhere else.
#[must_use]
pub fn decode_block(block: &ChainBlock) -> DecodedBlock {
    let mut decoded = DecodedBlock::default();
    let mut deeds: Vec<Deed<'_>> = vec![];
    let logs = completed(block);
    for log in logs.iter() {
        match decode(log) {
            Ok(Decoded::Event(event)) if is_deed(&event) => deeds.extend(Deed::of(log, event)),
            Ok(Decoded::Event(event)) if counts(&event) => {
                decoded.facts.push(Fact { place: log.place(block.time), event });
            }
            Ok(Decoded::Event(_) | Decoded::Unknown) => {}
            Err(error) => decoded.unreadable.push(unreadable(log, error.reason.to_string())),
        }
    }
    let owners = owners(&deeds, &logs, &block.receipts);
    for (deed, owner) in deeds.into_iter().zip(owners) {
        let log = deed.log();
        match owner {
            Owner::User(user) => {
                let event = deed.credited_to(user);
                decoded.facts.push(Fact { place: log.place(block.time), event });
            }
            Owner::Told => {}
            Owner::Unknown(reason) => decoded.unreadable.push(unreadable(log, reason)),
        }
    }
    decoded.facts.sort_by_key(|fact| fact.place.log_index);
    let is_read =
        |malformed: &MalformedLog| logs.iter().any(|log| Some(log.log_index) == malformed.log_index);
    decoded.unreadable.extend(block.malformed.iter().filter(|log| !is_read(log)).map(malformed));
    decoded.unreadable.sort_by_key(|log| log.log_index);
    decoded
}

/// The block's logs, with those of its receipts that it has not, or has in a state that cannot be read: a node may
/// have left them out or garbled them. Without the log that tells whose deed it was, the same deed would be
/// credited by another log, and once more as soon as that one is found.
fn completed(block: &ChainBlock) -> Cow<'_, [RawLog]> {
    if block.receipts.is_empty() {
        return Cow::Borrowed(&block.logs);
    }
    let readable = block.logs.iter().filter(|log| decode(log).is_ok());
    let known: HashSet<u32> = readable.map(|log| log.log_index).collect();
    let (addresses, topics) = (watched_addresses(), watched_topics());
    let is_wanted = |log: &&RawLog| {
        log.block_hash == block.hash
            && !known.contains(&log.log_index)
            && addresses.contains(&log.address)
            && log.topics.first().is_some_and(|topic| topics.contains(topic))
    };
    let told = block.receipts.iter().flat_map(|receipt| &receipt.logs).filter(is_wanted);
    let mut logs: BTreeMap<u32, &RawLog> = block.logs.iter().map(|log| (log.log_index, log)).collect();
    logs.extend(told.map(|log| (log.log_index, log)));
    Cow::Owned(logs.into_values().cloned().collect())
}

fn is_deed(event: &ChainEvent) -> bool {
    matches!(
        event,
        ChainEvent::Split { .. }
            | ChainEvent::Merge { .. }
            | ChainEvent::Redemption { .. }
            | ChainEvent::Conversion { .. }
    )
}

/// Whether an event that is no deed is kept.
fn counts(event: &ChainEvent) -> bool {
    let is_user = |wallet: &Wallet| !is_protocol_contract(wallet.0);
    match event {
        ChainEvent::Fill(fill) => is_user(&fill.wallet),
        ChainEvent::Fee { kind: FeeKind::Refunded, receiver, .. } => is_user(receiver),
        ChainEvent::Match { .. } | ChainEvent::Fee { kind: FeeKind::Charged, .. } => false,
        _ => true,
    }
}

fn unreadable(log: &RawLog, reason: String) -> UnreadableLog {
    let topics: Vec<String> = log.topics.iter().map(|topic| format!("{topic:#x}")).collect();
    let raw = format!(
        "address {:#x} tx {} topics {} data {:#x}",
        log.address,
        log.tx_hash,
        topics.join(","),
        log.data
    );
    UnreadableLog { log_index: Some(log.log_index), reason, raw }
}

fn malformed(log: &MalformedLog) -> UnreadableLog {
    UnreadableLog { log_index: log.log_index, reason: log.reason.clone(), raw: log.raw.clone() }
}
