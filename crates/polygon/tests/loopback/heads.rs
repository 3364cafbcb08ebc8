//! How new blocks are learnt of, and what becomes of those that they replace.

use std::time::Duration;

use polygon::follow::{FollowSettings, Heads, Start};

use crate::ledger::{Ledger, settings};
use crate::node::{Chain, Node};

#[tokio::test]
async fn an_announced_block_takes_one_question() {
    let node = Node::start(Chain::of(60)).await;
    node.inner().blooms = true;
    let settings = FollowSettings {
        heads: Heads::Subscribe,
        poll_interval: Duration::from_secs(3_600),
        ..settings(&[node.ws()], Start::Block(40))
    };
    let observer = settings.observer.clone();
    let mut ledger = Ledger::open(settings, vec![]);
    ledger.agrees_with(&node, 40).await;
    for _ in 0..5 {
        node.inner().asked.clear();
        node.change(|chain| chain.extend(1, 0));
        ledger.agrees_with(&node, 40).await;
        assert_eq!(node.inner().asked, ["eth_getLogs"]);
    }
    // Several at once cost one more question for each header that was not announced.
    node.inner().asked.clear();
    node.change(|chain| chain.extend(3, 0));
    ledger.agrees_with(&node, 40).await;
    node.inner().asked.retain(|method| method != "eth_getLogs");
    assert_eq!(node.inner().asked, ["eth_getBlockByNumber", "eth_getBlockByNumber"]);
    let usage = observer.usage();
    let delivered = usage.iter().find(|usage| usage.method == "subscription").unwrap();
    assert!(delivered.calls >= 6 && delivered.compute_units >= delivered.bytes / 25, "{delivered:?}");
    assert_eq!(observer.complaints(), 0);
    ledger.close().await;
}

#[tokio::test]
async fn a_poller_never_subscribes() {
    let node = Node::start(Chain::of(60)).await;
    let mut ledger = Ledger::open(settings(&[node.ws()], Start::Block(40)), vec![]);
    ledger.agrees_with(&node, 40).await;
    node.change(|chain| chain.extend(2, 0));
    ledger.agrees_with(&node, 40).await;
    assert!(!node.inner().asked.iter().any(|method| method == "eth_subscribe"));
    ledger.close().await;
}

#[tokio::test]
async fn a_new_branch_takes_the_old_ones_place_in_one_step() {
    for heads in [Heads::Poll, Heads::Subscribe] {
        let node = Node::start(Chain::of(60)).await;
        let settings = FollowSettings { heads, ..settings(&[node.ws()], Start::Block(40)) };
        let mut ledger = Ledger::open(settings, vec![]);
        ledger.agrees_with(&node, 40).await;
        // Every block since is remembered.
        for _ in 0..17 {
            node.change(|chain| chain.extend(20, 0));
            ledger.agrees_with(&node, 40).await;
        }
        for (salt, depth) in (1..).zip([1, 3, 64, 31, 32, 200]) {
            let to = node.chain().point(node.chain().head().number - u64::try_from(depth).unwrap());
            let stretches = ledger.stretches;
            node.change(|chain| chain.reorganise(depth, u64::try_from(depth).unwrap() + 1, salt));
            ledger.agrees_with(&node, 40).await;
            assert_eq!(
                (ledger.reverts.last(), ledger.stretches),
                (Some(&to), stretches + 1),
                "{depth} {heads:?}"
            );
            // What is known of the new branch is as good as what was known of the old one.
            node.change(|chain| chain.extend(2, salt));
            ledger.agrees_with(&node, 40).await;
        }
        assert_eq!((ledger.reverts.len(), ledger.bare_reverts), (6, 0));
        ledger.close().await;
    }
}

#[tokio::test]
async fn what_was_taken_back_is_told_where_the_new_branch_raises_a_doubt() {
    let node = Node::start(Chain::of(100)).await;
    let settings = settings(&[node.http()], Start::Block(1));
    let counters = settings.counters.clone();
    let mut ledger = Ledger::open(settings, vec![]);
    ledger.agrees_with(&node, 1).await;
    {
        let mut inner = node.inner();
        // What stands behind the common ancestor is refused once.
        inner.beyond = 1;
        inner.chain.reorganise(3, 4, 1);
    }
    ledger.agrees_with(&node, 1).await;
    assert_eq!((ledger.reverts.as_slice(), ledger.bare_reverts), ([node.chain().point(96)].as_slice(), 1));
    assert_eq!((counters.refetched(), counters.failovers()), (1, 0));
    ledger.close().await;
}

#[tokio::test]
async fn a_branch_that_nobody_can_read_is_taken_back_alone() {
    let node = Node::start(Chain::of(100)).await;
    let mut ledger = Ledger::open(settings(&[node.http()], Start::Block(1)), vec![]);
    ledger.agrees_with(&node, 1).await;
    node.inner().unknown = 7;
    node.change(|chain| chain.reorganise(3, 1, 1));
    ledger.agrees_with(&node, 1).await;
    assert_eq!((ledger.reverts.as_slice(), ledger.bare_reverts), ([node.chain().point(96)].as_slice(), 1));
    ledger.close().await;
}
