//! When the selling of a token is a panic of wallets that are usually wrong (`ORDER_FLOW_STRATEGY.md` §6).

mod tape;

use std::collections::{BTreeMap, BTreeSet};

use domain::{Fill, Price, Role, Shares, Side, Timestamp, TokenId, Usd, Wallet};

use crate::refit::logit;
use tape::{Print, Tape};

/// How long a panic takes at most.
pub(crate) const WINDOW: i64 = 15 * Timestamp::MINUTE;
const BASELINE: i64 = 60 * Timestamp::MINUTE;
/// One panic a token in this time.
const REARM: i64 = 60 * Timestamp::MINUTE;
/// A seller counts from this many dollars.
const MIN_SOLD: Usd = Usd::whole(50);
/// All of them together count from this many.
const MIN_SOLD_TOGETHER: Usd = Usd::whole(1_000);
/// Selling that moves the price by less is no panic: this many dollars a share, and this part of the price.
const MIN_DROP: f64 = 0.05;
const MIN_DROP_PART: f64 = 0.10;

/// How far back fills must be known for every window to be complete.
pub const LOOKBACK: i64 = WINDOW + BASELINE;

/// A panic that asks to be judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Panic {
    /// Who sells.
    pub sellers: BTreeSet<Wallet>,
    /// Dollars they took out.
    pub notional: Usd,
    /// Dollars that all sellers took out by selling into bids.
    pub sold: Usd,
    /// Their average price.
    pub price: Price,
    /// How far the price is below its average of the hour before, dollars a share.
    pub drop: f64,
    /// The same in log-odds.
    pub fall: f64,
    /// Which of them sold last.
    pub last: Wallet,
}

/// What makes selling a panic, as far as it is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// How many must sell.
    pub least_sellers: usize,
    /// For how long the price must have set no new low, in microseconds; 0: nobody waits.
    pub calm: i64,
}

/// The last prints of every token.
#[derive(Clone, Debug, Default)]
pub struct Tapes {
    prints: BTreeMap<TokenId, Tape>,
    asked: BTreeMap<TokenId, Timestamp>,
    swept: Timestamp,
    /// What happened before is not told, because a restart lies between; `None` where nothing is left out.
    begun: Option<Timestamp>,
}

impl Tapes {
    /// All fills from a moment on are told after a restart, and none before.
    pub const fn begin(&mut self, since: Timestamp) {
        self.begun = Some(since);
    }

    /// Adds a fill to its token's tape.
    pub fn observe(&mut self, fill: &Fill, at: Timestamp) {
        self.sweep(at);
        if fill.shares < Shares::DUST {
            return;
        }
        let print = Print {
            at,
            wallet: fill.wallet,
            side: fill.side,
            is_taker: fill.role == Role::Taker,
            usd: fill.usd,
            shares: fill.shares,
        };
        self.prints.entry(fill.token).or_default().push(print);
    }

    /// Whether enough wallets that `panics` names sell the token now, and move its price; asking is remembered.
    pub fn ask(
        &mut self,
        token: TokenId,
        at: Timestamp,
        trigger: Trigger,
        panics: impl Fn(Wallet) -> bool,
    ) -> Option<Panic> {
        if self.asked.get(&token).is_some_and(|asked| at.micros_since(*asked) < REARM) {
            return None;
        }
        let panic = self.panic(token, at, trigger, panics)?;
        self.asked.insert(token, at);
        Some(panic)
    }

    /// Remembers that a token's panic has been judged; for a restart.
    pub fn remember(&mut self, token: TokenId, at: Timestamp) {
        let asked = self.asked.entry(token).or_insert(at);
        *asked = (*asked).max(at);
    }

    fn panic(
        &self,
        token: TokenId,
        at: Timestamp,
        trigger: Trigger,
        panics: impl Fn(Wallet) -> bool,
    ) -> Option<Panic> {
        let tape = self.prints.get(&token)?;
        // The price is known at once, and hardly ever has it fallen; who sold is asked of each print.
        let baseline = tape.baseline(at)?.to_f64();
        let now = tape.latest()?.price()?.to_f64();
        let drop = baseline - now;
        if drop < MIN_DROP.max(MIN_DROP_PART * baseline) || !is_calm(tape, at, trigger.calm) {
            return None;
        }
        let mut net: BTreeMap<Wallet, (Usd, Shares)> = BTreeMap::new();
        for print in tape.minutes_to(at).filter(|print| panics(print.wallet)) {
            let (usd, shares) = net.entry(print.wallet).or_default();
            let sign = if print.side == Side::Sell { 1 } else { -1 };
            *usd += if sign > 0 { print.usd } else { -print.usd };
            *shares += if sign > 0 { print.shares } else { -print.shares };
        }
        net.retain(|_, (usd, shares)| MIN_SOLD <= *usd && shares.is_positive());
        let notional: Usd = net.values().map(|(usd, _)| *usd).sum();
        let shares: Shares = net.values().map(|(_, shares)| *shares).sum();
        if net.len() < trigger.least_sellers || notional < MIN_SOLD_TOGETHER {
            return None;
        }
        let is_last = |print: &&Print| print.side == Side::Sell && net.contains_key(&print.wallet);
        let last = tape.minutes_to(at).filter(is_last).last()?.wallet;
        let into_bids = |print: &&Print| print.side == Side::Sell && print.is_taker;
        Some(Panic {
            sellers: net.into_keys().collect(),
            notional,
            sold: tape.minutes_to(at).filter(into_bids).map(|print| print.usd).sum(),
            price: Price::average(notional, shares)?,
            drop,
            fall: logit(baseline) - logit(now),
            last,
        })
    }

