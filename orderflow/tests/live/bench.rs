//! A simulated venue, a real database, and an executor in small: what it approves it commits, sends, and follows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use alloy_primitives::B256;
use clap::Parser as _;
use decision::portfolio::{Holdings, Portfolio};
use decision::risk::{self, Approved, Ground};
use decision::{FadePolicy, Filters, Guard, Guards, Limits, Policy, Record};
use devnet::{AccountTruth, Devnet, DevnetConfig, OpenAccount, SignatureType, TruthFill, VenueHandle};
use domain::{
    Appraisal, Book, ChainEvent, Coefficient, ConfidenceModel, Exchange, Fact, Market, Order, OrderNews,
    Place, Price, Purpose, Shares, Signal, SignalKind, Size, Skill, Tier, TimeInForce, TokenId, Usd, Wallet,
};
use orderflow_executor::live::{Desks, Live, LiveNews, Objection, Prepared, Rhythm};
use orderflow_executor::{ServiceSettings, VenueSettings};
use polymarket::Clob;
use polymarket::channel::Pace;
use polymarket::trading::{Account, Credentials, KeyDesk, Limits as Patience, PrivateKey, WalletKind};
use service::{CancellationToken, clock};
use store::facts::{Block, Point, Stretch, Writer};
use store::live::Intent;
use store::testing::TestDatabase;
use store::{Store, halts, journal, signals};
use tokio::time::timeout;

/// Longer than anything here takes, and shorter than anybody's patience.
const SOON: Duration = Duration::from_secs(60);

pub(crate) struct Bench {
    pub(crate) devnet: Devnet,
    pub(crate) venue: VenueHandle,
    pub(crate) store: Store,
    pub(crate) live: Live,
    pub(crate) portfolio: Portfolio,
    pub(crate) guards: Vec<Guard>,
    pub(crate) market: Market,
    pub(crate) book: Book,
    account: Account,
    pub(crate) credentials: Credentials,
    rhythm: Rhythm,
    last: i64,
    told: BTreeMap<i64, Vec<OrderNews>>,
    database: TestDatabase,
    stop: CancellationToken,
}

/// Quick, so that what takes half a minute in earnest takes a second here.
pub(crate) fn rhythm() -> Rhythm {
    let millis = Duration::from_millis;
    Rhythm {
        look_up: [100, 200, 300, 400].map(millis).to_vec(),
        grace_looks: 2,
        young: Duration::from_secs(30),
        first_look: millis(50),
        poll: millis(300),
        chain_patience: Duration::ZERO,
        unshown_patience: Duration::from_secs(600),
        quiet: millis(400),
        pace: Pace {
            first_pause: millis(50),
            longest_pause: millis(500),
            ping: millis(500),
            ..Pace::default()
        },
        limits: Patience { order: millis(1_500), other: Duration::from_secs(5) },
    }
}

impl Bench {
    pub(crate) async fn begin() -> Self {
        Self::with(rhythm()).await
    }

    pub(crate) async fn with(rhythm: Rhythm) -> Self {
        Self::of(rhythm, WalletKind::Eoa, None).await
    }

    /// A bench that trades from a wallet of this kind, in a market of this exchange.
    pub(crate) async fn of(rhythm: Rhythm, kind: WalletKind, exchange: Option<Exchange>) -> Self {
        service::process::use_tls();
        let stop = CancellationToken::new();
        let config = DevnetConfig {
            seed: 5,
            // Slow enough that a market outlives a test.
            speed: 1.5,
            wallets: 300,
            skilled: 10,
            history_days: 6,
            taker_delays: false,
            ..DevnetConfig::default()
        };
        let devnet = Devnet::start(config, clock::now(), stop.clone()).await.unwrap();
        let venue = devnet.venue();
        let account = account(&devnet, kind);
        let desk = KeyDesk::new(&devnet.urls().clob, Duration::from_secs(5)).unwrap();
        desk.sync_clock().await.unwrap();
        let credentials = desk.derive_or_create(&account, 0).await.unwrap();
        let database = TestDatabase::create().await;
        let store = Store::connect(database.url()).await.unwrap();
        let (market, book) = liquid(&devnet, exchange).await;
        let live = open(&devnet, &account, &credentials, &rhythm, &store).await;
        Self {
            portfolio: Portfolio::restore(Usd::whole(10_000), Holdings::default()),
            devnet,
            venue,
            store,
            live,
            guards: vec![],
            market,
            book,
            account,
            credentials,
            rhythm,
            last: 0,
            told: BTreeMap::new(),
            database,
            stop,
        }
    }

