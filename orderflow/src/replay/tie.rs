//! `orderflow replay --verify`: whether what the ledger says of every wallet is what its money says, by arithmetic
//! that shares nothing with the ledger's: no average cost, no decisions, no order of events but for who held what.
//!
//! What came in less what went out, and what the shares left at the end were paid, is the result of whoever never
//! sold what the tape does not show it to have. Of the others the tape does not say what their shares had cost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::bail;
use domain::{ChainEvent, Fill, Side, TokenId, Usd, Wallet};
use serde_json::{Value, json};
use store::{Store, scores};

use super::tape::Tape;

/// How far apart is still the same, millionths of a dollar: less than half a cent rounds to the same cent.
const HALF_A_CENT: i128 = 5_000;
/// How many of the wallets that do not tie are named.
const NAMED: usize = 10;

/// What the comparison came to.
#[derive(Debug, Default)]
pub(crate) struct Tie {
    /// Wallets that were compared.
    compared: u64,
    /// Those that are not what their money says: who, what it says, and what is stored.
    apart: Vec<(Wallet, i128, Option<Usd>)>,
    /// The largest difference of the compared ones, millionths of a dollar.
    largest: i128,
    /// Wallets left out because they sold more than they had.
    oversold: u64,
    /// Wallets left out because they hold shares whose result the tape does not have.
    open: u64,
}

/// A wallet's money and shares, millionths of each.
#[derive(Debug, Default)]
struct Account {
    cash: i128,
    held: BTreeMap<TokenId, i128>,
    is_oversold: bool,
}

impl Account {
    fn book(&mut self, fill: &Fill) {
        let (shares, usd) = (i128::from(fill.shares.micros()), i128::from(fill.usd.micros()));
        let sign = if fill.side == Side::Buy { 1 } else { -1 };
        self.cash -= sign * usd;
        let held = self.held.entry(fill.token).or_default();
        *held += sign * shares;
        self.is_oversold |= *held < 0;
    }

    /// Cash and what the shares left were paid, where all of them were.
    fn result(&self, paid: &Paid) -> Option<i128> {
        let mut left = self.held.iter().filter(|(_, shares)| **shares != 0);
        left.try_fold(self.cash, |sum, (token, shares)| {
            let (numerator, denominator) = paid.0.get(token)?;
            Some(sum + shares * numerator / denominator)
        })
    }
}

/// What a share of each resolved token was paid, as a fraction.
#[derive(Debug, Default)]
struct Paid(BTreeMap<TokenId, (i128, i128)>);

/// Compares every wallet of a tape that was played into a database with its money.
pub(crate) async fn verify(folder: &Path, store: &Store) -> anyhow::Result<Tie> {
    let tape = Tape::read(folder)?;
    let (accounts, paid) = booked(&tape);
    let stored = scores::results(&mut *store.connection().await?).await?;
    let strangers: BTreeSet<&Wallet> =
        stored.keys().filter(|wallet| !accounts.contains_key(*wallet)).collect();
    if let Some(stranger) = strangers.first() {
        bail!("{stranger} has a verdict and is not on the tape: {} such wallets", strangers.len());
    }
    let mut tie = Tie::default();
    for (wallet, account) in accounts {
        let stored = stored.get(&wallet).copied();
        match account.result(&paid) {
            _ if account.is_oversold => tie.oversold += 1,
            None => tie.open += 1,
            Some(result) => tie.compare(wallet, result, stored),
        }
    }
    Ok(tie)
}

fn booked(tape: &Tape) -> (BTreeMap<Wallet, Account>, Paid) {
    let mut accounts: BTreeMap<Wallet, Account> = BTreeMap::new();
    let mut paid = Paid::default();
    for fact in tape.blocks.iter().flat_map(|block| &block.facts) {
        match &fact.event {
            ChainEvent::Fill(fill) => accounts.entry(fill.wallet).or_default().book(fill),
            ChainEvent::Resolution { condition, payouts } => {
                let resolved = tape.markets.iter().find(|(_, market)| market.condition == *condition);
                let tokens = resolved.into_iter().flat_map(|(_, market)| &market.tokens);
                let shares = payouts.numerators().iter().map(|part| i128::from(*part));
                let whole = i128::from(payouts.denominator());
                paid.0.extend(tokens.copied().zip(shares.map(|part| (part, whole))));
            }
            _ => {}
        }
    }
    (accounts, paid)
}

impl Tie {
    fn compare(&mut self, wallet: Wallet, result: i128, stored: Option<Usd>) {
        self.compared += 1;
        let difference = stored.map(|stored| (i128::from(stored.micros()) - result).abs());
        self.largest = self.largest.max(difference.unwrap_or_default());
        if difference.is_none_or(|difference| HALF_A_CENT <= difference) {
            self.apart.push((wallet, result, stored));
        }
    }

    /// What scripts read, and people among the totals.
    pub(crate) fn json(&self) -> Value {
        json!({
            "compared": self.compared,
            "tied": self.compared - self.apart.len() as u64,
            "largest_difference_usd": self.largest as f64 / 1e6,
            "left_out_oversold": self.oversold,
            "left_out_open": self.open,
        })
    }

    /// Fails where a wallet is not what its money says, and names the first ones.
    pub(crate) fn require(&self) -> anyhow::Result<()> {
        if self.apart.is_empty() {
            return Ok(());
        }
        let dollars = |micros: i128| format!("{:.6}", micros as f64 / 1e6);
        let named: Vec<String> = self
            .apart
            .iter()
            .take(NAMED)
            .map(|(wallet, result, stored)| {
                let stored = stored.map_or_else(|| "nothing".to_owned(), |usd| usd.to_string());
                format!("{wallet} made {} and is said to have made {stored}", dollars(*result))
            })
            .collect();
        bail!("{} of {} wallets do not tie: {}", self.apart.len(), self.compared, named.join("; "));
    }
}