    /// What each wallet that `counts` names net bought of a token since a moment, in dollars; negative for sales.
    pub fn net_bought(
        &self,
        token: TokenId,
        since: Timestamp,
        counts: impl Fn(Wallet) -> bool,
    ) -> BTreeMap<Wallet, Usd> {
        let mut net: BTreeMap<Wallet, Usd> = BTreeMap::new();
        for print in self.prints.get(&token).into_iter().flat_map(|tape| tape.since(since)) {
            if counts(print.wallet) {
                let bought = net.entry(print.wallet).or_default();
                *bought += if print.side == Side::Buy { print.usd } else { -print.usd };
            }
        }
        net
    }

    /// From when on all fills of a token are known that happened; `None` where nobody traded it lately.
    #[must_use]
    pub fn known_from(&self, token: TokenId) -> Option<Timestamp> {
        let latest = self.prints.get(&token)?.latest()?;
        Some(latest.at.plus_micros(-LOOKBACK)).max(self.begun)
    }

    /// What a wallet net bought of a token in shares, from a moment on and before another.
    pub fn flow(&self, wallet: Wallet, token: TokenId, from: Timestamp, until: Timestamp) -> Shares {
        let prints = self.prints.get(&token).into_iter().flat_map(|tape| tape.since(from));
        prints
            .take_while(|print| print.at < until)
            .filter(|print| print.wallet == wallet)
            .map(|print| if print.side == Side::Buy { print.shares } else { -print.shares })
            .sum()
    }

    /// Shares that a wallet gave up of a token, or of what it stands for by buying the only other outcome, from a moment on.
    pub fn given_up(
        &self,
        wallet: Wallet,
        token: TokenId,
        sibling: Option<TokenId>,
        from: Timestamp,
    ) -> Shares {
        let of = |token: TokenId, side: Side| -> Shares {
            let prints = self.prints.get(&token).into_iter().flat_map(|tape| tape.since(from));
            prints
                .filter(|print| print.wallet == wallet && print.side == side)
                .map(|print| print.shares)
                .sum()
        };
        of(token, Side::Sell) + sibling.map_or(Shares::ZERO, |other| of(other, Side::Buy))
    }

    /// How far a token's last print of the panic's minutes stands above the average of the hour before them, dollars
    /// a share; `None` without prints in both.
    pub fn moved(&self, token: TokenId, at: Timestamp) -> Option<f64> {
        let tape = self.prints.get(&token)?;
        let latest = tape.latest().filter(|print| at.micros_since(print.at) <= WINDOW)?;
        Some(latest.price()?.to_f64() - tape.baseline(at)?.to_f64())
    }

    /// Forgets the tokens nobody trades any more, now and then.
    fn sweep(&mut self, at: Timestamp) {
        if at.micros_since(self.swept) >= BASELINE {
            self.prints
                .retain(|_, tape| tape.latest().is_some_and(|newest| at.micros_since(newest.at) <= LOOKBACK));
            self.asked.retain(|_, asked| at.micros_since(*asked) < REARM);
            self.swept = at;
        }
    }
}

/// Whether the price has set no new low in the last of a panic's minutes. The first print of them sets one.
fn is_calm(tape: &Tape, at: Timestamp, calm: i64) -> bool {
    if calm <= 0 {
        return true;
    }
    let mut low: Option<(Price, Timestamp)> = None;
    for print in tape.minutes_to(at) {
        let Some(price) = print.price() else { continue };
        if low.is_none_or(|(lowest, _)| price < lowest) {
            low = Some((price, print.at));
        }
    }
    low.is_some_and(|(_, set)| calm <= at.micros_since(set))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Exchange, Fee, Role};

    fn wallet(last_byte: u8) -> Wallet {
        format!("0x{:040x}", last_byte).parse().unwrap()
    }

    fn sell(seller: u8, shares: i32, cents: u32) -> Fill {
        let shares = Shares::whole(shares);
        Fill {
            exchange: Exchange::V2,
            wallet: wallet(seller),
            counterparty: Wallet::default(),
            role: Role::Taker,
            side: Side::Sell,
            token: TokenId::default(),
            shares,
            usd: shares.at(Price::from_ppm(cents * 10_000).unwrap(), domain::Rounding::Down),
            fee: Fee::NONE,
        }
    }

    const FIVE: Trigger = Trigger { least_sellers: 5, calm: 0 };

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_micros(minute * Timestamp::MINUTE)
    }

    fn panic_of(sellers: u8) -> Option<Panic> {
        let mut tapes = Tapes::default();
        tapes.observe(&sell(200, 100, 60), minute(0));
        let mut last = None;
        for seller in 1..=sellers {
            let at = minute(30 + i64::from(seller));
            tapes.observe(&sell(seller, 600, 60 - u32::from(seller) * 2), at);
            last = last.or(tapes.ask(TokenId::default(), at, FIVE, |wallet_| wallet_ != wallet(200)));
        }
        last
    }

    #[test]
    fn five_panicking_sellers_are_a_panic_and_four_are_not() {
        assert_eq!(panic_of(4), None);
        let panic = panic_of(5).unwrap();
        assert_eq!(panic.sellers.len(), 5);
        assert!((panic.drop - 0.10).abs() < 1e-9);
    }

    #[test]
    fn a_token_panics_once_an_hour() {
        let mut tapes = Tapes::default();
        tapes.observe(&sell(200, 100, 60), minute(0));
        let mut panics = 0;
        for seller in 1..=20 {
            let at = minute(30);
            tapes.observe(&sell(seller, 600, 50), at);
            panics += u8::from(tapes.ask(TokenId::default(), at, FIVE, |_| true).is_some());
        }
        assert_eq!(panics, 1);
    }
}
