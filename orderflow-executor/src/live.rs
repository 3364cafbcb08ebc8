//! The live venue: books as they are now, orders signed here and sent there, and news of what became of them.
//!
//! An order goes out in three steps, of which the executor takes the middle one: [`Live::prepare`] signs it, the
//! database commits it together with the decision, [`Live::send`] hands it to the [`desk`], which posts the bytes and
//! follows them to their end. Whatever is cut off in between is taken up again at the next start, by its hash.

mod before;
mod books;
mod desk;
mod execution;
mod latches;
mod renewal;
mod requests;
mod standing;
mod terms;
mod tracked;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alloy_primitives::B256;
use decision::Guard;
use decision::risk::Approved;
use decision::venue::MIN_SHARES;
use domain::{
    Book, Closing, ConditionId, Fill, Market, Order, OrderEvent, OrderNews, Shares, TokenId, TxHash, Wallet,
};
use polymarket::channel::{Pace, user_channel};
use polymarket::trading::{
    Access, Account, Credentials, KeyDesk, LOOK_UP_AFTER, Limits, OrderSigner, SignError, SignedOrder, Stamp,
    Trader,
};
use polymarket::{Clob, VenueError};
use service::clock;
use store::live::SignedRow;
use store::{PgConnection, StoreError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::demands::Demands;
use before::{Before, before};
use books::Books;
pub use desk::LiveNews;
use desk::{Beat, Desk, Wish};
pub(crate) use latches::Latches;
use renewal::Renewal;
pub use standing::Objection;
use standing::Standing;
pub(crate) use standing::UNCOMPARED;

/// So many wishes and news wait for their reader.
const WAITING: usize = 1_024;

/// When things are done again.
#[derive(Clone, Debug)]
pub struct Rhythm {
    /// After how long an order of unknown fate is looked up, each counted from the one before.
    pub look_up: Vec<Duration>,
    /// After so many looks in vain the same bytes may be sent again.
    pub grace_looks: usize,
    /// How old an order may be for that.
    pub young: Duration,
    /// How soon an order that was taken is looked at.
    pub first_look: Duration,
    /// How often orders and trades are read while any are open or provisional.
    pub poll: Duration,
    /// How long the chain's own word of a match is waited for once the venue says that it is confirmed.
    pub chain_patience: Duration,
    /// How long a match that the venue speaks of may go unshown, in its trades and on the chain.
    pub unshown_patience: Duration,
    /// A book of which the channel said nothing for so long is read again beside it. One of which nothing was heard for
    /// twice as long is read before it is used.
    pub quiet: Duration,
    /// The rhythm of the channels.
    pub pace: Pace,
    /// Limits on requests.
    pub limits: Limits,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            look_up: LOOK_UP_AFTER.to_vec(),
            grace_looks: 3,
            young: Duration::from_secs(30),
            first_look: Duration::from_millis(200),
            poll: Duration::from_secs(3),
            chain_patience: Duration::from_secs(30),
            unshown_patience: Duration::from_secs(600),
            quiet: Duration::from_secs(20),
            pace: Pace::default(),
            limits: Limits::default(),
        }
    }
}

/// Where the venue is, and for whom it is asked.
#[derive(Clone, Debug)]
pub struct Desks {
    /// The CLOB.
    pub clob: String,
    /// Its channels, path not included.
    pub channels: String,
    /// The account.
    pub account: Account,
    /// Its API credentials.
    pub credentials: Credentials,
}

/// The live venue.
#[derive(Debug)]
pub struct Live {
    handle: LiveHandle,
    account: Account,
    access: Access,
    /// The signer for the credentials in use when it signed last.
    signer: Mutex<Arc<OrderSigner>>,
    demands: Demands,
    /// What became known and was not taken yet.
    news: mpsc::Receiver<LiveNews>,
}

/// A hand on the live venue, for those who watch it beside the executor.
#[derive(Clone, Debug)]
pub struct LiveHandle {
    pub(crate) trader: Arc<Trader>,
    pub(crate) books: Books,
    pub(crate) latches: Arc<Latches>,
    desk: mpsc::Sender<Wish>,
}

