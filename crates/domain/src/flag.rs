//! The named reasons against copying a wallet. None changes its score; any one bars it from FOLLOW_WHALE.
//! Their limits are explained in `ORDER_FLOW_STRATEGY.md` §3.

/// Why a wallet is not to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlagKind {
    /// The part of its opening volume that rested in the book: it is paid for waiting, which a copier is not.
    MarketMaker,
    /// The part of its cost that is hedged by the other outcome.
    Hedged,
    /// Splits and merges for each trade.
    Sets,
    /// Merges for each split.
    Merges,
    /// The part of its decisions that belong to three or more in one neg-risk event.
    Baskets,
    /// The median minutes it holds.
    ShortHolds,
    /// Its decisions on the busiest of the last 30 days.
    ManyDecisions,
    /// The markets it entered in the last 30 days.
    ManyMarkets,
    /// The part of its decisions that were bought at 0.95 and above.
    Sweeper,
    /// The part of its opening volume in markets that last 15 minutes or less.
    UltraShortMarkets,
    /// How concentrated its volume is on few counterparties (Herfindahl–Hirschman index).
    FewCounterparties,
    /// The part of its volume that was traded back with the same counterparty within ten minutes.
    RoundTrips,
    /// The part of its decisions that sold shares nobody saw arrive.
    TruncatedHistory,
}

/// A reason with its figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flag {
    /// Which.
    pub kind: FlagKind,
    /// What was found.
    pub figure: f64,
    /// What it is compared with.
    pub limit: f64,
}

impl FlagKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::MarketMaker,
        Self::Hedged,
        Self::Sets,
        Self::Merges,
        Self::Baskets,
        Self::ShortHolds,
        Self::ManyDecisions,
        Self::ManyMarkets,
        Self::Sweeper,
        Self::UltraShortMarkets,
        Self::FewCounterparties,
        Self::RoundTrips,
        Self::TruncatedHistory,
    ];

    /// The name in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MarketMaker => "market-maker",
            Self::Hedged => "hedged",
            Self::Sets => "splits-and-merges",
            Self::Merges => "merges",
            Self::Baskets => "baskets",
            Self::ShortHolds => "short-holds",
            Self::ManyDecisions => "many-decisions",
            Self::ManyMarkets => "many-markets",
            Self::Sweeper => "sweeper",
            Self::UltraShortMarkets => "ultra-short-markets",
            Self::FewCounterparties => "few-counterparties",
            Self::RoundTrips => "round-trips",
            Self::TruncatedHistory => "truncated-history",
        }
    }

    /// The flag of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The figure from which copying cannot work. In the kind's own unit: a part of 1, minutes or a count.
    #[must_use]
    pub const fn limit(self) -> f64 {
        match self {
            Self::MarketMaker => 0.60,
            Self::Hedged => 0.15,
            Self::Sets | Self::Baskets | Self::RoundTrips => 0.20,
            Self::Merges | Self::Sweeper | Self::UltraShortMarkets => 0.50,
            Self::ShortHolds => 15.0,
            Self::ManyDecisions => 200.0,
            Self::ManyMarkets => 1_000.0,
            Self::FewCounterparties => 0.30,
            Self::TruncatedHistory => 0.05,
        }
    }
}

impl Flag {
    /// Whether the figure speaks against copying: above the limit, or for holding times below it.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        match self.kind {
            FlagKind::ShortHolds => self.figure < self.limit,
            _ => self.limit < self.figure,
        }
    }
}
