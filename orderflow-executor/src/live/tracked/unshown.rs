//! Matches that the venue speaks of and never shows: named with an order, or counted in what of it matched, and in no list
//! of trades however long it is looked for. An order is not kept open for them without limit.

use std::collections::VecDeque;
use std::time::Duration;

use domain::{
    Execution, Fee, Fill, OrderEvent, OrderNews, Rounding, Shares, Side, Timestamp, TradeId, TxHash, Usd,
};
use tokio::time::Instant;

use super::Tracked;

/// What becomes of them.
#[derive(Debug, PartialEq)]
pub(in super::super) struct Unshown {
    pub(in super::super) news: Vec<OrderNews>,
    /// What the books and the venue may disagree about from now on; `None` where the chain had the match.
    pub(in super::super) says: Option<String>,
}

impl Tracked {
    /// Ends the wait for what the venue does not show, if all its trades were read at a moment `patience` after it was
    /// spoken of. What the chain says counts: one of our own fills there that belongs to no match known, of exactly the
    /// shares that are missing, is it. Where the chain has none, what was said to have matched never settled.
    pub(in super::super) fn give_up_unshown(
        &mut self,
        read_at: Instant,
        patience: Duration,
        on_chain: &mut VecDeque<(TxHash, Fill)>,
        at: Timestamp,
    ) -> Option<Unshown> {
        if read_at < self.unshown_since()? + patience {
            return None;
        }
        let missing = self.missing();
        let names: Vec<TradeId> = std::mem::take(&mut self.named).into_keys().collect();
        if missing < Shares::DUST {
            let says =
                format!("order {}: the venue names {} and does not show it", self.order.id, listed(&names));
            return Some(Unshown { news: vec![], says: Some(says) });
        }
        let trade = match names.first() {
            Some(name) => name.clone(),
            None => TradeId(format!("unshown-{}", self.order.id)),
        };
        let fee_of = |fill: &Fill| match fill.fee {
            Fee::Usd(fee) => Some(fee),
            Fee::Shares(_) => None,
        };
        let (token, side) = (self.order.token, self.order.side());
        let is_it = |fill: &Fill| (fill.token, fill.side, fill.shares) == (token, side, missing);
        let place = on_chain.iter().position(|(_, fill)| is_it(fill) && fee_of(fill).is_some());
        let found = place.and_then(|place| on_chain.remove(place));
        let known = self.trades.entry(trade.clone()).or_default();
        known.is_final = true;
        let Some((transaction, fill)) = found else {
            let rounding = if side == Side::Buy { Rounding::Up } else { Rounding::Down };
            let usd = missing.at(self.order.limit, rounding);
            let never = Execution { trade: trade.clone(), shares: missing, usd, fee: Usd::ZERO };
            known.execution = Some(never.clone());
            let says = format!(
                "order {}: the venue says that {missing} more shares of it matched, and shows no trade of them ({})",
                self.order.id,
                listed(&names)
            );
            let news = [OrderEvent::Filled(never), OrderEvent::Failed(trade)];
            return Some(Unshown { news: self.told_as(news, at), says: Some(says) });
        };
        let fee = fee_of(&fill).unwrap_or(Usd::ZERO);
        let settled = Execution { trade: trade.clone(), shares: fill.shares, usd: fill.usd, fee };
        known.transaction = Some(transaction);
        known.is_checked = true;
        known.execution = Some(settled.clone());
        let news = [
            OrderEvent::Filled(settled.clone()),
            OrderEvent::Corrected(settled),
            OrderEvent::Confirmed(trade),
        ];
        Some(Unshown { news: self.told_as(news, at), says: None })
    }

    /// Since when something was spoken of that nobody has shown.
    fn unshown_since(&self) -> Option<Instant> {
        let gap = self.closed_at.filter(|_| Shares::DUST <= self.missing());
        self.named.values().copied().chain(gap).min()
    }

    /// Shares that matched by the venue's word, and are in no match known.
    fn missing(&self) -> Shares {
        self.closed.map_or(Shares::ZERO, |matched| matched - self.told())
    }

    fn told_as<const N: usize>(&self, events: [OrderEvent; N], at: Timestamp) -> Vec<OrderNews> {
        events.into_iter().map(|what| self.news(at, what)).collect()
    }
}

