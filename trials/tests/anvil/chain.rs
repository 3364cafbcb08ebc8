//! A chain on Anvil, and which fills were emitted on it.

use alloy_primitives::{Address, B256, U256};
use domain::{BlockHash, Exchange, Fee, Fill, Role, Shares, Side, TokenId, Usd, Wallet};
use polygon::contracts::exchange_address;
use polygon::encode::{LogBody, order_filled};
use serde_json::{Value, json};

use crate::emitter;
use crate::line::{Line, Spot};
use crate::node::Anvil;

/// Where the emitter stands.
const EXCHANGES: [Exchange; 2] = [Exchange::V2, Exchange::V2NegRisk];

/// The chain and all fills that were ever emitted on it, each with its transaction.
pub(crate) struct Chain {
    pub(crate) anvil: Anvil,
    sender: Value,
    sent: Vec<(String, Fill)>,
    fills: u64,
}

impl Chain {
    /// An empty one with the emitter where the exchanges are.
    pub(crate) async fn start() -> Self {
        let anvil = Anvil::start().await;
        for exchange in EXCHANGES {
            let address = exchange_address(exchange).unwrap();
            anvil.ask("anvil_setCode", json!([address, emitter::CODE])).await;
        }
        let sender = anvil.ask("eth_accounts", json!([])).await[0].take();
        Self { anvil, sender, sent: vec![], fills: 0 }
    }

    /// Another fill, unlike all before it.
    pub(crate) fn fill(&mut self) -> Fill {
        self.fills += 1;
        let number = self.fills;
        let exchange = EXCHANGES[usize::from(number.is_multiple_of(3))];
        let role = if number.is_multiple_of(2) { Role::Maker } else { Role::Taker };
        let wallet = |salt: u64| Wallet(Address::left_padding_from(&(number * 1_000 + salt).to_be_bytes()));
        let micros = i64::try_from(number).unwrap() * 1_234_567;
        Fill {
            exchange,
            wallet: wallet(1),
            counterparty: match role {
                Role::Taker => Wallet(exchange_address(exchange).unwrap()),
                Role::Maker => wallet(2),
            },
            role,
            side: if number % 5 < 2 { Side::Buy } else { Side::Sell },
            token: TokenId(U256::MAX / U256::from(number + 1)),
            shares: Shares::from_micros(micros * 2),
            usd: Usd::from_micros(micros),
            fee: Fee::Usd(Usd::from_micros(micros / 100)),
        }
    }

    /// The transaction that emits a fill.
    pub(crate) fn transaction(&self, fill: &Fill) -> Value {
        let log = order_filled(fill, B256::left_padding_from(&self.fills.to_be_bytes())).unwrap();
        json!({ "from": self.sender, "to": log.address, "data": emitter::call(&log), "gas": "0x30d40" })
    }

    /// Has a log emitted in a block of its own; the transaction's receipt.
    pub(crate) async fn call(&self, log: &LogBody) -> Value {
        let transaction = json!({
            "from": self.sender, "to": log.address, "data": emitter::call(log), "gas": "0x30d40"
        });
        let sent = self.anvil.ask("eth_sendTransaction", json!([transaction])).await;
        self.anvil.ask("evm_mine", json!([])).await;
        self.anvil.ask("eth_getTransactionReceipt", json!([sent])).await
    }

    /// Mines so many blocks of so many fills each.
    pub(crate) async fn mine(&mut self, blocks: u64, fills: u64) {
        for _ in 0..blocks {
            for _ in 0..fills {
                let fill = self.fill();
                let sent = self.anvil.ask("eth_sendTransaction", json!([self.transaction(&fill)])).await;
                self.sent.push((sent.as_str().unwrap().to_owned(), fill));
            }
            self.anvil.ask("evm_mine", json!([])).await;
        }
    }

    /// Learns which transactions the node made by itself of these fills, in their order, above a height.
    pub(crate) async fn find(&mut self, fills: Vec<Fill>, above: u64) {
        let mut made = vec![];
        for height in above + 1..=self.head().await.0 {
            let block = self.anvil.ask("eth_getBlockByNumber", json!([format!("{height:#x}"), false])).await;
            made.extend(
                block["transactions"].as_array().unwrap().iter().map(|tx| tx.as_str().unwrap().to_owned()),
            );
        }
        assert_eq!(made.len(), fills.len());
        self.sent.extend(made.into_iter().zip(fills));
    }

    /// The fills that are on the chain now, by place.
    pub(crate) async fn truth(&self) -> Vec<Line> {
        let mut lines = vec![];
        for (tx, fill) in &self.sent {
            let receipt = self.anvil.ask("eth_getTransactionReceipt", json!([tx])).await;
            if receipt.is_null() {
                continue;
            }
            assert_eq!((&receipt["status"], receipt["logs"].as_array().unwrap().len()), (&json!("0x1"), 1));
            let spot = Spot {
                block: number(&receipt["blockNumber"]),
                hash: receipt["blockHash"].as_str().unwrap().parse().unwrap(),
                log: u32::try_from(number(&receipt["logs"][0]["logIndex"])).unwrap(),
                tx: tx.parse().unwrap(),
            };
            lines.push(Line::of_fill(spot, fill));
        }
        lines.sort();
        lines
    }

    /// The newest block.
    pub(crate) async fn head(&self) -> (u64, BlockHash) {
        let head = self.anvil.ask("eth_getBlockByNumber", json!(["latest", false])).await;
        (number(&head["number"]), head["hash"].as_str().unwrap().parse().unwrap())
    }
}

fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap()
}
