//! Who trades when in the synthetic history: as few of them as much as in life, or everybody alike.

use super::draw::{Draw, mix};

/// Which part of all fills the busiest make, by which part of all wallets they are, in thousandths: counted on a public
/// tape of the 2022 US midterm markets, 17,047 fills of 1,441 wallets.
pub(crate) const BUSIEST: [(u32, u32); 8] =
    [(1, 130), (10, 500), (37, 735), (50, 780), (100, 860), (250, 930), (500, 960), (1_000, 1_000)];
/// How many are at it at a time. On the tape half of all fills come within 5 of the same wallet's last one and nine in
/// ten within 220. Ten million fills of a million wallets are some 600 such tapes beside each other, and distances are
/// as many times longer. Of positions there are 1.9 a wallet then, as on the tape, and one fill in five begins one; on
/// the tape, one in six.
const CROWD: usize = 3_500;
/// How many trade at a time where everybody is alike.
const EVEN_CROWD: usize = 30_000;
/// A visit's fills: from one to so many.
const MOST: u32 = 9;

/// Somebody who trades for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visit {
    pub(crate) wallet: u32,
    /// The place among the open markets: a topic, of which one market follows the other.
    pub(crate) place: u32,
    /// Which market it was when they last traded it, and what they hold of it since they came.
    pub(crate) market: u32,
    pub(crate) outcome: u32,
    pub(crate) held: i64,
    /// How many of the visit's fills are left.
    left: u32,
}

/// Everybody who could trade.
#[derive(Debug)]
pub(crate) struct Crowd {
    kind: Kind,
    wallets: u32,
    fills: u64,
    /// How many places markets are open at.
    places: u32,
    visits: Vec<Visit>,
    /// Visits begun, and how many wallets have had their turn.
    begun: u64,
    turns: u64,
}

#[derive(Debug)]
enum Kind {
    /// Half of all visits go round among everybody; of the rest a third is made by one wallet in twenty-seven.
    Even,
    /// A few make most fills.
    AsInLife(Vec<Part>),
}

/// A part of the wallets, all of whom trade alike.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// The first of them, and behind the last.
    first: u32,
    end: u32,
    /// What they and all busier ones make of all visits, in millionths.
    until: u32,
    /// How many topics each follows.
    topics: u32,
}

impl Crowd {
    /// People of whom the busiest make as many fills as in life.
    pub(crate) fn as_in_life(fills: u64, wallets: u32, places: u32) -> Self {
        Self::of(Kind::AsInLife(parts(fills, wallets)), fills, wallets, places)
    }

    /// People who are nearly all alike, which is the hardest there is.
    pub(crate) fn even(fills: u64, wallets: u32, places: u32) -> Self {
        Self::of(Kind::Even, fills, wallets, places)
    }

    fn of(kind: Kind, fills: u64, wallets: u32, places: u32) -> Self {
        Self { kind, wallets, fills, places, visits: Vec::new(), begun: 0, turns: 0 }
    }

    /// Whoever makes the next fill, of which there were `made` before, in the market that is open where they trade.
    pub(crate) fn next(&mut self, made: u64, draw: &mut Draw, market_at: impl Fn(u32) -> u32) -> usize {
        if self.visits.is_empty() {
            let crowd = if matches!(self.kind, Kind::Even) { EVEN_CROWD } else { CROWD };
            // The last seat is for those who trade once and go.
            for _ in 0..=crowd {
                let visit = self.visit(draw, &market_at);
                self.visits.push(visit);
            }
        }
        let last = self.visits.len() - 1;
        let seat = match &self.kind {
            // Everybody has a turn in the course of the run, whoever trades beside it.
            Kind::AsInLife(_) if self.turns * self.fills < (made + 1) * u64::from(self.wallets) => {
                let wallet = turn(self.turns, self.wallets);
                self.turns += 1;
                self.visits[last] = Visit { left: 1, ..self.visit_of(wallet, draw, &market_at) };
                last
            }
            _ => usize::try_from(draw.below(u32::try_from(last).unwrap_or(u32::MAX))).unwrap_or(0),
        };
        let visit = self.visits[seat];
        if visit.left == 0 || (matches!(self.kind, Kind::Even) && market_at(visit.place) != visit.market) {
            self.visits[seat] = self.visit(draw, &market_at);
        } else if let Kind::AsInLife(_) = self.kind {
            self.wander(seat, draw, &market_at);
        }
        self.visits[seat].left -= 1;
        seat
    }

    /// A visit that goes on.
    pub(crate) fn visit_mut(&mut self, seat: usize) -> &mut Visit {
        &mut self.visits[seat]
    }

    /// Who is opposite: anybody, or somebody who trades at the time.
    pub(crate) fn counterparty(&self, draw: &mut Draw) -> u32 {
        match self.kind {
            Kind::Even => draw.below(self.wallets),
            Kind::AsInLife(_) => {
                let seat = draw.below(u32::try_from(self.visits.len()).unwrap_or(1));
                self.visits[seat as usize].wallet
            }
        }
    }

