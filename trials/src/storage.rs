//! Bytes a fill takes on disk, with all indexes and everything that is kept for its sake.

use domain::{
    BlockHash, ChainEvent, Exchange, Fact, Fee, Fill, Place, Role, Shares, Side, Timestamp, TokenId, TxHash,
    Usd, Wallet,
};
use std::time::Instant;
use store::Store;
use store::facts::{self, Block, Point, Stretch, Writer};
use store::status::{self, OnDisk};

use crate::machine::say;
use crate::stage::Stage;

/// As on Polygon in late 2026.
const FILLS_PER_BLOCK: u64 = 78;
/// Half of all fills share their transaction with the one before: 39 transactions a block.
const FILLS_PER_TX: u64 = 2;
/// Two days of fills are made by some hundred thousand wallets in some ten thousand tokens.
const WALLETS: u64 = 300_000;
const TOKENS: u64 = 20_000;
/// Blocks written at once.
const AT_ONCE: u64 = 256;

/// Fills that are written one block after the other, as the head comes in, to be measured apart.
const LIVE_FILLS: u64 = 1_000_000;

/// Measures so many fills written as history, and some written live.
pub(crate) async fn run(fills: u64) -> anyhow::Result<()> {
    history(fills).await?;
    live(LIVE_FILLS.min(fills)).await
}

async fn live(fills: u64) -> anyhow::Result<()> {
    let stage = Stage::set_up().await?;
    let store = &stage.database.store;
    let mut writer = Writer::new(store.clone(), "trials");
    let begun = Instant::now();
    for number in 1..=fills / FILLS_PER_BLOCK {
        let blocks = [block(number)];
        let through = Point { number, hash: blocks[0].hash };
        let mut transaction = writer.begin(&blocks).await?;
        let stretch = Stretch { from: number, through, blocks: &blocks, source: "trials" };
        writer.commit(&mut transaction, &stretch).await?;
        Store::commit(transaction).await?;
    }
    let writing = begun.elapsed().as_secs_f64();
    let OnDisk { fills, bytes, .. } = status::fills_on_disk(&mut *store.connection().await?).await?;
    // So few fills do not outweigh that many wallets and tokens as ten million do: their part is left out.
    say(&format!(
        "           {fills} fills written a block a commit: {:.1} bytes a fill, wallets and tokens left out, what is \
         told to readers included (written at {:.0} fills/s)",
        bytes as f64 / fills as f64,
        fills as f64 / writing
    ));
    stage.database.close().await
}

async fn history(fills: u64) -> anyhow::Result<()> {
    let stage = Stage::set_up().await?;
    let mut writer = Writer::new(stage.database.store.clone(), "trials");
    let blocks = fills / FILLS_PER_BLOCK;
    let begun = Instant::now();
    let mut from = 1;
    while from <= blocks {
        let to = (from + AT_ONCE - 1).min(blocks);
        let made: Vec<Block> = (from..=to).map(block).collect();
        let hash = made.last().map(|block| block.hash).unwrap_or_default();
        let through = Point { number: to, hash };
        writer.history(&Stretch { from, through, blocks: &made, source: "trials" }).await?;
        from = to + 1;
    }
    let writing = begun.elapsed().as_secs_f64();
    let mut connection = stage.database.store.connection().await?;
    facts::index_partitions(&mut connection).await?;
    let OnDisk { fills, bytes, names } = status::fills_on_disk(&mut connection).await?;
    let bytes = bytes + names;
    say(&format!(
        "storage    {fills} fills of {WALLETS} wallets in {TOKENS} tokens: {:.1} bytes a fill on disk, indexes, \
         blocks, hashes, wallets and tokens included (written at {:.0} fills/s)",
        bytes as f64 / fills as f64,
        fills as f64 / writing
    ));
    drop(connection);
    stage.database.close().await
}

fn block(number: u64) -> Block {
    let hash = BlockHash(word(number, 1).into());
    let time = Timestamp::from_seconds(1_780_000_000 + i64::try_from(number).unwrap_or_default() * 3 / 2);
    let facts = (0..FILLS_PER_BLOCK).map(|log| fact(number, hash, time, log)).collect();
    let parent = number.checked_sub(1).map(|number| BlockHash(word(number, 1).into()));
    Block { number, hash, parent, time, learned: time, facts, unreadable: vec![] }
}

fn fact(number: u64, block_hash: BlockHash, block_time: Timestamp, log: u64) -> Fact {
    let seed = mixed(number * FILLS_PER_BLOCK + log);
    let place = Place {
        block_number: number,
        block_hash,
        block_time,
        tx_hash: TxHash(word(number * FILLS_PER_BLOCK + log / FILLS_PER_TX, 2).into()),
        // Fills stand among transfers: every sixth log is one.
        log_index: u32::try_from(log * 6).unwrap_or(u32::MAX),
    };
    let shares = i64::try_from(1_000_000 + seed % 500_000_000).unwrap_or_default();
    let fill = Fill {
        exchange: Exchange::V2,
        wallet: wallet(seed),
        counterparty: wallet(mixed(seed)),
        role: if log.is_multiple_of(2) { Role::Maker } else { Role::Taker },
        side: if seed.is_multiple_of(2) { Side::Buy } else { Side::Sell },
        token: TokenId(domain_word(mixed(seed ^ 3) % TOKENS)),
        shares: Shares::from_micros(shares),
        usd: Usd::from_micros(shares / 2),
        fee: Fee::Usd(Usd::from_micros(shares / 100)),
    };
    Fact { place, event: ChainEvent::Fill(fill) }
}

/// Few wallets make most of the fills: the cube of an even draw.
fn wallet(seed: u64) -> Wallet {
    let draw = (seed % 1_000_000) as f64 / 1_000_000.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the number of wallets"
    )]
    let index = (draw.powi(3) * WALLETS as f64) as u64;
    let word = word(index, 4);
    let mut bytes = [0; 20];
    bytes.copy_from_slice(&word[..20]);
    Wallet(bytes.into())
}

fn domain_word(index: u64) -> alloy_primitives::U256 {
    alloy_primitives::U256::from_be_bytes(word(index, 5))
}

/// 32 bytes that look like a hash.
fn word(index: u64, salt: u64) -> [u8; 32] {
    let mut word = [0; 32];
    for (part, place) in word.chunks_exact_mut(8).zip(0u64..) {
        part.copy_from_slice(&mixed(index ^ (salt << 56) ^ (place << 48)).to_be_bytes());
    }
    word
}

/// An even spread of numbers. Source: the finaliser of SplitMix64 by Guy Steele and others, 2014.
const fn mixed(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}
