//! Where a kill has struck: how far each order on its way had come at the venue, and how far in the books.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use domain::Shares;
use sqlx::Row as _;

use crate::scene::Scene;

/// How often each place was struck.
#[derive(Debug, Default)]
pub(crate) struct Landings(BTreeMap<String, u32>);

/// The places between decision and settlement that many kills must have struck, each at least once.
const WANTED: [&str; 11] = [
    "an entry is committed, and not at the venue",
    "an entry is at the venue, and the books do not know",
    "a match is MATCHED, and the books do not know",
    "a match of an entry is MATCHED, and MATCHED in the books",
    "a match of an entry is RETRYING, and MATCHED in the books",
    "a match of an entry is MINED, and MATCHED in the books",
    "a match of an entry is CONFIRMED, and MATCHED in the books",
    "a match of an entry is FAILED, and MATCHED in the books",
    "a sale is committed, and not at the venue",
    "a sale is at the venue, and the books do not know",
    "a match of a sale is FAILED, and MATCHED in the books",
];

impl Landings {
    /// Notes where a kill has just struck. What the venue still does not have may be on its way to it.
    pub(crate) async fn note(&mut self, scene: &Scene) -> BTreeSet<String> {
        let struck = struck(scene).await;
        for place in &struck {
            *self.0.entry(place.clone()).or_default() += 1;
        }
        struck
    }

    /// The wanted places that no kill has struck.
    pub(crate) fn missed(&self) -> Vec<&'static str> {
        WANTED.into_iter().filter(|place| !self.0.contains_key(*place)).collect()
    }

    /// How often each was struck.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().map(|(place, times)| (place.as_str(), *times))
    }
}

async fn struck(scene: &Scene) -> BTreeSet<String> {
    let truth = scene.truth();
    let orders = sqlx::query(
        "SELECT o.order_hash, o.purpose = 'ENTER' AS is_entry, o.accepted_at IS NOT NULL AS is_accepted,
                (coalesce(sum(e.shares), 0) * 1000000)::bigint AS told
         FROM orderflow_orders o LEFT JOIN orderflow_executions e ON e.order_id = o.id
         WHERE NOT o.is_final GROUP BY o.id",
    )
    .fetch_all(&scene.pool)
    .await
    .unwrap();
    let mut struck = BTreeSet::new();
    for order in &orders {
        let what = kind(order.get("is_entry"));
        let Some(hash) = order.get::<Option<String>, _>("order_hash") else {
            struck.insert(format!("{what} is decided, and not signed"));
            continue;
        };
        let hash: B256 = hash.parse().unwrap();
        let told = Shares::from_micros(order.get("told"));
        match truth.orders.get(&hash) {
            None => struck.insert(format!("{what} is committed, and not at the venue")),
            Some(_) if told == Shares::ZERO && !order.get::<bool, _>("is_accepted") => {
                struck.insert(format!("{what} is at the venue, and the books do not know"))
            }
            Some((_, matched)) if *matched == Shares::ZERO => {
                struck.insert(format!("{what} is at the venue, and the books know"))
            }
            Some(_) => false,
        };
    }
    struck.extend(matches(scene).await);
    if struck.is_empty() {
        struck.insert("nothing is on its way".to_owned());
    }
    struck
}

/// How far the matches of orders that are not final have come, at the venue and in the books.
async fn matches(scene: &Scene) -> BTreeSet<String> {
    let known: Vec<(String, String, bool, bool)> = sqlx::query_as(
        "SELECT e.trade_id, e.status, o.purpose = 'ENTER', o.is_final
         FROM orderflow_executions e JOIN orderflow_orders o ON o.id = e.order_id",
    )
    .fetch_all(&scene.pool)
    .await
    .unwrap();
    let known: BTreeMap<String, (String, bool, bool)> = known
        .into_iter()
        .map(|(trade, status, is_entry, is_final)| (trade, (status, is_entry, is_final)))
        .collect();
    let mut found = BTreeSet::new();
    for (trade, status, _) in &scene.truth().trades {
        match known.get(trade) {
            Some((_, _, true)) => {}
            Some((books, is_entry, false)) => {
                let what = kind(*is_entry);
                found.insert(format!("a match of {what} is {}, and {books} in the books", status.name()));
            }
            None => {
                found.insert(format!("a match is {}, and the books do not know", status.name()));
            }
        }
    }
    found
}

const fn kind(is_entry: bool) -> &'static str {
    if is_entry { "an entry" } else { "a sale" }
}
