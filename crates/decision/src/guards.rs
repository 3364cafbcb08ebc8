//! What stops entries whatever the signal: a person, a stale or doubtful view of the world, or the venue.

use domain::TimeInForce;

use crate::limits::Limits;
use crate::refusal::Reason;

/// What a person can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// No entries.
    Pause,
    /// Entries again.
    Resume,
    /// Leave one position.
    Close(i64),
    /// Leave all of them.
    CloseAll,
    /// Cancel every order, and no entries until it is lifted.
    Kill {
        /// Why.
        reason: String,
    },
    /// Entries again after a kill.
    Lift,
}

/// What is measured of the world's condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The age of the newest block, in microseconds.
    Chain {
        /// Its age.
        age: i64,
    },
    /// The age of the newest word of the books' feed, in microseconds.
    Books {
        /// Its age.
        age: i64,
    },
    /// How far our clock is from the venue's, in microseconds.
    Clock {
        /// The distance, either way.
        skew: i64,
    },
    /// What the venue takes.
    Venue(VenueMode),
    /// What our books and the venue's disagree about; `None` while they agree.
    Reconcile(Option<String>),
}

/// What the venue takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VenueMode {
    /// Everything.
    #[default]
    Normal,
    /// Orders that rest, and cancellations.
    PostOnly,
    /// Cancellations.
    CancelOnly,
    /// Nothing.
    Disabled,
}

impl VenueMode {
    /// The name people read.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::PostOnly => "post-only",
            Self::CancelOnly => "cancel-only",
            Self::Disabled => "disabled",
        }
    }

    /// Whether it takes an order that may stand for so long.
    #[must_use]
    pub const fn takes(self, force: TimeInForce) -> bool {
        match self {
            Self::Normal => true,
            Self::PostOnly => matches!(force, TimeInForce::PostOnly { .. }),
            Self::CancelOnly | Self::Disabled => false,
        }
    }
}

/// The state of all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    /// Whether a person paused entries.
    pub paused: bool,
    /// Why a person killed all trading, until it is lifted.
    pub killed: Option<String>,
    chain_age: i64,
    book_age: i64,
    clock_skew: i64,
    venue: VenueMode,
    disagreement: Option<String>,
}

impl Guards {
    /// With the latches that a person set, and nothing measured yet.
    #[must_use]
    pub fn latched(paused: bool, killed: Option<String>) -> Self {
        Self { paused, killed, ..Self::default() }
    }

    /// Takes a measurement in.
    pub fn measure(&mut self, guard: &Guard) {
        match guard {
            Guard::Chain { age } => self.chain_age = *age,
            Guard::Books { age } => self.book_age = *age,
            Guard::Clock { skew } => self.clock_skew = skew.saturating_abs(),
            Guard::Venue(mode) => self.venue = *mode,
            Guard::Reconcile(disagreement) => self.disagreement.clone_from(disagreement),
        }
    }

    /// Whether what was measured speaks against any entry of this kind, whatever else does.
    #[must_use]
    pub fn is_failed(guard: &Guard, limits: &Limits, force: TimeInForce) -> bool {
        let mut alone = Self::default();
        alone.measure(guard);
        alone.objection(limits, force).is_some()
    }

    /// What speaks against any entry of this kind.
    #[must_use]
    pub fn objection(&self, limits: &Limits, force: TimeInForce) -> Option<Reason> {
        if let Some(reason) = &self.killed {
            return Some(Reason::Killed { reason: reason.clone() });
        }
        if self.paused {
            return Some(Reason::Paused);
        }
        if limits.max_chain_age < self.chain_age {
            return Some(Reason::StaleChain { age: self.chain_age, limit: limits.max_chain_age });
        }
        if limits.max_book_age < self.book_age {
            return Some(Reason::StaleBook { age: self.book_age, limit: limits.max_book_age });
        }
        if limits.max_clock_skew < self.clock_skew {
            return Some(Reason::ClockSkew { skew: self.clock_skew, limit: limits.max_clock_skew });
        }
        if let Some(detail) = &self.disagreement {
            return Some(Reason::Disagreement { detail: detail.clone() });
        }
        self.refused_by_venue(force)
    }

    /// What speaks against any order of this kind, one that reduces a position among them.
    #[must_use]
    pub fn refused_by_venue(&self, force: TimeInForce) -> Option<Reason> {
        (!self.venue.takes(force)).then_some(Reason::VenueMode { mode: self.venue })
    }
}
