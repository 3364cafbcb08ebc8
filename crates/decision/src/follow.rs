//! When a whale's buying is worth a look: fills become entries, and an entry asks once.
//!
//! Prints of one order arrive by the dozen, so fills of a wallet in a token with gaps of ten minutes at
//! most, one hour at most in all, are one entry (`ORDER_FLOW_STRATEGY.md` §5). An entry is a candidate when
//! its dollars cross a threshold, and again only when they have doubled since.

use std::collections::BTreeMap;

use domain::{Fill, Price, Role, Shares, Side, Timestamp, TokenId, Usd, Wallet};

const MAX_GAP: i64 = 10 * Timestamp::MINUTE;
const MAX_LENGTH: i64 = Timestamp::HOUR;

/// So far may a block's time be ahead of ours.
const CLOCKS: i64 = Timestamp::MINUTE;

/// How far back fills must be known for every entry to be complete.
pub const LOOKBACK: i64 = MAX_LENGTH;

/// An entry that asks to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Dollars so far.
    pub notional: Usd,
    /// Those of them that took what rested.
    pub taken: Usd,
    /// The average price paid so far.
    pub price: Price,
    /// When the entry began.
    pub since: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    first: Timestamp,
    last: Timestamp,
    usd: Usd,
    taken: Usd,
    shares: Shares,
    asked_at: Option<Usd>,
    followed: bool,
}

/// The entries under way.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    open: BTreeMap<(Wallet, TokenId), Entry>,
    swept: Timestamp,
}

impl Entries {
    /// Adds a fill to its wallet's entry. Every wallet's, because any may become a whale.
    pub fn observe(&mut self, fill: &Fill, at: Timestamp) {
        self.sweep(at);
        if fill.side != Side::Buy {
            return;
        }
        let fresh = Entry {
            first: at,
            last: at,
            usd: Usd::ZERO,
            taken: Usd::ZERO,
            shares: Shares::ZERO,
            asked_at: None,
            followed: false,
        };
        let entry = self.open.entry((fill.wallet, fill.token)).or_insert(fresh);
        if is_over(entry, at) {
            *entry = fresh;
        }
        entry.last = at;
        entry.usd += fill.usd;
        if fill.role == Role::Taker {
            entry.taken += fill.usd;
        }
        entry.shares += fill.shares;
    }

    /// Whether the wallet's entry asks to be judged now; asking is remembered.
    pub fn ask(&mut self, wallet: Wallet, token: TokenId, threshold: Usd) -> Option<Candidate> {
        let entry = self.open.get_mut(&(wallet, token))?;
        let doubled = entry.asked_at.is_none_or(|asked| asked + asked <= entry.usd);
        if entry.followed || entry.usd < threshold || !doubled {
            return None;
        }
        entry.asked_at = Some(entry.usd);
        let Entry { first: since, usd: notional, taken, shares, .. } = *entry;
        Price::average(notional, shares).map(|price| Candidate { notional, taken, price, since })
    }

    /// Remembers that the entry under way `at` that moment asked with `notional` dollars, and whether a signal
    /// followed: it is one signal an entry. For the engine itself, and for its restart, which may come between a
    /// signal and the end of what led to it: the entry's fills are observed only after that.
    pub fn remember(&mut self, wallet: Wallet, token: TokenId, notional: Usd, followed: bool, at: Timestamp) {
        let unseen = Entry {
            first: at,
            last: at,
            usd: Usd::ZERO,
            taken: Usd::ZERO,
            shares: Shares::ZERO,
            asked_at: None,
            followed: false,
        };
        let entry = self.open.entry((wallet, token)).or_insert(unseen);
        // A newer entry asks for itself; an older one was over when this one asked.
        if at.plus_micros(CLOCKS) < entry.first {
            return;
        }
        if is_over(entry, at) {
            *entry = unseen;
        }
        entry.asked_at = entry.asked_at.max(Some(notional));
        entry.followed |= followed;
    }

    /// Forgets what is over, now and then.
    fn sweep(&mut self, at: Timestamp) {
        if at.micros_since(self.swept) >= MAX_GAP {
            self.open.retain(|_, entry| !is_over(entry, at));
            self.swept = at;
        }
    }
}

fn is_over(entry: &Entry, at: Timestamp) -> bool {
    MAX_GAP < at.micros_since(entry.last) || MAX_LENGTH < at.micros_since(entry.first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Exchange, Fee, Role};

    fn buy(usd: i32) -> Fill {
        Fill {
            exchange: Exchange::V2,
            wallet: Wallet::default(),
            counterparty: Wallet::default(),
            role: Role::Taker,
            side: Side::Buy,
            token: TokenId::default(),
            shares: Shares::whole(usd * 2),
            usd: Usd::whole(usd),
            fee: Fee::NONE,
        }
    }

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_micros(minute * Timestamp::MINUTE)
    }

    fn ask(entries: &mut Entries) -> Option<i64> {
        entries
            .ask(Wallet::default(), TokenId::default(), Usd::whole(500))
            .map(|candidate| candidate.notional.micros() / domain::MICRO)
    }

    #[test]
    fn prints_add_up_and_ask_once_until_doubled() {
        let mut entries = Entries::default();
        let mut asked = vec![];
        for print in 0..10 {
            entries.observe(&buy(200), minute(print));
            asked.extend(ask(&mut entries));
        }
        assert_eq!(asked, [600, 1_200]);
    }

    #[test]
    fn a_gap_begins_a_new_entry() {
        let mut entries = Entries::default();
        entries.observe(&buy(400), minute(0));
        entries.observe(&buy(400), minute(11));
        assert_eq!(ask(&mut entries), None);
    }

    #[test]
    fn a_followed_entry_asks_no_more() {
        let mut entries = Entries::default();
        entries.observe(&buy(600), minute(0));
        assert_eq!(ask(&mut entries), Some(600));
        entries.remember(Wallet::default(), TokenId::default(), Usd::whole(600), true, minute(0));
        entries.observe(&buy(6_000), minute(1));
        assert_eq!(ask(&mut entries), None);
    }

    /// After a crash between a signal and the end of the item that led to it, the item is read again.
    #[test]
    fn an_entry_that_was_followed_before_its_fills_were_observed_asks_no_more() {
        let mut entries = Entries::default();
        let (wallet, token) = (Wallet::default(), TokenId::default());
        entries.remember(wallet, token, Usd::whole(600), true, minute(1));
        entries.observe(&buy(600), minute(1).plus_micros(-2_000_000));
        assert_eq!(ask(&mut entries), None);
        // The same where an older entry is known that was over by then.
        entries.remember(wallet, token, Usd::whole(600), true, minute(20));
        entries.observe(&buy(600), minute(20).plus_micros(-2_000_000));
        assert_eq!(ask(&mut entries), None);
        // What was refused is looked at again once it has doubled, as if there had been no crash.
        entries.remember(wallet, token, Usd::whole(600), false, minute(40));
        entries.observe(&buy(600), minute(40));
        assert_eq!(ask(&mut entries), None);
        entries.observe(&buy(600), minute(41));
        assert_eq!(ask(&mut entries), Some(1_200));
    }

    #[test]
    fn sales_are_no_entries() {
        let mut entries = Entries::default();
        entries.observe(&Fill { side: Side::Sell, ..buy(600) }, minute(0));
        assert_eq!(ask(&mut entries), None);
    }
}
