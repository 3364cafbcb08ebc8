//! Polymarket as a venue and a catalogue: the books and orders of the CLOB, the markets of Gamma.
//!
//! Whoever calls this installs a rustls crypto provider first; building a client without one stops
//! the process, as `reqwest` itself says.

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
