//! The client: what it asks, and what it makes of what comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::BlockHash;
use polygon::rpc::{BlockTag, Observer, RpcClient, RpcError};
use tokio::time::timeout;

use crate::node::{ADDRESS, Chain, Mood, Node, TOPIC};

const PATIENCE: Duration = Duration::from_secs(60);

/// A client that subscribes to heads, where it can.
fn client(url: &str) -> RpcClient {
    RpcClient::with_heads(url, Arc::default()).unwrap()
}

#[tokio::test]
async fn both_transports_answer_alike() {
    let node = Node::start(Chain::of(20)).await;
    let chain = node.chain();
    for url in [node.http(), node.ws()] {
        let client = client(&url);
        assert_eq!(client.chain_id().await, Ok(137));
        assert_eq!(client.block(BlockTag::Latest).await, Ok(Some(chain.head())));
        assert_eq!(client.block(BlockTag::Number(7)).await, Ok(Some(chain.blocks[7].header)));
        assert_eq!(client.block(BlockTag::Number(20)).await, Ok(None));
        let logs = client.logs(5, 8, &[ADDRESS], &[TOPIC]).await.unwrap().list.logs;
        let expected: Vec<_> = chain.blocks[5..=8].iter().flat_map(|block| block.logs.clone()).collect();
        assert_eq!(logs, expected);
        let hash = chain.blocks[8].header.hash;
        let of_block = client.logs_of_block(hash, &[ADDRESS], &[TOPIC]).await.unwrap();
        assert_eq!(of_block.list.logs, chain.blocks[8].logs);
        let nowhere = BlockHash(alloy_primitives::B256::ZERO);
        let refused = client.logs_of_block(nowhere, &[ADDRESS], &[TOPIC]).await;
        assert_eq!(refused, Err(RpcError::Rpc { code: -32_000, message: "unknown block".to_owned() }));
    }
}

#[tokio::test]
async fn a_faulty_server_is_told_from_a_refusing_one() {
    let node = Node::start(Chain::of(3)).await;
    let client = client(&node.http());
    let in_mood = async |mood| {
        node.inner().mood = mood;
        let error = client.chain_id().await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cr3tk3y"), "{error:?}");
        error
    };
    assert!(matches!(in_mood(Mood::Html).await, RpcError::Malformed { .. }));
    assert!(matches!(in_mood(Mood::CutOff).await, RpcError::Malformed { .. }));
    assert!(matches!(in_mood(Mood::WrongId).await, RpcError::Malformed { .. }));
    assert!(matches!(in_mood(Mood::Status(502)).await, RpcError::Transport { .. }));
    assert!(matches!(in_mood(Mood::Status(413)).await, RpcError::TooManyResults { .. }));
    let wait = Some(Duration::from_secs(1));
    assert_eq!(in_mood(Mood::Status(429)).await, RpcError::RateLimited { retry_after: wait });
}

#[tokio::test]
async fn too_many_results_are_told_on_both_transports() {
    let node = Node::start(Chain::of(20)).await;
    node.inner().most_logs = Some(3);
    for url in [node.http(), node.ws()] {
        let client = client(&url);
        let refused = client.logs(0, 19, &[ADDRESS], &[TOPIC]).await;
        assert!(matches!(refused, Err(RpcError::TooManyResults { .. })), "{refused:?}");
        assert!(client.logs(0, 3, &[ADDRESS], &[TOPIC]).await.is_ok());
    }
}

#[tokio::test]
async fn a_node_that_is_not_there_is_named_without_its_key() {
    let node = Node::start(Chain::of(3)).await;
    let urls = [node.http(), node.ws()];
    drop(node);
    tokio::time::sleep(Duration::from_millis(50)).await;
    for url in urls {
        let observer = Arc::<Observer>::default();
        let client = RpcClient::new(&url, Arc::clone(&observer)).unwrap();
        let error = client.block(BlockTag::Latest).await.unwrap_err();
        // What could not be asked costs nothing.
        let usage = &observer.usage()[0];
        assert_eq!((usage.calls, usage.failures, usage.compute_units), (1, 1, 0));
        assert!(matches!(error, RpcError::Transport { .. }), "{error:?}");
        let shown = format!("{error} {error:?} {client:?} {}", client.endpoint());
        assert!(!shown.contains("s3cr3tk3y") && shown.contains("127.0.0.1"), "{shown}");
    }
}

