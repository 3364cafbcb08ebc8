//! The venue's JSON, as it is sent: nothing outside this crate's borders should depend on it but a
//! server that imitates the venue.
//!
//! Reading is lenient where the venue is inconsistent (numbers as text, JSON inside strings) and strict
//! where a guess could cost money. Writing gives the shapes the venue gives.

mod category;
pub mod channel;
pub mod clob;
mod flaw;
pub mod gamma;
pub(crate) mod lenient;
pub mod private;
pub(crate) mod rules;
mod terms;

pub use flaw::MarketFlaw;
pub use lenient::{Embedded, Number};
pub use rules::TradingTerms;
