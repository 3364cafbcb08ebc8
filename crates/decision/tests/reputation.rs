//! The fold from facts to verdicts.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "shared/facts.rs"]
mod facts;
#[path = "shared/happened.rs"]
mod happened;
#[path = "shared/nouns.rs"]
mod nouns;

use decision::{Eligibility, History};
use domain::Figures;
use domain::{
    ChainEvent, Fact, Fee, FeeKind, Market, Payouts, Shares, Side, Tier, Timestamp, Usd, WalletScore,
};
use facts::{ANYONE, fill, fill_of, resolution, token};
use happened::fact;
use nouns::{condition, market, wallet};
use proptest::prelude::*;

fn figures(facts: &[Fact], who: u32, hour: i64) -> Figures {
    let mut history = History::new(ANYONE);
    (1..=20).for_each(|number| history.learn(&market(number)));
    history.apply_batch(facts);
    history.assess(wallet(who), Timestamp::from_micros(hour * Timestamp::HOUR)).unwrap().figures
}

fn verdict(facts: &[Fact], who: u32, hour: i64) -> WalletScore {
    let mut history = History::new(ANYONE);
    (1..=20).for_each(|number| history.learn(&market(number)));
    facts.iter().for_each(|fact| history.apply(fact));
    let as_of = Timestamp::from_micros(hour * Timestamp::HOUR);
    history.pass(as_of);
    history.verdict(wallet(who), as_of).unwrap()
}

#[test]
fn losers_never_redeemed_are_losses() {
    let facts = [
        fill(1, 1, 1, Side::Buy, 100, 40),
        fill(2, 1, 2, Side::Buy, 100, 70),
        resolution(3, 1, 1),
        resolution(4, 2, 0),
    ];
    let verdict = verdict(&facts, 1, 5);
    assert_eq!((verdict.decisions, verdict.wins), (2, 1));
    assert_eq!(verdict.pnl, Usd::whole(-40 + 30));
    assert_eq!(verdict.win_rate, Some(0.5));
    assert!((verdict.break_even_win_rate.unwrap() - 0.55).abs() < 1e-9);
    assert!((verdict.profit_factor.unwrap() - 0.75).abs() < 1e-9);
}

#[test]
fn selling_out_closes_a_decision_and_open_shares_close_none() {
    let facts = [
        fill(1, 1, 1, Side::Buy, 100, 40),
        fill(2, 1, 1, Side::Sell, 100, 55),
        fill(3, 1, 2, Side::Buy, 100, 40),
    ];
    let verdict = verdict(&facts, 1, 5);
    assert_eq!((verdict.decisions, verdict.wins, verdict.trades), (1, 1, 3));
    assert_eq!(verdict.pnl, Usd::whole(15));
}

#[test]
fn fees_in_dollars_and_in_shares_are_paid() {
    let mut charged = fill(1, 1, 1, Side::Buy, 100, 40);
    let mut in_shares = fill(1, 2, 1, Side::Buy, 100, 40);
    if let (ChainEvent::Fill(one), ChainEvent::Fill(other)) = (&mut charged.event, &mut in_shares.event) {
        one.fee = Fee::Usd(Usd::whole(2));
        other.fee = Fee::Shares(Shares::whole(5));
    }
    let facts = [charged, in_shares, resolution(3, 1, 0)];
    assert_eq!(verdict(&facts, 1, 5).pnl, Usd::whole(58));
    assert_eq!(verdict(&facts, 2, 5).pnl, Usd::whole(55));
}

/// V1 took the largest fee the order allowed and gave the rest back: only the difference is paid.
#[test]
fn fees_given_back_are_not_paid() {
    let mut bought = fill(1, 1, 1, Side::Buy, 100, 40);
    if let ChainEvent::Fill(fill) = &mut bought.event {
        fill.fee = Fee::Shares(Shares::whole(5));
    }
    let refund = |token, micros| ChainEvent::Fee {
        exchange: None,
        kind: FeeKind::Refunded,
        receiver: wallet(1),
        token,
        micros,
    };
    let facts = [
        bought,
        fact(1, refund(Some(token(1, 0)), 4_000_000)),
        fact(2, refund(None, 2_000_000)),
        resolution(3, 1, 0),
    ];
    // 99 shares paid $99 for $40, and $2 came back.
    assert_eq!(verdict(&facts, 1, 5).pnl, Usd::whole(61));
}

