//! `orderflow reputation`: the scoring service alone, for one pass, or anew, from the stored facts or a tape.

use orderflow_reputation::Pass;
use serde_json::json;
use service::{Database, Supervisor};

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
            Some(folder) => replay::score(folder, store, &settings.reputation, passes.rebuild).await,
            None => orderflow_reputation::once(&settings.reputation, passes, store.clone()).await,
        }
    };
    match unless_interrupted(work).await? {
        Some(pass) => Ok(show(pass, settings.json)?),
        None => Ok(()),
    }
}

fn show(pass: Pass, as_json: bool) -> std::io::Result<()> {
    let Pass { verdicts, rated, wallets } = pass;
    if as_json {
        return render::line(
            &json!({ "published": verdicts, "rated": rated, "wallets": wallets }).to_string(),
        );
    }
    render::line(&format!("{wallets} wallets known, {verdicts} verdicts published, {rated} of them rated"))
}
