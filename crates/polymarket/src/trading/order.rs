//! What an order asks for, and the rules of the market it is for.

use domain::{Market, Price, Shares, Side, Tick, Timestamp, TokenId};

use super::amounts::{Amounts, AmountsError, Quantity};

/// The venue lets an order expire a minute before the time that is sent.
const EXPIRES_EARLY: i64 = 60;

/// The venue takes no time that is less than three minutes away.
const LEAST_AHEAD: i64 = 180;

/// Salts travel as JSON numbers, which are exact to here.
const MAX_SALT: u64 = (1 << 53) - 1;

/// The contract that settles an order, and so the domain it is signed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// Conditional tokens, one question (CTFExchangeV2, domain version 2).
    Standard,
    /// Conditional tokens, one of several questions that exclude each other (NegRiskCtfExchangeV2, version 2).
    NegRisk,
    /// Positions of Protocol V2, neg-risk or not (ExchangeV3, domain version 3).
    Positions,
}

/// An order to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderTerms {
    /// The token to buy or sell.
    pub token: TokenId,
    /// Which way.
    pub side: Side,
    /// The worst price.
    pub limit: Price,
    /// How much.
    pub quantity: Quantity,
    /// For how long.
    pub lifetime: Lifetime,
}

/// How long an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// FAK: what does not match at once is cancelled.
    FillAndKill,
    /// FOK: matches wholly at once, or not at all.
    FillOrKill,
    /// GTC: rests until it is cancelled.
    UntilCancelled {
        /// Refused rather than matched at once.
        post_only: bool,
    },
    /// GTD: rests until a time, at least two minutes away.
    Until {
        /// When it is to expire: the minute by which the venue is early is added on the wire.
        expires: Timestamp,
        /// Refused rather than matched at once.
        post_only: bool,
    },
}

/// What a market demands of its orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderRules {
    /// The contract.
    pub exchange: Exchange,
    /// The price grid.
    pub tick: Tick,
    /// The smallest order.
    pub least: Shares,
}

/// What makes an order unlike every other of the same terms: choose once, store it, and the same order can be
/// written again to the last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    salt: u64,
    at: Timestamp,
}

/// Why terms are no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// The token is none of the market's.
    #[error("token {token} is no outcome of the market")]
    NotAnOutcome {
        /// The token.
        token: TokenId,
    },
    /// The market's version says one contract, the token's bits another. Nothing is traded on a guess.
    #[error("token {token} is {}of Protocol V2 by its bits, which its market denies", if *.by_bits { "" } else { "not " })]
    VersionDispute {
        /// The token.
        token: TokenId,
        /// What the bits say.
        by_bits: bool,
    },
    /// The amounts.
    #[error(transparent)]
    Amounts(#[from] AmountsError),
    /// The order would expire too soon for the venue.
    #[error("an order must stand for two minutes at least: it would expire at {expires}")]
    ExpiresTooSoon {
        /// When.
        expires: Timestamp,
    },
    /// A salt above 2^53 - 1 would change on its way.
    #[error("salt {salt} is above 2^53 - 1")]
    Salt {
        /// The salt.
        salt: u64,
    },
}

/// Whether a token is a position of Protocol V2 by its bits: those numbered 40 to 103 are zero in every position id,
/// and in a conditional token's hash only once in 2^64.
#[must_use]
pub fn is_position(token: TokenId) -> bool {
    let reserved = alloy_primitives::U256::from(u64::MAX) << 40;
    token.0.bitand(reserved).is_zero()
}

impl Exchange {
    /// The contract on which `token` of `market` trades.
    ///
    /// # Errors
    /// [`TermsError::NotAnOutcome`]; [`TermsError::VersionDispute`] where market and token contradict each other.
    pub fn of(market: &Market, token: TokenId) -> Result<Self, TermsError> {
        if market.outcome_index(token).is_none() {
            return Err(TermsError::NotAnOutcome { token });
        }
        let by_bits = is_position(token);
        if by_bits != market.protocol_v2 {
            return Err(TermsError::VersionDispute { token, by_bits });
        }
        Ok(match (market.protocol_v2, market.neg_risk) {
            (true, _) => Self::Positions,
            (false, true) => Self::NegRisk,
            (false, false) => Self::Standard,
        })
    }
}

impl OrderRules {
    /// The rules for `token` of `market`, on the grid the market names. `least` is the market's smallest order,
    /// five shares on every market seen.
    ///
    /// # Errors
    /// As [`Exchange::of`].
    pub fn of(market: &Market, token: TokenId, least: Shares) -> Result<Self, TermsError> {
        Ok(Self { exchange: Exchange::of(market, token)?, tick: market.tick, least })
    }
}

impl Stamp {
    /// A salt up to 2^53 - 1 and the time the order is made, which is signed in milliseconds.
    ///
    /// # Errors
    /// [`TermsError::Salt`].
    pub const fn new(salt: u64, at: Timestamp) -> Result<Self, TermsError> {
        if salt > MAX_SALT {
            return Err(TermsError::Salt { salt });
        }
        Ok(Self { salt, at })
    }

    /// A random salt.
    #[must_use]
    pub fn random(at: Timestamp) -> Self {
        Self { salt: rand::random::<u64>() >> 11, at }
    }

    /// The salt.
    #[must_use]
    pub const fn salt(self) -> u64 {
        self.salt
    }

    /// When the order is made.
    #[must_use]
    pub const fn at(self) -> Timestamp {
        self.at
    }
}

impl OrderTerms {
    /// The amounts by the market's rules.
    ///
    /// # Errors
    /// [`AmountsError`].
    pub fn amounts(&self, rules: &OrderRules) -> Result<Amounts, AmountsError> {
        let recipe = if self.lifetime.is_immediate() { Amounts::immediate } else { Amounts::resting };
        recipe(self.side, self.quantity, self.limit, rules.tick, rules.least)
    }
}

impl Lifetime {
    /// Whether the order never rests.
    #[must_use]
    pub const fn is_immediate(self) -> bool {
        matches!(self, Self::FillAndKill | Self::FillOrKill)
    }

    /// Whether it may only rest; `None` where the question does not arise.
    pub(crate) const fn post_only(self) -> Option<bool> {
        match self {
            Self::FillAndKill | Self::FillOrKill => None,
            Self::UntilCancelled { post_only } | Self::Until { post_only, .. } => Some(post_only),
        }
    }

    /// The second that is sent as the expiration, zero for none.
    pub(crate) fn expiration(self, now: Timestamp) -> Result<u64, TermsError> {
        let Self::Until { expires, .. } = self else { return Ok(0) };
        let wire = expires.seconds().saturating_add(EXPIRES_EARLY);
        if wire < now.seconds().saturating_add(LEAST_AHEAD) {
            return Err(TermsError::ExpiresTooSoon { expires });
        }
        u64::try_from(wire).map_err(|_| TermsError::ExpiresTooSoon { expires })
    }
}
