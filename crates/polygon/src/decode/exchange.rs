//! Fills, matches and fees: the exchanges and V1's fee modules.
//!
//! One `OrderFilled` is one wallet's fill, and that wallet is always the `maker` field. A match of `k` resting
//! orders writes `k + 1` of them, the last of which is the aggressor's own, recognised by the exchange itself
//! standing in the `taker` field.

use alloy_primitives::{B256, U256};
use alloy_sol_types::SolEvent;
use domain::{ChainEvent, Exchange, Fee, FeeKind, Fill, Role, Shares, Side, TokenId, Usd};

use super::Reason;
use super::words::{Word, fixed, topics};
use crate::abi::{fee_module as refund, old_fee_module as old_refund, v1, v2};
use crate::log::RawLog;

/// An event of one of the exchanges.
pub(super) fn decode(exchange: Exchange, topic: B256, log: &RawLog) -> Result<Option<ChainEvent>, Reason> {
    let first = matches!(exchange, Exchange::V1 | Exchange::V1NegRisk);
    let event = match (first, topic) {
        (true, v1::OrderFilled::SIGNATURE_HASH) => filled_v1(exchange, log)?,
        (true, v1::OrdersMatched::SIGNATURE_HASH) => matched_v1(exchange, log)?,
        (true, v1::FeeCharged::SIGNATURE_HASH) => charged_v1(exchange, log)?,
        (false, v2::OrderFilled::SIGNATURE_HASH) => filled_v2(exchange, log)?,
        (false, v2::OrdersMatched::SIGNATURE_HASH) => matched_v2(exchange, log)?,
        (false, v2::FeeCharged::SIGNATURE_HASH) => charged_v2(exchange, log)?,
        _ => return Ok(None),
    };
    Ok(Some(event))
}

/// An event of the modules that gave part of V1's fees back.
pub(super) fn fee_module(topic: B256, log: &RawLog) -> Result<Option<ChainEvent>, Reason> {
    let (receiver, id, amount) = match topic {
        refund::FeeRefunded::SIGNATURE_HASH => {
            let [_, _order, to, _charged] = topics(log)?;
            let [id, amount] = fixed(log)?;
            (to.wallet("to")?, id, amount.micros("refund")?)
        }
        old_refund::FeeRefunded::SIGNATURE_HASH => {
            let [_] = topics(log)?;
            let [token, to, id, amount] = fixed(log)?;
            token.address("token")?;
            (to.wallet("to")?, id, amount.micros("amount")?)
        }
        _ => return Ok(None),
    };
    Ok(Some(ChainEvent::Fee {
        exchange: None,
        kind: FeeKind::Refunded,
        receiver,
        token: token_or_dollar(id),
        micros: amount,
    }))
}

fn filled_v1(exchange: Exchange, log: &RawLog) -> Result<ChainEvent, Reason> {
    let [_, _order, maker, taker] = topics(log)?;
    let [maker_asset, taker_asset, given, got, fee] = fixed(log)?;
    let (side, token) = side_of_assets(maker_asset, taker_asset)?;
    let fee = fee.micros("fee")?;
    // The fee is taken in what the wallet receives.
    let fee = match side {
        Side::Buy => Fee::Shares(Shares::from_micros(fee)),
        Side::Sell => Fee::Usd(Usd::from_micros(fee)),
    };
    fill(exchange, log, (maker, taker), (side, token), (given, got), fee)
}

fn filled_v2(exchange: Exchange, log: &RawLog) -> Result<ChainEvent, Reason> {
    let [_, _order, maker, taker] = topics(log)?;
    let [side, token, given, got, fee, _builder, _metadata] = fixed(log)?;
    let fee = Fee::Usd(Usd::from_micros(fee.micros("fee")?));
    fill(exchange, log, (maker, taker), (side_of(side)?, TokenId(token.number())), (given, got), fee)
}

