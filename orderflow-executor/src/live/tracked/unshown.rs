//! Matches that the venue speaks of and never shows: named with an order, or counted in what of it matched, and in no list
//! of trades however long it is looked for. An order is not kept open for them without limit.

use std::collections::VecDeque;
use std::time::Duration;

use domain::{
    Execution, Fee, Fill, OrderEvent, OrderNews, Rounding, Shares, Side, Timestamp, TradeId, TxHash, Usd,
};
use tokio::time::Instant;

use super::Tracked;

/// So many of our own fills in one token are looked through for those that were not shown: all their combinations are tried.
const MOST_CANDIDATES: usize = 12;

/// What becomes of them.
#[derive(Debug, PartialEq)]
pub(in super::super) struct Unshown {
    pub(in super::super) news: Vec<OrderNews>,
    /// What the books and the venue may disagree about from now on; `None` where the chain had the match.
    pub(in super::super) says: Option<String>,
}

impl Tracked {
    /// Ends the wait for what the venue does not show, if all its trades were read at a moment `patience` after it was
    /// spoken of. What the chain says counts: of our own fills there that belong to no match known, those that add up to the
    /// shares that are missing are they, each a match of its own. What the chain does not have of what was said to have
    /// matched never settled.
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
        let settled = self.take_settled(missing, names.len(), on_chain);
        let mut names_left = (0_usize..).map(|place| self.name_of(&names, place));
        let mut ends = vec![];
        let mut never = missing;
        for (transaction, execution) in settled {
            let Some(trade) = names_left.next() else { break };
            never -= execution.shares;
            ends.push((Some(transaction), Execution { trade, ..execution }));
        }
        let mut says = None;
        if Shares::DUST <= never
            && let Some(trade) = names_left.next()
        {
            let rounding = if self.order.side() == Side::Buy { Rounding::Up } else { Rounding::Down };
            let usd = never.at(self.order.limit, rounding);
            ends.push((None, Execution { trade, shares: never, usd, fee: Usd::ZERO }));
            says = Some(format!(
                "order {}: the venue says that {never} more shares of it matched, and shows no trade of them ({})",
                self.order.id,
                listed(&names)
            ));
        }
        drop(names_left);
        let news = ends
            .into_iter()
            .flat_map(|(transaction, execution)| self.end_unshown(transaction, execution, at));
        Some(Unshown { news: news.collect(), says })
    }

    /// The name of a match that was not shown: the venue's own where it named one.
    fn name_of(&self, names: &[TradeId], place: usize) -> TradeId {
        match (names.get(place), place) {
            (Some(name), _) => name.clone(),
            (None, 0) => TradeId(format!("unshown-{}", self.order.id)),
            (None, place) => TradeId(format!("unshown-{}-{}", self.order.id, place + 1)),
        }
    }

    /// Takes those of our own fills on the chain that are the missing matches. A part of what is missing is only taken for
    /// one where the venue named several: then some of them may have settled, and others not.
    fn take_settled(
        &self,
        missing: Shares,
        named: usize,
        on_chain: &mut VecDeque<(TxHash, Fill)>,
    ) -> Vec<(TxHash, Execution)> {
        let (token, side) = (self.order.token, self.order.side());
        let execution = |fill: &Fill| match fill.fee {
            Fee::Usd(fee) if (fill.token, fill.side) == (token, side) => {
                Some(Execution { trade: TradeId(String::new()), shares: fill.shares, usd: fill.usd, fee })
            }
            Fee::Usd(_) | Fee::Shares(_) => None,
        };
        let candidates: Vec<(usize, TxHash, Execution)> = on_chain
            .iter()
            .enumerate()
            .filter_map(|(place, (transaction, fill))| Some((place, *transaction, execution(fill)?)))
            .take(MOST_CANDIDATES)
            .collect();
        let sizes: Vec<Shares> = candidates.iter().map(|(_, _, execution)| execution.shares).collect();
        let mut taken = pick(&sizes, missing, named.saturating_sub(1));
        // From behind, so that the places before stay what they are.
        taken.reverse();
        let mut settled = vec![];
        for one in taken {
            if let Some((place, transaction, execution)) = candidates.get(one) {
                on_chain.remove(*place);
                settled.push((*transaction, execution.clone()));
            }
        }
        settled.reverse();
        settled
    }

    /// A match that was not shown is at its end: as the chain has it, or never settled.
    fn end_unshown(
        &mut self,
        transaction: Option<TxHash>,
        execution: Execution,
        at: Timestamp,
    ) -> Vec<OrderNews> {
        let trade = execution.trade.clone();
        let known = self.trades.entry(trade.clone()).or_default();
        known.is_final = true;
        known.transaction = transaction;
        known.is_checked = transaction.is_some();
        known.execution = Some(execution.clone());
        let events = match transaction {
            Some(_) => vec![
                OrderEvent::Filled(execution.clone()),
                OrderEvent::Corrected(execution),
                OrderEvent::Confirmed(trade),
            ],
            None => vec![OrderEvent::Filled(execution), OrderEvent::Failed(trade)],
        };
        events.into_iter().map(|what| self.news(at, what)).collect()
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
}

