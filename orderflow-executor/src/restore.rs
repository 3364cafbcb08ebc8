//! The engine as it stood at a place in the outbox, made again from the database.

use decision::engine::{Asked, LOOKBACK};
use decision::exits::{ExitState, Fade, Lead};
use decision::experience::Known;
use decision::portfolio::{Holdings, Kept, Losses};
use decision::volume::{self, Traded};
use decision::{Bet, Case, Control, Engine, Last, Policy, Sent};
use domain::{ExitReason, Fill, Purpose, SignalKind, TimeInForce, Timestamp, Wallet};
use store::resume::{Books, ExitRow, SentOrder};
use store::signals::Judged;
use store::{PgConnection, controls, markets, resume, scores, signals, worth};

use crate::live::Live;
use crate::venue::Venue;

/// The engine as it stood.
pub(crate) async fn engine_at(
    connection: &mut PgConnection,
    policy: Policy,
    venue: &mut Venue,
    seq: i64,
) -> anyhow::Result<Engine> {
    let mut books = resume::books(connection, seq, venue.mode()).await?;
    let exits = exits_of(std::mem::take(&mut books.exits));
    // Whether a pause was heard before the end is not known: entries that rest must go, so it is told again.
    let rests =
        |sent: &SentOrder| sent.order.purpose == Purpose::Enter && sent.order.force != TimeInForce::Fak;
    let is_pause_obeyed = !books.orders.iter().any(rests);
    let last = Last { signal: books.last_signal, order: books.last_order };
    let mut engine = Engine::new(policy, holdings_of(books), last);
    let is_obeyed = is_kill_obeyed(&exits);
    engine.remember_exits(exits);
    let latches = controls::latches(connection).await?;
    if latches.paused && is_pause_obeyed {
        engine.remember_control(&Control::Pause);
    }
    if let Some(reason) = latches.killed.filter(|_| is_obeyed) {
        engine.remember_control(&Control::Kill { reason });
    }
    for market in markets::known_at(connection, seq).await? {
        engine.learn(&market);
    }
    for (condition, payouts) in resume::results(connection, seq).await? {
        engine.remember_result(condition, payouts);
    }
    engine.learn_prices(worth::known_at(connection, seq).await?);
    engine.rate(&scores::rated_at(connection, seq).await?);
    remember_cases(connection, &mut engine).await?;
    let own = venue.live().map(Live::wallet);
    remember_recent(connection, &mut engine, seq, own, |fill| venue.observe(fill)).await?;
    Ok(engine)
}

/// Tells an engine of the fills before a place in the outbox that still matter, our own not among them, and of the
/// candidates that were judged since.
pub(crate) async fn remember_recent(
    connection: &mut PgConnection,
    engine: &mut Engine,
    seq: i64,
    own: Option<Wallet>,
    mut observe: impl FnMut(&Fill),
) -> anyhow::Result<()> {
    remember_volumes(connection, engine, seq).await?;
    let Some(reached) = resume::reached(connection, seq).await? else { return Ok(()) };
    let since = reached.plus_micros(-LOOKBACK);
    engine.remember_from(since);
    // What wallets of standing did is asked over a longer time than what everybody did.
    let wallets: Vec<Wallet> = engine.of_standing().into_iter().filter(|one| Some(*one) != own).collect();
    let earlier = reached.plus_micros(-engine.flows_kept());
    if earlier < since && !wallets.is_empty() {
        for (fill, at) in resume::fills_of(connection, seq, &wallets, earlier, since).await? {
            engine.remember_flow(&fill, at);
        }
    }
    for (fill, at) in resume::recent_fills(connection, seq, since).await? {
        if Some(fill.wallet) == own {
            continue;
        }
        observe(&fill);
        engine.remember(&fill, at);
    }
    for judged in resume::judged(connection, since).await? {
        engine.remember_asked(Asked {
            kind: judged.kind,
            wallet: judged.wallet,
            token: judged.token,
            notional: judged.notional,
            at: judged.at,
            followed: judged.raised,
        });
    }
    Ok(())
}

/// Tells the engine what was traded in the last day, as it was known at a place in the outbox.
pub(crate) async fn remember_volumes(
    connection: &mut PgConnection,
    engine: &mut Engine,
    seq: i64,
) -> anyhow::Result<()> {
    let Some(reached) = resume::reached(connection, seq).await? else { return Ok(()) };
    let since = reached.plus_micros(-volume::KEPT_HOURS * Timestamp::HOUR);
    let traded = resume::volumes(connection, seq, since).await?.into_iter();
    engine.remember_volumes(traded.map(|(token, at, usd, shares)| Traded { token, at, usd, shares }));
    Ok(())
}

fn holdings_of(books: Books) -> Holdings {
    let bids = books.positions.iter().filter_map(|kept| Some((kept.position.token, kept.bid?))).collect();
    Holdings {
        realized: books.realized,
        positions: books
            .positions
            .into_iter()
            .map(|kept| Kept { position: kept.position, ended: kept.ended })
            .collect(),
        orders: books.orders.into_iter().map(sent_of).collect(),
        prints: books.prints,
        bids,
        day: books.day,
        losses: Losses { in_a_row: books.losses_in_a_row, cooling_until: books.cooling_until },
        halted_until: books.halted_until,
    }
}

fn sent_of(row: SentOrder) -> Sent {
    let mut sent = Sent::new(row.order);
    for news in &row.news {
        sent.take_in(&news.what);
    }
    sent
}

/// Whether a kill that stands has surely had its consequences. It ends every leaving, and after it only a person begins
/// one: any other picture may be older than the kill, which is then news to the engine when the controls are first
/// looked at. To tell a kill again while nothing is being left changes nothing.
fn is_kill_obeyed(exits: &ExitState) -> bool {
    !exits.leaving.is_empty() && exits.leaving.values().all(|reason| *reason == ExitReason::Person)
}

fn exits_of(rows: Vec<ExitRow>) -> ExitState {
    let mut exits = ExitState::default();
    for row in rows {
        match row.kind {
            SignalKind::FollowWhale => {
                let entry = row.notional.buys_at(row.reference);
                let lead = Lead { wallet: row.wallet, token: row.token, entry, left: row.left };
                exits.leads.insert(row.position, lead);
            }
            SignalKind::FadeDegen => {
                exits.fades.insert(row.position, Fade { from: row.market, drop: row.drop });
            }
        }
        exits.leaving.extend(row.leaving.map(|reason| (row.position, reason)));
        exits.reached.extend(row.reached.into_iter().map(|reason| (row.position, reason)));
    }
    exits
}

/// Tells the engine of every candidate that was ever priced, and what it came to.
async fn remember_cases(connection: &mut PgConnection, engine: &mut Engine) -> anyhow::Result<()> {
    for judged in signals::judged(connection).await? {
        let Judged { fair, skill, part, size, run_up, .. } = judged;
        let bet = Bet { fair, skill, part, size, run_up };
        let case = Case {
            at: judged.at,
            kind: judged.kind,
            condition: judged.condition,
            event: judged.event,
            outcome: judged.outcome,
            fair,
            terms: Case::terms(judged.kind, &bet, judged.drop),
        };
        match judged.known {
            Some((payoff, learned)) => engine.remember_outcome(Known { case, payoff, learned }),
            None => engine.remember_case(case),
        }
    }
    Ok(())
}
