//! Against services on loopback that fail in every way, and a database that is real.

mod venue;

use std::time::Duration;

use domain::{Market, Oracle, TokenId};
use polymarket::{Clob, Gamma};
use service::{CancellationToken, clock};
use store::feed::{self, News, Wanted};
use store::testing::TestDatabase;
use store::{Store, markets};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::*;
use venue::{Listed, Mood, Venue};

/// Longer than any answer on loopback takes, and soon over where there is none.
const TIMEOUT: Duration = Duration::from_millis(400);

struct Scene {
    venue: Venue,
    store: Store,
    descriptions: Descriptions,
    database: TestDatabase,
}

impl Scene {
    async fn of(listed: impl IntoIterator<Item = Listed>) -> Self {
        let venue = Venue::open(listed).await;
        let database = TestDatabase::create().await;
        let store = Store::over(database.pool()).await.unwrap();
        let gamma = Gamma::with_timeout(&venue.url, TIMEOUT).unwrap();
        let clob = Clob::with_timeout(&venue.url, TIMEOUT).unwrap();
        let descriptions = Descriptions::new(store.clone(), gamma, clob);
        Self { venue, store, descriptions, database }
    }

    async fn trade(&self, tokens: &[TokenId]) -> u64 {
        let mut connection = self.store.connection().await.unwrap();
        markets::queue_unknown(&mut connection, tokens).await.unwrap()
    }

    /// One look at the queue, which must not take long whatever the services do.
    async fn look(&mut self) -> bool {
        timeout(Duration::from_secs(8), self.descriptions.look_up()).await.unwrap().unwrap()
    }

    /// What the readers were told, oldest first, as it is now.
    async fn told(&self) -> Vec<Market> {
        let mut connection = self.store.connection().await.unwrap();
        let mut told: Vec<Market> = vec![];
        let mut after = 0;
        while let [item] = &feed::read(&mut connection, after, i64::MAX, 1, Wanted::Facts).await.unwrap()[..]
        {
            let News::Market(market) = &item.news else { panic!("{item:?}") };
            told.push((**market).clone());
            after = item.seq;
        }
        told
    }

    /// How many tokens are still asked for.
    async fn queued(&self) -> usize {
        let mut connection = self.store.connection().await.unwrap();
        markets::hurry_unknown(&mut connection).await.unwrap().try_into().unwrap()
    }

    /// Whether people can read what a token is, told or not. Asks by the token that nobody traded.
    async fn is_on_record(&self, listed: &Listed) -> bool {
        self.trade(&[listed.tokens[1]]).await == 0
    }
}

#[tokio::test]
async fn what_gamma_describes_is_told_and_asked_for_no_more() {
    let (old, new) = (Listed::ctf(1), Listed::protocol_v2(2));
    let mut scene = Scene::of([old.clone(), new.clone()]).await;
    assert!(!scene.look().await, "nothing is due");
    scene.trade(&[old.tokens[0], new.tokens[1]]).await;
    assert!(scene.look().await);
    let told = scene.told().await;
    assert_eq!(
        told.iter().map(|market| market.condition).collect::<Vec<_>>(),
        [old.condition, new.condition]
    );
    assert_eq!(told[1].event, "event-2");
    assert_eq!(scene.queued().await, 0);
    assert!(!scene.venue.was_asked("clob-markets"), "the order book's service is for what is missing");
}

#[tokio::test]
async fn while_gamma_fails_the_order_book_s_service_tells_and_titles_come_later() {
    for mood in [Mood::Down, Mood::Nonsense, Mood::HalfAPage, Mood::Loops, Mood::Stalls, Mood::Drips] {
        let listed = Listed::ctf(1);
        let mut scene = Scene::of([listed.clone()]).await;
        scene.venue.set_gamma(mood);
        scene.trade(&listed.tokens[..1]).await;
        let begun = Instant::now();
        assert!(scene.look().await, "{mood:?}");
        assert!(begun.elapsed() < Duration::from_secs(4), "{mood:?} held the queue");
        assert!(scene.is_on_record(&listed).await, "{mood:?}");
        assert!(scene.told().await.is_empty(), "{mood:?}: what it belongs to is not known");

        // It is asked for again, and once Gamma is well it does not wait for its turn.
        scene.venue.set_gamma(Mood::Well);
        assert!(!scene.look().await, "{mood:?}: put off");
        scene.descriptions.gamma_rest.pass();
        assert!(scene.look().await, "{mood:?}");
        let told = scene.told().await;
        assert_eq!((told.len(), told[0].title.as_str()), (1, "Question 1?"), "{mood:?}");
        assert_eq!(told[0].event, "event-1", "{mood:?}");
        assert_eq!(scene.queued().await, 0, "{mood:?}");
    }
}

