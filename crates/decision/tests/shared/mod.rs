//! The world that the engine's tests share: numbered wallets, tokens and markets, and a policy that follows them.

use decision::{FadePolicy, Filters, Limits, Policy};
use domain::{
    ConditionId, ConfidenceModel, Exchange, Fee, Fill, Market, Price, Role, Shares, Side, Skill, Tick, Tier,
    Timestamp, Timing, TokenId, Usd, Verdict, Wallet,
};

pub(crate) const NOON: Timestamp = Timestamp::from_seconds(1_790_000_000);

pub(crate) fn price(text: &str) -> Price {
    text.parse().unwrap()
}

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

/// The strategy's own settings, where nobody but the whale has to trade.
pub(crate) fn policy() -> Policy {
    Policy {
        bankroll: Usd::whole(2_000),
        kelly_fraction: 0.25,
        max_position: Usd::whole(1_000),
        min_stake: Usd::whole(10),
        max_open_positions: 5,
        daily_loss_limit: Usd::whole(500),
        max_slippage: 0.05,
        min_confidence: 0.70,
        min_whale_score: 7.0,
        min_whale_trade: Usd::whole(500),
        max_degen_score: 3.0,
        min_panic_sellers: 5,
        confidence_model: ConfidenceModel::Score,
        max_signal_age: 30_000_000,
        limits: Limits::default(),
        filters: Filters { min_volume: Usd::ZERO, max_volume_part: 1.0, ..Filters::default() },
        fade: FadePolicy::default(),
    }
}

/// A wallet whose record leaves no doubt.
pub(crate) fn verdict(number: u32, score: f64, tier: Tier) -> Verdict {
    let skill = Skill { kappa: 0.6, standard_error: 0.06 };
    let timing = Some(Timing { observations: 60, copyable: 0.02, t: 3.0 });
    Verdict { wallet: wallet(number), score, tier, skill, timing, is_copyable: true }
}

/// `who` trades `usd` dollars of a token at a price, and takes what rests there.
pub(crate) fn trade(who: u32, token: TokenId, side: Side, usd: i32, at: &str) -> Fill {
    let usd = Usd::whole(usd);
    let shares: Shares = usd.buys_at(price(at));
    Fill {
        exchange: Exchange::V2,
        wallet: wallet(who),
        counterparty: wallet(999),
        role: Role::Taker,
        side,
        token,
        shares,
        usd,
        fee: Fee::NONE,
    }
}
