//! A signal as a card: who, what, for how much, how sure, and what came of it.

use crate::wallet::figures::{Row, UNKNOWN, dollars};

/// A signal's card.
pub(crate) fn signal(row: &Row) -> String {
    let lines = [who(row), what(row), ours(row), became(row)];
    lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Who led to it: a whale with its record, or wallets that panic.
fn who(row: &Row) -> String {
    let (id, kind) = (row.count("id").unwrap_or(0), row.text("signal_type").unwrap_or(UNKNOWN));
    let score = number(row, "reputation_score", 1);
    if kind == "FADE_DEGEN" {
        let wallets = row.count("wallet_count").unwrap_or(0);
        return format!("PANIC SIGNAL #{id}   {wallets} wallets   {score} / 10 on average");
    }
    let address = row.text("wallet_address").unwrap_or(UNKNOWN);
    format!(
        "WHALE SIGNAL #{id}   {}   {score} / 10 {}   {}   {}",
        short(address),
        row.text("trader_tier").unwrap_or(UNKNOWN),
        record(row),
        skill(row),
    )
}

fn record(row: &Row) -> String {
    let record = Row::new(row.object().get("record").cloned().unwrap_or_default());
    match (record.number("win_rate"), record.number("break_even_win_rate")) {
        (Some(won), Some(even)) => {
            format!("win rate {:.0} % (break-even {:.0} %)", won * 100.0, even * 100.0)
        }
        _ => format!("win rate {UNKNOWN}"),
    }
}

/// κ̂ in cents a share at the market's price, which is what it is worth there.
fn skill(row: &Row) -> String {
    let (Some(kappa), Some(error), Some(market)) =
        (row.number("skill_kappa"), row.number("skill_se"), row.number("market_price"))
    else {
        return format!("skill {UNKNOWN}");
    };
    let cents = 100.0 * (market * (1.0 - market)).max(0.0).sqrt();
    format!("skill {:+.1} ± {:.1} c", kappa * cents, error * cents)
}

fn what(row: &Row) -> String {
    let paid = row.number("reference_price").map_or_else(|| UNKNOWN.to_owned(), price);
    let usd = row.number("notional_usd").map_or_else(|| UNKNOWN.to_owned(), whole_dollars);
    let who = match row.text("signal_type") {
        Some("FADE_DEGEN") => "sold at",
        _ => "whale paid",
    };
    format!("{}   BUY {}   {who} {paid} for {usd}", market(row), outcome(row))
}

fn ours(row: &Row) -> String {
    let (stake, expected) = (row.number("stake_usd"), row.number("expected_price"));
    let fee = match (stake, expected, row.number("fee_rate")) {
        (Some(stake), Some(at), Some(rate)) => format!("${:.2}", stake * rate * (1.0 - at)),
        _ => UNKNOWN.to_owned(),
    };
    let win = expected.map_or_else(|| UNKNOWN.to_owned(), |at| format!("{:+.0} %", 100.0 * (1.0 - at) / at));
    format!(
        "ours: BUY {} ≤ {}   {} (Kelly {}, applied {})   confidence {} %   fee {fee}   {win} / −100 %",
        outcome(row),
        row.number("limit_price").map_or_else(|| UNKNOWN.to_owned(), price),
        stake.map_or_else(|| UNKNOWN.to_owned(), whole_dollars),
        number(row, "kelly_fraction", 3),
        number(row, "kelly_applied", 3),
        row.number("confidence").map_or_else(|| UNKNOWN.to_owned(), |part| format!("{:.0}", part * 100.0)),
    )
}

/// What was done about it, as far as that has come.
fn became(row: &Row) -> String {
    let part = |name: &str| row.object().get(name).filter(|value| value.is_object()).cloned().map(Row::new);
    let result = part("result").and_then(|result| result.number("pnl_usd"));
    if let Some(position) = part("position") {
        let filled = format!(
            "FILLED {} @ {}",
            number(&position, "shares", 1),
            position.number("entry_price").map_or_else(|| UNKNOWN.to_owned(), price)
        );
        let ended = position
            .usd("pnl_usd")
            .map(|pnl| format!("   {} {}", position.text("status").unwrap_or(UNKNOWN), dollars(pnl)));
        return filled + &ended.unwrap_or_default();
    }
    let would =
        result.map(|pnl| format!("   it would have made {}", signed_dollars(pnl))).unwrap_or_default();
    if row.truth("shadow") == Some(true) {
        return format!("SHADOW: not sent{would}");
    }
    match row.text("refusal") {
        Some(refusal) => format!("REFUSED: {refusal}{would}"),
        None => format!("{}{would}", row.text("status").unwrap_or(UNKNOWN)),
    }
}

/// The market by the name it has in web addresses, in capitals; by its title where it has none.
pub(crate) fn market(row: &Row) -> String {
    match row.text("slug").filter(|slug| !slug.is_empty()) {
        Some(slug) => slug.to_uppercase(),
        None => row.text("market_title").unwrap_or(UNKNOWN).to_owned(),
    }
}

/// The outcome in capitals.
pub(crate) fn outcome(row: &Row) -> String {
    row.text("outcome").unwrap_or(UNKNOWN).to_uppercase()
}

/// The ends of an address.
pub(crate) fn short(address: &str) -> String {
    match (address.get(..6), address.get(address.len().saturating_sub(4)..)) {
        (Some(first), Some(last)) if address.len() > 10 => format!("{first}…{last}"),
        _ => address.to_owned(),
    }
}

/// A price with two decimals, or with as many more as it has.
pub(crate) fn price(price: f64) -> String {
    let mut text = format!("{price:.6}");
    while text.ends_with('0') && text.len() > "0.00".len() {
        text.pop();
    }
    text
}

/// Dollars without cents, in groups of three.
pub(crate) fn whole_dollars(usd: f64) -> String {
    let text = format!("{usd:.0}.00").parse().map(dollars).unwrap_or_else(|_| UNKNOWN.to_owned());
    text.strip_suffix(".00").map_or(text.clone(), str::to_owned)
}

/// Dollars and cents with their sign.
pub(crate) fn signed_dollars(usd: f64) -> String {
    let text = format!("{usd:.6}").parse().map(dollars).unwrap_or_else(|_| UNKNOWN.to_owned());
    if usd >= 0.0 { format!("+{text}") } else { text }
}

fn number(row: &Row, column: &str, decimals: usize) -> String {
    row.number(column).map_or_else(|| UNKNOWN.to_owned(), |number| format!("{number:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(more: serde_json::Value) -> Row {
        let mut row = json!({
            "id": 847, "signal_type": "FOLLOW_WHALE", "wallet_address": "0x1234000000000000000000000000000000005678",
            "reputation_score": 8.5, "trader_tier": "WHALE", "record": {"win_rate": 0.74, "break_even_win_rate": 0.61},
            "skill_kappa": 0.0934, "skill_se": 0.0433, "market_price": 0.74, "slug": "btc-updown-15m-1736953200",
            "outcome": "Yes", "reference_price": 0.72, "notional_usd": 50_000.0, "limit_price": 0.76,
            "stake_usd": 211.54, "kelly_fraction": 0.4231, "kelly_applied": 0.1058, "confidence": 0.85,
            "fee_rate": 0.07, "expected_price": 0.74, "status": "OPEN",
            "position": {"shares": 286.1, "entry_price": 0.74, "pnl_usd": null, "status": "OPEN"},
        });
        for (name, value) in more.as_object().unwrap() {
            row[name] = value.clone();
        }
        Row::new(row)
    }

    #[test]
    fn a_card_is_the_one_that_was_asked_for() {
        let expected = "\
WHALE SIGNAL #847   0x1234…5678   8.5 / 10 WHALE   win rate 74 % (break-even 61 %)   skill +4.1 ± 1.9 c
BTC-UPDOWN-15M-1736953200   BUY YES   whale paid 0.72 for $50,000
ours: BUY YES ≤ 0.76   $212 (Kelly 0.423, applied 0.106)   confidence 85 %   fee $3.85   +35 % / −100 %
FILLED 286.1 @ 0.74";
        assert_eq!(signal(&row(json!({}))), expected);
    }

    #[test]
    fn the_last_line_says_what_became_of_it() {
        let last = |more| signal(&row(more)).lines().last().unwrap().to_owned();
        let won =
            json!({"position": {"shares": 286.1, "entry_price": 0.7415, "pnl_usd": 70.5, "status": "WON"}});
        assert_eq!(last(won), "FILLED 286.1 @ 0.7415   WON $70.50");
        let refused =
            json!({"position": null, "refusal": "entries are paused", "result": {"pnl_usd": -211.54}});
        assert_eq!(last(refused), "REFUSED: entries are paused   it would have made -$211.54");
        let shadow =
            json!({"position": null, "shadow": true, "signal_type": "FADE_DEGEN", "wallet_count": 6});
        assert_eq!(last(shadow.clone()), "SHADOW: not sent");
        assert!(signal(&row(shadow)).starts_with("PANIC SIGNAL #847   6 wallets   8.5 / 10 on average\n"));
        assert_eq!(last(json!({"position": null, "status": "UNFILLED"})), "UNFILLED");
    }
}