    /// Where everything is, for those who look at it beside the desk.
    pub(crate) fn settings(&self) -> VenueSettings {
        let urls = self.devnet.urls();
        let geoblock = urls.geoblock.trim_end_matches("/api/geoblock");
        let arguments = ["executor", "--clob-url", &urls.clob, "--geoblock-url", geoblock];
        ServiceSettings::parse_from(arguments).venue
    }

    pub(crate) const fn token(&self) -> TokenId {
        self.book.token
    }

    pub(crate) fn wallet(&self) -> Wallet {
        self.account.funder()
    }

    pub(crate) fn truth(&self) -> AccountTruth {
        self.venue.account(self.wallet().0).unwrap()
    }

    /// The live venue goes without a word, as in a crash; another takes up what it finds in the database.
    pub(crate) async fn crash(&mut self) {
        self.live = open(&self.devnet, &self.account, &self.credentials, &self.rhythm, &self.store).await;
    }

    /// An order to buy for so many dollars at a limit, as risk lets it pass.
    pub(crate) fn buy(&mut self, stake: Usd, limit: Price, force: TimeInForce) -> Approved<Order> {
        let order = self.order(limit, Size::Spend(stake), force, Purpose::Enter, self.last + 1);
        let at = order.at;
        let (guards, policy, markets) = (Guards::default(), policy(), BTreeMap::new());
        let (portfolio, guards, policy, markets) = (&self.portfolio, &guards, &policy, &markets);
        risk::approve(order, Ground { portfolio, guards, policy, markets, at }).unwrap()
    }

    /// An order to buy for so many dollars at any price near the best.
    pub(crate) async fn buy_now(&mut self, stake: Usd) -> Approved<Order> {
        self.book = Clob::new(&self.devnet.urls().clob).unwrap().book(self.token()).await.unwrap();
        let best = self.book.best_ask().unwrap();
        // It takes the best there is, and the world moves while an order waits.
        let limit = Price::from_ppm(990_000.max(best.ppm())).unwrap();
        self.buy(stake, limit, TimeInForce::Fak)
    }

    /// An order to sell all of a position.
    pub(crate) fn sell(&mut self, position: i64, limit: Price) -> Approved<Order> {
        let shares = self.portfolio.sellable(position);
        let purpose = Purpose::Exit(domain::ExitReason::Person);
        let order = self.order(limit, Size::Sell(shares), TimeInForce::Fak, purpose, position);
        risk::reduce(order, &self.portfolio, &Guards::default()).unwrap()
    }

    fn order(
        &mut self,
        limit: Price,
        size: Size,
        force: TimeInForce,
        purpose: Purpose,
        position: i64,
    ) -> Order {
        self.last += 1;
        Order {
            id: self.last,
            position,
            at: clock::now(),
            condition: self.market.condition,
            // One event is one bet: each of these is a bet of its own.
            event: format!("{}-{position}", self.market.event),
            token: self.token(),
            outcome: self.market.outcome_index(self.token()).unwrap(),
            limit,
            size,
            force,
            purpose,
            fee_rate_ppm: self.market.fee_rate_ppm,
        }
    }

    /// Signs an order and commits it with its decision: everything but sending.
    pub(crate) async fn commit(&mut self, approved: &Approved<Order>) -> Result<Prepared, OrderNews> {
        let prepared = self.live.prepare(approved, Some(&self.market)).await;
        self.record(approved, prepared.as_ref().ok()).await;
        prepared
    }

    /// Commits the decision, and with it the bytes if there are any.
    pub(crate) async fn record(&mut self, approved: &Approved<Order>, prepared: Option<&Prepared>) {
        let order = approved.get().clone();
        let mut transaction = self.store.begin().await.unwrap();
        if order.purpose == Purpose::Enter {
            signals::signal(&mut transaction, &self.signal(&order)).await.unwrap();
        }
        match prepared {
            Some(prepared) => {
                let (order, signed) = (&order, &prepared.row());
                let learned = order.at;
                let intent =
                    Intent { order, mode: "live", signed, learned, reader: "the bench", seq: 0, steps: &[] };
                store::live::intent(&mut transaction, &intent).await.unwrap();
            }
            None => journal::order(&mut transaction, &order, "live").await.unwrap(),
        }
        Store::commit(transaction).await.unwrap();
        self.portfolio.reserve(order);
    }

    /// All three steps.
    pub(crate) async fn place(&mut self, approved: &Approved<Order>) -> B256 {
        let prepared = self.commit(approved).await.unwrap();
        let hash = prepared.hash();
        self.live.send(prepared).await;
        hash
    }

