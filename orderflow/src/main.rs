//! `orderflow`: the whole system on one machine, and everything a person asks of it.

mod args;
mod backfill;
mod card;
mod decode;
mod demo;
mod devnet;
mod doctor;
mod evidence;
mod latches;
mod live;
mod rehearsal;
mod render;
mod replay;
mod report;
mod reputation;
mod run;
mod status;
mod wallet;
mod wallets;
mod why;

use std::future::Future;
use std::process::ExitCode;

use args::{Args, Command};
use clap::Parser as _;
use service::telemetry::TelemetrySettings;
use service::{Database, DatabaseSettings, interrupted};
use store::{Store, reports};

#[tokio::main]
async fn main() -> ExitCode {
    service::process::use_tls();
    match dispatch(Args::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has had enough of it, as `| head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run(settings) => run::run(*settings).await,
        Command::Demo(settings) => demo::run(*settings).await,
        Command::Devnet(settings) => devnet::run(settings).await,
        Command::Replay(settings) => replay_into(*settings).await,
        Command::Backfill(settings) => {
            // The metrics' address belongs to the service that runs beside it.
            TelemetrySettings { metrics_addr: None, ..settings.telemetry.clone() }.start()?;
            let database = settings.database.open().await?;
            let outcome = backfill::run(&settings, database.store.clone()).await;
            let closed = database.close().await;
            outcome.and(closed)
        }
        Command::Reputation(settings) => reputation::run(*settings).await,
        Command::Evidence(settings) => evidence::run(&settings),
        Command::Status(view) => on(&view.database, async |store| status::run(store, view.json).await).await,
        Command::Decode { file } => decode::run(&file),
        Command::Wallet(asked) => {
            on(&asked.view.database, async |store| {
                let needed = asked.reputation.eligibility();
                wallet::run(store, asked.address, asked.at, needed, asked.view.json).await
            })
            .await
        }
        Command::Wallets(asked) => {
            on(&asked.list.view.database, async |store| wallets::run(store, &asked).await).await
        }
        Command::Signals(asked) => {
            on(&asked.list.view.database, async |store| report::signals(store, &asked).await).await
        }
        Command::Why(asked) => {
            on(&asked.view.database, async |store| why::run(store, asked.id, asked.view.json).await).await
        }
        Command::Positions(list) => {
            on(&list.view.database, async |store| report::positions(store, list.top, list.view.json).await)
                .await
        }
        Command::Pause(view) => {
            on(&view.database, async |store| latches::pause(store, true, view.json).await).await
        }
        Command::Resume(view) => {
            on(&view.database, async |store| latches::pause(store, false, view.json).await).await
        }
        Command::Close { position, view, .. } => {
            on(&view.database, async |store| latches::close(store, position, view.json).await).await
        }
        Command::Kill { reason, view } => {
            on(&view.database, async |store| latches::kill(store, &reason, view.json).await).await
        }
        Command::Lift(view) => on(&view.database, async |store| latches::lift(store, view.json).await).await,
        Command::Doctor { stake, venue: asked } => {
            let look = async |store| doctor::doctor(store, &asked.venue, stake, asked.view.json).await;
            on(&asked.view.database, look).await
        }
        Command::Reconcile { accept, venue: asked } => {
            let json = asked.view.json;
            let look = async |store| doctor::compare(store, &asked.venue, accept, json).await;
            on(&asked.view.database, look).await
        }
        Command::Db { stop, database } => show_database(&database, stop).await,
    }
}

/// Opens the database, works on it, and closes it however the work ended.
async fn on<Work>(settings: &DatabaseSettings, work: impl FnOnce(Store) -> Work) -> anyhow::Result<()>
where
    Work: Future<Output = anyhow::Result<()>>,
{
    let Some(database) = unless_interrupted(settings.open()).await? else { return Ok(()) };
    // What is cut off in the middle has not been committed, and the private server is stopped in order.
    let outcome = unless_interrupted(work(database.store.clone())).await.map(|_| ());
    let closed = database.close().await;
    outcome.and(closed)
}

/// Does something to its end, or until Ctrl-C or SIGTERM: then `None`.
async fn unless_interrupted<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<Option<T>> {
    tokio::select! {
        done = work => done.map(Some),
        heard = interrupted() => heard.map(|()| None),
    }
}

async fn replay_into(settings: args::Replay) -> anyhow::Result<()> {
    let Some(folder) = &settings.folder else {
        return on(&settings.database, async |store| {
            rehearsal::run(store, &settings.strategy, settings.on_paper, settings.json).await
        })
        .await;
    };
    on(&settings.database, async |store| {
        // What a failing machine loses of it is on the tape still.
        replay::play(folder, &store.repeatable(), &settings.strategy, &settings.reputation).await?;
        let totals = reports::totals(&mut *store.connection().await?).await?;
        let mut shown = render::totals(&totals);
        let tie = match settings.verify {
            true => Some(replay::verify(folder, &store).await?),
            false => None,
        };
        if let (Some(tie), Some(shown)) = (&tie, shown.as_object_mut()) {
            shown.insert("tie".to_owned(), tie.json());
        }
        render::summary(&shown, settings.json)?;
        tie.map_or(Ok(()), |tie| tie.require())
    })
    .await
}

async fn show_database(settings: &DatabaseSettings, stop: bool) -> anyhow::Result<()> {
    let database: Database = settings.open().await?;
    if stop {
        return database.close().await;
    }
    render::line(database.url())?;
    database.leave_running().await;
    Ok(())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[expect(clippy::print_stderr, reason = "the last words of a command are for the person who gave it")]
fn complain(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}
