//! What goes wrong in a round: one row each.

use std::time::Duration;

use devnet::{Faults, Limit, Most, Provider, RateLimit, Withheld, WrongAnswers};
use rand::{Rng, RngExt as _};

/// A kind of misbehaviour.
pub(crate) struct Trouble {
    /// How it is called when a round fails.
    pub(crate) name: &'static str,
    /// What the nodes and the portal do, in the words of a provider.
    pub(crate) faults: fn(Provider) -> Faults,
    /// Which of them.
    pub(crate) who: Who,
    /// Whether a first reading may be taken in by it, so that only the audit of what is final makes it whole.
    pub(crate) deceives: bool,
}

impl Trouble {
    /// Whether it deceives a first reading by nodes, or by the portal: that holds back nothing.
    pub(crate) fn deceives(&self, by_portal: bool) -> bool {
        let garbles = (self.faults)(Provider::Alchemy).wrong != WrongAnswers::default();
        self.deceives && (garbles || !by_portal)
    }
}

/// Who misbehaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// All of them.
    All,
    /// The first node: the others know better.
    First,
}

/// How young a block must be for its logs to be withheld: deeper than a follower looks header by header.
const YOUNG: u64 = 40;

/// All of them, each taking its turn.
pub(crate) const TROUBLES: &[Trouble] = &[
    Trouble { name: "none", faults: |_| Faults::default(), who: Who::All, deceives: false },
    Trouble {
        name: "disconnects",
        faults: |_| Faults { disconnected: 0.06, ..Faults::default() },
        who: Who::All,
        deceives: false,
    },
    Trouble {
        name: "stalls",
        faults: |_| Faults { stalled: 0.02, ..Faults::default() },
        who: Who::All,
        deceives: false,
    },
    Trouble {
        name: "silence",
        faults: |_| Faults { silent: true, ..Faults::default() },
        who: Who::First,
        deceives: false,
    },
    Trouble {
        name: "duplicates",
        faults: |_| Faults { duplicated_logs: 0.02, duplicated_notices: 0.4, ..Faults::default() },
        who: Who::All,
        deceives: false,
    },
    Trouble {
        name: "withheld blocks",
        faults: |_| withholding(Withheld { younger_than: YOUNG, blocks: 0.3, ..Withheld::default() }),
        who: Who::All,
        // Silence that is repeated when it is doubted is believed, at first.
        deceives: true,
    },
    Trouble {
        name: "withheld logs",
        faults: |_| withholding(Withheld { younger_than: YOUNG, logs: 0.1, ..Withheld::default() }),
        who: Who::All,
        deceives: true,
    },
    Trouble {
        name: "unknown blocks",
        faults: |_| withholding(Withheld { younger_than: 8, unknown: 0.2, ..Withheld::default() }),
        who: Who::All,
        deceives: false,
    },
    Trouble {
        name: "web pages and halves",
        faults: |_| wrong(WrongAnswers { html: 0.05, half: 0.05, ..WrongAnswers::default() }),
        who: Who::All,
        deceives: false,
    },
    Trouble {
        name: "wrong types",
        faults: |_| wrong(WrongAnswers { wrong_type: 0.1, ..WrongAnswers::default() }),
        who: Who::All,
        deceives: true,
    },
    Trouble {
        name: "bad lengths",
        faults: |_| wrong(WrongAnswers { bad_length: 0.1, ..WrongAnswers::default() }),
        who: Who::All,
        deceives: true,
    },
    Trouble {
        name: "answers to others",
        faults: |_| wrong(WrongAnswers { other_id: 0.05, ..WrongAnswers::default() }),
        who: Who::All,
        deceives: false,
    },
    Trouble {
        name: "a node behind",
        faults: |_| Faults { behind: 7, ..Faults::default() },
        who: Who::First,
        deceives: false,
    },
    Trouble {
        name: "too many results",
        faults: |provider| limited(provider, Most::Results(400)),
        who: Who::All,
        deceives: false,
    },
    Trouble {
        name: "too many blocks",
        faults: |provider| limited(provider, Most::Blocks(7)),
        who: Who::All,
        deceives: false,
    },
    Trouble {
        name: "too many requests",
        faults: |_| Faults {
            rate_limited: Some(RateLimit { share: 0.1, retry_after: Duration::from_secs(1) }),
            ..Faults::default()
        },
        who: Who::All,
        deceives: false,
    },
    Trouble {
        name: "overload",
        faults: |_| Faults { overloaded: 0.1, stream_blocks: Some(90), ..Faults::default() },
        who: Who::All,
        deceives: false,
    },
    Trouble { name: "everything", faults: everything, who: Who::All, deceives: true },
];

/// One provider's words; all of them come up in the course of time.
pub(crate) fn any_provider(dice: &mut impl Rng) -> Provider {
    Provider::ALL[dice.random_range(0..Provider::ALL.len())]
}

fn withholding(withheld: Withheld) -> Faults {
    Faults { withheld: Some(withheld), ..Faults::default() }
}

fn wrong(wrong: WrongAnswers) -> Faults {
    Faults { wrong, ..Faults::default() }
}

fn limited(provider: Provider, most: Most) -> Faults {
    Faults { limit: Some(Limit { provider, most }), ..Faults::default() }
}

/// A little of everything at once.
fn everything(provider: Provider) -> Faults {
    Faults {
        stalled: 0.004,
        disconnected: 0.02,
        duplicated_logs: 0.01,
        duplicated_notices: 0.1,
        withheld: Some(Withheld { younger_than: YOUNG, blocks: 0.1, logs: 0.02, unknown: 0.02 }),
        wrong: WrongAnswers { html: 0.02, half: 0.02, wrong_type: 0.01, bad_length: 0.02, other_id: 0.01 },
        limit: Some(Limit { provider, most: Most::Blocks(40) }),
        rate_limited: Some(RateLimit { share: 0.02, retry_after: Duration::from_secs(1) }),
        overloaded: 0.02,
        ..Faults::default()
    }
}
