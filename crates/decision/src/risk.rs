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

use std::collections::BTreeMap;

use domain::{ConditionId, Market, Order, Shares, Side, Signal, TimeInForce, Timestamp, Usd};

use crate::cluster::Cluster;
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

/// Everything an entry is held against.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// What is held and ordered already.
    pub portfolio: &'a Portfolio,
    /// What is known of the world's condition.
    pub guards: &'a Guards,
    /// The limits.
    pub policy: &'a Policy,
    /// What the markets are: which of them end together, and when.
    pub markets: &'a BTreeMap<ConditionId, Market>,
    /// Now.
    pub at: Timestamp,
}

/// Lets an entry pass, or says which limit it breaks.
///
/// # Errors
/// The first limit that the order breaks, with its numbers.
pub fn approve(order: Order, ground: Ground<'_>) -> Result<Approved<Order>, Reason> {
    let Ground { portfolio, guards, policy, at, .. } = ground;
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
    let (together, limit) = (ground.together(order.condition), policy.limits.max_same_day);
    if limit != 0 && limit <= together {
        return Err(Reason::SameDay { open: together, limit });
    }
    let limit = largest_position(portfolio, policy);
    if limit < cost {
        return Err(Reason::AboveMaxPosition { cost, limit });
    }
    if stake < policy.min_stake {
        return Err(Reason::StakeTooSmall { stake, minimum: policy.min_stake });
    }
    let left = ground.daily_budget();
    if left < cost {
        return Err(Reason::DailyBudget { cost, left });
    }
    let left = ground.exposure_left();
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

/// The most one trade may cost, fee included.
#[must_use]
pub fn largest_position(portfolio: &Portfolio, policy: &Policy) -> Usd {
    sizing::part_of(portfolio.bankroll(), policy.limits.max_stake).min(policy.max_position)
}

impl Ground<'_> {
    /// The stake of a signal as far as everything else that is held and ordered leaves room for it: what makes it smaller
    /// before it makes it impossible.
    #[must_use]
    pub fn stake(&self, signal: &Signal) -> Usd {
        let (bankroll, limits) = (self.portfolio.bankroll(), &self.policy.limits);
        let together = self.together(signal.condition);
        let part = sizing::shared_part(signal.kelly_applied, limits.cluster_correlation, together);
        let budget = self.daily_budget().min(self.exposure_left());
        signal
            .stake
            .min(sizing::part_of(bankroll, part))
            .min(Order::largest_stake(budget, signal.fee_rate_ppm))
    }

    /// What the day may still lose: the limit less the loss so far, and less all that positions and orders on their way
    /// could lose of it today, because their markets may end today. What ends later can lose today only as its price falls,
    /// and that is in the loss so far as it happens: once it reaches the limit nothing is entered. A price that jumps past
    /// the limit is held by the limits on one position and on all of them.
    #[must_use]
    pub fn daily_budget(&self) -> Usd {
        let today = |condition| self.cluster(condition).may_end_by(self.at);
        let lost = self.portfolio.day_loss() + self.portfolio.at_risk(today);
        (self.policy.daily_loss_limit - lost).max(Usd::ZERO)
    }

    /// What may still be added to positions and orders on their way.
    #[must_use]
    pub fn exposure_left(&self) -> Usd {
        let most = sizing::part_of(self.portfolio.bankroll(), self.policy.limits.max_exposure);
        (most - self.portfolio.exposure()).max(Usd::ZERO)
    }

    /// How many positions and orders on their way stand and fall with a market.
    fn together(&self, condition: ConditionId) -> usize {
        let cluster = self.cluster(condition);
        self.portfolio.slots_where(|other| self.cluster(other) == cluster)
    }

    fn cluster(&self, condition: ConditionId) -> Cluster {
        Cluster::of(self.markets.get(&condition))
    }
}
