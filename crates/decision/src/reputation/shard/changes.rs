//! What changes a wallet's shares without a trade: splits, merges, conversions, what is given back and what is
//! collected; and the shares of tokens that nobody has described.

use domain::{Shares, Side, Timestamp, TokenId, Usd};

use super::super::act::{Conversion, Own};
use super::super::record::Closed;
use super::{ROUNDING, Scene, Shard};
use crate::ledger::equal_parts;

impl Shard {
    pub(super) fn own(&mut self, wallet: u32, own: &Own, seq: u64, at: Timestamp) {
        match own {
            Own::Pairs { questions, amount } => self.regroup(wallet, questions.clone(), *amount, seq, at),
            Own::Shares { seat, shares } => {
                let scene = self.scene(wallet, seat.question, seq, at);
                self.book(scene, usize::from(seat.outcome), Usd::ZERO, *shares);
            }
            Own::Bare { token, shares } => self.book_bare(wallet, *token, Usd::ZERO, *shares, at),
            Own::Dollars(usd) => self.people[wallet].record.realize(&mut self.books, *usd, at),
            Own::Collect { question, payout } => {
                let scene = self.scene(wallet, *question, seq, at);
                let stake = &mut self.stakes[scene.place];
                stake.owed -= *payout;
                if self.has_result(*question, seq) {
                    self.reckon(scene);
                }
            }
            Own::Convert(conversion) => self.convert(wallet, conversion, seq, at),
            Own::Described(token) => self.forget_bare(wallet, *token),
        }
    }

    /// A split buys every outcome at an equal part of a dollar; a merge sells them so.
    pub(super) fn regroup(
        &mut self,
        wallet: u32,
        questions: std::ops::Range<u32>,
        amount: Shares,
        seq: u64,
        at: Timestamp,
    ) {
        let sums = &mut self.people[wallet].copying.sums;
        if amount.is_positive() {
            sums.split()
        } else {
            sums.merge()
        }
        let lone = questions.len();
        if lone == 1 {
            let scene = self.scene(wallet, questions.start, seq, at);
            let done = self.stakes[scene.place].book_pairs(amount);
            self.finish(scene, done);
            return;
        }
        let cash = -Usd::from_micros(amount.micros());
        for (question, part) in questions.zip(equal_parts(cash, lone)) {
            let scene = self.scene(wallet, question, seq, at);
            self.book(scene, 0, part, amount);
        }
    }

    /// Shares against some questions leave at what they cost on average, `n − 1` dollars for each of the `n` come in,
    /// and shares for all others arrive at what is left of the cost, an equal part each. It can be less than nothing.
    /// Where there are no others, everything is cash, an equal part for each.
    pub(super) fn convert(&mut self, wallet: u32, conversion: &Conversion, seq: u64, at: Timestamp) {
        let Conversion { against, others, amount } = conversion;
        let count = i64::try_from(against.len()).unwrap_or(i64::MAX);
        let cash = Usd::from_micros(amount.micros().saturating_mul(count - 1));
        let mut parts = equal_parts(cash, against.len());
        let mut cost = -cash;
        let mut is_unknown = false;
        for question in against {
            let scene = self.scene(wallet, *question, seq, at);
            let stake = &mut self.stakes[scene.place];
            let part = parts.next().unwrap_or_default();
            let own_cost = stake.holdings[1].cost_of(*amount);
            let brings = if others.is_empty() { part } else { own_cost };
            cost += own_cost;
            if stake.holdings[1].shares - *amount < -Shares::DUST {
                is_unknown = true;
                stake.doubt();
            }
            self.book(scene, 1, brings, -*amount);
        }
        for (question, part) in others.iter().zip(equal_parts(cost, others.len())) {
            let scene = self.scene(wallet, *question, seq, at);
            self.book(scene, 0, -part, *amount);
            if is_unknown {
                self.stakes[scene.place].doubt();
            }
        }
    }

    /// Whoever collected more than the result has paid for had shares that were never seen arriving.
    pub(super) fn reckon(&mut self, scene: Scene) {
        let stake = &mut self.stakes[scene.place];
        let excess = -stake.owed;
        if excess <= Usd::ZERO {
            return;
        }
        stake.owed = Usd::ZERO;
        stake.holdings[0].realized += excess;
        let person = &mut self.people[scene.wallet];
        person.record.realize(&mut self.books, excess, scene.at);
        if ROUNDING < excess {
            person.record.close(
                &mut self.books,
                Closed {
                    seq: scene.seq,
                    at: scene.at,
                    opened: scene.at,
                    question: scene.question,
                    direction: Side::Buy,
                    shares: Shares::ZERO,
                    cost: Usd::ZERO,
                    pnl: excess,
                    is_unknown: true,
                },
            );
        }
    }

    pub(super) fn book_bare(
        &mut self,
        wallet: u32,
        token: TokenId,
        cash: Usd,
        change: Shares,
        at: Timestamp,
    ) {
        let bare = self.bare.entry((wallet, token)).or_default();
        let realized = bare.holding.book(cash, change);
        if realized != Usd::ZERO {
            bare.days.push((at, realized));
        }
        self.people[wallet].record.realize(&mut self.books, realized, at);
        self.moved_bare.push((wallet, token));
    }

    /// What was booked of a token by itself is taken back, because it comes again with what it means.
    pub(super) fn forget_bare(&mut self, wallet: u32, token: TokenId) {
        for (at, realized) in self.bare.remove(&(wallet, token)).unwrap_or_default().days {
            self.people[wallet].record.realize(&mut self.books, -realized, at);
        }
    }
}
