//! Whether the database is what the chain is.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde_json::json;

use crate::database::Database;
use crate::line::{Line, assert_same};
use crate::world::World;

/// Asserts that the database has the blocks of a range as they are, and nothing twice. `knows_receipts`: the
/// portal sends none, so that deeds told by a receipt alone stay out. How many fills there are.
pub(crate) async fn assert_true(
    world: &World,
    database: &Database,
    blocks: RangeInclusive<u64>,
    knows_receipts: bool,
) -> usize {
    let within = |lines: Vec<Line>| -> Vec<Line> {
        lines.into_iter().filter(|line| blocks.contains(&line.block)).collect()
    };
    let fills = within(world.fills());
    assert_same("the fills", &fills, &within(database.fills().await));
    let (truth, found) = (within(world.ledger()), within(database.ledger().await));
    if knows_receipts {
        assert_same("the ledger", &truth, &found);
    } else {
        let told: Vec<Line> = truth.into_iter().filter(|line| found.binary_search(line).is_ok()).collect();
        assert_same("the ledger that a portal tells", &told, &found);
    }
    let canonical: BTreeSet<String> = world.hashes().iter().map(ToString::to_string).collect();
    let orphans = database.orphans().await;
    let is_canonical =
        |line: &&Line| line.text.split(' ').next().is_some_and(|hash| canonical.contains(hash));
    assert_eq!(orphans.iter().find(is_canonical), None, "a fill is orphaned and canonical");
    fills.len()
}

/// Asserts that every block up to the head is covered, and that `orderflow status` says so.
pub(crate) async fn assert_complete(world: &World, database: &Database) {
    let status = database.status().await;
    let head = world.head().number;
    let said = json!([
        status["complete_from"],
        status["complete_to"],
        status["live_block"],
        status["newest_block"],
        status["holes"]
    ]);
    assert_eq!(said, json!([world.devnet.first_block(), head, head, head, []]), "{status:#}");
    let conditions = database.conditions().await;
    let missing: Vec<String> = world.conditions().difference(&conditions).take(3).cloned().collect();
    assert!(missing.is_empty(), "conditions are missing: {missing:?}");
}
