//! The service in earnest against the simulated venue: it starts behind its preflight, a kill cancels what rests, and
//! nothing of all it ever logs, at the finest level, holds the key or the credentials.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]
#![expect(dead_code, reason = "the bench has more than is needed here")]

#[path = "../live/bench.rs"]
mod bench;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Parser as _;
use devnet::{OrderStatus, Trouble, VenueFault, VenueRoute};
use domain::{Price, TimeInForce, Timestamp, Usd};
use orderflow_executor::ServiceSettings;
use service::{CancellationToken, clock};
use store::controls;
use tracing_subscriber::fmt::MakeWriter;

use bench::{Bench, key_file};

/// Everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_is_killed_at_once_and_says_no_secret() {
    let log = Log::default();
    service::telemetry::TelemetrySettings::only_logs("trace").start_into(log.clone()).unwrap();
    let mut bench = Bench::begin().await;
    let folder = tempfile::tempdir().unwrap();
    let key = key_file(folder.path(), &bench.devnet);
    let urls = bench.devnet.urls();
    let settings = ServiceSettings::parse_from([
        "executor",
        "--enable-paper-trading",
        "false",
        "--clob-url",
        &urls.clob,
        "--clob-ws-url",
        urls.clob_ws.trim_end_matches("/ws/market"),
        "--geoblock-url",
        urls.geoblock.trim_end_matches("/api/geoblock"),
        "--private-key-file",
        key.to_str().unwrap(),
        "--signature-type",
        "0",
    ]);
    let stop = CancellationToken::new();
    let (strategy, venue, store) = (settings.strategy, settings.venue, bench.store.clone());
    let running = tokio::spawn(orderflow_executor::run(strategy, venue, store, stop.clone()));

    // Orders end in every kind of trouble, which is when things are logged; one more rests.
    let refused = |message: &str| Trouble::Refused { status: 400, message: message.to_owned() };
    for trouble in [
        Trouble::HangAfter,
        Trouble::CutAfter,
        Trouble::Half,
        refused("not enough balance / allowance"),
        Trouble::Refused { status: 401, message: "Unauthorized/Invalid api key".to_owned() },
    ] {
        let fault = VenueFault { route: Some(VenueRoute::PlaceOrder), trouble, times: Some(1) };
        bench.venue.add_fault(fault);
        let order = bench.buy_now(Usd::whole(10)).await;
        bench.place(&order).await;
        bench.until_final(order.get().id).await;
        bench.venue.lift_faults();
    }

    let until = clock::now().plus_micros(Timestamp::HOUR);
    let order = bench.buy(Usd::whole(20), Price::from_ppm(20_000).unwrap(), TimeInForce::Gtd { until });
    let resting = bench.place(&order).await;
    let is_cancelled =
        |bench: &Bench| matches!(bench.truth().orders.get(&resting), Some((OrderStatus::Canceled(_), _)));
    assert!(!is_cancelled(&bench));
    controls::kill(&mut bench.store.connection().await.unwrap(), "a test").await.unwrap();
    for _ in 0..400 {
        if is_cancelled(&bench) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert!(is_cancelled(&bench), "{:?}", bench.truth().orders);
    assert!(!running.is_finished(), "the service goes on");
    stop.cancel();
    running.await.unwrap().unwrap();

    let key = bench.devnet.test_account().private_key_hex.trim_start_matches("0x").to_owned();
    let credentials = &bench.credentials;
    let secrets = [key, credentials.expose_secret().to_owned(), credentials.expose_passphrase().to_owned()];
    bench.end().await;
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(logged.contains("orders are sent with real money"), "the log is what it should be");
    for secret in secrets {
        let found = logged.lines().find(|line| line.to_lowercase().contains(&secret.to_lowercase()));
        assert_eq!(found, None, "a secret was logged");
    }
}
