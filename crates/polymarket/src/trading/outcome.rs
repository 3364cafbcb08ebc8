//! What became of a submitted order, and what that asks for.

use std::time::Duration;

use alloy_primitives::B256;

use super::rejection::Rejection;

/// What became of a submitted order. There is no error beside it: whatever happens is one of these three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// The venue has it, under the hash it was signed with.
    Accepted(Acceptance),
    /// This request put nothing into the book.
    ///
    /// After an [`Unknown`](Self::Unknown) outcome of the same order that says nothing about the first request,
    /// [`Rejection::Duplicated`] apart: the balance that is missing now may be what the first one spent.
    Rejected(Rejection),
    /// Nobody can say. Look the order up by its hash before anything else is done with its market, and sign nothing
    /// new instead of it.
    Unknown(Doubt),
}

/// How the venue took an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// What it did with it.
    pub status: AcceptedStatus,
    /// The ids of the trades it matched in, as far as they are told. They are settled later, or fail; amounts are to
    /// be read from them alone.
    pub trades: Vec<String>,
}

/// What the venue did with an order it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptedStatus {
    /// It rests in the book.
    Live,
    /// It matched.
    Matched,
    /// It waits out a delay, and cannot be cancelled meanwhile.
    Delayed,
    /// It waited, did not match, and rests.
    Unmatched,
}

impl AcceptedStatus {
    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        Some(match name.strip_prefix("order_status_").unwrap_or(&name) {
            "live" => Self::Live,
            "matched" => Self::Matched,
            "delayed" => Self::Delayed,
            "unmatched" => Self::Unmatched,
            _ => return None,
        })
    }
}

/// Why nobody can say what became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// No answer in time, or none to the end.
    NoAnswer {
        /// What went wrong, without addresses.
        why: String,
    },
    /// The venue broke down over it.
    ServerError {
        /// The HTTP status.
        code: u16,
        /// The venue's words, shortened.
        message: String,
    },
    /// An answer that cannot be read.
    Unreadable {
        /// Why.
        why: String,
    },
    /// An acceptance of another order than the one sent.
    AnotherOrder {
        /// The id the venue named.
        named: String,
        /// The id of the order sent.
        sent: B256,
    },
    /// Yes and no at once, or a yes of a kind that is not known.
    Contradiction {
        /// What was said.
        said: String,
    },
    /// The match was put off, or the request was broken off inside the venue.
    PutOff {
        /// The venue's words, shortened.
        message: String,
    },
}

/// What an outcome asks for. Advice is data: nothing in this crate waits or tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Follow the order: its trades, its rest.
    Follow,
    /// Look the order up by its hash, after each of [`LOOK_UP_AFTER`]; where it stays unknown, the same bytes may be
    /// sent again.
    LookUp,
    /// Stop live trading altogether: the configuration is wrong, and so is every further order.
    Halt,
    /// Open nothing more; what reduces a position may still be tried.
    HaltOpens,
    /// Read the market's grid again and write the order anew.
    RefreshTick,
    /// Read balance and allowance again; do not simply repeat.
    RefreshBalance,
    /// The terms cannot stand as they are: write the order anew, or drop it.
    Rebuild,
    /// Drop the order; a new decision is needed.
    Drop,
    /// Derive credentials and read the venue's clock again, once; then [`Advice::Halt`].
    Renew,
    /// Try again after a pause, doubled each time up to [`LONGEST_PAUSE`].
    Wait {
        /// The shortest pause.
        at_least: Duration,
    },
    /// Send nothing that takes until the mode ends; cancelling may be tried.
    PauseTakers {
        /// How long, where the venue says.
        at_least: Option<Duration>,
    },
    /// The same bytes may be sent again.
    SendAgain,
}

/// After how long an order of unknown fate is looked up, counted each from the one before: half a minute in all.
pub const LOOK_UP_AFTER: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
];

/// The longest pause between two tries.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long after a restart the venue takes post-only orders alone.
pub const POST_ONLY_AFTER_RESTART: Duration = Duration::from_secs(120);

impl Submitted {
    /// What this asks for.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::Accepted(_) => Advice::Follow,
            Self::Rejected(rejection) => rejection.advice(),
            Self::Unknown(_) => Advice::LookUp,
        }
    }
}
