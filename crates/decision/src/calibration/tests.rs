use proptest::prelude::*;

use domain::Timestamp;

use super::*;

/// A decision on an event of one market, and what it paid.
type Bet = (f64, f64, u32);

fn entered(price: f64, condition: u32) -> Entered {
    Entered { price, category: Category::Sports, horizon: Horizon::Day, outcome: (condition, 0) }
}

fn fair(map: &PriceMap, price: f64) -> f64 {
    map.fair(price, Category::Sports, Horizon::Day)
}

fn learned(all: &[Bet]) -> Calibration {
    let mut calibration = Calibration::default();
    for (price, payoff, event) in all {
        calibration.enter(&entered(*price, *event));
        calibration.resolve((*event, 0), *event, *payoff);
    }
    calibration
}

#[test]
fn without_data_a_price_is_fair() {
    let map = Calibration::default().fit();
    for cents in 1..100 {
        let price = f64::from(cents) / 100.0;
        assert_eq!(fair(&map, price), price);
    }
    // Nor does another category's evidence say anything here.
    let map = learned(&[(0.5, 1.0, 1)]).fit();
    assert_eq!(map.fair(0.5, Category::Crypto, Horizon::Day), 0.5);
    assert_eq!(map.fair(0.5, Category::Sports, Horizon::Week), 0.5);
}

/// 200 events at 0.725, of which 149 win: as many as the prior's, so that the excess counts half.
#[test]
fn evidence_and_price_meet_where_the_weights_say() {
    let all: Vec<Bet> = (0..200).map(|event| (0.725, f64::from(u8::from(event < 149)), event)).collect();
    let map = learned(&all).fit();
    // Σ(y − c) = 149 − 145 = 4 over 400.
    assert!((fair(&map, 0.725) - 0.735).abs() < 1e-6);
    // Halfway to the next bin's centre, half of the shift.
    assert!((fair(&map, 0.750) - 0.755).abs() < 1e-6);
    let all: Vec<Bet> = (0..10_000).map(|event| (0.725, 1.0, event)).collect();
    assert!((fair(&learned(&all).fit(), 0.725) - 0.775).abs() < 1e-6);
}

#[test]
fn an_event_votes_once_however_many_bet_on_it() {
    let once = learned(&[(0.52, 1.0, 7)]);
    let often = learned(&[(0.52, 1.0, 7); 500]);
    assert_eq!(once.fit(), often.fit());
    // Sealing keeps the vote and forgets the voters.
    let mut sealed = often.clone();
    sealed.seal(7);
    assert_eq!(sealed.fit(), often.fit());
    assert!(sealed.votes.is_empty() && !often.votes.is_empty());
}

/// At even money the first event's two markets paid 1 and 0, the second's paid 1.
#[test]
fn markets_of_one_event_share_its_vote() {
    let mut calibration = Calibration::default();
    for (market, event, payoff) in [(1, 1, 1.0), (2, 1, 0.0), (3, 2, 1.0)] {
        calibration.enter(&entered(0.525, market));
        calibration.resolve((market, 0), event, payoff);
    }
    // Σ over events of mean(y) − c: (0.5 − 0.525) + (1 − 0.525), over 202.
    assert!((fair(&calibration.fit(), 0.525) - 0.525 - 0.45 / 202.0).abs() < 1e-6);
}

#[test]
fn nonsense_teaches_nothing() {
    let mut calibration = Calibration::default();
    for price in [0.0, 1.0, -3.0, f64::NAN] {
        calibration.enter(&entered(price, 1));
    }
    calibration.resolve((1, 0), 1, 1.0);
    calibration.enter(&entered(0.5, 2));
    calibration.resolve((2, 0), 2, f64::NAN);
    assert_eq!(calibration, Calibration::default());
}

