//! Outside traders' wallets: who owns them, what is in them, and what of it is free.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, address, b256, keccak256};
use domain::{Exchange, Shares, TokenId, Usd};
use serde::{Deserialize, Serialize};

use super::Venue;
use super::order::OrderStatus;
use super::trade::TradeStatus;

/// What kind of wallet an order spends from, and thereby how it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureType {
    /// The key's own address.
    Eoa,
    /// The proxy wallet of accounts opened by mail.
    Proxy,
    /// The Safe of accounts opened with a browser wallet.
    Safe,
    /// The deposit wallet of all accounts since May 2026, whose signatures are wrapped.
    Poly1271,
}

impl SignatureType {
    /// The number in orders.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Eoa => 0,
            Self::Proxy => 1,
            Self::Safe => 2,
            Self::Poly1271 => 3,
        }
    }

    pub(crate) const fn of_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Eoa),
            1 => Some(Self::Proxy),
            2 => Some(Self::Safe),
            3 => Some(Self::Poly1271),
            _ => None,
        }
    }
}

/// An outside trader's wish for a funded wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenAccount {
    /// Whose key signs.
    pub owner: Address,
    /// What kind of wallet it is.
    pub signature_type: SignatureType,
    /// Its address; `None`: the one the wallet's factory would give that owner.
    pub wallet: Option<Address>,
    /// What is paid in. Opening an account again pays in more.
    pub funds: Usd,
}

/// A wallet.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) owner: Address,
    pub(crate) kind: SignatureType,
    pub(crate) wallet: Address,
    /// What was ever paid in.
    pub(crate) funded: Usd,
    /// Millionths of a dollar that the chain says are there.
    pub(crate) cash: i64,
    /// Millionths of a share that the chain says are there.
    pub(crate) shares: BTreeMap<TokenId, i64>,
    /// What matched trades will take, and bring, once they are on the chain.
    pub(crate) leaving: Moving,
    pub(crate) coming: Moving,
    /// Exchanges that may not spend the wallet's dollars, or its shares.
    pub(crate) forbidden: Vec<(Exchange, Asset)>,
    /// The same as the venue read it off the chain last, which it does when it is asked to.
    pub(crate) read_forbidden: Vec<(Exchange, Asset)>,
    pub(crate) closed_only: bool,
    pub(crate) banned: bool,
    /// What winners were paid.
    pub(crate) redeemed: Usd,
}

/// What an exchange needs leave for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asset {
    Dollars,
    Shares,
}

/// Amounts under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moving {
    pub(crate) cash: i64,
    pub(crate) shares: BTreeMap<TokenId, i64>,
}

impl Moving {
    pub(crate) fn of(&self, token: TokenId) -> i64 {
        self.shares.get(&token).copied().unwrap_or(0)
    }
}

/// What is really in an outside trader's wallet, whatever anybody was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountTruth {
    /// The wallet.
    pub wallet: Address,
    /// What was ever paid in.
    pub funded: Usd,
    /// Dollars on the chain: all that was paid in, less what settled purchases cost with their fees, plus what
    /// settled sales and winners brought.
    pub cash: Usd,
    /// Shares on the chain, by token; losers stay.
    pub shares: BTreeMap<TokenId, Shares>,
    /// What winners were paid, of the cash.
    pub redeemed: Usd,
    /// Every order ever taken in, by id: what became of it, and how many shares of it matched.
    pub orders: BTreeMap<B256, (OrderStatus, Shares)>,
    /// Every match, in order: its id, what became of it, and its transaction where it is on the chain.
    pub trades: Vec<(String, TradeStatus, Option<B256>)>,
}

impl Account {
    fn new(asked: OpenAccount, wallet: Address) -> Self {
        Self {
            owner: asked.owner,
            kind: asked.signature_type,
            wallet,
            funded: Usd::ZERO,
            cash: 0,
            shares: BTreeMap::new(),
            leaving: Moving::default(),
            coming: Moving::default(),
            forbidden: Vec::new(),
            read_forbidden: Vec::new(),
            closed_only: false,
            banned: false,
            redeemed: Usd::ZERO,
        }
    }

    pub(crate) fn held(&self, token: TokenId) -> i64 {
        self.shares.get(&token).copied().unwrap_or(0)
    }

    /// Whether an exchange may spend the wallet's dollars or shares, as far as the venue knows.
    pub(crate) fn is_read_to_allow(&self, exchange: Exchange, asset: Asset) -> bool {
        !self.read_forbidden.contains(&(exchange, asset))
    }

    pub(crate) fn allows(&self, exchange: Exchange, asset: Asset) -> bool {
        !self.forbidden.contains(&(exchange, asset))
    }
}

