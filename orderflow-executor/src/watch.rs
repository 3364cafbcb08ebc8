//! What is looked at while live trading runs: the kill, every quarter of a second, and the world's condition, every
//! minute. Both beside the executor, so that neither waits while it is busy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use decision::Guard;
use domain::Timestamp;
use polymarket::trading::{CancelRefusal, Trader};
use service::clock;
use store::halts::{Halt, HaltKind};
use store::{Store, controls, halts};

use crate::live::{LiveHandle, Objection, Rhythm};
use crate::preflight::{Verdict, closed_only, place, region};
use crate::reconcile::reconcile;
use crate::settings::VenueSettings;

/// How often the kill is looked for where no notification comes.
const LOOK: Duration = Duration::from_millis(250);

/// How often the age of the books is measured.
const MEASURE: Duration = Duration::from_secs(5);

/// A winner that is not paid for so long is one that somebody must redeem.
const REDEEM_AFTER: i64 = 10 * Timestamp::MINUTE;

/// Cancels everything at the venue as soon as a person says so, and again until the venue has understood; and passes on
/// that a person lifted what the venue's word had stopped.
///
/// # Errors
/// If the database fails.
pub async fn obey_kill(store: Store, live: LiveHandle) -> anyhow::Result<()> {
    let mut news = store.listen().await?;
    let mut is_done = false;
    let mut heard = BTreeMap::new();
    loop {
        let mut connection = store.connection().await?;
        let latches = controls::latches(&mut connection).await?;
        let halts = halts::newest(&mut connection).await?;
        drop(connection);
        pass_on(&live, &mut heard, halts).await;
        let killed = latches.killed.is_some();
        live.latches.killed.store(killed, Ordering::SeqCst);
        live.latches.paused.store(latches.paused, Ordering::SeqCst);
        if killed && !is_done && cancel_everything(&live).await {
            is_done = true;
            let delay = u64::try_from(clock::now().micros_since(latches.since)).unwrap_or_default();
            metrics::histogram!("orderflow_control_seconds", "control" => "kill_at_venue")
                .record(Duration::from_micros(delay));
        }
        is_done &= killed;
        if let Ok(heard) = tokio::time::timeout(LOOK, news.wait_beside_blocks()).await {
            heard?;
        }
    }
}

/// Tells the desk of what was written down or lifted since. What it found out by itself and nobody has written down yet
/// stands there meanwhile, so that only a change counts.
async fn pass_on(live: &LiveHandle, heard: &mut BTreeMap<HaltKind, (i64, bool)>, halts: Vec<Halt>) {
    for Halt { id, kind, reason, is_lifted, .. } in halts {
        if heard.insert(kind, (id, is_lifted)) != Some((id, is_lifted)) {
            live.object(Objection::Halted(kind), (!is_lifted).then_some(reason)).await;
        }
    }
}

async fn cancel_everything(live: &LiveHandle) -> bool {
    match live.trader.cancel_all().await {
        Ok(said) => {
            tracing::warn!(
                cancelled = said.cancelled.len(),
                refused = said.refused.len(),
                "all orders are cancelled"
            );
            live.doubt().await;
            // What waits out a delay may rest afterwards.
            !said.refused.values().any(|refusal| *refusal == CancelRefusal::Delayed)
        }
        Err(error) => {
            tracing::error!(%error, "the orders could not be cancelled: tried again");
            false
        }
    }
}

/// Reads the books again of which nothing was heard for a while, for ever.
///
/// # Errors
/// None: a book that cannot be read is asked for when it is needed.
pub async fn keep_books(live: LiveHandle) -> anyhow::Result<()> {
    loop {
        live.refresh_books().await;
        tokio::time::sleep(MEASURE).await;
    }
}

/// Looks at place, standing, clock, books and balances, for ever.
///
/// # Errors
/// None: what cannot be found out is an objection.
pub async fn watch(
    store: Store,
    venue: VenueSettings,
    live: LiveHandle,
    rhythm: Rhythm,
) -> anyhow::Result<()> {
    let every = Duration::from_secs(u64::from(venue.live.live_check_secs));
    let mut looked = None::<tokio::time::Instant>;
    let mut is_compared = true;
    loop {
        let age = live.books.age(clock::now());
        live.measured(Guard::Books { age }).await;
        if looked.is_none_or(|looked| every <= looked.elapsed()) {
            looked = Some(tokio::time::Instant::now());
            is_compared = look(&store, &venue, &live, &rhythm).await;
        } else if !is_compared {
            is_compared = compare(&store, &live.trader, &live).await;
        }
        tokio::time::sleep(MEASURE.min(every)).await;
    }
}

/// Looks at place, standing, clock and balances once, and tells the desk what speaks against orders. False where books and
/// venue are worth another comparison soon.
pub async fn look(store: &Store, venue: &VenueSettings, live: &LiveHandle, rhythm: &Rhythm) -> bool {
    let place = place(&region(venue, rhythm).await);
    let found = place.objection().map(str::to_owned);
    if matches!(place.verdict, Verdict::Unknown { .. }) {
        // What was forbidden when somebody last knew is not allowed because nobody knows now.
        live.object(Objection::PlaceUnknown, found).await;
    } else {
        live.object(Objection::PlaceUnknown, None).await;
        live.object(Objection::Place, found).await;
    }
    // That the venue does not answer is no standing: then the answers to orders say so themselves.
    if let answer @ Ok(_) = live.trader.closed_only().await {
        live.object(Objection::ClosedOnly, closed_only(&answer).objection().map(str::to_owned)).await;
    }
    match live.trader.sync_clock().await {
        Ok(reading) => live.measured(Guard::Clock { skew: reading.ahead }).await,
        Err(error) => tracing::warn!(%error, "the venue's clock could not be read"),
    }
    compare(store, &live.trader, live).await
}

/// Compares the books with the venue, and says what differs. False where the books changed meanwhile, or differ, which may
/// be because one has heard of something before the other: it is worth another look soon.
async fn compare(store: &Store, trader: &Arc<Trader>, live: &LiveHandle) -> bool {
    match reconcile(trader, store).await {
        Ok(findings) => {
            for difference in &findings.differences {
                tracing::error!(%difference, "the books and the venue disagree: no entries");
            }
            let now = clock::now();
            for winner in
                findings.unpaid.iter().filter(|winner| REDEEM_AFTER <= now.micros_since(winner.resolved))
            {
                tracing::warn!(
                    position = winner.position,
                    payout = %winner.payout,
                    "a winner was not paid by itself: redeem it at the venue"
                );
            }
            // What was not compared is not known to agree: an objection that stands goes on standing.
            let text = findings.text();
            if findings.is_compared && text.is_none() {
                live.object(Objection::Unshown, None).await;
            }
            if findings.is_compared || text.is_some() {
                live.object(Objection::Difference, text).await;
            }
            if findings.is_compared {
                live.object(Objection::Unreconciled, None).await;
            }
            findings.is_compared && findings.differences.is_empty()
        }
        Err(error) => {
            let error = anyhow::Error::from(error);
            tracing::warn!("the books and the venue could not be compared: {error:#}");
            live.object(
                Objection::Unreconciled,
                Some("the books and the venue could not be compared".to_owned()),
            )
            .await;
            true
        }
    }
}
