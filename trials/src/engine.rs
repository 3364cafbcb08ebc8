//! One step of the engine, with a million scored wallets and a thousand watched markets: how long it takes, by what it
//! was told, and how much memory all of it takes.

mod crowd;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Parser as _;
use decision::portfolio::Holdings;
use decision::{Command, Engine, Event, EventKind, Last, Record, venue};
use domain::{Timestamp, Verdict};
use orderflow_executor::StrategySettings;

use crate::machine::{memory, peak_memory, quantile, say};
use crowd::Crowd;

/// How many verdicts are told at once, while the engine is filled and in each pass afterwards.
const PASS: u32 = 2_000;
/// How long fills run before any step counts: longer than the engine looks back, so that every tape is full.
const WARM_UP: i64 = 370 * Timestamp::MINUTE;
/// How often the engine is told the time, and new verdicts.
const TICK: i64 = 10 * 1_000_000;
const SCORES: i64 = 5 * Timestamp::MINUTE;
/// How often a market is answered, and another one takes its place.
const ANSWER: i64 = Timestamp::MINUTE;

/// The settings a user has who sets nothing.
#[derive(Debug, clap::Parser)]
struct Defaults {
    #[command(flatten)]
    strategy: StrategySettings,
}

/// The engine, the crowd that trades before it, and what its steps took.
struct Desk {
    engine: Engine,
    crowd: Crowd,
    at: Timestamp,
    /// Durations by what the engine was told, once they count.
    taken: BTreeMap<&'static str, Vec<Duration>>,
    counts: bool,
    records: BTreeMap<&'static str, u64>,
}

/// Steps the engine through at least `events` events of a crowd that trades at `rate` fills a second.
pub(crate) fn run(events: usize, wallets: u32, markets: u32, rate: u32) -> anyhow::Result<()> {
    anyhow::ensure!(events > 0 && wallets > 0 && markets > 1 && rate > 0, "there is nothing to step through");
    let policy = Defaults::try_parse_from(["engine"])?.strategy.policy();
    let mut desk = Desk {
        engine: Engine::new(policy, Holdings::default(), Last::default()),
        crowd: Crowd::new(wallets, markets),
        at: crowd::BEGIN,
        taken: BTreeMap::new(),
        counts: false,
        records: BTreeMap::new(),
    };
    desk.fill_with(wallets, markets);
    let empty = memory(std::process::id()).unwrap_or(f64::NAN);
    desk.trade_until(rate, |desk| crowd::BEGIN.plus_micros(WARM_UP) <= desk.at);
    desk.counts = true;
    desk.trade_until(rate, |desk| events <= desk.taken.values().map(Vec::len).sum());
    say(&format!(
        "engine     {wallets} scored wallets, {markets} watched markets, {rate} fills/s, {:.0} minutes of tape before",
        WARM_UP as f64 / Timestamp::MINUTE as f64
    ));
    desk.print(empty);
    Ok(())
}

impl Desk {
    /// What is known before anybody trades.
    fn fill_with(&mut self, wallets: u32, markets: u32) {
        for number in 0..markets {
            self.engine.learn(&self.crowd.market(number));
        }
        let mut verdicts: Vec<Verdict> = vec![];
        for first in (0..wallets).step_by(usize::try_from(PASS).unwrap_or(1)) {
            verdicts.clear();
            verdicts.extend((first..wallets.min(first + PASS)).map(|wallet| self.crowd.verdict(wallet)));
            self.engine.rate(&verdicts);
        }
    }

    /// Lets the crowd trade, and the world's other news come in between.
    fn trade_until(&mut self, rate: u32, is_over: impl Fn(&Self) -> bool) {
        let pause = 1_000_000 / i64::from(rate);
        let every = |at: Timestamp, period: i64| at.micros() / period != (at.micros() - pause) / period;
        while !is_over(self) {
            self.at = self.at.plus_micros(pause);
            let (at, block_time) = (self.at, Timestamp::from_seconds(self.at.seconds() - 1));
            let fill = self.crowd.fill();
            self.tell("fill", EventKind::Fill { fill, block_time });
            if every(at, TICK) {
                self.tell("tick", EventKind::Tick);
            }
            if every(at, SCORES) {
                let verdicts = self.crowd.pass(PASS);
                self.tell("scores", EventKind::Scores(verdicts));
            }
            if every(at, ANSWER) {
                let (condition, payouts, next) = self.crowd.answer();
                self.tell("result", EventKind::Resolved { condition, payouts });
                self.tell("market", EventKind::Market(next));
            }
        }
    }

    /// Steps the engine, and answers what it asks as a venue would.
    fn tell(&mut self, name: &'static str, kind: EventKind) {
        let event = Event { at: self.at, kind };
        let begun = Instant::now();
        let outcome = self.engine.step(&event);
        let taken = begun.elapsed();
        if self.counts {
            self.taken.entry(name).or_default().push(taken);
            for record in &outcome.records {
                *self.records.entry(name_of(record)).or_default() += 1;
            }
        }
        for command in outcome.commands {
            self.answer(command);
        }
    }

    fn answer(&mut self, command: Command) {
        match command {
            Command::Holdings { wallet, token } => {
                let kind = EventKind::Holdings { wallet, token, as_of: self.at, held: vec![] };
                self.tell("holdings", kind);
            }
            Command::Quote(token) => {
                let book = self.crowd.book(token, self.at);
                self.tell("book", EventKind::Book(book));
            }
            Command::Place(order) => {
                let book = self.crowd.book(order.get().token, self.at);
                for news in venue::execute(&order, &book, self.at) {
                    self.tell("order", EventKind::Order(news));
                }
            }
            Command::Cancel(_) => {}
        }
    }

    fn print(&mut self, empty: f64) {
        let mut all: Vec<Duration> = self.taken.values().flatten().copied().collect();
        line("all", &mut all);
        for (name, taken) in &mut self.taken {
            line(name, taken);
        }
        let records: Vec<String> =
            self.records.iter().map(|(name, count)| format!("{count} {name}")).collect();
        say(&format!("           came of it: {}", records.join(", ")));
        let pid = std::process::id();
        say(&format!(
            "           {empty:.0} MB resident with all verdicts, {:.0} MB with full tapes, {:.0} MB at most",
            memory(pid).unwrap_or(f64::NAN),
            peak_memory(pid).unwrap_or(f64::NAN)
        ));
    }
}

fn line(name: &str, taken: &mut [Duration]) {
    taken.sort_unstable();
    let micros = |share| format!("{:.2} µs", quantile(taken, share).as_secs_f64() * 1e6);
    say(&format!(
        "           {name:<9} {:>7} steps: p50 {}, p99 {}, p99.9 {}, longest {}",
        taken.len(),
        micros(0.5),
        micros(0.99),
        micros(0.999),
        micros(1.0)
    ));
}

const fn name_of(record: &Record) -> &'static str {
    match record {
        Record::Signal(_) => "signals",
        Record::Refusal(_) => "refusals",
        Record::Order(_) => "orders",
        Record::Opened(_) => "positions",
        Record::Settled(_) => "settled",
        Record::Leaving { .. } => "leaving",
        _ => "others",
    }
}
