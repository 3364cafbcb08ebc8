//! What wallets of standing traded of each token in the last hours.
//!
//! The tapes of all fills reach back as far as a panic does. Who agrees with whom, and who stands against whom, is asked
//! over a longer time, and of wallets of standing alone, so that theirs are kept apart: to keep everybody's would take
//! hundreds of times the memory.

use std::collections::{BTreeMap, VecDeque};

use domain::{Fill, Side, Timestamp, TokenId, Usd, Wallet};

/// A purchase, or below zero a sale.
#[derive(Clone, Copy, Debug)]
struct Flow {
    at: Timestamp,
    wallet: Wallet,
    usd: Usd,
}

/// Their purchases and sales, by token.
#[derive(Clone, Debug)]
pub struct Flows {
    /// How far back they are kept, in microseconds before the newest of their token.
    kept: i64,
    flows: BTreeMap<TokenId, VecDeque<Flow>>,
    swept: Timestamp,
}

impl Flows {
    /// None yet.
    #[must_use]
    pub const fn new(kept: i64) -> Self {
        Self { kept, flows: BTreeMap::new(), swept: Timestamp::from_micros(i64::MIN) }
    }

    /// How far back they are kept, in microseconds.
    #[must_use]
    pub const fn kept(&self) -> i64 {
        self.kept
    }

    /// Adds a fill. One that comes late takes its place among the others.
    pub fn observe(&mut self, fill: &Fill, at: Timestamp) {
        self.sweep(at);
        let usd = if fill.side == Side::Buy { fill.usd } else { -fill.usd };
        let flows = self.flows.entry(fill.token).or_default();
        let place = flows.partition_point(|other| other.at <= at);
        flows.insert(place, Flow { at, wallet: fill.wallet, usd });
        let newest = flows.back().map_or(at, |newest| newest.at);
        while flows.front().is_some_and(|oldest| self.kept < newest.micros_since(oldest.at)) {
            flows.pop_front();
        }
    }

    /// What each wallet that `counts` names net bought of a token from a moment on and before another, in dollars; negative
    /// for sales.
    pub fn net_bought(
        &self,
        token: TokenId,
        from: Timestamp,
        until: Timestamp,
        counts: impl Fn(Wallet) -> bool,
    ) -> BTreeMap<Wallet, Usd> {
        let mut net: BTreeMap<Wallet, Usd> = BTreeMap::new();
        let Some(flows) = self.flows.get(&token) else { return net };
        let first = flows.partition_point(|flow| flow.at < from);
        for flow in flows.range(first..).take_while(|flow| flow.at < until) {
            if counts(flow.wallet) {
                *net.entry(flow.wallet).or_default() += flow.usd;
            }
        }
        net
    }

    /// Forgets the tokens that none of them trades any more, now and then.
    fn sweep(&mut self, at: Timestamp) {
        if self.kept <= at.micros_since(self.swept) {
            let kept = self.kept;
            self.flows
                .retain(|_, flows| flows.back().is_some_and(|newest| at.micros_since(newest.at) <= kept));
            self.swept = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Exchange, Fee, Role, Shares};

    fn fill(wallet: u8, side: Side, usd: i32) -> Fill {
        let wallet: Wallet = format!("0x{wallet:040x}").parse().unwrap();
        let (token, shares) = (TokenId::default(), Shares::whole(usd));
        let (role, usd, fee) = (Role::Taker, Usd::whole(usd), Fee::NONE);
        Fill { exchange: Exchange::V2, wallet, counterparty: wallet, role, side, token, shares, usd, fee }
    }

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_micros(minute * Timestamp::MINUTE)
    }

    fn net(flows: &Flows, from: i64, until: i64) -> Vec<i64> {
        let net = flows.net_bought(TokenId::default(), minute(from), minute(until), |_| true);
        net.into_values().map(|usd| usd.micros() / domain::MICRO).collect()
    }

    #[test]
    fn flows_count_by_their_time_in_whatever_order_they_came() {
        let mut flows = Flows::new(60 * Timestamp::MINUTE);
        for (at, wallet, side, usd) in
            [(50, 1, Side::Buy, 500), (10, 1, Side::Buy, 100), (30, 1, Side::Sell, 40), (40, 2, Side::Buy, 7)]
        {
            flows.observe(&fill(wallet, side, usd), minute(at));
        }
        assert_eq!(net(&flows, 10, 51), [560, 7]);
        assert_eq!(net(&flows, 11, 50), [-40, 7]);
        // An hour after the first of them it is still there, and then it is not.
        flows.observe(&fill(2, Side::Buy, 1), minute(70));
        assert_eq!(net(&flows, 0, 99), [560, 8]);
        flows.observe(&fill(2, Side::Buy, 1), minute(71));
        assert_eq!(net(&flows, 0, 99), [460, 9]);
    }

    #[test]
    fn what_nobody_trades_any_more_is_forgotten() {
        let mut flows = Flows::new(60 * Timestamp::MINUTE);
        flows.observe(&fill(1, Side::Buy, 1), minute(0));
        flows.observe(&Fill { token: "7".parse().unwrap(), ..fill(1, Side::Buy, 1) }, minute(61));
        assert_eq!(flows.flows.len(), 1);
    }
}