/// Which of these make up what is missing: those that are exactly it, as few as that takes; else, if a part may be so few of
/// them, the largest part.
fn pick(sizes: &[Shares], missing: Shares, most_of_part: usize) -> Vec<usize> {
    let mut best: Vec<usize> = vec![];
    let mut best_sum = Shares::ZERO;
    for mask in 1_u32..1 << sizes.len().min(MOST_CANDIDATES) {
        let chosen: Vec<usize> = (0..sizes.len()).filter(|place| mask & (1 << place) != 0).collect();
        let sum: Shares = chosen.iter().filter_map(|place| sizes.get(*place)).copied().sum();
        let is_allowed = sum == missing || sum < missing && chosen.len() <= most_of_part;
        let is_better = best_sum < sum || best_sum == sum && chosen.len() < best.len();
        if is_allowed && is_better {
            (best, best_sum) = (chosen, sum);
        }
    }
    best
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

    /// Killed after thirty shares matched, in three trades of which one showed ten.
    fn lacking_two() -> Tracked {
        let mut tracked = lacking_twenty();
        tracked.name(&["c".to_owned()]);
        tracked
    }

    fn ends(found: &Unshown) -> Vec<(String, i64, bool)> {
        let shares = |id: &TradeId| {
            found.news.iter().find_map(|news| match &news.what {
                OrderEvent::Filled(execution) if execution.trade == *id => {
                    Some(execution.shares.micros() / 1_000_000)
                }
                _ => None,
            })
        };
        let end = |news: &OrderNews| match &news.what {
            OrderEvent::Confirmed(id) => Some((id.0.clone(), shares(id)?, true)),
            OrderEvent::Failed(id) => Some((id.0.clone(), shares(id)?, false)),
            _ => None,
        };
        found.news.iter().filter_map(end).collect()
    }

    /// The chain has both, and neither is exactly what is missing: each is a match of its own, and nothing is objected to.
    #[test]
    fn two_that_were_not_shown_are_two() {
        let mut tracked = lacking_two();
        let mut on_chain = VecDeque::from([fill(&tracked, 8), fill(&tracked, 5), fill(&tracked, 12)]);
        let late = Instant::now() + PATIENCE;
        let found = tracked.give_up_unshown(late, PATIENCE, &mut on_chain, AT).unwrap();
        assert_eq!(ends(&found), [("b".to_owned(), 8, true), ("c".to_owned(), 12, true)]);
        assert_eq!(found.says, None);
        assert_eq!(on_chain, [fill(&tracked, 5)]);
        assert!(tracked.named.is_empty() && tracked.missing() == Shares::ZERO);
    }

    /// The chain has one of two: it is ours, the other never settled, and somebody is told.
    #[test]
    fn what_settled_of_two_is_kept_apart_from_what_did_not() {
        let mut tracked = lacking_two();
        let mut on_chain = VecDeque::from([fill(&tracked, 8), fill(&tracked, 25)]);
        let late = Instant::now() + PATIENCE;
        let found = tracked.give_up_unshown(late, PATIENCE, &mut on_chain, AT).unwrap();
        assert_eq!(ends(&found), [("b".to_owned(), 8, true), ("c".to_owned(), 12, false)]);
        assert!(found.says.unwrap().contains("12"));
        assert!(tracked.named.is_empty() && tracked.missing() == Shares::ZERO);
        // Of one that is named, no part is believed.
        let mut tracked = lacking_twenty();
        let mut on_chain = VecDeque::from([fill(&tracked, 8)]);
        let late = Instant::now() + PATIENCE;
        let found = tracked.give_up_unshown(late, PATIENCE, &mut on_chain, AT).unwrap();
        assert_eq!(ends(&found), [("b".to_owned(), 20, false)]);
    }
}
