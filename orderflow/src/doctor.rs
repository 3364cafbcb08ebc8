//! `orderflow doctor` and `orderflow reconcile`: whether orders may be sent in earnest, and whether the books and the venue
//! say the same.

use anyhow::bail;
use orderflow_executor::preflight::{Check, Verdict, all_green, preflight};
use orderflow_executor::{StakeSettings, VenueSettings, reconcile};
use serde_json::{Value, json};
use store::Store;

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
pub(crate) async fn compare(store: Store, venue: &VenueSettings, accept: bool) -> anyhow::Result<()> {
    let trader = orderflow_executor::trader(venue).await?;
    if accept {
        let (wallet, cash) = reconcile::accept(&trader, &store).await?;
        render::line(&format!("{wallet} has ${cash}, and every dollar is accounted for from here on"))?;
    }
    let findings = reconcile::reconcile(&trader, &store).await?;
    for winner in &findings.unpaid {
        render::line(&format!(
            "position {} won ${}, which has not come in yet",
            winner.position, winner.payout
        ))?;
    }
    for difference in &findings.differences {
        render::line(&difference.to_string())?;
    }
    match findings.differences.len() {
        0 if findings.is_compared => Ok(render::line("the books and the venue agree")?),
        0 => bail!("the books changed while they were compared: ask again"),
        number => bail!("{number} differences"),
    }
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
