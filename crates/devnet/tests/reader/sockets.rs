//! WebSockets that are cut, fall silent, repeat themselves or lag.

use std::collections::BTreeMap;
use std::time::Duration;

use devnet::{Devnet, Faults, RateLimit};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::ask::{nodes, number, request};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const PATIENCE: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_millis(100);

/// A connection that is told of new heads.
async fn subscribed(devnet: &Devnet) -> Socket {
    let (mut socket, _) = tokio_tungstenite::connect_async(&devnet.urls().rpc_ws).await.unwrap();
    say(&mut socket, "eth_subscribe", json!(["newHeads"])).await;
    let answer = loop {
        let message = next(&mut socket).await;
        if message["method"].is_null() {
            break message;
        }
    };
    assert!(answer["result"].is_string(), "{answer}");
    socket
}

async fn say(socket: &mut Socket, method: &str, params: Value) {
    socket.send(Message::text(request(method, &params))).await.unwrap();
}

async fn next(socket: &mut Socket) -> Value {
    let message = timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap();
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

/// The next so many heads that are announced.
async fn heads(socket: &mut Socket, count: usize) -> Vec<u64> {
    let mut heads = Vec::new();
    while heads.len() < count {
        let message = next(socket).await;
        if message["method"] == "eth_subscription" {
            heads.push(number(&message["params"]["result"]["number"]));
        }
    }
    heads
}

/// Whether the connection ends without a closing frame.
async fn is_cut(socket: &mut Socket) -> bool {
    loop {
        match timeout(PATIENCE, socket.next()).await.unwrap() {
            Some(Ok(Message::Close(_))) => return false,
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return true,
        }
    }
}

#[tokio::test]
async fn every_connection_can_be_cut_at_once() {
    let (devnet, _stop) = nodes(1).await;
    let (mut one, mut two) = (subscribed(&devnet).await, subscribed(&devnet).await);
    heads(&mut one, 1).await;
    devnet.disconnect_all();
    assert!(is_cut(&mut one).await && is_cut(&mut two).await);
    // Who comes back is welcome.
    heads(&mut subscribed(&devnet).await, 2).await;
}

#[tokio::test]
async fn a_request_or_a_block_can_cost_the_connection() {
    let (devnet, _stop) = nodes(1).await;
    let (mut talker, mut listener) = (subscribed(&devnet).await, subscribed(&devnet).await);
    devnet.pause(true);
    devnet.set_faults(Faults { disconnected: 1.0, ..Faults::default() });
    say(&mut talker, "eth_chainId", json!([])).await;
    assert!(is_cut(&mut talker).await);
    // Who says nothing is cut when something happens.
    assert!(timeout(Duration::from_millis(300), is_cut(&mut listener)).await.is_err());
    devnet.reorg(1);
    assert!(is_cut(&mut listener).await);
}

#[tokio::test]
async fn a_silent_socket_is_open() {
    let (devnet, _stop) = nodes(1).await;
    let mut socket = subscribed(&devnet).await;
    heads(&mut socket, 2).await;
    devnet.set_faults(Faults { silent: true, ..Faults::default() });
    // What was under way arrives.
    while timeout(Duration::from_millis(50), socket.next()).await.is_ok() {}
    let before = devnet.head().number;
    say(&mut socket, "eth_chainId", json!([])).await;
    // However long the chain takes to go on, not a word of it.
    while devnet.head().number < before + 4 {
        assert!(timeout(SILENCE, socket.next()).await.is_err());
    }
    devnet.set_faults(Faults::default());
    let resumed = heads(&mut socket, 1).await;
    assert!(resumed[0] > before + 1, "what it did not say it never says");
}

#[tokio::test]
async fn stalled_requests_are_answered_in_the_end_and_notices_go_on() {
    let (devnet, _stop) = nodes(1).await;
    let mut socket = subscribed(&devnet).await;
    devnet.set_faults(Faults { stalled: 1.0, ..Faults::default() });
    say(&mut socket, "eth_chainId", json!([])).await;
    heads(&mut socket, 3).await;
    devnet.set_faults(Faults::default());
    loop {
        let message = next(&mut socket).await;
        if message["id"] == 5 {
            assert_eq!(message["result"], "0x89");
            return;
        }
    }
}

#[tokio::test]
async fn too_many_requests_are_told_as_an_error() {
    let (devnet, _stop) = nodes(1).await;
    let mut socket = subscribed(&devnet).await;
    let limit = RateLimit { share: 1.0, retry_after: Duration::from_secs(1) };
    devnet.set_faults(Faults { rate_limited: Some(limit), ..Faults::default() });
    say(&mut socket, "eth_chainId", json!([])).await;
    loop {
        let message = next(&mut socket).await;
        if message["id"] == 5 {
            assert_eq!(message["error"]["code"], 429);
            return;
        }
    }
}

#[tokio::test]
async fn notices_come_twice() {
    let (devnet, _stop) = nodes(1).await;
    devnet.set_faults(Faults { duplicated_notices: 1.0, ..Faults::default() });
    let mut socket = subscribed(&devnet).await;
    let heads = heads(&mut socket, 10).await;
    for pair in heads.chunks(2) {
        assert_eq!(pair[0], pair[1]);
    }
}

#[tokio::test]
async fn a_machine_that_is_behind_announces_late() {
    let (devnet, _stop) = nodes(1).await;
    devnet.set_faults(Faults { behind: 5, ..Faults::default() });
    let mut socket = subscribed(&devnet).await;
    let told = heads(&mut socket, 4).await;
    assert!(told.windows(2).all(|pair| pair[1] == pair[0] + 1), "{told:?}");
    assert!(devnet.head().number >= told[3] + 5);
    // Blocks that were never shown need not be taken back: the next heads follow the old ones, on another branch
    // only where that is unseen too.
    devnet.reorg(3);
    let mut by_number = BTreeMap::new();
    for number in heads(&mut socket, 10).await {
        *by_number.entry(number).or_insert(0) += 1;
    }
    assert_eq!(by_number.first_key_value(), Some((&(told[3] + 1), &1)));
    assert!(by_number.values().all(|times| *times == 1), "{by_number:?}");
}
