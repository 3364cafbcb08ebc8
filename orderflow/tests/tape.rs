//! A recorded tape through the whole system, as a user plays it: the binary, a private PostgreSQL, `psql`.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod desk;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use desk::{Desk, json, stderr, tape, wallet};
use store::halts::{self, HaltKind};

/// Σ sells − Σ buys + remaining shares of winners, from the files alone.
fn cash_and_payout(folder: &Path, who: &str) -> f64 {
    let read = |file: &str| -> Vec<Vec<String>> {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
    };
    let resolutions = read("resolutions.csv");
    let wins = |market: &str, outcome: &str| {
        resolutions.iter().any(|resolution| resolution[0] == market && resolution[2] == outcome)
    };
    let mut total = 0.0;
    for trade in read("trades.csv").iter().filter(|trade| trade[1] == who) {
        let (shares, usd): (f64, f64) = (trade[5].parse().unwrap(), trade[6].parse().unwrap());
        let sign = if trade[4] == "BUY" { 1.0 } else { -1.0 };
        total += sign * (if wins(&trade[2], &trade[3]) { shares } else { 0.0 } - usd);
    }
    total
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tape_is_traded_settled_and_not_traded_twice() {
    let desk = Desk::new().await;
    let first = desk.replay();
    assert_eq!(first["trades"], 40 * 11);
    assert_eq!(first["wallets"], 10);
    assert_eq!((&first["markets"], &first["resolved_markets"]), (&40.into(), &40.into()));
    assert!(first["signals"]["follow_whale"].as_i64().unwrap() > 5, "{first}");
    let positions = &first["positions"];
    assert!(positions["won"].as_i64().unwrap() > 5, "{first}");
    assert_eq!(positions["open"], 0);
    assert!(first["pnl_usd"].as_f64().unwrap() > 0.0);

    assert_eq!(desk.replay(), first);
    assert_eq!(desk.psql("SELECT count(*) FROM orderflow_trades"), "440");

    let other = Desk::new().await;
    assert_eq!(other.replay(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallets_result_ties_to_cash_and_payouts() {
    let desk = Desk::new().await;
    desk.replay();
    for who in [1, 2, 10, 11, 17].map(wallet) {
        let shown = json(&desk.run(&["wallet", &who, "--json"]));
        let expected = cash_and_payout(&desk.path(), &who);
        assert!((shown["total_pnl_usd"].as_f64().unwrap() - expected).abs() < 0.005, "{who}: {shown}");
        let factors = [
            ("win_rate_score", 0.40),
            ("profit_factor_score", 0.30),
            ("consistency_score", 0.15),
            ("volume_score", 0.10),
            ("timing_score", 0.05),
        ];
        let total: f64 = factors.iter().map(|(name, weight)| shown[*name].as_f64().unwrap() * weight).sum();
        assert!((shown["reputation_score"].as_f64().unwrap() - total).abs() < 0.001, "{shown}");
    }
    assert_eq!(json(&desk.run(&["wallet", &wallet(1), "--json"]))["trader_tier"], "WHALE");
    assert_eq!(json(&desk.run(&["wallet", &wallet(2), "--json"]))["trader_tier"], "DEGEN");
    let unknown = desk.run(&["wallet", &wallet(4_000)]);
    assert!(!unknown.status.success() && stderr(&unknown).contains("no verdict"));
}

/// The whole tape against its money, by the command that does it for any tape.
#[tokio::test(flavor = "multi_thread")]
async fn every_wallet_is_verified_against_its_money() {
    let desk = Desk::new().await;
    // One sells what nobody saw it buy, and one holds shares of what has no result.
    let (trades, resolutions) = tape();
    let at = "2022-01-05T10:30:00Z";
    let (short, holder) = (wallet(70), wallet(71));
    let more = format!("{at},{short},market_4,Yes,SELL,9,4.5\n{at},{holder},open,Yes,BUY,10,3.3\n");
    desk.write("trades.csv", &format!("{trades}{more}"));
    desk.write("resolutions.csv", &format!("{resolutions}open,Yes|No,,\n"));
    let verify = || desk.run(&["replay", desk.path().to_str().unwrap(), "--verify", "--json"]);
    let tie = &json(&verify())["tie"];
    assert_eq!((&tie["compared"], &tie["tied"]), (&10.into(), &10.into()), "{tie}");
    assert_eq!((&tie["left_out_oversold"], &tie["left_out_open"]), (&1.into(), &1.into()), "{tie}");
    assert!(tie["largest_difference_usd"].as_f64().unwrap() < 0.005, "{tie}");

    // A cent too much is too much, and a verdict too few as well.
    let who = wallet(11);
    let add = format!(
        "UPDATE orderflow_wallet_stats SET total_pnl_usd = total_pnl_usd + 0.01 WHERE wallet_address = '{who}'"
    );
    desk.psql(&add);
    let output = verify();
    let message = stderr(&output);
    assert!(!output.status.success() && message.contains("1 of 10 wallets do not tie"), "{message}");
    assert!(message.contains(&who), "{message}");
    desk.psql(&format!("DELETE FROM orderflow_wallet_stats WHERE wallet_address = '{who}'"));
    assert!(stderr(&verify()).contains("said to have made nothing"));
}

/// Killed at many moments, a replay goes on and comes to the end of an undisturbed one.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_replay_comes_to_the_same_end() {
    let undisturbed = Desk::new().await.replay();
    let desk = Desk::new().await;
    let mut in_the_middle = 0;
    for round in 1..=12u64 {
        let mut child = desk
            .command(&["replay", desk.path().to_str().unwrap(), "--json"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(40 + 35 * round));
        // A replay that is through already cannot be killed any more, which is as good.
        let _ = child.kill();
        child.wait().unwrap();
        let known = desk.psql("SELECT CASE WHEN to_regclass('orderflow_trades') IS NULL THEN 0 ELSE 1 END");
        if known == "1" {
            let trades: u32 = desk.psql("SELECT count(*) FROM orderflow_trades").parse().unwrap();
            in_the_middle += u32::from((1..440).contains(&trades));
        }
    }
    assert!(0 < in_the_middle, "no replay was killed in its middle");
    assert_eq!(desk.replay(), undisturbed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_row_is_named_and_leaves_the_database_as_it_was() {
    let desk = Desk::new().await;
    let before = desk.replay();
    let (good, resolutions) = tape();
    let line = |bad: &str| format!("{good}{bad}\n");
    let market = "market_0,Yes";
    let who = wallet(1);
    let at = "2022-03-01T10:00:00Z";
    for (row, field, value) in [
        (format!("yesterday,{who},{market},BUY,1,1"), "timestamp", "yesterday"),
        (format!("{at},0x12,{market},BUY,1,1"), "wallet", "0x12"),
        (format!("{at},{who},nowhere,Yes,BUY,1,1"), "market", "nowhere"),
        (format!("{at},{who},market_0,Maybe,BUY,1,1"), "outcome", "Maybe"),
        (format!("{at},{who},{market},HOLD,1,1"), "side", "HOLD"),
        (format!("{at},{who},{market},BUY,-3,1"), "shares", "-3"),
        (format!("{at},{who},{market},BUY,1,1e9"), "usd", "1e9"),
        (format!("{at},{who},{market},BUY,1"), "whole line", "1"),
    ] {
        desk.write("trades.csv", &line(&row));
        let output = desk.run(&["replay", desk.path().to_str().unwrap(), "--json"]);
        let message = stderr(&output);
        assert!(!output.status.success(), "{row}");
        for part in ["trades.csv", "line 442", field, value] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
    desk.write("trades.csv", &good);
    desk.write("resolutions.csv", &resolutions.replace("market_7,Yes|No,Yes", "market_7,Yes|No,Perhaps"));
    let message = stderr(&desk.run(&["replay", desk.path().to_str().unwrap()]));
    assert!(message.contains("resolutions.csv, line 9") && message.contains("Perhaps"), "{message}");
    desk.write("resolutions.csv", &resolutions);
    assert_eq!(desk.replay(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_past_is_refused() {
    let desk = Desk::new().await;
    desk.replay();
    let (trades, _) = tape();
    desk.write("trades.csv", &trades.replace(",2000,1000\n", ",2000,900\n"));
    let output = desk.run(&["replay", desk.path().to_str().unwrap(), "--json"]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("another tape"), "{}", stderr(&output));
}

/// Applied by `psql` and by the programs, in either order and again, the schema stays whole; and the
/// strategy's own queries run on it unchanged.
#[tokio::test(flavor = "multi_thread")]
async fn the_schema_applies_both_ways_and_the_queries_run() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");
    let desk = Desk::new().await;
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let apply = || {
        for file in &files {
            let output = Command::new(store::managed::psql().unwrap())
                .args([desk.database.url(), "-v", "ON_ERROR_STOP=1", "-qf", file.to_str().unwrap()])
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", stderr(&output));
        }
    };
    apply();
    apply();
    let summary = desk.replay();
    apply();
    // The trades are a view by now, of the same columns.
    let tables = "SELECT count(*) FROM information_schema.tables
                  WHERE table_schema = 'public'
                    AND table_name = ANY (ARRAY['orderflow_blocks', 'orderflow_trades', 'orderflow_markets',
                        'orderflow_wallet_positions', 'orderflow_wallet_stats', 'orderflow_score_history',
                        'orderflow_signals', 'orderflow_orders', 'orderflow_positions', 'orderflow_controls'])";
    assert_eq!(desk.psql(tables), "10");

    let whales = desk.psql(
        "SELECT wallet_address, reputation_score, win_rate, total_pnl_usd, total_trades, trader_tier
         FROM orderflow_wallet_stats WHERE trader_tier = 'WHALE' ORDER BY reputation_score DESC LIMIT 20;",
    );
    assert!(whales.contains(&wallet(1)), "{whales}");
    // The tape is of 2022: its signals are moved to today, so that the windows of the last hours and days hold them.
    desk.psql("UPDATE orderflow_signals SET created_at = now() - interval '1 hour'");
    let recent = desk.psql(
        "SELECT id, signal_type, market_title, outcome, confidence, status, profit_loss_usd, created_at
         FROM orderflow_signals WHERE created_at > NOW() - INTERVAL '24 hours' ORDER BY created_at DESC;",
    );
    assert_eq!(recent.lines().count().to_string(), desk.psql("SELECT count(*) FROM orderflow_signals"));
    let days = desk.psql(
        "SELECT DATE(created_at) as date, COUNT(*) as signals,
                COUNT(CASE WHEN outcome_status = 'WIN' THEN 1 END) as wins,
                AVG(profit_loss_usd) as avg_profit, SUM(profit_loss_usd) as total_pnl
         FROM orderflow_signals
         WHERE created_at > NOW() - INTERVAL '7 days' AND outcome_status IN ('WIN', 'LOSS')
         GROUP BY DATE(created_at) ORDER BY date DESC;",
    );
    let (wins, total) = (summary["positions"]["won"].to_string(), summary["pnl_usd"].as_f64().unwrap());
    let columns: Vec<&str> = days.lines().next().unwrap().split('|').collect();
    assert_eq!(columns[2], wins);
    assert!((columns[4].parse::<f64>().unwrap() - total).abs() < 0.000_001, "{days}");
    let settled = desk.psql(
        "SELECT count(*) FROM orderflow_signals s JOIN orderflow_positions p USING (id)
         WHERE s.status = 'SETTLED' AND s.profit_loss_usd = p.pnl_usd
           AND (s.outcome_status = 'WIN') = (p.status = 'WON')",
    );
    assert_eq!(settled, desk.psql("SELECT count(*) FROM orderflow_positions WHERE status <> 'OPEN'"));
    for table in ["orderflow_wallet_stats ORDER BY reputation_score", "orderflow_signals ORDER BY created_at"]
    {
        desk.psql(&format!("SELECT * FROM {table} DESC LIMIT 10"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_tables_for_people_and_json_for_scripts() {
    let desk = Desk::new().await;
    desk.replay();
    for list in ["wallets", "signals", "positions"] {
        let rows = json(&desk.run(&[list, "--top", "3", "--json"]));
        assert_eq!(rows.as_array().unwrap().len(), 3, "{list}");
        let table = String::from_utf8(desk.run(&[list, "--top", "3"]).stdout).unwrap();
        // A wallet has lines below it for what its numbers are made of; a signal is a card.
        let is_row = |line: &&str| match list {
            "signals" => line.contains(" SIGNAL #"),
            "wallets" => !line.starts_with(' '),
            _ => true,
        };
        assert_eq!(table.lines().filter(is_row).count(), if list == "signals" { 3 } else { 4 }, "{table}");
    }
    assert!(desk.run(&["pause"]).status.success());
    assert_eq!(desk.psql("SELECT paused FROM orderflow_controls"), "t");
    assert!(desk.run(&["resume"]).status.success());
    assert_eq!(desk.psql("SELECT paused FROM orderflow_controls"), "f");

    // What stops trading is told with its reason, until a person lifts it.
    let store = store::Store::connect(desk.database.url()).await.unwrap();
    let banned = "banned: 'address' address banned";
    halts::halt(&mut store.connection().await.unwrap(), HaltKind::Banned, banned).await.unwrap();
    assert!(desk.run(&["kill", "a drill"]).status.success());
    let stops = || {
        let said = String::from_utf8(desk.run(&["status"]).stdout).unwrap();
        said.lines().filter(|line| line.starts_with("STOPPED")).map(str::to_owned).collect::<Vec<_>>()
    };
    let said = stops();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("a drill") && said[1].contains(banned), "{said:?}");
    let told = json(&desk.run(&["status", "--json"]));
    assert_eq!(told["trading"]["halts"][0]["kind"], "BANNED");
    assert!(desk.run(&["lift"]).status.success());
    assert_eq!(stops(), Vec::<String>::new());
}
