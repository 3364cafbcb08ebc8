//! Every decision once more: the engine is told again what it was told, and what it says is held against what is stored.
//!
//! Fills are told as they were, so that what was held and what was left of the limits is what it was; everything else
//! the engine has to find again by itself, whatever the venue was: paper or live.
//!
//! Or orders are answered anew, by the rules of paper trading. Then what is held differs, because fills do, and so do
//! stakes, limits and exits; but every candidate has to be judged as it was, whoever answered.

mod on_paper;

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context as _, bail, ensure};
use decision::portfolio::Holdings;
use decision::{Engine, Event, EventKind, Guard, Guards, Last, Policy, Record};
use domain::{Book, ChainEvent, Fact, Place, Timestamp, TokenId};
use store::recording::{self, Begun, Compared, Recorded, Scope, Step};
use store::{PgConnection, Store, markets, resume, scores, worth};

use crate::diary;
use crate::recorder::words;
use crate::restore::{remember_recent, remember_volumes};

/// So many steps are read at once.
const CHUNK: u32 = 500;

/// Who says what becomes of orders while decisions are made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// The venue of then, as it was heard.
    AsRecorded,
    /// The rules of paper trading, at the books that were told.
    OnPaper,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rehearsal {
    /// How many steps were told.
    pub steps: u64,
    /// How often an engine began.
    pub beginnings: u64,
    /// From when to when; `None` where nothing was recorded.
    pub span: Option<(Timestamp, Timestamp)>,
    /// What was decided, table by table.
    pub tables: Vec<Compared>,
}

impl Rehearsal {
    /// Whether every decision is what it was that has to be.
    #[must_use]
    pub fn is_same(&self) -> bool {
        let mut binding = self.tables.iter().filter(|table| table.must_be_same);
        binding.all(|table| table.missing == 0 && table.new == 0)
    }
}

/// Tells an engine of these settings all that is recorded, and compares. The database stays as it is, and may be in use.
///
/// # Errors
/// If the database fails; if there is no recording from the first decision on, it was made under other settings, or
/// facts it names are no longer kept.
pub async fn rehearse(store: &Store, policy: &Policy, answers: Answers) -> anyhow::Result<Rehearsal> {
    let mut transaction = store.begin_snapshot().await?;
    recording::set_up(&mut transaction).await?;
    let mut stage = Stage { policy, answers, engine: None, mode: String::new(), books: BTreeMap::new() };
    let (mut steps, mut beginnings, mut span, mut place) = (0, 0, None, 0);
    loop {
        let recorded = recording::read(&mut transaction, place, CHUNK).await?;
        let Some(last) = recorded.last() else { break };
        place = last.id;
        span = Some((span.map_or(recorded[0].at, |(from, _)| from), last.at));
        let facts = named_facts(&mut transaction, &recorded).await?;
        for one in recorded {
            steps += 1;
            beginnings += u64::from(matches!(one.step, Step::Begun(_)));
            let place = one.id;
            stage.take_in(&mut transaction, one, &facts).await.with_context(|| format!("step {place}"))?;
        }
    }
    let scope = match answers {
        Answers::AsRecorded => Scope::Everything,
        Answers::OnPaper => Scope::Judgements,
    };
    let tables = recording::compare(&mut transaction, scope).await?;
    // Nothing of this was ever to be kept.
    transaction.rollback().await?;
    Ok(Rehearsal { steps, beginnings, span, tables })
}

type Facts = BTreeMap<i64, BTreeMap<u32, Fact>>;

/// The facts that steps name.
async fn named_facts(connection: &mut PgConnection, recorded: &[Recorded]) -> anyhow::Result<Facts> {
    let seqs: Vec<i64> = recorded
        .iter()
        .filter_map(|one| match one.step {
            Step::Facts { seq, .. } => Some(seq),
            _ => None,
        })
        .collect();
    Ok(recording::facts(connection, &seqs).await?)
}

/// Something the engine is told again, and where the chain has it.
struct Told {
    kind: EventKind,
    place: Option<Place>,
}

/// The engine and what it takes to understand the recording.
struct Stage<'a> {
    policy: &'a Policy,
    answers: Answers,
    engine: Option<Engine>,
    mode: String,
    /// Each token's book as it was told last.
    books: BTreeMap<TokenId, Book>,
}

