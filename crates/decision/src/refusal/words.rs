//! A refusal as a sentence with its numbers, as people read it.

use std::fmt;

use domain::Timing;

use super::Reason;

impl fmt::Display for Reason {
    #[expect(clippy::cast_precision_loss, reason = "an age in seconds, for people")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |micros: i64| micros as f64 / 1e6;
        let hours = |micros: i64| micros as f64 / 3.6e9;
        match self {
            Self::Stale { age, limit } => {
                write!(f, "the fill was {:.1} s old, more than {:.0} s", seconds(*age), seconds(*limit))
            }
            Self::Score { score, minimum } => {
                write!(f, "the wallet's score has slipped to {score:.2}, below {minimum:.2}")
            }
            Self::NotCopyable => f.write_str("the wallet is not to be copied: `orderflow wallet` says why"),
            Self::Skill { probability, minimum } => write!(
                f,
                "the wallet's edge is above zero with probability {:.1} %, less than {:.1} %",
                probability * 100.0,
                minimum * 100.0
            ),
            Self::Timing { timing: Timing { observations, copyable, t }, entries, minimum } => write!(
                f,
                "after {observations} entries ({entries} at least) a copier had {:+.2} ¢ a share, t {t:.2}, less than {minimum:.2}",
                copyable * 100.0
            ),
            Self::Resting { part, minimum } => write!(
                f,
                "{:.0} % of the entry took what rested, less than {:.0} %",
                part * 100.0,
                minimum * 100.0
            ),
            Self::Volume { volume, minimum } => write!(
                f,
                "${} were seen traded in the market in the last day, less than ${}",
                volume.cents(),
                minimum.cents()
            ),
            Self::EntryOfVolume { entry, volume, maximum } => write!(
                f,
                "the entry of ${} is more than {:.0} % of the ${} traded in the last day",
                entry.cents(),
                maximum * 100.0,
                volume.cents()
            ),
            Self::SellShare { part, minimum } => write!(
                f,
                "{:.0} % of the selling is theirs, less than {:.0} %",
                part * 100.0,
                minimum * 100.0
            ),
            Self::Ordinary { fall, deviation, minimum } => write!(
                f,
                "the price fell by {fall:.2} in log-odds, and moves by {deviation:.2} in a quarter of an hour: that is not {minimum:.1} times as much"
            ),
            Self::Unmeasured { moves, minimum } => write!(
                f,
                "{moves} of its moves of a quarter of an hour are known, fewer than {minimum}: nobody can say what is usual"
            ),
            Self::NoPanic { sellers, minimum, part } => write!(
                f,
                "{sellers} of the sellers gave up {:.0} % of what they held, fewer than {minimum}",
                part * 100.0
            ),
            Self::UnknownMarket => f.write_str("nothing is known of this token's market yet"),
            Self::Resolved => f.write_str("the market is already resolved"),
            Self::Disputed => f.write_str("the market's result is disputed"),
            Self::Proposed => f.write_str("a result is proposed: whoever sells may know it"),
            Self::PriceBand { price, minimum, maximum } => {
                write!(f, "the price {price} is outside {minimum} to {maximum}")
            }
            Self::UltraShort => f.write_str("the market lasts fifteen minutes or less"),
            Self::EndsSoon { left, minimum } => {
                write!(f, "the market ends in {:.1} h, sooner than {:.1} h", hours(*left), hours(*minimum))
            }
            Self::EndsLate { left, maximum } => {
                write!(f, "the market ends in {:.1} h, later than {:.1} h", hours(*left), hours(*maximum))
            }
            Self::NoBook { detail } => write!(f, "no book: {detail}"),
            Self::OneSidedBook => f.write_str("the book has only one side"),
            Self::AboveLimit { ask, limit } => write!(f, "the best offer {ask} is above the limit {limit}"),
            Self::Spread { bid, ask, maximum } => {
                write!(f, "the book from {bid} to {ask} is wider than {maximum}")
            }
            Self::Depth { depth, needed } => {
                write!(f, "${} are on offer up to the limit, less than ${}", depth.cents(), needed.cents())
            }
            Self::RunUp { whale, mid, maximum } => {
                write!(f, "the market is at {mid}, more than {maximum} above the whale's {whale}")
            }
            Self::Closing { before, after } => {
                write!(
                    f,
                    "the wallet had {before} shares net and has {after}: it does not open or increase a bet"
                )
            }
            Self::Conflict { with, against, opposed, maximum } => write!(
                f,
                "whales disagree: ${} with it, ${} against; by what they know {:.0} % are against, {:.0} % at most",
                with.cents(),
                against.cents(),
                opposed * 100.0,
                maximum * 100.0
            ),
            Self::WhaleSelling { sold } => write!(f, "whales sell as well, ${}", sold.cents()),
            Self::News { sibling, moved, maximum } => write!(
                f,
                "another market of the event, {sibling}, moved by {:+.1} ¢, {:.1} ¢ or more: that is news",
                moved * 100.0,
                maximum.to_f64() * 100.0
            ),
            Self::Confidence { confidence, minimum } => {
                write!(f, "confidence {:.1} % is below {:.1} %", confidence * 100.0, minimum * 100.0)
            }
            Self::NoEdge { probability, cost, minimum } => write!(
                f,
                "a share costs {cost:.4} and wins with probability {probability:.4}, which is not {:.2} ¢ more",
                minimum * 100.0
            ),
            Self::StakeTooSmall { stake, minimum } => {
                write!(f, "the stake ${} is below ${}", stake.cents(), minimum.cents())
            }
            Self::Paused => f.write_str("entries are paused"),
            Self::Killed { reason } => write!(f, "trading was stopped: {reason}"),
            Self::StaleChain { age, limit } => {
                write!(
                    f,
                    "the newest block is {:.1} s old, more than {:.0} s",
                    seconds(*age),
                    seconds(*limit)
                )
            }
            Self::StaleBook { age, limit } => {
                let (age, limit) = (seconds(*age), seconds(*limit));
                write!(f, "nothing was heard of the books for {age:.1} s, more than {limit:.0} s")
            }
            Self::ClockSkew { skew, limit } => {
                let (skew, limit) = (seconds(*skew), seconds(*limit));
                write!(f, "our clock is {skew:.1} s from the venue's, more than {limit:.0} s")
            }
            Self::VenueMode { mode } => write!(f, "the venue is {}", mode.name()),
            Self::Disagreement { detail } => write!(f, "our books and the venue's disagree: {detail}"),
            Self::Cooling { losses, until } => {
                write!(f, "{losses} positions in a row lost: entries rest until {until}")
            }
            Self::Exposure { cost, left } => write!(
                f,
                "the trade can cost ${}, more than the ${} that may still be put at risk",
                cost.cents(),
                left.cents()
            ),
            Self::NotHeld { wanted, sellable } => write!(f, "{sellable} shares can be sold, not {wanted}"),
            Self::Halted { until } => write!(f, "the day's loss stopped entries until {until}"),
            Self::TooManyPositions { open, limit } => {
                write!(f, "{open} positions are open or ordered, {limit} at most")
            }
            Self::SameDay { open, limit } => {
                write!(f, "{open} positions of its category are to end on the same day, {limit} at most")
            }
            Self::EventHeld => f.write_str("there is a position in this event already"),
            Self::AboveMaxPosition { cost, limit } => {
                write!(f, "the trade can cost ${}, more than ${}", cost.cents(), limit.cents())
            }
            Self::DailyBudget { cost, left } => write!(
                f,
                "the trade can cost ${}, more than the ${} the day may still lose",
                cost.cents(),
                left.cents()
            ),
            Self::Cash { cost, free } => {
                write!(f, "the trade can cost ${}, more than the free ${}", cost.cents(), free.cents())
            }
        }
    }
}
