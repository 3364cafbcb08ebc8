//! Identifiers, one type each, so that a wallet is never passed where a token is meant.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::{Address, B256, U256};

/// A text that is not the identifier it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct IdError {
    text: String,
    expected: &'static str,
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        /// Lower-case hex behind `0x`.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format!("{:#x}", self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = || IdError { text: text.to_owned(), expected: $expected };
                // The prefix is asked for: without it a decimal number could pass for hex.
                let digits = text.strip_prefix("0x").ok_or_else(error)?;
                digits.parse().map(Self).map_err(|_| error())
            }
        }
    };
}

hex_id! {
    /// The address that owns orders and positions: an account, proxy, Safe or deposit wallet, never the signer.
    Wallet(Address), "a 0x-address of 40 hex digits"
}
hex_id! {
    /// A condition: 32 bytes on the conditional-token contract; 31 bytes of Protocol V2 padded right with a zero.
    ConditionId(B256), "a 0x-condition of 64 hex digits"
}
hex_id! {
    /// The hash of a block, which with a log's index names a log for ever, reorganised or not.
    BlockHash(B256), "a 0x-hash of 64 hex digits"
}
hex_id! {
    /// The hash of a transaction.
    TxHash(B256), "a 0x-hash of 64 hex digits"
}

/// An outcome token: the id under which the chain holds one outcome of one market.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub U256);

/// Decimal, as the venue writes it.
impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({})", self.0)
    }
}

impl FromStr for TokenId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError { text: text.to_owned(), expected: "a decimal token id below 2^256" };
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error());
        }
        U256::from_str_radix(text, 10).map(Self).map_err(|_| error())
    }
}

/// What names a log, and so a fact, exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactKey {
    /// The block it stands in.
    pub block: BlockHash,
    /// Its index among the block's logs.
    pub log_index: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_as_they_are_read() {
        let wallet = "0x0e8d61f16a2373931ffbfc2993f046e33286dfcc";
        assert_eq!(wallet.parse::<Wallet>().unwrap().to_string(), wallet);
        let token = "102936224134271070189104847090829839924697394514566827387181305960175107677216";
        assert_eq!(token.parse::<TokenId>().unwrap().to_string(), token);
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        assert!("0x12".parse::<Wallet>().is_err());
        assert!("0e8d61f16a2373931ffbfc2993f046e33286dfcc".parse::<Wallet>().is_err());
        assert!("0x10".parse::<TokenId>().is_err());
        assert!("".parse::<TokenId>().is_err());
        assert!("9".repeat(79).parse::<TokenId>().is_err());
    }
}
