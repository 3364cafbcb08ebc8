//! The few counterparties a wallet deals with most, in a fixed room.

mod saved;

use domain::{Side, Timestamp, Usd};
use smallvec::SmallVec;

use super::{Dealt, ratio};

/// How many are kept: a wallet whose index exceeds 0.3 has at most three that matter.
const KEPT: usize = 8;
/// As many need no room of their own.
const FEW: usize = 2;
/// Trading back within this time is a round trip.
const SOON: i64 = 10 * Timestamp::MINUTE;

/// A space-saving sketch (Metwally, Agrawal and El Abbadi 2005): a newcomer takes the smallest one's place and
/// inherits its count as an error, so whoever has more than an eighth of the volume is always in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Counterparties<W, T> {
    volume: Usd,
    round_trips: Usd,
    pub(super) kept: SmallVec<[Counterparty<W, T>; FEW]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counterparty<W, T> {
    pub(super) wallet: W,
    /// The last trade with it.
    last: Last<T>,
    /// An upper bound of what was traded with it, and by how much that may be too high.
    pub(super) usd: Usd,
    pub(super) error: Usd,
}

/// Bytes for each counterparty kept, where wallets and tokens are numbers of 32 bits.
#[cfg(test)]
pub(super) const ROOM: usize = size_of::<Counterparty<u32, u32>>();

/// The last trade with a counterparty, as far as it was not traded back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last<T> {
    at: Timestamp,
    token: T,
    side: Side,
    usd: Usd,
}

impl<W, T> Default for Counterparties<W, T> {
    fn default() -> Self {
        Self { volume: Usd::ZERO, round_trips: Usd::ZERO, kept: SmallVec::new() }
    }
}

impl<W: Copy + Ord, T: Copy + Eq> Counterparties<W, T> {
    /// Counts a fill, in the order they happened.
    pub(super) fn trade(&mut self, dealt: &Dealt<W, T>) {
        self.volume += dealt.usd;
        let Some(wallet) = dealt.counterparty else { return };
        let last = Last { at: dealt.at, token: dealt.token, side: dealt.side, usd: dealt.usd };
        if let Some(known) = self.kept.iter_mut().find(|known| known.wallet == wallet) {
            known.usd += dealt.usd;
            let returned = known.last.trade_back(last);
            // Both ways count: what went out and what came back.
            self.round_trips += returned + returned;
        } else if self.kept.len() < KEPT {
            // Most wallets know few others, and there are millions of wallets.
            if self.kept.len() == self.kept.capacity() {
                self.kept.reserve_exact(KEPT - self.kept.len());
            }
            self.kept.push(Counterparty { wallet, last, usd: dealt.usd, error: Usd::ZERO });
        } else if let Some(known) = self.kept.iter_mut().min_by_key(|known| known.usd) {
            let least = known.usd;
            *known = Counterparty { wallet, last, usd: least + dealt.usd, error: least };
        }
    }

    /// Reads what the next fill will need.
    pub(super) fn touch(&self) -> u64 {
        u64::from(self.volume == Usd::ZERO)
    }

    /// Reads what hangs on that.
    pub(super) fn touch_more(&self) -> u64 {
        self.kept.iter().fold(0, |read, known| read ^ u64::from(known.usd == Usd::ZERO))
    }

    /// The Herfindahl–Hirschman index over all volume, of which what was traded with the exchange and what the
    /// sketch cannot vouch for count as dispersed; `None` before the first trade.
    pub(super) fn concentration(&self) -> Option<f64> {
        let volume = self.volume.to_f64();
        let part = |known: &Counterparty<W, T>| (known.usd - known.error).to_f64() / volume;
        (volume > 0.0).then(|| self.kept.iter().map(|known| part(known) * part(known)).sum())
    }

    /// The part of all volume that was traded back soon; `None` before the first trade.
    pub(super) fn round_trips(&self) -> Option<f64> {
        ratio(self.round_trips.to_f64(), self.volume.to_f64())
    }
}

impl<T: Copy + Eq> Last<T> {
    /// Gives way to the next trade, and tells how much of this one that traded back.
    fn trade_back(&mut self, next: Self) -> Usd {
        let is_soon = next.at.micros_since(self.at) <= SOON;
        if !(is_soon && self.token == next.token) {
            *self = next;
            return Usd::ZERO;
        }
        if self.side == next.side {
            *self = Self { usd: self.usd + next.usd, ..next };
            return Usd::ZERO;
        }
        let returned = self.usd.min(next.usd);
        if self.usd < next.usd {
            *self = Self { usd: next.usd - returned, ..next };
        } else {
            self.usd -= returned;
        }
        returned
    }
}
