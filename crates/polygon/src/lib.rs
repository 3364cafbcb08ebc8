//! Everything that knows the Polygon chain: which contracts count, what their events look like, how a raw
//! log becomes a [`domain::ChainEvent`], and how the chain is asked and followed over JSON-RPC.
//!
//! Invariants: event ABIs live in one file and nowhere else in the project; an event counts only from the
//! contract it belongs to; amounts are exact integers; nothing a node answers can make this crate panic.

mod abi;
pub mod attribute;
pub mod audit;
pub mod contracts;
pub mod decode;
pub mod encode;
pub mod follow;
mod hex;
pub mod history;
pub mod log;
mod pauses;
pub mod portal;
pub mod rpc;
pub mod tokens;
mod window;
