//! The listener and the backfill, killed a hundred times at random moments while everything goes wrong that a
//! node can do and the chain changes its mind: whenever they come to rest, the database is what the chain is.
//!
//! Everything random comes from `FAULT_SEED`, which a failure shows; `FAULT_KILLS` is how often to kill, and
//! `FAULT_ROUND` plays a single round.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../shared/database.rs"]
mod database;
#[path = "../shared/line.rs"]
mod line;
mod malformed;
#[path = "../shared/process.rs"]
mod process;
mod round;
mod trouble;
mod verdict;
mod world;

use std::env;
use std::str::FromStr;
use std::time::Instant;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use round::{Round, WIRES, WORKS};
use trouble::TROUBLES;

/// The most kills in a round: so there are at least 25 verdicts on a hundred.
const KILLS_A_ROUND: u32 = 4;

fn setting<T: FromStr>(name: &str) -> Option<T> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_each_of_a_hundred_kills_the_database_is_what_the_chain_is() {
    let seed: u64 = setting("FAULT_SEED").unwrap_or(1);
    let wanted = setting("FAULT_KILLS").unwrap_or(100);
    let only: Option<usize> = setting("FAULT_ROUND");
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let (mut killed, mut verdicts) = (0, 0);
    for number in 0.. {
        let dice = ChaCha8Rng::seed_from_u64(dice.random());
        if only.is_some_and(|only| only != number) {
            continue;
        }
        // Everything that goes wrong meets, in the course of time, every way to work over every wire.
        let trouble = &TROUBLES[number % TROUBLES.len()];
        let way = number + number / TROUBLES.len();
        let (work, wire) = (WORKS[way % WORKS.len()], WIRES[way / WORKS.len() % WIRES.len()]);
        println!("FAULT_SEED={seed} FAULT_ROUND={number}: {}, {work:?} over {wire:?}", trouble.name);
        let begun = Instant::now();
        let kills = KILLS_A_ROUND.min(wanted - killed);
        let seed = seed.wrapping_add(u64::try_from(number).unwrap());
        let outcome = Round { seed, trouble, work, wire, kills, dice }.play().await;
        killed += outcome.kills;
        verdicts += outcome.verdicts;
        println!(
            "  {} fills true; killed {killed} times in all; took {:.1} s",
            outcome.fills,
            begun.elapsed().as_secs_f64()
        );
        if killed >= wanted || only.is_some() {
            break;
        }
    }
    assert!(only.is_some() || verdicts * KILLS_A_ROUND >= wanted, "{verdicts} verdicts on {killed} kills");
}
