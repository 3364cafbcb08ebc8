//! The world that the engine's tests share: numbered wallets, tokens and markets, and a policy that follows them.

pub(crate) mod nouns;
mod policy;

use domain::{
    Exchange, Fee, Fill, Price, Role, Shares, Side, Skill, Tier, Timestamp, Timing, TokenId, Usd, Verdict,
};

pub(crate) use nouns::{market, token, wallet};
pub(crate) use policy::policy;

pub(crate) const NOON: Timestamp = Timestamp::from_seconds(1_790_000_000);

pub(crate) fn price(text: &str) -> Price {
    text.parse().unwrap()
}

/// A wallet whose record leaves no doubt.
pub(crate) fn verdict(number: u32, score: f64, tier: Tier) -> Verdict {
    let skill = Skill { kappa: 0.6, standard_error: 0.06 };
    let timing = Some(Timing { observations: 60, copyable: 0.02, t: 3.0 });
    let median_cost = Some(Usd::whole(600));
    Verdict { wallet: wallet(number), score, tier, skill, timing, median_cost, is_copyable: true }
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
