//! Wallets that are saved, forgotten and loaded are as if they had been in memory all the time, in one process or in
//! several, at whatever moment.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[expect(dead_code, reason = "the other tests of these worlds keep other books")]
mod closed;

use std::collections::{BTreeMap, BTreeSet};

use closed::{ANYONE, World, condition, ends, market, token, wallet, wishes};
use decision::History;
use decision::reputation::{Damaged, Needs, SavedWallet, WalletPosition};
use domain::{
    Assessment, ChainEvent, ConditionId, Fact, Fill, Market, Shares, Timestamp, TokenId, Usd, Wallet,
};
use proptest::prelude::*;

/// What is done between facts.
#[derive(Clone, Copy, Debug)]
enum Stop {
    /// Verdicts are asked for.
    Pass,
    /// Holdings are asked for.
    Ask,
    /// Everything is saved, and the wallets are forgotten.
    Forget,
    /// Everything is saved and not forgotten.
    Save,
    /// Another process goes on from what was saved.
    Restart,
    /// A market is described, if it was not.
    Learn(usize),
}

/// What keeps the bytes.
#[derive(Default)]
struct Database {
    wallets: BTreeMap<Wallet, SavedWallet>,
    questions: BTreeMap<u32, Vec<u8>>,
    world: Vec<u8>,
}

impl Database {
    fn save(&mut self, history: &mut History) {
        for mut saved in history.changed() {
            // Whom a result concerned once is asked again, and nobody is told of it twice.
            let before = self.wallets.get(&saved.wallet).map_or(&[][..], |before| &before.tokens);
            saved.tokens.extend(before);
            self.wallets.insert(saved.wallet, saved);
        }
        self.questions.extend(history.changed_questions());
        self.world = history.save_world();
        assert_eq!(history.changed().count() + history.changed_questions().count(), 0);
    }

    fn load(&self, history: &mut History, is_needed: impl Fn(&SavedWallet) -> bool) {
        for saved in self.wallets.values().filter(|saved| is_needed(saved)) {
            if !history.has(saved.wallet) {
                history.load(saved.wallet, &saved.bytes).unwrap();
            }
        }
    }

    fn load_needs(&self, history: &mut History, needs: &Needs) {
        let tokens = tokens_of(&needs.divided);
        self.load(history, |saved| {
            needs.wallets.contains(&saved.wallet)
                || saved.tokens.iter().any(|token| tokens.contains(token))
                || saved.wake.zip(needs.until).is_some_and(|(wake, until)| wake <= until)
        });
    }
}

fn tokens_of(conditions: &BTreeSet<ConditionId>) -> Vec<TokenId> {
    let number = |which| (0..9).find(|number| condition(*number) == which);
    let numbers = conditions.iter().filter_map(|which| number(*which));
    numbers.flat_map(|number| [token(number, 0), token(number, 1)]).collect()
}

/// A history that pages, and the one it must be equal to.
struct Pair {
    paged: History,
    whole: History,
    database: Database,
    shards: usize,
    learned: Vec<Market>,
}

impl Pair {
    fn new(shards: usize) -> Self {
        let (paged, whole) = (History::in_shards(ANYONE, shards), History::new(ANYONE));
        Self { paged, whole, database: Database::default(), shards, learned: Vec::new() }
    }

    fn learn(&mut self, market: Market) {
        if self.learned.iter().all(|known| known.condition != market.condition) {
            let needs = self.paged.needs_to_learn(&market);
            self.database.load_needs(&mut self.paged, &needs);
            self.paged.learn(&market);
            self.whole.learn(&market);
            self.learned.push(market);
        }
    }

    fn apply(&mut self, facts: &[Fact]) {
        let needs = self.paged.needs(facts);
        self.database.load_needs(&mut self.paged, &needs);
        self.paged.apply_batch(facts);
        self.whole.apply_batch(facts);
        self.pay(&needs.resolved);
    }

    /// Loads whom results concern: all at once, or everybody alone.
    fn pay(&mut self, resolved: &BTreeSet<ConditionId>) {
        let tokens = tokens_of(resolved);
        let holds = |saved: &SavedWallet| saved.tokens.iter().any(|token| tokens.contains(token));
        if self.shards == 1 {
            self.database.load(&mut self.paged, holds);
            return;
        }
        let holders: Vec<Wallet> =
            self.database.wallets.values().filter(|saved| holds(saved)).map(|saved| saved.wallet).collect();
        for holder in holders {
            self.database.save(&mut self.paged);
            self.paged.forget_wallets();
            self.database.load(&mut self.paged, |saved| saved.wallet == holder);
        }
    }

