//! API credentials, and the headers that prove a request is ours: L1 by the key, L2 by the credentials.

use std::fmt;

use alloy_primitives::{Address, U256};
use alloy_sol_types::{Eip712Domain, SolStruct as _, eip712_domain, sol};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, KeyInit as _, Mac as _};
use polymarket_client_sdk_v2::auth::Uuid;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::key::{POLYGON, PrivateKey};

const ADDRESS: HeaderName = HeaderName::from_static("poly_address");
const API_KEY: HeaderName = HeaderName::from_static("poly_api_key");
const NONCE: HeaderName = HeaderName::from_static("poly_nonce");
const PASSPHRASE: HeaderName = HeaderName::from_static("poly_passphrase");
const SIGNATURE: HeaderName = HeaderName::from_static("poly_signature");
const TIMESTAMP: HeaderName = HeaderName::from_static("poly_timestamp");

/// What every wallet signs to get credentials.
const ATTESTATION: &str = "This message attests that I control the given wallet";

sol! {
    struct ClobAuth {
        address address;
        string timestamp;
        uint256 nonce;
        string message;
    }
}

/// API credentials of one account. The secret and the passphrase are wiped from memory when they go, and never
/// printed.
#[derive(Clone)]
pub struct Credentials {
    key: Uuid,
    secret: Zeroizing<Vec<u8>>,
    encoded_secret: Zeroizing<String>,
    passphrase: Zeroizing<String>,
}

/// Why a text cannot be a part of API credentials, without the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// The key is no UUID.
    #[error("the API key is not a UUID")]
    Key,
    /// The secret is not base64 in the alphabet of URLs.
    #[error("the API secret is not URL-safe base64")]
    Secret,
    /// The passphrase cannot stand in a header.
    #[error("the API passphrase is empty or has characters no header may have")]
    Passphrase,
    /// The key would not sign, which no private key that was read does.
    #[error("the private key cannot sign")]
    Signing,
}

impl Credentials {
    /// Credentials as the venue handed them out.
    ///
    /// # Errors
    /// [`CredentialsError`], for the part that cannot be one.
    pub fn new(key: &str, secret: &str, passphrase: &str) -> Result<Self, CredentialsError> {
        let key = key.trim().parse().map_err(|_| CredentialsError::Key)?;
        let decoded = URL_SAFE.decode(secret.trim()).map_err(|_| CredentialsError::Secret)?;
        if decoded.is_empty() {
            return Err(CredentialsError::Secret);
        }
        let passphrase = passphrase.trim();
        if passphrase.is_empty() || HeaderValue::from_str(passphrase).is_err() {
            return Err(CredentialsError::Passphrase);
        }
        Ok(Self {
            key,
            secret: Zeroizing::new(decoded),
            encoded_secret: Zeroizing::new(secret.trim().to_owned()),
            passphrase: Zeroizing::new(passphrase.to_owned()),
        })
    }

    /// The API key, which names the owner of an order and is no secret by itself.
    #[must_use]
    pub fn key(&self) -> String {
        self.key.to_string()
    }

