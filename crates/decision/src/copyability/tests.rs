use proptest::prelude::*;

use super::*;

type Sums = CopyabilitySums<u32, u32>;

fn minute(minutes: i64) -> Timestamp {
    Timestamp::from_seconds(60 * minutes)
}

fn day(days: i64) -> Timestamp {
    minute(days * 24 * 60)
}

fn opened(at: Timestamp, price: f64) -> DecisionOpened {
    DecisionOpened { at, price, is_new_market: true, neg_risk_legs: 0 }
}

fn closed(minutes: i64) -> DecisionClosed {
    DecisionClosed {
        held: minutes * Timestamp::MINUTE,
        yes_cost: Usd::whole(100),
        no_cost: Usd::ZERO,
        is_cost_known: true,
    }
}

fn deal(at: Timestamp, side: Side, usd: i32, counterparty: Option<u32>) -> Dealt<u32, u32> {
    Dealt { at, token: 1, side, usd: Usd::whole(usd), counterparty }
}

/// A wallet that anybody could copy: it takes, holds for hours, and is one of many.
fn ordinary() -> Sums {
    let mut sums = Sums::default();
    for number in 0..40u32 {
        let at = day(i64::from(number));
        sums.trade(&deal(at, Side::Buy, 100, Some(number)));
        sums.open(Usd::whole(100), Role::Taker, false);
        sums.decide(&opened(at, 0.60));
        sums.close(&closed(600));
    }
    sums
}

fn raised(sums: &Sums) -> Vec<FlagKind> {
    sums.flags(day(40)).into_iter().map(|flag| flag.kind).collect()
}

fn figure(sums: &Sums, kind: FlagKind) -> f64 {
    sums.figures(day(40)).into_iter().find(|flag| flag.kind == kind).unwrap().figure
}

#[test]
fn an_ordinary_wallet_has_no_flags_and_an_unknown_one_neither() {
    assert_eq!(raised(&ordinary()), []);
    assert_eq!(raised(&Sums::default()), []);
}

/// Each habit raises its own flag, and no other.
#[test]
fn each_habit_raises_its_flag() {
    type Habit = fn(&mut Sums);
    let habits: [(FlagKind, f64, Habit); 13] = [
        (FlagKind::MarketMaker, 2.0 / 3.0, |sums| sums.open(Usd::whole(8_000), Role::Maker, false)),
        (FlagKind::UltraShortMarkets, 2.0 / 3.0, |sums| sums.open(Usd::whole(8_000), Role::Taker, true)),
        (FlagKind::Hedged, 2_000.0 / 10_000.0, |sums| {
            let both =
                DecisionClosed { yes_cost: Usd::whole(2_000), no_cost: Usd::whole(4_000), ..closed(600) };
            sums.close(&both);
        }),
        (FlagKind::Sets, 0.25, |sums| (0..10).for_each(|_| sums.split())),
        (FlagKind::Merges, 3.0 / 5.0, |sums| {
            (0..160).for_each(|number| {
                sums.trade(&deal(day(number), Side::Buy, 1, None));
            });
            (0..25).for_each(|_| sums.split());
            (0..15).for_each(|_| sums.merge());
        }),
        (FlagKind::Baskets, 11.0 / 51.0, |sums| {
            for legs in 1..=11 {
                sums.decide(&DecisionOpened { neg_risk_legs: legs, ..opened(day(39), 0.60) });
            }
        }),
        (FlagKind::ManyDecisions, 202.0, |sums| {
            for _ in 0..201 {
                sums.decide(&DecisionOpened { is_new_market: false, ..opened(day(39), 0.60) });
            }
        }),
        (FlagKind::ManyMarkets, 1_005.0, |sums| {
            for number in 0..976 {
                sums.decide(&opened(day(11 + number % 29), 0.60));
            }
        }),
        (FlagKind::Sweeper, 41.0 / 81.0, |sums| {
            (0..41).for_each(|_| sums.decide(&opened(day(39), 0.95)));
        }),
        (FlagKind::ShortHolds, 5.0, |sums| (0..100).for_each(|_| sums.close(&closed(5)))),
        (FlagKind::FewCounterparties, 36.0 / 64.0, |sums| {
            sums.trade(&deal(day(50), Side::Buy, 12_000, Some(5)))
        }),
        (FlagKind::RoundTrips, 2_000.0 / 6_000.0, |sums| {
            sums.trade(&deal(minute(1), Side::Buy, 1_000, Some(39)));
            sums.trade(&deal(minute(11), Side::Sell, 1_000, Some(39)));
        }),
        (FlagKind::TruncatedHistory, 3.0 / 43.0, |sums| {
            (0..3).for_each(|_| sums.close(&DecisionClosed { is_cost_known: false, ..closed(600) }));
        }),
    ];
    for (kind, expected, habit) in habits {
        let mut sums = ordinary();
        habit(&mut sums);
        assert_eq!(raised(&sums), [kind], "{:?}", sums.figures(day(40)));
        let found = figure(&sums, kind);
        assert!((found / expected - 1.0).abs() < 0.20, "{}: {found}, not {expected}", kind.name());
    }
}

