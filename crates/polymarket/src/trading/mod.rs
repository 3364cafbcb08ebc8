//! Trading: who signs, what is signed, how it is sent, and what came of it.
//!
//! Nothing here decides, waits or tries again. Every answer says in types what became of a request and what it asks
//! for next; the caller has the clock, the database and the patience.

mod access;
mod account;
mod amounts;
mod answer;
mod clock;
mod credentials;
mod key;
mod keys;
mod order;
mod outcome;
mod records;
mod rejection;
mod report;
mod self_test;
mod signed;
mod trader;

pub use access::Access;
pub use account::{Account, AccountError, WalletKind};
pub use amounts::{Amounts, AmountsError, Quantity};
pub use clock::ClockReading;
pub(crate) use clock::VenueClock;
pub use credentials::{Credentials, CredentialsError};
pub use key::{KeyError, PrivateKey};
pub(crate) use keys::read_clock;
pub use keys::{KeyDesk, NONCES};
pub use order::{Exchange, Lifetime, OrderRules, OrderTerms, Stamp, TermsError, is_position};
pub use outcome::{
    Acceptance, AcceptedStatus, Advice, Doubt, LONGEST_PAUSE, LOOK_UP_AFTER, POST_ONLY_AFTER_RESTART,
    Submitted,
};
pub use records::{Asset, Balance, Heartbeat, Listed, OrderFilter, TradeFilter};
pub use rejection::{ConfigFault, Rejection, VenueMode};
pub(crate) use report::moment;
pub use report::{MakerFill, OpenOrder, OrderStatus, Trade, TradeLeg, TradeStatus};
pub use self_test::self_test;
pub use signed::{NotAnOrder, OrderSigner, SignError, SignedOrder};
pub use trader::{CancelRefusal, Cancelled, Limits, MOST_CANCELS, Trader};
