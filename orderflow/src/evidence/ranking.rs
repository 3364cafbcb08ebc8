//! How well a number tells two groups apart, whatever its scale.

/// The area under the receiver operating characteristic: the chance that a random member of the first group has a
/// higher value than a random one of the second, ties counting half. A coin has 0.5.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Auc {
    /// 0 to 1.
    pub(super) area: f64,
    /// Its standard error, by Hanley and McNeil (1982); zero at both ends, where no formula can tell.
    pub(super) error: f64,
}

impl Auc {
    /// By the ranks of both groups together (Mann and Whitney 1947); `None` where a group is empty or a value is
    /// not a number.
    pub(super) fn of(first: &[f64], second: &[f64]) -> Option<Self> {
        let both = first.iter().map(|value| (*value, true)).chain(second.iter().map(|value| (*value, false)));
        let mut ranked: Vec<(f64, bool)> = both.collect();
        if first.is_empty() || second.is_empty() || ranked.iter().any(|(value, _)| value.is_nan()) {
            return None;
        }
        ranked.sort_by(|one, other| one.0.total_cmp(&other.0));
        // How many of the second group lie below each of the first, ties counting half.
        let (mut below, mut won) = (0.0, 0.0);
        for tied in ranked.chunk_by(|one, other| one.0 == other.0) {
            let here = count(tied.iter().filter(|(_, is_first)| *is_first).count());
            let there = count(tied.len()) - here;
            won += here * (below + there / 2.0);
            below += there;
        }
        let (m, n) = (count(first.len()), count(second.len()));
        let area = won / (m * n);
        Some(Self { area, error: hanley_mcneil(area, m, n) })
    }
}

/// The standard error of an area found from `m` and `n` values.
fn hanley_mcneil(area: f64, m: f64, n: f64) -> f64 {
    let square = area * area;
    // The chance that two of the first group both beat one of the second, and that one beats two.
    let (two_beat_one, one_beats_two) = (area / (2.0 - area), 2.0 * square / (1.0 + area));
    let spread =
        area * (1.0 - area) + (m - 1.0) * (two_beat_one - square) + (n - 1.0) * (one_beats_two - square);
    (spread.max(0.0) / (m * n)).sqrt()
}

#[expect(clippy::cast_precision_loss, reason = "a count of wallets")]
fn count(items: usize) -> f64 {
    items as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(first: &[f64], second: &[f64]) -> f64 {
        Auc::of(first, second).unwrap().area
    }

    /// Counted by hand: of the six pairs, 3 beats 2 and 1 and loses to 4; 2 beats 1, ties 2, loses to 4: 3½ of 6.
    #[test]
    fn pairs_are_counted_and_ties_are_halves() {
        assert!((area(&[3.0, 2.0], &[4.0, 2.0, 1.0]) - 3.5 / 6.0).abs() < 1e-12);
        assert!((area(&[4.0, 2.0, 1.0], &[3.0, 2.0]) - 2.5 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn the_ends_and_the_middle() {
        assert_eq!(Auc::of(&[2.0, 3.0], &[0.0, 1.0]), Some(Auc { area: 1.0, error: 0.0 }));
        assert_eq!(Auc::of(&[0.0], &[1.0, 5.0]), Some(Auc { area: 0.0, error: 0.0 }));
        assert!((area(&[7.0; 5], &[7.0; 9]) - 0.5).abs() < 1e-12);
        assert!((area(&[-0.0], &[0.0]) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn only_the_order_matters() {
        let (first, second) = ([0.3, 0.9, 0.5, 0.7], [0.1, 0.5, 0.6]);
        let stretched = |values: &[f64]| values.iter().map(|value| value.exp() * 40.0).collect::<Vec<_>>();
        assert_eq!(Auc::of(&first, &second), Auc::of(&stretched(&first), &stretched(&second)));
    }

    #[test]
    fn nobody_and_nothing_have_no_area() {
        assert_eq!(Auc::of(&[], &[1.0]), None);
        assert_eq!(Auc::of(&[1.0], &[]), None);
        assert_eq!(Auc::of(&[1.0, f64::NAN], &[1.0]), None);
    }

    /// By hand at an area of 0.8 and 10 against 20: Q1 = 2/3, Q2 = 1.28/1.8; (0.16 + 9·0.026667 + 19·0.071111)/200.
    #[test]
    fn the_error_is_the_published_one() {
        assert!((hanley_mcneil(0.8, 10.0, 20.0) - (1.751_111_111_f64 / 200.0).sqrt()).abs() < 1e-9);
        // Without any difference it is the exact one of the rank test, √((m + n + 1) / 12mn).
        let exact = (31.0f64 / (12.0 * 200.0)).sqrt();
        assert!((hanley_mcneil(0.5, 10.0, 20.0) - exact).abs() < 1e-12);
    }
}
