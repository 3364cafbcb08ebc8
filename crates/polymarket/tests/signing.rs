//! Orders signed here are those the official clients sign, to the byte.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use domain::{Market, Shares, Side, Tick, Timestamp, TokenId, Usd, Wallet};
use polymarket::trading::{
    Account, AccountError, Credentials, Exchange, KeyError, Lifetime, OrderRules, OrderSigner, OrderTerms,
    PrivateKey, Quantity, SignError, SignedOrder, Stamp, TermsError, WalletKind, is_position,
};
use serde_json::Value;

/// The first account of every test chain: its key is public.
const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const TOKEN: &str = "15871154585880608648532107628464183779895785213830018178010423617714102767076";
const POSITION: &str = "663574927012476832975694178961957910328055987427402067619466963999000625152";
const DEPOSIT: &str = "0x1111111111111111111111111111111111111111";
const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// What a deposit wallet reads behind the signature: the type of the order, and its length.
const ORDER_TYPE: &str = "4f726465722875696e743235362073616c742c61646472657373206d616b65722c61646472657373207369676e65722c75696e7432353620746f6b656e49642c75696e74323536206d616b6572416d6f756e742c75696e743235362074616b6572416d6f756e742c75696e743820736964652c75696e7438207369676e6174757265547970652c75696e743235362074696d657374616d702c62797465733332206d657461646174612c62797465733332206275696c6465722900ba";

fn key(folder: &Path) -> PrivateKey {
    PrivateKey::from_hex_file(&secret(folder, "key", KEY)).unwrap()
}

