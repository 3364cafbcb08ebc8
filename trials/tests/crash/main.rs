//! The executor, trading in earnest with a simulated venue, killed at every step between a decision and its settlement
//! and at random moments: whenever it comes to rest, the database says what the venue and the chain say, to the
//! micro-dollar, and nothing was done twice.
//!
//! Everything random comes from `CRASH_SEED`, which a failure shows; `CRASH_KILLS` is how often to kill, and
//! `CRASH_STEP` names the only step to kill at.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../shared/books.rs"]
mod books;
mod landing;
#[path = "../shared/process.rs"]
#[expect(dead_code, reason = "others wait for the end of theirs")]
mod process;
#[path = "../shared/scene.rs"]
mod scene;
mod step;
#[path = "../shared/story.rs"]
mod story;

use std::collections::BTreeMap;
use std::env;
use std::str::FromStr;
use std::time::Instant;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use landing::Landings;
use scene::Scene;
use step::STEPS;

/// The most kills from one rest to the next.
const KILLS_A_ROUND: u32 = 3;

/// So many kills strike every place there is on the way.
const MANY: u32 = 150;

fn setting<T: FromStr>(name: &str) -> Option<T> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_often_the_executor_is_killed_nothing_is_lost_and_nothing_done_twice() {
    let seed: u64 = setting("CRASH_SEED").unwrap_or(1);
    let wanted: u32 = setting("CRASH_KILLS").unwrap_or(36);
    let only: Option<String> = setting("CRASH_STEP");
    let steps: Vec<&step::Step> =
        STEPS.iter().filter(|step| only.as_ref().is_none_or(|only| step.name == only)).collect();
    assert!(!steps.is_empty(), "no step is called {only:?}");
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut scene = Scene::begin(seed, 2.0).await;
    let (mut killed, mut rests, begun) = (0, 0, Instant::now());
    let mut times = BTreeMap::<&str, u32>::new();
    let mut landings = Landings::default();
    while killed < wanted {
        for _ in 0..dice.random_range(1..=KILLS_A_ROUND.min(wanted - killed)) {
            let step = steps[usize::try_from(killed).unwrap() % steps.len()];
            println!("CRASH_SEED={seed} kill {killed}: {}", step.name);
            let struck = step.play(&mut scene, &mut dice, &mut landings).await;
            println!("  struck where {}", struck.into_iter().collect::<Vec<_>>().join("; "));
            killed += 1;
            *times.entry(step.name).or_default() += 1;
        }
        let sum = scene.rest().await;
        rests += 1;
        println!("  true: {sum}; killed {killed} times, {:.0} s", begun.elapsed().as_secs_f64());
    }
    let sum = scene.end().await;
    println!("| killed at | times |\n|---|---|");
    for (name, times) in times {
        println!("| {name} | {times} |");
    }
    println!("| struck where | times |\n|---|---|");
    for (place, times) in landings.iter() {
        println!("| {place} | {times} |");
    }
    println!("{killed} kills, {rests} rests: {sum}");
    assert!(sum.orders > 0 && sum.matches > 0, "nothing was traded: {sum}");
    let missed = landings.missed();
    assert!(only.is_some() || killed < MANY || missed.is_empty(), "no kill struck where {missed:?}");
}