/// An order that is signed, and not yet sent.
#[derive(Clone, Debug)]
pub struct Prepared {
    order: Order,
    signed: SignedOrder,
    maker: Wallet,
}

/// Why the live venue could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The venue's client could not be made.
    #[error("no client of the venue")]
    Venue(#[from] VenueError),
    /// The signer could not be made.
    #[error("no signer of orders")]
    Signer(#[from] SignError),
    /// The database refused, or holds what it should not.
    #[error("the orders sent before cannot be read")]
    Store(#[from] StoreError),
    /// A stored order cannot be read.
    #[error("the stored bytes of order {order} are no order")]
    Stored {
        /// The order.
        order: i64,
    },
    /// Another wallet's order is not final.
    #[error(
        "order {order} is of wallet {maker}, which is not the one configured: settle it with that wallet first"
    )]
    Foreign {
        /// The order.
        order: i64,
        /// The wallet.
        maker: Wallet,
    },
}

impl Live {
    /// Opens the venue, and takes up the orders of before that are not at their end.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn open(
        desks: Desks,
        rhythm: Rhythm,
        connection: &mut PgConnection,
    ) -> Result<Self, LiveError> {
        let Desks { clob, channels, account, credentials } = desks;
        let signer = OrderSigner::new(account.clone(), &credentials).await?;
        let keys = KeyDesk::new(&clob, rhythm.limits.other)?;
        let access = Access::from(credentials);
        let Before { tracked, never_sent } = before(connection, account.funder()).await?;
        let halts = store::halts::standing(connection).await?;
        let trader = Arc::new(Trader::new(&clob, account.clone(), access.clone(), rhythm.limits)?);
        let clob = Arc::new(Clob::with_timeout(&clob, rhythm.limits.other)?);
        let demands = Demands::new(Arc::clone(&clob));
        let books = Books::open(Arc::clone(&clob), &channels, rhythm.pace, rhythm.quiet);
        let latches = Arc::<Latches>::default();
        let (desk, wishes) = mpsc::channel(WAITING);
        let (news_in, news) = mpsc::channel(WAITING);
        let mut one = Desk {
            trader: Arc::clone(&trader),
            clob,
            books: books.clone(),
            latches: Arc::clone(&latches),
            wishes,
            channel: user_channel(&channels, access.clone(), rhythm.pace),
            rhythm,
            renewal: Renewal::new(keys, access.clone()),
            beat: Beat::default(),
            news: news_in,
            orders: BTreeMap::new(),
            by_hash: BTreeMap::new(),
            standing: Standing::halted(halts),
            queue: never_sent.into_iter().map(LiveNews::Order).collect(),
            on_chain: VecDeque::new(),
            requests: JoinSet::new(),
            next_trades: Instant::now(),
            reads_trades: false,
        };
        for order in tracked {
            one.take_up(order);
        }
        tokio::spawn(one.run());
        Ok(Self {
            handle: LiveHandle { trader, books, latches, desk },
            account,
            access,
            signer: Mutex::new(Arc::new(signer)),
            demands,
            news,
        })
    }

    /// The wallet that owns orders and positions.
    #[must_use]
    pub const fn wallet(&self) -> Wallet {
        self.account.funder()
    }

    /// A hand on it.
    #[must_use]
    pub fn handle(&self) -> LiveHandle {
        self.handle.clone()
    }

    /// The book of a token of a market, if it is known which.
    ///
    /// # Errors
    /// What the venue said, where it has none.
    pub async fn book(&self, token: TokenId, condition: Option<ConditionId>) -> Result<Book, String> {
        if let Some(condition) = condition {
            // Who asks for a book may be about to send an order, and should not have to wait for what its market demands.
            self.demands.look_ahead(condition);
        }
        self.handle.books.book(token).await.map_err(|error| error.to_string())
    }

    /// Signs an order. Nothing has been sent when this returns.
    ///
    /// # Errors
    /// The news that the order ends here, where it cannot be written or must not be sent: nobody has seen it.
    pub async fn prepare(
        &self,
        order: &Approved<Order>,
        market: Option<&Market>,
    ) -> Result<Prepared, OrderNews> {
        let order = order.get();
        let signed = self.signed(order, market).await.map_err(|reason| OrderNews {
            order: order.id,
            at: clock::now(),
            what: OrderEvent::Closed { why: Closing::Rejected { reason }, matched: Shares::ZERO },
        })?;
        Ok(Prepared { order: order.clone(), signed, maker: self.wallet() })
    }

    async fn signed(&self, order: &Order, market: Option<&Market>) -> Result<SignedOrder, String> {
        let market = market.ok_or("not sent: its market is not known")?;
        if let Some(other) = self.handle.latches.doubt_of(order.condition) {
            return Err(format!("not sent: nobody knows yet what became of order {other} in this market"));
        }
        let tick = self.handle.books.tick(order.token).unwrap_or(market.tick);
        let at = self.handle.trader.venue_time();
        let least = self.demands.known(order.condition).map_or(MIN_SHARES, |terms| terms.least);
        let (terms, rules) =
            terms::terms(order, market, (tick, least), at).map_err(|error| format!("not sent: {error}"))?;
        let signer = self.signer().await.map_err(|error| format!("not sent: {error}"))?;
        let signed = signer.sign(&terms, &rules, Stamp::random(at)).await;
        signed.map_err(|error| format!("not sent: {error}"))
    }

    /// The signer for the credentials in use, whose key an order names as its owner.
    async fn signer(&self) -> Result<Arc<OrderSigner>, SignError> {
        let known = Arc::clone(&self.signer.lock().unwrap_or_else(PoisonError::into_inner));
        let credentials = self.access.current();
        if known.owner() == credentials.key() {
            return Ok(known);
        }
        let fresh = Arc::new(OrderSigner::new(self.account.clone(), &credentials).await?);
        *self.signer.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&fresh);
        Ok(fresh)
    }

    /// Hands a prepared order to the desk, once it is committed.
    pub async fn send(&self, prepared: Prepared) {
        self.handle.wish(Wish::Send(Box::new((prepared.order, prepared.signed)))).await;
    }

    /// Cancels an order; what comes of it is told as news.
    pub async fn cancel(&self, order: i64) {
        self.handle.wish(Wish::Cancel(order)).await;
    }

    /// One of our own fills is on the chain: its amounts count.
    pub async fn on_chain(&self, transaction: TxHash, fill: &Fill) {
        self.handle.wish(Wish::OnChain(transaction, Box::new(*fill))).await;
    }

    /// The next piece of news; `None` when the desk is no more. Dropping the future loses nothing.
    pub async fn news(&mut self) -> Option<LiveNews> {
        self.news.recv().await
    }

    /// The same without waiting.
    pub fn news_now(&mut self) -> Option<LiveNews> {
        self.news.try_recv().ok()
    }
}

