//! The hand on the venue: accounts for outside traders, what goes wrong, and what is really so.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, B256};
use domain::{ConditionId, Exchange, Shares, Timestamp, TokenId};

use crate::board::Demands;
use crate::chain::Step;
use crate::faults::{RandomFaults, VenueFault};
use crate::shared::Shared;
use crate::venue::{AccountTruth, Asset, Mode, OpenAccount, Settlement, SocketFaults};

/// Steers the venue while it runs; as many hands as are wanted. What it changes is in force when the call returns.
#[derive(Clone, Debug)]
pub struct VenueHandle {
    shared: Arc<Shared>,
}

/// Something the venue does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownToVenue {
    /// No account was opened there.
    #[error("no account at {0}")]
    Wallet(Address),
    /// No market has that token.
    #[error("no market has token {0}")]
    Token(TokenId),
}

impl VenueHandle {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The venue's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// Sets the clock by which the venue tells the time and judges how old a request is, against the world's.
    pub fn set_clock_ahead(&self, micros: i64) {
        self.shared.set_ahead(micros);
    }

    /// When an order came in, by this clock; `None` where none of that hash was taken.
    #[must_use]
    pub fn received(&self, order: B256) -> Option<Timestamp> {
        self.shared.received(order)
    }

    /// Opens a funded wallet, or pays more into it, and says where it is.
    #[must_use]
    pub fn open_account(&self, asked: OpenAccount) -> Address {
        self.shared.write().venue.open_account(asked)
    }

    /// What is really in a wallet, whatever its owner was told; `None` where no account was opened.
    #[must_use]
    pub fn account(&self, wallet: Address) -> Option<AccountTruth> {
        self.shared.read().venue.truth(wallet)
    }

    /// Whether every match of a wallet is at its end on the chain.
    #[must_use]
    pub fn is_settled(&self, wallet: Address) -> bool {
        self.shared.read().venue.is_settled(wallet)
    }

    /// Lets or forbids an exchange to spend a wallet's dollars.
    ///
    /// # Errors
    /// No such account.
    pub fn allow_dollars(
        &self,
        wallet: Address,
        exchange: Exchange,
        allow: bool,
    ) -> Result<(), UnknownToVenue> {
        self.allow(wallet, (exchange, Asset::Dollars), allow)
    }

    /// Lets or forbids an exchange to spend a wallet's shares.
    ///
    /// # Errors
    /// No such account.
    pub fn allow_shares(
        &self,
        wallet: Address,
        exchange: Exchange,
        allow: bool,
    ) -> Result<(), UnknownToVenue> {
        self.allow(wallet, (exchange, Asset::Shares), allow)
    }

    fn allow(&self, wallet: Address, what: (Exchange, Asset), allow: bool) -> Result<(), UnknownToVenue> {
        let mut state = self.shared.write();
        let account = state.venue.account_mut(wallet).ok_or(UnknownToVenue::Wallet(wallet))?;
        account.forbidden.retain(|other| *other != what);
        if !allow {
            account.forbidden.push(what);
        }
        Ok(())
    }

    /// From now on a wallet may only sell what it has.
    ///
    /// # Errors
    /// No such account.
    pub fn set_closed_only(&self, wallet: Address, closed_only: bool) -> Result<(), UnknownToVenue> {
        let mut state = self.shared.write();
        let account = state.venue.account_mut(wallet).ok_or(UnknownToVenue::Wallet(wallet))?;
        account.closed_only = closed_only;
        Ok(())
    }

    /// From now on a wallet may do nothing.
    ///
    /// # Errors
    /// No such account.
    pub fn set_banned(&self, wallet: Address, banned: bool) -> Result<(), UnknownToVenue> {
        let mut state = self.shared.write();
        let account = state.venue.account_mut(wallet).ok_or(UnknownToVenue::Wallet(wallet))?;
        account.banned = banned;
        Ok(())
    }

    /// Takes all API keys of an address back, for good: what it makes of another nonce is another key.
    pub fn revoke_keys(&self, owner: Address) {
        self.shared.write().venue.revoke_keys(owner);
    }

    /// What the venue takes, for a while or until another mode is set. A restart that ends is followed by two
    /// minutes of post-only, as in earnest.
    pub fn set_mode(&self, mode: Mode, lasts: Option<Duration>) {
        let now = self.shared.now();
        self.shared.write().venue.set_mode(mode, lasts, now);
    }

