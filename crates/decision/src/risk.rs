//! The gate in front of every order.
//!
//! An order that has not passed [`approve`] cannot be placed, because nothing else can make an
//! [`Approved`]:
//!
//! ```compile_fail
//! fn forge(order: domain::Order) -> decision::risk::Approved<domain::Order> {
//!     decision::risk::Approved(order)
//! }
//! ```

use domain::{Order, Timestamp, Usd};

use crate::policy::Policy;
use crate::portfolio::Portfolio;
use crate::refusal::Reason;

/// Something risk has seen and allowed.
#[derive(Clone, Debug, PartialEq)]
pub struct Approved<T>(T);

impl<T> Approved<T> {
    /// What was approved.
    #[must_use]
    pub const fn get(&self) -> &T {
        &self.0
    }
}

/// Lets an order pass, or says which limit it breaks.
///
/// # Errors
/// The first limit that the order breaks, with its numbers.
pub fn approve(
    order: Order,
    event: &str,
    portfolio: &Portfolio,
    policy: &Policy,
    at: Timestamp,
) -> Result<Approved<Order>, Reason> {
    // What the order can cost counts, fee included.
    let (stake, cost) = (order.stake, order.most());
    if portfolio.paused {
        return Err(Reason::Paused);
    }
    if let Some(until) = portfolio.halted_until.filter(|until| at < *until) {
        return Err(Reason::Halted { until });
    }
    if portfolio.holds_event(event) {
        return Err(Reason::EventHeld);
    }
    let open = portfolio.slots_taken();
    if policy.max_open_positions <= open {
        return Err(Reason::TooManyPositions { open, limit: policy.max_open_positions });
    }
    if policy.max_position < cost {
        return Err(Reason::AboveMaxPosition { cost, limit: policy.max_position });
    }
    if stake < policy.min_stake {
        return Err(Reason::StakeTooSmall { stake, minimum: policy.min_stake });
    }
    let left = daily_budget(portfolio, policy);
    if left < cost {
        return Err(Reason::DailyBudget { cost, left });
    }
    let free = portfolio.free_cash();
    if free < cost {
        return Err(Reason::Cash { cost, free });
    }
    Ok(Approved(order))
}

/// What the day may still lose: the limit less the loss so far.
#[must_use]
pub fn daily_budget(portfolio: &Portfolio, policy: &Policy) -> Usd {
    (policy.daily_loss_limit - portfolio.day_loss()).max(Usd::ZERO)
}
