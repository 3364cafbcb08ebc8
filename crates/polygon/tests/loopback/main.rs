//! The client, the follower and the readers of history against nodes on loopback, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audit;
mod cost;
mod doubts;
mod faults;
mod follow;
mod heads;
mod history;
mod ledger;
mod node;
mod receipts;
mod rpc;
