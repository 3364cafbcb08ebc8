//! Blocks of fills, written as a node sends them.

use std::collections::HashMap;
use std::time::Duration;

use alloy_primitives::{Address, B256, U256, keccak256};
use axum::body::Bytes;
use domain::{Exchange, Fee, Fill, Role, Shares, Side, Timestamp, TokenId, Usd, Wallet};
use polygon::contracts::exchange_address;
use polygon::encode;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::LoadConfig;

/// Text is kept in pieces of about this size: a block's logs are never torn.
const PIECE: usize = 4 << 20;

/// Where live trading happens.
const EXCHANGES: [Exchange; 3] = [Exchange::V2, Exchange::V2NegRisk, Exchange::V3];

/// Fills of a match: three makers and the taker.
const MATCH: u32 = 4;

/// All of it. Blocks are counted from 0, which is the empty one before the first.
#[derive(Debug)]
pub(super) struct Recording {
    first_number: u64,
    first_time: Timestamp,
    interval: Duration,
    seed: u64,
    hashes: Vec<B256>,
    by_hash: HashMap<B256, usize>,
    pieces: Vec<Bytes>,
    places: Vec<Place>,
    /// What every log's first topic is.
    pub(super) topic: B256,
    /// Who emits them.
    pub(super) emitters: Vec<Address>,
}

/// Where a block's logs are.
#[derive(Clone, Copy, Debug)]
struct Place {
    piece: usize,
    begin: usize,
    end: usize,
    fills: u32,
    /// Fills up to this block, itself included.
    fills_so_far: u64,
}

/// What trades, and who.
struct Market {
    tokens: Vec<(Address, B256)>,
    wallets: Vec<B256>,
    chance: ChaCha8Rng,
    topic: B256,
}

/// What the logs of a block have in common, as text.
struct Stamp {
    number: String,
    hash: String,
    time: String,
}

impl Recording {
    pub(super) fn write(config: &LoadConfig) -> Self {
        let mut market = Market::new(config);
        let mut recording = Self {
            first_number: config.first_block.saturating_sub(1),
            first_time: config.first_time,
            interval: config.block_interval.unwrap_or(Duration::from_millis(1_500)),
            seed: config.seed,
            hashes: Vec::new(),
            by_hash: HashMap::new(),
            pieces: Vec::new(),
            places: Vec::new(),
            topic: market.topic,
            emitters: EXCHANGES.into_iter().filter_map(exchange_address).collect(),
        };
        let mut text = Vec::with_capacity(PIECE + (PIECE >> 2));
        let mut fills_so_far = 0;
        for block in 0..=config.blocks {
            let fills = match config.burst {
                _ if block == 0 => 0,
                Some((every, fills)) if block % every.max(1) == 0 => fills,
                _ => config.fills_per_block,
            };
            fills_so_far += u64::from(fills);
            let stamp = recording.stamp(block);
            // The comma stands between blocks, not in them.
            let begin = text.len() + usize::from(!text.is_empty() && fills > 0);
            recording.write_block(&mut market, &stamp, block, fills, &mut text);
            let (piece, end) = (recording.pieces.len(), text.len().max(begin));
            recording.places.push(Place { piece, begin, end, fills, fills_so_far });
            if text.len() >= PIECE {
                recording.pieces.push(Bytes::from(std::mem::take(&mut text)));
                text.reserve(PIECE + (PIECE >> 2));
            }
        }
        recording.pieces.push(Bytes::from(text));
        recording
    }

    fn stamp(&mut self, block: u64) -> Stamp {
        let hash = keccak256([self.seed.to_be_bytes(), *b"a block ", block.to_be_bytes()].concat());
        let index = self.hashes.len();
        self.by_hash.insert(hash, index);
        self.hashes.push(hash);
        Stamp {
            number: format!("{:#x}", self.first_number + block),
            hash: format!("{hash:#x}"),
            time: format!("{:#x}", self.time(index).seconds()),
        }
    }

    fn write_block(&self, market: &mut Market, stamp: &Stamp, block: u64, fills: u32, text: &mut Vec<u8>) {
        let mut log_index = 0;
        for (tx, size) in matches(fills).enumerate() {
            let hash = self.tx_hash(block, tx);
            for row in market.draw(size) {
                if !text.is_empty() {
                    text.push(b',');
                }
                row.write(stamp, (hash, tx), log_index, text);
                log_index += 1;
            }
        }
    }

    fn tx_hash(&self, block: u64, tx: usize) -> B256 {
        let tx = u64::try_from(tx).unwrap_or(u64::MAX);
        keccak256([self.seed.to_be_bytes(), *b"a match ", block.to_be_bytes(), tx.to_be_bytes()].concat())
    }

