//! What speaks against copying a wallet, in words.

use domain::FlagKind;
use serde_json::{Value, json};

use super::figures::{Row, wrapped};

/// A reason as it is stored.
struct Reason {
    name: String,
    figure: Option<f64>,
    limit: Option<f64>,
}

impl Reason {
    fn of(stored: &Value) -> Self {
        Self {
            name: stored["name"].as_str().unwrap_or_default().to_owned(),
            figure: stored["figure"].as_f64(),
            limit: stored["limit"].as_f64(),
        }
    }

    /// `None` for a name that this version does not know.
    fn kind(&self) -> Option<FlagKind> {
        FlagKind::from_name(&self.name)
    }

    fn why(&self) -> &'static str {
        self.kind().map_or("a reason that this version does not know", why)
    }

    fn lines(&self) -> Vec<String> {
        let show = |number: Option<f64>| match (number, self.kind()) {
            (None, _) => "–".to_owned(),
            (Some(number), Some(kind)) => in_its_unit(kind, number),
            (Some(number), None) => number.to_string(),
        };
        let bound = if self.kind() == Some(FlagKind::ShortHolds) { "at least" } else { "at most" };
        let head = format!("  {:<20}{}, {bound} {} would do", self.name, show(self.figure), show(self.limit));
        let why = wrapped(self.why(), 94).into_iter().map(|line| format!("    {line}"));
        std::iter::once(head).chain(why).collect()
    }
}

/// Nothing where nothing was kept.
fn reasons(row: &Row) -> Option<Vec<Reason>> {
    row.list("flags").map(|flags| flags.iter().map(Reason::of).collect())
}

/// Each reason with its figure, its limit, and why it bars copying.
pub(super) fn lines(row: &Row) -> Vec<String> {
    match reasons(row) {
        None => vec!["Copying      not known: reasons against it were not kept yet at that time".to_owned()],
        Some(reasons) if reasons.is_empty() => {
            vec!["Copying      nothing speaks against copying it".to_owned()]
        }
        Some(reasons) => {
            let head = "Copying      not to be copied; none of this changes its score:".to_owned();
            std::iter::once(head).chain(reasons.iter().flat_map(Reason::lines)).collect()
        }
    }
}

/// The stored reasons with their words.
pub(super) fn json(row: &Row) -> Value {
    let reason = |reason: &Reason| {
        json!({
            "name": reason.name,
            "figure": reason.figure,
            "limit": reason.limit,
            "why": reason.why(),
        })
    };
    reasons(row).map_or(Value::Null, |reasons| reasons.iter().map(reason).collect())
}

fn in_its_unit(kind: FlagKind, number: f64) -> String {
    match kind {
        FlagKind::ShortHolds => format!("{number:.1} minutes"),
        FlagKind::ManyDecisions => format!("{number:.0} decisions a day"),
        FlagKind::ManyMarkets => format!("{number:.0} markets in 30 days"),
        FlagKind::Sets | FlagKind::Merges | FlagKind::FewCounterparties => format!("{number:.2}"),
        _ => format!("{:.0} %", 100.0 * number),
    }
}

/// Why somebody who does what this wallet does, a little later and for money of his own, would not get what it got.
const fn why(kind: FlagKind) -> &'static str {
    match kind {
        FlagKind::MarketMaker => {
            "of its opening volume rested in the book: it is paid for waiting, and a copier pays that instead"
        }
        FlagKind::Hedged => {
            "of its cost is hedged by the other outcome: one leg alone is another bet than the one it made"
        }
        FlagKind::Sets => {
            "splits and merges for each trade: it earns on full sets of outcomes, which are no opinion"
        }
        FlagKind::Merges => {
            "merges for each split: it buys both outcomes to cash them together, which is arbitrage and no opinion"
        }
        FlagKind::Baskets => {
            "of its decisions are three and more in one event: each is a part of a basket and means little alone"
        }
        FlagKind::ShortHolds => {
            "is the median time it holds: by the time a copier is in, it is about to leave"
        }
        FlagKind::ManyDecisions => {
            "on its busiest day of the last 30: that is a machine's pace, not a copier's"
        }
        FlagKind::ManyMarkets => "entered: it is everywhere at once, and no account could follow it",
        FlagKind::Sweeper => {
            "of its decisions were bought at 0.95 and above: it collects cents on what is almost certain, until one \
             loss takes them all"
        }
        FlagKind::UltraShortMarkets => {
            "of its opening volume is in markets of 15 minutes and less: they are over before a copier's order is in"
        }
        FlagKind::FewCounterparties => {
            "is the concentration of its volume on few counterparties: its trades may be arranged"
        }
        FlagKind::RoundTrips => {
            "of its volume was traded back with the same counterparty within ten minutes: its volume may be made up"
        }
        FlagKind::TruncatedHistory => {
            "of its decisions sold shares that nobody saw arrive: what they cost, and so what it made, is unknown"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_figure_and_a_sentence_that_fit() {
        for kind in FlagKind::ALL {
            let stored = json!({"name": kind.name(), "figure": 0.75, "limit": kind.limit()});
            let lines = Reason::of(&stored).lines();
            assert!(lines.len() >= 2 && lines[0].contains(kind.name()), "{lines:?}");
            assert!(lines.iter().all(|line| line.chars().count() <= 100), "{lines:?}");
        }
    }

    #[test]
    fn no_reason_is_not_the_same_as_none_kept() {
        let row = |flags: Value| Row::new(json!({ "flags": flags }));
        assert!(lines(&row(json!([])))[0].contains("nothing speaks against"));
        assert!(lines(&row(Value::Null))[0].contains("not known"));
        assert_eq!(super::json(&row(Value::Null)), Value::Null);
    }
}
