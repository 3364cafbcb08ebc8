//! An order as it is signed and sent: its bytes are made once, and sent again unchanged if they must be.

use std::fmt;

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::{Eip712Domain, SolStruct as _, eip712_domain};
use domain::{Side, Timestamp};
use polymarket_client_sdk_v2 as sdk;
use sdk::auth::Normal;
use sdk::auth::state::Authenticated;
use sdk::clob::types::{OrderPayload, OrderType, OrderV2, SignableOrder};
use serde::Deserialize;

use super::account::Account;
use super::amounts::Amounts;
use super::credentials::Credentials;
use super::key::POLYGON;
use super::order::{Exchange, Lifetime, OrderRules, OrderTerms, Stamp, TermsError};
use crate::http::name_tls_provider;

/// The host the signing client is made for. It is never asked anything.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A signed order, ready to be stored and then sent.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedOrder {
    /// The EIP-712 hash, which is the venue's id of the order.
    pub hash: B256,
    /// The body of `POST /order`, to the byte.
    pub body: String,
    /// What is given and asked for.
    pub amounts: Amounts,
    /// The expiration that was sent, a minute after the venue lets the order expire; `None` where it has none.
    pub expires: Option<Timestamp>,
}

/// Why an order was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The terms are no order.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// The signing client could not be made.
    #[error("no signing client")]
    Client(#[source] sdk::error::Error),
    /// The signing client refused.
    #[error("the order was not signed")]
    Refused(#[source] sdk::error::Error),
    /// The signed order could not be written.
    #[error("the signed order cannot be written")]
    Unwritable(#[source] serde_json::Error),
}

/// A stored body that is none of an order.
#[derive(Debug, thiserror::Error)]
#[error("this is not the body of an order")]
pub struct NotAnOrder(#[source] serde_json::Error);

/// Signs the orders of one account.
pub struct OrderSigner {
    account: Account,
    /// The API key that its orders name.
    owner: String,
    sdk: sdk::clob::Client<Authenticated<Normal>>,
}

impl fmt::Debug for OrderSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderSigner").field("account", &self.account).finish_non_exhaustive()
    }
}

/// Whose key an order was signed for.
#[derive(Deserialize)]
struct BodyOwner {
    owner: String,
}

/// What a body says that is worth knowing again.
#[derive(Deserialize)]
struct Body {
    order: BodyOrder,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BodyOrder {
    #[serde(deserialize_with = "whole")]
    maker_amount: i64,
    #[serde(deserialize_with = "whole")]
    taker_amount: i64,
    #[serde(deserialize_with = "whole")]
    expiration: i64,
}

fn whole<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

impl SignedOrder {
    /// An order read back from where it was stored.
    ///
    /// # Errors
    /// [`NotAnOrder`], if the body is none.
    pub fn restore(hash: B256, body: String) -> Result<Self, NotAnOrder> {
        let read: Body = serde_json::from_str(&body).map_err(NotAnOrder)?;
        let amounts = Amounts { maker: read.order.maker_amount, taker: read.order.taker_amount };
        Ok(Self { hash, body, amounts, expires: expiry(read.order.expiration) })
    }

    /// Whether it can be sent with an API key: the venue takes an order from the key alone that its body names, and the
    /// body cannot be changed without being another than the one stored.
    #[must_use]
    pub fn is_owned_by(&self, key: &str) -> bool {
        serde_json::from_str::<BodyOwner>(&self.body).is_ok_and(|body| body.owner == key)
    }
}

/// The hash and the numbers; a signature that gives money away is nobody's business.
impl fmt::Debug for SignedOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedOrder")
            .field("hash", &self.hash)
            .field("amounts", &self.amounts)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl OrderSigner {
    /// A signer for `account`, whose orders are sent with `credentials`. Asks nobody anything.
    ///
    /// # Errors
    /// [`SignError::Client`].
    pub async fn new(account: Account, credentials: &Credentials) -> Result<Self, SignError> {
        let given = sdk::auth::Credentials::new(
            credentials.uuid(),
            credentials.expose_secret().to_owned(),
            credentials.expose_passphrase().to_owned(),
        );
        name_tls_provider();
        let client =
            sdk::clob::Client::new(NOWHERE, sdk::clob::Config::default()).map_err(SignError::Client)?;
        let mut builder = client
            .authentication_builder(account.key().signer())
            .credentials(given)
            .signature_type(account.kind().sdk());
        if account.funder() != account.address() {
            builder = builder.funder(account.funder().0);
        }
        let sdk = builder.authenticate().await.map_err(SignError::Client)?;
        Ok(Self { account, owner: credentials.key(), sdk })
    }

    /// The account it signs for.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// The API key that its orders are sent with.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Writes and signs an order. The same terms, rules and stamp give the same order.
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn sign(
        &self,
        terms: &OrderTerms,
        rules: &OrderRules,
        stamp: Stamp,
    ) -> Result<SignedOrder, SignError> {
        let amounts = terms.amounts(rules).map_err(TermsError::from)?;
        let expiration = terms.lifetime.expiration(stamp.at())?;
        let order = self.order(terms, amounts, stamp);
        let hash = order.eip712_signing_hash(&domain(rules.exchange));
        let wire_expiration = U256::from(expiration);
        let payload = match rules.exchange {
            Exchange::Positions => OrderPayload::new_v3(order, wire_expiration),
            Exchange::Standard | Exchange::NegRisk => {
                // Told beforehand, the signing client has no reason to ask the venue.
                self.sdk.set_neg_risk(order.tokenId, rules.exchange == Exchange::NegRisk);
                OrderPayload::new(order, wire_expiration)
            }
        };
        let mut signable = SignableOrder::default();
        signable.payload = payload;
        signable.order_type = order_type(terms.lifetime);
        signable.post_only = terms.lifetime.post_only();
        let signed =
            self.sdk.sign(self.account.key().signer(), signable).await.map_err(SignError::Refused)?;
        let body = serde_json::to_string(&signed).map_err(SignError::Unwritable)?;
        let expires = i64::try_from(expiration).ok().and_then(expiry);
        Ok(SignedOrder { hash, body, amounts, expires })
    }

    fn order(&self, terms: &OrderTerms, amounts: Amounts, stamp: Stamp) -> OrderV2 {
        let mut order = OrderV2::default();
        order.salt = U256::from(stamp.salt());
        order.maker = self.account.funder().0;
        order.signer = self.account.order_signer();
        order.tokenId = terms.token.0;
        order.makerAmount = U256::from(amounts.maker.unsigned_abs());
        order.takerAmount = U256::from(amounts.taker.unsigned_abs());
        order.side = match terms.side {
            Side::Buy => 0,
            Side::Sell => 1,
        };
        order.signatureType = self.account.kind().number();
        order.timestamp = U256::from(stamp.at().micros().unsigned_abs() / 1_000);
        order
    }
}

impl Exchange {
    /// Its address on Polygon, which is also the spender whose allowance an order needs.
    #[must_use]
    pub fn address(self) -> Address {
        let config = sdk::contract_config(POLYGON, self == Self::NegRisk);
        let address = match self {
            Self::Standard | Self::NegRisk => config.and_then(|config| config.exchange_v2),
            Self::Positions => config.and_then(|config| config.exchange_v3),
        };
        // The official client knows all three on Polygon; a test holds it to that.
        address.unwrap_or_default()
    }
}

/// The EIP-712 domain of a contract.
fn domain(exchange: Exchange) -> Eip712Domain {
    let version = match exchange {
        Exchange::Standard | Exchange::NegRisk => "2",
        Exchange::Positions => "3",
    };
    eip712_domain! {
        name: "Polymarket CTF Exchange",
        version: version,
        chain_id: POLYGON,
        verifying_contract: exchange.address(),
    }
}

const fn order_type(lifetime: Lifetime) -> OrderType {
    match lifetime {
        Lifetime::FillAndKill => OrderType::FAK,
        Lifetime::FillOrKill => OrderType::FOK,
        Lifetime::UntilCancelled { .. } => OrderType::GTC,
        Lifetime::Until { .. } => OrderType::GTD,
    }
}

fn expiry(seconds: i64) -> Option<Timestamp> {
    (seconds > 0).then(|| Timestamp::from_seconds(seconds))
}