    fn pass(&mut self, as_of: Timestamp) -> (Vec<Assessment>, Vec<Assessment>) {
        if let Some(mut survey) = self.paged.survey(as_of) {
            // Two wallets at a time.
            self.database.save(&mut self.paged);
            self.paged.forget_wallets();
            let wallets: Vec<SavedWallet> = self.database.wallets.values().cloned().collect();
            for some in wallets.chunks(2) {
                some.iter().for_each(|saved| self.paged.load(saved.wallet, &saved.bytes).unwrap());
                self.paged.take_part(&mut survey);
                self.database.save(&mut self.paged);
                self.paged.forget_wallets();
            }
            self.paged.conclude(survey);
        }
        let is_by = |when: Option<Timestamp>| when.is_some_and(|when| when <= as_of);
        let wanted = |saved: &SavedWallet| saved.is_due || is_by(saved.wake) || is_by(saved.fades);
        let wanted: Vec<Wallet> =
            self.database.wallets.values().filter(|saved| wanted(saved)).map(|saved| saved.wallet).collect();
        let passing = self.paged.begin_pass(as_of);
        let mut paged = self.paged.judge(&passing);
        // One wallet at a time.
        for wallet in wanted {
            if self.shards > 1 {
                self.database.save(&mut self.paged);
                self.paged.forget_wallets();
            }
            self.database.load(&mut self.paged, |saved| saved.wallet == wallet);
            let judged: BTreeSet<Wallet> = paged.iter().map(|known| known.verdict.wallet).collect();
            let news = self.paged.judge(&passing);
            paged.extend(news.into_iter().filter(|known| !judged.contains(&known.verdict.wallet)));
        }
        paged.sort_by_key(|known| known.verdict.wallet);
        (paged, self.whole.pass(as_of))
    }

    fn ask(&mut self) -> (Vec<WalletPosition>, Vec<WalletPosition>) {
        // What moved and was not asked for before it was forgotten is due.
        self.database.load(&mut self.paged, |saved| saved.is_due);
        (self.paged.moved(), self.whole.moved())
    }

    fn restart(&mut self) {
        self.database.save(&mut self.paged);
        self.paged = History::in_shards(ANYONE, 3 - self.shards.min(2));
        for market in &self.learned {
            self.paged.learn(market);
        }
        for (number, bytes) in &self.database.questions {
            self.paged.load_question(*number, bytes).unwrap();
        }
        self.paged.load_world(&self.database.world).unwrap();
    }

    fn stop(&mut self, stop: Stop, at: Timestamp) -> Result<(), TestCaseError> {
        match stop {
            Stop::Pass => {
                let (paged, whole) = self.pass(at);
                prop_assert_eq!(paged, whole);
            }
            Stop::Ask => {
                let (paged, whole) = self.ask();
                prop_assert_eq!(paged, whole);
            }
            Stop::Save => self.database.save(&mut self.paged),
            Stop::Forget => {
                self.database.save(&mut self.paged);
                self.paged.forget_wallets();
                prop_assert_eq!(self.paged.wallets(), 0);
            }
            Stop::Restart => self.restart(),
            Stop::Learn(number) => self.learn(ending(number)),
        }
        Ok(())
    }
}

/// The markets, some of which say when they end.
fn ending(number: usize) -> Market {
    let days = i64::try_from(number).unwrap() * 4;
    let end = (!number.is_multiple_of(3)).then(|| Timestamp::from_micros(days * Timestamp::DAY));
    Market { end, ..market(number) }
}