#[test]
fn splits_and_merges_are_purchases_and_sales_of_both_outcomes() {
    let facts = [
        fact(1, ChainEvent::Split { wallet: wallet(1), condition: condition(1), amount: Shares::whole(100) }),
        fill(2, 1, 1, Side::Sell, 100, 70),
        resolution(3, 1, 1),
    ];
    // $100 became 100 of each; YES sold for $70, NO paid $100.
    assert_eq!(verdict(&facts, 1, 5).pnl, Usd::whole(70));
}

#[test]
fn a_split_before_the_description_counts_all_the_same() {
    let split = ChainEvent::Split { wallet: wallet(1), condition: condition(1), amount: Shares::whole(100) };
    let facts = [fact(1, split), fill(2, 1, 1, Side::Sell, 100, 70), resolution(3, 1, 1)];
    let mut history = History::new(ANYONE);
    facts.iter().for_each(|fact| history.apply(fact));
    history.learn(&market(1));
    let as_of = Timestamp::from_micros(5 * Timestamp::HOUR);
    assert_eq!(history.verdict(wallet(1), as_of).unwrap().pnl, Usd::whole(70));
}

#[test]
fn what_was_sold_without_being_seen_arriving_is_no_decision() {
    let facts = [fill(1, 1, 1, Side::Sell, 100, 70), resolution(3, 1, 1)];
    let verdict = verdict(&facts, 1, 5);
    assert_eq!(verdict.decisions, 0);
    assert_eq!(verdict.pnl, Usd::whole(70));
}

#[test]
fn a_market_described_late_settles_all_the_same() {
    let facts = [fill(1, 1, 1, Side::Buy, 100, 40), resolution(3, 1, 0)];
    let mut history = History::new(ANYONE);
    facts.iter().for_each(|fact| history.apply(fact));
    history.learn(&market(1));
    let as_of = Timestamp::from_micros(5 * Timestamp::HOUR);
    assert_eq!(history.verdict(wallet(1), as_of).unwrap().pnl, Usd::whole(60));
}

/// YES at 40 and NO at 55 are one decision, which the second purchase ends: the pairs are worth a dollar each.
#[test]
fn buying_the_other_outcome_ends_a_decision() {
    let facts = [
        fill_of(60, 1, (1, 0), Side::Buy, 100, 40),
        fill_of(120, 1, (1, 1), Side::Buy, 100, 55),
        fact(5, ChainEvent::Merge { wallet: wallet(1), condition: condition(1), amount: Shares::whole(100) }),
        resolution(6, 1, 0),
    ];
    let verdict = verdict(&facts, 1, 9);
    assert_eq!((verdict.decisions, verdict.wins, verdict.pnl), (1, 1, Usd::whole(5)));
    assert!((verdict.break_even_win_rate.unwrap() - 0.40).abs() < 1e-9);
}

/// Two purchases at 30 and 50 and a sale of a part: the price is what the purchases cost on average, and the fee is
/// part of it.
#[test]
fn the_price_of_a_decision_is_that_of_what_made_it_larger() {
    let mut second = fill_of(70, 1, (1, 1), Side::Buy, 100, 50);
    if let ChainEvent::Fill(fill) = &mut second.event {
        fill.fee = Fee::Usd(Usd::whole(2));
    }
    let facts = [
        fill_of(60, 1, (1, 1), Side::Buy, 100, 30),
        second,
        fill_of(80, 1, (1, 1), Side::Sell, 150, 90),
        resolution(6, 1, 0),
    ];
    let verdict = verdict(&facts, 1, 9);
    assert!((verdict.break_even_win_rate.unwrap() - 0.41).abs() < 1e-9);
    assert_eq!((verdict.decisions, verdict.wins, verdict.pnl), (1, 1, Usd::whole(135 - 82)));
}

