//! Wallets that are saved, forgotten and loaded: what is in memory is a working set, and what is not is bytes that
//! somebody else keeps.
//!
//! A wallet's bytes hold everything that is its own and name no other wallet. A question's bytes hold what is the
//! question's own, and the world's what is everybody's. Bytes name questions by their numbers, which are the same
//! wherever the markets are described in the same order; they name moments and facts by their places on the chain.
//!
//! Lists are in order and without gaps in what they say, so that equal states have equal bytes: whether something
//! has to be saved again is seen by its bytes.

mod codec;
mod damaged;
mod event;
mod question;
mod wallet;
mod world;

pub(crate) use codec::{Reader, Saved, Writer};
pub use damaged::Damaged;
pub(super) use wallet::{WalletState, behind};

use std::hash::Hasher as _;

/// What tells bytes from other bytes; never zero, which is what has no bytes yet.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish().max(1)
}
