//! A tape as Parquet, and a tape that is scored without being traded on: the binary, a private PostgreSQL, `psql`.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::FileReader as _;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::Value;

/// A folder of its own for a tape, and a database of its own on the tests' server.
struct Desk {
    folder: tempfile::TempDir,
    database: store::testing::TestDatabase,
}

/// Settings under which a small tape has rated wallets.
/// Nobody trades on these tapes but those they are about.
const EASY: [(&str, &str); 5] = [
    ("MIN_RATED_DECISIONS", "3"),
    ("MIN_RATED_EVENTS", "3"),
    ("MIN_RATED_DAYS", "2"),
    ("MIN_MARKET_VOLUME_USD", "0"),
    ("MAX_ENTRY_OF_VOLUME_PCT", "100"),
];

impl Desk {
    async fn new() -> Self {
        let database = store::testing::TestDatabase::create().await;
        Self { folder: tempfile::tempdir().unwrap(), database }
    }

    async fn with_csv() -> Self {
        let desk = Self::new().await;
        let (trades, resolutions) = tape();
        fs::write(desk.path().join("trades.csv"), csv(TRADES, &trades)).unwrap();
        fs::write(desk.path().join("resolutions.csv"), csv(RESOLUTIONS, &resolutions)).unwrap();
        desk
    }

    async fn with_parquet(exact: bool) -> Self {
        let desk = Self::new().await;
        let (trades, resolutions) = tape();
        write(&desk.path().join("trades.parquet"), &trade_columns(&trades, exact));
        write(&desk.path().join("resolutions.parquet"), &resolution_columns(&resolutions));
        desk
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orderflow"));
        command.args(arguments).env("DATABASE_URL", self.database.url()).envs(EASY).stdin(Stdio::null());
        command
    }

    fn score(&self) -> Output {
        let folder = self.path().to_str().unwrap();
        self.command(&["reputation", "--tape", folder, "--json"]).output().unwrap()
    }

    fn replay(&self) -> Output {
        self.command(&["replay", self.path().to_str().unwrap(), "--json"]).output().unwrap()
    }

