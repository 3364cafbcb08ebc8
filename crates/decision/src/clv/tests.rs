use proptest::prelude::*;

use super::*;

fn second(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn hour(hours: i64) -> Timestamp {
    second(hours * 3_600)
}

fn entry(at: Timestamp, paid: f64) -> Entry<u8> {
    Entry::new(1, at, paid, paid, None).unwrap()
}

#[test]
fn the_look_ahead_is_a_day_or_half_of_what_is_left() {
    let due = |end| Entry::new((), hour(0), 0.5, 0.5, end).map(|entry| entry.due());
    assert_eq!(due(None), Some(hour(24)));
    assert_eq!(due(Some(hour(1_000))), Some(hour(24)));
    assert_eq!(due(Some(hour(10))), Some(hour(5)));
    assert_eq!(due(Some(hour(2))), Some(hour(1)));
    assert_eq!(due(Some(hour(1))), None);
    assert_eq!(due(Some(hour(-5))), None);
    for nonsense in [0.0, 1.0, f64::NAN] {
        assert!(Entry::new((), hour(0), nonsense, 0.5, None).is_none());
        assert!(Entry::new((), hour(0), 0.5, nonsense, None).is_none());
    }
}

/// The whale buys at 0.40 and moves the price: a copier pays 0.43, and of the 10 cents to 0.50 has 7.
#[test]
fn a_copier_pays_the_first_print_after_he_could_act() {
    let mut timers = Timers::default();
    timers.enter("yes", entry(second(0), 0.40));
    timers.print("yes", second(0), 0.40);
    timers.print("yes", second(4), 0.41);
    timers.print("yes", second(6), 0.43);
    timers.print("yes", second(9_000), 0.50);
    timers.print("no", second(9_000), 0.20);
    timers.advance(hour(24));
    assert!(timers.drain().is_empty(), "a print at the very moment would still count");
    timers.print("yes", hour(25), 0.90);
    let matured = timers.drain();
    assert_eq!(matured.len(), 1);
    assert!((matured[0].drift - 0.10).abs() < 1e-12);
    assert!((matured[0].copyable - 0.07).abs() < 1e-12);
    assert!((matured[0].deviation - 0.24f64.sqrt()).abs() < 1e-12);
    assert_eq!(matured[0].at, hour(24));
    timers.advance(hour(30));
    assert!(timers.drain().is_empty() && timers.watches.is_empty());
}

#[test]
fn the_other_outcomes_prices_serve_as_well() {
    let run = |mirrored: bool| {
        let (mut watch, mut out) = (Watch::default(), vec![]);
        watch.enter(if mirrored { entry(second(0), 0.40).mirrored() } else { entry(second(0), 0.40) });
        for (at, price) in [(10, 0.45), (20, 0.55)] {
            watch.print(second(at), if mirrored { 1.0 - price } else { price }, &mut out);
        }
        watch.mature(hour(25), &mut out);
        out[0]
    };
    let (straight, mirrored): (Matured<u8>, Matured<u8>) = (run(false), run(true));
    assert!((straight.copyable - 0.10).abs() < 1e-12 && (mirrored.copyable - 0.10).abs() < 1e-12);
    assert!((straight.drift - mirrored.drift).abs() < 1e-12);
}

#[test]
fn silence_says_nothing() {
    let (mut watch, mut out) = (Watch::default(), vec![]);
    watch.enter(entry(second(0), 0.40));
    watch.enter(entry(second(100), 0.40));
    watch.print(second(50), 0.45, &mut out);
    assert_eq!(watch.next_due(), Some(hour(24)));
    watch.mature(hour(48), &mut out);
    assert!(out.is_empty() && watch.is_idle());
}

#[test]
fn the_last_print_at_the_very_moment_counts() {
    let (mut watch, mut out) = (Watch::default(), vec![]);
    watch.enter(entry(hour(0), 0.40));
    for (at, price) in [(1, 0.45), (24, 0.50), (24, 0.55)] {
        watch.print(hour(at), price, &mut out);
    }
    watch.mature(hour(24), &mut out);
    assert!(out.is_empty());
    watch.mature(hour(25), &mut out);
    assert!((out[0].copyable - 0.10).abs() < 1e-12);
}

/// The second entry's market was said to end sooner: due at 1 h, it may not be priced at 20 h.
#[test]
fn a_copiers_price_after_the_look_is_none() {
    let (mut watch, mut out) = (Watch::default(), vec![]);
    watch.enter(entry(second(0), 0.40));
    watch.enter(Entry::new(2, second(1), 0.40, 0.40, Some(hour(3))).unwrap());
    for hours in [20, 21, 30] {
        watch.print(hour(hours), 0.50, &mut out);
    }
    assert_eq!(out.iter().map(|matured| matured.wallet).collect::<Vec<_>>(), [1]);
}

#[test]
fn what_the_outcome_overtakes_is_forgotten() {
    let (mut watch, mut out) = (Watch::default(), vec![]);
    watch.enter(entry(hour(0), 0.40));
    watch.enter(entry(hour(20), 0.40));
    for hours in [1, 2, 21, 22] {
        watch.print(hour(hours), 0.60, &mut out);
    }
    watch.resolve(hour(30), &mut out);
    assert_eq!(out.len(), 1);
    assert!(watch.is_idle());
}

fn matured(day: i64, copyable: f64) -> Matured<()> {
    Matured { wallet: (), at: hour(24 * day), drift: copyable + 0.01, copyable, deviation: 0.5 }
}

/// 30 moves of 4 c and 30 of none at 50 c: on average 2 c or 0.04 s, of which sixty ninetieths count.
#[test]
fn the_mean_its_shrinkage_and_its_t_are_the_formulas() {
    let mut sums = ClvSums::default();
    for number in 0..60 {
        sums.add(&matured(0, if number % 2 == 0 { 0.04 } else { 0.0 }));
    }
    let clv = sums.estimate().unwrap();
    assert_eq!(clv.observations, 60);
    assert!((clv.n_eff - 60.0).abs() < 1e-6);
    assert!((clv.copyable - 0.02).abs() < 1e-6 && (clv.drift - 0.03).abs() < 1e-6);
    assert!((clv.standardised - 0.04).abs() < 1e-6);
    assert!((clv.shrunk - 0.04 * 60.0 / 90.0).abs() < 1e-6);
    assert!((clv.t - 0.04 / (0.04 / 59f64.sqrt())).abs() < 1e-3);
}

#[test]
fn one_look_has_no_t_and_none_has_nothing() {
    assert_eq!(ClvSums::default().estimate(), None);
    let mut sums = ClvSums::default();
    sums.add(&matured(0, 0.04));
    assert_eq!(sums.estimate().unwrap().t, 0.0);
}

#[test]
fn what_is_30_days_old_weighs_half() {
    let mut sums = ClvSums::default();
    sums.add(&matured(30, 0.0));
    sums.add(&matured(60, 0.03));
    assert!((sums.estimate().unwrap().copyable - 0.02).abs() < 1e-6);
}

proptest! {
    /// Settling in many steps or in one, watched alone or among many, gives the same.
    #[test]
    fn when_it_is_asked_does_not_matter(
        entries in prop::collection::vec((0i64..100, 0u8..3, 0.1f64..0.9, prop::option::of(1i64..200)), 1..20),
        prints in prop::collection::vec((0i64..200, 0u8..3, 0.05f64..0.95), 1..60),
        asks in prop::collection::btree_set(0i64..200, 0..20),
    ) {
        let run = |asks: &BTreeSet<i64>| {
            let (mut timers, mut sums) = (Timers::<u8, u8>::default(), ClvSums::default());
            for now in 0..200 {
                if asks.contains(&now) {
                    timers.advance(hour(now));
                }
                for (_, outcome, price) in prints.iter().filter(|(at, ..)| *at == now) {
                    timers.print(*outcome, hour(now), *price);
                }
                for (_, outcome, paid, left) in entries.iter().filter(|(at, ..)| *at == now) {
                    let end = left.map(|left| hour(now + left));
                    if let Some(entry) = Entry::new(1, hour(now), *paid, *paid, end) {
                        timers.enter(*outcome, entry);
                    }
                }
            }
            timers.advance(hour(300));
            timers.drain().iter().for_each(|matured| sums.add(matured));
            (sums, timers)
        };
        prop_assert_eq!(run(&asks), run(&BTreeSet::new()));
    }
}
