//! `orderflow why`: a signal's or a refusal's whole story, from what is stored.

use std::str::FromStr;

use anyhow::bail;
use serde_json::Value;
use store::{Store, stories};

use crate::card::{self, price, short, signed_dollars, whole_dollars};
use crate::render;
use crate::wallet::figures::{Row, UNKNOWN};

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A signal, by its number.
    Signal(i64),
    /// A refusal, by its number.
    Refusal(i64),
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || "it is neither a signal's number, such as 847, nor a refusal's, such as r123".to_owned();
        let (digits, make): (&str, fn(i64) -> Self) = match text.strip_prefix('r') {
            Some(digits) => (digits, Self::Refusal),
            None => (text.trim_start_matches(['#', 's']), Self::Signal),
        };
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { digits.parse().map(make).map_err(|_| wrong()) } else { Err(wrong()) }
    }
}

/// Tells the story.
pub(crate) async fn run(store: Store, asked: Asked, json: bool) -> anyhow::Result<()> {
    let mut connection = store.connection().await?;
    let story = match asked {
        Asked::Signal(id) => stories::signal(&mut connection, id).await?,
        Asked::Refusal(id) => stories::refusal(&mut connection, id).await?,
    };
    let Some(story) = story else {
        match asked {
            Asked::Signal(id) => bail!("there is no signal #{id}: `orderflow signals` shows those there are"),
            Asked::Refusal(id) => {
                bail!("there is no refusal r{id}: `orderflow signals --refused` shows those there are")
            }
        }
    };
    if json {
        return Ok(render::line(&story.to_string())?);
    }
    let row = Row::new(story);
    let head = match asked {
        Asked::Signal(_) => card::signal(&row),
        Asked::Refusal(_) => refusal(&row),
    };
    render::line(&head)?;
    for line in told(&row) {
        render::line(&line)?;
    }
    Ok(())
}

/// What was refused, why, and the numbers that decided.
fn refusal(row: &Row) -> String {
    let text = |column| row.text(column).unwrap_or(UNKNOWN);
    let usd = row.number("notional_usd").map_or_else(|| UNKNOWN.to_owned(), whole_dollars);
    let figures: Vec<String> = row
        .object()
        .get("figures")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name} {}", value.as_str().map_or(value.to_string(), str::to_owned)))
        .collect();
    let mut head = format!(
        "REFUSED {}   {}   {}\n{}   BUY {}   {usd} by then\n{}: {}",
        text("name"),
        text("signal_type"),
        short(text("wallet_address")),
        card::market(row),
        card::outcome(row),
        text("reason"),
        text("detail"),
    );
    if !figures.is_empty() {
        head += &format!("   ({})", figures.join(", "));
    }
    if let Some(signal) = row.count("signal_id") {
        head += &format!("\nit ended signal #{signal}");
    }
    head
}

/// A line of a story under its name.
fn line(name: &str, text: &str) -> String {
    format!("{name:<10} {text}")
}

/// Everything it was decided on, and what it came to.
fn told(row: &Row) -> Vec<String> {
    let mut lines = vec![String::new(), line("Decided", row.text("created_at").unwrap_or(UNKNOWN))];
    let part = |name: &str| row.object().get(name).filter(|value| value.is_object()).cloned().map(Row::new);
    match part("evidence") {
        Some(evidence) => lines.extend(decided_on(&evidence)),
        None => lines.push(line("Book", "it was refused before its book was asked for, or nothing was kept")),
    }
    if let Some(record) = part("record") {
        lines.push(line("Factors", &factors(&record)));
    }
    if let Some(result) = part("result") {
        let figure = |name| result.number(name).unwrap_or(f64::NAN);
        let mut text = format!(
            "a share paid ${}, {:+.1} ¢ against its cost, on {}",
            price(figure("payoff")),
            100.0 * figure("edge_usd"),
            result.text("resolved_at").unwrap_or(UNKNOWN),
        );
        if let Some(pnl) = result.number("pnl_usd") {
            text += &format!("; the stake at the expected price: {}", signed_dollars(pnl));
        }
        lines.push(line("Outcome", &text));
    } else {
        lines.push(line("Outcome", "not known"));
    }
    if let Some(policy) = part("policy") {
        lines.push(line("Settings", policy.text("settings").unwrap_or(UNKNOWN)));
    }
    lines
}

fn factors(record: &Row) -> String {
    let names =
        ["win_rate_score", "profit_factor_score", "consistency_score", "volume_score", "timing_score"];
    let told = names.map(|name| {
        let score = record.number(name).map_or_else(|| UNKNOWN.to_owned(), |score| format!("{score:.1}"));
        format!("{} {score}", name.trim_end_matches("_score").replace('_', " "))
    });
    told.join(", ")
}