impl Venue {
    /// Opens a funded wallet, or pays more into it, and says where it is.
    pub(crate) fn open_account(&mut self, asked: OpenAccount) -> Address {
        let wallet = asked.wallet.unwrap_or_else(|| wallet_of(asked.owner, asked.signature_type));
        let account = self.accounts.entry(wallet).or_insert_with(|| Account::new(asked, wallet));
        let funds = asked.funds.micros().max(0);
        account.cash = account.cash.saturating_add(funds);
        account.funded += Usd::from_micros(funds);
        wallet
    }

    pub(crate) fn account(&self, wallet: Address) -> Option<&Account> {
        self.accounts.get(&wallet)
    }

    pub(crate) fn account_mut(&mut self, wallet: Address) -> Option<&mut Account> {
        self.accounts.get_mut(&wallet)
    }

    /// A key's wallet of a kind.
    pub(crate) fn account_of(&self, owner: Address, kind: SignatureType) -> Option<&Account> {
        self.accounts.values().find(|account| account.owner == owner && account.kind == kind)
    }

    pub(crate) fn accounts_of(&self, owner: Address) -> impl Iterator<Item = &Account> {
        self.accounts.values().filter(move |account| account.owner == owner)
    }

    /// Millionths of a dollar that no open order and no match has a claim on.
    pub(crate) fn free_cash(&self, wallet: Address) -> i64 {
        let Some(account) = self.accounts.get(&wallet) else { return 0 };
        let claimed: i64 = self.open_orders(wallet).map(super::order::Order::claimed_cash).sum();
        account.cash - account.leaving.cash - claimed
    }

    /// Millionths of a share that no open order and no match has a claim on.
    pub(crate) fn free_shares(&self, wallet: Address, token: TokenId) -> i64 {
        let Some(account) = self.accounts.get(&wallet) else { return 0 };
        let open = self.open_orders(wallet).filter(|order| order.token == token);
        let claimed: i64 = open.map(super::order::Order::claimed_shares).sum();
        account.held(token) - account.leaving.of(token) - claimed
    }

    /// What is really in a wallet.
    pub(crate) fn truth(&self, wallet: Address) -> Option<AccountTruth> {
        let account = self.accounts.get(&wallet)?;
        let shares = account.shares.iter().filter(|(_, micros)| **micros != 0);
        let orders = self.orders.values().filter(|order| order.wallet == wallet);
        let trades = self.matches.iter().filter(|one| one.parties().any(|party| party.wallet == wallet));
        Some(AccountTruth {
            wallet,
            funded: account.funded,
            cash: Usd::from_micros(account.cash),
            shares: shares.map(|(token, micros)| (*token, Shares::from_micros(*micros))).collect(),
            redeemed: account.redeemed,
            orders: orders
                .map(|order| (order.id, (order.status.clone(), Shares::from_micros(order.matched))))
                .collect(),
            trades: trades.map(|one| (one.id.clone(), one.status, one.tx)).collect(),
        })
    }

    /// Whether every match of a wallet is at its end on the chain.
    pub(crate) fn is_settled(&self, wallet: Address) -> bool {
        let touches = |index: &usize| self.matches[*index].parties().any(|party| party.wallet == wallet);
        !self.unsettled.iter().any(touches)
    }
}

/// The wallet its factory gives a key. What a deposit wallet's code hashes to is not public, so theirs are made
/// here in a way of this world's own.
pub(crate) fn wallet_of(owner: Address, kind: SignatureType) -> Address {
    match kind {
        SignatureType::Eoa => owner,
        SignatureType::Proxy => address!("aB45c5A4B0c941a2F231C04C3f49182e1A254052").create2(
            keccak256(owner),
            b256!("d21df8dc65880a8606f09fe0ce3df9b8869287ab0b058be05aa9e8af6330a00b"),
        ),
        SignatureType::Safe => address!("aacFeEa03eb1561C4e67d661e40682Bd20E3541b").create2(
            keccak256(owner.into_word()),
            b256!("2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf"),
        ),
        SignatureType::Poly1271 => address!("00000000000Fb5C9ADea0298D729A0CB3823Cc07")
            .create2(owner.into_word(), keccak256("devnet")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallets_are_where_their_factories_put_them() {
        let owner = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        let proxy = address!("365f0cA36ae1F641E02Fe3b7743673DA42A13a70");
        let safe = address!("d93b25Cb943D14d0d34FBAf01fc93a0F8b5f6e47");
        assert_eq!(wallet_of(owner, SignatureType::Eoa), owner);
        assert_eq!(wallet_of(owner, SignatureType::Proxy), proxy);
        assert_eq!(wallet_of(owner, SignatureType::Safe), safe);
    }
}
