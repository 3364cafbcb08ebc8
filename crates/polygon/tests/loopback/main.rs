//! The client and the follower against nodes on loopback, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod doubts;
mod follow;
mod ledger;
mod node;
mod rpc;
