//! Numbered wallets, tokens, conditions and markets.

use domain::{ConditionId, Market, Tick, TokenId, Wallet};

pub(crate) fn wallet(number: u32) -> Wallet {
    format!("0x{number:040x}").parse().unwrap()
}

pub(crate) fn token(number: u32) -> TokenId {
    number.to_string().parse().unwrap()
}

pub(crate) fn condition(number: u32) -> ConditionId {
    format!("0x{number:064x}").parse().unwrap()
}

/// Market `number` has the tokens `10 * number` and `10 * number + 1`.
pub(crate) fn market(number: u32) -> Market {
    Market {
        condition: condition(number),
        title: format!("Market {number}"),
        slug: format!("market-{number}"),
        event: format!("event-{number}"),
        category: None,
        outcomes: vec!["Yes".to_owned(), "No".to_owned()],
        tokens: vec![token(10 * number), token(10 * number + 1)],
        neg_risk: false,
        place: None,
        protocol_v2: false,
        tick: Tick::CENT,
        fee_rate_ppm: 0,
        end: None,
        oracle: None,
    }
}
