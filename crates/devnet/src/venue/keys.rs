//! API keys: made from a signed attestation, proved with an HMAC on every private request.

use alloy_primitives::{Address, keccak256};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use domain::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Refusal, Venue, uuid};

/// How far a request's timestamp may be from the venue's clock, in seconds.
const CLOCK_TOLERANCE: i64 = 60;

/// A silence of more microseconds ends everything a key has in the book, once it has begun to beat.
const LONGEST_SILENCE: i64 = 10_000_000;

/// A key as the venue keeps it.
#[derive(Clone)]
pub(crate) struct ApiKey {
    pub(crate) id: String,
    pub(crate) owner: Address,
    secret: Vec<u8>,
    passphrase: String,
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// What a private request says about who sends it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credentials<'a> {
    pub(crate) address: &'a str,
    pub(crate) key: &'a str,
    pub(crate) passphrase: &'a str,
    pub(crate) timestamp: &'a str,
    pub(crate) signature: &'a str,
}

/// The last sign of life of a key that promised more of them.
#[derive(Clone, Debug)]
pub(crate) struct Beat {
    id: String,
    at: Timestamp,
}

impl ApiKey {
    /// The same for an address and a nonce, always.
    fn derived(owner: Address, nonce: u64) -> Self {
        let part = |name: &[u8]| keccak256([name, owner.as_slice(), &nonce.to_be_bytes()].concat());
        Self {
            id: uuid(part(b"key")),
            owner,
            secret: part(b"secret").to_vec(),
            passphrase: alloy_primitives::hex::encode(part(b"passphrase")),
        }
    }

    fn body(&self) -> Value {
        json!({"apiKey": self.id, "secret": URL_SAFE.encode(&self.secret), "passphrase": self.passphrase})
    }

    /// Whether secret and passphrase are the key's, as the user channel is told them.
    pub(crate) fn is_opened_by(&self, secret: &str, passphrase: &str) -> bool {
        let secret = URL_SAFE.decode(secret).ok();
        secret.is_some_and(|secret| secret == self.secret) && passphrase == self.passphrase
    }
}

impl Venue {
    /// Makes the key of an address and a nonce; a second time it refuses.
    pub(crate) fn create_key(&mut self, owner: Address, nonce: u64) -> Result<Value, Refusal> {
        let key = ApiKey::derived(owner, nonce);
        if self.keys.contains_key(&key.id) || self.revoked.contains(&key.id) {
            return Err(Refusal::bad("Could not create api key"));
        }
        let body = key.body();
        self.keys.insert(key.id.clone(), key);
        Ok(body)
    }

    /// Tells a key that was made before.
    pub(crate) fn derive_key(&self, owner: Address, nonce: u64) -> Result<Value, Refusal> {
        let key = ApiKey::derived(owner, nonce);
        self.keys.get(&key.id).map(ApiKey::body).ok_or_else(|| Refusal::bad("Could not derive api key!"))
    }

    pub(crate) fn keys_of(&self, owner: Address) -> Vec<String> {
        self.keys.values().filter(|key| key.owner == owner).map(|key| key.id.clone()).collect()
    }

    /// Takes all keys of an address back, for good: other nonces give other keys.
    pub(crate) fn revoke_keys(&mut self, owner: Address) {
        let of_owner: Vec<String> = self.keys_of(owner);
        for id in of_owner {
            self.keys.remove(&id);
            self.revoked.insert(id);
        }
    }

    pub(crate) fn delete_key(&mut self, id: &str) {
        self.keys.remove(id);
    }

    pub(crate) fn key(&self, id: &str) -> Option<&ApiKey> {
        self.keys.get(id)
    }

    /// Whose private request it is.
    pub(crate) fn authorise(
        &self,
        credentials: Credentials<'_>,
        (method, path): (&str, &str),
        body: &[u8],
        now: Timestamp,
    ) -> Result<ApiKey, Refusal> {
        let key = self.keys.get(credentials.key).ok_or_else(Refusal::unauthorized)?;
        let said = URL_SAFE.decode(credentials.signature).map_err(|_| Refusal::unauthorized())?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key.secret).map_err(|_| Refusal::unauthorized())?;
        for part in [credentials.timestamp.as_bytes(), method.as_bytes(), path.as_bytes(), body] {
            mac.update(part);
        }
        let is_theirs =
            credentials.address.parse() == Ok(key.owner) && credentials.passphrase == key.passphrase;
        if !is_theirs || !is_fresh(credentials.timestamp, now) || mac.verify_slice(&said).is_err() {
            return Err(Refusal::unauthorized());
        }
        Ok(key.clone())
    }

    /// A sign of life, and the id the next one must carry.
    pub(crate) fn beat(&mut self, key: &str, id: &str, now: Timestamp) -> Result<Value, Refusal> {
        let expected = self.beats.get(key).map(|beat| beat.id.clone()).unwrap_or_default();
        if id != expected {
            let body = json!({"error_msg": "Invalid Heartbeat ID", "heartbeat_id": expected});
            return Err(Refusal { status: StatusCode::BAD_REQUEST, body, retry_after: None });
        }
        let id = self.fresh_uuid();
        self.beats.insert(key.to_owned(), Beat { id: id.clone(), at: now });
        Ok(json!({"heartbeat_id": id}))
    }

    /// Keys that promised signs of life and fell silent; they have to begin anew.
    pub(crate) fn take_silent(&mut self, now: Timestamp) -> Vec<String> {
        let mut silent = Vec::new();
        self.beats.retain(|key, beat| {
            let is_alive = now.micros_since(beat.at) <= LONGEST_SILENCE;
            if !is_alive {
                silent.push(key.clone());
            }
            is_alive
        });
        silent
    }
}

