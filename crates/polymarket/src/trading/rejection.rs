//! Why the venue did not take an order: its own sentences, made into a closed set.

use std::time::Duration;

use super::outcome::Advice;

/// Why the venue took no order. Texts are the venue's own, shortened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The configuration is wrong: key, wallet, credentials or the form of orders.
    #[error("wrong configuration: {message}")]
    Misconfigured {
        /// What exactly.
        fault: ConfigFault,
        /// The venue's words.
        message: String,
    },
    /// The credentials or the clock are wrong.
    #[error("not authorised: {message}")]
    Unauthorized {
        /// The venue's words.
        message: String,
    },
    /// The request was turned away before the venue saw it, by address or region.
    #[error("turned away: {message}")]
    Forbidden {
        /// The words, if any.
        message: String,
    },
    /// The address is banned.
    #[error("banned: {message}")]
    Banned {
        /// The venue's words.
        message: String,
    },
    /// The address may only close what it holds.
    #[error("closed-only: {message}")]
    ClosedOnly {
        /// The venue's words.
        message: String,
    },
    /// The price is not on the grid.
    #[error("off the grid: {message}")]
    Tick {
        /// The venue's words.
        message: String,
    },
    /// The order is too small.
    #[error("too small: {message}")]
    Size {
        /// The venue's words.
        message: String,
    },
    /// The amounts have too many decimals, or do not fit together.
    #[error("rounding: {message}")]
    Rounding {
        /// The venue's words.
        message: String,
    },
    /// The venue has had this very order before.
    #[error("already received")]
    Duplicated,
    /// Not enough money or shares, or no allowance for the exchange.
    #[error("balance: {message}")]
    Balance {
        /// The venue's words.
        message: String,
    },
    /// The expiration cannot stand.
    #[error("expiration: {message}")]
    Expiration {
        /// The venue's words.
        message: String,
    },
    /// A post-only order would have matched.
    #[error("crosses the book: {message}")]
    Crosses {
        /// The venue's words.
        message: String,
    },
    /// Nothing to match a fill-and-kill order with.
    #[error("nothing to match: {message}")]
    NoMatch {
        /// The venue's words.
        message: String,
    },
    /// Not enough to fill a fill-or-kill order.
    #[error("not to be filled wholly: {message}")]
    NotFilled {
        /// The venue's words.
        message: String,
    },
    /// The market takes no orders: not yet, or no more.
    #[error("market takes no orders: {message}")]
    MarketClosed {
        /// The venue's words.
        message: String,
    },
    /// The order was cancelled on the chain.
    #[error("cancelled on the chain: {message}")]
    CancelledOnChain {
        /// The venue's words.
        message: String,
    },
    /// Market, book or route are not known to the venue; new markets take minutes.
    #[error("not found: {message}")]
    NotFound {
        /// The venue's words.
        message: String,
    },
    /// The order waited too long before it reached the book.
    #[error("timed out before the book")]
    TimedOutInQueue,
    /// The engine restarts.
    #[error("restarting")]
    Restarting,
    /// Too many requests.
    #[error("too many requests")]
    RateLimited {
        /// The pause asked for.
        retry_after: Option<Duration>,
    },
    /// The venue is in a restricted mode.
    #[error("venue in {mode:?} mode")]
    Mode {
        /// Which.
        mode: VenueMode,
        /// How long, where it says so.
        retry_after: Option<Duration>,
    },
    /// No connection was made, so nothing was sent.
    #[error("not sent: {why}")]
    NotSent {
        /// Why not.
        why: String,
    },
    /// A refusal in words that are not known.
    #[error("refused ({code}): {message}")]
    Other {
        /// The HTTP status.
        code: u16,
        /// The venue's words.
        message: String,
    },
}

/// What is configured wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigFault {
    /// The body is not what the venue reads.
    Payload,
    /// The order's owner is not the API key.
    Owner,
    /// The API key belongs to another signer.
    Signer,
    /// The signature is wrong.
    Signature,
    /// Signed for another version of the exchange.
    Version,
    /// New accounts must use a deposit wallet.
    Maker,
}

/// A restricted mode of the whole venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VenueMode {
    /// Only orders that cannot match at once.
    PostOnly,
    /// Only cancels.
    CancelOnly,
    /// Nothing.
    Disabled,
}

/// What a sentence of the venue means.
#[derive(Debug)]
pub(super) enum Meaning {
    /// It took no order.
    Refusal(Rejection),
    /// The fate of the order is open.
    Open,
    /// The sentence is not known.
    Unknown,
}

type Make = fn(String, Option<Duration>) -> Rejection;

