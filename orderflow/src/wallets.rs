//! `orderflow wallets`: the rated wallets, best first.

use serde_json::Value;
use store::reports::WantedWallets;
use store::{Store, reports};

use crate::args::Wallets;
use crate::render;
use crate::wallet::figures::{Row, UNKNOWN, counted, decimals, dollars, percent, wrapped};

/// Shows those that were asked for.
pub(crate) async fn run(store: Store, asked: &Wallets) -> anyhow::Result<()> {
    let wanted = WantedWallets { tier: asked.tier, copyable: asked.copyable, verified: asked.verified };
    let top = i64::from(asked.list.top);
    let rows = reports::wallets(&mut *store.connection().await?, wanted, top).await?;
    if asked.list.view.json {
        return Ok(render::line(&Value::Array(rows).to_string())?);
    }
    if rows.is_empty() {
        return Ok(render::line("no such wallet yet")?);
    }
    render::line(&head())?;
    for row in rows {
        for line in lines(&Row::new(row)) {
            render::line(&line)?;
        }
    }
    Ok(())
}

/// The width of what stands below an address.
const BELOW: usize = 94;

fn line(cells: [&str; 6]) -> String {
    let [wallet, tier, score, calibrated, skill, probability] = cells;
    format!("{wallet:<42}  {tier:<8} {score:>5} {calibrated:>10}  {skill:>15}  {probability:>8}")
}

fn head() -> String {
    line(["wallet", "tier", "score", "calibrated", "κ̂ ± error ", "P(κ > 0)"])
}

/// A wallet's numbers behind its address, and below it what they were made of.
fn lines(row: &Row) -> Vec<String> {
    let text = |column| row.text(column).unwrap_or(UNKNOWN);
    let skill = row.number("skill_kappa").map_or_else(
        || UNKNOWN.to_owned(),
        |kappa| format!("{kappa:+.3} ± {}", decimals(row.number("skill_se"), 3)),
    );
    let first = line([
        text("wallet_address"),
        text("trader_tier"),
        &decimals(row.number("reputation_score"), 2),
        &decimals(row.number("calibrated_score"), 2),
        &skill,
        &percent(row.number("skill_probability")),
    ]);
    let usd = |column| row.usd(column).map_or_else(|| UNKNOWN.to_owned(), dollars);
    let below = format!(
        "won {} of {}, {} (even at {}); P&L {}; {} in 30 days; {}{}",
        counted(row.count("winning_decisions")),
        counted(row.count("closed_decisions")),
        percent(row.number("win_rate")),
        percent(row.number("break_even_win_rate")),
        usd("total_pnl_usd"),
        usd("volume_30d_usd"),
        if row.truth("is_verified") == Some(true) { "verified; " } else { "" },
        copying(row),
    );
    let below = wrapped(&below, BELOW).into_iter().map(|line| format!("    {line}"));
    std::iter::once(first).chain(below).collect()
}

/// The names of what speaks against copying.
fn copying(row: &Row) -> String {
    let Some(flags) = row.list("flags") else { return "copyable: not known".to_owned() };
    let names: Vec<&str> = flags.iter().filter_map(|flag| flag["name"].as_str()).collect();
    if names.is_empty() { "copyable".to_owned() } else { format!("not copyable: {}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_wallet_fits_the_screen_and_names_its_flags() {
        let flags: Vec<Value> =
            domain::FlagKind::ALL.iter().map(|kind| json!({ "name": kind.name() })).collect();
        let row = Row::new(json!({
            "wallet_address": format!("0x{:040x}", 7), "trader_tier": "AVERAGE", "reputation_score": 10.0,
            "calibrated_score": 10.0, "skill_kappa": -0.5, "skill_se": 0.1, "skill_probability": 1.0,
            "total_pnl_usd": -987_654_321.5, "volume_30d_usd": 987_654_321.5, "is_verified": true, "flags": flags,
        }));
        let lines = lines(&row);
        assert!(lines.iter().chain([&head()]).all(|line| line.chars().count() <= 100), "{lines:#?}");
        let whole = lines.join(" ");
        assert!(whole.contains("truncated-history") && whole.contains("market-maker"), "{whole}");
        assert!(copying(&Row::new(json!({ "flags": [] }))) == "copyable");
        assert!(copying(&Row::new(json!({ "flags": null }))).contains("not known"));
    }
}
