//! A reader of the chain meets everything a node, a portal and the chain itself can do to it, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod answers;
mod ask;
mod limits;
mod load;
mod portal;
mod sockets;
mod truth;
