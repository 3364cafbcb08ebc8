//! What becomes of matches on the chain: transactions with the exchange's own logs, blocks, finality, failure;
//! and winners who get their dollars without asking.

use alloy_primitives::{Address, B256, Bytes};
use domain::{ChainEvent, Exchange, Fee, Fill, Price, Role, Shares, Side, Timestamp, TokenId, Usd, Wallet};
use polygon::contracts::{FEE_RECEIVER, NEG_RISK_ADAPTER, USDC_E, exchange_address};
use polygon::encode::{self, LogBody, Redeemed};

use super::Venue;
use super::account::Account;
use super::control::Settlement;
use super::trade::{Match, Party, TradeStatus, Who};
use crate::board::{Board, Listed};
use crate::chain::Chain;
use crate::world::{AUTO_REDEEMER, COLLATERAL_ADAPTER, Trade, Tx};

/// So many blocks on top, and nobody doubts it any more.
const CONFIRMATIONS: u64 = 2;

/// A transaction for the next block, and what it means for the world.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) tx: Tx,
    /// What the world's people got, or gave, by market, person and outcome, in millionths of a share.
    pub(crate) gives: Vec<(usize, usize, usize, i64)>,
    /// What the tape shows.
    pub(crate) trade: Option<Trade>,
}

impl Venue {
    /// What goes into block `number`. It is in the block when this returns.
    pub(crate) fn broadcast(&mut self, number: u64, board: &Board, now: Timestamp) -> Vec<Settled> {
        let mut settled = self.redeem(board);
        for index in self.unsettled.clone() {
            let Some(one) = self.matches.get(index).filter(|one| one.block.is_none()) else { continue };
            let (fate, status) = (one.fate, one.status);
            let word = self.fresh_word();
            let Some(one) = self.matches.get_mut(index) else { continue };
            one.updated = now;
            match (fate, status) {
                (Settlement::Mined | Settlement::Retried(0), _) => {
                    let Some(done) = board.by_id(one.market).and_then(|market| mined(one, market, word))
                    else {
                        continue;
                    };
                    (one.tx, one.block, one.status) = (Some(word), Some(number), TradeStatus::Mined);
                    for party in one.parties() {
                        if let Some(account) = self.accounts.get_mut(&party.wallet) {
                            account.settle(party);
                        }
                    }
                    settled.push(done);
                }
                (Settlement::Retried(times), _) => {
                    (one.tx, one.status) = (Some(word), TradeStatus::Retrying);
                    one.fate = Settlement::Retried(times - 1);
                }
                (Settlement::Failed, TradeStatus::Retrying) => {
                    one.status = TradeStatus::Failed;
                    for party in one.parties() {
                        if let Some(account) = self.accounts.get_mut(&party.wallet) {
                            account.release(party);
                        }
                    }
                }
                (Settlement::Failed, _) => (one.tx, one.status) = (Some(word), TradeStatus::Retrying),
            }
            self.tell_match(index, board);
        }
        self.unsettled
            .retain(|index| self.matches.get(*index).is_some_and(|one| one.status != TradeStatus::Failed));
        settled
    }

    /// Looks which transactions will stay where they are.
    pub(crate) fn confirm(&mut self, chain: &Chain, board: &Board, now: Timestamp) {
        let head = chain.head().map_or(0, |block| block.number);
        for index in self.unsettled.clone() {
            let Some(one) = self.matches.get_mut(index).filter(|one| one.status == TradeStatus::Mined) else {
                continue;
            };
            // A reorganisation may have moved it, or thrown it out for a while.
            let block = one.tx.and_then(|tx| chain.of_transaction(tx)).map(|block| block.number);
            if block.is_some_and(|block| block + CONFIRMATIONS <= head) {
                (one.status, one.updated) = (TradeStatus::Confirmed, now);
                self.tell_match(index, board);
            }
        }
        self.unsettled
            .retain(|index| self.matches.get(*index).is_some_and(|one| one.status != TradeStatus::Confirmed));
    }

