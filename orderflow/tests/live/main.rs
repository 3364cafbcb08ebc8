//! Orders at the simulated venue, over its own sockets and with a real database: whatever the venue says, in whatever
//! order, the books come to what its ledger says.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod account;
mod behaviour;
mod bench;
mod cancels;
mod controls;
mod credentials;
mod fate;
mod life;
mod measured;
mod refusals;
mod wallets;
