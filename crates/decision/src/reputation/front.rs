//! What nearly every fill asks of its question, apart from the board, which has a great deal more and is only looked at
//! when there is something to do on it.

use domain::{Market, Timestamp};

use crate::copyability::is_ultra_short;

/// The front of a question's board: half a line of memory, so that those of all open questions stay near at hand.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(super) struct Front {
    /// No print up to this moment, itself included, changes anything for the entries that wait.
    pub(super) quiet: Timestamp,
    /// When the result came; later than anything where there is none.
    over: Timestamp,
    /// The last price of the first token in millionths; zero before the first.
    pub(super) price: u32,
    /// How many prints the watch has not been told of.
    pub(super) untold: u32,
    siblings: u32,
    pub(super) is_ultra_short: bool,
}

/// No number of siblings.
const ALONE: u32 = u32::MAX;
const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

impl Default for Front {
    fn default() -> Self {
        Self { quiet: NEVER, over: NEVER, price: 0, untold: 0, siblings: ALONE, is_ultra_short: false }
    }
}

impl Front {
    /// Takes over what a description says.
    pub(super) fn describe(&mut self, market: &Market, siblings: Option<u32>) {
        self.is_ultra_short = is_ultra_short(&market.slug);
        self.siblings = siblings.unwrap_or(ALONE);
    }

    /// Whether the result came before a moment.
    pub(super) fn is_over_before(&self, moment: Timestamp) -> bool {
        self.over < moment
    }

    /// Whether the result came by a moment.
    pub(super) fn is_over_by(&self, moment: Timestamp) -> bool {
        self.over <= moment
    }

    /// The number of those among which the question stands.
    pub(super) fn siblings(&self) -> Option<u32> {
        Some(self.siblings).filter(|number| *number != ALONE)
    }

    /// The result came.
    pub(super) fn end(&mut self, at: Timestamp) {
        self.over = at.min(NEVER.plus_micros(-1));
    }

    /// Whether there is a result.
    pub(super) fn is_over(&self) -> bool {
        self.over < NEVER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_is_half_a_line() {
        assert_eq!((size_of::<Front>(), align_of::<Front>()), (32, 32));
    }
}
