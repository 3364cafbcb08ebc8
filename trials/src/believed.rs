//! What is believed of wallets, made up.

use domain::{Assessment, Tier, Timestamp, Wallet, WalletScore};
use store::testing::assessment;

/// A whale that nothing speaks against.
pub(crate) fn whale(wallet: Wallet, as_of: Timestamp) -> Assessment {
    let one = assessment(wallet, Tier::Whale, as_of);
    let verdict = WalletScore { score: 8.5, ..one.verdict };
    Assessment { verdict, flags: vec![], ..one }
}