#[tokio::test]
async fn many_questions_share_one_socket() {
    let node = Node::start(Chain::of(300)).await;
    let client = client(&node.ws());
    let asked = (0..300).map(|number| client.block(BlockTag::Number(number)));
    let answers = futures_util::future::join_all(asked).await;
    for (answer, block) in answers.into_iter().zip(node.chain().blocks) {
        assert_eq!(answer, Ok(Some(block.header)));
    }
    assert_eq!(subscriptions(&node), 1);
}

#[tokio::test]
async fn a_socket_that_breaks_is_opened_again() {
    let node = Node::start(Chain::of(3)).await;
    let client = client(&node.ws());
    let mut heads = client.heads().unwrap();
    assert_eq!(client.chain_id().await, Ok(137));
    node.change(|chain| chain.extend(1, 0));
    timeout(PATIENCE, heads.changed()).await.unwrap().unwrap();
    // The node hangs up instead of answering: that too wakes whoever waits for heads.
    node.inner().mood = Mood::Html;
    heads.mark_unchanged();
    assert!(matches!(client.chain_id().await, Err(RpcError::Transport { .. })));
    timeout(PATIENCE, heads.changed()).await.unwrap().unwrap();
    node.inner().mood = Mood::Well;
    assert_eq!(client.block(BlockTag::Latest).await, Ok(Some(node.chain().head())));
}

/// Together, because each of them waits for a quarter of a minute.
#[tokio::test]
async fn silence_counts_where_nothing_is_waited_for() {
    tokio::join!(
        silence_ends_questions_and_sockets(),
        a_slow_search_for_logs_is_waited_for(),
        a_subscription_that_dies_alone_is_made_anew(),
    );
}

async fn silence_ends_questions_and_sockets() {
    let node = Node::start(Chain::of(3)).await;
    let [http, ws] = [node.http(), node.ws()].map(|url| client(&url));
    let mut heads = ws.heads().unwrap();
    assert_eq!(ws.chain_id().await, Ok(137));
    heads.mark_unchanged();
    node.inner().mood = Mood::Silent;
    let began = Instant::now();
    let ten = Duration::from_secs(10);
    let observer = Arc::<Observer>::default();
    let counted = RpcClient::new(&node.http(), Arc::clone(&observer)).unwrap();
    let answers = tokio::join!(http.chain_id(), ws.chain_id(), counted.block(BlockTag::Latest));
    let after = RpcError::Timeout { after: ten };
    assert_eq!(answers, (Err(after.clone()), Err(after.clone()), Err(after)));
    // What was asked may have been worked on.
    assert_eq!(observer.usage()[0].compute_units, 20);
    // The connection itself is given up five seconds later, and made anew for the next question.
    timeout(PATIENCE, heads.changed()).await.unwrap().unwrap();
    assert!(began.elapsed() >= Duration::from_secs(14));
    node.inner().mood = Mood::Well;
    assert_eq!(ws.chain_id().await, Ok(137));
    assert_eq!(http.chain_id().await, Ok(137));
}

fn subscriptions(node: &Node) -> usize {
    node.inner().asked.iter().filter(|method| *method == "eth_subscribe").count()
}

async fn a_slow_search_for_logs_is_waited_for() {
    let node = Node::start(Chain::of(20)).await;
    // Longer than a node may be silent when it has nothing to do.
    node.inner().search = Duration::from_secs(18);
    let client = client(&node.ws());
    let logs = client.logs(5, 8, &[ADDRESS], &[TOPIC]).await.unwrap().list.logs;
    assert_eq!(logs.len(), node.chain().blocks[5..=8].iter().map(|block| block.logs.len()).sum::<usize>());
    assert_eq!(subscriptions(&node), 1);
}

async fn a_subscription_that_dies_alone_is_made_anew() {
    let node = Node::start(Chain::of(3)).await;
    let client = client(&node.ws());
    let began = Instant::now();
    let asking = async {
        // Every question is answered, but no head is ever announced.
        while subscriptions(&node) < 2 {
            assert_eq!(client.chain_id().await, Ok(137));
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(14));
}
