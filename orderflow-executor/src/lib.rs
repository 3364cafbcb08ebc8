//! From trades and verdicts to signals, orders and positions, on paper or in earnest.
//!
//! The judgement is pure and lives in `decision`; here it is fed from the outbox and answered by a venue.

mod choice;
mod demands;
mod diary;
mod executor;
mod fade;
mod filters;
mod holdings;
mod key_settings;
mod limits;
pub mod live;
mod paper;
pub mod preflight;
pub mod reconcile;
mod recorder;
pub mod rehearsal;
mod restore;
mod settings;
mod venue;
pub mod watch;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use polymarket::Clob;
use polymarket::trading::{Account, Credentials, KeyDesk, Trader};
use service::CancellationToken;
use store::{Store, controls};
use tokio::task::JoinSet;

use live::{Desks, Live, LiveHandle, Objection, Rhythm};
use preflight::{Check, Verdict};

pub use choice::Choice;
pub use executor::Executor;
pub use fade::FadeSettings;
pub use filters::FilterSettings;
pub use key_settings::LiveSettings;
pub use limits::LimitSettings;
pub use paper::{Paper, PaperWatch};
pub use settings::{ServiceSettings, StakeSettings, StrategySettings, VenueSettings};
pub use venue::{Prints, Venue};

/// How often the outbox, and what a person asks, is looked at when no notification comes.
const LOOK: Duration = Duration::from_millis(750);

/// Runs the service until it is told to stop.
///
/// # Errors
/// If another one runs on this database, or the database fails.
pub async fn run(
    strategy: StrategySettings,
    venue: VenueSettings,
    store: Store,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    // A whale's fill waits for every one of the executor's statements.
    let store = store.in_small_steps();
    let mut only = store.become_only("orderflow-executor").await?;
    controls::refuse_tape(&mut *store.connection().await?).await?;
    let mut news = store.listen().await?;
    // What runs beside the executor goes with it.
    let mut beside = JoinSet::new();
    let venue = if venue.enable_paper_trading {
        let real = store::live::of_other_mode(&mut *store.connection().await?, "paper").await?;
        anyhow::ensure!(
            real == 0,
            "{real} positions or orders of this database are real: they cannot go on on paper"
        );
        let latency = Duration::from_millis(u64::from(venue.paper_latency_ms));
        let (paper, measuring) = Paper::new(Clob::new(&venue.clob_url)?, latency).watched();
        beside.spawn(measuring.run(Duration::from_secs(u64::from(venue.live.live_check_secs))));
        Venue::Paper(paper)
    } else {
        let stake = strategy.stake;
        let (live, is_green) = begin_live(&venue, stake, &store).await?;
        beside.spawn(watch::obey_kill(store.clone(), live.handle()));
        if !is_green {
            beside.spawn(until_green(store.clone(), venue.clone(), stake, live.handle()));
        }
        beside.spawn(watch::keep_books(live.handle()));
        beside.spawn(watch::watch(store.clone(), venue, live.handle(), Rhythm::default()));
        Venue::Live(Box::new(live))
    };
    let work = async {
        let mut executor = Executor::resume(store, strategy.policy(), venue).await?;
        let mut looked = None::<Instant>;
        loop {
            // Not with each piece of news, which would wait for it.
            if looked.is_none_or(|looked| LOOK <= looked.elapsed()) {
                looked = Some(Instant::now());
                only.still_is().await?;
            }
            executor.catch_up().await?;
            tokio::select! {
                heard = tokio::time::timeout(LOOK, news.wait()) => {
                    if let Ok(heard) = heard {
                        heard?;
                    }
                }
                told = executor.news() => match told {
                    Some(told) => executor.hear(told).await?,
                    None => anyhow::bail!("the venue is no more"),
                },
            }
        }
    };
    // Whatever is cut off in the middle has not been committed and will be done again.
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        worked = work => worked,
        Some(ended) = beside.join_next() => ended?.and_then(|()| anyhow::bail!("what watches the venue has ended")),
    }
}

