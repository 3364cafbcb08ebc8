//! `orderflow devnet`: the simulated world alone.

use devnet::{Devnet, DevnetConfig};
use service::{CancellationToken, clock, interrupted};

use crate::args;
use crate::render;

/// Serves the world until Ctrl-C.
pub(crate) async fn run(settings: args::Devnet) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let config = DevnetConfig {
        seed: settings.seed,
        port: settings.port,
        speed: settings.speed,
        ..DevnetConfig::default()
    };
    let world = Devnet::start(config, clock::now(), stop.clone()).await?;
    let urls = world.urls();
    render::line("A SIMULATED world: no money, no Polygon, nothing leaves this machine.")?;
    for (name, url) in [
        ("Polygon RPC, HTTP", &urls.rpc_http),
        ("Polygon RPC, WebSocket", &urls.rpc_ws),
        ("CLOB", &urls.clob),
        ("CLOB market channel", &urls.clob_ws),
        ("Gamma", &urls.gamma),
        ("SQD portal", &urls.portal),
    ] {
        render::line(&format!("{name:<24}{url}"))?;
    }
    let account = world.test_account();
    render::line(&format!("{:<24}{}", "funded test account", account.address))?;
    render::line(&format!(
        "{:<24}{} (a test key: never send it anything)",
        "its private key", account.private_key_hex
    ))?;
    render::line(&format!("{:<24}{}", "first block", world.first_block()))?;
    render::line("Ctrl-C ends it.")?;
    let mut ended = std::pin::pin!(world.wait());
    tokio::select! {
        // The world ends by itself only if a part of it failed.
        failed = &mut ended => return Ok(failed?),
        heard = interrupted() => heard?,
    }
    stop.cancel();
    Ok(ended.await?)
}
