//! History by a portal: every range whole, and nothing twice.

use std::ops::RangeInclusive;
use std::time::Duration;

use polygon::follow::{Start, Stretch};
use polygon::portal::{PortalError, PortalSettings, history};
use polygon::rpc::Observer;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::server::{Fault, PATIENCE, Portal, logs_of, same};

async fn read(settings: PortalSettings, ranges: &[RangeInclusive<u64>]) -> Result<Vec<Stretch>, PortalError> {
    let (sender, mut batches) = mpsc::channel(1);
    let reading = tokio::spawn(history(settings, ranges.to_vec(), sender, CancellationToken::new()));
    let mut stretches = vec![];
    while let Some(stretch) = timeout(PATIENCE, batches.recv()).await.unwrap() {
        stretches.push(stretch);
    }
    reading.await.unwrap().map(|()| stretches)
}

/// The stretches cover the range without a hole and hold its logs.
fn covers(portal: &Portal, stretches: &[Stretch], from: u64, to: u64) {
    let mut next = from;
    let mut logs = vec![];
    for stretch in stretches {
        assert_eq!(stretch.from, next);
        assert_eq!(
            stretch.through,
            portal.inner().blocks[usize::try_from(stretch.through.number).unwrap()].header
        );
        logs.extend(logs_of(stretch));
        next = stretch.through.number + 1;
    }
    assert_eq!(next, to + 1);
    same(&logs, &portal.inner().logs(from, to));
}

#[tokio::test]
async fn ranges_are_read_whole() {
    let portal = Portal::start(200).await;
    let stretches = read(portal.settings(Start::Head), &[10..=60, 100..=100, 150..=150]).await.unwrap();
    let (first, rest) = stretches.split_at(1);
    covers(&portal, first, 10, 60);
    covers(&portal, &rest[..1], 100, 100);
    covers(&portal, &rest[1..], 150, 150);
    let ends: Vec<u64> = first[0].headers.iter().map(|header| header.number).collect();
    assert_eq!(ends, [10, 60]);
    assert_eq!(rest[0].headers.len(), 1);
}

#[tokio::test]
async fn large_ranges_come_in_parts() {
    let portal = Portal::start(45_000).await;
    let stretches = read(portal.settings(Start::Head), &[0..=44_999]).await.unwrap();
    covers(&portal, &stretches, 0, 44_999);
    assert!(stretches.len() >= 3 && stretches.iter().all(|stretch| logs_of(stretch).len() <= 20_002));
    assert_eq!(portal.inner().asked.len(), 1);
}

#[tokio::test]
async fn whatever_goes_wrong_the_range_is_whole() {
    for (fault, complaints) in [
        (Fault::EndAfter(0), 0),
        (Fault::EndAfter(5), 0),
        (Fault::BreakAfter(5), 0),
        (Fault::Status(429, Some("0")), 0),
        (Fault::Status(500, None), 0),
        (Fault::Html, 1),
        (Fault::HalfALineAfter(5), 1),
        (Fault::Alter(|lines| lines.swap(3, 4)), 1),
        (Fault::Alter(|lines| drop(lines.remove(0))), 1),
        (Fault::Alter(|lines| lines[3]["header"]["number"] = json!(190)), 1),
        (Fault::Alter(|lines| lines[1]["header"]["parentHash"] = lines[1]["header"]["hash"].clone()), 1),
        (Fault::FalseConflict, 1),
    ] {
        let shown = format!("{fault:?}");
        let portal = Portal::start(200).await;
        portal.inner().faults.push_back(fault);
        let settings = portal.settings(Start::Head);
        let observer: std::sync::Arc<Observer> = settings.observer.clone();
        let stretches = read(settings, &[10..=60]).await.unwrap();
        covers(&portal, &stretches, 10, 60);
        assert_eq!(observer.complaints(), complaints, "{shown}: {:?}", observer.take_complaints());
    }
}

#[tokio::test]
async fn what_is_not_final_yet_is_waited_for() {
    let portal = Portal::start(100).await;
    portal.inner().finalized = 49;
    let reading = tokio::spawn({
        let settings = portal.settings(Start::Head);
        async move { read(settings, &[10..=60]).await.unwrap() }
    });
    // Once for what is final, and once more for what is not.
    while portal.inner().asked.len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!reading.is_finished());
    portal.inner().finalized = 70;
    let stretches = reading.await.unwrap();
    assert_eq!(stretches[0].through.number, 49);
    covers(&portal, &stretches, 10, 60);
}

#[tokio::test]
async fn a_final_block_that_was_replaced_is_an_error() {
    let portal = Portal::start(100).await;
    portal.inner().faults.push_back(Fault::EndAfter(5));
    portal.inner().faults.extend(std::iter::repeat_n(Fault::FalseConflict, 10));
    let error = read(portal.settings(Start::Head), &[10..=60]).await.unwrap_err();
    assert!(matches!(error, PortalError::FinalReplaced { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cr3tk3y"));
}
