//! The inverse of decoding: what a contract would have written.
//!
//! The simulated chain speaks through these, and the tests hold them against the decoder.

mod ledger;

use alloy_primitives::{Address, B256, Bytes, LogData, U256};
use alloy_sol_types::SolEvent;
use domain::{ConditionId, Exchange, Fee, Fill, Role, Shares, Side, TokenId, Usd, Wallet};

use crate::abi::{conditional_tokens, modules, v1, v2};
use crate::contracts::{
    BINARY_MODULE, COMBINATORIAL_MODULE, CONDITIONAL_TOKENS, NEG_RISK_MODULE, exchange_address,
};

pub use ledger::{
    Redeemed, auto_redemption, collateral_redemption, module_conversion, module_merge, module_redemption,
    module_split, neg_risk_conversion, neg_risk_merge, neg_risk_redemption, neg_risk_split, transfer_batch,
    transfer_single,
};

/// A log before it has a place on a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogBody {
    /// The contract that emits it.
    pub address: Address,
    /// The indexed words, the event's signature first.
    pub topics: Vec<B256>,
    /// The rest, ABI-encoded.
    pub data: Bytes,
}

impl LogBody {
    fn new(address: Address, event: LogData) -> Self {
        let (topics, data) = event.split();
        Self { address, topics, data }
    }
}

/// One wallet's fill as its exchange writes it.
///
/// `None` for a fill no contract could have written: one of a tape, one with a negative amount, a taker's row
/// whose counterparty is not the exchange (or a maker's whose counterparty is), or a fee in the wrong asset
/// (V1 takes it in what the wallet receives, all others in dollars).
#[must_use]
pub fn order_filled(fill: &Fill, order_hash: B256) -> Option<LogBody> {
    let address = exchange_address(fill.exchange)?;
    if (fill.role == Role::Taker) != (fill.counterparty.0 == address) {
        return None;
    }
    let (given, got) = given_and_got(fill.side, fill.shares, fill.usd)?;
    let (maker, taker) = (fill.wallet.0, fill.counterparty.0);
    let data = if is_v1(fill.exchange) {
        let fee = match (fill.fee, fill.side) {
            (Fee::Shares(fee), Side::Buy) => unsigned(fee.micros())?,
            (Fee::Usd(fee), Side::Sell) => unsigned(fee.micros())?,
            _ => return None,
        };
        let (maker_asset, taker_asset) = assets(fill.side, fill.token)?;
        v1::OrderFilled {
            orderHash: order_hash,
            maker,
            taker,
            makerAssetId: maker_asset,
            takerAssetId: taker_asset,
            makerAmountFilled: given,
            takerAmountFilled: got,
            fee,
        }
        .encode_log_data()
    } else {
        let Fee::Usd(fee) = fill.fee else { return None };
        v2::OrderFilled {
            orderHash: order_hash,
            maker,
            taker,
            side: side_number(fill.side),
            tokenId: fill.token.0,
            makerAmountFilled: given,
            takerAmountFilled: got,
            fee: unsigned(fee.micros())?,
            builder: B256::ZERO,
            metadata: B256::ZERO,
        }
        .encode_log_data()
    };
    Some(LogBody::new(address, data))
}

/// A whole match as the aggressor saw it; it follows the taker's own row and repeats its amounts.
/// `None` for a tape and for negative amounts.
#[must_use]
pub fn orders_matched(
    exchange: Exchange,
    order_hash: B256,
    wallet: Wallet,
    side: Side,
    token: TokenId,
    shares: Shares,
    usd: Usd,
) -> Option<LogBody> {
    let address = exchange_address(exchange)?;
    let (given, got) = given_and_got(side, shares, usd)?;
    let data = if is_v1(exchange) {
        let (maker_asset, taker_asset) = assets(side, token)?;
        v1::OrdersMatched {
            takerOrderHash: order_hash,
            takerOrderMaker: wallet.0,
            makerAssetId: maker_asset,
            takerAssetId: taker_asset,
            makerAmountFilled: given,
            takerAmountFilled: got,
        }
        .encode_log_data()
    } else {
        v2::OrdersMatched {
            takerOrderHash: order_hash,
            takerOrderMaker: wallet.0,
            side: side_number(side),
            tokenId: token.0,
            makerAmountFilled: given,
            takerAmountFilled: got,
        }
        .encode_log_data()
    };
    Some(LogBody::new(address, data))
}

/// A fee in dollars as the exchange writes it beside a fill. `None` for a tape and for a negative amount.
#[must_use]
pub fn fee_charged(exchange: Exchange, receiver: Wallet, amount: Usd) -> Option<LogBody> {
    let address = exchange_address(exchange)?;
    let amount = unsigned(amount.micros())?;
    let data = if is_v1(exchange) {
        v1::FeeCharged { receiver: receiver.0, tokenId: U256::ZERO, amount }.encode_log_data()
    } else {
        v2::FeeCharged { receiver: receiver.0, amount }.encode_log_data()
    };
    Some(LogBody::new(address, data))
}