#[test]
fn a_month_later_the_pace_is_forgotten() {
    let mut sums = ordinary();
    (0..300).for_each(|_| sums.decide(&opened(day(39), 0.60)));
    assert_eq!(raised(&sums), [FlagKind::ManyDecisions]);
    assert!(sums.flags(day(68)).len() == 1 && sums.flags(day(69)).is_empty());
    assert!(sums.loses_pace(68, 69) && !sums.loses_pace(69, 80));
}

#[test]
fn trading_back_counts_only_soon_with_the_same_and_as_far_as_it_goes() {
    let trips = |second: Dealt<u32, u32>| {
        let mut sums = Sums::default();
        sums.trade(&deal(minute(0), Side::Buy, 100, Some(1)));
        sums.trade(&second);
        figure(&sums, FlagKind::RoundTrips)
    };
    assert!((trips(deal(minute(10), Side::Sell, 100, Some(1))) - 1.0).abs() < 1e-12);
    assert!((trips(deal(minute(10), Side::Sell, 300, Some(1))) - 0.5).abs() < 1e-12);
    assert_eq!(trips(deal(minute(11), Side::Sell, 100, Some(1))), 0.0);
    assert_eq!(trips(deal(minute(10), Side::Sell, 100, Some(2))), 0.0);
    assert_eq!(trips(deal(minute(10), Side::Sell, 100, None)), 0.0);
    assert_eq!(trips(deal(minute(10), Side::Buy, 100, Some(1))), 0.0);
    assert_eq!(trips(Dealt { token: 2, ..deal(minute(10), Side::Sell, 100, Some(1)) }), 0.0);
}

#[test]
fn a_purchase_in_parts_is_traded_back_in_one() {
    let mut sums = Sums::default();
    for (at, side, usd) in [(0, Side::Buy, 100), (1, Side::Buy, 100), (2, Side::Sell, 200)] {
        sums.trade(&deal(minute(at), side, usd, Some(1)));
    }
    assert!((figure(&sums, FlagKind::RoundTrips) - 1.0).abs() < 1e-12);
}

/// A ninth counterparty takes the place of the least, but not its trades.
#[test]
fn a_newcomer_has_traded_nothing_before() {
    let mut sums = Sums::default();
    (1..=8).for_each(|other| sums.trade(&deal(minute(0), Side::Buy, 100, Some(other))));
    sums.trade(&deal(minute(1), Side::Sell, 10, Some(99)));
    sums.trade(&deal(minute(2), Side::Sell, 100, Some(99)));
    assert_eq!(figure(&sums, FlagKind::RoundTrips), 0.0);
}