    /// Takes news in until something holds.
    pub(crate) async fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let mut heard = vec![];
        while !holds(self) {
            let Ok(news) = timeout(SOON, self.live.news()).await else {
                panic!("{what}: nothing more came after {heard:?}")
            };
            let news = news.expect("the desk is no more");
            heard.push(news.clone());
            self.take_in(news).await;
        }
    }

    async fn take_in(&mut self, news: LiveNews) {
        let news = match news {
            LiveNews::Order(news) => news,
            // What was uncompared before a bench began.
            LiveNews::Guard(Guard::Reconcile(None)) => return,
            LiveNews::Guard(guard) => return self.guards.push(guard),
            LiveNews::Market(market) => {
                self.market = market;
                return;
            }
            LiveNews::Halt(kind, reason) => {
                return halts::halt(&mut self.store.connection().await.unwrap(), kind, &reason)
                    .await
                    .unwrap();
            }
        };
        let records = self.portfolio.take_in(&news, None, &Limits::default());
        self.told.entry(news.order).or_default().push(news);
        let mut transaction = self.store.begin().await.unwrap();
        for record in &records {
            match record {
                Record::News(news) => journal::news(&mut transaction, news).await.unwrap(),
                Record::Opened(position) | Record::Changed(position) => {
                    journal::position(&mut transaction, position, "live").await.unwrap();
                }
                Record::Settled(settled) => journal::settled(&mut transaction, settled).await.unwrap(),
                Record::Reopened(position) => journal::reopened(&mut transaction, *position).await.unwrap(),
                Record::Final(order) => journal::final_order(&mut transaction, *order).await.unwrap(),
                // A sale of all that was bought has its price.
                Record::Losses(losses) => {
                    journal::losses(&mut transaction, losses.in_a_row, losses.cooling_until, "live")
                        .await
                        .unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
        Store::commit(transaction).await.unwrap();
    }

    /// Reads the block of one of the newest trades of this market off the chain, as the listener would.
    pub(crate) async fn read_a_trade(&self) {
        let is_here = |found: &TruthFill| self.market.tokens.contains(&found.fill.token);
        let found = self.devnet.canonical_fills().into_iter().rev().find(is_here).unwrap();
        self.read(&[found]).await;
    }

    /// Reads what the chain has of our own trades, once it has all of them.
    pub(crate) async fn read_own_trades(&self) {
        loop {
            let own: Vec<TruthFill> = self.own_fills();
            if self.venue.is_settled(self.wallet().0) && !own.is_empty() {
                return self.read(&own).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn own_fills(&self) -> Vec<TruthFill> {
        let wallet = self.wallet();
        self.devnet.canonical_fills().into_iter().filter(|found| found.fill.wallet == wallet).collect()
    }

    /// The shares of a token once they are in the wallet.
    pub(crate) async fn until_in_wallet(&self, token: TokenId) -> Shares {
        loop {
            if let Some(shares) = self.truth().shares.get(&token) {
                return *shares;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Goes on with the other outcome of the market.
    pub(crate) async fn take_other_side(&mut self) {
        let token = self.token();
        let other = self.market.tokens.iter().copied().find(|other| *other != token).unwrap();
        self.book = Clob::new(&self.devnet.urls().clob).unwrap().book(other).await.unwrap();
    }

    /// Stores fills as the listener does, in the newest of their blocks.
    pub(crate) async fn read(&self, found: &[TruthFill]) {
        let last = found.iter().max_by_key(|fill| fill.block_number).unwrap();
        let (number, hash, time) = (last.block_number, last.block_hash, clock::now());
        let facts = found.iter().zip(0..).map(|(one, log_index)| Fact {
            place: Place {
                block_number: number,
                block_hash: hash,
                block_time: time,
                tx_hash: one.tx_hash,
                log_index,
            },
            event: ChainEvent::Fill(one.fill),
        });
        let block = Block {
            number,
            hash,
            parent: None,
            time,
            learned: time,
            facts: facts.collect(),
            unreadable: vec![],
        };
        let stretch = Stretch {
            from: number,
            through: Point { number, hash },
            blocks: std::slice::from_ref(&block),
            source: "the bench",
        };
        let mut writer = Writer::new(self.store.clone(), "the bench");
        let (transaction, _) = writer.append(&stretch).await.unwrap();
        Store::commit(transaction).await.unwrap();
    }

    pub(crate) fn psql(&self, statement: &str) {
        let output = std::process::Command::new(store::managed::psql().unwrap())
            .args([self.database.url(), "-v", "ON_ERROR_STOP=1", "-qc", statement])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Goes on in a market that has a book, where the one before has come to its end.
    pub(crate) async fn move_on(&mut self) {
        (self.market, self.book) = liquid(&self.devnet, None).await;
    }

    /// Takes in news of an order that nobody at the venue has seen.
    pub(crate) async fn tell(&mut self, news: OrderNews) {
        self.take_in(LiveNews::Order(news)).await;
    }

    /// Waits until nothing more can be learned of an order.
    pub(crate) async fn until_final(&mut self, order: i64) {
        let what = format!("order {order} final");
        self.until(&what, |bench| bench.portfolio.orders().all(|sent| sent.order.id != order)).await;
    }

    /// What was told of an order.
    pub(crate) fn told(&self, order: i64) -> Vec<&OrderNews> {
        self.told.get(&order).into_iter().flatten().collect()
    }

    /// The positions and the cash are what the venue's own ledger says, to the micro-dollar but for fees, which only
    /// the chain tells exactly.
    pub(crate) fn assert_true(&self) {
        let truth = self.truth();
        let held: BTreeMap<TokenId, Shares> =
            self.portfolio.open().fold(BTreeMap::new(), |mut held, position| {
                *held.entry(position.token).or_insert(Shares::ZERO) += position.shares();
                held
            });
        assert_eq!(held, truth.shares, "shares");
        let ours = self.portfolio.free_cash();
        let apart = (ours - truth.cash).abs();
        assert!(apart <= Usd::from_micros(100), "{ours} in the books, {} at the venue", truth.cash);
    }

    pub(crate) fn signal(&self, order: &Order) -> Signal {
        Signal {
            id: order.position,
            at: order.at,
            kind: SignalKind::FollowWhale,
            wallet: Wallet::default(),
            score: 8.0,
            tier: Tier::Whale,
            skill: Skill { kappa: 0.1, standard_error: 0.02 },
            wallets: 1,
            notional: Usd::whole(1_000),
            reference_price: order.limit,
            condition: order.condition,
            token: order.token,
            title: self.market.title.clone(),
            outcome: self.market.outcomes[order.outcome].clone(),
            model: ConfidenceModel::Skill,
            probability: 0.8,
            confidence: 0.8,
            market_price: order.limit,
            expected_price: order.limit,
            limit_price: order.limit,
            kelly: 0.2,
            kelly_applied: 0.05,
            stake: order.stake(),
            fee_rate_ppm: order.fee_rate_ppm,
            shadow: false,
            appraisal: Box::new(self.appraisal(order)),
        }
    }

    fn appraisal(&self, order: &Order) -> Appraisal {
        Appraisal {
            condition: order.condition,
            event: order.event.clone(),
            outcome: order.outcome,
            book_at: self.book.at,
            bids: vec![],
            asks: vec![],
            market_price: order.limit,
            fair_price: order.limit.to_f64(),
            spread: 0.01,
            depth: Usd::whole(1_000),
            reference_price: order.limit,
            run_up: 0.0,
            age: 0,
            waited: 0,
            score: 8.0,
            kappa: 0.1,
            kappa_error: 0.02,
            consensus: Skill { kappa: 0.1, standard_error: 0.02 },
            backers: 1,
            skill_probability: 0.99,
            timing_t: Some(2.0),
            part: 1.0,
            median_cost: None,
            size: None,
            volume: Usd::whole(50_000),
            drop: 0.0,
            whales_with: Usd::whole(1_000),
            whales_against: Usd::ZERO,
            whales_opposed: 0.0,
            held_before: None,
            coefficient: Coefficient { mean: 0.8, deviation: 0.1, events: 0 },
            further: None,
            fee_rate_ppm: order.fee_rate_ppm,
            latency_cost: 0.0,
            expected_price: order.limit,
            limit_price: order.limit,
            cost: order.limit.to_f64(),
            probability: 0.8,
            error: 0.1,
            confidence: 0.8,
            kelly: 0.2,
            policy: policy().digest(),
        }
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.devnet.wait().await.unwrap();
    }
}

/// The test account's key, as a file that only its owner can read.
pub(crate) fn key_file(folder: &Path, devnet: &Devnet) -> PathBuf {
    let path = folder.join("key");
    std::fs::write(&path, &devnet.test_account().private_key_hex).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path
}

/// The test key's account of a kind. The plain one has its money already; a wallet of another kind is made by its
/// factory and paid as much into.
fn account(devnet: &Devnet, kind: WalletKind) -> Account {
    let folder = tempfile::tempdir().unwrap();
    let key = PrivateKey::from_hex_file(&key_file(folder.path(), devnet)).unwrap();
    let signature_type = match kind {
        WalletKind::Eoa => return Account::new(key, kind, None).unwrap(),
        WalletKind::Proxy => SignatureType::Proxy,
        WalletKind::Safe => SignatureType::Safe,
        WalletKind::Deposit => SignatureType::Poly1271,
    };
    let wallet = devnet.venue().open_account(OpenAccount {
        owner: devnet.test_account().address,
        signature_type,
        wallet: None,
        funds: Usd::whole(10_000),
    });
    // Where it is follows from the key, but for a deposit wallet.
    let given = (kind == WalletKind::Deposit).then_some(Wallet(wallet));
    let account = Account::new(key, kind, given).unwrap();
    assert_eq!(account.funder(), Wallet(wallet));
    account
}

/// Where a market is traded.
pub(crate) fn exchange_of(market: &Market) -> Exchange {
    match (market.protocol_v2, market.neg_risk) {
        (true, _) => Exchange::V3,
        (false, true) => Exchange::V2NegRisk,
        (false, false) => Exchange::V2,
    }
}

async fn open(
    devnet: &Devnet,
    account: &Account,
    credentials: &Credentials,
    rhythm: &Rhythm,
    store: &Store,
) -> Live {
    let channels = devnet.urls().clob_ws.trim_end_matches("/ws/market").to_owned();
    let desks = Desks {
        clob: devnet.urls().clob.clone(),
        channels,
        account: account.clone(),
        credentials: credentials.clone(),
    };
    let live = Live::open(desks, rhythm.clone(), &mut store.connection().await.unwrap()).await.unwrap();
    // The books of a bench are compared at the end of each test.
    live.handle().object(Objection::Unreconciled, None).await;
    live
}

/// Of the markets that charge a fee and have a book in the middle of prices, more than one level deep on each side and
/// not bottomless at the first, the one that ends last; as soon as there is one, because books come and go.
async fn liquid(devnet: &Devnet, exchange: Option<Exchange>) -> (Market, Book) {
    for _ in 0..100 {
        if let Some(found) = most_liquid(devnet, exchange).await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    panic!("no market of the simulated world has a deep book");
}

async fn most_liquid(devnet: &Devnet, exchange: Option<Exchange>) -> Option<(Market, Book)> {
    let clob = Clob::new(&devnet.urls().clob).unwrap();
    let middle = |book: &Book| book.mid().is_some_and(|mid| (250_000..750_000).contains(&mid.ppm()));
    let deep = |book: &Book| {
        let first = book.asks[0];
        let cost = first.shares.at(first.price, domain::Rounding::Up);
        2 <= book.asks.len() && 2 <= book.bids.len() && cost < Usd::whole(3_000)
    };
    let mut seen = BTreeSet::new();
    let mut best: Option<(Market, Book)> = None;
    for fill in devnet.canonical_fills().iter().rev() {
        let token = fill.fill.token;
        if !seen.insert(token) || 250 < seen.len() {
            continue;
        }
        let Ok(book) = clob.book(token).await else { continue };
        let Some(condition) = devnet.venue().condition_of(token) else { continue };
        if !middle(&book) || !deep(&book) {
            continue;
        }
        let market = clob.market_of_condition(condition).await.unwrap().unwrap();
        let is_later = best.as_ref().is_none_or(|(known, _)| known.end < market.end);
        let is_wanted = exchange.is_none_or(|wanted| exchange_of(&market) == wanted);
        if market.fee_rate_ppm > 0 && is_later && is_wanted {
            best = Some((market, book));
        }
    }
    best
}

pub(crate) fn policy() -> Policy {
    Policy {
        bankroll: Usd::whole(10_000),
        kelly_fraction: 0.25,
        max_position: Usd::whole(9_000),
        min_stake: Usd::from_micros(1),
        max_open_positions: 50,
        daily_loss_limit: Usd::whole(10_000),
        max_slippage: 0.05,
        min_confidence: 0.7,
        min_whale_score: 7.0,
        min_whale_trade: Usd::whole(500),
        max_degen_score: 3.0,
        min_panic_sellers: 5,
        confidence_model: ConfidenceModel::Skill,
        max_signal_age: 30_000_000,
        filters: Filters::default(),
        fade: FadePolicy::default(),
        limits: Limits::default(),
    }
}
