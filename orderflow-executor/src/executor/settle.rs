//! One event, and all that it leads to, until the engine asks nothing more.
//!
//! Answers can be long in coming, and a person does not wait for them: what they ask for meanwhile goes to the engine at
//! once, and the answers that it needs overtake those that others wait for.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use decision::{Command, Control, Engine, Event, EventKind, Guards, Record, Sent};
use domain::{ConditionId, Timestamp};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use service::clock;
use store::controls::CloseRequest;
use store::feed::{self, Item};
use store::{Store, controls};

use super::{CHUNK, Executor, OBEY};
use crate::holdings;
use crate::venue::Venue;

type Answer<'a> = Pin<Box<dyn Future<Output = Vec<EventKind>> + Send + 'a>>;

/// What a person asked for, and when.
#[derive(Debug)]
struct Asked {
    control: Control,
    since: Timestamp,
}

/// Events that wait for the engine, and questions of its that wait for the world, each kind in its order.
struct Lane<'a> {
    events: VecDeque<Event>,
    questions: FuturesOrdered<Answer<'a>>,
    /// How many of the questions are orders, at most: which of them was answered is not told.
    placing: usize,
}

impl Default for Lane<'_> {
    fn default() -> Self {
        Self { events: VecDeque::new(), questions: FuturesOrdered::new(), placing: 0 }
    }
}

impl Lane<'_> {
    fn is_quiet(&self) -> bool {
        self.events.is_empty() && self.questions.is_empty()
    }
}

impl Executor {
    /// Does what a person asked for since, and gives what became known and was not taken in. Both are looked up at once,
    /// because a whale's fill waits for them.
    pub(super) async fn obey_and_read(&mut self) -> anyhow::Result<Vec<Item>> {
        self.obeyed = Some(Instant::now());
        let (store, seq) = (&self.store, self.seq);
        let (asked, items) =
            tokio::try_join!(wishes(store, &self.venue, self.engine.guards(), &mut self.closing), async {
                Ok(feed::read_newest(store, seq, CHUNK).await?)
            })?;
        self.do_asked(asked).await?;
        Ok(items)
    }

    /// Does what a person asked for since, and commits that it is done with what it led to.
    pub(super) async fn obey(&mut self) -> anyhow::Result<()> {
        self.obeyed = Some(Instant::now());
        let asked = wishes(&self.store, &self.venue, self.engine.guards(), &mut self.closing).await?;
        self.do_asked(asked).await
    }

    async fn do_asked(&mut self, asked: Vec<Asked>) -> anyhow::Result<()> {
        if asked.is_empty() {
            return Ok(());
        }
        let at = self.now().await?;
        self.learned = at;
        let mut records = vec![];
        self.settle(None, asked, at, &mut records).await?;
        self.commit(&records).await
    }

    /// Steps the engine with an event, and with the answers to everything it asks, until it is quiet.
    pub(super) async fn settle_down(
        &mut self,
        event: Event,
        records: &mut Vec<Record>,
    ) -> anyhow::Result<()> {
        let learned = event.at;
        self.settle(Some(event), vec![], learned, records).await
    }

    async fn settle(
        &mut self,
        event: Option<Event>,
        asked: Vec<Asked>,
        learned: Timestamp,
        records: &mut Vec<Record>,
    ) -> anyhow::Result<()> {
        // The answers hold these for as long as they wait; the engine steps meanwhile.
        let (store, venue) = (&self.store, &self.venue);
        let (mut urgent, mut plain) = (Lane::default(), Lane::default());
        plain.events.extend(event);
        urgent.events.extend(heard(venue, asked, learned));
        loop {
            // A tape has no person in it.
            if venue.is_by_the_clock() && is_due(self.obeyed) {
                self.obeyed = Some(Instant::now());
                let asked = wishes(store, venue, self.engine.guards(), &mut self.closing).await?;
                urgent.events.extend(heard(venue, asked, learned));
            }
            let is_urgent = !urgent.events.is_empty();
            let lane = if is_urgent { &mut urgent } else { &mut plain };
            if let Some(event) = lane.events.pop_front() {
                self.recorder.note(&event);
                let outcome = self.engine.step(&event);
                records.extend(outcome.records);
                if is_urgent || !outcome.commands.is_empty() {
                    self.told = None;
                }
                for command in outcome.commands {
                    if let (Command::Place(order), Some(live)) = (&command, venue.live()) {
                        let kinds = self.send_out(live, order, records).await?;
                        lane.events.extend(at_once(venue, learned, kinds));
                        continue;
                    }
                    lane.placing += usize::from(matches!(command, Command::Place(_)));
                    let sent = order_of(&self.engine, &command);
                    let condition = condition_of(&self.engine, &command);
                    let about = About { sent, condition };
                    lane.questions.push_back(Box::pin(answer(store, venue, command, about, learned)));
                }
            } else if urgent.is_quiet() && plain.is_quiet() {
                return Ok(());
            } else {
                // What a person asked for is done: nobody has to wait for the rest to see it.
                if urgent.is_quiet() && plain.placing == 0 && !self.closing.is_empty() {
                    self.commit_early(records).await?;
                    self.closing.clear();
                }
                wait(&mut urgent, &mut plain, venue, learned).await;
            }
        }
    }

