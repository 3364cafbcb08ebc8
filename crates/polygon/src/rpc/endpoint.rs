//! The address of a node, which is half a secret: providers put the API key into the path or the query.

use std::fmt::Display;
use std::sync::Arc;

use reqwest::Url;

use super::RpcError;

/// Shorter parts of an address are no keys, and cutting `v1` or `rpc` out of messages would make them unreadable.
const SHORTEST_SECRET: usize = 6;
/// How many characters of a stranger's words are shown.
const SHOWN: usize = 300;
/// How many bytes of an answer are looked at for that.
const LOOKED_AT: usize = 4_096;

/// A node's address and what of it must not be shown.
pub(crate) struct Endpoint {
    url: Url,
    scheme: Scheme,
    redacted: Arc<str>,
    secrets: Vec<String>,
}

/// How a node is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Socket,
}

/// An address without what may be secret in it: `scheme://host[:port]`.
#[must_use]
pub fn redacted(url: &str) -> String {
    // A text that is no address may still hold a key, so nothing of it is shown.
    Url::parse(url).map_or_else(|_| "an unreadable address".to_owned(), |url| without_secrets(&url))
}

/// Whether a node runs on this machine, as far as its address says.
#[must_use]
pub fn is_on_this_machine(url: &str) -> bool {
    Endpoint::parse(url).is_ok_and(|endpoint| endpoint.is_loopback())
}

fn without_secrets(url: &Url) -> String {
    let host = url.host_str().unwrap_or("no-host");
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

impl Endpoint {
    pub(crate) fn parse(text: &str) -> Result<Self, RpcError> {
        let wrong = || RpcError::Address { endpoint: redacted(text) };
        let url = Url::parse(text).map_err(|_| wrong())?;
        let scheme = match url.scheme() {
            "http" | "https" => Scheme::Http,
            "ws" | "wss" => Scheme::Socket,
            _ => return Err(wrong()),
        };
        if url.host_str().is_none() {
            return Err(wrong());
        }
        let secrets = secrets(&url);
        Ok(Self { redacted: without_secrets(&url).into(), url, scheme, secrets })
    }

    pub(crate) const fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(crate) const fn url(&self) -> &Url {
        &self.url
    }

    /// The same, shown under another name than its address without what may be secret in it.
    pub(crate) fn named(mut self, name: Arc<str>) -> Self {
        self.redacted = name;
        self
    }

    /// The address without what may be secret in it, or the name that was given instead.
    pub(crate) const fn redacted(&self) -> &Arc<str> {
        &self.redacted
    }

    /// Whether the node runs on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// The beginning of what a stranger sent, fit to be shown.
    pub(crate) fn excerpt(&self, body: &[u8]) -> String {
        // More than is shown, so that no secret is cut in two before it is found.
        self.scrub(&String::from_utf8_lossy(body.get(..LOOKED_AT).unwrap_or(body)))
    }

    /// A stranger's words, fit to be shown: without the address's secrets, which servers like to repeat,
    /// without control characters, and cut short.
    pub(crate) fn scrub(&self, words: &impl Display) -> String {
        let mut text = words.to_string();
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "…");
        }
        text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(SHOWN).collect()
    }
}

fn secrets(url: &Url) -> Vec<String> {
    let path = url.path().split('/').map(str::to_owned);
    let query = url.query_pairs().map(|(_, value)| value.into_owned());
    let raw = url.query().into_iter().flat_map(|query| query.split(['&', '='])).map(str::to_owned);
    let user = [url.username().to_owned(), url.password().unwrap_or_default().to_owned()];
    let mut secrets: Vec<_> =
        path.chain(query).chain(raw).chain(user).filter(|part| part.len() >= SHORTEST_SECRET).collect();
    // The longest first, lest a part of it is cut out and the rest remains.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_path_query_and_user_are_not_shown() {
        let cases = [
            ("https://polygon-mainnet.g.alchemy.com/v2/s3cr3tk3y", "https://polygon-mainnet.g.alchemy.com"),
            ("wss://lb.drpc.org/ogws?network=polygon&dkey=s3cr3tk3y", "wss://lb.drpc.org"),
            ("http://user:s3cr3tk3y@127.0.0.1:8545/", "http://127.0.0.1:8545"),
            ("http://[::1]:8545", "http://[::1]:8545"),
            ("https://rpc.example:443/s3cr3tk3y#s3cr3tk3y", "https://rpc.example"),
            ("s3cr3tk3y", "an unreadable address"),
            ("http://s3cr3tk3y :8545", "an unreadable address"),
        ];
        for (url, expected) in cases {
            assert_eq!(redacted(url), expected);
            let shown = Endpoint::parse(url).map(|_| ()).map_err(|error| format!("{error} {error:?}"));
            assert!(!format!("{shown:?}").contains("s3cr3tk3y"));
        }
    }

    #[test]
    fn a_server_that_repeats_the_key_is_not_quoted_with_it() {
        let endpoint = Endpoint::parse("https://node.example/v2/s3cr3tk3y?token=an%20other").unwrap();
        assert_eq!(endpoint.scrub(&"bad key s3cr3tk3y,\nan other"), "bad key …, …");
        assert_eq!(endpoint.scrub(&"x".repeat(1_000)).len(), SHOWN);
    }

    #[test]
    fn only_nodes_addresses_are_taken() {
        for wrong in ["ftp://node.example", "file:///etc/passwd", "node.example:8545", ""] {
            assert!(matches!(Endpoint::parse(wrong), Err(RpcError::Address { .. })), "{wrong}");
        }
        assert_eq!(Endpoint::parse("ws://localhost:1").unwrap().scheme(), Scheme::Socket);
        assert_eq!(Endpoint::parse("https://node.example").unwrap().scheme(), Scheme::Http);
    }

    #[test]
    fn this_machine_is_recognised() {
        for (url, here) in [
            ("http://127.0.0.1:8545", true),
            ("http://[::1]:8545", true),
            ("ws://localhost", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example", false),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().is_loopback(), here, "{url}");
        }
    }
}