    fn psql(&self, statement: &str) -> String {
        let output = Command::new(store::managed::psql().unwrap())
            .args([self.database.url(), "-v", "ON_ERROR_STOP=1", "-Atc", statement])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Everything that was taken in and everything that is believed, each row once.
    // Places in the outbox are left out: a transaction that was killed takes its numbers with it.
    fn contents(&self) -> [String; 5] {
        [
            "SELECT block_number, block_hash, block_time FROM orderflow_blocks ORDER BY block_number",
            "SELECT * FROM orderflow_trades t ORDER BY t::text",
            "SELECT condition_id, title, resolved_at FROM orderflow_markets ORDER BY condition_id",
            "SELECT to_jsonb(s) - 'updated_at' - 'folded_seq' FROM orderflow_wallet_stats s ORDER BY wallet_address",
            "SELECT to_jsonb(h) - 'folded_seq' FROM orderflow_score_history h ORDER BY wallet_address, as_of",
        ]
        .map(|statement| self.psql(statement))
    }
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const TRADES: &str = "timestamp,wallet,market,outcome,side,shares,usd";
const RESOLUTIONS: &str = "market,outcomes,winner,resolved_at";

type Table = Vec<Vec<String>>;

/// Thirty markets that resolve half a day after they trade, and one that does not resolve; amounts with up to
/// six decimals, and two moments within one second.
fn tape() -> (Table, Table) {
    let (mut trades, mut resolutions) = (vec![], vec![]);
    for market in 0..31u32 {
        let day = 1 + market % 28;
        let (winner, loser) = if market % 3 == 0 { ("No", "Yes") } else { ("Yes", "No") };
        let mut trade = |at: &str, who: u32, outcome: &str, side: &str, shares: &str, usd: &str| {
            let (at, who) = (format!("2022-01-{day:02}T10:{at}Z"), format!("0x{who:040x}"));
            let row = [&at, &who, &format!("m{market}"), outcome, side, shares, usd];
            trades.push(row.map(str::to_owned).to_vec());
        };
        for crowd in 0..8u32 {
            let outcome = if crowd % 2 == 0 { "Yes" } else { "No" };
            let shares = format!("{}.{crowd}5", 100 + market);
            trade(
                &format!("{:02}:{crowd:02}", market % 28),
                10 + crowd,
                outcome,
                "BUY",
                &shares,
                "50.123457",
            );
        }
        trade("30:00.25", 1, winner, "BUY", "2000", "1000");
        trade("30:00.5", 2, loser, "BUY", "2000", "1000.000001");
        trade("40:00", 10, "Yes", "SELL", "50", "27.1");
        let mut row = vec![format!("m{market}"), "Yes|No".to_owned()];
        let result = if market == 30 {
            [String::new(), String::new()]
        } else {
            [winner.to_owned(), format!("2022-01-{day:02}T22:00:00Z")]
        };
        row.extend(result);
        resolutions.push(row);
    }
    (trades, resolutions)
}

fn csv(header: &str, rows: &Table) -> String {
    let mut text = format!("{header}\n");
    for row in rows {
        writeln!(text, "{}", row.join(",")).unwrap();
    }
    text
}

/// A Parquet column: its type as a schema writes it, and its values.
enum Data {
    Text(Vec<Option<String>>),
    Whole(Vec<i64>),
    Double(Vec<f64>),
}

type Columns = Vec<(String, Data)>;

fn text(name: &str, values: impl Iterator<Item = String>) -> (String, Data) {
    let values = values.map(|value| Some(value).filter(|value| !value.is_empty())).collect();
    (format!("optional binary {name} (STRING)"), Data::Text(values))
}

fn column(rows: &Table, index: usize) -> impl Iterator<Item = String> {
    rows.iter().map(move |row| row[index].clone())
}

/// Moments in milliseconds and money in DECIMAL; or moments as words and money in DOUBLE.
fn trade_columns(rows: &Table, exact: bool) -> Columns {
    let mut columns = vec![];
    if exact {
        let millis = column(rows, 0)
            .map(|at| domain::Timestamp::parse_rfc3339(&at).unwrap().micros() / 1_000)
            .collect();
        columns.push(("required int64 timestamp (TIMESTAMP(MILLIS,true))".to_owned(), Data::Whole(millis)));
    } else {
        columns.push(text("timestamp", column(rows, 0)));
    }
    for (index, name) in [(1, "wallet"), (2, "market"), (3, "outcome"), (4, "side")] {
        columns.push(text(name, column(rows, index)));
    }
    for (index, name) in [(5, "shares"), (6, "usd")] {
        let amounts: Vec<String> = column(rows, index).collect();
        columns.push(if exact {
            let micros =
                amounts.iter().map(|amount| amount.parse::<domain::Usd>().unwrap().micros()).collect();
            (format!("required int64 {name} (DECIMAL(18,6))"), Data::Whole(micros))
        } else {
            let doubles = amounts.iter().map(|amount| amount.parse().unwrap()).collect();
            (format!("required double {name}"), Data::Double(doubles))
        });
    }
    columns
}

fn resolution_columns(rows: &Table) -> Columns {
    ["market", "outcomes", "winner", "resolved_at"]
        .iter()
        .zip(0..)
        .map(|(name, index)| text(name, column(rows, index)))
        .collect()
}

/// Writes columns in row groups of 100 rows, compressed with zstd.
fn write(file: &Path, columns: &Columns) {
    let fields: Vec<&str> = columns.iter().map(|(field, _)| field.as_str()).collect();
    let schema = parse_message_type(&format!("message tape {{ {}; }}", fields.join("; "))).unwrap();
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder().set_compression(zstd).build();
    let output = File::create(file).unwrap();
    let mut writer = SerializedFileWriter::new(output, Arc::new(schema), Arc::new(properties)).unwrap();
    let rows = columns.iter().map(|(_, data)| data.len()).max().unwrap();
    for first in (0..rows).step_by(100) {
        let range = first..rows.min(first + 100);
        let mut group = writer.next_row_group().unwrap();
        for (_, data) in columns {
            let mut column = group.next_column().unwrap().unwrap();
            match data {
                Data::Text(values) => {
                    let values = &values[range.clone()];
                    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
                    let present: Vec<ByteArray> =
                        values.iter().flatten().map(|value| value.as_str().into()).collect();
                    column.typed::<ByteArrayType>().write_batch(&present, Some(&levels), None).unwrap();
                }
                Data::Whole(values) => {
                    column.typed::<Int64Type>().write_batch(&values[range.clone()], None, None).unwrap();
                }
                Data::Double(values) => {
                    column.typed::<DoubleType>().write_batch(&values[range.clone()], None, None).unwrap();
                }
            }
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

impl Data {
    fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Whole(values) => values.len(),
            Self::Double(values) => values.len(),
        }
    }

    fn set(&mut self, row: usize, text: &str) {
        match self {
            Self::Text(values) => values[row] = Some(text.to_owned()).filter(|text| text != "null"),
            Self::Whole(values) => values[row] = text.parse().unwrap(),
            Self::Double(values) => values[row] = text.parse().unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parquet_tape_is_the_csv_tape() {
    let (csv, exact, doubles) =
        (Desk::with_csv().await, Desk::with_parquet(true).await, Desk::with_parquet(false).await);
    let said = json(&csv.score());
    assert_eq!(said["wallets"], 10, "{said}");
    let standing = csv.psql("SELECT count(*) FROM orderflow_wallet_stats");
    assert_eq!((said["published"].to_string(), said["standing"].to_string()), (standing.clone(), standing));
    assert!(0 < said["rated"].as_u64().unwrap(), "{said}");
    assert_eq!(csv.psql("SELECT count(*) FROM orderflow_trades"), (31 * 11).to_string());
    assert_eq!(csv.psql("SELECT DISTINCT as_of = '2022-01-28 22:00:00Z' FROM orderflow_wallet_stats"), "t");
    let contents = csv.contents();
    for parquet in [&exact, &doubles] {
        assert_eq!(json(&parquet.score()), said);
        for (here, there) in parquet.contents().iter().zip(&contents) {
            assert_eq!(here, there);
        }
    }
    // Nobody traded.
    assert_eq!(csv.psql("SELECT count(*) FROM orderflow_signals"), "0");
    // Said in the other form, it is the same tape: there is nothing new in it.
    let (folder, items) = (exact.path().to_str().unwrap(), "SELECT count(*) FROM orderflow_outbox");
    let before = csv.psql(items);
    let again = csv.command(&["reputation", "--tape", folder, "--json"]).output().unwrap();
    let mut nothing_new = said;
    nothing_new["published"] = 0.into();
    assert_eq!((json(&again), csv.psql(items), csv.contents()), (nothing_new, before, contents));
    let in_words = csv.command(&["reputation", "--tape", folder]).output().unwrap();
    let in_words = String::from_utf8(in_words.stdout).unwrap();
    assert!(in_words.contains("0 verdicts published; 10 verdicts stand, "), "{in_words}");

    let (csv, parquet) = (Desk::with_csv().await, Desk::with_parquet(true).await);
    assert_eq!(json(&csv.replay()), json(&parquet.replay()));
    assert_eq!(csv.contents(), parquet.contents());
}

/// Killed at many moments, a scoring goes on and comes to the end of an undisturbed one.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_scoring_comes_to_the_same_end() {
    let undisturbed = Desk::with_csv().await;
    let said = json(&undisturbed.score());
    let desk = Desk::with_parquet(true).await;
    let mut in_the_middle = 0;
    for round in 1..=12u64 {
        let folder = desk.path().to_str().unwrap();
        let mut child = desk
            .command(&["reputation", "--tape", folder])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(40 + 30 * round));
        // One that is through already cannot be killed any more, which is as good.
        let _ = child.kill();
        child.wait().unwrap();
        if desk.psql("SELECT to_regclass('orderflow_trades') IS NULL") == "f" {
            let trades: u32 = desk.psql("SELECT count(*) FROM orderflow_trades").parse().unwrap();
            in_the_middle += u32::from((1..31 * 11).contains(&trades));
        }
    }
    assert!(0 < in_the_middle, "no scoring was killed in its middle");
    for _ in 0..2 {
        let mut stands = json(&desk.score());
        // Whether it was published by this run or by one that was killed right behind it.
        stands["published"] = said["published"].clone();
        assert_eq!(stands, said);
        assert_eq!(desk.contents(), undisturbed.contents());
        let news = "SELECT kind, count(*) FROM orderflow_outbox GROUP BY 1 ORDER BY 1";
        assert_eq!(desk.psql(news), undisturbed.psql(news));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_value_is_named_and_nothing_is_taken_in() {
    let desk = Desk::new().await;
    let (trades, resolutions) = tape();
    let (trades_file, resolutions_file) =
        (desk.path().join("trades.parquet"), desk.path().join("resolutions.parquet"));
    write(&resolutions_file, &resolution_columns(&resolutions));
    let refused = |columns: &Columns, file: &Path, parts: &[&str]| {
        write(file, columns);
        let output = desk.score();
        assert!(!output.status.success(), "{parts:?}");
        for part in parts {
            assert!(stderr(&output).contains(part), "{part}: {}", stderr(&output));
        }
    };
    // The row stands in the third row group.
    for (index, exact, name, value, problem) in [
        (0, true, "timestamp", "9223372036854775807", "is not a time"),
        (0, false, "timestamp", "yesterday", "is not a time such as"),
        (1, true, "wallet", "0x12", "is not a 0x-address"),
        (2, true, "market", "nowhere", "is not described"),
        (3, true, "outcome", "null", "is none of the market's outcomes"),
        (4, true, "side", "HOLD", "is neither BUY nor SELL"),
        (5, true, "shares", "-3000000", "is not above zero"),
        (5, false, "shares", "0.3333333333", "write it as DECIMAL"),
        (6, false, "usd", "NaN", "is not a number"),
        (6, true, "usd", "-1", "is below zero"),
    ] {
        let mut columns = trade_columns(&trades, exact);
        columns[index].1.set(222, value);
        let shown = if name == "shares" && exact { "-3.000000" } else { value };
        let shown = if name == "usd" && exact { "-0.000001" } else { shown };
        let place = format!("row 223, column `{name}`");
        refused(&columns, &trades_file, &["trades.parquet", &place, &format!("`{shown}`"), problem]);
    }
    let mut bare = trade_columns(&trades, true);
    bare[0].0 = "required int64 timestamp".to_owned();
    refused(&bare, &trades_file, &["column `timestamp`", "INT64", "write it as a timestamp in UTC"]);
    let mut renamed = trade_columns(&trades, true);
    renamed[6].0 = "required int64 dollars (DECIMAL(18,6))".to_owned();
    refused(&renamed, &trades_file, &["dollars", TRADES]);

    write(&trades_file, &trade_columns(&trades, true));
    for (index, name, value) in
        [(0, "market", "m6"), (1, "outcomes", "Yes"), (2, "winner", "Perhaps"), (3, "resolved_at", "soon")]
    {
        let mut columns = resolution_columns(&resolutions);
        columns[index].1.set(7, value);
        let place = format!("row 8, column `{name}`");
        refused(&columns, &resolutions_file, &["resolutions.parquet", &place, &format!("`{value}`")]);
    }
    write(&resolutions_file, &resolution_columns(&resolutions));
    let whole = fs::read(&trades_file).unwrap();
    fs::write(&trades_file, &whole[..whole.len() / 2]).unwrap();
    assert!(stderr(&desk.score()).contains("must be a whole Parquet file"));
    fs::remove_file(&trades_file).unwrap();
    assert!(stderr(&desk.score()).contains("neither trades.csv nor trades.parquet"));
    assert_eq!(desk.psql("SELECT count(*) FROM orderflow_blocks"), "0");
}

/// Whether the decoder, left alone, panics over a file.
fn makes_the_decoder_panic(file: &Path) -> bool {
    let file = File::open(file).unwrap();
    let read = || -> Result<(), ParquetError> {
        let reader = SerializedFileReader::new(file)?;
        for row in reader.get_row_iter(None)? {
            row?;
        }
        Ok(())
    };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).is_err()
}

/// A file that makes the decoder panic is refused in one line, of which none is the decoder's.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_refused_in_our_words_alone() {
    let desk = Desk::with_parquet(true).await;
    let file = desk.path().join("trades.parquet");
    let whole = fs::read(&file).unwrap();
    let mut refused = 0;
    // From the back, where the file says what is where in it.
    for place in (0..whole.len()).rev() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x80;
        fs::write(&file, damaged).unwrap();
        if !makes_the_decoder_panic(&file) {
            continue;
        }
        let output = desk.score();
        let message = stderr(&output);
        // Which columns the command reads decides whether it comes to the same place.
        if message.contains("the file contradicts itself") {
            assert!(!output.status.success() && message.starts_with("error: "), "{message}");
            assert_eq!((message.lines().count(), message.contains("panicked")), (1, false), "{message}");
            refused += 1;
        }
        if refused == 3 {
            break;
        }
    }
    assert_eq!(refused, 3, "no damage made the decoder panic");
    assert_eq!(desk.psql("SELECT count(*) FROM orderflow_blocks"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_past_and_another_use_are_refused() {
    let desk = Desk::with_csv().await;
    let said = json(&desk.score());
    let replayed = desk.replay();
    assert!(
        !replayed.status.success() && stderr(&replayed).contains("without trading"),
        "{}",
        stderr(&replayed)
    );

    let file = desk.path().join("trades.csv");
    let whole = fs::read_to_string(&file).unwrap();
    for other in [
        whole.replace("27.1", "27.2"),
        whole.lines().take(200).fold(String::new(), |all, line| all + line + "\n"),
    ] {
        fs::write(&file, other).unwrap();
        let output = desk.score();
        assert!(!output.status.success() && stderr(&output).contains("another tape"), "{}", stderr(&output));
    }
    // What goes on behind the end is the same tape, longer.
    let late = format!("2022-02-03T10:00:00Z,0x{:040x},m30,Yes,BUY,10,5\n", 77);
    fs::write(&file, format!("{whole}{late}")).unwrap();
    assert_eq!(json(&desk.score())["wallets"], said["wallets"].as_u64().unwrap() + 1);
    assert_eq!(desk.psql("SELECT count(*) FROM orderflow_trades"), (31 * 11 + 1).to_string());

    let replayed = Desk::with_csv().await;
    json(&replayed.replay());
    let scored = replayed.score();
    assert!(!scored.status.success() && stderr(&scored).contains("orderflow wallets"), "{}", stderr(&scored));
    // Two files that may say different things.
    let both = Desk::with_csv().await;
    write(&both.path().join("trades.parquet"), &trade_columns(&tape().0, true));
    assert!(stderr(&both.score()).contains("has both trades.csv and trades.parquet"));
}