#[test]
fn a_decision_is_won_by_what_is_left_after_fees() {
    let mut bought = fill(1, 1, 1, Side::Buy, 100, 40);
    if let ChainEvent::Fill(fill) = &mut bought.event {
        fill.fee = Fee::Usd(Usd::whole(2));
    }
    let facts = [bought, fill(2, 1, 1, Side::Sell, 100, 41), fill(3, 1, 2, Side::Buy, 100, 41)];
    let verdict = verdict(&facts, 1, 9);
    assert_eq!((verdict.decisions, verdict.wins, verdict.pnl), (1, 0, Usd::whole(-1)));
}

/// What is collected beyond what the seen shares were paid came of shares that were not seen arriving.
#[test]
fn collecting_more_than_was_seen_is_a_result_of_unknown_cost() {
    let collect = |hour, dollars| {
        let payout = Usd::whole(dollars);
        fact(
            hour,
            ChainEvent::Redemption { wallet: wallet(1), condition: Some(condition(1)), token: None, payout },
        )
    };
    let facts = [
        fill(1, 1, 1, Side::Buy, 100, 40),
        resolution(3, 1, 0),
        collect(4, 60),
        collect(5, 40),
        collect(6, 30),
    ];
    let all_seen = verdict(&facts[..4], 1, 9);
    assert_eq!((all_seen.pnl, figures(&facts[..4], 1, 9).unknown_cost), (Usd::whole(60), 0));
    let more = verdict(&facts, 1, 9);
    assert_eq!((more.pnl, more.decisions, more.wins), (Usd::whole(90), 1, 1));
    let figures = figures(&facts, 1, 9);
    assert_eq!((figures.unknown_cost, figures.unknown_cost_pnl), (1, Usd::whole(30)));
}

#[test]
fn the_recent_win_rate_stands_beside_the_lifetime_one() {
    let day = |day: i64| 24 * day;
    let facts = [
        fill(1, 1, 1, Side::Buy, 100, 40),
        fill(1, 1, 2, Side::Buy, 100, 60),
        fill(1, 1, 3, Side::Buy, 100, 70),
        resolution(day(1), 1, 0),
        resolution(day(40), 2, 1),
        resolution(day(41), 3, 0),
    ];
    let figures = figures(&facts, 1, day(60));
    assert_eq!((figures.decisions_30d, figures.wins_30d, figures.win_rate_30d), (2, 1, Some(0.5)));
    assert!((figures.break_even_win_rate_30d.unwrap() - 0.65).abs() < 1e-9);
    assert!((verdict(&facts, 1, day(60)).win_rate.unwrap() - 2.0 / 3.0).abs() < 1e-9);
}

/// Ten decisions in one event say as much about skill as one with their mean.
#[test]
fn one_event_has_one_vote() {
    let facts: Vec<Fact> = (1..=10)
        .map(|number| fill(1, 1, number, Side::Buy, 100, 50))
        .chain((1..=10).map(|number| resolution(3, number, 0)))
        .collect();
    let at = Timestamp::from_micros(9 * Timestamp::HOUR);
    let skill = |in_one_event: bool, facts: &[Fact]| {
        let mut history = History::new(ANYONE);
        for number in 1..=20 {
            let event = if in_one_event { "one".to_owned() } else { number.to_string() };
            history.learn(&Market { event, ..market(number) });
        }
        history.apply_batch(facts);
        history.verdict(wallet(1), at).unwrap()
    };
    let alone = skill(true, &[facts[0].clone(), facts[10].clone()]);
    let (together, apart) = (skill(true, &facts), skill(false, &facts));
    assert!((together.skill.kappa - alone.skill.kappa).abs() < 1e-9);
    assert!((together.skill.standard_error - alone.skill.standard_error).abs() < 1e-9);
    assert!(apart.skill.kappa > together.skill.kappa);
    // The strategy's own count goes by decisions.
    assert_eq!((together.decisions, together.wins, together.events), (10, 10, 1));
    // Grouped only later, it is the same.
    let mut history = History::new(ANYONE);
    (1..=20).for_each(|number| history.learn(&market(number)));
    history.apply_batch(&facts);
    history.pass(at);
    (1..=10).for_each(|number| history.learn(&Market { event: "one".to_owned(), ..market(number) }));
    let again = history.pass(at);
    assert_eq!(again.into_iter().map(|belief| belief.verdict).collect::<Vec<_>>(), [together]);
}

