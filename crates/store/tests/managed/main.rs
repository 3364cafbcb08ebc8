//! The private PostgreSQL, on real servers in folders of their own.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod accident;
mod program;
mod sharing;
mod site;
mod surroundings;