    /// How many blocks there are, the empty one included.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn number(&self, block: usize) -> u64 {
        self.first_number + u64::try_from(block).unwrap_or(u64::MAX)
    }

    pub(super) fn at_number(&self, number: u64) -> Option<usize> {
        let block = usize::try_from(number.checked_sub(self.first_number)?).ok()?;
        (block < self.len()).then_some(block)
    }

    pub(super) fn at_hash(&self, hash: B256) -> Option<usize> {
        self.by_hash.get(&hash).copied()
    }

    /// A block's hash; that of the first block's parent is all zeros.
    pub(super) fn hash(&self, block: Option<usize>) -> B256 {
        block.and_then(|block| self.hashes.get(block)).copied().unwrap_or_default()
    }

    /// A block's time, in whole seconds.
    pub(super) fn time(&self, block: usize) -> Timestamp {
        let interval = i64::try_from(self.interval.as_micros()).unwrap_or(i64::MAX);
        let passed = interval.saturating_mul(i64::try_from(block).unwrap_or(i64::MAX));
        Timestamp::from_seconds(self.first_time.plus_micros(passed).seconds())
    }

    /// The hashes of a block's transactions.
    pub(super) fn txs(&self, block: usize) -> Vec<B256> {
        let fills = self.places.get(block).map_or(0, |place| place.fills);
        let number = u64::try_from(block).unwrap_or(u64::MAX);
        (0..matches(fills).count()).map(|tx| self.tx_hash(number, tx)).collect()
    }

    /// The fills up to a block, itself included.
    pub(super) fn fills_through(&self, block: usize) -> u64 {
        let last = self.len().saturating_sub(1).min(block);
        self.places.get(last).map_or(0, |place| place.fills_so_far)
    }

    /// The logs from one block to another, both included: pieces of text that make a list when commas are put
    /// between them.
    pub(super) fn logs(&self, from: usize, to: usize) -> Vec<Bytes> {
        let places = self.places.get(from..=to.min(self.len() - 1)).unwrap_or(&[]);
        let mut slices = Vec::new();
        for places in places.chunk_by(|one, next| one.piece == next.piece) {
            let mut full = places.iter().filter(|place| place.fills > 0);
            let Some(first) = full.next() else { continue };
            let last = full.next_back().unwrap_or(first);
            slices.push(self.pieces[first.piece].slice(first.begin..last.end));
        }
        slices
    }
}

/// How many fills each match of a block has; a single one is a maker whose taker is elsewhere.
fn matches(mut fills: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let size = if fills == MATCH + 1 { MATCH - 1 } else { MATCH.min(fills) };
        fills -= size;
        (size > 0).then_some(size)
    })
}

/// One fill's row.
struct Row {
    emitter: Address,
    topics: [B256; 4],
    /// Side, token, given, got, fee.
    words: [B256; 5],
}

impl Market {
    fn new(config: &LoadConfig) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(config.seed);
        let tokens = (0..config.tokens.max(1)).filter_map(|number| {
            let exchange = EXCHANGES[number % EXCHANGES.len()];
            let mut token = word(&mut chance);
            if exchange == Exchange::V3 {
                // A position of Protocol V2: module 1, a hash of 16 bytes, two outcomes.
                token[0] = 1;
                token[17..].fill(0);
                token[18] = 2;
                token[31] = u8::from(number % 2 == 0);
            }
            Some((exchange_address(exchange)?, token))
        });
        let tokens = tokens.collect();
        let wallets = (0..config.wallets.max(2)).map(|_| {
            let mut wallet = word(&mut chance);
            wallet[..12].fill(0);
            wallet
        });
        let wallets = wallets.collect();
        Self { tokens, wallets, chance, topic: topic() }
    }

    /// The rows of a match: makers first, the taker last.
    fn draw(&mut self, size: u32) -> Vec<Row> {
        let (emitter, token) = self.tokens[self.chance.random_range(0..self.tokens.len())];
        let taker = self.wallets[self.chance.random_range(0..self.wallets.len())];
        let taker_buys = self.chance.random::<bool>();
        let makers = size.saturating_sub(1).max(1);
        let (mut shares, mut usd) = (0, 0);
        let mut rows = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        for _ in 0..makers {
            // Hundredths of a share at whole cents: every amount is exact.
            let lots = self.chance.random_range(500u64..200_000);
            let cents = self.chance.random_range(1u64..100);
            let amounts = (lots * 10_000, lots * 100 * cents);
            shares += amounts.0;
            usd += amounts.1;
            let maker = self.wallets[self.chance.random_range(0..self.wallets.len())];
            rows.push(self.row((emitter, token), (maker, taker), !taker_buys, amounts, 0));
        }
        if size > 1 {
            // Four hundredths of what the price leaves to win, in hundred-thousandths.
            let fee = usd * ((shares - usd) / 10_000) / (shares / 10_000) / 250 * 10;
            let exchange = emitter.into_word();
            rows.push(self.row((emitter, token), (taker, exchange), taker_buys, (shares, usd), fee));
        }
        rows
    }

    fn row(
        &mut self,
        (emitter, token): (Address, B256),
        (who, opposite): (B256, B256),
        buys: bool,
        (shares, usd): (u64, u64),
        fee: u64,
    ) -> Row {
        let (given, got) = if buys { (usd, shares) } else { (shares, usd) };
        let number = |number: u64| B256::from(U256::from(number));
        let topics = [self.topic, word(&mut self.chance), who, opposite];
        let words = [number(u64::from(!buys)), token, number(given), number(got), number(fee)];
        Row { emitter, topics, words }
    }
}