    /// A market is answered: what rested there ends, and its winners will be paid.
    pub(crate) fn answer(&mut self, market: usize, board: &Board) {
        self.end_market(market, board);
        let tokens = board.by_id(market).map(|market| market.tokens).unwrap_or_default();
        let holds = |account: &Account| {
            tokens.iter().any(|token| account.held(*token) > 0 || account.coming.of(*token) > 0)
        };
        if self.accounts.values().any(holds) {
            self.answered.push(market);
        }
    }

    /// Pays winners, once nothing of theirs in the market is under way.
    fn redeem(&mut self, board: &Board) -> Vec<Settled> {
        if !self.controls.auto_redeem {
            return Vec::new();
        }
        let mut settled = Vec::new();
        let mut waiting = Vec::new();
        for id in std::mem::take(&mut self.answered) {
            if self.unsettled.iter().any(|index| self.matches[*index].market == id) {
                waiting.push(id);
                continue;
            }
            let Some((market, winner)) = board.by_id(id).and_then(|market| Some((market, market.winner?)))
            else {
                continue;
            };
            let token = market.tokens[winner];
            let winners: Vec<(Address, i64)> = self
                .accounts
                .values()
                .map(|account| (account.wallet, account.held(token)))
                .filter(|(_, won)| *won > 0)
                .collect();
            for (wallet, won) in winners {
                let hash = self.fresh_word();
                let Some(tx) = redemption(market, Wallet(wallet), token, won, hash) else { continue };
                if let Some(account) = self.accounts.get_mut(&wallet) {
                    account.shares.insert(token, 0);
                    account.cash += won;
                    account.redeemed += Usd::from_micros(won);
                }
                settled.push(Settled { tx, gives: Vec::new(), trade: None });
            }
        }
        self.answered = waiting;
        settled
    }
}

impl Account {
    /// A match will move this.
    pub(super) fn claim(&mut self, party: &Party) {
        self.under_way(party, 1);
    }

    /// A match moves nothing any more.
    pub(super) fn release(&mut self, party: &Party) {
        self.under_way(party, -1);
    }

    /// A match is on the chain.
    pub(super) fn settle(&mut self, party: &Party) {
        self.release(party);
        let (cash, shares) = party.changes();
        self.cash += cash;
        *self.shares.entry(party.token).or_default() += shares;
    }

    fn under_way(&mut self, party: &Party, sign: i64) {
        let (cash, shares) = party.changes();
        let of = |change: i64| if change < 0 { (-change * sign, 0) } else { (0, change * sign) };
        let ((leaves, comes), (shares_leave, shares_come)) = (of(cash), of(shares));
        self.leaving.cash += leaves;
        self.coming.cash += comes;
        *self.leaving.shares.entry(party.token).or_default() += shares_leave;
        *self.coming.shares.entry(party.token).or_default() += shares_come;
    }
}

/// A match as the exchange writes it down.
fn mined(one: &Match, market: &Listed, hash: B256) -> Option<Settled> {
    let venue = Wallet(exchange_address(one.exchange)?);
    let mut tx = Tx { hash, ..Tx::default() };
    let made: i64 =
        one.makers.iter().filter(|maker| maker.side == one.taker.side).map(|maker| maker.micros).sum();
    if made > 0
        && let Some(log) = sets(market, one.taker.side, made)
    {
        tx.note(log);
    }
    for maker in &one.makers {
        let fill = fill(one, maker, Role::Maker, Wallet(one.taker.wallet));
        tx.tell(row(&fill, maker)?, ChainEvent::Fill(fill));
    }
    let taker = &one.taker;
    if taker.fee > 0 {
        tx.note(encode::fee_charged(one.exchange, Wallet(FEE_RECEIVER), Usd::from_micros(taker.fee))?);
    }
    let fill = fill(one, taker, Role::Taker, venue);
    tx.tell(row(&fill, taker)?, ChainEvent::Fill(fill));
    tx.note(encode::orders_matched(
        one.exchange,
        taker.order,
        Wallet(taker.wallet),
        taker.side,
        taker.token,
        fill.shares,
        fill.usd,
    )?);
    let gives = one.parties().filter_map(|party| match party.who {
        Who::Person(person) => Some((one.market, person, party.outcome, party.changes().1)),
        Who::Outside { .. } => None,
    });
    let trade = Price::average(fill.usd, fill.shares).map(|price| Trade {
        market: one.market,
        outcome: taker.outcome,
        side: taker.side,
        price,
        shares: fill.shares,
        tx: hash,
    });
    Some(Settled { gives: gives.collect(), trade, tx })
}

