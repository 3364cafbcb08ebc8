//! What is believed of wallets, made up.

use domain::{
    Assessment, Clv, FactorScores, Figures, Flag, FlagKind, Probability, RawSkill, Skill, Tier, Timestamp,
    Usd, Wallet, WalletScore,
};

/// A verdict with something in every column, and two reasons against copying.
#[must_use]
pub fn assessment(wallet: Wallet, tier: Tier, as_of: Timestamp) -> Assessment {
    let factors =
        FactorScores { win_rate: 9.5, profit_factor: 8.25, consistency: 7.5, volume: 6.125, timing: 5.5 };
    Assessment {
        verdict: WalletScore {
            wallet,
            as_of,
            score: 7.9125,
            tier,
            factors,
            skill: Skill { kappa: 0.185, standard_error: 0.0707 },
            skill_probability: Probability::clamped(0.9956),
            win_rate: Some(0.7),
            break_even_win_rate: Some(0.52),
            profit_factor: Some(2.5),
            roi: Some(0.1625),
            profitable_weeks: Some(0.65),
            mean_drift: Some(0.003),
            volume_30d: Usd::from_micros(6_872_500_000),
            volume: Usd::from_micros(123_456_789_012),
            pnl: Usd::from_micros(-9_876_543_211),
            trades: 321,
            decisions: 100,
            wins: 70,
            events: 44,
            active_days: 60,
            first_trade: as_of.plus_micros(-100 * Timestamp::DAY),
            last_trade: as_of.plus_micros(-Timestamp::HOUR),
        },
        figures: Figures {
            win_rate_30d: Some(0.6),
            break_even_win_rate_30d: Some(0.51),
            decisions_30d: 20,
            wins_30d: 12,
            unknown_cost: 3,
            unknown_cost_pnl: Usd::from_micros(-4_250_000),
            tier_before: Some(Tier::Smart),
        },
        skill: Some(RawSkill { kappa: 0.4, z: 4.0, n_eff: 100.0 }),
        roi: 0.045,
        median_cost: Some(Usd::from_micros(412_345_678)),
        clv: Some(Clv {
            observations: 37,
            n_eff: 30.5,
            drift: 0.012,
            copyable: 0.008,
            standardised: 0.05,
            shrunk: 0.025,
            t: 2.1,
        }),
        calibrated: FactorScores { win_rate: 9.625, ..factors },
        is_verified: true,
        flags: vec![
            Flag { kind: FlagKind::MarketMaker, figure: 0.72, limit: 0.6 },
            Flag { kind: FlagKind::ShortHolds, figure: 4.0, limit: 15.0 },
        ],
    }
}

/// A whale that nothing speaks against.
#[must_use]
pub fn whale(wallet: Wallet, as_of: Timestamp) -> Assessment {
    let one = assessment(wallet, Tier::Whale, as_of);
    let verdict = WalletScore { score: 8.5, ..one.verdict };
    Assessment { verdict, flags: vec![], ..one }
}