/// A condition that comes into being on the conditional-token contract.
#[must_use]
pub fn condition_preparation(
    condition: ConditionId,
    oracle: Address,
    question_id: B256,
    outcomes: u64,
) -> LogBody {
    let event = conditional_tokens::ConditionPreparation {
        conditionId: condition.0,
        oracle,
        questionId: question_id,
        outcomeSlotCount: U256::from(outcomes),
    };
    LogBody::new(CONDITIONAL_TOKENS, event.encode_log_data())
}

/// A condition that resolves on the conditional-token contract, a numerator for each outcome.
#[must_use]
pub fn condition_resolution(
    condition: ConditionId,
    oracle: Address,
    question_id: B256,
    numerators: &[u64],
) -> LogBody {
    let event = conditional_tokens::ConditionResolution {
        conditionId: condition.0,
        oracle,
        questionId: question_id,
        outcomeSlotCount: U256::from(numerators.len()),
        payoutNumerators: numerators.iter().copied().map(U256::from).collect(),
    };
    LogBody::new(CONDITIONAL_TOKENS, event.encode_log_data())
}

/// A Protocol V2 condition that resolves, in parts per million for YES and NO.
/// `None` where the id names no module, or one whose conditions do not resolve by themselves (parlays).
#[must_use]
pub fn condition_resolved(condition: ConditionId, result_ppm: &[u64]) -> Option<LogBody> {
    let (id, padding) = condition.0.split_last_chunk::<1>().map(|(id, padding)| (id, padding[0]))?;
    let address = module_address(id[0]).filter(|address| *address != COMBINATORIAL_MODULE && padding == 0)?;
    let event = modules::ConditionResolved {
        conditionId: alloy_primitives::FixedBytes::from_slice(id),
        result: result_ppm.iter().copied().map(U256::from).collect(),
    };
    Some(LogBody::new(address, event.encode_log_data()))
}

/// Dollars that become one share of each of two outcomes. `None` for a negative amount.
#[must_use]
pub fn position_split(
    wallet: Wallet,
    collateral: Address,
    condition: ConditionId,
    amount: Shares,
) -> Option<LogBody> {
    let event = conditional_tokens::PositionSplit {
        stakeholder: wallet.0,
        collateralToken: collateral,
        parentCollectionId: B256::ZERO,
        conditionId: condition.0,
        partition: both_outcomes(),
        amount: unsigned(amount.micros())?,
    };
    Some(LogBody::new(CONDITIONAL_TOKENS, event.encode_log_data()))
}

/// One share of each of two outcomes that become dollars. `None` for a negative amount.
#[must_use]
pub fn positions_merge(
    wallet: Wallet,
    collateral: Address,
    condition: ConditionId,
    amount: Shares,
) -> Option<LogBody> {
    let event = conditional_tokens::PositionsMerge {
        stakeholder: wallet.0,
        collateralToken: collateral,
        parentCollectionId: B256::ZERO,
        conditionId: condition.0,
        partition: both_outcomes(),
        amount: unsigned(amount.micros())?,
    };
    Some(LogBody::new(CONDITIONAL_TOKENS, event.encode_log_data()))
}

/// Shares of a resolved condition of two outcomes that become dollars. `None` for a negative payout.
#[must_use]
pub fn payout_redemption(
    wallet: Wallet,
    collateral: Address,
    condition: ConditionId,
    payout: Usd,
) -> Option<LogBody> {
    let event = conditional_tokens::PayoutRedemption {
        redeemer: wallet.0,
        collateralToken: collateral,
        parentCollectionId: B256::ZERO,
        conditionId: condition.0,
        indexSets: both_outcomes(),
        payout: unsigned(payout.micros())?,
    };
    Some(LogBody::new(CONDITIONAL_TOKENS, event.encode_log_data()))
}

const fn is_v1(exchange: Exchange) -> bool {
    matches!(exchange, Exchange::V1 | Exchange::V1NegRisk)
}

/// The index sets of the first and the second outcome.
fn both_outcomes() -> Vec<U256> {
    vec![U256::from(1), U256::from(2)]
}

const fn module_address(module: u8) -> Option<Address> {
    match module {
        1 => Some(BINARY_MODULE),
        2 => Some(NEG_RISK_MODULE),
        3 => Some(COMBINATORIAL_MODULE),
        _ => None,
    }
}

const fn side_number(side: Side) -> u8 {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

/// What the owner of the order gave and got.
fn given_and_got(side: Side, shares: Shares, usd: Usd) -> Option<(U256, U256)> {
    let (shares, usd) = (unsigned(shares.micros())?, unsigned(usd.micros())?);
    Some(match side {
        Side::Buy => (usd, shares),
        Side::Sell => (shares, usd),
    })
}

/// The assets given and got, as V1 numbers them: zero is the dollar, so no token can be zero.
fn assets(side: Side, token: TokenId) -> Option<(U256, U256)> {
    let token = (!token.0.is_zero()).then_some(token.0)?;
    Some(match side {
        Side::Buy => (U256::ZERO, token),
        Side::Sell => (token, U256::ZERO),
    })
}

fn unsigned(micros: i64) -> Option<U256> {
    u64::try_from(micros).ok().map(U256::from)
}
