//! What each way of choosing wallets finds in worlds where the truth is known.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]
#![expect(clippy::print_stdout, reason = "the table is what a reader of a failure wants to see")]

use std::collections::BTreeMap;

use decision::calibrated::Calibrated;
use decision::clv::{ClvSums, Matured};
use decision::discovery::{Discovery, RATE};
use decision::population::{Population, PopulationSums};
use decision::roi::RoiSums;
use decision::skill::{Ballot, Decided, SkillSums, probability_of_skill};
use domain::{FactorScores, Timestamp, Usd};

const WALLETS: u32 = 1_200;
const WEEKS: f64 = 26.0;

/// A small generator whose numbers never change (splitmix64), so that the worlds below never do.
struct Dice(u64);

impl Dice {
    /// From 0 to 1.
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((bits ^ (bits >> 31)) >> 32).unwrap()) / f64::from(u32::MAX)
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.roll()
    }

    /// Roughly normal: the sum of twelve rolls.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.roll()).sum::<f64>() - 6.0
    }
}

/// A wallet with what is true of it and what its record says.
struct Trader {
    kappa: f64,
    /// The mean of what its next decisions will truly gain a share.
    edge: f64,
    paid: f64,
    win_rate: f64,
    as_spec: f64,
    skill: SkillSums,
    roi: RoiSums,
    clv: ClvSums,
    profitable_weeks: u32,
    active_weeks: u32,
    top_event: Option<f64>,
    volume: Usd,
}

/// Bets of a wallet with that skill, each in an event of its own, at prices around its taste.
fn trader(dice: &mut Dice, kappa: f64) -> Trader {
    // From 30 to 300, most of them few.
    let decisions = (30.0 * libm::exp(dice.roll() * 2.3)).round();
    let taste = dice.between(0.30, 0.88);
    let mut trader = Trader {
        kappa,
        edge: 0.0,
        paid: 0.0,
        win_rate: 0.0,
        as_spec: 0.0,
        skill: SkillSums::default(),
        roi: RoiSums::default(),
        clv: ClvSums::default(),
        profitable_weeks: 0,
        active_weeks: 0,
        top_event: None,
        volume: Usd::whole(2_000),
    };
    let mut weeks = BTreeMap::new();
    let (mut gains, mut best, mut result, mut number) = (0.0, 0.0f64, 0.0, 0.0);
    while number < decisions {
        number += 1.0;
        let paid = (taste + 0.06 * dice.normal()).clamp(0.05, 0.94);
        let deviation = (paid * (1.0 - paid)).sqrt();
        let wins = dice.roll() < paid + kappa * deviation;
        let payoff = if wins { 1.0 } else { 0.0 };
        let week = whole(dice.between(0.0, WEEKS - 0.01));
        let at = Timestamp::from_micros(7 * Timestamp::DAY * week);
        trader.skill.vote(&mut Ballot::default(), &Decided { paid, fair: paid, payoff, at });
        let brings = Usd::from_micros(whole(payoff / paid * 100e6));
        trader.roi.add(Usd::whole(100), brings, paid);
        // Two fifths of an edge are in the price a day later, among eight cents of noise.
        let copyable = 0.4 * kappa * deviation + 0.08 * dice.normal();
        trader.clv.add(&Matured { wallet: (), at, drift: copyable, copyable, deviation });
        let gain = (payoff - paid) / paid;
        result += gain;
        gains += gain.max(0.0);
        best = best.max(gain);
        *weeks.entry(week).or_insert(0.0) += gain;
        trader.win_rate += payoff / decisions;
        trader.paid += paid / decisions;
        trader.edge += kappa * deviation / decisions;
    }
    trader.active_weeks = u32::try_from(weeks.len()).unwrap();
    trader.profitable_weeks = u32::try_from(weeks.values().filter(|gain| **gain > 0.0).count()).unwrap();
    trader.top_event = (gains > 0.0).then(|| best / gains);
    let drift = trader.clv.estimate().unwrap().drift;
    trader.as_spec = as_spec(&trader, result / decisions, drift);
    trader
}

#[expect(clippy::cast_possible_truncation, reason = "small numbers of the test's own")]
fn whole(number: f64) -> i64 {
    number.floor() as i64
}

/// The strategy's score, column as-spec.
fn as_spec(trader: &Trader, roi: f64, drift: f64) -> f64 {
    let bounded = |score: f64| score.clamp(0.0, 10.0);
    let weeks = f64::from(trader.profitable_weeks) / f64::from(trader.active_weeks);
    FactorScores {
        win_rate: bounded(10.0 * (trader.win_rate - 0.30) / 0.40),
        profit_factor: bounded(5.0 + 20.0 * roi),
        consistency: bounded(10.0 * (weeks - 0.2) / 0.6),
        volume: bounded(10.0 * libm::log10(trader.volume.to_f64() / 100.0) / 3.0),
        timing: bounded(5.0 + 5.0 * drift / 0.03),
    }
    .total()
}

fn calibrated(trader: &Trader, population: &Population) -> f64 {
    Calibrated {
        skill: trader.skill.estimate_with(population),
        n_eff: trader.skill.raw().unwrap().n_eff,
        roi: trader.roi.estimate(population),
        profitable_weeks: trader.profitable_weeks,
        active_weeks: trader.active_weeks,
        top_event: trader.top_event,
        net_volume_30d: trader.volume,
        clv: trader.clv.estimate().unwrap().shrunk,
    }
    .factors()
    .total()
}