impl LiveHandle {
    /// Reads the books again of which nothing was heard for a while, those asked for last first.
    pub async fn refresh_books(&self) {
        self.books.refresh().await;
    }

    /// Something speaks against entries, or does so no more.
    pub async fn object(&self, objection: Objection, says: Option<String>) {
        self.wish(Wish::Object(objection, says)).await;
    }

    /// Asks the venue for everything again.
    pub async fn doubt(&self) {
        self.wish(Wish::Doubt).await;
    }

    /// A measurement for the engine.
    pub async fn measured(&self, guard: Guard) {
        self.wish(Wish::Measured(guard)).await;
    }

    /// The client of the venue, for those who ask it something else.
    #[must_use]
    pub fn trader(&self) -> &Trader {
        &self.trader
    }

    async fn wish(&self, wish: Wish) {
        // The desk outlives whoever can wish: it ends with the last of them.
        if self.desk.send(wish).await.is_err() {
            tracing::error!("the desk is no more");
        }
    }
}

impl Prepared {
    /// As it is stored before it is sent.
    #[must_use]
    pub fn row(&self) -> SignedRow {
        SignedRow {
            order: self.order.id,
            hash: self.signed.hash.to_string(),
            body: self.signed.body.clone(),
            maker: self.maker,
            at: clock::now(),
        }
    }

    /// The order.
    #[must_use]
    pub const fn order(&self) -> &Order {
        &self.order
    }

    /// Its hash, by which the venue knows it.
    #[must_use]
    pub const fn hash(&self) -> B256 {
        self.signed.hash
    }
}
