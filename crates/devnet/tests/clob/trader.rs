//! A trader with a key of their own: signs as wallets do, and asks as clients do.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{Eip712Domain, SolStruct, eip712_domain, sol};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use devnet::{Devnet, DevnetConfig, OpenAccount, SignatureType};
use domain::{Side, Timestamp, TokenId, Usd};
use hmac::{Hmac, KeyInit, Mac};
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio_util::sync::CancellationToken;

sol! {
    /// As the exchanges have it.
    #[derive(Debug)]
    struct Order {
        uint256 salt;
        address maker;
        address signer;
        uint256 tokenId;
        uint256 makerAmount;
        uint256 takerAmount;
        uint8 side;
        uint8 signatureType;
        uint256 timestamp;
        bytes32 metadata;
        bytes32 builder;
    }

    /// What a deposit wallet's owner signs instead.
    #[derive(Debug)]
    struct TypedDataSign {
        Order contents;
        string name;
        string version;
        uint256 chainId;
        address verifyingContract;
        bytes32 salt;
    }

    /// What makes an API key.
    #[derive(Debug)]
    struct ClobAuth {
        address address;
        string timestamp;
        uint256 nonce;
        string message;
    }
}

const ORDER_TYPE: &str = "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)";

/// When the present of these worlds begins.
const START: Timestamp = Timestamp::from_seconds(1_795_420_800);

/// A small world so many times faster than life; a block takes a second and a half of it.
pub(crate) async fn begin(speed: f64) -> (Devnet, CancellationToken) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stop = CancellationToken::new();
    let config =
        DevnetConfig { speed, wallets: 300, skilled: 20, history_days: 2, ..DevnetConfig::default() };
    (Devnet::start(config, START, stop.clone()).await.unwrap(), stop)
}

/// A client for what runs on this machine, whatever proxy the environment names.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Where a market's orders belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ledger {
    Standard,
    NegRisk,
    V3,
}

impl Ledger {
    pub(crate) const ALL: [Self; 3] = [Self::Standard, Self::NegRisk, Self::V3];

    fn domain(self) -> Eip712Domain {
        let (version, contract) = match self {
            Self::Standard => ("2", "0xE111180000d2663C0091e4f400237545B87B996B"),
            Self::NegRisk => ("2", "0xe2222d279d744050d28e00520010520000310F59"),
            Self::V3 => ("3", "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"),
        };
        let contract: Address = contract.parse().unwrap();
        eip712_domain! {
            name: "Polymarket CTF Exchange",
            version: version,
            chain_id: 137,
            verifying_contract: contract,
        }
    }
}

/// A market to trade on.
#[derive(Clone, Debug)]
pub(crate) struct Traded {
    pub(crate) ledger: Ledger,
    pub(crate) condition: String,
    pub(crate) tokens: [TokenId; 2],
}

/// What an order says.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) side: Side,
    /// Millionths.
    pub(crate) maker: u64,
    pub(crate) taker: u64,
    pub(crate) order_type: &'static str,
    pub(crate) post_only: bool,
    pub(crate) expiration: i64,
}

impl Terms {
    /// Shares at cents, resting.
    pub(crate) fn limit(side: Side, shares: u64, cents: u64) -> Self {
        let (shares, usd) = (shares * 1_000_000, shares * cents * 10_000);
        let (maker, taker) = if side == Side::Buy { (usd, shares) } else { (shares, usd) };
        Self { side, maker, taker, order_type: "GTC", post_only: false, expiration: 0 }
    }

    /// Whole dollars at up to so many cents, at once.
    pub(crate) fn spend(usd: u64, cents: u64) -> Self {
        let maker = usd * 1_000_000;
        // Shares to four decimals, rounded down.
        let taker = maker * 10_000 / (cents * 10_000) * 100;
        Self { side: Side::Buy, maker, taker, order_type: "FAK", post_only: false, expiration: 0 }
    }

    pub(crate) fn kind(self, order_type: &'static str) -> Self {
        Self { order_type, ..self }
    }

    pub(crate) fn post_only(self) -> Self {
        Self { post_only: true, ..self }
    }
}

/// Somebody with a key.
pub(crate) struct Trader {
    key: SigningKey,
    pub(crate) owner: Address,
    pub(crate) wallet: Address,
    pub(crate) kind: SignatureType,
    clob: String,
    api: Option<(String, Vec<u8>, String)>,
    http: reqwest::Client,
    salt: u64,
}

