//! The engine's records, written and said.

use decision::{Record, Refusal};
use store::journal::{self, Missed};
use store::signals::{self, RefusalRow};
use store::{PgConnection, StoreError};

/// Writes records, in the transaction of the place they were decided at. Refusals are many and are written together: at
/// the end, or before an outcome, which looks at all that was priced until then.
pub(crate) async fn write(
    connection: &mut PgConnection,
    records: impl IntoIterator<Item = &Record>,
    mode: &str,
) -> Result<(), StoreError> {
    let mut refusals = vec![];
    for record in records {
        write_one(connection, record, mode, &mut refusals).await?;
    }
    signals::refusals(connection, &refusals).await
}

async fn write_one<'a>(
    connection: &mut PgConnection,
    record: &'a Record,
    mode: &str,
    refusals: &mut Vec<RefusalRow<'a>>,
) -> Result<(), StoreError> {
    match record {
        Record::Signal(signal) => signals::signal(connection, signal).await,
        Record::Refusal(refused) => {
            refusals.push(row(refused));
            Ok(())
        }
        Record::Outcome { condition, payouts, at } => {
            signals::refusals(connection, &std::mem::take(refusals)).await?;
            signals::outcome(connection, *condition, payouts, *at).await
        }
        Record::Order(order) => journal::order(connection, order, mode).await,
        Record::News(news) => journal::news(connection, news).await,
        Record::Opened(position) | Record::Changed(position) => {
            journal::position(connection, position, mode).await
        }
        Record::Settled(settlement) => journal::settled(connection, settlement).await,
        Record::Reopened(position) => journal::reopened(connection, *position).await,
        Record::Final(order) => journal::final_order(connection, *order).await,
        Record::Bid { token, bid } => journal::bid(connection, *token, *bid).await,
        Record::Leaving { position, reason, at } => {
            journal::leaving(connection, *position, *reason, *at).await
        }
        Record::Lead { position, left } => journal::lead(connection, *position, *left).await,
        Record::Counterfactual(missed) => {
            let row = Missed {
                position: missed.position,
                reason: missed.reason,
                at: missed.at,
                bid: missed.bid,
                proceeds: missed.proceeds,
                pnl: missed.pnl,
            };
            journal::missed(connection, &row).await
        }
        Record::Losses(losses) => {
            journal::losses(connection, losses.in_a_row, losses.cooling_until, mode).await
        }
        Record::Day(day) => journal::day(connection, day, mode).await,
        Record::Halt { until, .. } => journal::halt(connection, *until, mode).await,
    }
}

/// A refusal with its numbers.
fn row(refusal: &Refusal) -> RefusalRow<'_> {
    RefusalRow {
        at: refusal.at,
        kind: refusal.kind,
        signal: refusal.signal,
        wallet: refusal.wallet,
        token: refusal.token,
        notional: refusal.notional,
        reason: refusal.reason.code(),
        detail: refusal.reason.to_string(),
        figures: refusal.reason.figures(),
        appraisal: refusal.appraisal.as_deref(),
    }
}

/// Says in the log what was committed.
pub(crate) fn observe(record: &Record) {
    match record {
        Record::Signal(signal) => tracing::info!(
            id = signal.id,
            kind = signal.kind.name(),
            wallet = %signal.wallet,
            market = signal.title,
            outcome = signal.outcome,
            shadow = signal.shadow,
            confidence = signal.confidence,
            "signal"
        ),
        Record::Refusal(refusal) => {
            tracing::debug!(kind = refusal.kind.name(), wallet = %refusal.wallet, reason = %refusal.reason, "refused");
        }
        Record::Opened(position) => {
            tracing::info!(id = position.id, shares = %position.shares(), cost = %position.cost(), "position opened");
        }
        Record::Leaving { position, reason: Some(reason), .. } => {
            tracing::info!(id = position, reason = reason.name(), "position is being left");
        }
        Record::Leaving { position, reason: None, .. } => {
            tracing::info!(id = position, "position is held after all")
        }
        Record::Settled(settled) => {
            tracing::info!(id = settled.id, ending = settled.ending.name(), pnl = %settled.pnl, "position ended");
        }
        Record::Reopened(position) => {
            tracing::warn!(id = position, "a sale never settled: the position is open again");
        }
        Record::Halt { until, loss } => {
            tracing::warn!(%until, %loss, "the day's loss reached its limit: no entries");
        }
        Record::Losses(losses) => {
            tracing::info!(in_a_row = losses.in_a_row, "losses in a row");
        }
        Record::Order(_)
        | Record::News(_)
        | Record::Changed(_)
        | Record::Final(_)
        | Record::Bid { .. }
        | Record::Lead { .. }
        | Record::Counterfactual(_)
        | Record::Outcome { .. }
        | Record::Day(_) => {}
    }
}