/// A condition of three outcomes: each is a question of its own.
#[test]
fn of_many_outcomes_each_is_a_question_of_its_own() {
    let three = Market {
        outcomes: vec!["A".to_owned(), "B".to_owned(), "C".to_owned()],
        tokens: vec![token(1, 0), token(1, 1), token(1, 2)],
        ..market(1)
    };
    let mut history = History::new(ANYONE);
    history.learn(&three);
    history.apply_batch(&[
        fill_of(60, 1, (1, 0), Side::Buy, 100, 30),
        fill_of(70, 1, (1, 2), Side::Buy, 100, 20),
        fact(3, ChainEvent::Split { wallet: wallet(2), condition: condition(1), amount: Shares::whole(30) }),
        fact(4, ChainEvent::Resolution { condition: condition(1), payouts: Payouts::winner(2, 3).unwrap() }),
    ]);
    let at = Timestamp::from_micros(9 * Timestamp::HOUR);
    let verdict = history.verdict(wallet(1), at).unwrap();
    assert_eq!((verdict.decisions, verdict.wins, verdict.pnl), (2, 1, Usd::whole(50)));
    assert_eq!(history.verdict(wallet(2), at).unwrap().pnl, Usd::ZERO);
}

/// Fills within ten minutes are one entry, whose average price is looked at again a day after it began.
#[test]
fn an_entry_is_looked_at_once() {
    let facts = [
        fill_of(0, 1, (1, 1), Side::Buy, 100, 40),
        fill_of(9, 1, (1, 1), Side::Buy, 100, 50),
        fill_of(30, 1, (1, 1), Side::Buy, 100, 60),
        // NO stands at 50 after a day, and elsewhere after more.
        fill_of(24 * 60 - 1, 2, (1, 0), Side::Buy, 10, 50),
        fill_of(24 * 60, 2, (1, 0), Side::Buy, 10, 30),
    ];
    let once = verdict(&facts, 1, 25);
    assert!((once.mean_drift.unwrap() - 0.05).abs() < 1e-9, "{once:?}");
    let later = [facts.as_slice(), &[fill_of(24 * 60 + 30, 2, (2, 0), Side::Buy, 10, 30)]].concat();
    // The second entry: 60 paid for what stands at 70 then.
    assert!((verdict(&later, 1, 25).mean_drift.unwrap() - 0.075).abs() < 1e-9);
}

/// A wallet that has been a whale stays one down to 6.5, however the passes fall; one that has not does not.
#[test]
fn a_whale_stays_one_for_half_a_point() {
    // Many wins, as many losses, and many wins again.
    let mut facts: Vec<Fact> = Vec::new();
    for number in 1..=90u32 {
        let hour = i64::from(number) * 24 * 7;
        facts.push(fill(hour, 1, number, Side::Buy, 1_000, 50));
        facts.push(resolution(hour + 1, number, usize::from((21..=50).contains(&number))));
    }
    let mut history = History::new(ANYONE);
    (1..=90).for_each(|number| history.learn(&market(number)));
    let mut seen = Vec::new();
    for pair in facts.chunks(2) {
        history.apply_batch(pair);
        let at = pair[1].place.block_time.plus_micros(Timestamp::HOUR);
        let verdict = history.verdict(wallet(1), at).unwrap();
        seen.push((verdict.score, verdict.tier));
    }
    let (falling, rising) = seen.split_at(50);
    let between = |(score, _): &&(f64, Tier)| (6.5..7.0).contains(score);
    let tiers = |seen: &[(f64, Tier)]| seen.iter().filter(between).map(|(_, tier)| *tier).collect::<Vec<_>>();
    assert!(!tiers(falling).is_empty() && tiers(falling).iter().all(|tier| *tier == Tier::Whale), "{seen:?}");
    assert!(!tiers(rising).is_empty() && tiers(rising).iter().all(|tier| *tier == Tier::Smart), "{seen:?}");
    // A pass in the middle, or none, makes no difference: the days are walked again each time.
    let mut at_once = History::new(ANYONE);
    (1..=90).for_each(|number| at_once.learn(&market(number)));
    at_once.apply_batch(&facts[..60]);
    let at = facts[59].place.block_time.plus_micros(Timestamp::HOUR);
    assert_eq!(at_once.verdict(wallet(1), at).unwrap().tier, seen[29].1);
}

