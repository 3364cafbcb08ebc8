//! `orderflow decode`: logs as `eth_getLogs` returns them in, one JSON object a line out.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use domain::{ChainEvent, Fee, FeeKind, Fill, price};
use polygon::contracts;
use polygon::decode::{Decoded, decode};
use polygon::log::{RawLog, parse_logs};
use serde_json::{Value, json};

use crate::render;

/// Decodes a file, or standard input for `-`.
pub(crate) fn run(file: &Path) -> anyhow::Result<()> {
    let mut bytes = vec![];
    if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
    } else {
        bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    for log in parse_logs(&bytes).with_context(|| file.display().to_string())? {
        render::line(&describe(&log).to_string())?;
    }
    Ok(())
}

/// A log and what it says, as one object.
fn describe(log: &RawLog) -> Value {
    let mut object = match decode(log) {
        Ok(Decoded::Event(event)) => describe_event(&event),
        Ok(Decoded::Unknown) => json!({ "kind": "unknown" }),
        Err(error) => json!({ "kind": "undecodable", "error": error.reason.to_string() }),
    };
    let exchange = contracts::exchange_of(log.address).map(domain::Exchange::name);
    let place = json!({
        "exchange": exchange,
        "address": format!("{:#x}", log.address),
        "block": log.block_number,
        "tx_hash": log.tx_hash.to_string(),
        "log_index": log.log_index,
    });
    if let (Some(object), Value::Object(place)) = (object.as_object_mut(), place) {
        object.extend(place);
    }
    object
}

fn describe_event(event: &ChainEvent) -> Value {
    match event {
        ChainEvent::Fill(fill) => describe_fill(fill),
        ChainEvent::Match { wallet, side, token, shares, usd, .. } => json!({
            "kind": "match", "wallet": wallet.to_string(), "side": side.name(), "token_id": token.to_string(),
            "shares": shares.to_string(), "usd": usd.to_string(), "price": quotient(*usd, *shares),
        }),
        ChainEvent::Fee { kind, receiver, token, micros, .. } => json!({
            "kind": "fee",
            "direction": match kind { FeeKind::Charged => "charged", FeeKind::Refunded => "refunded" },
            "receiver": receiver.to_string(),
            "token_id": token.map(|token| token.to_string()),
            "fee": domain::Usd::from_micros(*micros).to_string(),
            "fee_asset": if token.is_some() { "shares" } else { "usd" },
        }),
        ChainEvent::Split { wallet, condition, amount } => json!({
            "kind": "split", "wallet": wallet.to_string(), "condition_id": condition.to_string(),
            "amount": amount.to_string(),
        }),
        ChainEvent::Merge { wallet, condition, amount } => json!({
            "kind": "merge", "wallet": wallet.to_string(), "condition_id": condition.to_string(),
            "amount": amount.to_string(),
        }),
        ChainEvent::Redemption { wallet, condition, token, payout } => json!({
            "kind": "redemption", "wallet": wallet.to_string(),
            "condition_id": condition.map(|condition| condition.to_string()),
            "token_id": token.map(|token| token.to_string()), "payout": payout.to_string(),
        }),
        ChainEvent::Conversion { wallet, market, index_set, amount } => json!({
            "kind": "conversion", "wallet": wallet.to_string(), "market_id": format!("{market:#x}"),
            "index_set": index_set.to_string(), "amount": amount.to_string(),
        }),
        ChainEvent::Resolution { condition, payouts } => json!({
            "kind": "resolution", "condition_id": condition.to_string(), "payouts": payouts.numerators(),
        }),
        ChainEvent::Preparation { condition, tokens } => json!({
            "kind": "preparation", "condition_id": condition.to_string(),
            "token_ids": tokens.map(|token| token.to_string()),
        }),
        ChainEvent::Derivable { event, yes } => json!({
            "kind": "resolution", "event_id": format!("{event:#x}"),
            "derivable": yes.map_or_else(|| "remaining conditions are NO".to_owned(), |c| format!("{c} is YES")),
        }),
    }
}

fn describe_fill(fill: &Fill) -> Value {
    let (fee, fee_asset) = match fill.fee {
        Fee::Usd(fee) => (fee.to_string(), "usd"),
        Fee::Shares(fee) => (fee.to_string(), "shares"),
    };
    json!({
        "kind": "fill",
        "wallet": fill.wallet.to_string(),
        "counterparty": fill.counterparty.to_string(),
        "role": fill.role.name(),
        "side": fill.side.name(),
        "token_id": fill.token.to_string(),
        "shares": fill.shares.to_string(),
        "usd": fill.usd.to_string(),
        "price": quotient(fill.usd, fill.shares),
        "fee": fee,
        "fee_asset": fee_asset,
    })
}

/// Dollars a share to six decimals; nothing without shares.
fn quotient(usd: domain::Usd, shares: domain::Shares) -> Option<String> {
    price::ratio_ppm(usd, shares).map(|ppm| domain::Usd::from_micros(ppm).to_string())
}
