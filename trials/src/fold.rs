//! Folding a synthetic history in memory: how many fills a second become wallets' records, and whether it stays so.

mod crowd;
mod draw;
mod shares;
pub(crate) mod world;

use std::time::{Duration, Instant};

use decision::{Eligibility, History};
use domain::Fact;

use crate::machine::{memory, peak_memory, processor_time, say};
use shares::Shares;
use world::World;

/// As many facts as a caller hands over at once: what is made of them goes wallet by wallet, so that a larger batch
/// comes back to each for more.
const BATCH: usize = 1 << 20;

/// The published thresholds; the fold itself does not ask for them.
pub(crate) const ELIGIBILITY: Eligibility = Eligibility { decisions: 30, events: 15, active_days: 21 };

/// What folding took.
#[derive(Clone, Copy, Default)]
struct Taken {
    fills: u64,
    wall: Duration,
    processor: Duration,
}

impl Taken {
    fn add(&mut self, other: Self) {
        self.fills += other.fills;
        self.wall += other.wall;
        self.processor += other.processor;
    }

    /// Millions of fills a second.
    fn rate(&self) -> f64 {
        self.fills as f64 / self.wall.as_secs_f64() / 1e6
    }

    /// Processor time for a fill, in microseconds: of all threads together, and hardly touched by who else is busy.
    fn cost(&self) -> f64 {
        self.processor.as_secs_f64() * 1e6 / self.fills as f64
    }
}

/// Folds `fills` fills of as many wallets and markets, made batch by batch between the measured parts: with trade as
/// concentrated as in life, or `even`.
pub(crate) fn run(fills: u64, wallets: u32, markets: u32, even: bool) -> anyhow::Result<()> {
    anyhow::ensure!(wallets > 0 && markets > 0 && fills >= 10, "there is nothing to fold");
    let new = if even { World::even } else { World::new };
    let mut world = new(fills, wallets, markets);
    let mut history = History::new(ELIGIBILITY);
    world.markets().for_each(|market| history.learn(&market));
    let mut facts: Vec<Fact> = Vec::with_capacity(BATCH);
    let (mut total, mut tenth) = (Taken::default(), Taken::default());
    let mut tenths = Vec::new();
    while total.fills < fills {
        facts.clear();
        let count = world.fill(&mut facts, BATCH);
        let mut taken = measured(|| history.apply_batch(&facts));
        taken.fills = count;
        total.add(taken);
        tenth.add(taken);
        if tenth.fills * 10 >= fills || total.fills >= fills {
            tenths.push(std::mem::take(&mut tenth));
        }
    }
    let each = |of: fn(&Taken) -> f64| {
        let texts: Vec<String> = tenths.iter().map(|tenth| format!("{:.2}", of(tenth))).collect();
        texts.join(" ")
    };
    let pid = std::process::id();
    say(&format!(
        "fold       {} fills of {} wallets in {markets} markets: {:.2} M fills/s, {:.1} s, {:.2} µs of a processor each",
        total.fills,
        history.wallets(),
        total.rate(),
        total.wall.as_secs_f64(),
        total.cost(),
    ));
    say(&format!("           {}", concentration(world.shares())));
    say(&format!("           by tenth of the run, M fills/s: {}", each(Taken::rate)));
    say(&format!("           by tenth of the run, µs a fill: {}", each(Taken::cost)));
    say(&format!(
        "           {:.0} MB resident, {:.0} MB at most",
        memory(pid).unwrap_or(f64::NAN),
        peak_memory(pid).unwrap_or(f64::NAN),
    ));
    Ok(())
}

/// What a world says of who trades in it.
fn concentration(shares: &Shares) -> String {
    let parts = shares.busiest().into_iter().map(|(people, made)| format!("{people} % make {made:.0} %"));
    let parts: Vec<String> = parts.collect();
    format!(
        "of all fills the busiest {}; {} wallets make none; half of a wallet's fills come within {} of its last one, \
         nine in ten within {}",
        parts.join(", "),
        shares.idle(),
        shares.within(0.5),
        shares.within(0.9),
    )
}

fn measured(work: impl FnOnce()) -> Taken {
    let used = || processor_time(std::process::id()).unwrap_or_default();
    let (begun, before) = (Instant::now(), used());
    work();
    Taken { fills: 0, wall: begun.elapsed(), processor: used().saturating_sub(before) }
}
