//! What is believed of wallets where nobody has had the time to find out.

use devnet::Devnet;
use domain::{
    Assessment, FactorScores, Figures, Probability, Skill, Tier, Timestamp, Usd, Wallet, WalletScore,
};
use service::clock;
use store::Store;
use store::scores::{self, Publication};

/// Those who know are whales from the beginning.
pub(crate) async fn publish(world: &Devnet, store: &Store) {
    let as_of = clock::now().plus_micros(-Timestamp::HOUR);
    let believed: Vec<_> = world.truth().skilled.into_iter().map(|wallet| whale(wallet, as_of)).collect();
    let mut transaction = store.begin().await.unwrap();
    let publication = Publication { as_of, learned: as_of, folded: 0 };
    scores::publish(&mut transaction, publication, &believed, &[]).await.unwrap();
    Store::commit(transaction).await.unwrap();
}

/// A whale that nothing speaks against.
fn whale(wallet: Wallet, as_of: Timestamp) -> Assessment {
    let factors =
        FactorScores { win_rate: 9.5, profit_factor: 8.25, consistency: 7.5, volume: 6.125, timing: 5.5 };
    Assessment {
        verdict: WalletScore {
            wallet,
            as_of,
            score: 8.5,
            tier: Tier::Whale,
            factors,
            skill: Skill { kappa: 0.185, standard_error: 0.07 },
            skill_probability: Probability::clamped(0.99),
            win_rate: Some(0.7),
            break_even_win_rate: Some(0.52),
            profit_factor: Some(2.5),
            roi: Some(0.16),
            profitable_weeks: Some(0.65),
            mean_drift: Some(0.003),
            volume_30d: Usd::whole(6_872),
            volume: Usd::whole(123_456),
            pnl: Usd::whole(9_876),
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
            unknown_cost: 0,
            unknown_cost_pnl: Usd::ZERO,
            tier_before: Some(Tier::Whale),
        },
        skill: None,
        roi: 0.045,
        clv: None,
        calibrated: factors,
        is_verified: true,
        flags: vec![],
    }
}