impl Stage<'_> {
    /// Takes a step, and writes what the engine says to where it is compared.
    async fn take_in(
        &mut self,
        connection: &mut PgConnection,
        recorded: Recorded,
        facts: &Facts,
    ) -> anyhow::Result<()> {
        let Recorded { at, step, .. } = recorded;
        if let Step::Begun(begun) = step {
            return self.begin(connection, begun, at).await;
        }
        let nothing_before =
            "the recording does not begin with a beginning: has retention let the first of it go?";
        if let Step::Volumes { seq } = step {
            let engine = self.engine.as_mut().context(nothing_before)?;
            return remember_volumes(connection, engine, seq).await;
        }
        let told = self.told(connection, step, facts).await?;
        let engine = self.engine.as_mut().context(nothing_before)?;
        for Told { kind, place } in told {
            let mut events = match self.answers {
                Answers::AsRecorded => VecDeque::new(),
                Answers::OnPaper if matches!(kind, EventKind::Order(_)) => continue,
                Answers::OnPaper => on_paper::first(engine, &kind, place.as_ref(), at),
            };
            events.push_back(Event { at, kind });
            while let Some(event) = events.pop_front() {
                let outcome = engine.step(&event);
                if self.answers == Answers::OnPaper {
                    events.extend(on_paper::answers(engine, &self.books, &outcome.commands, at));
                }
                for record in outcome.records {
                    // What became of candidates is found by a statement over the stored ones: it decides nothing.
                    if !matches!(record, Record::Outcome { .. }) {
                        diary::write(connection, [&record], &self.mode).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What a step tells.
    async fn told(
        &mut self,
        connection: &mut PgConnection,
        step: Step,
        facts: &Facts,
    ) -> anyhow::Result<Vec<Told>> {
        if let Step::Facts { seq, logs } = step {
            return logs.iter().map(|log| fact(facts, seq, *log)).collect();
        }
        if let Step::Scores { seq } = step {
            let (prices, verdicts) = recording::verdicts(connection, seq).await?;
            let kinds = prices.map(EventKind::Prices).into_iter().chain([EventKind::Scores(verdicts)]);
            return Ok(kinds.map(|kind| Told { kind, place: None }).collect());
        }
        let kind = self.kind(step)?;
        Ok(kind.into_iter().map(|kind| Told { kind, place: None }).collect())
    }

    /// The event of a step; `None` for one that is none or many.
    fn kind(&mut self, step: Step) -> anyhow::Result<Option<EventKind>> {
        Ok(Some(match step {
            Step::Begun(_) | Step::Volumes { .. } | Step::Facts { .. } | Step::Scores { .. } => {
                return Ok(None);
            }
            Step::Market(market) => EventKind::Market(market),
            Step::Book(book) => {
                self.books.insert(book.token, book.clone());
                EventKind::Book(book)
            }
            Step::SameBook { token, made } => {
                let before = self.books.get(&token).context("no book was told before")?;
                EventKind::Book(Book { at: made, ..before.clone() })
            }
            Step::NoBook { token, says } => EventKind::NoBook { token, detail: says },
            Step::Holdings { wallet, token, as_of, held } => {
                EventKind::Holdings { wallet, token, as_of, held }
            }
            Step::Order(news) => EventKind::Order(news),
            Step::Control(said) => EventKind::Control(words::control(said).context("no control")?),
            Step::Guard(said) => EventKind::Guard(words::guard(said).context("no measurement")?),
            Step::Tick => EventKind::Tick,
        }))
    }

    /// An engine begins where the recorded one did.
    async fn begin(
        &mut self,
        connection: &mut PgConnection,
        begun: Begun,
        at: Timestamp,
    ) -> anyhow::Result<()> {
        let (digest, policy) = (self.policy.digest(), begun.policy);
        ensure!(
            digest == policy,
            "recorded under the settings {policy}, and these are {digest}: give the same ones \
             (orderflow_policies says what they were)"
        );
        ensure!(
            self.mode.is_empty() || self.mode == begun.mode,
            "the recording goes on in another mode, {} after {}, whose account is not in it: one database for each \
             mode can be rehearsed",
            begun.mode,
            self.mode
        );
        let mut guards = Guards::latched(begun.paused, begun.killed);
        guards.measure(&Guard::Reconcile(begun.disagreement));
        let mut engine = match self.engine.take() {
            None => first(connection, self.policy, &guards, begun.seq, begun.last).await?,
            Some(engine) => {
                let guards = if begun.is_again { engine.guards().clone() } else { guards };
                engine.restarted(guards, &begun.leads.into_iter().collect())
            }
        };
        remember_recent(connection, &mut engine, begun.seq, begun.wallet, |_| {}).await?;
        self.mode = begun.mode;
        if begun.is_again {
            for record in engine.reconsider_leads(at) {
                diary::write(connection, [&record], &self.mode).await?;
            }
        }
        self.engine = Some(engine);
        Ok(())
    }
}

/// The first engine of a recording, which may have found facts, but no decisions.
async fn first(
    connection: &mut PgConnection,
    policy: &Policy,
    guards: &Guards,
    seq: i64,
    last: (i64, i64),
) -> anyhow::Result<Engine> {
    ensure!(
        last == (0, 0),
        "the recording begins behind signal {} and order {}: what they led to is not in it",
        last.0,
        last.1
    );
    let mut engine = Engine::new(policy.clone(), Holdings::default(), Last::default());
    engine.remember_guards(guards.clone());
    for market in markets::known_at(connection, seq).await? {
        engine.learn(&market);
    }
    for (condition, payouts) in resume::results(connection, seq).await? {
        engine.remember_result(condition, payouts);
    }
    engine.learn_prices(worth::known_at(connection, seq).await?);
    engine.rate(&scores::rated_at(connection, seq).await?);
    Ok(engine)
}

fn fact(facts: &Facts, seq: i64, log: u32) -> anyhow::Result<Told> {
    let Some(fact) = facts.get(&seq).and_then(|facts| facts.get(&log)) else {
        bail!("log {log} of item {seq} is no longer kept")
    };
    let kind = match &fact.event {
        ChainEvent::Fill(fill) => EventKind::Fill { fill: *fill, block_time: fact.place.block_time },
        ChainEvent::Resolution { condition, payouts } => {
            EventKind::Resolved { condition: *condition, payouts: payouts.clone() }
        }
        other => bail!("log {log} of item {seq} is nothing the engine is told: {other:?}"),
    };
    Ok(Told { kind, place: Some(fact.place) })
}
