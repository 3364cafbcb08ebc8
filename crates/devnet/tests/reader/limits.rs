//! "Too much" in every provider's words.

use devnet::{Faults, Limit, Most, Provider};
use serde_json::Value;

use crate::ask::{get, nodes, range, text};

#[tokio::test]
async fn every_provider_refuses_in_its_own_words() {
    let (devnet, _stop) = nodes(1).await;
    devnet.pause(true);
    let (url, head) = (&devnet.urls().rpc_http, devnet.head().number);
    let blocks = [
        (Provider::Alchemy, 400, -32600, "up to a 10 block range"),
        (Provider::Infura, 200, -32602, "range 11 exceeds limit of 10"),
        (Provider::QuickNode, 413, -32614, "eth_getLogs is limited to a 10 range"),
        (Provider::Drpc, 400, 35, "ranges over 10 blocks are not supported"),
        (Provider::Publicnode, 403, -32701, "exceed maximum block range: 10"),
    ];
    for (provider, status, code, words) in blocks {
        devnet.set_faults(Faults {
            limit: Some(Limit { provider, most: Most::Blocks(10) }),
            ..Faults::default()
        });
        refused(url, head - 10, head, (status, code, words)).await;
        get(url, "eth_getLogs", range(head - 9, head)).await;
    }
    devnet.set_faults(Faults::default());
    let whole = get(url, "eth_getLogs", range(head - 30, head)).await.as_array().unwrap().len();
    assert!(whole > 20);
    let results = [
        (Provider::Alchemy, 200, -32602, "Log response size exceeded"),
        (Provider::Infura, 200, -32005, "query returned more than 20 results. Try with this block range [0x"),
        (Provider::QuickNode, 413, -32616, "exceeded the limit of 20"),
        (Provider::Drpc, 400, -32602, "query exceeds max results 20, retry with the range"),
        (Provider::Publicnode, 200, -32005, "query returned more than 20 results"),
    ];
    for (provider, status, code, words) in results {
        let most = Most::Results(20);
        devnet.set_faults(Faults { limit: Some(Limit { provider, most }), ..Faults::default() });
        refused(url, head - 30, head, (status, code, words)).await;
        let most = Most::Results(whole);
        devnet.set_faults(Faults { limit: Some(Limit { provider, most }), ..Faults::default() });
        get(url, "eth_getLogs", range(head - 30, head)).await;
    }
}

async fn refused(url: &str, from: u64, to: u64, (status, code, words): (u16, i64, &str)) {
    let (said, text) = text(url, "eth_getLogs", &range(from, to)).await.unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((said.as_u16(), answer["error"]["code"].as_i64()), (status, Some(code)), "{text}");
    assert!(answer["error"]["message"].as_str().unwrap().contains(words), "{text}");
    assert_eq!(answer["id"], 5);
}
