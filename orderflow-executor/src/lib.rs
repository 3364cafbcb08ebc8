//! From trades and verdicts to signals, orders and positions, on paper or in earnest.
//!
//! The judgement is pure and lives in `decision`; here it is fed from the outbox and answered by a venue.

mod diary;
mod executor;
mod filters;
mod holdings;
mod key_settings;
mod limits;
pub mod live;
pub mod preflight;
pub mod reconcile;
mod restore;
mod settings;
mod venue;
mod watch;

use std::time::Duration;

use polymarket::Clob;
use polymarket::trading::{Account, Credentials, KeyDesk, Trader};
use service::CancellationToken;
use store::{Store, controls};
use tokio::task::JoinSet;

use live::{Desks, Live, Rhythm};
use preflight::Check;

pub use executor::Executor;
pub use filters::FilterSettings;
pub use key_settings::LiveSettings;
pub use limits::LimitSettings;
pub use settings::{ServiceSettings, StrategySettings, VenueSettings};
pub use venue::{Paper, Prints, Venue};

/// How often the outbox is looked at when no notification comes.
const LOOK: Duration = Duration::from_secs(3);

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
        Venue::Paper(Paper {
            clob: Clob::new(&venue.clob_url)?,
            latency: Duration::from_millis(u64::from(venue.paper_latency_ms)),
        })
    } else {
        let live = begin_live(&venue, &store).await?;
        beside.spawn(watch::obey_kill(store.clone(), live.handle()));
        beside.spawn(watch::watch(store.clone(), venue, live.handle(), Rhythm::default()));
        Venue::Live(Box::new(live))
    };
    let work = async {
        let mut executor = Executor::resume(store, strategy.policy(), venue).await?;
        loop {
            let still_is = async { Ok::<(), anyhow::Error>(only.still_is().await?) };
            tokio::try_join!(still_is, executor.catch_up())?;
            tokio::select! {
                heard = tokio::time::timeout(LOOK, news.wait()) => {
                    if let Ok(heard) = heard {
                        heard?;
                    }
                }
                told = executor.news() => match told {
                    Some(told) => executor.hear(told).await?,
                    None => anyhow::bail!("the live venue is no more"),
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

/// Opens the live venue if everything speaks for it.
async fn begin_live(venue: &VenueSettings, store: &Store) -> anyhow::Result<Live> {
    let mut connection = store.connection().await?;
    let checks = preflight::preflight(venue, &mut connection).await;
    // A chain that is still being read stops entries by itself, and no order on its way should wait for it.
    let (behind, red): (Vec<&Check>, Vec<&Check>) =
        checks.iter().filter(|check| !check.is_green()).partition(|check| check.name == preflight::CHAIN);
    for check in behind {
        tracing::warn!("no entries yet: {check}");
    }
    if !red.is_empty() {
        let red: Vec<String> = red.iter().map(ToString::to_string).collect();
        anyhow::bail!("live trading is refused:\n{}", red.join("\n"));
    }
    let rhythm = Rhythm::default();
    let (account, credentials) = credentials(venue, &rhythm).await?;
    let (clob, channels) = (venue.clob_url.clone(), venue.live.clob_ws_url.clone());
    let live = Live::open(Desks { clob, channels, account, credentials }, rhythm, &mut connection).await?;
    live.handle().trader().sync_clock().await?;
    tracing::warn!(wallet = %live.wallet(), "orders are sent with real money");
    Ok(live)
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
    let credentials = desk.derive_or_create(&account, 0).await?;
    Ok((account, credentials))
}