/// 4 % with some skill and 1 % with much of it; most lose a little to costs, some more.
fn planted(dice: &mut Dice) -> f64 {
    match dice.roll() {
        part if part < 0.01 => 0.38,
        part if part < 0.05 => 0.13,
        part if part < 0.20 => -0.12,
        _ => -0.03,
    }
}

fn world(seed: u64, kappa: impl Fn(&mut Dice) -> f64) -> (Vec<Trader>, Population) {
    let mut dice = Dice(seed);
    let traders: Vec<Trader> = (0..WALLETS)
        .map(|_| {
            let kappa = kappa(&mut dice);
            trader(&mut dice, kappa)
        })
        .collect();
    let mut sums = PopulationSums::default();
    for trader in &traders {
        sums.add_skill(trader.skill.raw().unwrap());
        sums.add_roi(trader.roi.raw().unwrap());
    }
    (traders, sums.fit())
}

/// How many were chosen, what their next decisions truly gain, how many have no skill, what they paid.
#[derive(Debug)]
struct Chosen {
    part: f64,
    edge: f64,
    unskilled: f64,
    paid: f64,
}

fn choose(name: &str, traders: &[Trader], wanted: impl Fn(&Trader) -> bool) -> Chosen {
    let chosen: Vec<&Trader> = traders.iter().filter(|trader| wanted(trader)).collect();
    let count = |items: usize| f64::from(u32::try_from(items).unwrap());
    let all = count(chosen.len()).max(1.0);
    let chosen = Chosen {
        part: count(chosen.len()) / count(traders.len()),
        edge: chosen.iter().map(|trader| trader.edge).sum::<f64>() / all,
        unskilled: count(chosen.iter().filter(|trader| trader.kappa <= 0.0).count()) / all,
        paid: chosen.iter().map(|trader| trader.paid).sum::<f64>() / all,
    };
    println!("{name:26} {chosen:.4?}");
    chosen
}

fn is_sure(trader: &Trader, population: &Population) -> bool {
    probability_of_skill(trader.skill.estimate_with(population)).to_f64() >= 0.95
}

#[test]
fn raw_records_choose_favourite_buyers_and_calibrated_ones_choose_skill() {
    let (traders, population) = world(1, planted);
    println!("{population:?}");
    let everybody = choose("everybody", &traders, |_| true);
    let winners = choose("win rate of 70 %", &traders, |trader| trader.win_rate >= 0.70);
    let whales = choose("as-spec score of 7", &traders, |trader| trader.as_spec >= 7.0);
    let skilled = choose("calibrated score of 7", &traders, |trader| calibrated(trader, &population) >= 7.0);
    let sure = choose("and P(skill) of 95 %", &traders, |trader| {
        calibrated(trader, &population) >= 7.0 && is_sure(trader, &population)
    });
    let default = Population::default();
    let by_default =
        choose("the same, default prior", &traders, |trader| calibrated(trader, &default) >= 7.0);
    let discovery = Discovery::among(traders.iter().map(|trader| trader.skill.raw().unwrap().z), RATE);
    let verified =
        choose("verified", &traders, |trader| discovery.is_verified(trader.skill.raw().unwrap().z));

    assert!(winners.part > 0.25 && winners.unskilled > 0.80 && winners.edge < 0.0);
    assert!(winners.paid > everybody.paid + 0.10, "they buy what is dear");
    assert!(whales.part > 0.10 && whales.unskilled > 0.60);
    assert!(skilled.part < 0.05 && skilled.edge > 0.03 && skilled.unskilled < 0.25);
    assert!(sure.part > 0.0 && sure.edge > 0.03 && sure.unskilled < 0.25);
    assert!(by_default.edge > 0.02 && by_default.unskilled < whales.unskilled - 0.25);
    assert!(verified.part > 0.0 && verified.unskilled <= 0.25);
    assert!(skilled.edge > whales.edge + 0.03);
}

#[test]
fn where_nobody_has_skill_almost_nobody_seems_to() {
    for (seed, kappa) in [(2, 0.0), (3, -0.03)] {
        let (traders, population) = world(seed, |_| kappa);
        println!("κ = {kappa}: {population:?}");
        let whales = choose("as-spec score of 7", &traders, |trader| trader.as_spec >= 7.0);
        let skilled =
            choose("calibrated score of 7", &traders, |trader| calibrated(trader, &population) >= 7.0);
        let sure = choose("P(skill) of 95 %", &traders, |trader| is_sure(trader, &population));
        let by_default =
            choose("the same, default prior", &traders, |trader| is_sure(trader, &Population::default()));
        let discovery = Discovery::among(traders.iter().map(|trader| trader.skill.raw().unwrap().z), RATE);
        println!("verified: {}", discovery.verified());
        assert!(sure.part <= 0.01 && by_default.part <= 0.02);
        assert!(skilled.part <= 0.01 && whales.part >= 10.0 * skilled.part && whales.part > 0.10);
        assert!(discovery.verified() <= 3);
    }
}

#[test]
fn the_population_is_learned_from_its_records() {
    let (_, population) = world(4, planted);
    // Planted are a mean of -0.033 and a variance of 0.0039, which is 256 pseudo-decisions.
    assert!((population.kappa_mean + 0.033).abs() < 0.01, "{population:?}");
    assert!((150.0..399.0).contains(&population.kappa_weight), "{population:?}");
}