fn stops() -> impl Strategy<Value = Vec<(usize, Stop)>> {
    let stop = prop_oneof![
        2 => Just(Stop::Pass),
        1 => Just(Stop::Ask),
        4 => Just(Stop::Forget),
        1 => Just(Stop::Save),
        2 => Just(Stop::Restart),
        2 => (0usize..9).prop_map(Stop::Learn),
    ];
    prop::collection::vec((0usize..200, stop), 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Some markets are described from the start, some while facts wait for them, and all in the end. Time goes a tenth as
    /// fast, so that prices move before entries are due, or up to nine times, so that days leave the window.
    #[test]
    fn a_fold_that_is_interrupted_is_the_whole_one(
        wishes in wishes(90),
        ends in ends(),
        stops in stops(),
        known in 0usize..=9,
        shards in 1usize..3,
        pace in prop_oneof![1i64..10, 10i64..90],
    ) {
        let mut world = World::of(&wishes, ends);
        for fact in &mut world.facts {
            fact.place.block_time = Timestamp::from_micros(fact.place.block_time.micros() / 10 * pace);
        }
        let mut pair = Pair::new(shards);
        (0..known).for_each(|number| pair.learn(ending(number)));
        let mut start = 0;
        for end in 1..=world.facts.len() {
            let here: Vec<Stop> = stops.iter().filter(|stop| stop.0 == end).map(|stop| stop.1).collect();
            if here.is_empty() && end < world.facts.len() {
                continue;
            }
            pair.apply(&world.facts[start..end]);
            start = end;
            let at = world.facts[end - 1].place.block_time;
            for stop in here {
                pair.stop(stop, at)?;
            }
        }
        (0..9).for_each(|number| pair.learn(ending(number)));
        let at = world.facts.last().map_or(Timestamp::default(), |fact| fact.place.block_time);
        let at = at.plus_micros(Timestamp::HOUR);
        pair.stop(Stop::Pass, at)?;
        pair.stop(Stop::Ask, at)?;
        pair.database.load(&mut pair.paged, |_| true);
        prop_assert!(pair.paged == pair.whole);
        for who in 0..5 {
            prop_assert_eq!(pair.paged.verdict(wallet(who), at), pair.whole.verdict(wallet(who), at));
            prop_assert_eq!(pair.paged.days(wallet(who)), pair.whole.days(wallet(who)));
            prop_assert_eq!(pair.paged.results(wallet(who)), pair.whole.results(wallet(who)));
            prop_assert_eq!(pair.paged.assess(wallet(who), at), pair.whole.assess(wallet(who), at));
        }
    }

    /// Whatever happens to the bytes, they are read or they are not; nothing else happens.
    #[test]
    fn damaged_bytes_are_errors(
        wishes in wishes(40),
        ends in ends(),
        known in 3usize..9,
        cut in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let world = World::of(&wishes, ends);
        let cut = cut.index(world.facts.len()) + 1;
        let mut pair = Pair::new(1);
        (0..known).for_each(|number| pair.learn(ending(number)));
        pair.apply(&world.facts[..cut]);
        pair.database.save(&mut pair.paged);
        let fresh = || {
            let mut history = History::new(ANYONE);
            pair.learned.iter().for_each(|market| history.learn(market));
            history
        };
        let harm = |bytes: &[u8]| {
            let mut harmed = bytes.to_vec();
            let place = place.index(harmed.len());
            harmed[place] ^= byte;
            (bytes[..place].to_vec(), harmed)
        };
        for saved in pair.database.wallets.values() {
            let (short, harmed) = harm(&saved.bytes);
            let mut history = fresh();
            prop_assert!(history.load(saved.wallet, &short).is_err());
            prop_assert_eq!(history.wallets(), 0);
            let is_read = history.load(saved.wallet, &harmed).is_ok();
            prop_assert_eq!(history.wallets(), usize::from(is_read));
        }
        for (number, bytes) in &pair.database.questions {
            let (short, harmed) = harm(bytes);
            let mut history = fresh();
            prop_assert!(history.load_question(*number, &short).is_err());
            let _ = history.load_question(*number, &harmed);
        }
        let (short, harmed) = harm(&pair.database.world);
        prop_assert!(fresh().load_world(&short).is_err());
        let _ = fresh().load_world(&harmed);
    }
}

/// A result pays who is in memory, and who was away when he is back: that is why the holders are asked for.
#[test]
fn a_result_pays_a_holder_who_was_away_when_he_is_back() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let wishes = wishes(90).new_tree(&mut runner).unwrap().current();
    let mut world = World::of(&wishes, (0, 0, 0, false));
    // A result that divides a dollar has to know everybody.
    world.facts.retain(|fact| match &fact.event {
        ChainEvent::Resolution { payouts, .. } => payouts.is_whole(),
        _ => true,
    });
    let is_result = |fact: &Fact| matches!(fact.event, ChainEvent::Resolution { .. });
    let first = world.facts.iter().position(is_result).unwrap();
    let mut pair = Pair::new(2);
    (0..9).for_each(|number| pair.learn(market(number)));
    pair.apply(&world.facts[..first]);
    pair.database.save(&mut pair.paged);
    pair.paged.forget_wallets();
    let needs = pair.paged.needs(&world.facts[first..]);
    assert_eq!((needs.resolved.len(), needs.divided.len(), needs.wallets.len()), (8, 0, 0));
    // Nobody is loaded: nobody is paid.
    pair.paged.apply_batch(&world.facts[first..]);
    pair.whole.apply_batch(&world.facts[first..]);
    assert_eq!(pair.paged.wallets(), 0);
    assert!(pair.paged != pair.whole);
    pair.database.load(&mut pair.paged, |_| true);
    assert!(pair.paged == pair.whole);
    // Each token of which somebody had something is among those by which he is found.
    for ((who, number, outcome), micros) in world.held.iter().filter(|(_, micros)| **micros > 0) {
        let saved = &pair.database.wallets[&wallet(*who)];
        assert!(saved.tokens.contains(&token(*number, *outcome)), "{micros} of {number}:{outcome}");
    }
}

