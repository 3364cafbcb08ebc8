//! Everything the venue can answer, and everything that can become of an answer on its way: the executor trades in
//! earnest while each row of the venue's error table happens to it once, and afterwards the database says what the
//! venue and the chain say.
//!
//! `CHAOS_SEED` is the world's seed, and `CHAOS_ROW` parts of the names of the only rows to play, with `|` between them.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../shared/books.rs"]
mod books;
#[path = "../shared/process.rs"]
#[expect(dead_code, reason = "others wait for the end of theirs")]
mod process;
mod row;
#[path = "../shared/scene.rs"]
mod scene;
#[path = "../shared/story.rs"]
mod story;
mod table;

use std::env;
use std::str::FromStr;

use scene::Scene;
use table::ROWS;

fn setting<T: FromStr>(name: &str) -> Option<T> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_each_row_of_the_error_table_the_database_is_what_the_venue_is() {
    let seed = setting("CHAOS_SEED").unwrap_or(1);
    let only: String = setting("CHAOS_ROW").unwrap_or_default();
    let mut scene = Scene::begin(seed, 1.0).await;
    let mut said = vec![];
    for row in ROWS.iter().filter(|row| only.split('|').any(|part| row.name.contains(part))) {
        let done = row.play(&mut scene).await;
        let sum = scene.rest().await;
        let line = format!("| {} | {done} | {sum} |", row.name);
        println!("CHAOS_SEED={seed} {line}");
        said.push(line);
    }
    let sum = scene.end().await;
    println!("| the venue | what was done | state |\n|---|---|---|\n{}", said.join("\n"));
    assert!(!said.is_empty(), "no row is called {only}");
    assert!(sum.orders > 0, "nothing was ordered: {sum}");
}
