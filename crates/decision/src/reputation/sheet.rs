//! Facts that are folded together, laid out as the shards go through them: the trades wallet by wallet, and the prices
//! question by question.

use domain::{ChainEvent, Fact, Timestamp};

use super::act::{Act, Deed, Trade};
use super::by_question::ByQuestion;
use super::glance::Glance;
use super::interner::usize_of;

/// Into how many parts the trades of a shard are divided, by wallet. So many that one part and the wallets in it stay
/// near at hand while it is folded.
pub(super) const PARTS: usize = 1 << PART_BITS;
const PART_BITS: u32 = 9;

/// Facts in a row, as the shards fold them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch<'a> {
    /// The number of the first of them.
    pub(super) first: u64,
    /// The time of the last.
    pub(super) until: Timestamp,
    /// The fills that needed no more than a glance, in two halves.
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
    trades: Vec<Trade>,
    /// Where the trades of each part of each shard begin, and where the last ones end.
    starts: Vec<u32>,
    ends: Vec<u32>,
    /// What was paid.
    pub(super) tape: ByQuestion<Tick>,
}

/// The part of a shard's trades where a wallet's are.
#[expect(clippy::cast_possible_truncation, reason = "the upper bits of 64")]
pub(super) const fn part_of(spread: u64) -> usize {
    (spread >> (u64::BITS - PART_BITS)) as usize
}

impl Sheet {
    /// Lays out fills that were glanced at among facts of which the first has the place `first`; the acts are those of
    /// the whole stretch.
    pub(super) fn lay_out(
        &mut self,
        facts: &[Fact],
        (first, glances): (u32, &[Glance]),
        acts: &[Act],
        (shards, before): (usize, u64),
    ) {
        let part = |glance: &Glance| usize::from(glance.home) * PARTS + part_of(glance.spread);
        self.starts.clear();
        self.starts.resize(shards * PARTS, 0);
        for glance in glances {
            self.starts[part(glance)] += 1;
        }
        let mut next = 0;
        for start in &mut self.starts {
            next += std::mem::replace(start, next);
        }
        self.ends.clone_from(&self.starts);
        let trade = |glance: &Glance| {
            let fact = facts.get(usize_of(glance.place - first))?;
            let ChainEvent::Fill(fill) = &fact.event else { return None };
            let trade = Trade::of(fill, glance.spread, glance.at, Some(glance.seat));
            Some(Trade { place: glance.place, tells: glance.price > 0, ..trade })
        };
        // Whatever fills the room is written over.
        if let Some(filler) = glances.first().and_then(trade).filter(|_| self.trades.len() < glances.len()) {
            self.trades.resize(glances.len(), filler);
        }
        for glance in glances {
            let Some(trade) = trade(glance) else { continue };
            let end = &mut self.ends[part(glance)];
            self.trades[usize_of(*end)] = trade;
            *end += 1;
        }
        let last = first.saturating_add(u32::try_from(facts.len()).unwrap_or(u32::MAX));
        let told = acts.iter().filter_map(|act| {
            let Deed::Trade { trade, price: Some(ppm), .. } = &act.deed else { return None };
            let place = u32::try_from(act.seq.checked_sub(before)?).ok()?;
            let tick = Tick { at: act.at, ppm: *ppm, place };
            (first <= place && place < last).then_some((trade.question, tick))
        });
        let told: Vec<(u32, Tick)> = told.collect();
        let seen = glances.iter().filter(|glance| glance.price > 0);
        let seen = seen.map(|glance| (glance.seat.question, Tick { at: glance.at, ppm: glance.price, place: glance.place }));
        if told.is_empty() {
            self.tape.group(seen);
        } else {
            let mut all: Vec<(u32, Tick)> = seen.chain(told).collect();
            all.sort_by_key(|(_, tick)| tick.place);
            self.tape.group(all.iter().copied());
        }
    }

    /// The trades of a part of a shard, in their order.
    pub(super) fn part(&self, home: u16, part: usize) -> &[Trade] {
        let number = usize::from(home) * PARTS + part;
        match (self.starts.get(number), self.ends.get(number)) {
            (Some(start), Some(end)) => &self.trades[usize_of(*start)..usize_of(*end)],
            _ => &[],
        }
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