#[tokio::test]
async fn with_nobody_to_ask_no_turn_is_used_up() {
    let listed = Listed::ctf(1);
    let mut scene = Scene::of([listed.clone()]).await;
    scene.venue.set_gamma(Mood::Down);
    scene.venue.set_clob(Mood::Down);
    scene.trade(&listed.tokens[..1]).await;
    assert!(scene.look().await);
    scene.queued().await;
    let asked = scene.venue.requests();
    assert!(!scene.look().await && !scene.look().await);
    assert_eq!(scene.venue.requests(), asked, "both rest");
    let due = markets::due_unknown(&mut scene.store.connection().await.unwrap(), 10).await.unwrap();
    assert_eq!(due[0].attempts, 2, "one turn was used, and this one");
    assert!(!scene.is_on_record(&listed).await);
}

#[tokio::test]
async fn one_token_that_gamma_chokes_on_holds_up_no_other() {
    let listed: Vec<Listed> = (1..=70).map(Listed::ctf).collect();
    let mut scene = Scene::of(listed.clone()).await;
    scene.venue.choke_on(listed[40].tokens[0]);
    let tokens: Vec<TokenId> = listed.iter().map(|listed| listed.tokens[0]).collect();
    scene.trade(&tokens).await;
    assert!(scene.look().await);
    let told = scene.told().await;
    assert_eq!(told.len(), 69);
    assert!(told.iter().all(|market| market.condition != listed[40].condition));
    assert!(scene.is_on_record(&listed[40]).await, "the order book's service told of it");
}

#[tokio::test]
async fn a_token_that_alone_makes_gamma_choke_is_no_illness() {
    let (poison, other) = (Listed::ctf(1), Listed::ctf(2));
    let mut scene = Scene::of([poison.clone(), other.clone()]).await;
    scene.venue.choke_on(poison.tokens[0]);
    scene.trade(&poison.tokens[..1]).await;
    assert!(scene.look().await);
    assert!(scene.is_on_record(&poison).await);
    assert!(!scene.look().await, "its turn does not come early");
    scene.trade(&other.tokens[..1]).await;
    assert!(scene.look().await);
    assert_eq!(scene.told().await[0].condition, other.condition, "and Gamma is asked for others meanwhile");
}

#[tokio::test]
async fn a_gamma_that_comes_and_goes_hurries_nobody_twice() {
    let listed = Listed::ctf(1).unlisted();
    let mut scene = Scene::of([listed.clone()]).await;
    scene.trade(&listed.tokens[..1]).await;
    for hurries in [true, false, false] {
        scene.descriptions.gamma_rest.begin(&polymarket::VenueError::NoBook { token: listed.tokens[0] });
        scene.descriptions.gamma_rest.pass();
        assert_eq!(scene.look().await, hurries);
    }
}

#[tokio::test]
async fn a_condition_from_the_chain_finds_what_the_token_does_not() {
    // Gamma finds neither by its token; it lists the one of Protocol V2 under 31 bytes.
    let (v2, ctf) = (Listed::protocol_v2(1).hidden_by_token(), Listed::ctf(2).hidden_by_token());
    let mut scene = Scene::of([v2.clone(), ctf.clone()]).await;
    scene.trade(&v2.tokens[..1]).await;
    assert!(scene.look().await);
    assert_eq!(scene.told().await[0].condition, v2.condition, "its bits name the condition");

    let unprepared =
        catalogue::Traded { token: ctf.tokens[0], condition: None, attempts: 1, is_unlisted: false };
    let left = scene.descriptions.ask_gamma(vec![unprepared]).await.unwrap();
    assert!(left[0].is_unlisted);
    let prepared = catalogue::Traded { condition: Some(ctf.condition), ..unprepared };
    assert!(scene.descriptions.ask_gamma(vec![prepared]).await.unwrap().is_empty());
    assert_eq!(scene.told().await[1].condition, ctf.condition);
}

