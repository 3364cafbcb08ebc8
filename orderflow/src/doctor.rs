//! `orderflow doctor` and `orderflow reconcile`: whether orders may be sent in earnest, and whether the books and the venue
//! say the same.

use anyhow::bail;
use domain::{Usd, Wallet};
use orderflow_executor::preflight::{Check, Verdict, all_green, preflight};
use orderflow_executor::reconcile::Findings;
use orderflow_executor::{StakeSettings, VenueSettings, reconcile};
use serde_json::{Value, json};
use store::Store;
use store::live::Unpaid;

use crate::render;

/// Shows every check; fails where one is red.
pub(crate) async fn doctor(
    store: Store,
    venue: &VenueSettings,
    stake: StakeSettings,
    json: bool,
) -> anyhow::Result<()> {
    let checks = preflight(venue, stake, &mut *store.connection().await?).await;
    if json {
        render::line(&serde_json::to_string_pretty(&Value::Array(checks.iter().map(object).collect()))?)?;
    } else {
        for check in &checks {
            render::line(&check.to_string())?;
        }
    }
    if all_green(&checks) {
        return Ok(());
    }
    bail!("not to be traded with: {} of {} lines are red", red(&checks), checks.len())
}

/// Compares the books with the venue; fails where they disagree. With `accept` the wallet's dollars are taken as they are.
pub(crate) async fn compare(
    store: Store,
    venue: &VenueSettings,
    accept: bool,
    json: bool,
) -> anyhow::Result<()> {
    let trader = orderflow_executor::trader(venue).await?;
    let accepted = if accept { Some(reconcile::accept(&trader, &store).await?) } else { None };
    let findings = reconcile::reconcile(&trader, &store).await?;
    if json {
        let unpaid =
            |winner: &Unpaid| json!({"position": winner.position, "payout_usd": winner.payout.to_string()});
        let shown = json!({
            "is_compared": findings.is_compared,
            "accepted": accepted.map(|(wallet, cash)| json!({"wallet": wallet.to_string(), "cash_usd": cash.to_string()})),
            "unpaid": findings.unpaid.iter().map(unpaid).collect::<Vec<_>>(),
            "differences": findings.differences.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        render::line(&shown.to_string())?;
    } else {
        for line in lines(accepted, &findings) {
            render::line(&line)?;
        }
    }
    match findings.differences.len() {
        0 if findings.is_compared => Ok(()),
        0 => bail!("the books changed while they were compared: ask again"),
        number => bail!("{number} differences"),
    }
}

fn lines(accepted: Option<(Wallet, Usd)>, findings: &Findings) -> Vec<String> {
    let accepted = accepted.map(|(wallet, cash)| {
        format!("{wallet} has ${cash}, and every dollar is accounted for from here on")
    });
    let unpaid = findings.unpaid.iter().map(|winner| {
        format!("position {} won ${}, which has not come in yet", winner.position, winner.payout)
    });
    let agree = findings.is_compared && findings.differences.is_empty();
    let agree = agree.then(|| "the books and the venue agree".to_owned());
    let differences = findings.differences.iter().map(ToString::to_string);
    accepted.into_iter().chain(unpaid).chain(differences).chain(agree).collect()
}

fn red(checks: &[Check]) -> usize {
    checks.iter().filter(|check| !check.is_green()).count()
}

fn object(check: &Check) -> Value {
    match &check.verdict {
        Verdict::Green { found } => json!({"name": check.name, "green": true, "found": found}),
        Verdict::Red { found, what_to_do } | Verdict::Unknown { found, what_to_do } => {
            json!({"name": check.name, "green": false, "found": found, "what_to_do": what_to_do})
        }
    }
}
