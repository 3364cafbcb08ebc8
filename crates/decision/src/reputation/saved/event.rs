//! Facts that wait, as bytes.

use alloy_primitives::{Address, B256, U256};
use domain::{
    ChainEvent, ConditionId, Exchange, Fee, FeeKind, Fill, Payouts, Role, Shares, Side, TokenId, Usd, Wallet,
};

use super::wallet::token;
use super::{Damaged, Reader, Saved, Writer};
use crate::reputation::late::{Item, Print};

impl Saved for Item {
    fn save(&self, to: &mut Writer) {
        to.whole(self.seq);
        to.moment(self.at);
        save_event(&self.event, to);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(Self { seq: from.whole()?, at: from.moment()?, event: load_event(from)? })
    }
}

impl Saved for Print {
    fn save(&self, to: &mut Writer) {
        to.whole(self.seq);
        to.moment(self.at);
        to.whole(self.question);
        to.whole(self.ppm);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(Self { seq: from.whole()?, at: from.moment()?, question: from.whole()?, ppm: from.whole()? })
    }
}

impl Saved for Payouts {
    fn save(&self, to: &mut Writer) {
        to.length(self.numerators().len());
        self.numerators().iter().for_each(|part| to.whole(*part));
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        Self::new(from.list(Reader::whole)?).ok_or(Damaged::Number)
    }
}

impl Saved for Wallet {
    fn save(&self, to: &mut Writer) {
        to.raw(self.0.as_slice());
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        from.raw().map(|bytes| Self(Address::new(bytes)))
    }
}

impl Saved for TokenId {
    fn save(&self, to: &mut Writer) {
        to.raw(&self.0.to_be_bytes::<32>());
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        token(from)
    }
}

impl Saved for ConditionId {
    fn save(&self, to: &mut Writer) {
        self.0.save(to);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        B256::load(from).map(Self)
    }
}

impl Saved for B256 {
    fn save(&self, to: &mut Writer) {
        to.raw(self.as_slice());
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        from.raw().map(Self::new)
    }
}

fn save_option<T: Saved>(value: Option<&T>, to: &mut Writer) {
    to.flag(value.is_some());
    if let Some(value) = value {
        value.save(to);
    }
}

fn load_option<T: Saved>(from: &mut Reader<'_>) -> Result<Option<T>, Damaged> {
    if from.flag()? { T::load(from).map(Some) } else { Ok(None) }
}

fn save_event(event: &ChainEvent, to: &mut Writer) {
    match event {
        ChainEvent::Fill(fill) => {
            to.byte(0);
            fill.save(to);
        }
        ChainEvent::Match { exchange, wallet, side, token, shares, usd } => {
            to.byte(1);
            exchange.save(to);
            wallet.save(to);
            side.save(to);
            token.save(to);
            to.amount(shares.micros());
            to.amount(usd.micros());
        }
        ChainEvent::Fee { exchange, kind, receiver, token, micros } => {
            to.byte(2);
            save_option(exchange.as_ref(), to);
            to.flag(*kind == FeeKind::Refunded);
            receiver.save(to);
            save_option(token.as_ref(), to);
            to.amount(*micros);
        }
        ChainEvent::Split { wallet, condition, amount } => {
            to.byte(3);
            save_pairs(*wallet, *condition, *amount, to);
        }
        ChainEvent::Merge { wallet, condition, amount } => {
            to.byte(4);
            save_pairs(*wallet, *condition, *amount, to);
        }
        ChainEvent::Redemption { wallet, condition, token, payout } => {
            to.byte(5);
            wallet.save(to);
            save_option(condition.as_ref(), to);
            save_option(token.as_ref(), to);
            to.amount(payout.micros());
        }
        ChainEvent::Conversion { wallet, market, index_set, amount } => {
            to.byte(6);
            wallet.save(to);
            market.save(to);
            to.raw(&index_set.to_be_bytes::<32>());
            to.amount(amount.micros());
        }
        ChainEvent::Preparation { condition, tokens } => {
            to.byte(7);
            condition.save(to);
            tokens.iter().for_each(|token| token.save(to));
        }
        ChainEvent::Resolution { condition, payouts } => {
            to.byte(8);
            condition.save(to);
            payouts.save(to);
        }
        ChainEvent::Derivable { event, yes } => {
            to.byte(9);
            event.save(to);
            save_option(yes.as_ref(), to);
        }
    }
}

