//! What a step says beyond its kind, as JSON of whole numbers and texts: what is read is what was written, to the bit.

use domain::{
    Book, Closing, Execution, Level, Market, NegRiskPlace, Oracle, OrderEvent, OrderNews, Price, Shares,
    Tick, Timestamp, TradeId, Usd,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Begun, Said, Step};
use crate::StoreError;

/// Why a detail cannot be read: a number out of range, or a text that is no name.
struct Unreadable;

impl From<serde_json::Error> for Unreadable {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

type Read<T> = Result<T, Unreadable>;

#[derive(Serialize, Deserialize)]
struct BegunRow {
    mode: String,
    policy: String,
    last: (i64, i64),
    is_again: bool,
    paused: bool,
    killed: Option<String>,
    disagreement: Option<String>,
    wallet: Option<String>,
    leads: Vec<(i64, i64)>,
}

#[derive(Serialize, Deserialize)]
struct MarketRow {
    condition: String,
    title: String,
    slug: String,
    event: String,
    category: Option<String>,
    outcomes: Vec<String>,
    tokens: Vec<String>,
    neg_risk: bool,
    place: Option<(String, u8, Option<u8>)>,
    protocol_v2: bool,
    tick: u32,
    fee_rate: u32,
    end: Option<i64>,
    oracle: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct BookRow {
    token: String,
    made: i64,
    tick: u32,
    bids: Vec<(u32, i64)>,
    asks: Vec<(u32, i64)>,
}

#[derive(Serialize, Deserialize)]
struct SameBookRow {
    token: String,
    made: i64,
}

#[derive(Serialize, Deserialize)]
struct NoBookRow {
    token: String,
    says: String,
}

#[derive(Serialize, Deserialize)]
struct HoldingsRow {
    wallet: String,
    token: String,
    as_of: i64,
    held: Vec<(String, i64)>,
}

#[derive(Serialize, Deserialize)]
struct NewsRow {
    order: i64,
    at: i64,
    what: EventRow,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EventRow {
    Accepted,
    Filled(ExecutionRow),
    Corrected(ExecutionRow),
    Confirmed(String),
    Failed(String),
    Closed { why: String, reason: Option<String>, matched: i64 },
}

#[derive(Serialize, Deserialize)]
struct ExecutionRow {
    trade: String,
    shares: i64,
    usd: i64,
    fee: i64,
}

#[derive(Serialize, Deserialize)]
struct SaidRow {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// A step's detail; `None` where it has none.
pub(super) fn written(step: &Step) -> Option<String> {
    let written = match step {
        Step::Facts { .. } | Step::Scores { .. } | Step::Volumes { .. } | Step::Tick => return None,
        Step::Begun(begun) => serde_json::to_value(begun_row(begun)),
        Step::Market(market) => serde_json::to_value(market_row(market)),
        Step::Book(book) => serde_json::to_value(book_row(book)),
        Step::SameBook { token, made } => {
            serde_json::to_value(SameBookRow { token: token.to_string(), made: made.micros() })
        }
        Step::NoBook { token, says } => {
            serde_json::to_value(NoBookRow { token: token.to_string(), says: clean(says) })
        }
        Step::Holdings { wallet, token, as_of, held } => serde_json::to_value(HoldingsRow {
            wallet: wallet.to_string(),
            token: token.to_string(),
            as_of: as_of.micros(),
            held: held.iter().map(|(token, shares)| (token.to_string(), shares.micros())).collect(),
        }),
        Step::Order(news) => serde_json::to_value(news_row(news)),
        Step::Control(said) | Step::Guard(said) => serde_json::to_value(SaidRow {
            name: said.name.clone(),
            number: said.number,
            text: said.text.as_deref().map(clean),
        }),
    };
    // Whole numbers, texts and lists of them are always JSON.
    Some(written.unwrap_or(Value::Null).to_string())
}

/// PostgreSQL keeps no zero byte in a text, whatever a venue says.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The step of a kind that has a detail.
pub(super) fn read(kind: &str, seq: Option<i64>, detail: String) -> Result<Step, StoreError> {
    step(kind, seq, &detail).map_err(|Unreadable| StoreError::Corrupt {
        column: "detail",
        value: detail,
        expected: "what the engine was told",
    })
}

fn step(kind: &str, seq: Option<i64>, detail: &str) -> Read<Step> {
    Ok(match kind {
        "begun" => Step::Begun(begun(serde_json::from_str(detail)?, seq.ok_or(Unreadable)?)?),
        "market" => Step::Market(market(serde_json::from_str(detail)?)?),
        "book" => Step::Book(book(serde_json::from_str(detail)?)?),
        "same_book" => {
            let SameBookRow { token, made } = serde_json::from_str(detail)?;
            Step::SameBook { token: parsed(&token)?, made: Timestamp::from_micros(made) }
        }
        "no_book" => {
            let NoBookRow { token, says } = serde_json::from_str(detail)?;
            Step::NoBook { token: parsed(&token)?, says }
        }
        "holdings" => {
            let HoldingsRow { wallet, token, as_of, held } = serde_json::from_str(detail)?;
            let held = held.iter().map(|(token, shares)| Ok((parsed(token)?, Shares::from_micros(*shares))));
            Step::Holdings {
                wallet: parsed(&wallet)?,
                token: parsed(&token)?,
                as_of: Timestamp::from_micros(as_of),
                held: held.collect::<Read<_>>()?,
            }
        }
        "order" => Step::Order(news(serde_json::from_str(detail)?)?),
        "control" | "guard" => {
            let SaidRow { name, number, text } = serde_json::from_str(detail)?;
            let said = Said { name, number, text };
            if kind == "control" { Step::Control(said) } else { Step::Guard(said) }
        }
        _ => return Err(Unreadable),
    })
}

fn parsed<T: std::str::FromStr>(text: &str) -> Read<T> {
    text.parse().map_err(|_| Unreadable)
}

fn begun_row(begun: &Begun) -> BegunRow {
    BegunRow {
        mode: begun.mode.clone(),
        policy: begun.policy.clone(),
        last: begun.last,
        is_again: begun.is_again,
        paused: begun.paused,
        killed: begun.killed.as_deref().map(clean),
        disagreement: begun.disagreement.as_deref().map(clean),
        wallet: begun.wallet.map(|wallet| wallet.to_string()),
        leads: begun.leads.iter().map(|(position, left)| (*position, left.micros())).collect(),
    }
}

fn begun(row: BegunRow, seq: i64) -> Read<Begun> {
    let leads = row.leads.iter().map(|(position, left)| (*position, Shares::from_micros(*left)));
    Ok(Begun {
        seq,
        mode: row.mode,
        policy: row.policy,
        last: row.last,
        is_again: row.is_again,
        paused: row.paused,
        killed: row.killed,
        disagreement: row.disagreement,
        wallet: row.wallet.as_deref().map(parsed).transpose()?,
        leads: leads.collect(),
    })
}

fn market_row(market: &Market) -> MarketRow {
    MarketRow {
        condition: market.condition.to_string(),
        title: clean(&market.title),
        slug: clean(&market.slug),
        event: clean(&market.event),
        category: market.category.as_deref().map(clean),
        outcomes: market.outcomes.iter().map(|outcome| clean(outcome)).collect(),
        tokens: market.tokens.iter().map(ToString::to_string).collect(),
        neg_risk: market.neg_risk,
        place: market.place.map(|place| (place.market.to_string(), place.question, place.questions)),
        protocol_v2: market.protocol_v2,
        tick: market.tick.ppm(),
        fee_rate: market.fee_rate_ppm,
        end: market.end.map(Timestamp::micros),
        oracle: market.oracle.map(|oracle| oracle.name().to_owned()),
    }
}

fn market(row: MarketRow) -> Read<Market> {
    let place = |(market, question, questions): (String, u8, Option<u8>)| -> Read<NegRiskPlace> {
        Ok(NegRiskPlace { market: parsed(&market)?, question, questions })
    };
    Ok(Market {
        condition: parsed(&row.condition)?,
        title: row.title,
        slug: row.slug,
        event: row.event,
        category: row.category,
        outcomes: row.outcomes,
        tokens: row.tokens.iter().map(|token| parsed(token)).collect::<Read<_>>()?,
        neg_risk: row.neg_risk,
        place: row.place.map(place).transpose()?,
        protocol_v2: row.protocol_v2,
        tick: Tick::from_ppm(row.tick).ok_or(Unreadable)?,
        fee_rate_ppm: row.fee_rate,
        end: row.end.map(Timestamp::from_micros),
        oracle: row.oracle.map(|name| Oracle::from_name(&name).ok_or(Unreadable)).transpose()?,
    })
}

fn book_row(book: &Book) -> BookRow {
    let levels =
        |levels: &[Level]| levels.iter().map(|level| (level.price.ppm(), level.shares.micros())).collect();
    BookRow {
        token: book.token.to_string(),
        made: book.at.micros(),
        tick: book.tick.ppm(),
        bids: levels(&book.bids),
        asks: levels(&book.asks),
    }
}

fn book(row: BookRow) -> Read<Book> {
    let levels = |levels: Vec<(u32, i64)>| {
        let level = |(ppm, shares)| {
            let price = Price::from_ppm(ppm).ok_or(Unreadable)?;
            Ok(Level { price, shares: Shares::from_micros(shares) })
        };
        levels.into_iter().map(level).collect::<Read<Vec<Level>>>()
    };
    // As it stood, in its own order: a book is not put in order twice.
    Ok(Book {
        token: parsed(&row.token)?,
        at: Timestamp::from_micros(row.made),
        bids: levels(row.bids)?,
        asks: levels(row.asks)?,
        tick: Tick::from_ppm(row.tick).ok_or(Unreadable)?,
    })
}

fn news_row(news: &OrderNews) -> NewsRow {
    let execution = |one: &Execution| ExecutionRow {
        trade: one.trade.0.clone(),
        shares: one.shares.micros(),
        usd: one.usd.micros(),
        fee: one.fee.micros(),
    };
    let what = match &news.what {
        OrderEvent::Accepted => EventRow::Accepted,
        OrderEvent::Filled(one) => EventRow::Filled(execution(one)),
        OrderEvent::Corrected(one) => EventRow::Corrected(execution(one)),
        OrderEvent::Confirmed(trade) => EventRow::Confirmed(trade.0.clone()),
        OrderEvent::Failed(trade) => EventRow::Failed(trade.0.clone()),
        OrderEvent::Closed { why, matched } => {
            let reason = match why {
                Closing::Rejected { reason } => Some(clean(reason)),
                _ => None,
            };
            EventRow::Closed { why: why.name().to_owned(), reason, matched: matched.micros() }
        }
    };
    NewsRow { order: news.order, at: news.at.micros(), what }
}

fn news(row: NewsRow) -> Read<OrderNews> {
    let execution = |one: ExecutionRow| Execution {
        trade: TradeId(one.trade),
        shares: Shares::from_micros(one.shares),
        usd: Usd::from_micros(one.usd),
        fee: Usd::from_micros(one.fee),
    };
    let what = match row.what {
        EventRow::Accepted => OrderEvent::Accepted,
        EventRow::Filled(one) => OrderEvent::Filled(execution(one)),
        EventRow::Corrected(one) => OrderEvent::Corrected(execution(one)),
        EventRow::Confirmed(trade) => OrderEvent::Confirmed(TradeId(trade)),
        EventRow::Failed(trade) => OrderEvent::Failed(TradeId(trade)),
        EventRow::Closed { why, reason, matched } => OrderEvent::Closed {
            why: Closing::from_name(&why, reason).ok_or(Unreadable)?,
            matched: Shares::from_micros(matched),
        },
    };
    Ok(OrderNews { order: row.order, at: Timestamp::from_micros(row.at), what })
}

#[cfg(test)]
mod tests;
