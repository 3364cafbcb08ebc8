//! Reading again, from somebody else.

use std::sync::Arc;

use polygon::audit::{AuditError, Auditor, Receipts};

use crate::history::settings;
use crate::node::{Chain, Limit, Mood, Node};

#[tokio::test]
async fn another_node_than_the_first_is_asked() {
    let chain = Chain::of(400);
    let nodes = [Node::start(chain.clone()).await, Node::start(chain.clone()).await];
    let auditor = Auditor::new(settings(&nodes.each_ref().map(Node::http))).unwrap();
    let [first, second] = nodes.each_ref().map(|node| node.http().replace("/v2/s3cr3tk3y", ""));
    for (source, other) in [(&first, &second), (&second, &first)] {
        let stretch = auditor.read(10..=309, source, Receipts::Without).await.unwrap();
        assert_eq!(&*stretch.source, other.as_str());
        assert_eq!((stretch.from, stretch.through), (10, chain.blocks[309].header));
        let logs: Vec<_> = stretch.blocks.into_iter().flat_map(|block| block.logs).collect();
        let mut truth = chain.logs_from(10);
        truth.retain(|log| log.block_number <= 309);
        assert_eq!(logs, truth);
    }
    assert_eq!(auditor.finalized().await, Some(chain.blocks[395].header));
    // The other one is gone: better the same again than nothing.
    nodes[1].inner().mood = Mood::Status(502);
    let again = auditor.read(10..=20, &first, Receipts::Without).await.unwrap();
    assert_eq!(&*again.source, first.as_str());
    #[expect(clippy::reversed_empty_ranges, reason = "that is the case")]
    let empty = auditor.read(20..=10, &first, Receipts::Without).await;
    assert_eq!(empty, Err(AuditError::Empty { from: 20, to: 10 }));
}

#[tokio::test]
async fn an_audit_meets_limits_and_gives_up_on_faults() {
    let node = Node::start(Chain::of(200)).await;
    let message = "range exceeds limit of 10";
    node.inner().limit = Some(Limit { blocks: 10, logs: 500, status: 200, code: -32_602, message });
    let settings = settings(&[node.http()]);
    let counters = Arc::clone(&settings.counters);
    let auditor = Auditor::new(settings).unwrap();
    let source = node.http().replace("/v2/s3cr3tk3y", "");
    let stretch = auditor.read(0..=199, &source, Receipts::Without).await.unwrap();
    assert_eq!(
        stretch.blocks.iter().map(|block| block.logs.len()).sum::<usize>(),
        node.chain().logs_from(0).len()
    );
    // One part's end belongs to another chain than its logs.
    node.inner().spoil = vec![|logs| logs[0].removed = true];
    assert!(auditor.read(0..=9, &source, Receipts::Without).await.is_ok());
    assert_eq!(counters.refetched(), 1);
    node.inner().mood = Mood::CutOff;
    let error = auditor.read(0..=9, &source, Receipts::Without).await.unwrap_err();
    assert!(
        matches!(&error, AuditError::Unanswered { from: 0, reason, .. } if reason.contains("malformed")),
        "{error}"
    );
    assert_eq!(auditor.finalized().await, None);
}

#[tokio::test]
async fn what_is_withheld_of_the_end_of_a_range_is_noticed() {
    let chain = Chain::of(300);
    let nodes = [Node::start(chain.clone()).await, Node::start(chain.clone()).await];
    // The newest blocks are not in its index yet, though it has them.
    nodes[0].inner().withheld = 2;
    let settings = settings(&nodes.each_ref().map(Node::http));
    let counters = Arc::clone(&settings.counters);
    let auditor = Auditor::new(settings).unwrap();
    let second = nodes[1].http().replace("/v2/s3cr3tk3y", "");
    let stretch = auditor.read(200..=299, &second, Receipts::Without).await.unwrap();
    let logs: Vec<_> = stretch.blocks.into_iter().flat_map(|block| block.logs).collect();
    assert_eq!(logs, chain.logs_from(200));
    assert_eq!(counters.refetched(), 3);
}

#[tokio::test]
async fn two_keys_of_one_provider_are_two_nodes() {
    let node = Node::start(Chain::of(100)).await;
    let settings = settings(&[node.http(), node.http().replace("s3cr3tk3y", "0therk3y")]);
    let observer = Arc::clone(&settings.observer);
    let auditor = Auditor::new(settings).unwrap();
    let first = node.http().replace("/v2/s3cr3tk3y", "");
    let second = format!("{first} #2");
    for (source, other) in [(&first, &second), (&second, &first)] {
        let stretch = auditor.read(0..=99, source, Receipts::Without).await.unwrap();
        assert_eq!(&*stretch.source, other.as_str());
    }
    let shown: Vec<_> = observer.health().into_iter().map(|health| health.endpoint.to_string()).collect();
    assert_eq!(shown, [first, second]);
}
