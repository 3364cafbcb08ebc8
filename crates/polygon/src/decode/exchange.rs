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

#[cfg(test)]
mod tests {
    use alloy_primitives::{Bytes, address};
    use domain::Wallet;

    use super::*;
    use crate::abi;
    use crate::contracts::{CONDITIONAL_TOKENS, PUSD, USDC_E, exchange_address};
    use crate::decode::sample::{USER, at, event, micros, reason, recorded};
    use crate::decode::{Decoded, decode};

    #[test]
    fn a_taker_row_of_v2_is_the_aggressors_own_fill() {
        let [log, ..] = recorded();
        let exchange = exchange_address(Exchange::V2).unwrap();
        let expected = Fill {
            exchange: Exchange::V2,
            wallet: "0xd74b83e161d23ef17c6247d4b2f6be07160ced75".parse().unwrap(),
            counterparty: Wallet(exchange),
            role: Role::Taker,
            side: Side::Buy,
            token: "45763018441764333771124945243746174684578244015331389396782339063349542289693"
                .parse()
                .unwrap(),
            shares: micros(5_000_000),
            usd: Usd::from_micros(2_500_000),
            fee: Fee::NONE,
        };
        assert_eq!(event(&log), ChainEvent::Fill(expected));
    }

    #[test]
    fn a_v1_purchase_pays_its_fee_in_shares() {
        let [_, log, ..] = recorded();
        let expected = Fill {
            exchange: Exchange::V1,
            wallet: "0x00000003a358014c7c0e227483dbe01619871000".parse().unwrap(),
            counterparty: "0xe55b90febea370d4611a4b0a9ff201183268b24e".parse().unwrap(),
            role: Role::Maker,
            side: Side::Buy,
            token: "114856201873541567677341731370365137173235058495071385195611596664202155739948"
                .parse()
                .unwrap(),
            shares: micros(17_700_000),
            usd: Usd::from_micros(7_434_000),
            fee: Fee::Shares(micros(1_770_000)),
        };
        assert_eq!(event(&log), ChainEvent::Fill(expected));
    }

    #[test]
    fn a_v2_sale_pays_its_fee_in_dollars() {
        let [.., log, _] = recorded();
        let ChainEvent::Fill(fill) = event(&log) else { panic!("no fill") };
        assert_eq!((fill.side, fill.role), (Side::Sell, Role::Taker));
        assert_eq!((fill.shares, fill.usd), (micros(2_560_000), Usd::from_micros(2_355_200)));
        assert_eq!(fill.fee, Fee::Usd(Usd::from_micros(13_180)));
        assert_eq!(fill.cash_change(), Usd::from_micros(2_342_020));
    }

    #[test]
    fn the_emitter_tells_v2_from_v3_and_strangers_from_both() {
        let [mut log, ..] = recorded();
        log.address = exchange_address(Exchange::V3).unwrap();
        let ChainEvent::Fill(fill) = event(&log) else { panic!("no fill") };
        assert_eq!(fill.exchange, Exchange::V3);
        // The taker field still names the V2 exchange, which on V3 is somebody like any other.
        assert_eq!(fill.role, Role::Maker);
        log.address = address!("e2222d002000Ba0053CEF3375333610F64600036");
        let ChainEvent::Fill(fill) = event(&log) else { panic!("no fill") };
        assert_eq!(fill.exchange, Exchange::V2NegRisk);
        for foreign in [USER, PUSD, CONDITIONAL_TOKENS, exchange_address(Exchange::V1).unwrap()] {
            log.address = foreign;
            assert_eq!(decode(&log), Ok(Decoded::Unknown));
        }
    }

    /// The recorded V2 log with one word of its data replaced.
    fn with_word(index: usize, word: U256) -> RawLog {
        let [mut log, ..] = recorded();
        let mut data = log.data.to_vec();
        data[index * 32..][..32].copy_from_slice(&word.to_be_bytes::<32>());
        log.data = Bytes::from(data);
        log
    }