#[test]
fn a_few_splits_and_merges_are_no_habit() {
    let mut sums = Sums::default();
    sums.trade(&deal(minute(0), Side::Buy, 100, None));
    (0..9).for_each(|_| sums.merge());
    assert_eq!(raised(&sums), []);
    sums.merge();
    assert_eq!(raised(&sums), [FlagKind::Sets, FlagKind::Merges]);
}

#[test]
fn a_wallet_takes_the_room_it_is_said_to_take() {
    assert_eq!((size_of::<Sums>(), size_of::<Day>(), size_of::<(i16, u32)>()), (256, 12, 8));
    assert_eq!(counterparties::ROOM, 48);
}

#[test]
fn no_more_days_are_kept_than_count() {
    let mut sums = Sums::default();
    (0..500).for_each(|number| sums.decide(&opened(day(number), 0.60)));
    assert_eq!(sums.days.len(), 30);
}

#[test]
fn the_exchange_is_nobody() {
    let mut sums = Sums::default();
    (0..100).for_each(|at| sums.trade(&deal(minute(at), Side::Buy, 100, None)));
    sums.trade(&deal(minute(200), Side::Buy, 100, Some(1)));
    assert!(figure(&sums, FlagKind::FewCounterparties) < 0.001);
}

#[test]
fn rolling_price_markets_say_how_long_they_last() {
    let of = is_ultra_short;
    assert!(of("btc-updown-15m-1769405400") && of("sol-updown-5m-1766972400"));
    assert!(!of("btc-updown-4h-1769405400") && !of("btc-updown-60m-1769405400"));
    assert!(!of("will-it-rain-15m") && !of("btc-updown-"));
}

#[test]
fn flags_are_found_by_name() {
    for kind in FlagKind::ALL {
        assert_eq!(FlagKind::from_name(kind.name()), Some(kind));
    }
    assert_eq!(FlagKind::from_name("honest"), None);
}

proptest! {
    /// The index never exceeds the true one, and whoever dominates is never lost among strangers.
    #[test]
    fn the_sketch_errs_on_the_safe_side(deals in prop::collection::vec((0u32..30, 1i32..1_000), 1..300)) {
        let (mut sums, mut volumes) = (Sums::default(), [0.0f64; 30]);
        for ((wallet, usd), at) in deals.iter().zip(0..) {
            sums.trade(&deal(minute(at), Side::Buy, *usd, Some(*wallet)));
            volumes[usize::try_from(*wallet).unwrap()] += f64::from(*usd);
        }
        let total: f64 = volumes.iter().sum();
        let exact: f64 = volumes.iter().map(|volume| (volume / total) * (volume / total)).sum();
        prop_assert!(figure(&sums, FlagKind::FewCounterparties) <= exact + 1e-9);
        for known in &sums.counterparties.kept {
            let volume = volumes[usize::try_from(known.wallet).unwrap()];
            let most = known.usd.to_f64();
            prop_assert!((known.usd - known.error).to_f64() <= volume && volume <= most);
        }
        let most = (0u32..30).zip(volumes).find(|(_, volume)| total / 8.0 < *volume);
        if let Some((wallet, _)) = most {
            prop_assert!(sums.counterparties.kept.iter().any(|known| known.wallet == wallet));
        }
    }

    /// But for the fills, whose order is their own, order does not matter.
    #[test]
    fn order_does_not_matter(
        decisions in prop::collection::vec((0i64..90, 0.01f64..0.99, any::<bool>(), 1i64..10_000), 1..60),
    ) {
        let all = |decisions: &mut dyn Iterator<Item = &(i64, f64, bool, i64)>| {
            let mut sums = Sums::default();
            for (on, price, is_new_market, held) in decisions {
                sums.decide(&DecisionOpened { is_new_market: *is_new_market, ..opened(day(*on), *price) });
                sums.close(&closed(*held));
            }
            sums
        };
        prop_assert_eq!(all(&mut decisions.iter()), all(&mut decisions.iter().rev()));
    }
}
