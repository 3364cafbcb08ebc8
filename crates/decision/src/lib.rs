//! Every judgement of the system, and no IO: how wallets are scored, when a signal is raised, how much is
//! staked, what risk refuses, how a simulated order fills, what a position is worth.
//!
//! Invariants: nothing here waits, fails, or knows what time it is.
//! The same engine runs live, on paper and on a recorded tape; only who feeds it differs.

pub mod bet;
pub mod calibrated;
pub mod calibration;
pub mod cluster;
pub mod clv;
pub mod confidence;
pub mod copyability;
pub mod discovery;
pub mod engine;
pub mod event;
pub mod exits;
pub mod experience;
pub mod fade;
pub mod filters;
pub mod flows;
pub mod follow;
pub mod guards;
mod half_lives;
pub mod ledger;
pub mod limits;
pub mod policy;
pub mod population;
pub mod portfolio;
pub mod published;
mod quantile;
pub mod record;
pub mod refit;
pub mod refusal;
pub mod reputation;
pub mod risk;
pub mod roi;
pub mod sent;
pub mod sizing;
pub mod skill;
pub mod venue;
pub mod volume;
pub mod weights;

pub use bet::{Bet, Terms};
pub use engine::{Engine, Last, Outcome};
pub use event::{Command, Event, EventKind};
pub use experience::Case;
pub use filters::{FadePolicy, Filters};
pub use guards::{Control, Guard, Guards, VenueMode};
pub use limits::{Bound, EntryStyle, Exits, Limits};
pub use policy::{Eligibility, Policy};
pub use portfolio::Portfolio;
pub use record::{Counterfactual, Record};
pub use refusal::{Reason, Refusal};
pub use reputation::History;
pub use sent::Sent;