#[test]
fn too_little_history_is_unrated_whatever_the_score() {
    let facts = [fill(1, 1, 1, Side::Buy, 100, 40), resolution(3, 1, 0)];
    let mut history = History::new(Eligibility { decisions: 30, events: 15, active_days: 21 });
    history.learn(&market(1));
    facts.iter().for_each(|fact| history.apply(fact));
    let as_of = Timestamp::from_micros(5 * Timestamp::HOUR);
    assert_eq!(history.verdict(wallet(1), as_of).unwrap().tier, Tier::Unrated);
}

#[test]
fn timing_is_the_price_a_day_after_the_entry() {
    let facts = [
        fill(1, 1, 1, Side::Buy, 100, 40),
        fill(20, 2, 1, Side::Buy, 100, 43),
        fill(30, 2, 1, Side::Buy, 100, 90),
    ];
    let verdict = verdict(&facts, 1, 48);
    assert!((verdict.mean_drift.unwrap() - 0.03).abs() < 1e-9);
    assert!((verdict.factors.timing - 10.0).abs() < 1e-9);
}

fn world() -> impl Strategy<Value = Vec<Fact>> {
    let trade = (1u32..6, 1u32..8, any::<bool>(), 1i32..500, 5u32..95);
    prop::collection::vec(trade, 1..120).prop_map(|trades| {
        let mut facts: Vec<Fact> = trades
            .into_iter()
            .zip(1i64..)
            .map(|((who, market, buys, shares, cents), hour)| {
                fill(hour, who, market, if buys { Side::Buy } else { Side::Sell }, shares, cents)
            })
            .collect();
        let end = i64::try_from(facts.len()).unwrap() + 1;
        facts.extend((1..8).map(|market| resolution(end, market, usize::from(market % 2 == 0))));
        facts
    })
}

proptest! {
    /// However the facts are cut into passes, the verdicts at the end are the same.
    #[test]
    fn batches_do_not_matter(facts in world(), cut in 1usize..20) {
        let as_of = Timestamp::from_micros(200 * Timestamp::HOUR);
        let all = |every: usize| {
            let mut history = History::new(ANYONE);
            (1..=20).for_each(|number| history.learn(&market(number)));
            for chunk in facts.chunks(every) {
                chunk.iter().for_each(|fact| history.apply(fact));
                // Passes made long after the facts, as during a backfill, change nothing either.
                history.pass(as_of);
            }
            history.pass(as_of);
            (1..6).map(|who| history.verdict(wallet(who), as_of)).collect::<Vec<_>>()
        };
        prop_assert_eq!(all(cut), all(facts.len()));
    }

    /// Once everything is resolved, a wallet's result is its cash flow plus what its shares paid.
    #[test]
    fn results_tie_to_cash_and_payouts(facts in world()) {
        let mut history = History::new(ANYONE);
        (1..=20).for_each(|number| history.learn(&market(number)));
        facts.iter().for_each(|fact| history.apply(fact));
        let as_of = Timestamp::from_micros(200 * Timestamp::HOUR);
        for who in 1..6 {
            let mut expected = Usd::ZERO;
            for fact in &facts {
                let ChainEvent::Fill(fill) = &fact.event else { continue };
                if fill.wallet == wallet(who) {
                    let wins = (1..8).any(|m| m % 2 == 1 && token(m, 0) == fill.token);
                    expected += fill.cash_change();
                    if wins {
                        expected += Usd::from_micros(fill.share_change().micros());
                    }
                }
            }
            let found = history.verdict(wallet(who), as_of).map_or(Usd::ZERO, |verdict| verdict.pnl);
            prop_assert_eq!(found, expected);
        }
    }
}
