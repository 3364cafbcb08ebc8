//! The figures of a verdict in sentences.

use decision::Eligibility;
use domain::{Tier, Timestamp};
use serde_json::{Value, json};

use super::figures::{
    Row, UNKNOWN, cents, counted, cut, decimals, dollars, percent, signed_percent, wrapped,
};

/// From here on luck is no explanation any more; below one less of it, skill is none.
const SURE: f64 = 0.95;

/// Who, how good, since when, and what is missing.
pub(super) fn header(
    row: &Row,
    as_of: Timestamp,
    since: Option<Timestamp>,
    needed: Eligibility,
) -> Vec<String> {
    let tier = row.text("trader_tier").unwrap_or(UNKNOWN);
    let since = since.map_or_else(String::new, |since| format!(" since {since}"));
    let score = decimals(row.number("reputation_score"), 2);
    let calibrated = decimals(row.number("calibrated_score"), 2);
    let mut lines = vec![
        row.text("wallet_address").unwrap_or(UNKNOWN).to_owned(),
        format!("{tier}{since}, as of {as_of}"),
        format!("score {score} of 10 as specified, {calibrated} calibrated"),
    ];
    lines.extend(held_on_to(row));
    lines.extend(missing(row, needed));
    lines.iter().flat_map(|line| wrapped(line, 100)).collect()
}

/// Why the tier is not the one of the score.
fn held_on_to(row: &Row) -> Option<String> {
    let (tier, own) = (row.tier()?, Tier::of(row.number("reputation_score")?));
    (tier != Tier::Unrated && tier != own).then(|| {
        format!("the score alone would be {own}: {tier} is left half a point later than it is reached")
    })
}

/// What a verdict needs, beside what there is.
fn needs(row: &Row, needed: Eligibility) -> [(&'static str, &'static str, Option<u64>, u64); 3] {
    [
        ("decisions", "closed decisions", row.count("closed_decisions"), needed.decisions.into()),
        ("events", "events", row.count("distinct_events"), needed.events.into()),
        ("active_days", "days with a trade", row.count("active_days"), needed.active_days.into()),
    ]
}

fn missing(row: &Row, needed: Eligibility) -> Option<String> {
    if row.is_rated() {
        return None;
    }
    let part = |(_, words, has, needs): &(&str, &str, Option<u64>, u64)| {
        let mark = if has.is_some_and(|has| *needs <= has) { "" } else { " (missing)" };
        format!("{} of {needs} {words}{mark}", counted(*has))
    };
    let parts = needs(row, needed);
    Some(format!("too little history: {}", parts.each_ref().map(part).join(", ")))
}

/// What there is and what is needed, where a wallet is not rated.
pub(super) fn missing_json(row: &Row, needed: Eligibility) -> Value {
    if row.is_rated() {
        return Value::Null;
    }
    let part = |(name, _, has, needs): (&str, &str, Option<u64>, u64)| {
        (name.to_owned(), json!({ "has": has, "needs": needs }))
    };
    Value::Object(needs(row, needed).map(part).into_iter().collect())
}

/// A factor as it is shown.
struct Factor {
    name: &'static str,
    /// Of 100.
    weight: u8,
    input: String,
    /// The name of its columns.
    column: &'static str,
}

impl Factor {
    fn score(&self, row: &Row) -> Option<f64> {
        row.number(&format!("{}_score", self.column))
    }

    fn calibrated(&self, row: &Row) -> Option<f64> {
        row.number(&format!("calibrated_{}_score", self.column))
    }
}

fn all_factors(row: &Row) -> [Factor; 5] {
    let factor = |name, weight, column, input: String| Factor { name, weight, input, column };
    let (won, of) = (counted(row.count("winning_decisions")), counted(row.count("closed_decisions")));
    let volume = row.usd("volume_30d_usd").map_or_else(|| UNKNOWN.to_owned(), dollars);
    [
        factor(
            "Win rate",
            40,
            "win_rate",
            format!("{won} of {of} decisions won, {}", percent(row.number("win_rate"))),
        ),
        factor(
            "Profit factor",
            30,
            "profit_factor",
            format!("{} on the cost of its decisions", signed_percent(row.number("roi"))),
        ),
        factor(
            "Consistency",
            15,
            "consistency",
            format!("{} of its weeks with a result made money", percent(row.number("profitable_weeks"))),
        ),
        factor("Volume", 10, "volume", format!("{volume} traded in 30 days")),
        factor(
            "Timing",
            5,
            "timing",
            row.number("mean_drift_24h").map_or_else(
                || "no entry is a day old and still open".to_owned(),
                |drift| format!("prices {} a share in the day after entries", cents(Some(drift))),
            ),
        ),
    ]
}

