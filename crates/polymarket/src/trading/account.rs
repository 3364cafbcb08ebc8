//! Who trades: the key that signs and the wallet that owns.

use alloy_primitives::Address;
use domain::Wallet;
use polymarket_client_sdk_v2 as sdk;
use sdk::clob::types::SignatureType;

use super::key::{POLYGON, PrivateKey};

/// What kind of wallet holds the money, by the venue's numbers for how orders of it are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalletKind {
    /// 0: the key's own account.
    Eoa,
    /// 1: the proxy of an account made with an e-mail address.
    Proxy,
    /// 2: a Gnosis Safe of one owner.
    Safe,
    /// 3: a deposit wallet, which every account since May 2026 has; it checks signatures itself (ERC-1271).
    Deposit,
}

impl WalletKind {
    /// The venue's number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Eoa => 0,
            Self::Proxy => 1,
            Self::Safe => 2,
            Self::Deposit => 3,
        }
    }

    /// All of them.
    pub const ALL: [Self; 4] = [Self::Eoa, Self::Proxy, Self::Safe, Self::Deposit];

    /// The kind of that number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    pub(crate) const fn sdk(self) -> SignatureType {
        match self {
            Self::Eoa => SignatureType::Eoa,
            Self::Proxy => SignatureType::Proxy,
            Self::Safe => SignatureType::GnosisSafe,
            Self::Deposit => SignatureType::Poly1271,
        }
    }
}

/// A trading account.
#[derive(Clone, Debug)]
pub struct Account {
    key: PrivateKey,
    kind: WalletKind,
    funder: Address,
}

/// Why a key and a wallet make no account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// A plain account holds its own money.
    #[error("signature type 0 trades from the key's own account {key}, not from {funder}")]
    FunderOfEoa {
        /// The key's account.
        key: Address,
        /// The wallet given.
        funder: Wallet,
    },
    /// The address of a deposit wallet does not follow from the key.
    #[error("signature type 3 needs the address of the deposit wallet")]
    NoDepositWallet,
    /// No wallet has the address zero, and no wallet but a plain account is its own key.
    #[error("{funder} cannot be the wallet of signature type {number}")]
    NotAWallet {
        /// The wallet given.
        funder: Wallet,
        /// The signature type.
        number: u8,
    },
}

impl Account {
    /// An account of `kind` whose money is in `funder`. Where none is given, the wallet of a proxy or Safe account
    /// is the one the venue makes for the key.
    ///
    /// # Errors
    /// [`AccountError`], for a wallet that does not go with the kind.
    pub fn new(key: PrivateKey, kind: WalletKind, funder: Option<Wallet>) -> Result<Self, AccountError> {
        let own = key.address();
        let funder = match (kind, funder) {
            (WalletKind::Eoa, None) => own,
            (WalletKind::Eoa, Some(Wallet(funder))) if funder == own => own,
            (WalletKind::Eoa, Some(funder)) => return Err(AccountError::FunderOfEoa { key: own, funder }),
            (_, Some(funder)) if funder.0 == Address::ZERO || funder.0 == own => {
                return Err(AccountError::NotAWallet { funder, number: kind.number() });
            }
            (_, Some(Wallet(funder))) => funder,
            (WalletKind::Proxy, None) => sdk::derive_proxy_wallet(own, POLYGON).unwrap_or(own),
            (WalletKind::Safe, None) => sdk::derive_safe_wallet(own, POLYGON).unwrap_or(own),
            (WalletKind::Deposit, None) => return Err(AccountError::NoDepositWallet),
        };
        Ok(Self { key, kind, funder })
    }

    /// The wallet that the venue makes for the key, where it follows from it; `None` for a deposit wallet, whose address
    /// does not.
    #[must_use]
    pub fn derived(&self) -> Option<Wallet> {
        let own = self.key.address();
        let derived = match self.kind {
            WalletKind::Eoa => Some(own),
            WalletKind::Proxy => sdk::derive_proxy_wallet(own, POLYGON),
            WalletKind::Safe => sdk::derive_safe_wallet(own, POLYGON),
            WalletKind::Deposit => None,
        };
        derived.map(Wallet)
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// The key's own account, under which the venue knows the API credentials.
    #[must_use]
    pub fn address(&self) -> Wallet {
        Wallet(self.key.address())
    }

    /// The kind of wallet.
    #[must_use]
    pub const fn kind(&self) -> WalletKind {
        self.kind
    }

    /// The wallet that owns orders and positions: the `maker` of every order.
    #[must_use]
    pub const fn funder(&self) -> Wallet {
        Wallet(self.funder)
    }

    /// What stands as `signer` in an order: the wallet itself where it checks signatures, else the key's account.
    pub(crate) fn order_signer(&self) -> Address {
        if self.kind == WalletKind::Deposit { self.funder } else { self.key.address() }
    }
}