#[test]
fn a_fit_never_changes_afterwards() {
    let mut calibration = learned(&[(0.5, 1.0, 1)]);
    let fit = calibration.fit();
    let before = fit.clone();
    calibration.enter(&entered(0.5, 2));
    assert_eq!(calibration.fit(), before, "what is not resolved teaches nothing");
    calibration.resolve((2, 0), 2, 1.0);
    assert_eq!(fit, before);
    assert_ne!(calibration.fit(), before);
}

#[test]
fn neighbours_are_pooled_by_their_weights() {
    let mut values = [1.0; LENGTH];
    values[..5].copy_from_slice(&[0.1, 0.5, 0.2, 0.3, 0.35]);
    let mut weights = [1.0; LENGTH];
    weights[1] = 2.0;
    make_monotone(&mut values, &weights);
    // (2 × 0.5 + 0.2) / 3 is 0.4, then with 0.3 it is 0.375, then with 0.35 it is 0.37.
    for (value, expected) in values.iter().zip([0.1, 0.37, 0.37, 0.37, 0.37, 1.0]) {
        assert!((value - expected).abs() < 1e-12, "{values:?}");
    }
}

#[test]
fn categories_and_horizons_are_told_apart() {
    assert_eq!(Category::of(Some("Crypto")), Category::Crypto);
    assert_eq!(Category::of(Some("unheard of")), Category::Other);
    assert_eq!(Category::of(None), Category::Other);
    let at = |hours| Some(Timestamp::from_micros(hours * Timestamp::HOUR));
    let of = |hours| Horizon::of(Timestamp::from_micros(0), at(hours));
    assert_eq!(
        [of(23), of(24), of(168), of(169)],
        [Horizon::Day, Horizon::Week, Horizon::Week, Horizon::Longer]
    );
    assert_eq!(Horizon::of(Timestamp::from_micros(0), None), Horizon::Longer);
    let curves: std::collections::BTreeSet<u16> =
        Category::ALL.into_iter().flat_map(|category| Horizon::ALL.map(|h| curve(category, h))).collect();
    assert_eq!(curves.len(), 33);
}

fn bets() -> impl Strategy<Value = Vec<Bet>> {
    // A few prices many times over, or the prior would hide every error.
    let bet = (0.001f64..0.999, any::<bool>(), 100u32..2_000).prop_map(|(price, wins, events)| {
        (0..events).map(move |event| (price, f64::from(u8::from(wins)), event)).collect::<Vec<_>>()
    });
    prop::collection::vec(bet, 1..6).prop_map(|bets| bets.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn fair_prices_rise_with_the_price_and_stay_near_it(bets in bets()) {
        let map = learned(&bets).fit();
        let mut last = 0.0;
        for step in 1..1_000 {
            let price = f64::from(step) / 1_000.0;
            let fair = fair(&map, price);
            prop_assert!((fair - price).abs() <= MOST_SHIFT + 1e-12);
            prop_assert!(last <= fair + 1e-12, "{} then {} at {}", last, fair, price);
            prop_assert!(0.0 < fair && fair < 1.0);
            last = fair;
        }
    }

    /// Three markets an event, each with a result of its own: all entered before any is resolved, or one market
    /// after the other, backwards.
    #[test]
    fn order_does_not_matter(
        bets in prop::collection::vec((0u32..12, 0.01f64..0.99), 1..100),
        payoffs in prop::array::uniform12(prop::sample::select(vec![0.0, 0.5, 1.0])),
    ) {
        let (mut forward, mut backward) = (Calibration::default(), Calibration::default());
        let results: Vec<(u32, f64)> = (0u32..).zip(payoffs).collect();
        bets.iter().for_each(|(market, price)| forward.enter(&entered(*price, *market)));
        for (market, payoff) in &results {
            forward.resolve((*market, 0), market / 3, *payoff);
        }
        for (market, payoff) in results.iter().rev() {
            for (_, price) in bets.iter().rev().filter(|(of, _)| of == market) {
                backward.enter(&entered(*price, *market));
            }
            backward.resolve((*market, 0), market / 3, *payoff);
        }
        prop_assert_eq!(forward, backward);
    }
}