impl Trader {
    /// With a funded wallet, and an API key.
    pub(crate) async fn arrive(devnet: &Devnet, seed: u8, kind: SignatureType, usd: i32) -> Self {
        let key = SigningKey::from_slice(&[seed; 32]).unwrap();
        let owner = Address::from_public_key(key.verifying_key());
        let asked = OpenAccount { owner, signature_type: kind, wallet: None, funds: Usd::whole(usd) };
        let wallet = devnet.venue().open_account(asked);
        let clob = devnet.urls().clob.clone();
        let mut trader = Self { key, owner, wallet, kind, clob, api: None, http: client(), salt: 1_000 };
        let made = trader.attested("POST", "/auth/api-key", 0).await;
        let derived = trader.attested("GET", "/auth/derive-api-key", 0).await;
        assert_eq!((made.0, derived.0), (200, 200));
        assert_eq!(made.1, derived.1);
        let text = |name: &str| made.1[name].as_str().unwrap().to_owned();
        trader.api = Some((text("apiKey"), URL_SAFE.decode(text("secret")).unwrap(), text("passphrase")));
        trader
    }

    pub(crate) async fn server_seconds(&self) -> i64 {
        self.http.get(format!("{}/time", self.clob)).send().await.unwrap().json().await.unwrap()
    }

    /// A request proved by the wallet's key.
    pub(crate) async fn attested(&self, method: &str, path: &str, nonce: u64) -> (u16, Value) {
        let timestamp = self.server_seconds().await.to_string();
        let domain = eip712_domain! { name: "ClobAuthDomain", version: "1", chain_id: 137, };
        let said = ClobAuth {
            address: self.owner,
            timestamp: timestamp.clone(),
            nonce: U256::from(nonce),
            message: "This message attests that I control the given wallet".to_owned(),
        };
        let signature = self.sign(said.eip712_signing_hash(&domain));
        let request = self
            .http
            .request(method.parse().unwrap(), format!("{}{path}", self.clob))
            .header("POLY_ADDRESS", self.owner.to_string())
            .header("POLY_SIGNATURE", signature.to_string())
            .header("POLY_TIMESTAMP", timestamp)
            .header("POLY_NONCE", nonce.to_string());
        answer(request.send().await.unwrap()).await
    }

    /// The API key's three parts, as the user channel wants them.
    pub(crate) fn auth(&self) -> Value {
        let (key, secret, passphrase) = self.api.as_ref().unwrap();
        json!({"apiKey": key, "secret": URL_SAFE.encode(secret), "passphrase": passphrase})
    }

    pub(crate) fn api_key(&self) -> &str {
        &self.api.as_ref().unwrap().0
    }

    /// A request proved by the API key, made at a time that may be off by some seconds.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        body: &str,
        off: i64,
    ) -> reqwest::RequestBuilder {
        let (key, secret, passphrase) = self.api.as_ref().unwrap();
        let timestamp = (self.server_seconds().await + off).to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        let bare = path.split('?').next().unwrap();
        mac.update(format!("{timestamp}{method}{bare}{body}").as_bytes());
        let signature = URL_SAFE.encode(mac.finalize().into_bytes());
        let request = self
            .http
            .request(method.parse().unwrap(), format!("{}{path}", self.clob))
            .header("POLY_ADDRESS", self.owner.to_string())
            .header("POLY_API_KEY", key)
            .header("POLY_PASSPHRASE", passphrase)
            .header("POLY_TIMESTAMP", timestamp)
            .header("POLY_SIGNATURE", signature);
        if body.is_empty() { request } else { request.body(body.to_owned()) }
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        answer(self.request(method, path, &body, 0).await.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, &Value::Null).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// A signed order, and its id.
    pub(crate) fn order(&mut self, market: &Traded, outcome: usize, terms: &Terms) -> (Value, B256) {
        self.order_for(market.ledger, market.tokens[outcome], terms)
    }

    /// The same for any exchange.
    pub(crate) fn order_for(&mut self, ledger: Ledger, token: TokenId, terms: &Terms) -> (Value, B256) {
        self.salt += 1;
        let signer = if self.kind == SignatureType::Poly1271 { self.wallet } else { self.owner };
        let order = Order {
            salt: U256::from(self.salt),
            maker: self.wallet,
            signer,
            tokenId: token.0,
            makerAmount: U256::from(terms.maker),
            takerAmount: U256::from(terms.taker),
            side: u8::from(terms.side == Side::Sell),
            signatureType: self.kind.number(),
            timestamp: U256::from(1_795_420_800_000u64),
            metadata: B256::ZERO,
            builder: B256::repeat_byte(0x0b),
        };
        let domain = ledger.domain();
        let id = order.eip712_signing_hash(&domain);
        let signature = self.sign_order(&order, &domain, id);
        let body = json!({
            "order": {
                "salt": self.salt,
                "maker": self.wallet.to_string(),
                "signer": signer.to_string(),
                "tokenId": token.to_string(),
                "makerAmount": terms.maker.to_string(),
                "takerAmount": terms.taker.to_string(),
                "side": terms.side.name(),
                "expiration": terms.expiration.to_string(),
                "signatureType": self.kind.number(),
                "timestamp": "1795420800000",
                "metadata": order.metadata,
                "builder": order.builder,
                "signature": signature,
            },
            "orderType": terms.order_type,
            "owner": self.api_key(),
            "postOnly": terms.post_only,
        });
        (body, id)
    }

    /// Places an order, and gives its id beside the answer.
    pub(crate) async fn place(
        &mut self,
        market: &Traded,
        outcome: usize,
        terms: &Terms,
    ) -> (u16, Value, B256) {
        let (body, id) = self.order(market, outcome, terms);
        let (status, answer) = self.ask("POST", "/order", &body).await;
        (status, answer, id)
    }

    fn sign_order(&self, order: &Order, domain: &Eip712Domain, id: B256) -> Bytes {
        if self.kind != SignatureType::Poly1271 {
            return self.sign(id);
        }
        let wrapped = TypedDataSign {
            contents: order.clone(),
            name: "DepositWallet".to_owned(),
            version: "1".to_owned(),
            chainId: U256::from(137),
            verifyingContract: self.wallet,
            salt: B256::ZERO,
        };
        let inner = self.sign(wrapped.eip712_signing_hash(domain));
        let length = u16::try_from(ORDER_TYPE.len()).unwrap().to_be_bytes();
        let (separator, contents) = (domain.hash_struct(), order.eip712_hash_struct());
        let parts: [&[u8]; 5] =
            [&inner, separator.as_slice(), contents.as_slice(), ORDER_TYPE.as_bytes(), &length];
        Bytes::from(parts.concat())
    }

    fn sign(&self, hash: B256) -> Bytes {
        let (signature, recovery) = self.key.sign_prehash_recoverable(hash.as_slice()).unwrap();
        let mut bytes = signature.to_bytes().to_vec();
        bytes.push(27 + recovery.to_byte());
        Bytes::from(bytes)
    }
}