fn listed(names: &[TradeId]) -> String {
    match names {
        [] => "no trade is named".to_owned(),
        names => format!("trade {}", names.iter().map(|name| name.0.as_str()).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{killed, tracked, trade};
    use super::*;
    use domain::{Closing, Exchange, Role, Wallet};

    const PATIENCE: Duration = Duration::from_secs(600);
    const AT: Timestamp = Timestamp::from_micros(0);

    /// A fill of ours on the chain, of so many shares at 0.61 with a fee.
    fn fill(of: &Tracked, shares: i32) -> (TxHash, Fill) {
        let shares = Shares::whole(shares);
        let fill = Fill {
            exchange: Exchange::V2,
            wallet: Wallet::default(),
            counterparty: Wallet::default(),
            role: Role::Taker,
            side: Side::Buy,
            token: of.order.token,
            shares,
            usd: shares.at("0.61".parse().unwrap(), Rounding::Up),
            fee: Fee::Usd(Usd::from_micros(7)),
        };
        (TxHash::default(), fill)
    }

    /// Killed after thirty shares matched, of which one trade showed ten.
    fn lacking_twenty() -> Tracked {
        let mut tracked = tracked();
        tracked.on_trade(&trade("a"), AT);
        tracked.name(&["a".to_owned(), "b".to_owned()]);
        tracked.close(Closing::Killed, Shares::whole(30), AT);
        assert!(tracked.wants_trades());
        tracked
    }

    #[test]
    fn what_the_chain_has_is_what_was_not_shown() {
        let mut tracked = lacking_twenty();
        let mut on_chain = VecDeque::from([fill(&tracked, 19), fill(&tracked, 20)]);
        let early = Instant::now() + PATIENCE / 2;
        assert_eq!(tracked.give_up_unshown(early, PATIENCE, &mut on_chain, AT), None);
        let late = Instant::now() + PATIENCE;
        let found = tracked.give_up_unshown(late, PATIENCE, &mut on_chain, AT).unwrap();
        assert_eq!(found.says, None);
        let OrderEvent::Filled(execution) = &found.news[0].what else { panic!("{found:?}") };
        assert_eq!((execution.trade.0.as_str(), execution.shares), ("b", Shares::whole(20)));
        assert_eq!((execution.usd, execution.fee), (on_chain_usd(20), Usd::from_micros(7)));
        assert!(matches!(found.news[2].what, OrderEvent::Confirmed(_)));
        assert_eq!(on_chain.len(), 1, "the other fill is another's");
        assert_eq!(tracked.give_up_unshown(late + PATIENCE, PATIENCE, &mut on_chain, AT), None);
        // What remains to be learned of it is how the match that was shown ends.
        tracked.on_trade(&confirmed("a"), AT);
        tracked.confirmed(Instant::now(), Duration::ZERO, AT);
        assert!(tracked.is_over());
    }

    fn on_chain_usd(shares: i32) -> Usd {
        Shares::whole(shares).at("0.61".parse().unwrap(), Rounding::Up)
    }

    fn confirmed(id: &str) -> polymarket::trading::Trade {
        polymarket::trading::Trade { status: polymarket::trading::TradeStatus::Confirmed, ..trade(id) }
    }

    #[test]
    fn what_nobody_has_never_settled_and_is_objected_to() {
        let mut tracked = lacking_twenty();
        let late = Instant::now() + PATIENCE;
        let found = tracked.give_up_unshown(late, PATIENCE, &mut VecDeque::new(), AT).unwrap();
        let events: Vec<&OrderEvent> = found.news.iter().map(|news| &news.what).collect();
        let [OrderEvent::Filled(never), OrderEvent::Failed(trade)] = events[..] else { panic!("{events:?}") };
        assert_eq!((&never.trade, never.shares), (trade, Shares::whole(20)));
        let says = found.says.unwrap();
        assert!(says.contains("order 1") && says.contains("20") && says.contains("trade b"), "{says}");
    }

    /// A name alone, of an order whose shares are all accounted for, is given up without any news of it.
    #[test]
    fn a_name_without_shares_is_given_up() {
        let mut tracked = tracked();
        tracked.name(&["a".to_owned(), "b".to_owned()]);
        tracked.on_record(&killed(&["a"]), AT);
        tracked.on_trade(&trade("a"), AT);
        let late = Instant::now() + PATIENCE;
        assert_eq!(tracked.on_all_trades(late, PATIENCE, AT), None, "it waits for the other");
        let found = tracked.give_up_unshown(late, PATIENCE, &mut VecDeque::new(), AT).unwrap();
        assert!(found.news.is_empty() && found.says.unwrap().contains("trade b"));
        assert!(tracked.on_all_trades(late + PATIENCE, PATIENCE, AT).is_some());
    }
}
