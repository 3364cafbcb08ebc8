use super::*;
use domain::ConditionId;
use proptest::prelude::*;

fn day(day: i64) -> Timestamp {
    Timestamp::from_micros(day * Timestamp::DAY)
}

/// A case about an event of its own, judged on a day, whose outcome became known on another.
fn known(event: u32, kind: SignalKind, market: f64, regressor: f64, payoff: f64, days: (i64, i64)) -> Known {
    let case = Case {
        at: day(days.0),
        kind,
        condition: ConditionId::default(),
        event: event.to_string(),
        outcome: 0,
        fair: market,
        terms: [regressor, 0.0, 0.0, 0.0],
    };
    Known { case, payoff, learned: day(days.1) }
}

/// Bets at even odds, of which a part pays.
fn bets(kind: SignalKind, count: u32, wins: u32, regressor: f64) -> Vec<Known> {
    (0..count)
        .map(|event| known(event, kind, 0.5, regressor, f64::from(u8::from(event < wins)), (1, 2)))
        .collect()
}

#[test]
fn nothing_known_is_the_prior() {
    assert_eq!(fit(&[], day(9)), Beliefs::default());
}

#[test]
fn few_outcomes_move_little_and_many_decide() {
    // κ̂/s = 0.4 at 0.50: a part of 0.25 of the edge is p = 0.525, all of it 0.6.
    let kept =
        |count, wins| fit(&bets(SignalKind::FollowWhale, count, wins, 0.4), day(9)).weights.coefficients()[0];
    let (few, many) = (kept(10, 6), kept(10_000, 6_000));
    assert!((few.mean - 0.25).abs() < 0.03 && 0.14 < few.deviation, "{few:?}");
    assert!((many.mean - 1.0).abs() < 0.1 && many.deviation < 0.06, "{many:?}");
    assert_eq!((few.events, many.events), (10, 10_000));
    assert!(kept(10_000, 4_000).mean.abs() < f64::EPSILON, "a record that misleads keeps nothing");
}

#[test]
fn panics_teach_how_much_comes_back() {
    // 55 of 100 at 0.50 after a drop of 0.10: half of it came back.
    let rebound = fit(&bets(SignalKind::FadeDegen, 10_000, 5_500, 0.10), day(9)).rebound;
    assert!((0.3..0.5).contains(&rebound.mean), "{rebound:?}");
    assert_eq!(fit(&bets(SignalKind::FadeDegen, 10_000, 5_500, 0.10), day(9)).weights, Weights::default());
}

#[test]
fn an_event_has_one_vote() {
    let kept = |rows: &[Known]| fit(rows, day(9)).weights.coefficients()[0];
    let one = vec![known(1, SignalKind::FollowWhale, 0.5, 0.4, 1.0, (1, 2))];
    let many: Vec<Known> = std::iter::repeat_n(one[0].clone(), 1_000).collect();
    let (one, many) = (kept(&one), kept(&many));
    assert!((one.mean - many.mean).abs() < 1e-9 && one.events == many.events, "{one:?} {many:?}");
}

/// Prices of 0.70 that pay 60 % and of 0.30 that pay 40 %: the odds are half of what they say.
#[test]
fn probabilities_that_overstate_are_corrected_once_there_is_enough() {
    let overstated = |count: u32| -> Vec<Known> {
        (0..count)
            .map(|event| {
                let is_favourite = event % 2 == 0;
                let (market, wins) = if is_favourite { (0.7, 3) } else { (0.3, 2) };
                let payoff = f64::from(u8::from((event / 2) % 5 < wins));
                let at = i64::from(event);
                known(event, SignalKind::FollowWhale, market, 0.0, payoff, (at, at + 1))
            })
            .collect()
    };
    assert_eq!(fit(&overstated(400), day(9_999)).correction, None);
    let correction = fit(&overstated(4_000), day(9_999)).correction.unwrap();
    assert!((0.4..0.6).contains(&correction.slope) && correction.shift.abs() < 0.1, "{correction:?}");
}

#[test]
fn probabilities_that_are_right_are_left_alone() {
    let right: Vec<Known> = (0..2_000u32)
        .map(|event| {
            let payoff = f64::from(u8::from(event % 10 < 7));
            let at = i64::from(event);
            known(event, SignalKind::FollowWhale, 0.7, 0.0, payoff, (at, at + 1))
        })
        .collect();
    let beliefs = fit(&right, day(9_999));
    let moved = beliefs.correction.map_or(0.7, |by| logistic(by.shift + by.slope * logit(0.7)));
    assert!((moved - 0.7).abs() < 0.01, "{beliefs:?}");
}

fn any_known() -> impl Strategy<Value = Known> {
    (0u32..40, any::<bool>(), 0.02f64..0.98, -0.5f64..1.0, 0u8..=2, 0i64..50, 1i64..30).prop_map(
        |(event, is_whale, market, regressor, payoff, at, later)| {
            let kind = if is_whale { SignalKind::FollowWhale } else { SignalKind::FadeDegen };
            known(event, kind, market, regressor, f64::from(payoff) / 2.0, (at, at + later))
        },
    )
}

proptest! {
    /// Look-ahead is impossible: what becomes known at the moment or after it changes nothing, whatever it says.
    #[test]
    fn the_future_changes_nothing(
        rows in prop::collection::vec(any_known(), 0..120),
        future in prop::collection::vec(any_known(), 0..120),
        as_of in 0i64..80,
    ) {
        let past: Vec<Known> = rows.iter().filter(|row| row.learned < day(as_of)).cloned().collect();
        let later = future.into_iter().map(|row| Known { learned: row.learned.max(day(as_of)), ..row });
        let all: Vec<Known> = rows.iter().cloned().chain(later).collect();
        prop_assert_eq!(fit(&all, day(as_of)), fit(&past, day(as_of)));
    }

    /// The order in which outcomes are read back after a restart does not change a digit.
    #[test]
    fn order_does_not_matter(
        (rows, mixed) in prop::collection::vec(any_known(), 0..120)
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
    ) {
        prop_assert_eq!(fit(&rows, day(100)), fit(&mixed, day(100)));
    }

    #[test]
    fn beliefs_stay_within_reason(rows in prop::collection::vec(any_known(), 0..200)) {
        let beliefs = fit(&rows, day(100));
        let kept = beliefs.weights.coefficients()[0];
        prop_assert!(0.0 <= kept.mean && kept.mean.is_finite());
        prop_assert!(kept.deviation <= 0.15 + 1e-9 && beliefs.rebound.deviation <= 0.10 + 1e-9);
        prop_assert!(beliefs.rebound.mean.abs() <= 1.0);
    }
}
