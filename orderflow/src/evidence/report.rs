//! What was found, side by side: for people as a table and some sentences, for scripts as JSON.

use domain::Tier;
use serde_json::{Value, json};

use super::ranking::Auc;
use super::trial::{Findings, Judged};
use crate::args::Evidence;
use crate::render;

/// P(κ > 0) from which a wallet counts as skilled.
const SURE: f64 = 0.95;
/// The z that luck reaches in one case of twenty, where prices are right and nothing is paid for trading.
const ONE_IN_TWENTY: f64 = 1.645;
/// The part of those judged that may look skilled and copyable where nobody is.
const MOST_MISTAKEN: f64 = 0.01;

/// Both pasts, and what they were asked for.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) settings: &'a Evidence,
    pub(super) planted: Findings,
    /// Nobody knows anything here.
    pub(super) blank: Findings,
}

/// A number by which wallets can be ranked.
struct Measure {
    name: &'static str,
    title: &'static str,
    of: fn(&Judged) -> f64,
}

/// A test that a wallet passes or not.
struct Selector {
    name: &'static str,
    title: &'static str,
    passes: fn(&Judged) -> bool,
}

const KAPPA: Measure = Measure { name: "kappa", title: "skill κ̂", of: |wallet| wallet.kappa };
const SCORE: Measure = Measure { name: "as_spec", title: "as-spec score", of: |wallet| wallet.score };
const WIN_RATE: Measure = Measure { name: "win_rate", title: "raw win rate", of: |wallet| wallet.win_rate };
const MEASURES: [Measure; 5] = [
    KAPPA,
    Measure { name: "probability", title: "P(κ > 0)", of: |wallet| wallet.probability.to_f64() },
    Measure { name: "calibrated", title: "calibrated score", of: |wallet| wallet.calibrated },
    SCORE,
    WIN_RATE,
];

const WHALE: Selector =
    Selector { name: "as_spec_whale", title: "WHALE as-spec", passes: |wallet| wallet.tier == Tier::Whale };
const SURE_AND_COPYABLE: Selector = Selector {
    name: "sure_and_copyable",
    title: "P(κ > 0) ≥ 0.95 and copyable",
    passes: |wallet| SURE <= wallet.probability.to_f64() && wallet.is_copyable,
};
const VERIFIED: Selector =
    Selector { name: "verified", title: "verified badge", passes: |wallet| wallet.is_verified };
const SELECTORS: [Selector; 7] = [
    Selector {
        name: "win_rate_70", title: "raw win rate ≥ 70 %", passes: |wallet| 0.70 <= wallet.win_rate
    },
    WHALE,
    Selector {
        name: "calibrated_7",
        title: "calibrated score ≥ 7",
        passes: |wallet| 7.0 <= wallet.calibrated,
    },
    Selector {
        name: "z_one_in_twenty",
        title: "unshrunken z ≥ 1.645 (luck: 5 %)",
        passes: |wallet| ONE_IN_TWENTY <= wallet.z,
    },
    Selector {
        name: "sure", title: "P(κ > 0) ≥ 0.95", passes: |wallet| SURE <= wallet.probability.to_f64()
    },
    SURE_AND_COPYABLE,
    VERIFIED,
];

/// How many of those judged passed, and how many of these were planted.
#[derive(Clone, Copy)]
struct Passed {
    all: usize,
    planted: usize,
    judged: usize,
}

impl Measure {
    fn auc(&self, findings: &Findings) -> Option<Auc> {
        let values = |planted: bool| -> Vec<f64> {
            findings.judged.iter().filter(|wallet| wallet.is_planted == planted).map(self.of).collect()
        };
        Auc::of(&values(true), &values(false))
    }
}

impl Selector {
    fn count(&self, findings: &Findings) -> Passed {
        let passed = || findings.judged.iter().filter(|wallet| (self.passes)(wallet));
        Passed {
            all: passed().count(),
            planted: passed().filter(|wallet| wallet.is_planted).count(),
            judged: findings.judged.len(),
        }
    }
}

impl Passed {
    #[expect(clippy::cast_precision_loss, reason = "counts of wallets")]
    fn share(self) -> f64 {
        if self.judged == 0 { 0.0 } else { self.all as f64 / self.judged as f64 }
    }
}

