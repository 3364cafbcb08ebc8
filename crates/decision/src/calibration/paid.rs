//! What was paid for one outcome of a question, as far as calibration tells prices apart: however many decisions there
//! were, it takes no more than a place for each horizon and bin.

use super::{BINS, Calibration, Category, Horizon, Paid, bin};
use crate::half_lives::fixed;

/// The prices that decisions for an outcome paid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PaidPrices(Vec<InSlot>);

/// The prices of one horizon and bin, flat: with the sums as a part of their own a third of the room would be gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct InSlot {
    slot: u8,
    decisions: u32,
    prices: i64,
}

/// How many horizons and bins there are.
const SLOTS: u8 = 60;

impl PaidPrices {
    /// Counts a decision at an average price; what is no price is not counted.
    pub(crate) fn add(&mut self, price: f64, horizon: Horizon) {
        if !(0.0 < price && price < 1.0) {
            return;
        }
        let slot = u8::try_from(horizon as u16 * BINS + bin(price)).unwrap_or(SLOTS - 1);
        self.in_slot(slot).add(1, fixed(price));
    }

    /// Whether there were none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What tells them from others. Of two parts it is the wrapping sum of theirs.
    pub(crate) fn mark(&self) -> u64 {
        self.0.iter().fold(0u64, |mark, paid| {
            let weight = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(2 * u64::from(paid.slot) + 1);
            let sum = u64::from(paid.decisions).wrapping_mul(31).wrapping_add(paid.prices.cast_unsigned());
            mark.wrapping_add(weight.wrapping_mul(sum))
        })
    }

    /// Counts those of another as well.
    pub(crate) fn add_all(&mut self, other: &Self) {
        for more in &other.0 {
            self.in_slot(more.slot).add(more.decisions, more.prices);
        }
    }

    /// Slot by slot, in order: the slot, how many decisions, and their prices' sum.
    pub(crate) fn parts(&self) -> impl ExactSizeIterator<Item = (u8, u32, i64)> {
        self.0.iter().map(|paid| (paid.slot, paid.decisions, paid.prices))
    }

    /// Back from [`Self::parts`]; `None` unless they are in order and there are such slots.
    pub(crate) fn from_parts(parts: &[(u8, u32, i64)]) -> Option<Self> {
        let is_sound =
            parts.is_sorted_by(|one, next| one.0 < next.0) && parts.iter().all(|part| part.0 < SLOTS);
        let paid = |&(slot, decisions, prices): &(u8, u32, i64)| InSlot { slot, decisions, prices };
        is_sound.then(|| Self(parts.iter().map(paid).collect()))
    }

    fn in_slot(&mut self, slot: u8) -> &mut InSlot {
        let place = self.0.binary_search_by_key(&slot, |paid| paid.slot).unwrap_or_else(|place| {
            self.0.insert(place, InSlot { slot, decisions: 0, prices: 0 });
            place
        });
        &mut self.0[place]
    }
}

impl InSlot {
    fn add(&mut self, decisions: u32, prices: i64) {
        self.decisions = self.decisions.saturating_add(decisions);
        self.prices = self.prices.saturating_add(prices);
    }
}

impl Paid {
    fn add(&mut self, more: Self) {
        self.decisions = self.decisions.saturating_add(more.decisions);
        self.prices = self.prices.saturating_add(more.prices);
    }
}

impl Calibration {
    /// Remembers decisions for an outcome, as [`Calibration::enter`] would one by one.
    pub(crate) fn enter_paid(&mut self, outcome: (u32, u16), category: Category, prices: &PaidPrices) {
        for &InSlot { slot, decisions, prices } in &prices.0 {
            let cell = category as u16 * 3 * BINS + u16::from(slot);
            self.open.entry((outcome, cell)).or_default().add(Paid { decisions, prices });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::Entered;
    use proptest::prelude::*;

    const HORIZONS: [Horizon; 3] = [Horizon::Day, Horizon::Week, Horizon::Longer];

    proptest! {
        /// Counted together or one by one, cut in two or not, written and read or not: it is the same.
        #[test]
        fn prices_together_are_prices_one_by_one(
            paid in prop::collection::vec((-0.1f64..1.1, 0usize..3), 0..60),
            cut in any::<prop::sample::Index>(),
        ) {
            let outcome = (7, 1);
            let mut single = Calibration::default();
            let (mut front, mut back) = (PaidPrices::default(), PaidPrices::default());
            let middle = if paid.is_empty() { 0 } else { cut.index(paid.len()) };
            for (place, (price, horizon)) in paid.iter().enumerate() {
                let horizon = HORIZONS[*horizon];
                single.enter(&Entered { price: *price, category: Category::Tech, horizon, outcome });
                if place < middle { front.add(*price, horizon) } else { back.add(*price, horizon) }
            }
            let mut both = front.clone();
            both.add_all(&back);
            prop_assert_eq!(both.mark(), front.mark().wrapping_add(back.mark()));
            prop_assert_eq!(both.is_empty(), front.is_empty() && back.is_empty());
            let parts: Vec<(u8, u32, i64)> = both.parts().collect();
            let read = PaidPrices::from_parts(&parts).unwrap();
            prop_assert_eq!(&read, &both);
            let mut together = Calibration::default();
            together.enter_paid(outcome, Category::Tech, &read);
            prop_assert_eq!(together, single);
        }
    }

    #[test]
    fn parts_out_of_order_are_none() {
        assert_eq!(PaidPrices::from_parts(&[(3, 1, 1), (3, 1, 1)]), None);
        assert_eq!(PaidPrices::from_parts(&[(SLOTS, 1, 1)]), None);
    }
}
