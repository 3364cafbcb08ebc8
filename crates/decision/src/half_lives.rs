//! Sums whose terms weigh half as much for every half-life they are older than the newest one.
//!
//! The terms are whole numbers, kept apart by the half-life they fall into; what a later moment makes of them is
//! only a power of two. So the same terms give the same sums in whatever order and batches they come, and a
//! term can be taken out again without a trace, which decaying a float at every touch allows neither of.

mod saved;

use domain::Timestamp;
use smallvec::SmallVec;

/// What 1 is in the sums: 2³².
const UNIT: f64 = 4_294_967_296.0;
/// Half-lives after which a term is forgotten: by then it weighs less than the sums can resolve.
const KEPT: i32 = 32;

/// How `N` sums fade: the half-life, and the power of its weight each sum carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fading<const N: usize> {
    /// In microseconds, above zero.
    pub(crate) half_life: i64,
    /// 1 for Σw·x, 2 for Σw²·x.
    pub(crate) powers: [i32; N],
}

/// `N` sums by half-life, oldest first.
///
/// Most wallets have one span, which stands where its sums are: there are millions of wallets, and a second place in
/// memory would cost each of them a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Faded<const N: usize>(SmallVec<[Span<N>; 1]>);

/// The terms of one half-life, with weights from 1 to 2 (or its square).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span<const N: usize> {
    number: i32,
    sums: [i64; N],
}

impl<const N: usize> Default for Faded<N> {
    fn default() -> Self {
        Self(SmallVec::new())
    }
}

impl<const N: usize> Faded<N> {
    /// Adds a term to each sum, with the weight of its moment.
    pub(crate) fn add(&mut self, fading: &Fading<N>, at: Timestamp, terms: [f64; N]) {
        let number = at.micros().div_euclid(fading.half_life);
        let number = i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX });
        let weight = libm::exp2(fraction(at.micros().rem_euclid(fading.half_life), fading.half_life));
        let mut sums = [0; N];
        for ((sum, term), power) in sums.iter_mut().zip(terms).zip(fading.powers) {
            *sum = fixed(term * if power == 2 { weight * weight } else { weight });
        }
        self.shift(number, sums);
    }

    /// Adds the `parts`-th part of the other sums, rounded toward zero in each half-life.
    pub(crate) fn add_part(&mut self, other: &Self, parts: i64) {
        for span in &other.0 {
            self.shift(span.number, span.sums.map(|sum| sum / parts));
        }
    }

    /// Takes out what [`Self::add_part`] put in.
    pub(crate) fn remove_part(&mut self, other: &Self, parts: i64) {
        for span in &other.0 {
            self.shift(span.number, span.sums.map(|sum| -(sum / parts)));
        }
    }

    /// Reads what the next term will need.
    pub(crate) fn touch(&self) -> u64 {
        self.0.last().map_or(0, |span| u64::from(span.number.unsigned_abs()) ^ span.sums[0].unsigned_abs())
    }

    /// The sums with the weights they have at the start of the newest term's half-life. `None` where there are none.
    pub(crate) fn totals(&self, fading: &Fading<N>) -> Option<[f64; N]> {
        let newest = self.0.last()?.number;
        let mut totals = [0.0; N];
        for span in &self.0 {
            for ((total, sum), power) in totals.iter_mut().zip(span.sums).zip(fading.powers) {
                *total += libm::scalbn(float(sum), (span.number - newest) * power);
            }
        }
        Some(totals.map(|total| total / UNIT))
    }

    fn shift(&mut self, number: i32, change: [i64; N]) {
        let newest = self.0.last().map_or(number, |span| span.number.max(number));
        let oldest = newest.saturating_sub(KEPT - 1);
        if number < oldest {
            return;
        }
        match self.0.binary_search_by_key(&number, |span| span.number) {
            Ok(place) => {
                let sums = &mut self.0[place].sums;
                for (sum, change) in sums.iter_mut().zip(change) {
                    *sum = sum.saturating_add(change);
                }
                if *sums == [0; N] {
                    self.0.remove(place);
                }
            }
            Err(_) if change == [0; N] => {}
            Err(place) => {
                self.0.reserve_exact(1);
                self.0.insert(place, Span { number, sums: change });
                self.0.retain(|span| oldest <= span.number);
            }
        }
    }
}

/// The nearest number of 2⁻³²; the ends of 64 bits beyond them, zero for NaN.
#[expect(clippy::cast_possible_truncation, reason = "a float cast saturates, which is what is promised")]
pub(crate) fn fixed(value: f64) -> i64 {
    let scaled = value * UNIT;
    // Halves away from zero; a call of `round` would cost more than all the rest.
    (scaled + 0.5f64.copysign(scaled)) as i64
}

/// Back from [`fixed`].
pub(crate) fn unfixed(sum: i64) -> f64 {
    float(sum) / UNIT
}

#[expect(clippy::cast_precision_loss, reason = "statistics need no more than 53 bits")]
fn float(sum: i64) -> f64 {
    sum as f64
}

fn fraction(part: i64, whole: i64) -> f64 {
    float(part) / float(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FADING: Fading<2> = Fading { half_life: Timestamp::DAY, powers: [1, 2] };

    fn hours(hours: i64) -> Timestamp {
        Timestamp::from_micros(hours * Timestamp::HOUR)
    }

    fn sums(terms: &[(i64, f64)]) -> Faded<2> {
        let mut sums = Faded::default();
        terms.iter().for_each(|(at, term)| sums.add(&FADING, hours(*at), [*term, *term]));
        sums
    }

    #[test]
    fn a_term_a_half_life_older_weighs_half() {
        let totals = sums(&[(0, 1.0), (24, 1.0)]).totals(&FADING).unwrap();
        assert!((totals[0] - 1.5).abs() < 1e-9 && (totals[1] - 1.25).abs() < 1e-9);
        // Both lie half a half-life into their own, where the weights are √2.
        let totals = sums(&[(12, 1.0), (36, 1.0)]).totals(&FADING).unwrap();
        assert!((totals[0] - 1.5 * 2f64.sqrt()).abs() < 1e-9 && (totals[1] - 1.25 * 2.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_ancient_is_forgotten_whenever_it_comes() {
        let ancient = (0, 1.0);
        let recent = (24 * 40, 1.0);
        assert_eq!(sums(&[ancient, recent]), sums(&[recent, ancient]));
        assert_eq!(sums(&[ancient, recent]), sums(&[recent]));
    }

    proptest! {
        #[test]
        fn order_does_not_matter(terms in prop::collection::vec((0i64..2_000, -5.0f64..5.0), 0..40), turn in 0usize..40) {
            let mut turned = terms.clone();
            turned.rotate_left(turn.min(terms.len()));
            turned.reverse();
            prop_assert_eq!(sums(&terms), sums(&turned));
        }

        #[test]
        fn what_is_taken_out_leaves_no_trace(
            terms in prop::collection::vec((0i64..700, -5.0f64..5.0), 1..40),
            parts in 1i64..9,
        ) {
            let other = sums(&[(3, 1.0), (200, -0.3)]);
            let before = sums(&terms);
            let mut after = before.clone();
            after.add_part(&other, parts);
            after.remove_part(&other, parts);
            prop_assert_eq!(after, before);
        }
    }
}