/// The five factors as a table, the score as specified beside the calibrated one.
pub(super) fn factors(row: &Row) -> Vec<String> {
    let line = |name: &str, weight: &str, input: &str, score: &str, calibrated: &str| {
        format!("{name:<13} {weight:>6}  {:<50} {score:>10} {calibrated:>11}", cut(input, 50))
    };
    let mut lines = vec![line("Factor", "weight", "made of", "as-spec", "calibrated")];
    for factor in all_factors(row) {
        let (score, calibrated) = (decimals(factor.score(row), 2), decimals(factor.calibrated(row), 2));
        lines.push(line(factor.name, &format!("{} %", factor.weight), &factor.input, &score, &calibrated));
    }
    let score = |column| decimals(row.number(column), 2);
    lines.push(line("Score", "100 %", "", &score("reputation_score"), &score("calibrated_score")));
    lines
}

/// The five factors as scripts read them.
pub(super) fn factors_json(row: &Row) -> Value {
    let factor = |factor: Factor| {
        json!({
            "name": factor.column,
            "weight": f64::from(factor.weight) / 100.0,
            "input": factor.input,
            "score": factor.score(row),
            "calibrated_score": factor.calibrated(row),
        })
    };
    all_factors(row).map(factor).into_iter().collect()
}

/// Win rates beside those that the prices paid asked for, and what was counted.
pub(super) fn decisions(row: &Row) -> Vec<String> {
    let rates = |won: &str, of: &str, rate: &str, even: &str| {
        format!(
            "{} won of {}, {}; {} would have broken even",
            counted(row.count(won)),
            counted(row.count(of)),
            percent(row.number(rate)),
            percent(row.number(even)),
        )
    };
    let ever = rates("winning_decisions", "closed_decisions", "win_rate", "break_even_win_rate");
    let lately = rates("wins_30d", "decisions_30d", "win_rate_30d", "break_even_win_rate_30d");
    let mut lines = labelled("Decisions", &format!("ever: {ever}"));
    lines.extend(labelled("", &format!("30 days: {lately}")));
    match row.count("unknown_cost_decisions") {
        None | Some(0) => {}
        Some(count) => {
            let pnl = row.usd("unknown_cost_pnl_usd").map_or_else(|| UNKNOWN.to_owned(), dollars);
            let told = format!("{count} more of unknown cost brought {pnl}: in its result, in no rate");
            lines.extend(labelled("", &told));
        }
    }
    lines
}

/// κ̂ with its error, what it means, and how it was found.
pub(super) fn skill(row: &Row) -> Vec<String> {
    let (kappa, error) = (row.number("skill_kappa"), row.number("skill_se"));
    let sign =
        |number: Option<f64>| number.map_or_else(|| UNKNOWN.to_owned(), |number| format!("{number:+.3}"));
    let mut told = vec![
        format!(
            "κ̂ {} ± {}, P(κ > 0) {}",
            sign(kappa),
            decimals(error, 3),
            percent(row.number("skill_probability"))
        ),
        meaning(row),
    ];
    told.push(match row.number("raw_kappa") {
        None if row.object().get("is_copyable").is_none_or(Value::is_null) => {
            "how it was found was not kept yet at that time".to_owned()
        }
        None => "no decision says anything yet: this is what wallets at large are like".to_owned(),
        raw => format!(
            "its decisions alone show κ {}, {} standard errors from luck; they are worth {} independent ones",
            sign(raw),
            decimals(row.number("raw_z"), 1),
            decimals(row.number("raw_n_eff"), 0)
        ),
    });
    told.extend(row.truth("is_verified").map(|is_verified| match is_verified {
        true => "verified: its record stands out from those of all rated wallets (one in ten so named is luck)".to_owned(),
        false => "not verified: among all rated wallets, records like it are to be expected from luck".to_owned(),
    }));
    let labels = std::iter::once("Skill").chain(std::iter::repeat(""));
    labels.zip(&told).flat_map(|(label, told)| labelled(label, told)).collect()
}