impl Row {
    /// The fields in the order in which Bor writes them.
    fn write(&self, stamp: &Stamp, (tx_hash, tx): (B256, usize), log_index: u32, text: &mut Vec<u8>) {
        text.extend(b"{\"address\":\"0x");
        hex(self.emitter.as_slice(), text);
        for (index, topic) in self.topics.iter().enumerate() {
            text.extend(if index == 0 { b"\",\"topics\":[\"0x".as_slice() } else { b"\",\"0x" });
            hex(topic.as_slice(), text);
        }
        text.extend(b"\"],\"data\":\"0x");
        for word in &self.words {
            hex(word.as_slice(), text);
        }
        // Builder and metadata.
        hex(&[0; 64], text);
        text.extend(b"\",\"blockNumber\":\"");
        text.extend(stamp.number.as_bytes());
        text.extend(b"\",\"transactionHash\":\"0x");
        hex(tx_hash.as_slice(), text);
        text.extend(format!("\",\"transactionIndex\":\"{tx:#x}\",\"blockHash\":\"").as_bytes());
        text.extend(stamp.hash.as_bytes());
        text.extend(b"\",\"blockTimestamp\":\"");
        text.extend(stamp.time.as_bytes());
        text.extend(format!("\",\"logIndex\":\"{log_index:#x}\",\"removed\":false}}").as_bytes());
    }
}

fn word(chance: &mut ChaCha8Rng) -> B256 {
    let mut word = B256::ZERO;
    chance.fill_bytes(word.as_mut_slice());
    word
}

fn hex(bytes: &[u8], text: &mut Vec<u8>) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// The signature of OrderFilled, read off one: the ABIs live elsewhere.
fn topic() -> B256 {
    let fill = Fill {
        exchange: Exchange::V2,
        wallet: Wallet::default(),
        counterparty: Wallet::default(),
        role: Role::Maker,
        side: Side::Buy,
        token: TokenId(U256::ONE),
        shares: Shares::ZERO,
        usd: Usd::ZERO,
        fee: Fee::NONE,
    };
    encode::order_filled(&fill, B256::ZERO).and_then(|log| log.topics.first().copied()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_add_up_and_none_is_a_leftover() {
        for fills in 0..40 {
            let sizes: Vec<u32> = matches(fills).collect();
            assert_eq!(sizes.iter().sum::<u32>(), fills);
            assert!(fills == 1 || sizes.iter().all(|size| *size > 1), "{sizes:?}");
        }
    }

    #[test]
    fn slices_are_lists() {
        let config =
            LoadConfig { blocks: 9_000, fills_per_block: 3, burst: Some((2, 0)), ..LoadConfig::default() };
        let recording = Recording::write(&config);
        assert!(recording.pieces.len() > 2);
        assert_eq!(recording.fills_through(usize::MAX), 4_500 * 3);
        for (from, to) in [(0, 9_000), (0, 0), (2, 2), (1, 2), (4_000, 5_001), (8_999, 99_999)] {
            let pieces = recording.logs(from, to);
            let text =
                pieces.iter().map(|piece| str::from_utf8(piece).unwrap()).collect::<Vec<_>>().join(",");
            let logs: Vec<serde_json::Value> = serde_json::from_str(&format!("[{text}]")).unwrap();
            let until = to.min(9_000);
            let before = if from == 0 { 0 } else { recording.fills_through(from - 1) };
            let expected = recording.fills_through(until) - before;
            assert_eq!(u64::try_from(logs.len()).unwrap(), expected, "{from}..{to}");
        }
    }
}