    pub(super) fn is_to_obey(&self) -> bool {
        is_due(self.obeyed)
    }
}

fn is_due(obeyed: Option<Instant>) -> bool {
    obeyed.is_none_or(|obeyed| OBEY <= obeyed.elapsed())
}

/// What a person asked for that the engine has not heard of. The live venue keeps to a pause at once, whatever the engine
/// is at. `closing` are the requests that were read and whose end is not committed.
async fn wishes(
    store: &Store,
    venue: &Venue,
    guards: &Guards,
    closing: &mut Vec<i64>,
) -> anyhow::Result<Vec<Asked>> {
    let mut connection = store.connection().await?;
    let (latches, requests) = controls::wishes(&mut connection).await?;
    if let Some(live) = venue.live() {
        live.handle().latches.paused.store(latches.paused, Ordering::SeqCst);
    }
    let paused = match (guards.paused, latches.paused) {
        (false, true) => Some(Control::Pause),
        (true, false) => Some(Control::Resume),
        _ => None,
    };
    let killed = match (guards.killed.is_some(), latches.killed) {
        (false, Some(reason)) => Some(Control::Kill { reason }),
        (true, None) => Some(Control::Lift),
        _ => None,
    };
    let latched = paused.into_iter().chain(killed);
    let mut asked: Vec<Asked> = latched.map(|control| Asked { control, since: latches.since }).collect();
    for CloseRequest { id, position, asked: since } in requests {
        if !closing.contains(&id) {
            closing.push(id);
            let control = position.map_or(Control::CloseAll, Control::Close);
            asked.push(Asked { control, since });
        }
    }
    Ok(asked)
}

/// The events of what a person asked for. How long it took until the engine heard of it is measured.
fn heard(venue: &Venue, asked: Vec<Asked>, learned: Timestamp) -> Vec<Event> {
    let at = venue.moment(learned);
    let event = |Asked { control, since }| {
        let delay = u64::try_from(clock::now().micros_since(since)).unwrap_or_default();
        let delay = Duration::from_micros(delay);
        tracing::info!(?control, ?delay, "a person asks");
        metrics::histogram!("orderflow_control_seconds", "control" => name(&control)).record(delay);
        Event { at, kind: EventKind::Control(control) }
    };
    asked.into_iter().map(event).collect()
}

/// The order that a command is to cancel.
fn order_of(engine: &Engine, command: &Command) -> Option<Sent> {
    let Command::Cancel(id) = command else { return None };
    engine.portfolio().orders().find(|sent| sent.order.id == *id).cloned()
}

/// Waits for the next answer, those that a person waits for first; not for longer than until somebody is to be obeyed.
async fn wait<'a>(urgent: &mut Lane<'a>, plain: &mut Lane<'a>, venue: &Venue, learned: Timestamp) {
    let (lane, kinds) = tokio::select! {
        biased;
        Some(kinds) = urgent.questions.next(), if !urgent.questions.is_empty() => (urgent, kinds),
        Some(kinds) = plain.questions.next(), if !plain.questions.is_empty() => (plain, kinds),
        () = tokio::time::sleep(OBEY), if venue.is_by_the_clock() => return,
    };
    lane.placing = lane.placing.min(lane.questions.len());
    lane.events.extend(at_once(venue, learned, kinds));
}

/// What became known, at the moment at which it did.
fn at_once(venue: &Venue, learned: Timestamp, kinds: Vec<EventKind>) -> impl Iterator<Item = Event> {
    let at = venue.moment(learned);
    kinds.into_iter().map(move |kind| Event { at, kind })
}

/// The market of a token whose book a command asks for.
fn condition_of(engine: &Engine, command: &Command) -> Option<ConditionId> {
    let Command::Quote(token) = command else { return None };
    engine.condition_of(*token)
}

/// What the engine knows of what it asks for, and the world would have to look up.
struct About {
    /// The order that is to be cancelled.
    sent: Option<Sent>,
    /// The market whose book is asked for.
    condition: Option<ConditionId>,
}

/// What the world says to what the engine asks.
async fn answer(
    store: &Store,
    venue: &Venue,
    command: Command,
    about: About,
    learned: Timestamp,
) -> Vec<EventKind> {
    match command {
        Command::Quote(token) => {
            let at = venue.moment(learned);
            vec![match venue.quote(token, about.condition, at).await {
                Ok(book) => EventKind::Book(book),
                Err(detail) => EventKind::NoBook { token, detail },
            }]
        }
        Command::Holdings { wallet, token } => holdings::of(store, wallet, token).await.into_iter().collect(),
        Command::Place(order) => {
            venue.place(&order, learned).await.into_iter().map(EventKind::Order).collect()
        }
        Command::Cancel(_) => match about.sent {
            Some(sent) => venue.cancel(&sent, learned).await.into_iter().map(EventKind::Order).collect(),
            None => vec![],
        },
    }
}

/// The name under which the delay of what a person asks is counted.
const fn name(control: &Control) -> &'static str {
    match control {
        Control::Pause => "pause",
        Control::Resume => "resume",
        Control::Close(_) => "close",
        Control::CloseAll => "close_all",
        Control::Kill { .. } => "kill",
        Control::Lift => "lift",
    }
}
