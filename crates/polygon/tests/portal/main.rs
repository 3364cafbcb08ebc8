//! The portal's client against a portal on loopback, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod follow;
mod history;
mod owners;
mod server;
