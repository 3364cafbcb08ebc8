//! Fading sums as bytes.

use super::{Faded, KEPT, Span};
use crate::reputation::saved::{Damaged, Reader, Saved, Writer};

impl<const N: usize> Saved for Faded<N> {
    fn save(&self, to: &mut Writer) {
        to.length(self.0.len());
        for span in &self.0 {
            to.signed(span.number);
            span.sums.iter().for_each(|sum| to.signed(*sum));
        }
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let spans = from.list(|from| {
            let mut span = Span { number: from.signed()?, sums: [0; N] };
            for sum in &mut span.sums {
                *sum = from.signed()?;
            }
            Ok(span)
        })?;
        let is_near = |oldest: &Span<N>, newest: &Span<N>| {
            i64::from(newest.number) - i64::from(oldest.number) < i64::from(KEPT)
        };
        let is_short = spans.first().zip(spans.last()).is_none_or(|(oldest, newest)| is_near(oldest, newest));
        if !is_short || !spans.is_sorted_by(|one, next| one.number < next.number) {
            return Err(Damaged::Order);
        }
        Ok(Self(spans.into_iter().collect()))
    }
}
