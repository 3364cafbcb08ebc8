//! Folding a synthetic history in memory: how many fills a second become wallets' records, and whether it stays so.

pub(crate) mod world;

use std::time::{Duration, Instant};

use decision::{Eligibility, History};
use domain::Fact;

use crate::machine::{memory, peak_memory, say};
use world::World;

/// As many facts as a caller hands over at once.
const BATCH: usize = 131_072;

/// The published thresholds; the fold itself does not ask for them.
const ELIGIBILITY: Eligibility = Eligibility { decisions: 30, events: 15, active_days: 21 };

/// Folds `fills` fills of as many wallets and markets, made batch by batch between the measured parts.
pub(crate) fn run(fills: u64, wallets: u32, markets: u32) -> anyhow::Result<()> {
    anyhow::ensure!(wallets > 0 && markets > 0 && fills >= 10, "there is nothing to fold");
    let mut world = World::new(fills, wallets, markets);
    let mut history = History::new(ELIGIBILITY);
    world.markets().for_each(|market| history.learn(&market));
    let mut facts: Vec<Fact> = Vec::with_capacity(BATCH);
    let (mut total, mut tenth) = (Duration::ZERO, (0u64, Duration::ZERO));
    let mut rates = Vec::new();
    let mut folded = 0;
    while folded < fills {
        facts.clear();
        let count = world.fill(&mut facts, BATCH);
        let begun = Instant::now();
        history.apply_batch(&facts);
        let taken = begun.elapsed();
        (folded, total) = (folded + count, total + taken);
        tenth = (tenth.0 + count, tenth.1 + taken);
        if tenth.0 * 10 >= fills {
            rates.push(tenth.0 as f64 / tenth.1.as_secs_f64() / 1e6);
            tenth = (0, Duration::ZERO);
        }
    }
    if tenth.0 > 0 {
        rates.push(tenth.0 as f64 / tenth.1.as_secs_f64() / 1e6);
    }
    let pid = std::process::id();
    say(&format!(
        "fold       {folded} fills of {} wallets in {markets} markets: {:.2} M fills/s, {:.1} s",
        history.wallets(),
        folded as f64 / total.as_secs_f64() / 1e6,
        total.as_secs_f64(),
    ));
    let rates: Vec<String> = rates.iter().map(|rate| format!("{rate:.2}")).collect();
    say(&format!("           by tenth of the run, M fills/s: {}", rates.join(" ")));
    say(&format!(
        "           {:.0} MB resident, {:.0} MB at most",
        memory(pid).unwrap_or(f64::NAN),
        peak_memory(pid).unwrap_or(f64::NAN),
    ));
    Ok(())
}
