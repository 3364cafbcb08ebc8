//! What a client asks the portal for.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use alloy_primitives::{Address, B256};
use polygon::log::RawLog;
use serde::Deserialize;

use crate::chain::Block;

/// The body of a request for a stream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Query {
    #[serde(rename = "type")]
    kind: String,
    pub(super) from_block: u64,
    pub(super) to_block: Option<u64>,
    pub(super) parent_block_hash: Option<B256>,
    #[serde(default)]
    pub(super) include_all_blocks: bool,
    #[serde(default)]
    pub(super) fields: Fields,
    #[serde(default)]
    logs: Vec<LogRequest>,
    #[serde(skip)]
    picks: Vec<Pick>,
}

/// Which fields of which thing are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    pub(super) block: Wanted,
    pub(super) log: Wanted,
}

/// Names of fields that are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "HashMap<String, bool>")]
pub(super) struct Wanted(HashSet<String>);

impl From<HashMap<String, bool>> for Wanted {
    fn from(fields: HashMap<String, bool>) -> Self {
        Self(fields.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| name).collect())
    }
}

impl Wanted {
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// Logs that fit all of this, as the client writes it; what is left out fits anything.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogRequest {
    address: Option<Vec<String>>,
    topic0: Option<Vec<String>>,
    topic1: Option<Vec<String>>,
    topic2: Option<Vec<String>>,
    topic3: Option<Vec<String>>,
}

/// The same, understood: any of them, or anything.
#[derive(Debug)]
struct Pick {
    addresses: Option<Vec<Address>>,
    topics: [Option<Vec<B256>>; 4],
}

impl Query {
    /// The query, or what is wrong with it.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let mut query: Self =
            serde_json::from_slice(body).map_err(|error| format!("malformed query: {error}"))?;
        if query.kind != "evm" {
            return Err(format!("malformed query: type `{}` instead of `evm`", query.kind));
        }
        if query.to_block.is_some_and(|to| to < query.from_block) {
            return Err("malformed query: toBlock is below fromBlock".to_owned());
        }
        query.picks = query.logs.iter().map(LogRequest::understood).collect::<Result<_, _>>()?;
        Ok(query)
    }

    /// The logs of a block that are asked for.
    pub(super) fn of<'a>(&self, block: &'a Block) -> Vec<&'a RawLog> {
        block.logs.iter().filter(|log| self.picks.iter().any(|pick| pick.fits(log))).collect()
    }
}

impl LogRequest {
    fn understood(&self) -> Result<Pick, String> {
        let topics = [&self.topic0, &self.topic1, &self.topic2, &self.topic3];
        let [first, second, third, fourth] = topics.map(any_of);
        Ok(Pick { addresses: any_of(&self.address)?, topics: [first?, second?, third?, fourth?] })
    }
}

impl Pick {
    fn fits(&self, log: &RawLog) -> bool {
        let mut topics = self.topics.iter().enumerate();
        self.addresses.as_ref().is_none_or(|any| any.contains(&log.address))
            && topics.all(|(index, any)| {
                any.as_ref().is_none_or(|any| log.topics.get(index).is_some_and(|topic| any.contains(topic)))
            })
    }
}

/// The portal compares texts: what is not in lower case fits nothing there, and would seem to work.
fn any_of<T: FromStr>(texts: &Option<Vec<String>>) -> Result<Option<Vec<T>>, String> {
    let read = |text: &String| {
        let lower = text.starts_with("0x") && !text.contains(|letter: char| letter.is_ascii_uppercase());
        let read = text.parse().ok().filter(|_| lower);
        read.ok_or_else(|| format!("malformed query: `{text}` is no lower-case hex of that length behind 0x"))
    };
    texts.as_ref().map(|texts| texts.iter().map(read).collect()).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        for (query, why) in [
            ("{", "EOF"),
            (r#"{"type":"evm"}"#, "fromBlock"),
            (r#"{"type":"solana","fromBlock":1}"#, "solana"),
            (r#"{"type":"evm","fromBlock":5,"toBlock":4}"#, "toBlock"),
            (
                r#"{"type":"evm","fromBlock":5,"logs":[{"address":["0xE111180000d2663C0091e4f400237545B87B996B"]}]}"#,
                "lower-case",
            ),
            (r#"{"type":"evm","fromBlock":5,"logs":[{"address":["0xab"]}]}"#, "length"),
            (r#"{"type":"evm","fromBlock":5,"logs":[{"topic0":["ab"]}]}"#, "lower-case"),
            (r#"{"type":"evm","fromBlock":5,"from":4}"#, "from"),
        ] {
            let error = Query::read(query.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let query = r#"{"type":"evm","fromBlock":5,"toBlock":5,"includeAllBlocks":true,
            "fields":{"block":{"number":true,"hash":false}},"logs":[{"address":["0xe111180000d2663c0091e4f400237545b87b996b"]}]}"#;
        let query = Query::read(query.as_bytes()).unwrap();
        assert!(query.fields.block.has("number") && !query.fields.block.has("hash"));
    }
}