    #[test]
    fn a_damaged_fill_says_what_is_wrong() {
        assert_eq!(reason(&with_word(0, U256::from(2))), Reason::UnknownSide(2));
        assert_eq!(reason(&with_word(0, U256::from(256))), Reason::DirtySide);
        let too_large = U256::from(1) << 63;
        assert_eq!(reason(&with_word(2, too_large)), Reason::AmountTooLarge { field: "makerAmountFilled" });
        assert_eq!(reason(&with_word(3, too_large)), Reason::AmountTooLarge { field: "takerAmountFilled" });
        assert_eq!(reason(&with_word(4, U256::MAX)), Reason::AmountTooLarge { field: "fee" });
        assert!(decode(&with_word(2, too_large - U256::from(1))).is_ok());

        let [log, ..] = recorded();
        for (length, cut) in [(0, 224), (223, 1), (192, 32)] {
            let shorter = RawLog { data: log.data.slice(..224 - cut), ..log.clone() };
            assert_eq!(reason(&shorter), Reason::BodyLength { expected: 224, found: length });
        }
        let longer = RawLog { data: [log.data.as_ref(), &[0]].concat().into(), ..log.clone() };
        assert_eq!(reason(&longer), Reason::BodyLength { expected: 224, found: 225 });
        let fewer = RawLog { topics: log.topics[..3].try_into().unwrap(), ..log.clone() };
        assert_eq!(reason(&fewer), Reason::TopicCount { expected: 4, found: 3 });
        for (topic, field) in [(2, "maker"), (3, "taker")] {
            let mut dirty = log.clone();
            dirty.topics[topic].0[11] = 1;
            assert_eq!(reason(&dirty), Reason::DirtyAddress { field });
        }
        let error = decode(&fewer).unwrap_err().to_string();
        assert!(
            error.contains("log 257 of transaction 0x5a82") && error.contains("block 85050371"),
            "{error}"
        );
    }

    #[test]
    fn a_v1_fill_trades_a_token_for_dollars() {
        let [_, log, ..] = recorded();
        let with_assets = |maker: u64, taker: u64| {
            let mut data = log.data.to_vec();
            data[..32].copy_from_slice(&U256::from(maker).to_be_bytes::<32>());
            data[32..64].copy_from_slice(&U256::from(taker).to_be_bytes::<32>());
            RawLog { data: data.into(), ..log.clone() }
        };
        assert_eq!(reason(&with_assets(0, 0)), Reason::NoToken);
        assert_eq!(reason(&with_assets(1, 2)), Reason::NoDollar);
        let ChainEvent::Fill(sale) = event(&with_assets(9, 0)) else { panic!("no fill") };
        assert_eq!((sale.side, sale.token), (Side::Sell, TokenId(U256::from(9))));
        assert_eq!((sale.shares, sale.usd), (micros(7_434_000), Usd::from_micros(17_700_000)));
        assert_eq!(sale.fee, Fee::Usd(Usd::from_micros(1_770_000)));
    }

    #[test]
    fn fees_name_their_asset() {
        let v1 = exchange_address(Exchange::V1NegRisk).unwrap();
        let charged = |id: u64| {
            let event =
                abi::v1::FeeCharged { receiver: USER, tokenId: U256::from(id), amount: U256::from(5) };
            at(v1, event.encode_log_data())
        };
        let expected = |token| ChainEvent::Fee {
            exchange: Some(Exchange::V1NegRisk),
            kind: FeeKind::Charged,
            receiver: Wallet(USER),
            token,
            micros: 5,
        };
        assert_eq!(event(&charged(0)), expected(None));
        assert_eq!(event(&charged(8)), expected(Some(TokenId(U256::from(8)))));
    }

    #[test]
    fn both_generations_of_refunds_are_read() {
        let module = address!("B768891e3130F6dF18214Ac804d4DB76c2C37730");
        let refund = abi::fee_module::FeeRefunded {
            orderHash: B256::repeat_byte(9),
            to: USER,
            id: U256::ZERO,
            refund: U256::from(11),
            feeCharged: U256::from(4),
        };
        let old = abi::old_fee_module::FeeRefunded {
            token: USDC_E,
            to: USER,
            id: U256::from(6),
            amount: U256::from(2),
        };
        let expected = |token, micros| ChainEvent::Fee {
            exchange: None,
            kind: FeeKind::Refunded,
            receiver: Wallet(USER),
            token,
            micros,
        };
        assert_eq!(event(&at(module, refund.encode_log_data())), expected(None, 11));
        assert_eq!(event(&at(module, old.encode_log_data())), expected(Some(TokenId(U256::from(6))), 2));
        assert_eq!(
            decode(&at(exchange_address(Exchange::V1).unwrap(), refund.encode_log_data())),
            Ok(Decoded::Unknown)
        );
    }
}