fn fill(one: &Match, party: &Party, role: Role, counterparty: Wallet) -> Fill {
    Fill {
        exchange: one.exchange,
        wallet: Wallet(party.wallet),
        counterparty,
        role,
        side: party.side,
        token: party.token,
        shares: Shares::from_micros(party.micros),
        usd: Usd::from_micros(party.usd),
        fee: Fee::Usd(Usd::from_micros(party.fee)),
    }
}

/// A party's row, with the two words of its order that say nothing about the fill.
fn row(fill: &Fill, party: &Party) -> Option<LogBody> {
    let mut log = encode::order_filled(fill, party.order)?;
    let mut data = log.data.to_vec();
    let words = data.len().checked_sub(64)?;
    data[words..words + 32].copy_from_slice(party.builder.as_slice());
    data[words + 32..].copy_from_slice(party.metadata.as_slice());
    log.data = Bytes::from(data);
    Some(log)
}

/// The sets of both outcomes that a match makes, or takes apart.
fn sets(market: &Listed, side: Side, micros: i64) -> Option<LogBody> {
    let (_, collateral) = market.ctf?;
    let adapter = match market.exchange {
        Exchange::V2NegRisk => NEG_RISK_ADAPTER,
        _ => COLLATERAL_ADAPTER,
    };
    let (adapter, amount) = (Wallet(adapter), Shares::from_micros(micros));
    match side {
        Side::Buy => encode::position_split(adapter, collateral, market.condition, amount),
        Side::Sell => encode::positions_merge(adapter, collateral, market.condition, amount),
    }
}

/// Winning shares become dollars by the auto-redeemer's hand.
fn redemption(market: &Listed, wallet: Wallet, token: TokenId, won: i64, hash: B256) -> Option<Tx> {
    let (condition, payout) = (market.condition, Usd::from_micros(won));
    let redeemer = Wallet(AUTO_REDEEMER);
    let mut amounts = [Shares::ZERO; 2];
    *amounts.get_mut(market.winner?)? = Shares::from_micros(won);
    let mut tx = Tx { hash, ..Tx::default() };
    let (what, by_position) = match market.exchange {
        Exchange::V3 => {
            tx.note(encode::module_redemption(redeemer, token, wallet, Shares::from_micros(won), payout)?);
            (Redeemed::Position(token), true)
        }
        Exchange::V2NegRisk => {
            tx.note(encode::neg_risk_redemption(redeemer, condition, amounts, payout)?);
            (Redeemed::NegRisk(condition), false)
        }
        _ => {
            let adapter = Wallet(COLLATERAL_ADAPTER);
            tx.note(encode::payout_redemption(adapter, USDC_E, condition, payout)?);
            tx.note(encode::collateral_redemption(COLLATERAL_ADAPTER, redeemer, condition, amounts, payout)?);
            (Redeemed::Binary(condition), false)
        }
    };
    let event = ChainEvent::Redemption {
        wallet,
        condition: (!by_position).then_some(condition),
        token: by_position.then_some(token),
        payout,
    };
    tx.tell(encode::auto_redemption(wallet, what, payout)?, event);
    Some(tx)
}
