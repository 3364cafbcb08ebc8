//! The listener and the backfill, killed a hundred times at random moments while everything goes wrong that a
//! node can do and the chain changes its mind: whenever they come to rest, the database is what the chain is.
//!
//! Everything random comes from `FAULT_SEED`, which a failure shows; `FAULT_KILLS` is how often to kill.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../shared/database.rs"]
mod database;
#[path = "../shared/line.rs"]
mod line;
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
use world::World;

/// The most kills in a round: so there are at least 25 verdicts on a hundred.
const KILLS_A_ROUND: u32 = 4;

fn setting<T: FromStr>(name: &str, default: T) -> T {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_each_of_a_hundred_kills_the_database_is_what_the_chain_is() {
    let (seed, wanted): (u64, u32) = (setting("FAULT_SEED", 1), setting("FAULT_KILLS", 100));
    let world = World::start(seed).await;
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let combinations = WORKS.len() * WIRES.len();
    let mut killed = 0;
    for number in (0..).take_while(|_| true) {
        if killed >= wanted {
            break;
        }
        // The one before last is coprime to the number of combinations: all pairs come in time.
        let trouble = &TROUBLES[number % TROUBLES.len()];
        let combination = (number + number / TROUBLES.len()) % combinations;
        let (work, wire) = (WORKS[combination % WORKS.len()], WIRES[combination / WORKS.len()]);
        println!("FAULT_SEED={seed} round {number}: {}, {work:?} over {wire:?}", trouble.name);
        let begun = Instant::now();
        let dice = ChaCha8Rng::seed_from_u64(dice.random());
        let kills = KILLS_A_ROUND.min(wanted - killed);
        killed += Round { world: &world, trouble, work, wire, kills, dice }.play().await;
        println!("  killed {killed} times in all; took {:.1} s", begun.elapsed().as_secs_f64());
    }
}
