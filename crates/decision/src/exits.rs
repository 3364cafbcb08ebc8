//! What is remembered of positions that may be left: whom they follow, which are being left, and which price bounds they
//! have reached.

use std::collections::{BTreeMap, BTreeSet};

use domain::{ExitReason, Fill, Price, Shares, Side, Signal, TokenId, Wallet};

/// What is remembered of all positions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExitState {
    /// Whom each position follows.
    pub leads: BTreeMap<i64, Lead>,
    /// The positions that bought what a panic sold.
    pub fades: BTreeMap<i64, Fade>,
    /// The positions that are being left, and why.
    pub leaving: BTreeMap<i64, ExitReason>,
    /// The price bounds reached that were not obeyed.
    pub reached: BTreeSet<(i64, ExitReason)>,
}

/// The wallet that a position follows, and how much of its entry it has given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// The wallet.
    pub wallet: Wallet,
    /// The token it bought.
    pub token: TokenId,
    /// Shares of its entry.
    pub entry: Shares,
    /// Shares it sold since, or took back by buying the other outcome.
    pub left: Shares,
}

/// What a position that bought in a panic waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fade {
    /// The middle of the book when it was decided.
    pub from: Price,
    /// How far the panic had moved the price by then, dollars a share; `None` where nobody knows any more.
    pub drop: Option<f64>,
}

impl Fade {
    /// Whether a bid has brought back that part of the drop.
    #[must_use]
    pub fn has_come_back(&self, part: f64, bid: Price) -> bool {
        let drop = self.drop.filter(|_| 0.0 < part);
        // Half of a ten-thousandth of a cent: the grid of prices, where the sum of two floats may miss it.
        drop.is_some_and(|drop| self.from.to_f64() + part * drop <= bid.to_f64() + 5e-7)
    }
}

/// Whether a wallet has given up that part of its entry.
#[must_use]
pub fn whale_left(lead: &Lead, part: f64) -> bool {
    lead.entry.is_positive() && part * lead.entry.to_f64() <= lead.left.to_f64()
}

impl ExitState {
    /// A position follows the wallet of its signal, which has given up so many shares since the fill that led to it.
    pub(crate) fn lead(&mut self, signal: &Signal, left: Shares) {
        let entry = signal.notional.buys_at(signal.reference_price);
        let lead = Lead { wallet: signal.wallet, token: signal.token, entry, left };
        self.leads.insert(signal.id, lead);
    }

    /// A position buys what a panic sold.
    pub(crate) fn fade(&mut self, signal: &Signal) {
        let drop = Some(signal.appraisal.drop);
        self.fades.insert(signal.id, Fade { from: signal.market_price, drop });
    }

    /// Takes in a fill, whose token's only sibling is `sibling`: the positions whose lead gave something up.
    pub(crate) fn observe(&mut self, fill: &Fill, sibling: Option<TokenId>) -> Vec<i64> {
        let mut changed = vec![];
        for (position, lead) in &mut self.leads {
            let gives_up = match fill.side {
                Side::Sell => lead.token == fill.token,
                Side::Buy => sibling == Some(lead.token),
            };
            if gives_up && lead.wallet == fill.wallet {
                lead.left += fill.shares;
                changed.push(*position);
            }
        }
        changed
    }

    /// Forgets all but these positions.
    pub(crate) fn retain(&mut self, is_known: impl Fn(i64) -> bool) {
        self.leads.retain(|position, _| is_known(*position));
        self.fades.retain(|position, _| is_known(*position));
        self.leaving.retain(|position, _| is_known(*position));
        self.reached.retain(|(position, _)| is_known(*position));
    }
}
