//! A recorded tape: trades and resolutions, each as CSV or as Parquet, read and checked whole before anything is
//! done with it.

mod decimal;
mod error;
mod hushed;
mod parquet;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use alloy_primitives::{B256, U256, keccak256};
use domain::{
    BlockHash, ChainEvent, ConditionId, Exchange, Fact, Fee, Fill, Market, Payouts, Place, Role, Shares,
    Side, Tick, Timestamp, TokenId, TxHash, Usd, Wallet,
};
use rows::{Column, Row, Rows};
use store::facts::Block;

use error::TapeError;

const TRADES: &str = "trades";
const TRADE_COLUMNS: &[Column] = &[
    Column::moment("timestamp"),
    Column::name("wallet"),
    Column::name("market"),
    Column::name("outcome"),
    Column::name("side"),
    Column::amount("shares"),
    Column::amount("usd"),
];
const RESOLUTIONS: &str = "resolutions";
const RESOLUTION_COLUMNS: &[Column] = &[
    Column::name("market"),
    Column::name("outcomes"),
    Column::name("winner"),
    Column::moment("resolved_at"),
];

/// A tape: blocks in their order, and the markets they trade.
#[derive(Debug)]
pub(crate) struct Tape {
    /// A block a moment, oldest first.
    pub(crate) blocks: Vec<Block>,
    /// Markets by the moment of their first trade.
    pub(crate) markets: Vec<(Timestamp, Market)>,
    /// How many trades there are.
    pub(crate) trades: u64,
}

/// One market as the resolutions describe it.
struct Described {
    market: Market,
    result: Option<(Timestamp, Payouts)>,
    line: String,
}

/// What happened at a moment, and the lines that say so, written as one form of file would have them: the same
/// tape in the other form is the same.
#[derive(Default)]
struct Moment {
    events: Vec<ChainEvent>,
    lines: String,
}

impl Tape {
    /// Reads a folder's tape.
    pub(crate) fn read(folder: &Path) -> Result<Self, TapeError> {
        let described = read_resolutions(folder)?;
        let mut moments: BTreeMap<Timestamp, Moment> = BTreeMap::new();
        let mut first_trades: BTreeMap<ConditionId, Timestamp> = BTreeMap::new();
        let mut trades = 0;
        for row in Rows::open(folder, TRADES, TRADE_COLUMNS)? {
            let row = row?;
            let (at, condition, fill) = read_trade(&row, &described)?;
            let first = first_trades.entry(condition).or_insert(at);
            *first = at.min(*first);
            let moment = moments.entry(at).or_default();
            moment.lines.push_str(&trade_line(&row, at, &fill));
            moment.events.push(ChainEvent::Fill(fill));
            trades += 1;
        }
        let mut markets = vec![];
        for described in described.into_values() {
            let Described { market, result, line } = described;
            // A market that nobody trades is known from its result, or not at all.
            let known_from = first_trades.get(&market.condition).copied();
            let known_from = known_from.or(result.as_ref().map(|(at, _)| *at));
            if let Some((at, payouts)) = result {
                let moment = moments.entry(at).or_default();
                moment.events.push(ChainEvent::Resolution { condition: market.condition, payouts });
                moment.lines.push_str(&line);
            }
            markets.extend(known_from.map(|from| (from, market)));
        }
        markets.sort_by_key(|(at, market)| (*at, market.condition));
        Ok(Self { blocks: blocks(moments), markets, trades })
    }
}

/// Moments become blocks. Their heights are their seconds; where a second has several moments, the next free one.
fn blocks(moments: BTreeMap<Timestamp, Moment>) -> Vec<Block> {
    let mut free = 0;
    let mut blocks = Vec::with_capacity(moments.len());
    for (at, moment) in moments {
        let number = u64::try_from(at.seconds()).unwrap_or(0).max(free);
        free = number + 1;
        blocks.push(block(number, at, moment));
    }
    blocks
}

/// A moment becomes a block whose hash is made of its content: the same lines are the same block in every
/// tape, and other lines are another.
fn block(number: u64, at: Timestamp, moment: Moment) -> Block {
    let hash = BlockHash(keccak256(format!("orderflow tape block\n{at}\n{}", moment.lines)));
    let facts = moment
        .events
        .into_iter()
        .zip(0u32..)
        .map(|(event, log_index)| {
            let tx = keccak256([hash.0.as_slice(), &log_index.to_be_bytes()].concat());
            let place = Place {
                block_number: number,
                block_hash: hash,
                block_time: at,
                tx_hash: TxHash(tx),
                log_index,
            };
            Fact { place, event }
        })
        .collect();
    Block { number, hash, parent: None, time: at, learned: at, facts, unreadable: vec![] }
}