fn secret(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

async fn signer(kind: WalletKind, funder: Option<&str>) -> OrderSigner {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let funder = funder.map(|text| text.parse().unwrap());
    let account = Account::new(key(folder.path()), kind, funder).unwrap();
    let credentials = Credentials::new("00000000-0000-4000-8000-000000000001", SECRET, "passphrase").unwrap();
    OrderSigner::new(account, &credentials).await.unwrap()
}

fn terms(token: &str, lifetime: Lifetime) -> OrderTerms {
    OrderTerms {
        token: token.parse().unwrap(),
        side: Side::Buy,
        limit: "0.52".parse().unwrap(),
        quantity: Quantity::Shares(Shares::whole(10)),
        lifetime,
    }
}

fn rules(exchange: Exchange) -> OrderRules {
    OrderRules { exchange, tick: Tick::CENT, least: Shares::whole(5) }
}

fn stamp() -> Stamp {
    Stamp::new(479_249_096_354, Timestamp::from_micros(1_790_000_000_000_000)).unwrap()
}

const GTC: Lifetime = Lifetime::UntilCancelled { post_only: false };

/// Standard and neg-risk contracts and exchange V3, a plain account and a deposit wallet: five orders for which two
/// official clients give the same hash and signature.
#[tokio::test]
async fn hashes_and_signatures_are_the_official_ones() {
    let (v2, v3) = (
        "3264e159346253e26a64e00b69032db0e7d32f94628de3e6eecb50304d7af3d2",
        "466c63910185bbd55e8679264200c4e0abdcbb0c6264eb3d41d13326022e095b",
    );
    let wrapped =
        |inner: &str, domain: &str, contents: &str| format!("{inner}{domain}{contents}{ORDER_TYPE}");
    for (kind, exchange, token, hash, signature) in [
        (
            WalletKind::Eoa,
            Exchange::Standard,
            TOKEN,
            "0x89da86bf10752a4f85bb1342f6c18e52e75fd1c210e4334171103ae45c0f7cfd",
            "0x3093216f02d8b6b1d1bebe24678963b95caa929cc6f198834e0417ddf98f835d64168f8cdd41d37f3ce80ba0528ca5ad874cf22e22793dd87d7b93afbf2749631c".to_owned(),
        ),
        (
            WalletKind::Eoa,
            Exchange::NegRisk,
            TOKEN,
            "0xe504d05977f75c6e792f8d250ea6fbfcc71a884376ff16e695fc8c2705524e61",
            "0x323eeb93614c5f6c9de2e7ac2d71ef56035e8cf2c20065bf84e759e7ee09779113c5d3443b7d435145cd1200e226db9918425116f9a4f80f66c31d4cdb8bf2d31b".to_owned(),
        ),
        (
            WalletKind::Eoa,
            Exchange::Positions,
            POSITION,
            "0x4dc1459498888eb01999cc3e082558ee44072ca6ee718b9cba97b6fed4a48cdc",
            "0x2f5f4003fc374eec90c68d5935c5ec01624ec4fa981254a83754f82a476700ea19cb93846aec94eb8fa311bacb0df61796855e0cbebe16e5bfbf16dbeb92f4561c".to_owned(),
        ),
        (
            WalletKind::Deposit,
            Exchange::Standard,
            TOKEN,
            "0x7dbcc2945923d41ea81f64ececa84c79c615829c223058e03464d4ef5dd2cd0f",
            wrapped(
                "0x433422e88f254e06a6421a2b765ca719a4597471cbd4394a2818d3c0ddb307f7248d98b5b3f1a65da67ddc7a52daded8c908a16c1fb1bf72eaaf04cea19be0171c",
                v2,
                "ed1a48d649c251e0f264259df14a5fcdaf2f57361da9b8c9a770af37f092d60d",
            ),
        ),
        (
            WalletKind::Deposit,
            Exchange::Positions,
            POSITION,
            "0xd496c82bd594c57d9d15808c3414f98b380785b73d01d2b590e15cd6c91c9d78",
            wrapped(
                "0x9596faa03274dd3d599849cb255c588f99ea9452a9539c9a13556ceeb47d8f07418dcf17cf890a032776cbd798debe4cf0968dfd0fd2da30071670daf3b6ad9a1b",
                v3,
                "0ce417630d47adbc7424a4901ca948d7691df9ba41c21572039445673c2b5920",
            ),
        ),
    ] {
        let signer = signer(kind, (kind == WalletKind::Deposit).then_some(DEPOSIT)).await;
        let order = signer.sign(&terms(token, GTC), &rules(exchange), stamp()).await.unwrap();
        assert_eq!(order.hash.to_string(), hash, "{kind:?} {exchange:?}");
        let body: Value = serde_json::from_str(&order.body).unwrap();
        assert_eq!(body["order"]["signature"], signature.as_str(), "{kind:?} {exchange:?}");
        assert_eq!(body["order"]["tokenId"], token);
        assert_eq!(body["order"]["signatureType"], kind.number());
    }
}

/// The body is the official Rust client's, and does not change from one time to the next.
#[tokio::test]
async fn the_body_is_written_once_and_read_back() {
    let signer = signer(WalletKind::Eoa, None).await;
    let post_only = Lifetime::UntilCancelled { post_only: true };
    let order = signer.sign(&terms(TOKEN, post_only), &rules(Exchange::Standard), stamp()).await.unwrap();
    let start = concat!(
        r#"{"order":{"salt":479249096354,"maker":"0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266","#,
        r#""signer":"0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266","tokenId":"15871154585880608648532107628464183779895785213830018178010423617714102767076","#,
        r#""makerAmount":"5200000","takerAmount":"10000000","side":"BUY","expiration":"0","signatureType":0,"#,
        r#""timestamp":"1790000000000","#,
    );
    assert!(order.body.starts_with(start), "{}", order.body);
    let end = r#"},"orderType":"GTC","owner":"00000000-0000-4000-8000-000000000001","postOnly":true}"#;
    assert!(order.body.ends_with(end), "{}", order.body);
    let again = signer.sign(&terms(TOKEN, post_only), &rules(Exchange::Standard), stamp()).await.unwrap();
    assert_eq!(again, order);
    assert_eq!(SignedOrder::restore(order.hash, order.body.clone()).unwrap(), order);
    assert!(SignedOrder::restore(order.hash, "{}".to_owned()).is_err());
    assert!(!format!("{order:?}").contains("signature"));
}

#[tokio::test]
async fn lifetimes_are_sent_as_the_venue_counts_them() {
    let signer = signer(WalletKind::Safe, None).await;
    let now = stamp().at();
    let until =
        |seconds: i64| Lifetime::Until { expires: now.plus_micros(seconds * 1_000_000), post_only: false };
    let order = signer.sign(&terms(TOKEN, until(120)), &rules(Exchange::Standard), stamp()).await.unwrap();
    let body: Value = serde_json::from_str(&order.body).unwrap();
    // The venue is a minute early, so a minute is added.
    assert_eq!(body["order"]["expiration"], "1790000180");
    assert_eq!((&body["orderType"], &body["postOnly"]), (&"GTD".into(), &false.into()));
    assert_eq!(order.expires, Some(Timestamp::from_seconds(1_790_000_180)));
    assert_eq!(SignedOrder::restore(order.hash, order.body.clone()).unwrap(), order);
    let error =
        signer.sign(&terms(TOKEN, until(119)), &rules(Exchange::Standard), stamp()).await.unwrap_err();
    assert!(matches!(error, SignError::Terms(TermsError::ExpiresTooSoon { .. })), "{error}");

    for (lifetime, name) in [(Lifetime::FillAndKill, "FAK"), (Lifetime::FillOrKill, "FOK")] {
        let terms = OrderTerms { quantity: Quantity::Spend(Usd::whole(10)), ..terms(TOKEN, lifetime) };
        let order = signer.sign(&terms, &rules(Exchange::Standard), stamp()).await.unwrap();
        let body: Value = serde_json::from_str(&order.body).unwrap();
        assert_eq!(body["orderType"], name);
        assert_eq!(body["order"]["takerAmount"], "19230700");
        assert!(body.get("postOnly").is_none());
        // The wallet owns, the key signs.
        assert_ne!(body["order"]["maker"], body["order"]["signer"]);
        assert_eq!(body["order"]["signer"], "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
    }
}

fn market(token: &str, protocol_v2: bool, neg_risk: bool) -> Market {
    Market {
        condition: Default::default(),
        title: String::new(),
        slug: String::new(),
        event: String::new(),
        category: None,
        outcomes: vec!["Yes".into(), "No".into()],
        tokens: vec![token.parse().unwrap(), "7".parse().unwrap()],
        neg_risk,
        place: None,
        protocol_v2,
        tick: Tick::CENT,
        fee_rate_ppm: 0,
        end: None,
        oracle: None,
    }
}

#[test]
fn the_contract_is_the_one_that_market_and_token_agree_on() {
    let token: TokenId = TOKEN.parse().unwrap();
    let position: TokenId = POSITION.parse().unwrap();
    assert!(is_position(position) && !is_position(token));
    for (text, protocol_v2, neg_risk, exchange) in [
        (TOKEN, false, false, Exchange::Standard),
        (TOKEN, false, true, Exchange::NegRisk),
        (POSITION, true, false, Exchange::Positions),
        (POSITION, true, true, Exchange::Positions),
    ] {
        let market = market(text, protocol_v2, neg_risk);
        assert_eq!(Exchange::of(&market, text.parse().unwrap()), Ok(exchange));
    }
    let dispute = Exchange::of(&market(TOKEN, true, false), token);
    assert_eq!(dispute, Err(TermsError::VersionDispute { token, by_bits: false }));
    let dispute = Exchange::of(&market(POSITION, false, false), position);
    assert_eq!(dispute, Err(TermsError::VersionDispute { token: position, by_bits: true }));
    let stranger = Exchange::of(&market(TOKEN, false, false), position);
    assert_eq!(stranger, Err(TermsError::NotAnOutcome { token: position }));
    for (exchange, address) in [
        (Exchange::Standard, "0xe111180000d2663c0091e4f400237545b87b996b"),
        (Exchange::NegRisk, "0xe2222d279d744050d28e00520010520000310f59"),
        (Exchange::Positions, "0xe3333700ca9d93003f00f0f71f8515005f6c00aa"),
    ] {
        assert_eq!(Wallet(exchange.address()).to_string(), address);
    }
}

#[test]
fn salts_survive_json() {
    let at = Timestamp::from_seconds(1);
    assert!(Stamp::new((1 << 53) - 1, at).is_ok());
    assert_eq!(Stamp::new(1 << 53, at), Err(TermsError::Salt { salt: 1 << 53 }));
    assert!((0..1_000).all(|_| Stamp::random(at).salt() < 1 << 53));
    assert_ne!(Stamp::random(at), Stamp::random(at));
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = secret(folder.path(), "key", &format!("  {}\n", &KEY[2..]));
    let key = PrivateKey::from_hex_file(&path).unwrap();
    assert_eq!(Wallet(key.address()).to_string(), "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
    for mode in [0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = PrivateKey::from_hex_file(&path).unwrap_err();
        assert!(matches!(error, KeyError::Exposed { mode: seen, .. } if seen == mode), "{error}");
        assert!(!format!("{error} {error:?}").contains(&KEY[2..10]));
    }
    let missing = PrivateKey::from_hex_file(&folder.path().join("none")).unwrap_err();
    assert!(matches!(missing, KeyError::Unreadable { .. }));
    let is_folder = PrivateKey::from_hex_file(folder.path()).unwrap_err();
    assert!(matches!(is_folder, KeyError::Unreadable { .. } | KeyError::Exposed { .. }));
    for text in ["", "0x", &KEY[..65], &"0".repeat(64), &"f".repeat(64), "not a key at all"] {
        let error = PrivateKey::from_hex_file(&secret(folder.path(), "bad", text)).unwrap_err();
        assert!(matches!(error, KeyError::NotAKey { .. }), "{text}");
        assert!(text.is_empty() || text == "0x" || !format!("{error} {error:?}").contains(text));
    }
}

#[test]
fn an_account_is_a_key_and_the_wallet_that_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let key = key(folder.path());
    let wallet: Wallet = DEPOSIT.parse().unwrap();
    let new = |kind, funder| Account::new(key.clone(), kind, funder);
    assert_eq!(new(WalletKind::Eoa, None).unwrap().funder(), Wallet(key.address()));
    assert!(matches!(new(WalletKind::Eoa, Some(wallet)), Err(AccountError::FunderOfEoa { .. })));
    assert_eq!(new(WalletKind::Deposit, None).unwrap_err(), AccountError::NoDepositWallet);
    assert_eq!(new(WalletKind::Deposit, Some(wallet)).unwrap().funder(), wallet);
    for kind in [WalletKind::Proxy, WalletKind::Safe] {
        let derived = new(kind, None).unwrap().funder();
        assert!(derived != Wallet(key.address()) && derived != Wallet::default());
        assert_eq!(new(kind, Some(wallet)).unwrap().funder(), wallet);
        let zero = new(kind, Some(Wallet::default()));
        assert!(matches!(zero, Err(AccountError::NotAWallet { .. })));
    }
    for number in 0..=3 {
        assert_eq!(WalletKind::from_number(number).unwrap().number(), number);
    }
    assert_eq!(WalletKind::from_number(4), None);
    let shown = format!("{:?} {:#?}", new(WalletKind::Eoa, None), key);
    assert!(!shown.to_lowercase().contains(&KEY[2..]));
}

/// The example of the keystore's own definition, whose password is `testpassword`.
const KEYSTORE: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},"ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2","kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},"mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},"id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;

