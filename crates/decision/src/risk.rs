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

use domain::{Order, Shares, Side, TimeInForce, Timestamp, Usd};

use crate::guards::Guards;
use crate::policy::Policy;
use crate::portfolio::Portfolio;
use crate::refusal::Reason;
use crate::sizing;

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

/// Lets an entry pass, or says which limit it breaks.
///
/// # Errors
/// The first limit that the order breaks, with its numbers.
pub fn approve(
    order: Order,
    portfolio: &Portfolio,
    guards: &Guards,
    policy: &Policy,
    at: Timestamp,
) -> Result<Approved<Order>, Reason> {
    // What the order can cost counts, fee included.
    let (stake, cost) = (order.stake(), order.most());
    if let Some(reason) = stopped(order.force, portfolio, guards, policy, at) {
        return Err(reason);
    }
    if portfolio.holds_event(&order.event) {
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
    let left = exposure_left(portfolio, policy);
    if left < cost {
        return Err(Reason::Exposure { cost, left });
    }
    let free = portfolio.free_cash();
    if free < cost {
        return Err(Reason::Cash { cost, free });
    }
    Ok(Approved(order))
}

/// What stops all entries of a kind now, whichever they are.
#[must_use]
pub fn stopped(
    force: TimeInForce,
    portfolio: &Portfolio,
    guards: &Guards,
    policy: &Policy,
    at: Timestamp,
) -> Option<Reason> {
    if let Some(reason) = guards.objection(&policy.limits, force) {
        return Some(reason);
    }
    if let Some(until) = portfolio.halted_until.filter(|until| at < *until) {
        return Some(Reason::Halted { until });
    }
    let (losses, until) = portfolio.cooling_until(at)?;
    Some(Reason::Cooling { losses, until })
}

/// Lets an order pass that reduces a position, or says why it does not: never more than is held and not being sold
/// already. No loss stops it, because it adds none.
///
/// # Errors
/// What speaks against it, with its numbers.
pub fn reduce(order: Order, portfolio: &Portfolio, guards: &Guards) -> Result<Approved<Order>, Reason> {
    if let Some(reason) = guards.refused_by_venue(order.force) {
        return Err(reason);
    }
    let is_its_token = portfolio.held(order.position).is_some_and(|held| held.token == order.token);
    let sellable = if is_its_token { portfolio.sellable(order.position) } else { Shares::ZERO };
    let wanted = order.offered();
    if order.side() == Side::Sell && wanted.is_positive() && wanted <= sellable {
        return Ok(Approved(order));
    }
    Err(Reason::NotHeld { wanted, sellable })
}

/// What the day may still lose: the limit less the loss so far, and less all that open positions and orders on their
/// way could lose of it too.
#[must_use]
pub fn daily_budget(portfolio: &Portfolio, policy: &Policy) -> Usd {
    (policy.daily_loss_limit - portfolio.day_loss() - portfolio.at_risk()).max(Usd::ZERO)
}

/// What may still be added to positions and orders on their way.
#[must_use]
pub fn exposure_left(portfolio: &Portfolio, policy: &Policy) -> Usd {
    let most = sizing::part_of(portfolio.bankroll(), policy.limits.max_exposure);
    (most - portfolio.exposure()).max(Usd::ZERO)
}
