//! The account for trying things out.

use alloy_primitives::{Address, address};

/// An account whose key everybody knows. It is funded on the simulated chain and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestAccount {
    /// Its address.
    pub address: Address,
    /// Its private key, as `0x` and 64 hex digits.
    pub private_key_hex: String,
}

impl TestAccount {
    /// The first account of the mnemonic "test test … junk", which every Ethereum developer knows and nobody
    /// can mistake for a secret.
    pub(crate) fn well_known() -> Self {
        Self {
            address: address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
            private_key_hex: "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80".to_owned(),
        }
    }
}
