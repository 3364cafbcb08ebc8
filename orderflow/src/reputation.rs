//! `orderflow reputation`: the scoring service alone, for one pass, or anew, from the stored facts or a tape.

use orderflow_reputation::Pass;
use serde_json::json;
use service::{Database, Supervisor};
use store::scores::{self, Standing};

use crate::args::Reputation;
use crate::{render, replay, unless_interrupted};

/// Runs the service until Ctrl-C, or makes one pass and says what it came to.
pub(crate) async fn run(settings: Reputation) -> anyhow::Result<()> {
    settings.telemetry.start()?;
    let Some(database) = unless_interrupted(settings.database.open()).await? else { return Ok(()) };
    let ran = if settings.passes.once || settings.tape.is_some() {
        once(&settings, &database).await
    } else {
        serve(&settings, &database).await
    };
    let closed = database.close().await;
    ran.and(closed)
}

async fn serve(settings: &Reputation, database: &Database) -> anyhow::Result<()> {
    let mut supervisor = Supervisor::new();
    let (store, stop) = (database.store.clone(), supervisor.stop());
    let service = orderflow_reputation::run(settings.reputation.clone(), settings.passes, store, stop);
    supervisor.spawn("orderflow-reputation", service);
    supervisor.run().await
}

async fn once(settings: &Reputation, database: &Database) -> anyhow::Result<()> {
    let work = async {
        let (store, passes) = (&database.store, settings.passes);
        match &settings.tape {
            // What a failing machine loses of it is on the tape still.
            Some(folder) => {
                replay::score(folder, &store.repeatable(), &settings.reputation, passes.rebuild).await
            }
            None => orderflow_reputation::once(&settings.reputation, passes, store.clone()).await,
        }
    };
    let Some(pass) = unless_interrupted(work).await? else { return Ok(()) };
    let standing = scores::standing(&mut *database.store.connection().await?).await?;
    Ok(show(pass, standing, settings.json)?)
}

/// What this run published beside what stands now: of a wallet without news the verdict from before does.
fn show(pass: Pass, standing: Standing, as_json: bool) -> std::io::Result<()> {
    let Pass { verdicts: published, wallets, .. } = pass;
    let Standing { verdicts, rated } = standing;
    if as_json {
        let whole =
            json!({ "published": published, "standing": verdicts, "rated": rated, "wallets": wallets });
        return render::line(&whole.to_string());
    }
    render::line(&format!(
        "{wallets} wallets known; {published} verdicts published; {verdicts} verdicts stand, {rated} of them rated"
    ))
}