#[test]
fn what_is_not_there_or_there_twice_is_refused() {
    let mut pair = Pair::new(1);
    pair.learn(market(0));
    let world = World::of(&[], (0, 0, 0, false));
    pair.apply(&world.facts);
    pair.database.save(&mut pair.paged);
    assert_eq!(pair.paged.load_world(&pair.database.world), Err(Damaged::Late));
    assert_eq!(pair.paged.load_question(0, &pair.database.questions[&0]), Err(Damaged::Late));
    assert_eq!(pair.paged.load_question(1, &[]), Err(Damaged::Question(1)));
}

/// What a wallet costs to keep: a bit more than what one decision costs, for each of its decisions.
#[test]
fn a_decision_takes_some_sixty_bytes() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let wishes = prop::collection::vec(wishes(90), 100).new_tree(&mut runner).unwrap().current().concat();
    let mut world = World::of(&wishes, (1, 0, 333_333, true));
    // Two weeks instead of three years: days cost as well.
    for fact in &mut world.facts {
        let micros = fact.place.block_time.micros() / 100;
        fact.place.block_time = Timestamp::from_seconds(micros / 1_000_000);
    }
    let mut pair = Pair::new(2);
    (0..9).for_each(|number| pair.learn(market(number)));
    pair.apply(&world.facts);
    let at = world.facts.last().unwrap().place.block_time.plus_micros(Timestamp::HOUR);
    let verdicts = pair.paged.pass(at);
    pair.paged.moved();
    pair.database.save(&mut pair.paged);
    let decisions: usize =
        verdicts.iter().map(|known| usize::try_from(known.verdict.decisions).unwrap()).sum();
    let bytes: usize = pair.database.wallets.values().map(|saved| saved.bytes.len()).sum();
    let questions: usize = pair.database.questions.values().map(Vec::len).sum();
    let facts = world.facts.len();
    println!(
        "{facts} facts, {decisions} decisions: {bytes} bytes of {} wallets, {questions} of 9 questions, {} of the \
         world",
        verdicts.len(),
        pair.database.world.len()
    );
    assert!(bytes < 80 * decisions, "{bytes} bytes for {decisions} decisions");
    assert!(questions < 12 * decisions, "{questions} bytes for {decisions} decisions");
}

/// What a copier would have paid, and that the price moved since, is seen while the wallet is away.
#[test]
fn prints_are_seen_for_who_is_away() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let wishes = wishes(90).new_tree(&mut runner).unwrap().current();
    let world = World::of(&wishes, (0, 0, 0, false));
    let is_fill = |fact: &&Fact| matches!(fact.event, ChainEvent::Fill(_));
    let template = world.facts.iter().find(is_fill).unwrap();
    let ChainEvent::Fill(some) = &template.event else { return };
    // The minute, who buys in which market, and at how many cents.
    let facts =
        [(0, 1, 1, 50), (9, 2, 1, 60), (10, 1, 2, 30), (11, 2, 2, 35), (600, 3, 1, 70), (601, 3, 2, 45)];
    let facts = facts.into_iter().chain([(1_500, 4, 3, 50), (1_510, 4, 3, 50)]);
    for forgets in 0u32..256 {
        let mut pair = Pair::new(1);
        (0..9).for_each(|number| pair.learn(market(number)));
        for (number, (minute, who, market, cents)) in facts.clone().enumerate() {
            let (shares, usd) = (Shares::whole(100), Usd::whole(cents));
            let (wallet, token, side) = (wallet(who), token(market, 0), domain::Side::Buy);
            let fee = domain::Fee::NONE;
            let fill = Fill { wallet, token, side, shares, usd, fee, ..*some };
            let mut fact = Fact { event: ChainEvent::Fill(fill), ..template.clone() };
            fact.place.block_time = Timestamp::from_micros(minute * Timestamp::MINUTE);
            pair.apply(&[fact]);
            if forgets & (1 << number) != 0 {
                pair.restart();
            }
        }
        let at = Timestamp::from_micros(1_511 * Timestamp::MINUTE);
        pair.stop(Stop::Pass, at).unwrap();
        pair.database.load(&mut pair.paged, |_| true);
        let assessed = pair.paged.assess(wallet(1), at).unwrap();
        assert_eq!(assessed.clv.map(|clv| clv.observations), Some(2));
        assert_eq!(Some(assessed), pair.whole.assess(wallet(1), at), "{forgets:b}");
    }
}
