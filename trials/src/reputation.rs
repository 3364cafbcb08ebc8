//! The reputation service over many wallets: a pass of an hour's news, and a result that concerns many.
//!
//! The wallets in the database are copies of those of a synthetic world of more than a year, which are folded here;
//! from then on the service does everything itself, in a process of its own.

use std::time::Instant;

use alloy_primitives::{B256, U256};
use decision::History;
use domain::{
    BlockHash, ChainEvent, Exchange, Fact, Fee, Fill, Market, Payouts, Place, Role, Shares, Side, Timestamp,
    TokenId, TxHash, Usd, Wallet,
};
use orderflow_reputation::Reputation;
use store::facts::{Block, Point, Stretch, Writer};
use store::states::{self, Reached, WalletState, WorldKey};
use store::testing::copy_wallets;
use store::{Store, feed, markets};

use crate::fold::ELIGIBILITY;
use crate::fold::world::{START, World, address, condition, token};
use crate::machine::say;
use crate::stage::{Child, Measured, Stage};

/// The world whose wallets are copied.
const FILLS: u64 = 1_200_000;
const WALLETS: u32 = 50_000;
const MARKETS: u32 = 20_000;
/// Its hours take that many times as long, so that it lasts for four hundred days: on each of them some hundred
/// thousand of two million wallets trade.
const SLOWER: i64 = 1_440;
/// The market that everybody bets on in the end: the last one, which is still open.
const LAST: u32 = MARKETS - 1;
/// Wallets saved at once.
const PAGE: usize = 2_000;
/// Megabytes of wallets the service may have in memory: what it has where nobody says otherwise.
const MEMORY: usize = 160;

/// The last moment and the last block of the world.
struct End {
    at: Timestamp,
    block: u64,
}

/// What a measured process printed.
struct Printed {
    resumed: f64,
    folded: f64,
    told: f64,
    published: f64,
    verdicts: u64,
    peak: f64,
}

/// An hour's news of some among many wallets.
pub(crate) async fn pass(wallets: u32, news: u32) -> anyhow::Result<()> {
    let stage = Stage::set_up().await?;
    let end = populate(&stage.database.store, wallets).await?;
    let first = measure(&stage, "pass", None).await?;
    say(&format!(
        "reputation a pass over all {} wallets, as under other settings: {:.1} s, {:.0} wallets/s, {:.0} MB at most",
        first.verdicts,
        first.published,
        first.verdicts as f64 / first.published,
        first.peak
    ));
    bet(&stage.database.store, &end, wallets, news).await?;
    let hour = measure(&stage, "pass", None).await?;
    say(&format!(
        "           an hour's pass, {news} of {wallets} wallets with news: folded in {:.1} s, published in {:.1} s: \
         {:.1} s, {:.0} wallets/s, {:.0} MB at most; the start took {:.1} s",
        hour.folded,
        hour.published,
        hour.folded + hour.published,
        hour.verdicts as f64 / (hour.folded + hour.published),
        hour.peak,
        hour.resumed,
    ));
    anyhow::ensure!(hour.verdicts >= u64::from(news), "only {} verdicts", hour.verdicts);
    stage.database.close().await
}

/// One result of a market that many hold.
pub(crate) async fn resolution(holders: u32, wallets: u32) -> anyhow::Result<()> {
    anyhow::ensure!(holders <= wallets, "there are not so many wallets");
    let stage = Stage::set_up().await?;
    let end = populate(&stage.database.store, wallets).await?;
    bet(&stage.database.store, &end, wallets, holders).await?;
    measure(&stage, "pass", None).await?;
    let result = measure(&stage, "result", Some(end.block + 1_000_000)).await?;
    say(&format!(
        "resolution of {holders} holders among {wallets} wallets, none of them in memory: paid in {:.2} s, new scores \
         published in {:.2} s: {:.2} s, {} verdicts, {:.0} MB at most",
        result.folded,
        result.told,
        result.folded + result.told,
        result.verdicts,
        result.peak
    ));
    anyhow::ensure!(result.verdicts >= u64::from(holders), "only {} verdicts", result.verdicts);
    stage.database.close().await
}