fn save_pairs(wallet: Wallet, condition: ConditionId, amount: Shares, to: &mut Writer) {
    wallet.save(to);
    condition.save(to);
    to.amount(amount.micros());
}

fn load_event(from: &mut Reader<'_>) -> Result<ChainEvent, Damaged> {
    Ok(match from.byte()? {
        0 => ChainEvent::Fill(Fill::load(from)?),
        1 => ChainEvent::Match {
            exchange: Exchange::load(from)?,
            wallet: Wallet::load(from)?,
            side: Side::load(from)?,
            token: TokenId::load(from)?,
            shares: from.shares()?,
            usd: from.usd()?,
        },
        2 => ChainEvent::Fee {
            exchange: load_option(from)?,
            kind: if from.flag()? { FeeKind::Refunded } else { FeeKind::Charged },
            receiver: Wallet::load(from)?,
            token: load_option(from)?,
            micros: from.amount()?,
        },
        3 => ChainEvent::Split {
            wallet: Wallet::load(from)?,
            condition: ConditionId::load(from)?,
            amount: from.shares()?,
        },
        4 => ChainEvent::Merge {
            wallet: Wallet::load(from)?,
            condition: ConditionId::load(from)?,
            amount: from.shares()?,
        },
        5 => ChainEvent::Redemption {
            wallet: Wallet::load(from)?,
            condition: load_option(from)?,
            token: load_option(from)?,
            payout: from.usd()?,
        },
        6 => ChainEvent::Conversion {
            wallet: Wallet::load(from)?,
            market: B256::load(from)?,
            index_set: U256::from_be_bytes(from.raw::<32>()?),
            amount: from.shares()?,
        },
        7 => ChainEvent::Preparation {
            condition: ConditionId::load(from)?,
            tokens: [TokenId::load(from)?, TokenId::load(from)?],
        },
        8 => ChainEvent::Resolution { condition: ConditionId::load(from)?, payouts: Payouts::load(from)? },
        9 => ChainEvent::Derivable { event: B256::load(from)?, yes: load_option(from)? },
        other => return Err(Damaged::Mark(other)),
    })
}

impl Saved for Exchange {
    fn save(&self, to: &mut Writer) {
        let place = Self::ALL.iter().position(|other| other == self).unwrap_or(0);
        to.length(place);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let place = from.byte()?;
        Self::ALL.get(usize::from(place)).copied().ok_or(Damaged::Mark(place))
    }
}

impl Saved for Fill {
    fn save(&self, to: &mut Writer) {
        self.exchange.save(to);
        self.wallet.save(to);
        self.counterparty.save(to);
        to.flag(self.role == Role::Maker);
        self.side.save(to);
        self.token.save(to);
        to.amount(self.shares.micros());
        to.amount(self.usd.micros());
        let (in_shares, fee) = match self.fee {
            Fee::Usd(fee) => (false, fee.micros()),
            Fee::Shares(fee) => (true, fee.micros()),
        };
        to.flag(in_shares);
        to.amount(fee);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(Self {
            exchange: Exchange::load(from)?,
            wallet: Wallet::load(from)?,
            counterparty: Wallet::load(from)?,
            role: if from.flag()? { Role::Maker } else { Role::Taker },
            side: Side::load(from)?,
            token: TokenId::load(from)?,
            shares: from.shares()?,
            usd: from.usd()?,
            fee: if from.flag()? {
                Fee::Shares(Shares::from_micros(from.amount()?))
            } else {
                Fee::Usd(Usd::from_micros(from.amount()?))
            },
        })
    }
}
