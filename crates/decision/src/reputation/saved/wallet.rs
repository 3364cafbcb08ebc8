//! A wallet's bytes, read: everything that is its own, before it is put among the others.

use domain::{Shares, Side, Timestamp, TokenId, Usd, Wallet};

use super::{Damaged, Reader, Saved, Writer};
use crate::clv::{ClvSums, Watched};
use crate::copyability::CopyabilitySums;
use crate::ledger::Holding;
use crate::reputation::copying::Copying;
use crate::reputation::entry::Timer;
use crate::reputation::record::{Record, Told};
use crate::reputation::shard::Bare;
use crate::reputation::stake::{Bet, Stake};

/// What a wallet's bytes say.
#[derive(Debug)]
pub(in crate::reputation) struct WalletState {
    /// Whether it changed since the last pass.
    pub(in crate::reputation) is_changed: bool,
    pub(in crate::reputation) told: Told,
    /// By question; whose they are is not in them.
    pub(in crate::reputation) stakes: Vec<Stake>,
    /// With whether somebody has asked since it changed.
    pub(in crate::reputation) bare: Vec<(TokenId, Bare, bool)>,
    /// How many decisions it made among the siblings of a question.
    pub(in crate::reputation) legs: Vec<(u32, u32)>,
    pub(in crate::reputation) copying: Copying,
    /// With when the last fill was of those that are still being made.
    pub(in crate::reputation) timers: Vec<(Timer, Option<Timestamp>)>,
    /// By question.
    pub(in crate::reputation) watched: Vec<(u32, Watched)>,
}

impl WalletState {
    /// Reads a wallet's bytes. `questions` is how many questions there are.
    pub(in crate::reputation) fn read(wallet: Wallet, bytes: &[u8], questions: u32) -> Result<Self, Damaged> {
        let mut from = Reader::new(bytes)?;
        let from = &mut from;
        let state = Self {
            is_changed: from.flag()?,
            told: Record::load(wallet, from)?,
            stakes: ascending(from, |from, question| Ok(Stake { question, ..Stake::load(from)? }))?,
            bare: from.list(|from| Ok((token(from)?, Bare::load(from)?, from.flag()?)))?,
            legs: ascending(from, |from, question| Ok((question, from.whole()?)))?,
            copying: Copying { sums: CopyabilitySums::load(from)?, clv: ClvSums::load(from)? },
            timers: from.list(Timer::load)?,
            watched: from.list(|from| Ok((from.whole()?, Watched::load(from)?)))?,
        };
        from.end()?;
        if !state.bare.is_sorted_by(|one, next| one.0 < next.0) {
            return Err(Damaged::Order);
        }
        let unknown = state.questions().find(|question| questions <= *question);
        unknown.map_or(Ok(state), |question| Err(Damaged::Question(question)))
    }

    fn questions(&self) -> impl Iterator<Item = u32> {
        let stakes = self.stakes.iter().map(|stake| stake.question);
        let legs = self.legs.iter().map(|leg| leg.0);
        let waiting = self.timers.iter().map(|(timer, _)| timer.question);
        let watched = self.watched.iter().map(|watched| watched.0);
        self.told.questions().chain(stakes).chain(legs).chain(waiting).chain(watched)
    }
}