/// The venue's sentences by what is peculiar to each, in lower case; the first that fits counts. From its list of
/// error codes, and from reports of what its servers write beyond that list.
const SENTENCES: &[(&str, Make)] = &[
    ("invalid order payload", |message, _| ConfigFault::Payload.rejection(message)),
    ("order owner has to be", |message, _| ConfigFault::Owner.rejection(message)),
    ("order signer address has to be", |message, _| ConfigFault::Signer.rejection(message)),
    ("invalid signature", |message, _| ConfigFault::Signature.rejection(message)),
    ("order_version_mismatch", |message, _| ConfigFault::Version.rejection(message)),
    ("maker address not allowed", |message, _| ConfigFault::Maker.rejection(message)),
    ("post-only mode", |_, retry_after| Rejection::Mode { mode: VenueMode::PostOnly, retry_after }),
    ("post_only_mode", |_, retry_after| Rejection::Mode { mode: VenueMode::PostOnly, retry_after }),
    ("cancel-only", |_, retry_after| Rejection::Mode { mode: VenueMode::CancelOnly, retry_after }),
    ("trading is currently disabled", |_, retry_after| Rejection::Mode {
        mode: VenueMode::Disabled,
        retry_after,
    }),
    ("closed only mode", |message, _| Rejection::ClosedOnly { message }),
    ("closed-only mode", |message, _| Rejection::ClosedOnly { message }),
    ("address banned", |message, _| Rejection::Banned { message }),
    ("duplicated", |_, _| Rejection::Duplicated),
    ("tick size", |message, _| Rejection::Tick { message }),
    ("lower than the minimum", |message, _| Rejection::Size { message }),
    ("marketable buy order", |message, _| Rejection::Size { message }),
    ("not enough balance", |message, _| Rejection::Balance { message }),
    ("balance is not enough", |message, _| Rejection::Balance { message }),
    ("allowance is not enough", |message, _| Rejection::Balance { message }),
    ("invalid expiration", |message, _| Rejection::Expiration { message }),
    ("post-only order", |message, _| Rejection::Crosses { message }),
    ("crosses the book", |message, _| Rejection::Crosses { message }),
    ("crosses book", |message, _| Rejection::Crosses { message }),
    ("no orders found to match", |message, _| Rejection::NoMatch { message }),
    ("no matching orders", |message, _| Rejection::NoMatch { message }),
    ("fully filled", |message, _| Rejection::NotFilled { message }),
    ("filled or killed", |message, _| Rejection::NotFilled { message }),
    ("max accuracy", |message, _| Rejection::Rounding { message }),
    ("rounding issues", |message, _| Rejection::Rounding { message }),
    ("has a discrepancy", |message, _| Rejection::Rounding { message }),
    ("canceled in the ctf exchange", |message, _| Rejection::CancelledOnChain { message }),
    ("not yet ready", |message, _| Rejection::MarketClosed { message }),
    ("not accepting orders", |message, _| Rejection::MarketClosed { message }),
    ("market is closed", |message, _| Rejection::MarketClosed { message }),
    ("market is not active", |message, _| Rejection::MarketClosed { message }),
    ("order timed out", |_, _| Rejection::TimedOutInQueue),
    ("too many requests", |_, retry_after| Rejection::RateLimited { retry_after }),
    ("unauthorized", |message, _| Rejection::Unauthorized { message }),
    ("invalid api key", |message, _| Rejection::Unauthorized { message }),
    ("invalid l1 request headers", |message, _| Rejection::Unauthorized { message }),
    ("no orderbook exists", |message, _| Rejection::NotFound { message }),
    ("not found", |message, _| Rejection::NotFound { message }),
];

impl Meaning {
    /// What a sentence means, whatever the status it came with.
    pub(super) fn of(sentence: &str, retry_after: Option<Duration>) -> Self {
        let text = sentence.to_lowercase();
        if text.contains("context canceled") || text.contains("order match delayed") {
            return Self::Open;
        }
        match SENTENCES.iter().find(|(part, _)| text.contains(part)) {
            Some((_, make)) => Self::Refusal(make(sentence.to_owned(), retry_after)),
            None => Self::Unknown,
        }
    }
}

impl Rejection {
    /// What this asks for.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::Misconfigured { .. } | Self::Forbidden { .. } => Advice::Halt,
            Self::Banned { .. } | Self::ClosedOnly { .. } => Advice::HaltOpens,
            Self::Unauthorized { .. } => Advice::Renew,
            Self::Tick { .. } => Advice::RefreshTick,
            Self::Balance { .. } => Advice::RefreshBalance,
            Self::Rounding { .. } | Self::Expiration { .. } | Self::Crosses { .. } => Advice::Rebuild,
            Self::Duplicated => Advice::LookUp,
            Self::Size { .. }
            | Self::NoMatch { .. }
            | Self::NotFilled { .. }
            | Self::MarketClosed { .. }
            | Self::CancelledOnChain { .. }
            | Self::NotFound { .. }
            | Self::Other { .. } => Advice::Drop,
            Self::TimedOutInQueue => Advice::SendAgain,
            Self::Restarting | Self::NotSent { .. } => Advice::Wait { at_least: Duration::from_secs(1) },
            Self::RateLimited { retry_after: Some(pause) } => Advice::Wait { at_least: *pause },
            Self::RateLimited { retry_after: None } => Advice::Wait { at_least: Duration::from_secs(1) },
            Self::Mode { retry_after, .. } => Advice::PauseTakers { at_least: *retry_after },
        }
    }
}

impl ConfigFault {
    const fn rejection(self, message: String) -> Rejection {
        Rejection::Misconfigured { fault: self, message }
    }
}
