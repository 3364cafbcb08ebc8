//! The engine after a restart of its process, made from the engine before it.

use std::collections::BTreeMap;

use domain::Shares;

use super::Engine;
use super::backers::Backers;
use crate::exits::ExitState;
use crate::fade::Tapes;
use crate::follow::Entries;
use crate::guards::Guards;

impl Engine {
    /// What a process finds that takes up this engine's work: what is remembered of positions, markets, verdicts and
    /// results, but no recent fills, nothing that was waited for, and nothing measured of the world. The caller tells it
    /// the fills anew, as a process that begins does.
    #[must_use]
    pub fn restarted(self, guards: Guards, left: &BTreeMap<i64, Shares>) -> Self {
        let mut exits = self.exits;
        for (position, lead) in &mut exits.leads {
            lead.left = left.get(position).copied().unwrap_or(lead.left);
        }
        Self {
            entries: Entries::default(),
            tapes: Tapes::default(),
            backers: Backers::default(),
            waiting: BTreeMap::new(),
            guards,
            exits,
            ..self
        }
    }

    /// What is remembered of positions that may be left.
    #[must_use]
    pub const fn exits(&self) -> &ExitState {
        &self.exits
    }

    /// The last numbers given.
    #[must_use]
    pub const fn last(&self) -> super::Last {
        super::Last { signal: self.last_signal, order: self.last_order }
    }
}
