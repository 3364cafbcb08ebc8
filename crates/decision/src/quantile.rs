//! Amounts by size, each bin a quarter of an octave wide: what is needed for quantiles that forget no order and
//! need no amounts kept. An estimator that moves its markers with each amount (P²) would take less room and
//! give other answers for another order.

use smallvec::SmallVec;

/// How a float of 64 bits is laid out.
const MANTISSA_BITS: u32 = 52;
const MANTISSA: u64 = (1 << MANTISSA_BITS) - 1;
const BIAS: i16 = 1023;
const ONE: u64 = 1023 << MANTISSA_BITS;
/// Where the quarters of an octave start: 2^(1/4), 2^(1/2), 2^(3/4).
const QUARTERS: [f64; 3] = [1.189_207_115_002_721, std::f64::consts::SQRT_2, 1.681_792_830_507_429];

/// What is kept for each size that occurred, smallest first. The first few stand where the whole does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sizes<T>(SmallVec<[(i16, T); FEW]>);

/// Sizes that need no room of their own: most wallets have no more.
const FEW: usize = 3;
/// How many the first room of their own has.
const MORE: usize = 16;

impl<T> Default for Sizes<T> {
    fn default() -> Self {
        Self(SmallVec::new())
    }
}

impl<T: Default> Sizes<T> {
    /// What is kept for amounts of this size; `None` unless it is above zero and finite.
    pub(crate) fn bin(&mut self, amount: f64) -> Option<&mut T> {
        let number = number(amount)?;
        let place = match self.0.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(place) => place,
            Err(place) => {
                if self.0.len() == FEW {
                    // Who has this many sizes will have more.
                    self.0.reserve_exact(MORE - FEW);
                }
                self.0.insert(place, (number, T::default()));
                place
            }
        };
        self.0.get_mut(place).map(|(_, kept)| kept)
    }
}

impl<T> Sizes<T> {
    /// What is kept, by the bin's number.
    pub(crate) fn bins(&self) -> &[(i16, T)] {
        &self.0
    }

    /// Back from [`Self::bins`]; `None` unless they are in order.
    pub(crate) fn from_bins(bins: Vec<(i16, T)>) -> Option<Self> {
        bins.is_sorted_by(|one, next| one.0 < next.0).then(|| Self(bins.into_iter().collect()))
    }

    /// Reads what the next amount will need.
    pub(crate) fn touch(&self) -> u64 {
        // A line has eight of them, and the search goes on from the middle to either side.
        let number =
            |place: usize| self.0.get(place).map_or(0, |(number, _)| u64::from(number.unsigned_abs()));
        let half = self.0.len() / 2;
        number(half) ^ number(half / 2) ^ number(half + half / 2)
    }

    /// The sizes that occurred, each by its middle, and what is kept for it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (f64, &T)> {
        self.0.iter().map(|(number, kept)| (edge(f64::from(*number) + 0.5), kept))
    }

    /// The amount below which `part` of all lie, within 19 %; `None` without amounts.
    pub(crate) fn quantile(&self, part: f64, count: impl Fn(&T) -> u32) -> Option<f64> {
        let total: f64 = self.0.iter().map(|(_, kept)| f64::from(count(kept))).sum();
        let wanted = part * total;
        let mut below = 0.0;
        for (number, kept) in &self.0 {
            let here = f64::from(count(kept));
            if here > 0.0 && wanted <= below + here {
                return Some(edge(f64::from(*number) + (wanted - below) / here));
            }
            below += here;
        }
        None
    }
}

/// The bin of an amount: its logarithm in quarters of an octave.
///
/// Read off the float itself: its exponent counts the octaves, and its mantissa lies in one of four quarters.
fn number(amount: f64) -> Option<i16> {
    if !(amount.is_normal() && amount > 0.0) {
        return None;
    }
    let exponent = i16::try_from(amount.to_bits() >> MANTISSA_BITS).ok()?;
    let mantissa = f64::from_bits((amount.to_bits() & MANTISSA) | ONE);
    let quarter: i16 = QUARTERS.into_iter().map(|start| i16::from(start <= mantissa)).sum();
    Some(4 * (exponent - BIAS) + quarter)
}

fn edge(number: f64) -> f64 {
    libm::exp2(number / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sizes(amounts: &[f64]) -> Sizes<u32> {
        let mut sizes = Sizes::default();
        for amount in amounts {
            *sizes.bin(*amount).unwrap() += 1;
        }
        sizes
    }

    #[test]
    fn what_is_no_size_has_no_bin() {
        let mut sizes = Sizes::<u32>::default();
        assert!([0.0, -1.0, f64::NAN, f64::INFINITY].into_iter().all(|amount| sizes.bin(amount).is_none()));
        assert_eq!(sizes.quantile(0.5, |count| *count), None);
    }

    #[test]
    fn bins_are_quarters_of_octaves() {
        for (amount, expected) in [(1.0, 0), (1.18, 0), (1.19, 1), (1.41, 1), (1.42, 2), (1.7, 3), (2.0, 4)] {
            assert_eq!(number(amount), Some(expected), "{amount}");
        }
        assert_eq!([number(0.5), number(0.999), number(1024.0)], [Some(-4), Some(-1), Some(40)]);
        assert!((edge(-4.0) - 0.5).abs() < 1e-12 && (edge(41.0) / 1024.0 - QUARTERS[0]).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn quantiles_are_within_a_bin(
            mut amounts in prop::collection::vec(0.01f64..1e7, 1..200),
            part in 0.01f64..0.99,
        ) {
            let found = sizes(&amounts).quantile(part, |count| *count).unwrap();
            amounts.reverse();
            prop_assert_eq!(Some(found), sizes(&amounts).quantile(part, |count| *count));
            amounts.sort_by(f64::total_cmp);
            // The smallest amount with at least that part at or below it.
            let exact = (0..amounts.len())
                .find(|index| part * f64::from(u32::try_from(amounts.len()).unwrap())
                    <= f64::from(u32::try_from(index + 1).unwrap()))
                .map(|index| amounts[index])
                .unwrap();
            prop_assert!((found / exact).max(exact / found) <= 1.19, "{} {}", found, exact);
        }
    }
}