#[test]
fn a_keystore_opens_with_its_password_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = secret(folder.path(), "store", KEYSTORE);
    let password = secret(folder.path(), "password", "testpassword\n");
    let key = PrivateKey::from_keystore(&store, &password).unwrap();
    assert_eq!(Wallet(key.address()).to_string(), "0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b");
    let wrong = secret(folder.path(), "wrong", "Testpassword");
    let error = PrivateKey::from_keystore(&store, &wrong).unwrap_err();
    assert!(error.to_string().contains("password does not fit"), "{error}");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
    let error = PrivateKey::from_keystore(&store, &password).unwrap_err();
    assert!(matches!(error, KeyError::Exposed { .. }), "{error}");
    // Parameters that would stop the process or fill its memory are refused before they are used.
    for (from, to) in [
        (r#""dklen":32"#, r#""dklen":8"#),
        ("6087dab2f9fdbbfaddc31a909735c1e6", "60"),
        (r#""version":3"#, r#""version":1"#),
        (r#""c":262144,"#, r#""n":1099511627776,"r":8,"p":1,"#),
        ("aes-128-ctr", "aes-128-cbc"),
        ("{", "["),
    ] {
        let odd = secret(folder.path(), "odd", &KEYSTORE.replace(from, to));
        let error = PrivateKey::from_keystore(&odd, &wrong).unwrap_err();
        assert!(error.to_string().contains("no keystore of version 3"), "{to}: {error}");
    }
}