async fn measure(stage: &Stage, task: &str, from: Option<u64>) -> anyhow::Result<Printed> {
    let child = Child::new(task, stage, String::new(), from.unwrap_or(0));
    let (printed, peak) = Measured::spawn(&child)?.finish().await?;
    let numbers: Vec<f64> = printed.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [resumed, folded, told, published, verdicts] = numbers[..] else {
        anyhow::bail!("the measured process printed {printed:?}");
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let verdicts = verdicts as u64;
    Ok(Printed { resumed, folded, told, published, verdicts, peak })
}

/// What the measured process does: it goes on from the last save, makes the result known if it is told to, folds what
/// it does not know, and publishes: whom the result concerns at once, or a pass.
pub(crate) async fn child(task: &str, block: Option<u64>, store: Store) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut service = Reputation::resume_within(store.clone(), ELIGIBILITY, MEMORY << 20).await?;
    let resumed = begun.elapsed();
    let end = end();
    let mut at = service.last_pass().map_or(end.at, |last| last.plus_micros(Timestamp::MINUTE));
    if task == "result" {
        let number = block.unwrap_or(end.block + 1);
        at = at.plus_micros(Timestamp::MINUTE);
        let event = ChainEvent::Resolution { condition: condition(LAST), payouts: winner()? };
        commit(&store, number, at, vec![event]).await?;
    }
    let begun = Instant::now();
    service.catch_up(i64::MAX).await?;
    let folded = begun.elapsed();
    let begun = Instant::now();
    let mut verdicts = 0;
    if task == "result" {
        at = at.plus_micros(Timestamp::MINUTE);
        verdicts = service.publish_at_once(at, at).await?;
    }
    let told = begun.elapsed();
    let begun = Instant::now();
    if task == "pass" {
        verdicts = service.publish(at.plus_micros(Timestamp::MINUTE), at).await?.verdicts;
    }
    let published = begun.elapsed();
    let [resumed, folded, told, published] =
        [resumed, folded, told, published].map(|taken| taken.as_secs_f64());
    say(&format!("{resumed} {folded} {told} {published} {verdicts}"));
    Ok(())
}

fn winner() -> anyhow::Result<Payouts> {
    Payouts::winner(0, 2).ok_or_else(|| anyhow::anyhow!("two outcomes have a first"))
}

fn slower(at: Timestamp) -> Timestamp {
    let start = Timestamp::from_seconds(START);
    start.plus_micros(at.micros_since(start) * SLOWER)
}

/// The markets of the world, at its pace.
fn described() -> impl Iterator<Item = Market> {
    let world = World::even(FILLS, WALLETS, MARKETS);
    world
        .markets()
        .map(|market| Market { end: market.end.map(slower), ..market })
        .collect::<Vec<_>>()
        .into_iter()
}

fn end() -> End {
    let block = FILLS / 100;
    End { at: slower(Timestamp::from_seconds(START + i64::try_from(FILLS / 50).unwrap_or(0))), block }
}

/// Fills a database with wallets.
async fn populate(store: &Store, wallets: u32) -> anyhow::Result<End> {
    let all: Vec<Market> = described().collect();
    let mut history = History::new(ELIGIBILITY);
    for some in all.chunks(1_000) {
        let mut transaction = store.begin().await?;
        markets::learn(&mut transaction, some, Timestamp::from_seconds(START)).await?;
        Store::commit(transaction).await?;
    }
    // In the order in which they were told, which numbers the questions.
    let mut connection = store.connection().await?;
    let mut seq = 0;
    loop {
        let items = feed::read(&mut connection, seq, i64::MAX, 5_000, feed::Wanted::Markets).await?;
        let Some(last) = items.last() else { break };
        seq = last.seq;
        for item in &items {
            if let feed::News::Market(market) = &item.news {
                history.learn(market);
            }
        }
    }
    let mut world = World::even(FILLS, WALLETS, MARKETS);
    let mut facts: Vec<Fact> = Vec::new();
    loop {
        facts.clear();
        world.fill(&mut facts, 131_072);
        if facts.is_empty() {
            break;
        }
        facts.iter_mut().for_each(|fact| fact.place.block_time = slower(fact.place.block_time));
        history.apply_batch(&facts);
    }
    let end = end();
    history.pass(end.at);
    history.moved();
    save(store, &mut history, (seq, end.block), wallets).await?;
    Ok(end)
}