fn fill(
    exchange: Exchange,
    log: &RawLog,
    (maker, taker): (Word<'_>, Word<'_>),
    (side, token): (Side, TokenId),
    amounts: (Word<'_>, Word<'_>),
    fee: Fee,
) -> Result<ChainEvent, Reason> {
    let wallet = maker.wallet("maker")?;
    let counterparty = taker.wallet("taker")?;
    let (shares, usd) = shares_and_usd(side, amounts)?;
    let role = if counterparty.0 == log.address { Role::Taker } else { Role::Maker };
    Ok(ChainEvent::Fill(Fill { exchange, wallet, counterparty, role, side, token, shares, usd, fee }))
}

fn matched_v1(exchange: Exchange, log: &RawLog) -> Result<ChainEvent, Reason> {
    let [_, _order, taker] = topics(log)?;
    let [maker_asset, taker_asset, given, got] = fixed(log)?;
    matched(exchange, taker, side_of_assets(maker_asset, taker_asset)?, (given, got))
}

fn matched_v2(exchange: Exchange, log: &RawLog) -> Result<ChainEvent, Reason> {
    let [_, _order, taker] = topics(log)?;
    let [side, token, given, got] = fixed(log)?;
    matched(exchange, taker, (side_of(side)?, TokenId(token.number())), (given, got))
}

fn matched(
    exchange: Exchange,
    taker: Word<'_>,
    (side, token): (Side, TokenId),
    amounts: (Word<'_>, Word<'_>),
) -> Result<ChainEvent, Reason> {
    let wallet = taker.wallet("takerOrderMaker")?;
    let (shares, usd) = shares_and_usd(side, amounts)?;
    Ok(ChainEvent::Match { exchange, wallet, side, token, shares, usd })
}

fn charged_v1(exchange: Exchange, log: &RawLog) -> Result<ChainEvent, Reason> {
    let [_, receiver] = topics(log)?;
    let [id, amount] = fixed(log)?;
    charged(exchange, receiver, token_or_dollar(id), amount)
}

fn charged_v2(exchange: Exchange, log: &RawLog) -> Result<ChainEvent, Reason> {
    let [_, receiver] = topics(log)?;
    let [amount] = fixed(log)?;
    charged(exchange, receiver, None, amount)
}

fn charged(
    exchange: Exchange,
    receiver: Word<'_>,
    token: Option<TokenId>,
    amount: Word<'_>,
) -> Result<ChainEvent, Reason> {
    Ok(ChainEvent::Fee {
        exchange: Some(exchange),
        kind: FeeKind::Charged,
        receiver: receiver.wallet("receiver")?,
        token,
        micros: amount.micros("amount")?,
    })
}

fn side_of(word: Word<'_>) -> Result<Side, Reason> {
    match word.byte() {
        Some(0) => Ok(Side::Buy),
        Some(1) => Ok(Side::Sell),
        Some(other) => Err(Reason::UnknownSide(other)),
        None => Err(Reason::DirtySide),
    }
}

/// V1 names the assets given and got, with zero for the dollar.
fn side_of_assets(maker_asset: Word<'_>, taker_asset: Word<'_>) -> Result<(Side, TokenId), Reason> {
    let (given, got) = (maker_asset.number(), taker_asset.number());
    match (given == U256::ZERO, got == U256::ZERO) {
        (true, false) => Ok((Side::Buy, TokenId(got))),
        (false, true) => Ok((Side::Sell, TokenId(given))),
        (true, true) => Err(Reason::NoToken),
        (false, false) => Err(Reason::NoDollar),
    }
}

/// What the owner of the order gave and got, as shares and dollars.
fn shares_and_usd(side: Side, (given, got): (Word<'_>, Word<'_>)) -> Result<(Shares, Usd), Reason> {
    let (given, got) = (given.micros("makerAmountFilled")?, got.micros("takerAmountFilled")?);
    Ok(match side {
        Side::Buy => (Shares::from_micros(got), Usd::from_micros(given)),
        Side::Sell => (Shares::from_micros(given), Usd::from_micros(got)),
    })
}

fn token_or_dollar(id: Word<'_>) -> Option<TokenId> {
    let id = id.number();
    (!id.is_zero()).then_some(TokenId(id))
}
