//! When two histories are equal: when they know the same of every wallet. In which order they learned what the
//! tokens mean, and in how many shards they keep it, is not part of that. Nor is what is worked out from the facts
//! whenever it is needed, nor where prices went after entries that were made while a conversion waited: those are
//! left out of a wallet's timing, as if they had been made too close to the end.

use std::collections::BTreeMap;

use domain::{ConditionId, Side, Timestamp, TokenId, Wallet};

use super::History;
use super::entry::Timer;
use super::person::Person;
use super::record::{Closed, Day, Record};
use super::shard::Bare;
use super::stake::Stake;
use crate::copyability::CopyabilitySums;

/// What is known of a wallet, with names instead of numbers.
#[derive(Debug, Default, PartialEq)]
struct Known {
    record: Option<Record>,
    days: Vec<Day>,
    closed: Vec<(u64, Option<TokenId>, Closed)>,
    stakes: BTreeMap<TokenId, Stake>,
    bare: BTreeMap<TokenId, Bare>,
    sums: CopyabilitySums<u32, u32>,
    waiting: Vec<(Timestamp, Option<TokenId>, Side, i64, i64)>,
}

impl PartialEq for History {
    fn eq(&self, other: &Self) -> bool {
        let groups = |history: &Self| (history.eligibility, history.seq, history.now);
        groups(self) == groups(other)
            && self.unknown() == other.unknown()
            && self.by_wallet() == other.by_wallet()
    }
}

impl History {
    /// The facts that wait for a description.
    fn unknown(&self) -> (Vec<u64>, Vec<ConditionId>) {
        let tokens = self.late.tokens.values().flatten();
        let mut waiting: Vec<u64> =
            tokens.chain(self.late.conditions.values().flatten()).map(|item| item.seq).collect();
        waiting.sort_unstable();
        (waiting, self.late.results.keys().copied().collect())
    }

    fn by_wallet(&self) -> BTreeMap<Wallet, Known> {
        let mut known: BTreeMap<Wallet, Known> = BTreeMap::new();
        for shard in &self.shards {
            let wallet = |number: u32| shard.people[number].record.wallet;
            let token = |question: u32| self.catalogue.question(question).tokens[0];
            for Person { record, copying, .. } in shard.people.iter() {
                let known = known.entry(record.wallet).or_default();
                let closed = record.closed(&shard.books).into_iter();
                known.closed = closed
                    .map(|closed| (closed.seq, token(closed.question), Closed { question: 0, ..closed }))
                    .collect();
                known.closed.sort_by_key(|(seq, token, _)| (*seq, *token));
                known.sums = copying.sums.clone();
                known.days = record.days(&shard.books);
                known.record = Some(record.alone());
            }
            for stake in shard.stakes.iter() {
                // One that is empty says nothing.
                let alone = stake.alone();
                if let Some(token) = token(stake.question).filter(|_| alone != Stake::default()) {
                    known.entry(wallet(stake.wallet)).or_default().stakes.insert(token, alone);
                }
            }
            for ((number, token), bare) in &shard.bare {
                known.entry(wallet(*number)).or_default().bare.insert(*token, bare.clone());
            }
            for timer in shard.timers.iter() {
                let Timer { due, wallet: number, question, direction, shares, cost } = *timer;
                let entry = (due, token(question), direction, shares.micros(), cost.micros());
                known.entry(wallet(number)).or_default().waiting.push(entry);
            }
        }
        known
            .values_mut()
            .for_each(|known| known.waiting.sort_by_key(|entry| (entry.0, entry.1, entry.3, entry.4)));
        known
    }
}