/// Saves as many copies of the wallets of a history as there are to be wallets.
async fn save(
    store: &Store,
    history: &mut History,
    (seq, block): (i64, u64),
    wallets: u32,
) -> anyhow::Result<()> {
    let originals: Vec<WalletState> = history
        .changed()
        .map(|saved| WalletState {
            wallet: saved.wallet,
            bytes: saved.bytes,
            wake: saved.wake,
            fades: saved.fades,
            is_due: saved.is_due,
            decisions: saved.decisions,
            tokens: saved.tokens,
        })
        .collect();
    let bytes: usize = originals.iter().map(|state| state.bytes.len()).sum();
    say(&format!("           {wallets} wallets of {} bytes on average", bytes / originals.len().max(1)));
    let mut transaction = store.begin().await?;
    let reached = Reached { seq, block: Some(block), is_behind: false, settled: u64::MAX };
    let saving = states::begin_save(&mut transaction, reached).await?;
    let first = wallets.min(u32::try_from(originals.len())?);
    for (page, numbers) in originals.chunks(PAGE).zip((0..first).collect::<Vec<_>>().chunks(PAGE)) {
        let named = numbers.iter().zip(page);
        let page: Vec<WalletState> =
            named.map(|(number, state)| WalletState { wallet: address(*number), ..state.clone() }).collect();
        saving.wallets(&mut transaction, &page).await?;
    }
    let copies: Vec<Wallet> = (first..wallets).map(address).collect();
    copy_wallets(&mut transaction, &copies).await?;
    let questions = history.changed_questions();
    let world: Vec<(WorldKey, Vec<u8>)> =
        questions.map(|(number, bytes)| ((1, i64::from(number)), bytes)).collect();
    for some in world.chunks(PAGE) {
        saving.world(&mut transaction, some).await?;
    }
    saving.world(&mut transaction, &[((2, 0), history.save_world())]).await?;
    saving.end(&mut transaction).await?;
    Store::commit(transaction).await?;
    Ok(())
}

/// Some of the wallets, all over the database, buy shares of the last market within some minutes.
async fn bet(store: &Store, end: &End, wallets: u32, news: u32) -> anyhow::Result<()> {
    let step = (wallets / news.max(1)).max(1);
    let buyers: Vec<u32> = (0..news).map(|number| number * step).collect();
    for (number, buyers) in (1u64..).zip(buyers.chunks(500)) {
        let at = end.at.plus_micros(i64::try_from(number).unwrap_or(0) * 2_000_000);
        let events = buyers.iter().map(|buyer| {
            ChainEvent::Fill(Fill {
                exchange: Exchange::V2,
                wallet: address(*buyer),
                counterparty: address(0),
                role: Role::Taker,
                side: Side::Buy,
                token: yes(),
                shares: Shares::whole(50),
                usd: Usd::whole(20),
                fee: Fee::NONE,
            })
        });
        commit(store, end.block + number, at, events.collect()).await?;
    }
    Ok(())
}

fn yes() -> TokenId {
    token(LAST, 0)
}

async fn commit(store: &Store, number: u64, at: Timestamp, events: Vec<ChainEvent>) -> anyhow::Result<()> {
    let hash = BlockHash(B256::from(U256::from(number)));
    let fact = |(log_index, event)| {
        let tx_hash = TxHash(B256::from(U256::from(number) << 32 | U256::from(log_index)));
        let place = Place { block_number: number, block_hash: hash, block_time: at, tx_hash, log_index };
        Fact { place, event }
    };
    let facts = (0u32..).zip(events).map(fact).collect();
    let blocks = [Block { number, hash, parent: None, time: at, learned: at, facts, unreadable: vec![] }];
    let stretch =
        Stretch { from: number, through: Point { number, hash }, blocks: &blocks, source: "trials" };
    let mut writer = Writer::new(store.clone(), "trials");
    let mut transaction = writer.begin(&blocks).await?;
    writer.commit(&mut transaction, &stretch).await?;
    Store::commit(transaction).await?;
    Ok(())
}
