//! The numbers of a refusal by name, as scripts and statistics read them.

use domain::Figure;

use super::Reason;

impl Reason {
    /// The numbers that decided, each under its name.
    #[must_use]
    pub fn figures(&self) -> Vec<(&'static str, Figure)> {
        use Figure::{Condition, Count, Duration, Number, Price, Shares, Text, Time, Usd};
        match self {
            Self::Stale { age, limit } => vec![("age", Duration(*age)), ("maximum", Duration(*limit))],
            Self::Score { score, minimum } => vec![("score", Number(*score)), ("minimum", Number(*minimum))],
            Self::Skill { probability, minimum } => {
                vec![("probability", Number(*probability)), ("minimum", Number(*minimum))]
            }
            Self::Timing { timing, entries, minimum } => vec![
                ("observations", Count(i64::from(timing.observations))),
                ("entries", Count(i64::from(*entries))),
                ("copyable", Number(timing.copyable)),
                ("t", Number(timing.t)),
                ("minimum", Number(*minimum)),
            ],
            Self::Resting { part, minimum } | Self::SellShare { part, minimum } => {
                vec![("part", Number(*part)), ("minimum", Number(*minimum))]
            }
            Self::Volume { volume, minimum } => vec![("volume", Usd(*volume)), ("minimum", Usd(*minimum))],
            Self::EntryOfVolume { entry, volume, maximum } => {
                vec![("entry", Usd(*entry)), ("volume", Usd(*volume)), ("maximum", Number(*maximum))]
            }
            Self::Ordinary { fall, deviation, minimum } => vec![
                ("fall", Number(*fall)),
                ("deviation", Number(*deviation)),
                ("minimum", Number(*minimum)),
            ],
            Self::Unmeasured { moves, minimum } => {
                vec![("moves", Count(i64::from(*moves))), ("minimum", Count(i64::from(*minimum)))]
            }
            Self::NoPanic { sellers, minimum, part } => {
                let count = |number: usize| Count(i64::try_from(number).unwrap_or(i64::MAX));
                vec![("sellers", count(*sellers)), ("minimum", count(*minimum)), ("part", Number(*part))]
            }
            Self::PriceBand { price, minimum, maximum } => {
                vec![("price", Price(*price)), ("minimum", Price(*minimum)), ("maximum", Price(*maximum))]
            }
            Self::EndsSoon { left, minimum } => {
                vec![("left", Duration(*left)), ("minimum", Duration(*minimum))]
            }
            Self::EndsLate { left, maximum } => {
                vec![("left", Duration(*left)), ("maximum", Duration(*maximum))]
            }
            Self::NoBook { detail } => vec![("said", Text(detail.clone()))],
            Self::AboveLimit { ask, limit } => vec![("ask", Price(*ask)), ("maximum", Price(*limit))],
            Self::Spread { bid, ask, maximum } => {
                vec![("bid", Price(*bid)), ("ask", Price(*ask)), ("maximum", Price(*maximum))]
            }
            Self::Depth { depth, needed } => vec![("depth", Usd(*depth)), ("minimum", Usd(*needed))],
            Self::RunUp { whale, mid, maximum } => {
                vec![("whale", Price(*whale)), ("mid", Price(*mid)), ("maximum", Price(*maximum))]
            }
            Self::Closing { before, after } => vec![("before", Shares(*before)), ("after", Shares(*after))],
            Self::Conflict { with, against, opposed, maximum } => vec![
                ("with", Usd(*with)),
                ("against", Usd(*against)),
                ("opposed", Number(*opposed)),
                ("maximum", Number(*maximum)),
            ],
            Self::WhaleSelling { sold } => vec![("sold", Usd(*sold))],
            Self::News { sibling, moved, maximum } => vec![
                ("sibling", Condition(*sibling)),
                ("moved", Number(*moved)),
                ("maximum", Price(*maximum)),
            ],
            Self::Confidence { confidence, minimum } => {
                vec![("confidence", Number(*confidence)), ("minimum", Number(*minimum))]
            }
            Self::NoEdge { probability, cost, minimum } => vec![
                ("probability", Number(*probability)),
                ("cost", Number(*cost)),
                ("minimum", Number(*minimum)),
            ],
            Self::StakeTooSmall { stake, minimum } => {
                vec![("stake", Usd(*stake)), ("minimum", Usd(*minimum))]
            }
            Self::Killed { reason } => vec![("reason", Text(reason.clone()))],
            Self::StaleChain { age, limit } | Self::StaleBook { age, limit } => {
                vec![("age", Duration(*age)), ("maximum", Duration(*limit))]
            }
            Self::ClockSkew { skew, limit } => vec![("skew", Duration(*skew)), ("maximum", Duration(*limit))],
            Self::VenueMode { mode } => vec![("mode", Text(mode.name().to_owned()))],
            Self::Disagreement { detail } => vec![("detail", Text(detail.clone()))],
            Self::Cooling { losses, until } => {
                vec![("losses", Count(i64::from(*losses))), ("until", Time(*until))]
            }
            Self::Exposure { cost, left } => vec![("cost", Usd(*cost)), ("left", Usd(*left))],
            Self::NotHeld { wanted, sellable } => {
                vec![("wanted", Shares(*wanted)), ("sellable", Shares(*sellable))]
            }
            Self::Halted { until } => vec![("until", Time(*until))],
            Self::TooManyPositions { open, limit } | Self::SameDay { open, limit } => {
                let count = |number: usize| Count(i64::try_from(number).unwrap_or(i64::MAX));
                vec![("open", count(*open)), ("maximum", count(*limit))]
            }
            Self::AboveMaxPosition { cost, limit } => vec![("cost", Usd(*cost)), ("maximum", Usd(*limit))],
            Self::DailyBudget { cost, left } => vec![("cost", Usd(*cost)), ("left", Usd(*left))],
            Self::Cash { cost, free } => vec![("cost", Usd(*cost)), ("free", Usd(*free))],
            Self::NotCopyable
            | Self::UnknownMarket
            | Self::Resolved
            | Self::Disputed
            | Self::Proposed
            | Self::UltraShort
            | Self::OneSidedBook
            | Self::Paused
            | Self::EventHeld => vec![],
        }
    }
}
