//! A venue on paper for decisions that are made again: what it says of orders, at once, at the books that were told.

use std::collections::{BTreeMap, VecDeque};

use decision::venue::{self, Resting};
use decision::{Command, Engine, Event, EventKind};
use domain::{Book, Closing, OrderEvent, OrderNews, Place, Shares, Timestamp, TokenId};

/// What an event does to the orders that rest, which the engine hears of first.
pub(super) fn first(
    engine: &Engine,
    kind: &EventKind,
    place: Option<&Place>,
    at: Timestamp,
) -> VecDeque<Event> {
    let resting = engine.portfolio().orders().filter_map(Resting::new);
    let news: Vec<OrderNews> = match (kind, place) {
        (EventKind::Fill { fill, .. }, Some(place)) => {
            resting.flat_map(|order| order.on_print(fill, place, at)).collect()
        }
        (EventKind::Tick, _) => resting.filter_map(|order| order.on_time(at)).collect(),
        _ => vec![],
    };
    told(news, at).collect()
}

/// What is said to what the engine asks. Books and holdings are told as they were recorded.
pub(super) fn answers(
    engine: &Engine,
    books: &BTreeMap<TokenId, Book>,
    commands: &[Command],
    at: Timestamp,
) -> Vec<Event> {
    let news = commands.iter().flat_map(|command| match command {
        Command::Place(order) => match books.get(&order.get().token) {
            Some(book) => venue::execute(order, book, at),
            None => {
                let why = Closing::Rejected { reason: "no book of it was ever told".to_owned() };
                let what = OrderEvent::Closed { why, matched: Shares::ZERO };
                vec![OrderNews { order: order.get().id, at, what }]
            }
        },
        Command::Cancel(id) => {
            let sent = engine.portfolio().orders().find(|sent| sent.order.id == *id);
            sent.and_then(Resting::new).map(|order| order.cancel(at)).into_iter().collect()
        }
        Command::Quote(_) | Command::Holdings { .. } => vec![],
    });
    told(news, at).collect()
}

fn told(news: impl IntoIterator<Item = OrderNews>, at: Timestamp) -> impl Iterator<Item = Event> {
    news.into_iter().map(move |news| Event { at, kind: EventKind::Order(news) })
}
