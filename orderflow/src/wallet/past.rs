//! A wallet's past, folded once more from the facts that were known when the verdict was made.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use decision::{Eligibility, History};
use domain::{ConditionId, Market, Timestamp, Usd, Wallet, WalletDay};
use serde_json::{Value, json};
use store::{PgConnection, facts, feed};

use super::figures;

/// The reader whose last place the newest verdicts were made at.
const READER: &str = "orderflow-reputation";

/// How much history a verdict needs does not matter to what came of it.
const ANY: Eligibility = Eligibility { decisions: 0, events: 0, active_days: 0 };

/// What a wallet's facts come to.
pub(super) struct Past {
    /// By day.
    pub(super) days: Vec<WalletDay>,
    results: Vec<Told>,
}

/// What a market came to.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) condition: ConditionId,
    pub(super) title: String,
    pub(super) realized: Usd,
    /// The decisions that ended; none where only a part was sold.
    pub(super) decisions: u32,
}

impl Past {
    /// Reads and folds what was known.
    pub(super) async fn read(
        connection: &mut PgConnection,
        wallet: Wallet,
        as_of: Timestamp,
    ) -> anyhow::Result<Self> {
        let cursor = feed::cursor(connection, READER).await?;
        let until = match cursor.as_of == Some(as_of) {
            true => cursor.seq,
            false => feed::newest_by(connection, as_of).await?,
        };
        let known = facts::of_wallet(connection, wallet, until).await?;
        let mut history = History::new(ANY);
        known.markets.iter().for_each(|market| history.learn(market));
        history.apply_batch(&known.facts);
        let markets: BTreeMap<ConditionId, &Market> =
            known.markets.iter().map(|market| (market.condition, market)).collect();
        let told = |result: domain::MarketResult| Told {
            condition: result.condition,
            title: markets
                .get(&result.condition)
                .map_or_else(|| result.condition.to_string(), |market| market.title.clone()),
            realized: result.realized,
            decisions: result.decisions,
        };
        let mut days = history.days(wallet);
        days.sort_by_key(|day| day.day);
        Ok(Self { days, results: history.results(wallet).into_iter().map(told).collect() })
    }

    /// What was sold or resolved in all.
    pub(super) fn pnl(&self) -> Usd {
        self.days.iter().map(|day| day.pnl).sum()
    }

    /// The markets that brought most, and those that cost most, the extremes first.
    pub(super) fn extremes(&self, most: usize) -> (Vec<Told>, Vec<Told>) {
        let mut gains: Vec<&Told> = self.results.iter().filter(|told| told.realized.is_positive()).collect();
        gains.sort_by_key(|told| (Reverse(told.realized), told.condition));
        let mut losses: Vec<&Told> = self.results.iter().filter(|told| told.realized < Usd::ZERO).collect();
        losses.sort_by_key(|told| (told.realized, told.condition));
        let first = |sorted: Vec<&Told>| sorted.into_iter().take(most).cloned().collect();
        (first(gains), first(losses))
    }
}

impl Told {
    pub(super) fn json(&self) -> Value {
        json!({
            "condition_id": self.condition.to_string(),
            "title": self.title,
            "realized_pnl_usd": figures::float(self.realized),
            "decisions": self.decisions,
        })
    }
}

/// A day as scripts read it.
pub(super) fn day_json(day: &WalletDay) -> Value {
    json!({
        "day": date(day.day),
        "pnl_usd": figures::float(day.pnl),
        "volume_usd": figures::float(day.volume),
        "fills": day.fills,
    })
}

/// A day's date in UTC.
pub(super) fn date(day: i64) -> String {
    let midnight = Timestamp::from_micros(day.saturating_mul(Timestamp::DAY)).to_string();
    midnight.split('T').next().unwrap_or_default().to_owned()
}
