//! Blocks that look like blocks, each the same whenever it is made.

use alloy_primitives::{Address, B256, U256};
use domain::{
    BlockHash, ChainEvent, ConditionId, Exchange, Fact, Fee, Fill, Payouts, Place, Role, Shares, Side,
    Timestamp, TokenId, TxHash, Usd, Wallet,
};
use store::facts::{Block, Point, Stretch};

pub(crate) const SOURCE: &str = "http://node.example";

pub(crate) fn fill(number: u64, log_index: u32) -> Fact {
    let seed = number * 1_000 + u64::from(log_index);
    let place = Place {
        block_number: number,
        block_hash: hash(number, 0),
        block_time: time(number),
        tx_hash: TxHash(B256::from(U256::from(number * 1_000 + u64::from(log_index / 2)))),
        log_index,
    };
    let wallet = |seed: u64| Wallet(Address::left_padding_from(&seed.to_be_bytes()));
    let fill = Fill {
        exchange: if log_index.is_multiple_of(2) { Exchange::V2 } else { Exchange::V1NegRisk },
        wallet: wallet(1 + seed % 7),
        counterparty: wallet(1_000_000 + seed % 5),
        role: if log_index.is_multiple_of(3) { Role::Taker } else { Role::Maker },
        side: if log_index.is_multiple_of(2) { Side::Buy } else { Side::Sell },
        token: TokenId(U256::from(seed % 3) + (U256::from(1u8) << 200)),
        shares: Shares::from_micros(1_000_000 + i64::try_from(seed).unwrap()),
        usd: Usd::from_micros(400_000 + i64::try_from(seed).unwrap()),
        fee: if log_index.is_multiple_of(5) {
            Fee::Shares(Shares::from_micros(7))
        } else {
            Fee::Usd(Usd::from_micros(11))
        },
    };
    Fact { place, event: ChainEvent::Fill(fill) }
}

pub(crate) fn resolution(number: u64, log_index: u32) -> Fact {
    let place = Place { log_index, ..fill(number, log_index).place };
    let event = ChainEvent::Resolution {
        condition: ConditionId(B256::repeat_byte(9)),
        payouts: Payouts::new(vec![1, 0]).unwrap(),
    };
    Fact { place, event }
}

pub(crate) fn hash(number: u64, branch: u8) -> BlockHash {
    let mut bytes = B256::from(U256::from(number));
    bytes.0[0] = branch;
    BlockHash(bytes)
}

pub(crate) fn time(number: u64) -> Timestamp {
    Timestamp::from_seconds(1_780_000_000 + i64::try_from(number).unwrap())
}

pub(crate) fn block(number: u64, logs: u32) -> Block {
    Block {
        number,
        hash: hash(number, 0),
        parent: Some(hash(number - 1, 0)),
        time: time(number),
        learned: time(number),
        facts: (0..logs).map(|log| fill(number, log)).collect(),
        unreadable: vec![],
    }
}

/// The same height on another branch, with fewer fills.
pub(crate) fn other(number: u64, logs: u32) -> Block {
    let mut block = Block { hash: hash(number, 1), ..block(number, logs) };
    for fact in &mut block.facts {
        fact.place.block_hash = block.hash;
    }
    block
}

pub(crate) fn stretch(blocks: &[Block]) -> Stretch<'_> {
    let (first, last) = (blocks.first().unwrap(), blocks.last().unwrap());
    Stretch {
        from: first.number,
        through: Point { number: last.number, hash: last.hash },
        blocks,
        source: SOURCE,
    }
}