fn decided_on(evidence: &Row) -> Vec<String> {
    let figure = |name: &str| evidence.number(name).unwrap_or(f64::NAN);
    let usd = |name: &str| whole_dollars(figure(name));
    let coefficient = Row::new(evidence.object().get("coefficient").cloned().unwrap_or_default());
    let held = match evidence.number("held_before") {
        Some(shares) => format!("{shares:.1} shares net before its entry"),
        None => "nobody knew what it held".to_owned(),
    };
    vec![
        line(
            "News",
            &format!(
                "{:.1} s old; the book came within {:.0} ms and was of {}",
                figure("age_ms") / 1_000.0,
                figure("waited_ms"),
                evidence.text("book_at").unwrap_or(UNKNOWN)
            ),
        ),
        line("Bids", &levels(evidence, "bids")),
        line("Asks", &levels(evidence, "asks")),
        line(
            "Book",
            &format!(
                "middle {}{}, spread {:.1} ¢, {} up to the limit {}, {:+.1} ¢ since {}",
                price(figure("market_price")),
                evidence.number("fair_price").map_or_else(String::new, |fair| format!(" (worth {fair:.4})")),
                100.0 * figure("spread"),
                usd("depth_usd"),
                price(figure("limit_price")),
                100.0 * figure("run_up"),
                price(figure("reference_price")),
            ),
        ),
        line(
            "Whales",
            &format!(
                "{} with it, {} against{}; {held}",
                usd("whales_with_usd"),
                usd("whales_against_usd"),
                // Signals from before it was kept have none.
                evidence.number("whales_opposed").map_or_else(String::new, |opposed| format!(
                    " ({:.0} % by what they know)",
                    100.0 * opposed
                )),
            ),
        ),
        line("Company", &company(evidence)),
        line(
            "Belief",
            &format!(
                "p {:.4} ± {:.4}: κ̂ {:+.3} ± {:.3}, drop {:.1} ¢, of which {:.2} ± {:.2} is kept ({:.0} events)",
                figure("probability"),
                figure("error"),
                figure("kappa"),
                figure("kappa_error"),
                100.0 * figure("drop"),
                coefficient.number("mean").unwrap_or(f64::NAN),
                coefficient.number("deviation").unwrap_or(f64::NAN),
                coefficient.number("events").unwrap_or(f64::NAN),
            ),
        ),
        line("Bet", &bet(evidence)),
        line(
            "Cost",
            &format!(
                "{:.4} a share: {} and the fee at a rate of {} and {:.1} ¢ for latency",
                figure("cost"),
                price(figure("expected_price")),
                figure("fee_rate"),
                100.0 * figure("latency_cost"),
            ),
        ),
        line(
            "Judgement",
            &format!("confidence {:.1} %, Kelly {:.3}", 100.0 * figure("confidence"), figure("kelly")),
        ),
    ]
}

/// What else counts of a whale's bet. Stories of panics, and of before this was kept, have nothing of it.
fn bet(evidence: &Row) -> String {
    let part = |of: &Row, name: &str| Row::new(of.object().get(name).cloned().unwrap_or_default());
    let size = match (evidence.number("size"), evidence.number("median_cost_usd")) {
        (Some(size), Some(median)) => format!("{size:.1} times its median of {}", whole_dollars(median)),
        _ => "nobody knew what it usually stakes".to_owned(),
    };
    let further = part(evidence, "further");
    let weight = |name: &str| {
        let coefficient = part(&further, name);
        match (coefficient.number("mean"), coefficient.number("deviation")) {
            (Some(mean), Some(deviation)) => format!("{mean:+.2} ± {deviation:.2}"),
            _ => UNKNOWN.to_owned(),
        }
    };
    let consensus = part(evidence, "consensus");
    let backers = consensus.count("wallets").filter(|backers| 1 < *backers);
    let agreed = backers.map_or_else(String::new, |backers| {
        let (kappa, error) = (consensus.number("kappa"), consensus.number("error"));
        let (kappa, error) = (kappa.unwrap_or(f64::NAN), error.unwrap_or(f64::NAN));
        format!("{backers} wallets bought it, together κ̂ {kappa:+.3} ± {error:.3}; ")
    });
    format!(
        "{agreed}{size}; taking counts {}, size {}, run-up {}",
        weight("taken"),
        weight("size"),
        weight("run_up")
    )
}

/// How sure the wallet's record is, how it traded, and how much others did. Stories of before this was kept say less.
fn company(evidence: &Row) -> String {
    let percent = |name: &str| {
        evidence.number(name).map_or_else(|| UNKNOWN.to_owned(), |part| format!("{:.0} %", 100.0 * part))
    };
    format!(
        "P(κ > 0) {}, entries timed at t {}, {} taken, {} traded in the last day",
        percent("skill_probability"),
        evidence.number("timing_t").map_or_else(|| UNKNOWN.to_owned(), |t| format!("{t:.1}")),
        percent("part"),
        evidence.number("volume_24h_usd").map_or_else(|| UNKNOWN.to_owned(), whole_dollars),
    )
}

/// The best levels of a side, as many as are kept.
fn levels(evidence: &Row, side: &str) -> String {
    let told: Vec<String> = evidence
        .list(side)
        .into_iter()
        .flatten()
        .map(|level| {
            let part = |index: usize| level[index].as_f64().unwrap_or(f64::NAN);
            format!("{} × {:.0}", price(part(0)), part(1))
        })
        .collect();
    if told.is_empty() { UNKNOWN.to_owned() } else { told.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_and_refusals_are_asked_for_by_their_numbers() {
        for (text, asked) in [
            ("847", Asked::Signal(847)),
            ("#847", Asked::Signal(847)),
            ("s847", Asked::Signal(847)),
            ("r123", Asked::Refusal(123)),
        ] {
            assert_eq!(text.parse(), Ok(asked));
        }
        for wrong in ["", "r", "x1", "1.5", "-3", "r-3", "99999999999999999999"] {
            assert!(wrong.parse::<Asked>().is_err(), "{wrong}");
        }
    }
}
