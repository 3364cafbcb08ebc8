//! Publishing verdicts: what one resolution with many holders asks for, and what telling of anything costs.

use std::process::Stdio;
use std::time::Instant;

use alloy_primitives::Address;
use anyhow::{Context as _, bail};
use domain::{
    Assessment, Clv, FactorScores, Figures, Flag, FlagKind, Probability, RawSkill, Skill, Tier, Timestamp,
    Usd, Wallet, WalletScore,
};
use store::Store;
use store::scores::{self, Publication};
use tokio::io::AsyncWriteExt as _;

use crate::machine::say;
use crate::stage::Stage;

/// Passes over the same wallets: the first one is about wallets that nobody knew.
const PASSES: i64 = 4;

/// Measures passes over so many rated wallets, and the outbox with and without its index by time.
pub(crate) async fn run(wallets: u64) -> anyhow::Result<()> {
    let stage = Stage::set_up().await?;
    for pass in 0..PASSES {
        let as_of = Timestamp::from_seconds(1_780_000_000).plus_micros(pass * Timestamp::HOUR);
        let verdicts: Vec<Assessment> = (1..=wallets).map(|number| assessment(number, as_of)).collect();
        let begun = Instant::now();
        let mut transaction = stage.database.store.begin().await?;
        let publication = Publication { as_of, learned: as_of, folded: 0 };
        scores::publish(&mut transaction, publication, &verdicts, &[]).await?;
        Store::commit(transaction).await?;
        let which = if pass == 0 { "new" } else { "known" };
        say(&format!(
            "verdicts   {wallets} of {which} wallets, into the newest and the history: {:.3} s",
            begun.elapsed().as_secs_f64()
        ));
    }
    outbox(&stage).await?;
    stage.database.close().await
}

async fn outbox(stage: &Stage) -> anyhow::Result<()> {
    let psql = tokio::task::spawn_blocking(store::managed::psql).await?;
    let mut running = tokio::process::Command::new(psql.context("there is no psql on this machine")?)
        .args([stage.database.url(), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut script = running.stdin.take().context("psql has no input")?;
    script.write_all(include_str!("../outbox.sql").as_bytes()).await?;
    drop(script);
    let output = running.wait_with_output().await?;
    if !output.status.success() {
        bail!("psql: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8_lossy(&output.stdout).lines().for_each(say);
    Ok(())
}

/// A verdict with something in every column.
pub(crate) fn assessment(number: u64, as_of: Timestamp) -> Assessment {
    let wallet =
        Wallet(Address::left_padding_from(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()));
    let factors =
        FactorScores { win_rate: 9.5, profit_factor: 8.25, consistency: 7.5, volume: 6.125, timing: 5.5 };
    Assessment {
        verdict: WalletScore {
            wallet,
            as_of,
            score: 7.9125,
            tier: Tier::Average,
            factors,
            skill: Skill { kappa: 0.185, standard_error: 0.0707 },
            skill_probability: Probability::clamped(0.9956),
            win_rate: Some(0.7),
            break_even_win_rate: Some(0.52),
            profit_factor: Some(2.5),
            roi: Some(0.1625),
            profitable_weeks: Some(0.65),
            mean_drift: Some(0.003),
            volume_30d: Usd::whole(6_872),
            volume: Usd::whole(123_456),
            pnl: Usd::whole(-9_876),
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
            unknown_cost_pnl: Usd::whole(-4),
            tier_before: Some(Tier::Smart),
        },
        skill: Some(RawSkill { kappa: 0.4, z: 4.0, n_eff: 100.0 }),
        roi: 0.045,
        clv: Some(Clv {
            observations: 37,
            n_eff: 30.5,
            drift: 0.012,
            copyable: 0.008,
            standardised: 0.05,
            shrunk: 0.025,
            t: 2.1,
        }),
        calibrated: factors,
        is_verified: true,
        flags: vec![Flag { kind: FlagKind::MarketMaker, figure: 0.72, limit: 0.6 }],
    }
}