#[tokio::test]
async fn a_condition_from_the_chain_saves_the_order_book_s_service_a_question() {
    let (v2, ctf) = (Listed::protocol_v2(1).unlisted(), Listed::ctf(2).unlisted());
    let mut scene = Scene::of([v2.clone(), ctf.clone()]).await;
    scene.trade(&v2.tokens[..1]).await;
    assert!(scene.look().await);
    assert!(scene.is_on_record(&v2).await && !scene.venue.was_asked("markets-by-token"));
    scene.trade(&ctf.tokens[..1]).await;
    assert!(scene.look().await);
    assert!(scene.is_on_record(&ctf).await && scene.venue.was_asked("markets-by-token"));
}

#[tokio::test]
async fn nobody_is_believed_whose_tokens_are_not_those_of_the_condition() {
    let swapped = Listed::ctf(1).swapped();
    // The condition of one market with the tokens of another.
    let mut foreign = Listed::ctf(2);
    foreign.tokens = Listed::ctf(3).tokens;
    let mut scene = Scene::of([swapped.clone(), foreign.clone()]).await;
    scene.trade(&[swapped.tokens[0], foreign.tokens[0]]).await;
    assert!(scene.look().await);
    assert!(scene.told().await.is_empty());
    assert_eq!(scene.queued().await, 2, "still asked for");
    assert!(!scene.is_on_record(&swapped).await && !scene.is_on_record(&foreign).await);
}

#[tokio::test]
async fn what_gamma_does_not_list_for_long_is_told_without_it() {
    let listed = Listed::ctf(1).unlisted();
    let mut scene = Scene::of([listed.clone()]).await;
    scene.trade(&listed.tokens[..1]).await;
    for attempt in 1..=8 {
        assert!(scene.told().await.is_empty(), "told at attempt {attempt}");
        assert!(scene.look().await);
        scene.queued().await;
    }
    let told = scene.told().await;
    assert_eq!((told.len(), told[0].title.as_str()), (1, "Question 1?"));
    assert_eq!(told[0].event, listed.condition.to_string(), "its own");
    assert_eq!(scene.queued().await, 0, "all are due, none is waiting");

    // The full description comes after all.
    scene.venue.list_all();
    assert!(scene.look().await);
    let told = scene.told().await;
    assert_eq!((told.len(), told[1].event.as_str()), (2, "event-1"));
    assert!(!scene.look().await, "and ends the asking");
}

#[tokio::test]
async fn what_gamma_could_not_be_asked_about_is_not_told_however_long() {
    let listed = Listed::ctf(1);
    let mut scene = Scene::of([listed.clone()]).await;
    scene.venue.set_gamma(Mood::Down);
    scene.trade(&listed.tokens[..1]).await;
    for _ in 1..=10 {
        assert!(scene.look().await);
        scene.queued().await;
    }
    assert!(scene.told().await.is_empty());
}

