//! What `eth_getLogs` refuses, in the words, with the codes and under the statuses of the providers.
//!
//! Sources: the providers' documentation, and the answers their users quote in bug reports: Alchemy's and
//! QuickNode's statuses, Infura's range limit of 2026 and dRPC's codes are seen so. The status of PublicNode and
//! the result limits of QuickNode and PublicNode are inferred from those of the nodes they run.

use axum::http::StatusCode;

use super::RpcError;
use super::methods::quantity;
use crate::faults::{Limit, Most, Provider};

/// Without a limit of its own a node gives so many logs at once.
const UNASKED: Limit = Limit { provider: Provider::Infura, most: Most::Results(10_000) };

/// The limit that holds: that of the faults, else the ordinary one.
pub(super) fn in_force(limit: Option<Limit>) -> Limit {
    limit.unwrap_or(UNASKED)
}

impl Limit {
    /// Refuses a range of more blocks than allowed.
    pub(super) fn allow_blocks(self, from: u64, to: u64) -> Result<(), RpcError> {
        let Most::Blocks(most) = self.most else { return Ok(()) };
        if to.saturating_sub(from) < most {
            return Ok(());
        }
        let asked = to.saturating_sub(from).saturating_add(1);
        let works = format!("[{}, {}]", quantity(from), quantity(from + most.saturating_sub(1)));
        Err(match self.provider {
            Provider::Alchemy => refusal(
                400,
                -32600,
                format!(
                    "Under the Free tier plan, you can make eth_getLogs requests with up to a {most} block range. \
                     Based on your parameters, this block range should work: {works}. \
                     Upgrade to PAYG for expanded block range."
                ),
            ),
            Provider::Infura => refusal(200, -32602, format!("range {asked} exceeds limit of {most}")),
            Provider::QuickNode => {
                refusal(413, -32614, format!("eth_getLogs is limited to a {} range", grouped(most)))
            }
            Provider::Drpc => {
                refusal(400, 35, format!("ranges over {most} blocks are not supported on free plan"))
            }
            Provider::Publicnode => refusal(403, -32701, format!("exceed maximum block range: {most}")),
        })
    }

    /// Refuses an answer of more logs than allowed; the range up to `fits` would have been allowed.
    pub(super) fn allow_results(self, results: usize, from: u64, fits: u64) -> Result<(), RpcError> {
        let Most::Results(most) = self.most else { return Ok(()) };
        if results <= most {
            return Ok(());
        }
        let fits = fits.max(from);
        let works = format!("[{}, {}]", quantity(from), quantity(fits));
        Err(match self.provider {
            Provider::Alchemy => refusal(
                200,
                -32602,
                format!(
                    "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and \
                     no limit on the response size, or you can request any block range with a cap of {most} logs in \
                     the response. Based on your parameters and the response size limit, this block range should \
                     work: {works}"
                ),
            ),
            Provider::Infura => refusal(
                200,
                -32005,
                format!("query returned more than {most} results. Try with this block range {works}."),
            ),
            Provider::QuickNode => {
                refusal(413, -32616, format!("response size exceeded the limit of {most} logs"))
            }
            Provider::Drpc => refusal(
                400,
                -32602,
                format!("query exceeds max results {most}, retry with the range {from}-{fits}"),
            ),
            Provider::Publicnode => refusal(200, -32005, format!("query returned more than {most} results")),
        })
    }
}

fn refusal(status: u16, code: i32, message: String) -> RpcError {
    let status = StatusCode::from_u16(status).unwrap_or_default();
    RpcError { status, ..RpcError::new(code, message) }
}

/// With a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_given() {
        for provider in Provider::ALL {
            let blocks = Limit { provider, most: Most::Blocks(10) };
            assert!(blocks.allow_blocks(1, 10).is_ok() && blocks.allow_results(1_000_000, 1, 2).is_ok());
            assert!(blocks.allow_blocks(1, 11).is_err(), "{provider:?}");
            let results = Limit { provider, most: Most::Results(10) };
            assert!(results.allow_results(10, 1, 2).is_ok() && results.allow_blocks(0, u64::MAX).is_ok());
            assert!(results.allow_results(11, 1, 2).is_err(), "{provider:?}");
        }
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([5, 999, 10_000, 1_234_567].map(grouped), ["5", "999", "10,000", "1,234,567"]);
    }
}
