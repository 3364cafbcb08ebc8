//! What must hold in every world: money ties to the millionth, and neither the order in which things became known
//! nor the size of the batches nor anything later makes a difference.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod closed;

use closed::{ANYONE, World, ends, market, markets, wallet, wishes};
use decision::History;
use domain::{ChainEvent, Fact, Timestamp, Usd};
use proptest::prelude::*;

fn told_first(facts: &[Fact]) -> History {
    let mut history = History::new(ANYONE);
    markets().iter().for_each(|market| history.learn(market));
    history.apply_batch(facts);
    history
}

fn later(facts: &[Fact]) -> Timestamp {
    facts.last().map_or(Timestamp::default(), |fact| fact.place.block_time).plus_micros(Timestamp::HOUR)
}

/// The same facts where everything happens so many times as fast: more of them fit together.
fn hurried(facts: &[Fact], times: i64) -> Vec<Fact> {
    let Some(first) = facts.first().map(|fact| fact.place.block_time) else { return Vec::new() };
    let mut facts = facts.to_vec();
    for place in facts.iter_mut().map(|fact| &mut fact.place) {
        place.block_time = first.plus_micros(place.block_time.micros_since(first) / times);
    }
    facts
}

fn result(history: &History, who: u32, at: Timestamp) -> i64 {
    history.verdict(wallet(who), at).map_or(0, |verdict| verdict.pnl.micros())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The results of all wallets and all fees sum to zero, exactly, and every wallet's result is its cash and what
    /// its shares paid.
    #[test]
    fn nothing_is_lost_in_a_closed_world(wishes in wishes(90), ends in ends()) {
        let world = World::of(&wishes, ends);
        let history = told_first(&world.facts);
        let at = later(&world.facts);
        let total: i64 = (0..5).map(|who| result(&history, who, at)).sum();
        prop_assert_eq!(total + world.all_fees(), 0);
        for who in 0..5 {
            let cash = world.cash.get(&wallet(who)).copied().unwrap_or(0);
            let mut expected = Usd::from_micros(cash).to_f64();
            for ((holder, market, outcome), micros) in &world.held {
                if *holder == who {
                    expected += Usd::from_micros(*micros).to_f64() * world.pays(*market, *outcome);
                }
            }
            // Two markets divide the dollar, each within a millionth of what is due.
            prop_assert!((Usd::from_micros(result(&history, who, at)).to_f64() - expected).abs() < 4.1e-6);
            // Everything was seen arriving.
            prop_assert!(history.assess(wallet(who), at).is_none_or(|known| known.figures.unknown_cost == 0));
        }
    }

    /// Whenever the markets are described, before the trades or after the results, one by one or all at once.
    #[test]
    fn the_order_of_descriptions_does_not_matter(
        wishes in wishes(90),
        ends in ends(),
        described in prop::collection::vec((0usize..9, 0usize..200), 0..20),
    ) {
        let world = World::of(&wishes, ends);
        let mut history = History::new(ANYONE);
        for (number, fact) in world.facts.iter().enumerate() {
            for (which, _) in described.iter().filter(|(_, when)| *when == number) {
                history.learn(&market(*which));
                history.pass(fact.place.block_time);
            }
            history.apply(fact);
        }
        // Those nobody has described yet come last, in an order of their own.
        for number in (0..9).rev() {
            history.learn(&market(number));
        }
        let mut whole = told_first(&world.facts);
        prop_assert!(history == whole);
        let at = later(&world.facts);
        history.pass(at);
        whole.pass(at);
        for who in 0..5 {
            prop_assert_eq!(history.verdict(wallet(who), at), whole.verdict(wallet(who), at));
        }
    }

    /// However the facts are cut, on however many threads, and whoever asks in between.
    #[test]
    fn batches_and_threads_do_not_matter(
        wishes in wishes(90),
        ends in ends(),
        cut in 1usize..50,
        shards in 1usize..5,
        times in prop::sample::select(vec![1, 50, 1_000]),
    ) {
        let facts = hurried(&World::of(&wishes, ends).facts, times);
        let at = later(&facts);
        let mut whole = told_first(&facts);
        whole.pass(at);
        let mut history = History::in_shards(ANYONE, shards);
        markets().iter().for_each(|market| history.learn(market));
        for chunk in facts.chunks(cut) {
            history.apply_batch(chunk);
            history.pass(at);
            history.moved();
        }
        history.pass(at);
        prop_assert!(history == whole);
        for who in 0..5 {
            prop_assert_eq!(history.verdict(wallet(who), at), whole.verdict(wallet(who), at));
            prop_assert_eq!(history.assess(wallet(who), at), whole.assess(wallet(who), at));
        }
    }

    /// What was published at a moment is what the facts until then say, whatever came later; and of what has ended
    /// by then, nothing that comes later changes the count.
    #[test]
    fn nothing_later_enters_a_verdict(
        wishes in wishes(90),
        other in wishes(40),
        ends in ends(),
        cut in 0usize..90,
    ) {
        let cut = cut.min(wishes.len());
        let facts = World::of(&wishes, ends).facts;
        let mixed: Vec<_> = wishes[..cut].iter().chain(&other).copied().collect();
        let changed = World::of(&mixed, ends).facts;
        // Both worlds are the same until the wishes differ.
        let same = facts.iter().zip(&changed).take_while(|(one, other)| one == other).count();
        let Some(last) = same.checked_sub(1) else { return Ok(()) };
        let at = facts[last].place.block_time;
        let mut known = told_first(&facts[..same]);
        known.pass(at);
        for facts in [&facts, &changed] {
            let mut history = told_first(&facts[..same]);
            let published = history.pass(at);
            history.apply_batch(&facts[same..]);
            history.pass(later(facts));
            for belief in published {
                let wallet = belief.verdict.wallet;
                prop_assert_eq!(known.assess(wallet, at), Some(belief));
                let is_later = facts.get(same).is_some_and(|next| at < next.place.block_time);
                if is_later {
                    let figures = |history: &History| history.assess(wallet, at).map(|known| known.figures);
                    prop_assert_eq!(figures(&history), figures(&known));
                }
            }
        }
    }

    /// Whoever sells what was never seen arriving has a result, and no decision that counts.
    #[test]
    fn what_never_arrived_has_no_known_cost(wishes in wishes(60), ends in ends(), gone in 0u32..5) {
        let mut world = World::of(&wishes, ends);
        // Everything this wallet did to get shares is unseen.
        world.facts.retain(|fact| match &fact.event {
            ChainEvent::Fill(fill) => fill.wallet != wallet(gone) || fill.share_change() < domain::Shares::ZERO,
            ChainEvent::Split { wallet: who, .. } => *who != wallet(gone),
            ChainEvent::Fee { receiver, .. } => *receiver != wallet(gone),
            _ => true,
        });
        let history = told_first(&world.facts);
        let at = later(&world.facts);
        let Some(verdict) = history.verdict(wallet(gone), at) else { return Ok(()) };
        prop_assert_eq!((verdict.decisions, verdict.wins), (0, 0));
        let figures = history.assess(wallet(gone), at).unwrap().figures;
        prop_assert!(figures.unknown_cost > 0 || verdict.pnl.abs() <= Usd::from_micros(100_000));
    }
}

#[test]
fn large_batches_on_threads_are_folded_as_one_by_one() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let wishes = prop::collection::vec(wishes(90), 200).new_tree(&mut runner).unwrap().current().concat();
    let world = World::of(&wishes, (1, 0, 333_333, true));
    assert!(world.facts.len() > 8_192, "{} facts are too few to be worth a thread", world.facts.len());
    for times in [1, 1_000] {
        let facts = hurried(&world.facts, times);
        let mut slowly = History::in_shards(ANYONE, 1);
        markets().iter().for_each(|market| slowly.learn(market));
        facts.iter().for_each(|fact| slowly.apply(fact));
        let mut together = told_first(&facts);
        assert!(together == slowly);
        let at = later(&facts);
        together.pass(at);
        slowly.pass(at);
        for who in 0..5 {
            assert_eq!(together.assess(wallet(who), at), slowly.assess(wallet(who), at));
        }
    }
}