/// A list by question, each told by how far it is behind the one before it.
fn ascending<T>(
    from: &mut Reader<'_>,
    mut item: impl FnMut(&mut Reader<'_>, u32) -> Result<T, Damaged>,
) -> Result<Vec<T>, Damaged> {
    let mut next = Some(0u32);
    from.list(|from| {
        let question = next.and_then(|next| Some(next.checked_add(from.whole().ok()?)));
        let question = question.flatten().ok_or(Damaged::Number)?;
        next = question.checked_add(1);
        item(from, question)
    })
}

/// Writes how far a question is behind the one before it.
pub(in crate::reputation) fn behind(to: &mut Writer, next: &mut u32, question: u32) {
    to.whole(question.saturating_sub(*next));
    *next = question.saturating_add(1);
}

pub(in crate::reputation) fn token(from: &mut Reader<'_>) -> Result<TokenId, Damaged> {
    from.raw::<32>().map(|bytes| TokenId(alloy_primitives::U256::from_be_bytes(bytes)))
}

impl Saved for Holding {
    fn save(&self, to: &mut Writer) {
        to.amount(self.shares.micros());
        to.amount(self.cost.micros());
        to.amount(self.realized.micros());
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(Self { shares: from.shares()?, cost: from.usd()?, realized: from.usd()? })
    }
}

/// Which parts of a stake are there.
const DECIDED: u8 = 1;
const MOVED: u8 = 2;
const BET: u8 = 4;
const OWED: u8 = 8;
/// Shares or cost of the first outcome, and of the second.
const HELD: [u8; 2] = [16, 32];
/// Results of the first outcome, and of the second.
const REALIZED: [u8; 2] = [64, 128];

impl Saved for Stake {
    /// Writes everything but whose it is and in what.
    fn save(&self, to: &mut Writer) {
        let mark = |is_there: bool, mark: u8| if is_there { mark } else { 0 };
        let mut marks = mark(self.was_decided, DECIDED) | mark(self.is_moved, MOVED);
        marks |= mark(self.bet.is_some(), BET) | mark(self.owed != Usd::ZERO, OWED);
        for (holding, (held, realized)) in self.holdings.iter().zip(HELD.into_iter().zip(REALIZED)) {
            marks |= mark(holding.shares != Shares::ZERO || holding.cost != Usd::ZERO, held);
            marks |= mark(holding.realized != Usd::ZERO, realized);
        }
        to.byte(marks);
        for (holding, (held, realized)) in self.holdings.iter().zip(HELD.into_iter().zip(REALIZED)) {
            if marks & held != 0 {
                to.amount(holding.shares.micros());
                to.amount(holding.cost.micros());
            }
            if marks & realized != 0 {
                to.amount(holding.realized.micros());
            }
        }
        if let Some(bet) = &self.bet {
            bet.save(to);
        }
        if self.owed != Usd::ZERO {
            to.amount(self.owed.micros());
        }
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let marks = from.byte()?;
        let mut stake =
            Self { was_decided: marks & DECIDED != 0, is_moved: marks & MOVED != 0, ..Self::default() };
        for (holding, (held, realized)) in stake.holdings.iter_mut().zip(HELD.into_iter().zip(REALIZED)) {
            if marks & held != 0 {
                (holding.shares, holding.cost) = (from.shares()?, from.usd()?);
            }
            if marks & realized != 0 {
                holding.realized = from.usd()?;
            }
        }
        if marks & BET != 0 {
            stake.bet = Some(Bet::load(from)?);
        }
        if marks & OWED != 0 {
            stake.owed = from.usd()?;
        }
        Ok(stake)
    }
}

impl Saved for Bet {
    /// Writes everything but the entry that is being made, which is among the timers.
    fn save(&self, to: &mut Writer) {
        to.moment(self.opened);
        to.byte(u8::from(self.direction == Side::Sell) | u8::from(self.is_unknown) << 1);
        to.amount(self.shares.micros());
        for usd in [self.cost, self.flow, self.spent[0], self.spent[1]] {
            to.amount(usd.micros());
        }
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let opened = from.moment()?;
        let marks = from.byte()?;
        if marks > 3 {
            return Err(Damaged::Mark(marks));
        }
        Ok(Self {
            opened,
            direction: if marks & 1 == 1 { Side::Sell } else { Side::Buy },
            shares: from.shares()?,
            cost: from.usd()?,
            flow: from.usd()?,
            spent: [from.usd()?, from.usd()?],
            is_unknown: marks & 2 == 2,
            entry: None,
        })
    }
}