/// A paragraph behind its label, within the width of a screen.
fn labelled(label: &str, text: &str) -> Vec<String> {
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    labels.zip(wrapped(text, 86)).map(|(label, line)| format!("{label:<13}{line}")).collect()
}

/// The rate of winning even-money bets that an edge is worth.
pub(super) fn even_money(kappa: f64) -> f64 {
    (0.5 + 0.5 * kappa).clamp(0.0, 1.0)
}

/// What a skill means.
pub(super) fn meaning(row: &Row) -> String {
    let (Some(kappa), Some(probability)) = (row.number("skill_kappa"), row.number("skill_probability"))
    else {
        return "what it means cannot be said: how sure it is was not kept".to_owned();
    };
    let worth = format!("as good as winning {} of even-money bets", percent(Some(even_money(kappa))));
    if SURE <= probability {
        format!("{worth}; luck is hardly an explanation")
    } else if probability <= 1.0 - SURE {
        format!("{worth}: worse than luck, and hardly by accident")
    } else {
        format!("{worth}, which cannot be told from luck")
    }
}

/// What was earned on what was paid, and what prices did after entries.
pub(super) fn returns(row: &Row) -> Vec<String> {
    let roi = format!(
        "{} on cost, {} once shrunken toward wallets at large; {} in all",
        signed_percent(row.number("roi")),
        signed_percent(row.number("shrunken_roi")),
        row.usd("total_pnl_usd").map_or_else(|| UNKNOWN.to_owned(), dollars),
    );
    let clv = match row.count("clv_observations") {
        None => "no entry has been looked at again yet".to_owned(),
        Some(entries) => format!(
            "prices {} a share after {entries} entries, {} of it left to a copier (t {})",
            cents(row.number("clv_drift")),
            cents(row.number("clv_copyable")),
            decimals(row.number("clv_t"), 1)
        ),
    };
    [labelled("Return", &roi), labelled("Closing line", &clv)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skilled(kappa: f64, probability: f64) -> Row {
        Row::new(json!({ "skill_kappa": kappa, "skill_probability": probability }))
    }

    #[test]
    fn what_cannot_be_told_from_luck_is_called_so() {
        assert!(meaning(&skilled(0.185, 0.995)).contains("59.2 % of even-money bets"));
        assert!(!meaning(&skilled(0.185, 0.995)).contains("cannot be told"));
        assert!(meaning(&skilled(0.05, 0.7)).contains("cannot be told from luck"));
        assert!(meaning(&skilled(-0.3, 0.01)).contains("worse than luck"));
    }

    #[test]
    fn lines_fit_whatever_the_figures_are() {
        let mut row = serde_json::Map::new();
        for factor in all_factors(&Row::new(Value::Null)) {
            row.insert(format!("{}_score", factor.column), json!(10.0));
        }
        for column in
            ["roi", "shrunken_roi", "mean_drift_24h", "total_pnl_usd", "volume_30d_usd", "clv_drift"]
        {
            row.insert(column.to_owned(), json!(-987_654_321.123_456));
        }
        for column in ["clv_observations", "unknown_cost_decisions", "closed_decisions", "winning_decisions"]
        {
            row.insert(column.to_owned(), json!(4_000_000));
        }
        let row = Row::new(Value::Object(row));
        let lines = [factors(&row), decisions(&row), skill(&row), returns(&row)].concat();
        let widest = lines.iter().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 100, "{lines:#?}");
    }

    #[test]
    fn what_is_missing_is_counted() {
        let row = Row::new(json!({"trader_tier": "UNRATED", "closed_decisions": 12, "distinct_events": 20}));
        let needed = Eligibility { decisions: 30, events: 15, active_days: 21 };
        let said = missing(&row, needed).unwrap();
        assert!(
            said.contains("12 of 30 closed decisions (missing), 20 of 15 events, – of 21 days"),
            "{said}"
        );
        assert_eq!(missing_json(&row, needed)["decisions"], json!({"has": 12, "needs": 30}));
    }
}
