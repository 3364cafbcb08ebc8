//! The venue over real sockets, with a client made from the public rules alone: keys, orders, matching, settlement,
//! channels, and everything that goes wrong.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod books;
mod channels;
mod refusals;
mod trader;
mod trades;
mod troubles;