/// Status and JSON of an answer.
pub(crate) async fn answer(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// An open market of a kind whose takers need not wait, the one that lives longest, and its first outcome's touch in
/// cents.
pub(crate) async fn market_of(devnet: &Devnet, ledger: Ledger) -> (Traded, u64, u64) {
    until(async || {
        for (market, waits) in open_markets(devnet).await {
            if market.ledger != ledger || waits {
                continue;
            }
            let Some((bid, ask)) = touch(devnet, market.tokens[0]).await else { continue };
            if bid >= 15 && ask <= 85 {
                return Some((market, bid, ask));
            }
        }
        None
    })
    .await
}

/// A game, whose takers wait, the one that lives longest.
pub(crate) async fn game(devnet: &Devnet) -> Traded {
    until(async || {
        let open = open_markets(devnet).await;
        open.into_iter().find(|(_, waits)| *waits).map(|(market, _)| market)
    })
    .await
}

/// The open markets, those that live longest first, and whether their takers wait.
async fn open_markets(devnet: &Devnet) -> Vec<(Traded, bool)> {
    let url = format!("{}/markets/keyset?limit=100", devnet.urls().gamma);
    let page: Value = client().get(url).send().await.unwrap().json().await.unwrap();
    let mut open: Vec<&Value> = page["markets"].as_array().unwrap().iter().collect();
    open.sort_by_key(|market| std::cmp::Reverse(market["endDate"].as_str().unwrap().to_owned()));
    let read = |market: &Value| {
        let (ledger, tokens) = if market["version"] == "v2" {
            (Ledger::V3, market["positionIds"].clone())
        } else {
            let tokens = serde_json::from_str(market["clobTokenIds"].as_str().unwrap()).unwrap();
            (if market["negRisk"] == true { Ledger::NegRisk } else { Ledger::Standard }, tokens)
        };
        let tokens = [0, 1].map(|index: usize| tokens[index].as_str().unwrap().parse().unwrap());
        let condition = devnet.venue().condition_of(tokens[0]).unwrap().to_string();
        (Traded { ledger, condition, tokens }, market["secondsDelay"].is_number())
    };
    open.into_iter().map(read).collect()
}

/// The best bid and ask in cents; `None` where there is no book any more.
pub(crate) async fn touch(devnet: &Devnet, token: TokenId) -> Option<(u64, u64)> {
    let url = format!("{}/book?token_id={token}", devnet.urls().clob);
    let book: Value = client().get(url).send().await.unwrap().json().await.unwrap();
    let best = |side: &str| {
        let price: domain::Price = book[side].as_array()?.last()?["price"].as_str()?.parse().ok()?;
        Some(u64::from(price.ppm() / 10_000))
    };
    best("bids").zip(best("asks"))
}

/// Looks until something is there.
pub(crate) async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let patience = std::time::Duration::from_secs(60);
    tokio::time::timeout(patience, async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
    })
    .await
    .unwrap()
}