/// Whether a request's time is the venue's, or nearly.
pub(crate) fn is_fresh(timestamp: &str, now: Timestamp) -> bool {
    let said = timestamp.parse::<i64>().ok();
    said.is_some_and(|said| said.saturating_sub(now.seconds()).saturating_abs() <= CLOCK_TOLERANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_010);

    fn venue() -> Venue {
        let mut venue = Venue::new(1);
        let key = ApiKey {
            id: "k".to_owned(),
            owner: Address::repeat_byte(1),
            secret: vec![0; 32],
            passphrase: "p".to_owned(),
        };
        venue.keys.insert("k".to_owned(), key);
        venue
    }

    const ADDRESS: &str = "0x0101010101010101010101010101010101010101";

    /// What the official clients send for a secret of zeros.
    const PROVED: [(&str, &str, &str, &str); 3] = [
        ("GET", "/data/orders", "", "n8brYKOm58rtu76EUdgFF_9GP1T5UE_cUHpBcAl5nYc="),
        ("DELETE", "/cancel-all", "", "jLf_RDmmjGerrbIiTNsTZNTE421XqeYgBuRDDOzf2Qw="),
        ("POST", "/v1/heartbeats", r#"{"heartbeat_id":""}"#, "wjGfRA83KFWxnYm1DR9C9xJkPF_vNUEL5-vwzNOBAm8="),
    ];

    #[test]
    fn requests_of_the_official_clients_are_proved_and_no_others() {
        let venue = venue();
        for (method, path, body, signature) in PROVED {
            let right = Credentials {
                address: ADDRESS,
                key: "k",
                passphrase: "p",
                timestamp: "1790000000",
                signature,
            };
            let ask = |with: Credentials<'_>, body: &str, now| {
                venue.authorise(with, (method, path), body.as_bytes(), now).map(|key| key.owner)
            };
            assert_eq!(ask(right, body, NOW), Ok(Address::repeat_byte(1)));
            let refused = Err(Refusal::unauthorized());
            assert_eq!(ask(right, "{}", NOW), refused);
            assert_eq!(ask(right, body, NOW.plus_micros(60_000_000)), refused);
            assert_eq!(ask(Credentials { passphrase: "q", ..right }, body, NOW), refused);
            assert_eq!(ask(Credentials { key: "other", ..right }, body, NOW), refused);
            assert_eq!(ask(Credentials { timestamp: "1790000001", ..right }, body, NOW), refused);
            let stranger = "0x0202020202020202020202020202020202020202";
            assert_eq!(ask(Credentials { address: stranger, ..right }, body, NOW), refused);
        }
    }

    #[test]
    fn a_key_is_made_once_and_told_again() {
        let mut venue = Venue::new(1);
        let owner = Address::repeat_byte(7);
        assert!(venue.derive_key(owner, 0).is_err());
        let made = venue.create_key(owner, 0).unwrap();
        assert!(venue.create_key(owner, 0).is_err());
        assert_eq!(venue.derive_key(owner, 0).unwrap(), made);
        assert_ne!(venue.create_key(owner, 1).unwrap(), made);
        assert_eq!(venue.keys_of(owner).len(), 2);
        assert!(!format!("{venue:?}").contains(made["secret"].as_str().unwrap()));
        assert!(!format!("{venue:?}").contains(made["passphrase"].as_str().unwrap()));
    }

    #[test]
    fn who_falls_silent_is_named_once() {
        let mut venue = Venue::new(1);
        let first = venue.beat("k", "", NOW).unwrap();
        let wrong = venue.beat("k", "", NOW).unwrap_err();
        assert_eq!(wrong.body["heartbeat_id"], first["heartbeat_id"]);
        let id = first["heartbeat_id"].as_str().unwrap();
        let later = NOW.plus_micros(LONGEST_SILENCE);
        assert!(venue.take_silent(later).is_empty());
        venue.beat("k", id, later).unwrap();
        assert!(venue.take_silent(later.plus_micros(LONGEST_SILENCE)).is_empty());
        assert_eq!(venue.take_silent(later.plus_micros(LONGEST_SILENCE + 1)), ["k"]);
        assert!(venue.take_silent(later.plus_micros(2 * LONGEST_SILENCE)).is_empty());
    }
}