    /// Of so many fills that could sell what was bought one does; a fifth of all then do in either world.
    pub(crate) const fn sellers(&self) -> u32 {
        if matches!(self.kind, Kind::Even) { 4 } else { 2 }
    }

    /// Somebody looks at any of their topics, and goes on where a market has ended with the next.
    fn wander(&mut self, seat: usize, draw: &mut Draw, market_at: impl Fn(u32) -> u32) {
        let visit = self.visits[seat];
        let place = self.topic(visit.wallet, draw);
        let market = market_at(place);
        if (place, market) != (visit.place, visit.market) {
            self.visits[seat] = Visit { place, market, held: 0, outcome: draw.below(2), ..visit };
        }
    }

    fn visit(&mut self, draw: &mut Draw, market_at: impl Fn(u32) -> u32) -> Visit {
        self.begun += 1;
        let wallet = match &self.kind {
            // Everybody has a turn, and as often somebody of the few who trade much: a third of these come from the
            // first twenty-seventh of all wallets.
            Kind::Even if self.begun.is_multiple_of(2) => turn(self.begun / 2, self.wallets),
            Kind::Even => {
                let part = f64::from(draw.below(1 << 24)) / f64::from(1 << 24);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a part of a count"
                )]
                let number = (part * part * part * f64::from(self.wallets)) as u32;
                number
            }
            Kind::AsInLife(parts) => {
                let which = draw.below(1_000_000);
                let part = parts.iter().find(|part| which < part.until).or(parts.last());
                part.map_or(0, |part| part.first + draw.below(part.end - part.first))
            }
        };
        self.visit_of(wallet, draw, market_at)
    }

    fn visit_of(&self, wallet: u32, draw: &mut Draw, market_at: impl Fn(u32) -> u32) -> Visit {
        let place = self.topic(wallet, draw);
        let (outcome, left) = (draw.below(2), 1 + draw.below(MOST));
        Visit { wallet, place, market: market_at(place), outcome, left, held: 0 }
    }

    /// One of the topics that a wallet follows; where everybody is alike, any.
    fn topic(&self, wallet: u32, draw: &mut Draw) -> u32 {
        let Kind::AsInLife(parts) = &self.kind else { return draw.below(self.places) };
        let topics = parts.iter().find(|part| wallet < part.end).map_or(1, |part| part.topics);
        let which = u64::from(draw.below(topics));
        u32::try_from(mix(u64::from(wallet) << 32 | which) % u64::from(self.places)).unwrap_or(0)
    }
}

/// Whose turn it is: everybody's once, in no order.
fn turn(number: u64, wallets: u32) -> u32 {
    u32::try_from(number.wrapping_mul(2_654_435_761) % u64::from(wallets)).unwrap_or(0)
}

/// The parts of the crowd: their parts of all fills, less what everybody's one turn makes of them.
fn parts(fills: u64, wallets: u32) -> Vec<Part> {
    let once = (f64::from(wallets) / fills as f64).min(1.0);
    let (mut parts, mut first, mut before, mut sum): (Vec<Part>, u32, f64, f64) = (Vec::new(), 0, 0.0, 0.0);
    let mut weights = Vec::new();
    for (people, made) in BUSIEST {
        let end = u32::try_from(u64::from(wallets) * u64::from(people) / 1_000).unwrap_or(u32::MAX);
        let count = f64::from(end.max(first) - first);
        let weight = (f64::from(made) / 1_000.0 - before - once * count / f64::from(wallets)).max(0.0);
        before = f64::from(made) / 1_000.0;
        if end <= first {
            continue;
        }
        sum += weight;
        weights.push(sum);
        let each = (weight + once * count / f64::from(wallets)) * fills as f64 / count;
        parts.push(Part { first, end, until: 0, topics: topics(each) });
        first = end;
    }
    for (part, weight) in parts.iter_mut().zip(weights) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a million")]
        let until = (weight / sum.max(f64::MIN_POSITIVE) * 1e6).round() as u32;
        part.until = until;
    }
    parts
}

/// How many topics somebody with so many fills follows: who trades a hundred times as much, ten times as many.
fn topics(fills: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
    let topics = (fills.sqrt() / 5.0).clamp(1.0, 1e3) as u32;
    topics
}

#[cfg(test)]
mod tests {
    use super::super::world::World;
    use super::BUSIEST;

    #[test]
    fn the_busiest_make_as_much_as_in_life_and_everybody_makes_something() {
        let mut world = World::new(400_000, 40_000, 2_000);
        while world.fill(&mut Vec::new(), 10_000) > 0 {}
        let shares = world.shares();
        for ((_, made), (_, expected)) in shares.busiest().into_iter().zip(BUSIEST) {
            assert!((made - f64::from(expected) / 10.0).abs() < 3.0, "{:?}", shares.busiest());
        }
        assert_eq!(shares.idle(), 0);
    }
}
