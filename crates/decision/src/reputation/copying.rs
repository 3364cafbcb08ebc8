//! What is kept of a wallet to tell whether it could be copied, beside its record.

use domain::{Fill, Role, Timestamp};

use super::interner::Spread as _;
use super::stake::Bet;
use crate::clv::ClvSums;
use crate::copyability::{CopyabilitySums, Dealt, DecisionClosed};

/// A wallet's ways.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(super) struct Copying {
    /// Wallets and tokens are told apart by 32 bits of their hashes: enough to tell the few that matter, and the
    /// same whatever has been described.
    pub(super) sums: CopyabilitySums<u32, u32>,
    pub(super) clv: ClvSums,
}

impl Copying {
    pub(super) fn trade(&mut self, fill: &Fill, at: Timestamp) {
        // Opposite a taker stands the exchange itself.
        let counterparty = (fill.role == Role::Maker).then(|| half(fill.counterparty.spread()));
        let (token, side, usd) = (half(fill.token.spread()), fill.side, fill.usd);
        self.sums.trade(&Dealt { at, token, side, usd, counterparty });
    }

    pub(super) fn close(&mut self, bet: &Bet, at: Timestamp) {
        self.sums.close(&DecisionClosed {
            held: at.micros_since(bet.opened),
            yes_cost: bet.spent[0],
            no_cost: bet.spent[1],
            is_cost_known: !bet.is_unknown,
        });
    }
}

impl Copying {
    /// Reads what a trade will need, lest it waits for it.
    pub(super) fn touch(&self) -> u64 {
        self.sums.touch()
    }

    /// Reads whom fills were dealt with.
    pub(super) fn touch_dealt(&self) -> u64 {
        self.sums.touch_dealt()
    }

    /// Reads what the end of a decision will need.
    pub(super) fn touch_closing(&self) -> u64 {
        self.sums.touch_closing()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "half of a hash is asked for")]
const fn half(spread: u64) -> u32 {
    spread as u32
}
