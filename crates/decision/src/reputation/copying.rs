//! What is kept of a wallet to tell whether it could be copied, beside its record.

use domain::{Role, Timestamp};

use super::act::Trade;
use super::stake::Bet;
use crate::clv::ClvSums;
use crate::copyability::{CopyabilitySums, Dealt, DecisionClosed};

/// A wallet's ways.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(super) struct Copying {
    /// Wallets and tokens are told apart by half of their hashes.
    pub(super) sums: CopyabilitySums<u32, u32>,
    pub(super) clv: ClvSums,
}

impl Copying {
    pub(super) fn trade(&mut self, trade: &Trade) {
        let Trade { at, token, side, usd, counterparty, role, .. } = *trade;
        // Opposite a taker stands the exchange itself.
        let counterparty = (role == Role::Maker).then_some(counterparty);
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
