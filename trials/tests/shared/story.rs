//! Everything the database has of some positions, for whoever must find out how they came to be what they are.

use std::collections::BTreeSet;

use sqlx::PgPool;

/// What is told of a position, each as one query by its number.
const ROWS: [&str; 6] = [
    "SELECT 'signal ' || jsonb_build_object('id', id, 'at', created_at, 'wallet', wallet_address, 'token', token_id,
                                            'condition', condition_id)::text
     FROM orderflow_signals WHERE id = $1",
    "SELECT 'position ' || to_jsonb(p)::text FROM orderflow_positions p WHERE id = $1",
    "SELECT 'exit ' || to_jsonb(x)::text FROM orderflow_exits x WHERE position_id = $1",
    "SELECT 'result ' || jsonb_build_object('learned', o.learned_at, 'seq', o.seq, 'orphaned', e.orphaned,
                                            'pays', e.payout_numerators)::text
     FROM orderflow_signals s
     JOIN orderflow_ledger_events e ON e.condition_id = s.condition_id AND e.kind = 'resolution'
     LEFT JOIN orderflow_outbox o ON o.block_hash = e.block_hash
     WHERE s.id = $1 ORDER BY o.seq",
    "SELECT 'order ' || to_jsonb(o)::text FROM orderflow_orders o WHERE position_id = $1 ORDER BY id",
    "SELECT 'match ' || to_jsonb(e)::text
     FROM orderflow_executions e JOIN orderflow_orders o ON o.id = e.order_id
     WHERE o.position_id = $1 ORDER BY e.order_id, e.matched_at",
];

/// All rows of these positions, a line each.
pub(crate) async fn of(pool: &PgPool, positions: &BTreeSet<i64>) -> String {
    let mut lines = vec![];
    for position in positions {
        lines.push(format!("position {position}:"));
        for query in ROWS {
            let rows: Vec<String> = sqlx::query_scalar(query).bind(position).fetch_all(pool).await.unwrap();
            lines.extend(rows.into_iter().map(|row| format!("  {row}")));
        }
    }
    lines.join("\n")
}
