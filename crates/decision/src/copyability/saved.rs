//! A wallet's ways as bytes.

use super::counterparties::Counterparties;
use super::{CopyabilitySums, Day, WINDOW};
use crate::quantile::Sizes;
use crate::reputation::saved::{Damaged, Reader, Saved, Writer};

impl CopyabilitySums<u32, u32> {
    /// The day on which the next of its days leaves the window, for who has looked at it on a day.
    pub(crate) fn fades_on(&self, looked: i64) -> Option<i64> {
        let leave = self.days.iter().map(|day| i64::from(day.number) + i64::from(WINDOW));
        leave.filter(|leaves| looked < *leaves).min()
    }
}

impl Saved for CopyabilitySums<u32, u32> {
    fn save(&self, to: &mut Writer) {
        for count in [
            self.trades,
            self.splits,
            self.merges,
            self.decisions,
            self.in_baskets,
            self.nearly_certain,
            self.closed,
            self.cost_unknown,
        ] {
            to.whole(count);
        }
        for usd in [self.opened, self.opened_as_maker, self.opened_ultra_short, self.cost, self.hedged] {
            to.amount(usd.micros());
        }
        to.length(self.holds.bins().len());
        for (number, count) in self.holds.bins() {
            to.signed(*number);
            to.whole(*count);
        }
        to.length(self.days.len());
        let mut before = 0i64;
        for day in &self.days {
            to.signed(i64::from(day.number) - before);
            before = i64::from(day.number);
            to.whole(day.decisions);
            to.whole(day.new_markets);
        }
        self.counterparties.save(to);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let (trades, splits, merges, decisions) =
            (from.whole()?, from.whole()?, from.whole()?, from.whole()?);
        let (in_baskets, nearly_certain) = (from.whole()?, from.whole()?);
        let (closed, cost_unknown) = (from.whole()?, from.whole()?);
        let (opened, opened_as_maker, opened_ultra_short) = (from.usd()?, from.usd()?, from.usd()?);
        let (cost, hedged) = (from.usd()?, from.usd()?);
        let holds = from.list(|from| Ok((from.signed()?, from.whole()?)))?;
        let holds = Sizes::from_bins(holds).ok_or(Damaged::Order)?;
        let mut before = 0i64;
        let days = from.list(|from| {
            before = before.checked_add(from.signed()?).ok_or(Damaged::Number)?;
            let number = i32::try_from(before).map_err(|_| Damaged::Number)?;
            Ok(Day { number, decisions: from.whole()?, new_markets: from.whole()? })
        })?;
        if !days.is_sorted_by(|one, next| one.number < next.number) {
            return Err(Damaged::Order);
        }
        Ok(Self {
            trades,
            splits,
            merges,
            opened,
            opened_as_maker,
            opened_ultra_short,
            decisions,
            in_baskets,
            nearly_certain,
            closed,
            cost_unknown,
            cost,
            hedged,
            holds,
            days: days.into_iter().collect(),
            counterparties: Counterparties::load(from)?,
        })
    }
}