    /// The secret as the venue wrote it: for a store of the caller's that is as safe as a key file.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.encoded_secret
    }

    /// The passphrase, for the same use.
    #[must_use]
    pub fn expose_passphrase(&self) -> &str {
        &self.passphrase
    }

    pub(crate) const fn uuid(&self) -> Uuid {
        self.key
    }

    /// The headers of a private request (L2), made for these bytes at this second: `path` is that of the URL,
    /// without the query.
    pub(crate) fn headers(
        &self,
        address: Address,
        seconds: i64,
        method: &Method,
        path: &str,
        body: &str,
    ) -> Result<HeaderMap, CredentialsError> {
        let signature = self.signature(&format!("{seconds}{method}{path}{body}"))?;
        let mut headers = HeaderMap::new();
        headers.insert(ADDRESS, plain(&address.to_checksum(None), CredentialsError::Key)?);
        headers.insert(API_KEY, plain(&self.key(), CredentialsError::Key)?);
        headers.insert(PASSPHRASE, secret(&self.passphrase, CredentialsError::Passphrase)?);
        headers.insert(SIGNATURE, secret(&signature, CredentialsError::Secret)?);
        headers.insert(TIMESTAMP, plain(&seconds.to_string(), CredentialsError::Key)?);
        Ok(headers)
    }

    fn signature(&self, message: &str) -> Result<String, CredentialsError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).map_err(|_| CredentialsError::Secret)?;
        mac.update(message.as_bytes());
        Ok(URL_SAFE.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The headers that ask for credentials (L1): the wallet's attestation, signed by its key at this second.
pub(crate) async fn attest(
    key: &PrivateKey,
    seconds: i64,
    nonce: u32,
) -> Result<HeaderMap, CredentialsError> {
    let domain: Eip712Domain = eip712_domain! { name: "ClobAuthDomain", version: "1", chain_id: POLYGON, };
    let claim = ClobAuth {
        address: key.address(),
        timestamp: seconds.to_string(),
        nonce: U256::from(nonce),
        message: ATTESTATION.to_owned(),
    };
    let digest = claim.eip712_signing_hash(&domain);
    let signature = key.sign_digest(digest).await.ok_or(CredentialsError::Signing)?;
    let mut headers = HeaderMap::new();
    headers.insert(ADDRESS, plain(&key.address().to_checksum(None), CredentialsError::Signing)?);
    headers.insert(SIGNATURE, secret(&signature, CredentialsError::Signing)?);
    headers.insert(TIMESTAMP, plain(&seconds.to_string(), CredentialsError::Signing)?);
    headers.insert(NONCE, plain(&nonce.to_string(), CredentialsError::Signing)?);
    Ok(headers)
}

fn plain(text: &str, otherwise: CredentialsError) -> Result<HeaderValue, CredentialsError> {
    HeaderValue::from_str(text).map_err(|_| otherwise)
}

/// A value that no `Debug` of headers shows.
fn secret(text: &str, otherwise: CredentialsError) -> Result<HeaderValue, CredentialsError> {
    let mut value = plain(text, otherwise)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first account of every test chain: its key is public.
    const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    fn credentials() -> Credentials {
        Credentials::new("00000000-0000-4000-8000-000000000001", SECRET, "a passphrase").unwrap()
    }

    #[test]
    fn requests_are_signed_as_two_official_clients_sign_them() {
        for (message, signature) in [
            ("1790000000GET/data/orders", "n8brYKOm58rtu76EUdgFF_9GP1T5UE_cUHpBcAl5nYc="),
            ("1790000000DELETE/cancel-all", "jLf_RDmmjGerrbIiTNsTZNTE421XqeYgBuRDDOzf2Qw="),
            (
                r#"1790000000POST/v1/heartbeats{"heartbeat_id":""}"#,
                "wjGfRA83KFWxnYm1DR9C9xJkPF_vNUEL5-vwzNOBAm8=",
            ),
        ] {
            assert_eq!(credentials().signature(message).unwrap(), signature, "{message}");
        }
        let key = PrivateKey::from_hex(KEY).unwrap();
        let headers =
            credentials().headers(key.address(), 1_790_000_000, &Method::GET, "/data/orders", "").unwrap();
        assert_eq!(headers[SIGNATURE], "n8brYKOm58rtu76EUdgFF_9GP1T5UE_cUHpBcAl5nYc=");
        assert_eq!(headers[ADDRESS], "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        assert_eq!(headers[TIMESTAMP], "1790000000");
        assert_eq!(headers[API_KEY], "00000000-0000-4000-8000-000000000001");
        assert_eq!(headers[PASSPHRASE], "a passphrase");
    }

    #[tokio::test]
    async fn the_attestation_is_the_official_one() {
        let headers = attest(&PrivateKey::from_hex(KEY).unwrap(), 100_000, 0).await.unwrap();
        assert_eq!(
            headers[SIGNATURE],
            "0xfdfb5abf512e439ea61c8595c18e527e718bf16010acf57cef51d09e15893098275d3c6f73038f36ec0cd0ce55436fca14dc64b11611f4dce896e354207508cc1b"
        );
        assert_eq!(headers[NONCE], "0");
    }

    #[test]
    fn what_cannot_be_credentials_is_refused_without_being_quoted() {
        let key = "00000000-0000-4000-8000-000000000001";
        for (key, secret, passphrase, error) in [
            ("no uuid", SECRET, "p", CredentialsError::Key),
            (key, "s3cr3t!", "p", CredentialsError::Secret),
            (key, "", "p", CredentialsError::Secret),
            (key, SECRET, "a\nb", CredentialsError::Passphrase),
            (key, SECRET, " ", CredentialsError::Passphrase),
        ] {
            assert_eq!(Credentials::new(key, secret, passphrase).unwrap_err(), error);
        }
    }

    #[test]
    fn nothing_secret_is_ever_printed() {
        let key = PrivateKey::from_hex(KEY).unwrap();
        let headers = credentials().headers(key.address(), 1, &Method::GET, "/", "").unwrap();
        let shown = format!("{key:?} {key:#?} {:?} {:#?} {headers:?}", credentials(), credentials());
        let signature = headers[SIGNATURE].to_str().unwrap();
        for hidden in [&KEY[2..], SECRET, "a passphrase", signature] {
            assert!(!shown.to_lowercase().contains(&hidden.to_lowercase()), "{shown}");
        }
    }
}
