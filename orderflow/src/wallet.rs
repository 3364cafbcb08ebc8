//! `orderflow wallet`: what is believed about a wallet, how that came about, and what can be said against it.

mod curve;
pub(crate) mod figures;
mod flags;
mod past;
mod words;

use anyhow::bail;
use decision::Eligibility;
use domain::{Timestamp, Usd, Wallet};
use serde_json::{Value, json};
use store::{PgConnection, Store, reports};

use crate::render;
use curve::Curve;
use figures::Row;
use past::Past;

/// How many of the best and of the worst markets are shown.
const MARKETS: usize = 3;

/// Everything that is shown.
struct Explained {
    /// The stored verdict, by the names of its columns.
    row: Row,
    /// The moment of the verdict.
    as_of: Timestamp,
    /// Since when it has its tier, as far as the history goes back.
    since: Option<Timestamp>,
    /// What a verdict needs.
    needed: Eligibility,
    past: Past,
}

/// Shows how the number of a wallet came about, now or at a moment.
pub(crate) async fn run(
    store: Store,
    wallet: Wallet,
    at: Option<Timestamp>,
    needed: Eligibility,
    as_json: bool,
) -> anyhow::Result<()> {
    let mut connection = store.connection().await?;
    let Some(found) = reports::wallet(&mut connection, wallet, at).await? else {
        return Err(nothing(&mut connection, wallet, at).await?);
    };
    let row = Row::new(found);
    let as_of = row.time("as_of")?;
    let since = match row.is_rated() {
        true => reports::tier_since(&mut connection, wallet, as_of).await?,
        false => None,
    };
    let past = Past::read(&mut connection, wallet, as_of).await?;
    let explained = Explained { row, as_of, since, needed, past };
    if as_json {
        return Ok(render::line(&explained.json().to_string())?);
    }
    for line in explained.lines() {
        render::line(&line)?;
    }
    Ok(())
}

/// Why there is nothing to explain.
async fn nothing(
    connection: &mut PgConnection,
    wallet: Wallet,
    at: Option<Timestamp>,
) -> anyhow::Result<anyhow::Error> {
    let known = reports::unbelieved(connection, wallet).await?;
    Ok(match (at, known.first) {
        (Some(at), Some(first)) if at < first => {
            anyhow::anyhow!(
                "nothing was believed about {wallet} yet at {at}: the first verdict is of {first}"
            )
        }
        (Some(at), Some(first)) => anyhow::anyhow!(
            "nothing is kept of what was believed about {wallet} at {at}, when it was not rated: verdicts are kept \
             from {first} on"
        ),
        _ if known.is_known => {
            anyhow::anyhow!(
                "no verdict about {wallet} yet: no pass was made since it traded (`orderflow reputation`)"
            )
        }
        _ => anyhow::anyhow!("no verdict about {wallet}: it has not traded here"),
    })
}

impl Explained {
    fn lines(&self) -> Vec<String> {
        let mut lines = words::header(&self.row, self.as_of, self.since, self.needed);
        lines.push(String::new());
        lines.extend(words::factors(&self.row));
        lines.push(String::new());
        lines.extend(words::decisions(&self.row));
        lines.extend(words::skill(&self.row));
        lines.extend(words::returns(&self.row));
        lines.push(String::new());
        lines.extend(flags::lines(&self.row));
        lines.push(String::new());
        lines.extend(self.markets());
        lines.extend(self.curve());
        lines.extend(self.tie());
        lines
    }

    /// The best and the worst markets.
    fn markets(&self) -> Vec<String> {
        let (best, worst) = self.past.extremes(MARKETS);
        let line = |result: &past::Told| {
            let decisions = match result.decisions {
                0 => "open".to_owned(),
                1 => "1 decision".to_owned(),
                many => format!("{many} decisions"),
            };
            let title = figures::cut(&result.title, 58);
            format!("  {:>15}  {:<14}  {title}", figures::dollars(result.realized), decisions)
        };
        let titled = |title: &str, results: &[past::Told]| -> Vec<String> {
            let head = (!results.is_empty()).then(|| title.to_owned());
            head.into_iter().chain(results.iter().map(line)).collect()
        };
        [titled("Best markets, by result so far", &best), titled("Worst markets", &worst)].concat()
    }

    fn curve(&self) -> Vec<String> {
        Curve::of(&self.past.days).map_or_else(Vec::new, |curve| curve.lines())
    }

    /// Whether the result that was stored is the one that the facts come to.
    fn tie(&self) -> Option<String> {
        let difference = self.difference()?;
        (difference != Usd::ZERO).then(|| {
            format!(
                "The facts stored of it come to {}, the verdict says {}: {} apart. Facts were taken back, dropped or \
                 learned since.",
                figures::exact(self.past.pnl()),
                self.row.usd("total_pnl_usd").map_or_else(|| "–".to_owned(), figures::exact),
                figures::exact(difference),
            )
        })
    }

    fn difference(&self) -> Option<Usd> {
        self.row.usd("total_pnl_usd").map(|stored| self.past.pnl() - stored)
    }

    /// Everything, the verdict's columns beside what is derived from them.
    fn json(&self) -> Value {
        let (best, worst) = self.past.extremes(MARKETS);
        let results =
            |results: &[past::Told]| -> Vec<Value> { results.iter().map(past::Told::json).collect() };
        let mut whole = self.row.object().clone();
        let mut add = |name: &str, value: Value| whole.insert(name.to_owned(), value);
        add("tier_since", json!(self.since.map(|since| since.to_string())));
        add("missing", words::missing_json(&self.row, self.needed));
        add("factors", words::factors_json(&self.row));
        add("skill_meaning", json!(words::meaning(&self.row)));
        add("even_money_win_rate", json!(self.row.number("skill_kappa").map(words::even_money)));
        add("flags", flags::json(&self.row));
        add("best_markets", Value::Array(results(&best)));
        add("worst_markets", Value::Array(results(&worst)));
        add("equity", Curve::of(&self.past.days).map_or(Value::Null, |curve| curve.json()));
        add("days", Value::Array(self.past.days.iter().map(past::day_json).collect()));
        add("folded_pnl_usd", json!(figures::float(self.past.pnl())));
        add("pnl_difference_usd", json!(self.difference().map(figures::float)));
        Value::Object(whole)
    }
}

/// Reads a moment: RFC 3339, or a date, which is the end of that day in UTC.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    let at = Timestamp::parse_rfc3339(text);
    let day = || Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"));
    let end_of_day = || day().map(|day| day.plus_micros(Timestamp::DAY - 1));
    at.or_else(|_| end_of_day()).map_err(|_| {
        format!("`{text}` is neither a time such as 2026-11-23T08:30:00Z nor a date such as 2026-11-23")
    })
}

/// Stops where a column that is always there is missing.
fn corrupt<T>(column: &str) -> anyhow::Result<T> {
    bail!("the stored verdict has no readable `{column}`")
}
