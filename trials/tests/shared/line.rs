//! A row as one line of text, from the truth and from the database in the same words: so they are compared, and
//! so a difference is shown.

use std::fmt;

use domain::{BlockHash, ChainEvent, Fee, Fill, TxHash};

/// What the chain says in one log, or what the database has of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    /// The block's height.
    pub(crate) block: u64,
    /// The log's index in it.
    pub(crate) log: u32,
    /// Everything else.
    pub(crate) text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block {} log {}: {}", self.block, self.log, self.text)
    }
}

/// Where a log stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    /// The block's height.
    pub(crate) block: u64,
    /// Its hash.
    pub(crate) hash: BlockHash,
    /// The log's index in it.
    pub(crate) log: u32,
    /// The transaction.
    pub(crate) tx: TxHash,
}

impl Line {
    /// A fill's; `orderflow_trades` gives the same in `Database::fills`.
    pub(crate) fn of_fill(spot: Spot, fill: &Fill) -> Self {
        let (fee, asset) = match fill.fee {
            Fee::Usd(fee) => (fee.micros(), "usd"),
            Fee::Shares(fee) => (fee.micros(), "shares"),
        };
        let Fill { exchange, wallet, counterparty, token, .. } = fill;
        let (role, side) = (fill.role.name(), fill.side.name());
        let (shares, usd) = (fill.shares.micros(), fill.usd.micros());
        Self::at(
            spot,
            format!("{exchange} {wallet} {counterparty} {role} {side} {token} {shares} {usd} {fee} {asset}"),
        )
    }

    /// A ledger event's, as `Database::ledger` has it: kind, wallet, condition, token, amount, payouts. `None` for
    /// what the ledger does not keep.
    pub(crate) fn of_event(spot: Spot, event: &ChainEvent) -> Option<Self> {
        let text = match event {
            ChainEvent::Split { wallet, condition, amount } => {
                format!("split {wallet} {condition} - {} -", amount.micros())
            }
            ChainEvent::Merge { wallet, condition, amount } => {
                format!("merge {wallet} {condition} - {} -", amount.micros())
            }
            ChainEvent::Redemption { wallet, condition, token, payout } => {
                let condition = condition.map_or_else(|| "-".to_owned(), |condition| condition.to_string());
                let token = token.map_or_else(|| "-".to_owned(), |token| token.to_string());
                format!("redemption {wallet} {condition} {token} {} -", payout.micros())
            }
            ChainEvent::Resolution { condition, payouts } => {
                let parts: Vec<String> = payouts.numerators().iter().map(ToString::to_string).collect();
                format!("resolution - {condition} - - {}", parts.join(","))
            }
            _ => return None,
        };
        Some(Self::at(spot, text))
    }

    fn at(spot: Spot, text: String) -> Self {
        let Spot { block, hash, log, tx } = spot;
        Self { block, log, text: format!("{hash} {tx} {text}") }
    }
}

/// Asserts that two lists of lines, by place, are the same, and shows the first differences if not.
pub(crate) fn assert_same(what: &str, truth: &[Line], found: &[Line]) {
    if truth == found {
        return;
    }
    let show = |title: &str, lines: Vec<&Line>| {
        let shown: Vec<String> = lines.iter().take(4).map(ToString::to_string).collect();
        format!("{} {title}:\n  {}", lines.len(), shown.join("\n  "))
    };
    let missing = truth.iter().filter(|line| found.binary_search(line).is_err()).collect();
    let surplus = found.iter().filter(|line| truth.binary_search(line).is_err()).collect();
    panic!(
        "{what}: {} lines in truth, {} in the database\n{}\n{}",
        truth.len(),
        found.len(),
        show("are missing", missing),
        show("should not be there", surplus)
    );
}