/// Opens the live venue if everything speaks for it. Where something is held or on its way it is opened all the same,
/// without entries: who wants to sell what is held, or to stop all trading, must be heard. Says with it whether all is
/// green but the chain.
async fn begin_live(
    venue: &VenueSettings,
    stake: StakeSettings,
    store: &Store,
) -> anyhow::Result<(Live, bool)> {
    let mut connection = store.connection().await?;
    let checks = preflight::preflight(venue, stake, &mut connection).await;
    // A chain that is still being read stops entries by itself, and no order on its way should wait for it.
    let (behind, red): (Vec<&Check>, Vec<&Check>) =
        checks.iter().filter(|check| !check.is_green()).partition(|check| check.name == preflight::CHAIN);
    for check in behind {
        tracing::warn!("no entries yet: {check}");
    }
    let objections = objections(&red);
    // What is not on paper is live.
    let is_engaged = 0 < store::live::of_other_mode(&mut connection, "paper").await?;
    let objections = match objections {
        Some(objections) if red.is_empty() || is_engaged => objections,
        _ => anyhow::bail!("live trading is refused:\n{}", lines(&red)),
    };
    let rhythm = Rhythm::default();
    let (account, credentials) = credentials(venue, &rhythm).await?;
    let (clob, channels) = (venue.clob_url.clone(), venue.live.clob_ws_url.clone());
    let live = Live::open(Desks { clob, channels, account, credentials }, rhythm, &mut connection).await?;
    if !red.is_empty() {
        tracing::error!("no entries, but what is held or on its way is looked after:\n{}", lines(&red));
    }
    for (objection, says) in objections {
        live.handle().object(objection, Some(says)).await;
    }
    live.handle().trader().sync_clock().await?;
    tracing::warn!(wallet = %live.wallet(), "orders are sent with real money");
    Ok((live, red.is_empty()))
}

fn lines(checks: &[&Check]) -> String {
    checks.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What red lines mean for a service that has something to look after; `None` where it cannot even do that.
fn objections(red: &[&Check]) -> Option<BTreeMap<Objection, String>> {
    let mut objections = BTreeMap::<Objection, String>::new();
    for check in red {
        let objection = match (check.name, &check.verdict) {
            ("database" | "key" | "credentials", _) => return None,
            // With a wrong signature nothing may be sent.
            ("signing", _) => Objection::Configuration,
            (preflight::PLACE, Verdict::Unknown { .. }) => Objection::PlaceUnknown,
            (preflight::PLACE, _) => Objection::Place,
            ("standing", _) => Objection::ClosedOnly,
            _ => Objection::Preflight,
        };
        let Some(found) = check.objection() else { continue };
        let says = objections.entry(objection).or_default();
        if !says.is_empty() {
            says.push_str("; ");
        }
        says.push_str(found);
    }
    Some(objections)
}

/// Looks at the list again until nothing of it speaks against entries that did so at the beginning.
async fn until_green(
    store: Store,
    venue: VenueSettings,
    stake: StakeSettings,
    live: LiveHandle,
) -> anyhow::Result<()> {
    let every = Duration::from_secs(u64::from(venue.live.live_check_secs));
    loop {
        tokio::time::sleep(every).await;
        let checks = preflight::preflight(&venue, stake, &mut *store.connection().await?).await;
        let red: Vec<&Check> =
            checks.iter().filter(|check| !check.is_green() && check.name != preflight::CHAIN).collect();
        // Where the list breaks off early, nothing of the rest is known.
        let Some(mut objections) = objections(&red) else { continue };
        let says = objections.remove(&Objection::Preflight);
        let is_over = says.is_none();
        live.object(Objection::Preflight, says).await;
        if is_over {
            return std::future::pending().await;
        }
    }
}

/// A client of the configured account.
///
/// # Errors
/// If the key cannot be read, or the venue does not answer.
pub async fn trader(venue: &VenueSettings) -> anyhow::Result<Trader> {
    let rhythm = Rhythm::default();
    let (account, credentials) = credentials(venue, &rhythm).await?;
    let trader = Trader::new(&venue.clob_url, account, credentials, rhythm.limits)?;
    trader.sync_clock().await?;
    Ok(trader)
}

/// The configured account and its API credentials, which its own signature gets from the venue.
async fn credentials(venue: &VenueSettings, rhythm: &Rhythm) -> anyhow::Result<(Account, Credentials)> {
    let account = venue.live.account()?;
    let desk = KeyDesk::new(&venue.clob_url, rhythm.limits.other)?;
    desk.sync_clock().await?;
    let credentials = desk.obtain(&account).await?;
    Ok((account, credentials))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stops_entries_stops_no_service_that_holds_something() {
        let red = |name| Check::red(name, name, "");
        let (balance, grid, standing) = (red("balance"), red("grid"), red("standing"));
        let objections_of = objections(&[&balance, &standing, &grid]);
        let expected = [(Objection::Preflight, "balance; grid"), (Objection::ClosedOnly, "standing")];
        let expected = expected.map(|(objection, says)| (objection, says.to_owned())).into();
        assert_eq!(objections_of, Some(expected));
        for name in ["database", "key", "credentials"] {
            assert_eq!(objections(&[&balance, &red(name)]), None);
        }
    }
}