#[tokio::test]
async fn a_fee_that_changes_is_told_when_what_is_traded_is_asked_for_again() {
    let listed: Vec<Listed> = (1..=60).map(Listed::ctf).collect();
    let mut scene = Scene::of(listed.clone()).await;
    let tokens: Vec<TokenId> = listed.iter().map(|listed| listed.tokens[0]).collect();
    scene.trade(&tokens).await;
    assert!(scene.look().await);
    assert_eq!(scene.told().await.len(), 60);

    scene.venue.set_fee(listed[3].condition, "0.07");
    scene.descriptions.refresh.put(listed.iter().map(|listed| listed.condition));
    let now = Instant::now();
    scene.venue.set_gamma(Mood::Down);
    scene.descriptions.refresh_some(now).await.unwrap();
    scene.venue.set_gamma(Mood::Well);
    scene.descriptions.gamma_rest.pass();
    for seconds in 1..=2 {
        let pause = scene.descriptions.refresh_some(now + Duration::from_secs(seconds)).await.unwrap();
        assert_eq!(pause, Duration::from_secs(1));
        // Too early.
        let asked = scene.venue.requests();
        scene.descriptions.refresh_some(now + Duration::from_secs(seconds)).await.unwrap();
        assert_eq!(scene.venue.requests(), asked);
    }
    let told = scene.told().await;
    assert_eq!(told.len(), 61, "one change");
    assert_eq!((told[60].condition, told[60].fee_rate_ppm), (listed[3].condition, 70_000));
    let pause = scene.descriptions.refresh_some(now + Duration::from_secs(3)).await.unwrap();
    assert!(Duration::from_secs(50) < pause, "the round is over");
    // The first round that begins by itself finds that nothing was traded, and looks for what is held in a minute.
    let pause = scene.descriptions.refresh_some(now + Duration::from_secs(400)).await.unwrap();
    assert_eq!(pause, Duration::from_secs(60));
}

/// A dispute is no matter of an hour: where something is held the oracle is looked at every minute.
#[tokio::test]
async fn a_dispute_about_what_is_held_is_told_within_a_minute() {
    let listed: Vec<Listed> = (1..=3).map(Listed::ctf).collect();
    let mut scene = Scene::of(listed.clone()).await;
    let tokens: Vec<TokenId> = listed.iter().map(|listed| listed.tokens[0]).collect();
    scene.trade(&tokens).await;
    assert!(scene.look().await);
    scene.database.hold(listed[1].condition).await;
    let now = Instant::now();
    scene.descriptions.refresh_some(now).await.unwrap();
    assert_eq!(scene.told().await.len(), 3, "nothing has changed");

    scene.venue.set_oracle(listed[0].condition, "disputed");
    scene.venue.set_oracle(listed[1].condition, "disputed");
    scene.descriptions.refresh_some(now + Duration::from_secs(60)).await.unwrap();
    let told = scene.told().await;
    assert_eq!(told.len(), 4, "what is not held can wait for the round");
    assert_eq!((told[3].condition, told[3].oracle), (listed[1].condition, Some(Oracle::Disputed)));
}

#[tokio::test]
async fn it_stops_at_once_whoever_stalls() {
    let listed = Listed::ctf(1);
    let scene = Scene::of([listed.clone()]).await;
    scene.venue.set_gamma(Mood::Stalls);
    scene.venue.set_clob(Mood::Stalls);
    scene.trade(&listed.tokens[..1]).await;
    let (gamma, clob) = (Gamma::new(&scene.venue.url).unwrap(), Clob::new(&scene.venue.url).unwrap());
    let stop = CancellationToken::new();
    let task = tokio::spawn(run(scene.store.clone(), gamma, clob, Arc::new(Notify::new()), stop.clone()));
    while scene.venue.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let begun = clock::now();
    stop.cancel();
    timeout(Duration::from_secs(2), task).await.unwrap().unwrap().unwrap();
    assert!(clock::now().micros_since(begun) < 1_000_000);
}

#[tokio::test]
async fn a_token_that_comes_while_it_sleeps_is_looked_up_when_it_is_woken() {
    let listed = Listed::ctf(1);
    let scene = Scene::of([listed.clone()]).await;
    let (gamma, clob) = (Gamma::new(&scene.venue.url).unwrap(), Clob::new(&scene.venue.url).unwrap());
    let (stop, news) = (CancellationToken::new(), Arc::new(Notify::new()));
    let task = tokio::spawn(run(scene.store.clone(), gamma, clob, news.clone(), stop.clone()));
    tokio::time::sleep(Duration::from_millis(200)).await;
    scene.trade(&listed.tokens[..1]).await;
    news.notify_one();
    let found = async {
        while scene.told().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(2), found).await.unwrap();
    stop.cancel();
    task.await.unwrap().unwrap();
}