    /// Adds a fault behind those there are; of those that name a request's route the first meets it.
    pub fn add_fault(&self, fault: VenueFault) {
        self.shared.mood.add(fault);
    }

    /// How many planned faults no request has met yet, or not as often as was planned.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        self.shared.mood.left()
    }

    /// Faults by chance, beside those that are planned.
    pub fn set_random_faults(&self, random: RandomFaults) {
        self.shared.mood.set_random(random);
    }

    /// Lifts all faults of requests, planned and random; what hangs ends.
    pub fn lift_faults(&self) {
        self.shared.mood.lift();
    }

    /// What becomes of the next matches, in order.
    pub fn plan_settlements(&self, plan: impl IntoIterator<Item = Settlement>) {
        self.shared.write().venue.plan_settlements(plan);
    }

    /// The shares of all other matches whose transaction is retried once, and whose transaction fails for good.
    pub fn set_settlement_luck(&self, retried: f64, failed: f64) {
        self.shared.write().venue.set_luck(retried, failed);
    }

    /// From now on the user channel misbehaves like this.
    pub fn set_socket_faults(&self, faults: SocketFaults) {
        self.shared.write().venue.set_socket_faults(faults);
    }

    /// The market channel says nothing more of a token, although the connection stays as it is; or says it again.
    pub fn set_frozen(&self, token: TokenId, frozen: bool) {
        self.shared.mood.set_frozen(token, frozen);
    }

    /// Nobody gets a WebSocket any more, and who has one loses it; or everybody does again.
    pub fn set_channels_shut(&self, shut: bool) {
        self.shared.mood.set_shut(shut);
    }

    /// Cuts every open WebSocket of the venue, without a word of farewell.
    pub fn cut_sockets(&self) {
        self.shared.mood.cut();
    }

    /// Whether winners are paid without being asked; they are at first.
    pub fn set_auto_redeem(&self, does: bool) {
        self.shared.write().venue.set_auto_redeem(does);
    }

    /// Whether statuses are spelled as the venue's specification has them (`ORDER_STATUS_LIVE`) instead of as its
    /// guides do (`LIVE`).
    pub fn set_prefixed_statuses(&self, prefixed: bool) {
        self.shared.write().venue.set_prefixed(prefixed);
    }

    /// Whether the place this is asked from may not trade.
    pub fn set_geoblocked(&self, blocked: bool) {
        self.shared.write().venue.set_blocked(blocked);
    }

    /// Gives a token's market another price grid, in millionths of a dollar, and tells the market channel.
    ///
    /// # Errors
    /// No market has the token.
    pub fn set_tick(&self, token: TokenId, tick_ppm: u32) -> Result<(), UnknownToVenue> {
        let mut state = self.shared.write();
        let id =
            state.board.of_token(token).map(|(market, _)| market.id).ok_or(UnknownToVenue::Token(token))?;
        let change = state.board.set_tick(id, tick_ppm);
        self.shared.tell(Step::default(), change.into_iter().collect());
        Ok(())
    }

    /// Sets what a token's market demands of its orders: the fewest shares, and for how long what takes is held back,
    /// before it is answered and after.
    ///
    /// # Errors
    /// No market has the token.
    pub fn set_demands(
        &self,
        token: TokenId,
        least: Shares,
        hold: Duration,
        seconds_delay: u32,
    ) -> Result<(), UnknownToVenue> {
        let mut state = self.shared.write();
        let id =
            state.board.of_token(token).map(|(market, _)| market.id).ok_or(UnknownToVenue::Token(token))?;
        let hold_ms = u64::try_from(hold.as_millis()).unwrap_or(u64::MAX);
        state.board.demand(id, Demands { least, hold_ms, seconds_delay });
        Ok(())
    }

    /// From now on the answer of a token's market is disputed, as Gamma has it; it is traded on, and answered days
    /// later, as in earnest.
    ///
    /// # Errors
    /// No market has the token.
    pub fn dispute(&self, token: TokenId) -> Result<(), UnknownToVenue> {
        let mut state = self.shared.write();
        let id =
            state.board.of_token(token).map(|(market, _)| market.id).ok_or(UnknownToVenue::Token(token))?;
        state.board.dispute(id);
        Ok(())
    }

    /// The condition a token belongs to.
    #[must_use]
    pub fn condition_of(&self, token: TokenId) -> Option<ConditionId> {
        self.shared.read().board.of_token(token).map(|(market, _)| market.condition)
    }
}
