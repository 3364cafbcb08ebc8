//! Answers that are none are counted with their source, logs that cannot be read are kept aside with theirs, and
//! `orderflow status` shows both; what was garbled is read after all once it is final.

use std::path::Path;
use std::time::Duration;

use devnet::{Devnet, Faults, WrongAnswers};
use serde_json::Value;
use tokio::time::sleep;

use crate::database::Database;
use crate::process::Process;
use crate::verdict::{assert_complete, assert_true};
use crate::world::{FINALITY, World};

/// What nodes say instead of an answer, and how `orderflow status` words it.
const NO_ANSWERS: &[(&str, WrongAnswers)] = &[
    ("a web page", WrongAnswers { html: 0.4, ..NOTHING }),
    ("half an answer", WrongAnswers { half: 0.4, ..NOTHING }),
    ("a number for a text", WrongAnswers { wrong_type: 0.4, ..NOTHING }),
];
/// Every answer has a log whose data is a byte short, however often it is asked for.
const BAD_LENGTHS: WrongAnswers = WrongAnswers { bad_length: 1.0, ..NOTHING };
const NOTHING: WrongAnswers =
    WrongAnswers { html: 0.0, half: 0.0, wrong_type: 0.0, bad_length: 0.0, other_id: 0.0 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_answers_are_counted_kept_aside_and_read_after_all() {
    let world = World::start(2).await;
    let (database, folder) = (Database::create().await, tempfile::tempdir().unwrap());
    // Not audited meanwhile: whoever garbles every answer garbles the second reading as well.
    let mut listener = start(&world.devnet, &database, folder.path(), "3600");
    let database = &database;
    let mut counted = 0;
    for (what, wrong) in NO_ANSWERS {
        world.devnet.set_faults(Faults { wrong: *wrong, ..Faults::default() });
        let before = counted;
        listener.until(what, async || bad_answers(&database.status().await) > before).await;
        counted = bad_answers(&database.status().await);
    }
    world.devnet.set_faults(Faults { wrong: BAD_LENGTHS, ..Faults::default() });
    listener.until("logs kept aside", async || kept_aside(&database.status().await) >= 5).await;
    let status = database.status().await;
    let nodes = nodes(&world.devnet);
    assert_eq!(sources(&status["bad_answers"]["by_source"], "endpoint", &nodes), nodes.len(), "{status:#}");
    assert!(sources(&status["quarantine"]["by_source"], "source", &nodes) > 0, "{status:#}");

    world.behave();
    assert!(listener.kill().await, "the listener ended by itself");
    let mut listener = start(&world.devnet, database, folder.path(), "1");
    let concerned = world.head().number;
    while world.head().number <= concerned + FINALITY {
        sleep(Duration::from_millis(50)).await;
    }
    world.devnet.pause(true);
    let head = world.head();
    listener.until("the head", async || database.is_at(head.hash).await).await;
    listener
        .until("the audit", async || database.is_audited(world.devnet.first_block()..=concerned).await)
        .await;
    assert_true(&world, database, world.devnet.first_block()..=head.number, true).await;
    assert_complete(&world, database).await;
    let status = database.status().await;
    assert!(status["audit"]["missing_healed"].as_u64().unwrap() > 0, "{status:#}");
    assert!(bad_answers(&status) > 0, "what was counted stays counted: {status:#}");
    assert_eq!(database.aside_and_read().await, 0, "a log that was read is not kept aside any more");
    listener.kill().await;
}

fn start(devnet: &Devnet, database: &Database, folder: &Path, audit: &str) -> Process {
    let (from, nodes) = (devnet.first_block().to_string(), devnet.urls().rpc_http_all.join(","));
    let arguments = ["child", "listen", "--database", database.url(), "--rpc", &nodes, "--from", &from];
    let always = ["--poll", "100", "--audit", audit, "--log", "info"];
    let arguments = arguments.iter().chain(&always).map(|text| (*text).to_owned()).collect();
    Process::start(arguments, folder.join("listener"))
}

fn bad_answers(status: &Value) -> u64 {
    status["bad_answers"]["count"].as_u64().unwrap()
}

fn kept_aside(status: &Value) -> u64 {
    status["quarantine"]["logs"].as_u64().unwrap()
}

/// Host and port of each node.
fn nodes(devnet: &Devnet) -> Vec<String> {
    let host = |url: &String| url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    devnet.urls().rpc_http_all.iter().map(host).collect()
}

/// How many of the nodes are named as sources; nobody else is.
fn sources(rows: &Value, column: &str, nodes: &[String]) -> usize {
    let named: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row[column].as_str().unwrap()).collect();
    let is_node = |name: &&str| nodes.iter().any(|node| name.contains(node.as_str()));
    assert!(named.iter().all(is_node), "{named:?}");
    nodes.iter().filter(|node| named.iter().any(|name| name.contains(node.as_str()))).count()
}
