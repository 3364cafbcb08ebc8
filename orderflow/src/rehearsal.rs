//! `orderflow replay --decisions`: every decision made again from what was recorded, held against what is stored.

use anyhow::bail;
use orderflow_executor::StrategySettings;
use orderflow_executor::rehearsal::{Answers, Rehearsal, rehearse};
use serde_json::{Value, json};
use store::Store;
use store::recording::Compared;

use crate::render;

/// Makes them again, shows what differs, and fails if anything does.
pub(crate) async fn run(
    store: Store,
    strategy: &StrategySettings,
    on_paper: bool,
    json: bool,
) -> anyhow::Result<()> {
    let answers = if on_paper { Answers::OnPaper } else { Answers::AsRecorded };
    let rehearsal = rehearse(&store, &strategy.policy(), answers).await?;
    if json {
        render::line(&whole(&rehearsal).to_string())?;
    } else {
        show(&rehearsal)?;
    }
    if rehearsal.is_same() {
        return Ok(());
    }
    bail!("not every decision is what it was")
}

fn whole(rehearsal: &Rehearsal) -> Value {
    let (from, to) = rehearsal.span.unzip();
    json!({
        "steps": rehearsal.steps,
        "beginnings": rehearsal.beginnings,
        "from": from.map(|at| at.to_string()),
        "to": to.map(|at| at.to_string()),
        "same": rehearsal.is_same(),
        "tables": rehearsal.tables.iter().map(table).collect::<Vec<_>>(),
    })
}

fn table(compared: &Compared) -> Value {
    json!({
        "name": compared.name,
        "stored": compared.stored,
        "again": compared.again,
        "missing": compared.missing,
        "new": compared.new,
        "must_be_same": compared.must_be_same,
        "differences": compared
            .differences
            .iter()
            .map(|difference| json!({ "stored": difference.is_stored, "row": difference.row }))
            .collect::<Vec<_>>(),
    })
}

fn show(rehearsal: &Rehearsal) -> anyhow::Result<()> {
    let Some((from, to)) = rehearsal.span else {
        render::line("nothing is recorded in this database")?;
        return Ok(());
    };
    render::line(&format!(
        "{} steps from {from} to {to}, {} of them beginnings",
        rehearsal.steps, rehearsal.beginnings
    ))?;
    let columns = [
        ("name", "what"),
        ("stored", "stored"),
        ("again", "made again"),
        ("missing", "only stored"),
        ("new", "only made again"),
        ("must_be_same", "must be the same"),
    ];
    let rows: Vec<Value> = rehearsal.tables.iter().map(table).collect();
    render::rows(&rows, &columns, false)?;
    for compared in rehearsal.tables.iter().filter(|compared| compared.must_be_same) {
        for difference in &compared.differences {
            let side = if difference.is_stored { "only stored" } else { "only made again" };
            render::line(&format!("{} {side}: {}", compared.name, difference.row))?;
        }
    }
    Ok(())
}
