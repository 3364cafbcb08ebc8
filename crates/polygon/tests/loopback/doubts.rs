//! Nodes that do not say enough, or too much: what they leave open is asked elsewhere.

use polygon::follow::{BlockPoint, Start};

use crate::ledger::{Ledger, settings};
use crate::node::{Chain, Node};

/// Two nodes, the first of which is asked first.
async fn pair(first: Chain, second: Chain) -> ([Node; 2], [String; 2]) {
    let nodes = [Node::start(first).await, Node::start(second).await];
    let endpoints = nodes.each_ref().map(Node::http);
    (nodes, endpoints)
}

fn ranges(node: &Node) -> Vec<u64> {
    node.inner().ranges.iter().map(|(from, to)| to - from + 1).collect()
}

#[tokio::test]
async fn a_node_without_the_block_to_begin_behind_is_left() {
    let chain = Chain::of(100);
    let starts = [(Start::Block(51), vec![]), (Start::Resume(chain.point(50)), vec![chain.point(50)])];
    for (start, known) in starts {
        let ([first, second], endpoints) = pair(chain.clone(), chain.clone()).await;
        first.inner().lost = 50..51;
        let settings = settings(&endpoints, start);
        let counters = settings.counters.clone();
        let mut ledger = Ledger::open(settings, known);
        ledger.agrees_with(&second, 51).await;
        assert_eq!(counters.failovers(), 1);
        // It was given its chance, for what is missing in one answer may be in the next.
        assert_eq!(counters.refetched(), 6);
        assert!(first.inner().ranges.is_empty() && ledger.reverts.is_empty());
        ledger.close().await;
    }
}

#[tokio::test]
async fn a_block_that_the_node_has_lost_is_not_one_that_was_replaced() {
    let before = Chain::of(100);
    let known: Vec<_> = (60..100).map(|number| before.point(number)).collect();
    let mut after = before.clone();
    after.reorganise(3, 5, 1);
    let ([first, second], endpoints) = pair(after.clone(), after).await;
    first.inner().lost = 75..97;
    let mut ledger = Ledger::open(settings(&endpoints, Start::Resume(before.point(99))), known);
    ledger.until(second.chain().head()).await;
    assert_eq!(ledger.reverts, [before.point(96)]);
    assert_eq!(ledger.logs, second.chain().logs_from(97));
    ledger.close().await;
}

/// Points of which the newest two lie further apart than the chain's rules let a reorganisation go.
fn far_apart(chain: &Chain) -> (Start, Vec<BlockPoint>) {
    (Start::Resume(chain.point(399)), vec![chain.point(50), chain.point(399)])
}

#[tokio::test]
async fn one_node_alone_does_not_take_back_more_than_the_rules_allow() {
    let chain = Chain::of(400);
    let mut dead_fork = chain.clone();
    dead_fork.reorganise(200, 230, 1);
    let ([first, second], endpoints) = pair(dead_fork, chain.clone()).await;
    let (start, known) = far_apart(&chain);
    second.change(|chain| chain.extend(3, 0));
    let settings = settings(&endpoints, start);
    let counters = settings.counters.clone();
    let mut ledger = Ledger::open(settings, known);
    ledger.agrees_with(&second, 400).await;
    assert!(ledger.reverts.is_empty());
    assert_eq!((counters.failovers(), counters.reverted()), (1, 0));
    drop(first);
    ledger.close().await;
}

#[tokio::test]
async fn what_all_nodes_claim_again_and_again_is_believed() {
    let chain = Chain::of(400);
    let mut after = chain.clone();
    after.reorganise(200, 230, 1);
    let ([_first, second], endpoints) = pair(after.clone(), after).await;
    let (start, known) = far_apart(&chain);
    let settings = settings(&endpoints, start);
    let counters = settings.counters.clone();
    let mut ledger = Ledger::open(settings, known);
    ledger.until(second.chain().head()).await;
    assert_eq!(ledger.reverts, [chain.point(50)]);
    assert_eq!(ledger.logs, second.chain().logs_from(51));
    assert_eq!((counters.failovers(), counters.reverted()), (2, 1));
    ledger.close().await;
}

#[tokio::test]
async fn a_limit_in_unknown_words_does_not_stop_the_follower() {
    let node = Node::start(Chain::of(150)).await;
    {
        let mut inner = node.inner();
        (inner.most_logs, inner.is_obscure) = (Some(30), true);
    }
    let settings = settings(&[node.http()], Start::Block(0));
    let counters = settings.counters.clone();
    let mut ledger = Ledger::open(settings, vec![]);
    ledger.agrees_with(&node, 0).await;
    assert_eq!(ranges(&node)[..3], [100, 50, 25]);
    assert!(counters.failovers() >= 2);
    ledger.close().await;
}

#[tokio::test]
async fn the_next_node_is_not_asked_for_less_because_of_the_one_before() {
    let chain = Chain::of(300);
    let ([first, second], endpoints) = pair(chain.clone(), chain).await;
    {
        let mut inner = first.inner();
        (inner.most_logs, inner.is_obscure) = (Some(0), true);
    }
    let mut ledger = Ledger::open(settings(&endpoints, Start::Block(0)), vec![]);
    ledger.agrees_with(&second, 0).await;
    assert_eq!((ranges(&first), ranges(&second)[0]), (vec![100], 100));
    ledger.close().await;
}
