//! An engine that is told something, and answered until it asks no more.

use std::collections::VecDeque;

use decision::{Command, Engine, Event, EventKind, Record, venue};
use domain::{Book, Timestamp, TokenId};

/// Tells it, quotes the books it asks for and fills its orders in them; what else it asks is answered by `beyond`.
pub(crate) fn run(
    engine: &mut Engine,
    at: Timestamp,
    kind: EventKind,
    book: impl Fn(TokenId) -> Book,
    mut beyond: impl FnMut(&Engine, Command) -> Vec<EventKind>,
) -> Vec<Record> {
    let (mut records, mut kinds) = (vec![], VecDeque::from([kind]));
    while let Some(kind) = kinds.pop_front() {
        let outcome = engine.step(&Event { at, kind });
        records.extend(outcome.records);
        for command in outcome.commands {
            match command {
                Command::Quote(token) => kinds.push_back(EventKind::Book(book(token))),
                Command::Place(order) => {
                    let book = book(order.get().token);
                    kinds.extend(venue::execute(&order, &book, at).into_iter().map(EventKind::Order));
                }
                other => kinds.extend(beyond(engine, other)),
            }
        }
    }
    records
}
