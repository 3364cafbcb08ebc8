//! A trial of the signing itself, on this machine and in this build, against an order whose hash and signature two
//! official clients agree on.

use alloy_primitives::{b256, hex};
use domain::{Shares, Side, Tick, Timestamp, TokenId};

use super::account::{Account, WalletKind};
use super::amounts::Quantity;
use super::credentials::Credentials;
use super::key::PrivateKey;
use super::order::{Exchange, Lifetime, OrderRules, OrderTerms, Stamp};
use super::signed::OrderSigner;

/// The first key of every test chain, which is public.
const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// A conditional token.
const TOKEN: &str = "15871154585880608648532107628464183779895785213830018178010423617714102767076";

/// What the official clients make of the order below.
const SIGNATURE: [u8; 65] = hex!(
    "3093216f02d8b6b1d1bebe24678963b95caa929cc6f198834e0417ddf98f835d64168f8cdd41d37f3ce80ba0528ca5ad874cf22e22793dd87d7b93afbf2749631c"
);

/// Signs the known order. `Err` says in one sentence what came out otherwise: nothing may be traded then.
///
/// # Errors
/// That sentence.
pub async fn self_test() -> Result<(), String> {
    compare(KEY).await
}

/// Signs the known order with a key: what comes out is compared with what the known key makes of it.
async fn compare(key: &str) -> Result<(), String> {
    let odd = |what: &str| format!("the known order could not be made: {what}");
    let key = PrivateKey::from_hex(key).ok_or_else(|| odd("no key"))?;
    let account = Account::new(key, WalletKind::Eoa, None).map_err(|error| odd(&error.to_string()))?;
    let credentials = Credentials::new("00000000-0000-4000-8000-000000000001", "AAAA", "passphrase")
        .map_err(|error| odd(&error.to_string()))?;
    let token: TokenId = TOKEN.parse().map_err(|_| odd("no token"))?;
    let terms = OrderTerms {
        token,
        side: Side::Buy,
        limit: "0.52".parse().map_err(|_| odd("no price"))?,
        quantity: Quantity::Shares(Shares::whole(10)),
        lifetime: Lifetime::UntilCancelled { post_only: false },
    };
    let rules = OrderRules { exchange: Exchange::Standard, tick: Tick::CENT, least: Shares::whole(5) };
    let at = Timestamp::from_seconds(1_790_000_000);
    let stamp = Stamp::new(479_249_096_354, at).map_err(|error| odd(&error.to_string()))?;
    let signer = OrderSigner::new(account, &credentials).await.map_err(|error| odd(&error.to_string()))?;
    let signed = signer.sign(&terms, &rules, stamp).await.map_err(|error| odd(&error.to_string()))?;
    if signed.hash != b256!("89da86bf10752a4f85bb1342f6c18e52e75fd1c210e4334171103ae45c0f7cfd") {
        return Err(format!("the known order hashes to {}", signed.hash));
    }
    if !signed.body.contains(&hex::encode(SIGNATURE)) {
        return Err("the known order is signed otherwise".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn this_build_signs_as_the_official_clients_do() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        assert_eq!(super::self_test().await, Ok(()));
    }

    /// A build that signs otherwise is found out.
    #[tokio::test]
    async fn another_signature_is_told_from_the_known_one() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let said = super::compare(&super::KEY.replace("ac09", "bc09")).await;
        assert!(said.is_err_and(|said| said.starts_with("the known order hashes to")));
    }
}