impl Report<'_> {
    /// Writes it.
    pub(super) fn show(&self) -> anyhow::Result<()> {
        if self.settings.json {
            return Ok(render::line(&self.json().to_string())?);
        }
        render::line("*** SIMULATED: invented wallets in invented markets. ***\n")?;
        let planted = format!("{} % planted", self.settings.skilled);
        let columns = [("what", ""), ("planted", planted.as_str()), ("blank", "nobody knows anything")];
        render::rows(&self.rows(), &columns, false)?;
        render::line("")?;
        self.sentences().iter().try_for_each(|sentence| render::line(sentence))?;
        Ok(())
    }

    fn rows(&self) -> Vec<Value> {
        let both = |title: &str, cell: &dyn Fn(&Findings) -> String| json!({ "what": title, "planted": cell(&self.planted), "blank": cell(&self.blank) });
        let mut rows = vec![
            both("wallets", &|findings| findings.wallets.to_string()),
            both("markets", &|findings| findings.markets.to_string()),
            both("fills", &|findings| findings.fills.to_string()),
            both("wallets with enough history to be judged", &|findings| findings.judged.len().to_string()),
            both("  planted among them", &|findings| planted(findings).to_string()),
            both("", &|_| String::new()),
            both("AUC: planted above the others", &|_| String::new()),
        ];
        for measure in &MEASURES {
            let cell = |findings: &Findings| match measure.auc(findings) {
                Some(auc) => format!("{:.3} ± {:.3}", auc.area, auc.error),
                None => "–".to_owned(),
            };
            rows.push(both(&format!("  {}", measure.title), &cell));
        }
        rows.push(both("", &|_| String::new()));
        rows.push(both("passed, of those judged", &|_| String::new()));
        for selector in &SELECTORS {
            let cell = |findings: &Findings| {
                let passed = selector.count(findings);
                let share = format!("{} ({:.1} %)", passed.all, 100.0 * passed.share());
                if planted(findings) == 0 { share } else { format!("{share}, {} planted", passed.planted) }
            };
            rows.push(both(&format!("  {}", selector.title), &cell));
        }
        rows
    }

    fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if let (Some(kappa), Some(score)) = (KAPPA.auc(&self.planted), SCORE.auc(&self.planted)) {
            sentences.push(format!(
                "Of a wallet that knows something and one that does not, κ̂ puts the right one first in {:.0} of 100 \
                 cases, the as-spec score in {:.0}; a coin does in 50.",
                100.0 * kappa.area,
                100.0 * score.area
            ));
        }
        if 0 < planted(&self.planted) {
            let (sure, verified) = (SURE_AND_COPYABLE.count(&self.planted), VERIFIED.count(&self.planted));
            sentences.push(format!(
                "Of {} that know something, {} reach P(κ > 0) ≥ 0.95 and could be copied, beside {} mistaken; {} get \
                 the badge, beside {} mistaken. Who is careful overlooks most of those who know little.",
                planted(&self.planted),
                sure.planted,
                sure.all - sure.planted,
                verified.planted,
                verified.all - verified.planted
            ));
        }
        let (whales, sure) = (WHALE.count(&self.blank), SURE_AND_COPYABLE.count(&self.blank));
        let verdict = if sure.share() <= MOST_MISTAKEN { "which holds" } else { "WHICH DOES NOT HOLD" };
        sentences.push(format!(
            "Where nobody knows anything, the as-spec score still calls {} of {} wallets WHALE ({:.1} %). {} reach \
             P(κ > 0) ≥ 0.95 and could be copied ({:.1} %; at most {:.0} % is asked for, {verdict}).",
            whales.all,
            whales.judged,
            100.0 * whales.share(),
            sure.all,
            100.0 * sure.share(),
            100.0 * MOST_MISTAKEN
        ));
        sentences.push(
            "This shows how well the numbers tell knowledge from luck in worlds where both are known. It says nothing \
             about how much knowledge there is in the real market, whether it lasts, or what following it would earn."
                .to_owned(),
        );
        sentences
    }

    fn json(&self) -> Value {
        json!({
            "simulated": true,
            "seed": self.settings.seed,
            "days": self.settings.days,
            "skilled_percent": self.settings.skilled,
            "planted": world(&self.planted),
            "nobody": world(&self.blank),
            "most_mistaken": MOST_MISTAKEN,
            "holds": SURE_AND_COPYABLE.count(&self.blank).share() <= MOST_MISTAKEN,
        })
    }
}

/// How many of those judged know more than the price.
fn planted(findings: &Findings) -> usize {
    findings.judged.iter().filter(|wallet| wallet.is_planted).count()
}

fn world(findings: &Findings) -> Value {
    let auc = |measure: &Measure| {
        let auc = measure.auc(findings).map(|auc| json!({ "area": auc.area, "error": auc.error }));
        (measure.name.to_owned(), auc.unwrap_or(Value::Null))
    };
    let passed = |selector: &Selector| {
        let passed = selector.count(findings);
        let value = json!({ "wallets": passed.all, "share": passed.share(), "planted": passed.planted });
        (selector.name.to_owned(), value)
    };
    json!({
        "wallets": findings.wallets,
        "markets": findings.markets,
        "fills": findings.fills,
        "eligible": findings.judged.len(),
        "planted": findings.planted,
        "planted_eligible": planted(findings),
        "auc": MEASURES.iter().map(auc).collect::<serde_json::Map<_, _>>(),
        "passed": SELECTORS.iter().map(passed).collect::<serde_json::Map<_, _>>(),
    })
}
