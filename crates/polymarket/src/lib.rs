//! Polymarket as a venue and a catalogue: the books and orders of the CLOB, the markets of Gamma.
//!
//! TLS is rustls with ring's cryptography unless the process named another before.

pub mod channel;
mod clob;
mod gamma;
mod geoblock;
mod http;
pub mod trading;
pub mod wire;

pub use clob::Clob;
pub use gamma::{Gamma, Listing, Rejected, Unanswered};
pub use geoblock::{Geoblock, Region};
pub use http::VenueError;
pub use wire::{MarketFlaw, TradingTerms};
