//! A row of the table: what happens to an order, and what must come of it.

use std::time::Duration;

use alloy_primitives::B256;
use devnet::{Mode, Settlement, SocketFaults, Trouble, VenueFault, VenueRoute};
use sqlx::Row as _;
use store::controls;
use tokio::time::sleep;

use crate::scene::Scene;

/// So many refusals in a row are no accident.
const SURE: i64 = 3;

/// What happens once, and what must come of it.
pub(crate) struct Row {
    /// In the venue's words, or what happens instead of words.
    pub(crate) name: &'static str,
    pub(crate) happens: Happens,
    pub(crate) comes: Comes,
}

/// What happens.
pub(crate) enum Happens {
    /// The venue refuses the next order with a status and this text.
    Refused(u16, &'static str),
    /// The venue answers the next order with success and this error, and does nothing.
    Soft(&'static str),
    /// Something else happens to the next order's request.
    Once(Trouble),
    /// The same to all requests of these routes, besides what happens to the next order.
    Meanwhile(Trouble, &'static [(VenueRoute, Trouble)]),
    /// The venue is in a mode for so many milliseconds.
    Mode(Mode, u64),
    /// This becomes of the next match.
    Settles(Settlement),
    /// The channel of our orders misbehaves.
    Socket(SocketFaults),
    /// Every socket is cut while the order is on its way.
    Cut,
    /// Statuses are spelled as in the specification.
    Prefixed,
    /// Nothing at all.
    Nothing,
}

/// What must come of it. In each case the order's end in the books is the venue's.
#[derive(Clone, Copy)]
pub(crate) enum Comes {
    /// The venue has the order, once.
    Taken,
    /// The venue never had it: it is rejected, and the next is sent.
    Refused,
    /// It found nothing to match, and the next is sent.
    Killed,
    /// It is rejected, and no entry is approved from then on, for this reason.
    Stops(&'static str),
    /// It is rejected, and no further order goes out to open anything, whoever begins anew, until a person lifts it.
    Latches,
    /// The venue may have it or not: only that both say the same is known.
    Either,
}

/// An order as it ended.
struct Ended {
    closing: String,
    detail: String,
    matched: String,
    is_at_venue: bool,
}

impl Row {
    /// Lets it happen to the next order; what became of that.
    pub(crate) async fn play(&self, scene: &mut Scene) -> String {
        let first = last_order(scene).await + 1;
        self.happen(scene);
        scene.run(true).await;
        if matches!(self.happens, Happens::Cut) {
            scene.until(self.name, async |scene| first <= last_order(scene).await).await;
            scene.venue.cut_sockets();
        }
        let name = self.name;
        scene
            .until(&format!("the end of an order: {name}"), async |scene| ended(scene, first).await.is_some())
            .await;
        let ended = ended(scene, first).await.unwrap();
        self.check(&ended);
        if matches!(self.comes, Comes::Latches) {
            self.holds(scene, first).await;
        }
        if let Comes::Stops(reason) = self.comes {
            scene
                .until(&format!("entries refused: {name}"), async |scene| {
                    is_refused(scene, first, reason).await
                })
                .await;
        }
        self.pass(scene).await;
        ended.told(self.comes)
    }

    /// Nothing more goes out, although the venue would take it: not from the executor that was refused, and not from one
    /// that begins anew. Once a person lifts it, the next does.
    async fn holds(&self, scene: &mut Scene, first: i64) {
        let name = self.name;
        let halted =
            |since: i64| format!("entries refused for what the venue said: {name}, after refusal {since}");
        let since = last_refusal(scene).await;
        scene.until(&halted(since), async |scene| SURE <= refused_by_venue(scene, since, name).await).await;
        // Whatever was decided before the venue's word was heard has been signed by now.
        let (last, known) = (last_order(scene).await, scene.truth().orders.len());
        scene.kill().await;
        let since = last_refusal(scene).await;
        scene.run(true).await;
        scene.until(&halted(since), async |scene| SURE <= refused_by_venue(scene, since, name).await).await;
        assert_eq!(last_order(scene).await, last, "{name}: an order was signed although it was halted");
        assert_eq!(scene.truth().orders.len(), known, "{name}: an order went out although it was halted");
        assert!(first <= last);
        controls::lift(&mut scene.store.connection().await.unwrap()).await.unwrap();
        scene
            .until(&format!("an order after the lift: {name}"), async |scene| last < last_order(scene).await)
            .await;
    }

    fn happen(&self, scene: &Scene) {
        let venue = &scene.venue;
        let once =
            |trouble: Trouble| VenueFault { route: Some(VenueRoute::PlaceOrder), trouble, times: Some(1) };
        match &self.happens {
            Happens::Refused(status, message) => {
                venue.add_fault(once(Trouble::Refused { status: *status, message: (*message).to_owned() }));
            }
            Happens::Soft(message) => venue.add_fault(once(Trouble::SoftFailure((*message).to_owned()))),
            Happens::Once(trouble) => venue.add_fault(once(trouble.clone())),
            Happens::Meanwhile(trouble, others) => {
                venue.add_fault(once(trouble.clone()));
                for (route, trouble) in *others {
                    let (route, trouble) = (Some(*route), trouble.clone());
                    venue.add_fault(VenueFault { route, trouble, times: Some(3) });
                }
            }
            Happens::Mode(mode, millis) => venue.set_mode(*mode, Some(Duration::from_millis(*millis))),
            Happens::Settles(settlement) => venue.plan_settlements([*settlement]),
            Happens::Socket(faults) => venue.set_socket_faults(*faults),
            Happens::Cut | Happens::Nothing => {}
            Happens::Prefixed => venue.set_prefixed_statuses(true),
        }
    }

    /// It is over; whoever was stopped by it is begun anew, as a person would.
    async fn pass(&self, scene: &mut Scene) {
        if matches!(self.happens, Happens::Settles(_)) {
            // The match is told of first, and its settlement after that.
            sleep(Duration::from_secs(2)).await;
        }
        scene.venue.lift_faults();
        scene.venue.set_mode(Mode::Open, None);
        scene.venue.set_socket_faults(SocketFaults::default());
        scene.venue.set_prefixed_statuses(false);
        if matches!(self.comes, Comes::Stops(_)) || matches!(self.happens, Happens::Mode(..)) {
            scene.kill().await;
        }
    }

    fn check(&self, ended: &Ended) {
        let (closing, is_at_venue) = (ended.closing.as_str(), ended.is_at_venue);
        let is_right = match self.comes {
            Comes::Taken => is_at_venue && closing != "REJECTED",
            Comes::Refused | Comes::Stops(_) | Comes::Latches => !is_at_venue && closing == "REJECTED",
            Comes::Killed => !is_at_venue && closing == "KILLED",
            Comes::Either => is_at_venue || closing == "REJECTED" || closing == "KILLED",
        };
        let Ended { detail, matched, .. } = ended;
        assert!(
            is_right,
            "{}: {closing} ({detail}), {matched} matched, at the venue: {is_at_venue}",
            self.name
        );
    }
}

impl Ended {
    fn told(&self, comes: Comes) -> String {
        let Self { closing, detail, matched, is_at_venue } = self;
        let venue = if *is_at_venue { "the venue has it" } else { "the venue never had it" };
        let mut told = format!("{closing}, {matched} shares, {venue}");
        if !detail.is_empty() {
            told.push_str(&format!("; \"{detail}\""));
        }
        if matches!(comes, Comes::Latches) {
            told.push_str("; no entry, also after a restart, until it is lifted");
        }
        if let Comes::Stops(reason) = comes {
            told.push_str(&format!("; entries stop: {reason}"));
        }
        told
    }
}

async fn last_order(scene: &Scene) -> i64 {
    let query = "SELECT coalesce(max(order_id), 0) FROM orderflow_signed_orders";
    sqlx::query_scalar(query).fetch_one(&scene.pool).await.unwrap()
}

/// The first order from a number on, once nothing more can match of it.
async fn ended(scene: &Scene, first: i64) -> Option<Ended> {
    let row = sqlx::query(
        "SELECT order_hash, closing, coalesce(closing_detail, '') AS detail, matched_shares::text AS matched
         FROM orderflow_orders WHERE id >= $1 AND order_hash IS NOT NULL AND is_final ORDER BY id LIMIT 1",
    )
    .bind(first)
    .fetch_optional(&scene.pool)
    .await
    .unwrap()?;
    let hash: String = row.get("order_hash");
    Some(Ended {
        closing: row.get("closing"),
        detail: row.get("detail"),
        matched: row.get("matched"),
        is_at_venue: scene.truth().orders.contains_key(&hash.parse::<B256>().unwrap()),
    })
}

async fn last_refusal(scene: &Scene) -> i64 {
    let query = "SELECT coalesce(max(id), 0) FROM orderflow_refusals";
    sqlx::query_scalar(query).fetch_one(&scene.pool).await.unwrap()
}

/// How many entries were refused after that one because of what the venue said.
async fn refused_by_venue(scene: &Scene, refusal: i64, says: &str) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM orderflow_refusals
         WHERE id > $1 AND reason = 'disagreement' AND strpos(detail, $2) > 0",
    )
    .bind(refusal)
    .bind(says)
    .fetch_one(&scene.pool)
    .await
    .unwrap()
}

/// Whether an entry was refused for this reason since that order was approved.
async fn is_refused(scene: &Scene, order: i64, reason: &str) -> bool {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM orderflow_refusals r JOIN orderflow_orders o ON o.id = $1
                        WHERE r.created_at > o.created_at AND r.reason = $2)",
    )
    .bind(order)
    .bind(reason)
    .fetch_one(&scene.pool)
    .await
    .unwrap()
}
