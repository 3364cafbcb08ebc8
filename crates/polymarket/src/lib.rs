//! Polymarket as a venue and a catalogue: the books of the CLOB, the markets of Gamma.
//!
//! Whoever calls this installs a rustls crypto provider first; building a client without one stops
//! the process, as `reqwest` itself says.

mod clob;
mod gamma;
mod http;
pub mod wire;

pub use clob::Clob;
pub use gamma::{Gamma, Listing, Rejected, Unanswered};
pub use http::VenueError;
pub use wire::MarketFlaw;