fn read_resolutions(folder: &Path) -> Result<BTreeMap<String, Described>, TapeError> {
    let mut described: BTreeMap<String, Described> = BTreeMap::new();
    for row in Rows::open(folder, RESOLUTIONS, RESOLUTION_COLUMNS)? {
        let row = row?;
        let name = row.field("market").to_owned();
        if name.is_empty() {
            return Err(row.bad("market", "is empty"));
        }
        let outcomes: Vec<String> = row.field("outcomes").split('|').map(str::to_owned).collect();
        if outcomes.len() < 2 || outcomes.iter().any(String::is_empty) {
            return Err(row.bad("outcomes", "does not name at least two outcomes, separated by `|`"));
        }
        if outcomes.iter().collect::<BTreeSet<_>>().len() < outcomes.len() {
            return Err(row.bad("outcomes", "names an outcome twice"));
        }
        let market = market(&name, outcomes);
        let result = read_result(&row, &market)?;
        let line = resolution_line(&row, result.as_ref());
        if described.insert(name, Described { market, result, line }).is_some() {
            return Err(row.bad("market", "stands here a second time"));
        }
    }
    Ok(described)
}

/// A result, or none where both of its fields are empty.
fn read_result(row: &Row, market: &Market) -> Result<Option<(Timestamp, Payouts)>, TapeError> {
    let (winner, at) = (row.field("winner"), row.field("resolved_at"));
    if winner.is_empty() && at.is_empty() {
        return Ok(None);
    }
    let at = Timestamp::parse_rfc3339(at)
        .map_err(|_| row.bad("resolved_at", "is not a time such as 2022-11-19T23:21:29Z"))?;
    let payouts = market
        .outcomes
        .iter()
        .position(|outcome| outcome == winner)
        .and_then(|index| Payouts::winner(index, market.outcomes.len()))
        .ok_or_else(|| row.bad("winner", "is none of the market's outcomes"))?;
    Ok(Some((at, payouts)))
}

fn read_trade(
    row: &Row,
    described: &BTreeMap<String, Described>,
) -> Result<(Timestamp, ConditionId, Fill), TapeError> {
    let at = Timestamp::parse_rfc3339(row.field("timestamp"))
        .map_err(|_| row.bad("timestamp", "is not a time such as 2022-01-12T21:10:26Z"))?;
    let wallet: Wallet =
        row.field("wallet").parse().map_err(|_| row.bad("wallet", "is not a 0x-address of 40 hex digits"))?;
    let market = &described
        .get(row.field("market"))
        .ok_or_else(|| row.bad("market", "is not described in the resolutions"))?
        .market;
    let token = market
        .outcomes
        .iter()
        .position(|outcome| outcome == row.field("outcome"))
        .and_then(|index| market.tokens.get(index))
        .ok_or_else(|| row.bad("outcome", "is none of the market's outcomes"))?;
    let side =
        Side::from_name(row.field("side")).ok_or_else(|| row.bad("side", "is neither BUY nor SELL"))?;
    let shares: Shares = row
        .field("shares")
        .parse()
        .map_err(|error: domain::money::AmountError| row.bad("shares", &plain(&error)))?;
    if !shares.is_positive() {
        return Err(row.bad("shares", "is not above zero"));
    }
    let usd: Usd = row
        .field("usd")
        .parse()
        .map_err(|error: domain::money::AmountError| row.bad("usd", &plain(&error)))?;
    if usd < Usd::ZERO {
        return Err(row.bad("usd", "is below zero"));
    }
    let fill = Fill {
        exchange: Exchange::Tape,
        wallet,
        // A tape does not say who stood opposite: one wallet a row, the aggressor.
        counterparty: Wallet::default(),
        role: Role::Taker,
        side,
        token: *token,
        shares,
        usd,
        fee: Fee::NONE,
    };
    Ok((at, market.condition, fill))
}

fn trade_line(row: &Row, at: Timestamp, fill: &Fill) -> String {
    let (market, outcome) = (row.field("market"), row.field("outcome"));
    let Fill { wallet, side, shares, usd, .. } = fill;
    format!("{at},{wallet},{market},{outcome},{},{shares},{usd}\n", side.name())
}

fn resolution_line(row: &Row, result: Option<&(Timestamp, Payouts)>) -> String {
    let at = result.map(|(at, _)| at.to_string()).unwrap_or_default();
    format!("{},{},{},{at}\n", row.field("market"), row.field("outcomes"), row.field("winner"))
}

/// What is wrong with an amount, behind its value.
fn plain(error: &domain::money::AmountError) -> String {
    use domain::money::AmountError;
    match error {
        AmountError::NotDecimal(_) => "is not a decimal number".to_owned(),
        AmountError::TooPrecise(_) => "has more than six decimals".to_owned(),
        AmountError::TooLarge(_) => "is too large".to_owned(),
    }
}

/// A market that has only names gets its ids from them.
fn market(name: &str, outcomes: Vec<String>) -> Market {
    let condition = ConditionId(named(&["condition", name, &outcomes.join("|")]));
    let tokens = outcomes
        .iter()
        .map(|outcome| TokenId(U256::from_be_bytes(named(&["token", name, outcome]).0)))
        .collect();
    Market {
        condition,
        title: name.to_owned(),
        slug: name.to_owned(),
        event: name.to_owned(),
        category: None,
        outcomes,
        tokens,
        neg_risk: false,
        place: None,
        protocol_v2: false,
        tick: Tick::CENT,
        fee_rate_ppm: 0,
        end: None,
        oracle: None,
    }
}

fn named(parts: &[&str]) -> B256 {
    keccak256(format!("orderflow tape\n{}", parts.join("\n")))
}
