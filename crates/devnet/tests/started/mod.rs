//! A small world for the tests of its servers.

use devnet::{Devnet, DevnetConfig};
use domain::Timestamp;
use tokio_util::sync::CancellationToken;

/// When its present begins.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_795_420_800);

/// A fast world: a block each tenth of a second.
pub(crate) async fn begin(wallets: usize, history_days: u32) -> (Devnet, CancellationToken) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stop = CancellationToken::new();
    let config = DevnetConfig { speed: 15.0, wallets, skilled: 20, history_days, ..DevnetConfig::default() };
    let devnet = Devnet::start(config, START, stop.clone()).await.unwrap();
    (devnet, stop)
}

/// A small one.
pub(crate) async fn small() -> (Devnet, CancellationToken) {
    begin(400, 6).await
}

/// A client for what runs on this machine, whatever proxy the environment names.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}
