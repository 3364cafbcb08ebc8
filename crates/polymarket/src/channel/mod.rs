//! The venue's WebSocket channels, as streams of events that say themselves when they cannot be trusted.

mod ladder;
mod link;
mod market;
mod said;
mod user;

pub use link::Pace;
pub use market::{MOST_TOKENS, MarketChannel, MarketEvent};
pub use user::{OrderNews, OrderNewsKind, UserEvent, user_channel};
