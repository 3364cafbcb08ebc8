//! Facts that are folded together, laid out as the shards go through them: the trades some wallets at a time, and the
//! prices question by question.

use std::hint::black_box;

use domain::{ChainEvent, Fact, Timestamp};

use super::act::{Act, Deed, Trade};
use super::by_question::ByQuestion;
use super::catalogue::Catalogue;
use super::entry::{DRIFT_HORIZON, LONGEST};
use super::interner::{PARTS, Spread as _, part_of, usize_of};
use super::shard::home;

/// How many facts are looked at together.
const TOGETHER: usize = 64;

/// Facts in a row, as the shards fold them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch<'a> {
    /// The number of the first of them.
    pub(super) first: u64,
    /// Whether nothing before them happened at a later time than they did.
    pub(super) is_in_time: bool,
    /// The time of the last.
    pub(super) until: Timestamp,
    /// The fills that can be folded as they are, in two halves.
    pub(super) sheets: [&'a Sheet; 2],
    /// What the others ask for.
    pub(super) acts: &'a [Act],
}

/// A price that was paid, of a question's first token, in millionths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tick {
    pub(super) at: Timestamp,
    pub(super) ppm: u32,
    /// Its place among the facts that are folded together.
    pub(super) place: u32,
}

/// Half of a stretch.
#[derive(Clone, Debug, Default)]
pub(super) struct Sheet {
    /// The place of the first fact, and behind the last.
    first: u32,
    end: u32,
    /// The trades of each part of each shard.
    trades: Vec<Vec<Trade>>,
    /// The places of all facts but those, which have to be understood in their order.
    pub(super) others: Vec<u32>,
    /// What was paid, as it came, and question by question.
    ticks: Vec<(u32, Tick)>,
    pub(super) tape: ByQuestion<Tick>,
}

impl Sheet {
    /// Looks at facts of which the first has this place, up to the first that cannot be folded together with those
    /// since `since`. How many they are.
    pub(super) fn take(
        &mut self,
        catalogue: &Catalogue,
        shards: usize,
        facts: &[Fact],
        (first, since): (u32, Timestamp),
    ) -> usize {
        self.trades.resize_with(shards * PARTS, Vec::new);
        self.trades.iter_mut().for_each(Vec::clear);
        self.others.clear();
        self.ticks.clear();
        (self.first, self.end) = (first, first);
        let mut last = since;
        for together in facts.chunks(TOGETHER) {
            // Where their tokens are is asked for together first, lest each waits for its own.
            let mut spreads = [0; TOGETHER];
            for (spread, fact) in spreads.iter_mut().zip(together) {
                if let ChainEvent::Fill(fill) = &fact.event {
                    *spread = fill.token.spread();
                }
            }
            black_box(catalogue.touch(&spreads));
            for (fact, spread) in together.iter().zip(spreads) {
                let at = fact.place.block_time;
                if !belongs(since, last, at) {
                    return usize_of(self.end - first);
                }
                last = at;
                self.look(catalogue, shards, fact, spread);
                self.end += 1;
            }
        }
        facts.len()
    }

    /// Takes down a fill of a token that is described, among whose siblings nobody waits.
    fn look(&mut self, catalogue: &Catalogue, shards: usize, fact: &Fact, token: u64) {
        let (at, place) = (fact.place.block_time, self.end);
        let seen = if let ChainEvent::Fill(fill) = &fact.event {
            let seat = catalogue.seat_of(fill.token, token);
            seat.filter(|seat| !catalogue.is_awaited(seat.question)).map(|seat| (fill, seat))
        } else {
            None
        };
        let Some((fill, seat)) = seen else {
            self.others.push(place);
            return;
        };
        let price = seat.price_of(fill);
        if let Some(ppm) = price {
            self.ticks.push((seat.question, Tick { at, ppm, place }));
        }
        let trade = Trade { place, tells: price.is_some(), ..Trade::of(fill, token, at, Some(seat)) };
        let part = usize::from(home(trade.spread, shards)) * PARTS + part_of(trade.spread);
        self.trades[part].push(trade);
    }

    /// Forgets everything from a place on.
    pub(super) fn cut(&mut self, end: u32) {
        if self.end <= end {
            return;
        }
        for trades in &mut self.trades {
            trades.truncate(trades.partition_point(|trade| trade.place < end));
        }
        self.others.truncate(self.others.partition_point(|place| *place < end));
        self.ticks.truncate(self.ticks.partition_point(|(_, tick)| tick.place < end));
        self.end = end.max(self.first);
    }

    /// Sorts what was paid by question, with what was paid according to acts since `before`.
    pub(super) fn sort_ticks(&mut self, acts: &[Act], before: u64) {
        let (first, end) = (self.first, self.end);
        let told = acts.iter().filter_map(|act| {
            let Deed::Trade { trade, price: Some(ppm), .. } = &act.deed else { return None };
            let place = place_of(act.seq, before)?;
            let tick = Tick { at: act.at, ppm: *ppm, place };
            (first <= place && place < end).then_some((trade.question, tick))
        });
        let seen = self.ticks.len();
        self.ticks.extend(told);
        if seen < self.ticks.len() {
            self.ticks.sort_by_key(|(_, tick)| tick.place);
        }
        self.tape.group(self.ticks.iter().copied());
    }

    /// The trades of a part of a shard, in their order.
    pub(super) fn part(&self, home: u16, part: usize) -> &[Trade] {
        self.trades.get(usize::from(home) * PARTS + part).map_or(&[], Vec::as_slice)
    }
}

impl Stretch<'_> {
    /// What was paid in a question, in order.
    pub(super) fn ticks(&self, question: u32) -> impl Iterator<Item = &Tick> {
        let [front, back] = self.sheets.map(|sheet| sheet.tape.of(question));
        front.iter().chain(back)
    }

    /// The last price that was paid in a question before a moment, if any was.
    pub(super) fn price_before(&self, question: u32, moment: Timestamp) -> Option<u32> {
        let last = |sheet: &Sheet| {
            let ticks = sheet.tape.of(question);
            let earlier = ticks.partition_point(|tick| tick.at < moment);
            ticks[..earlier].last().map(|tick| tick.ppm)
        };
        let [front, back] = self.sheets;
        last(back).or_else(|| last(front))
    }
}

/// The place of a fact among those that are folded together, of which the first has the number `first`.
pub(super) fn place_of(seq: u64, first: u64) -> Option<u32> {
    u32::try_from(seq.checked_sub(first)?).ok()
}

/// Whether a fact can be folded together with those since a moment, of which the last was at another one: as long as
/// time goes on, and no entry that they make or go on with is due among them.
pub(super) fn belongs(since: Timestamp, last: Timestamp, at: Timestamp) -> bool {
    last <= at && at.micros_since(since) < DRIFT_HORIZON - LONGEST
}
