//! What a wallet must hold by what the chain says that it did, whatever the books say.

use domain::{Shares, TokenId, Wallet};
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::row;

/// A token that a wallet got some of, and did not give back as far as the chain was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The token.
    pub token: TokenId,
    /// Its market and outcome, where they are described.
    pub what: Option<String>,
}

/// The tokens without a result of which a wallet bought more or less than it sold, by all of its trades that were read, or
/// in whose market it split, merged or converted. What was moved by hand without a trade is not among them, and how much
/// there is only the venue or the chain itself can say.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn touched(connection: &mut PgConnection, wallet: Wallet) -> Result<Vec<Touched>, StoreError> {
    // A sale has the bit 16, a fee taken in shares the bit 32.
    let rows = sqlx::query(
        "WITH traded AS (
             SELECT f.token, sum(CASE WHEN f.kind & 16 > 0 THEN -f.shares
                                      WHEN f.kind & 32 > 0 THEN f.shares - f.fee ELSE f.shares END) AS net
             FROM orderflow_fills f
             WHERE f.wallet = (SELECT id FROM orderflow_wallets WHERE address = $1)
             GROUP BY f.token),
         touched AS (
             SELECT k.token_id FROM traded t JOIN orderflow_tokens k ON k.id = t.token WHERE abs(t.net) >= $2
             UNION
             SELECT unnest(m.token_ids) FROM orderflow_ledger_events e
             JOIN orderflow_markets m ON m.condition_id = e.condition_id OR m.neg_risk_market = e.condition_id
             WHERE e.wallet_address = $1 AND NOT e.orphaned AND e.kind IN ('split', 'merge', 'conversion'))
         SELECT t.token_id::text, m.title, m.outcomes[array_position(m.token_ids, t.token_id)] AS outcome
         FROM touched t LEFT JOIN orderflow_markets m ON m.token_ids @> ARRAY[t.token_id]
         WHERE m.resolved_at IS NULL ORDER BY t.token_id",
    )
    .bind(wallet.to_string())
    .bind(Shares::DUST.micros())
    .fetch_all(connection)
    .await
    .during("read what a wallet must hold by its trades")?;
    rows.iter()
        .map(|found| {
            let title: Option<String> = found.try_get("title").during("read a column")?;
            let outcome: Option<String> = found.try_get("outcome").during("read a column")?;
            Ok(Touched {
                token: row::text(found, "token_id", "a token id")?,
                what: title.map(|title| match outcome {
                    Some(outcome) => format!("{outcome} of \"{title}\""),
                    None => format!("\"{title}\""),
                }),
            })
        })
        .collect()
}
