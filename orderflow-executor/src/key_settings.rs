//! Settings of live trading: whose key, which wallet, and where the venue is beside its order book.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use domain::Wallet;
use polymarket::trading::{Account, PrivateKey, WalletKind};
use service::settings::set;

/// What live trading needs beside what trading on paper does.
#[derive(Clone, Debug, clap::Args)]
pub struct LiveSettings {
    /// The file with the private key that signs orders: 64 hex digits, readable by its owner alone. Needed to trade
    /// in earnest, unless KEYSTORE_FILE is given.
    #[arg(long, env = "PRIVATE_KEY_FILE", value_name = "FILE", value_parser = path, help_heading = "Live trading")]
    pub private_key_file: Option<PathBuf>,
    /// The encrypted key instead: an Ethereum keystore of version 3.
    #[arg(long, env = "KEYSTORE_FILE", value_name = "FILE", value_parser = path, help_heading = "Live trading")]
    pub keystore_file: Option<PathBuf>,
    /// The file with the keystore's password.
    #[arg(
        long,
        env = "KEYSTORE_PASSWORD_FILE",
        value_name = "FILE",
        value_parser = path,
        help_heading = "Live trading"
    )]
    pub keystore_password_file: Option<PathBuf>,
    /// What kind of wallet holds the money: 0 the key's own account, 1 the proxy of an account by e-mail, 2 a Safe,
    /// 3 a deposit wallet, as every account since May 2026 has.
    #[arg(
        long,
        env = "SIGNATURE_TYPE",
        default_value_t = 3,
        value_parser = clap::value_parser!(u8).range(0..=3),
        help_heading = "Live trading"
    )]
    pub signature_type: u8,
    /// The wallet that holds the money. Types 1 and 2 find it from the key; type 3 needs it.
    #[arg(long, env = "FUNDER_ADDRESS", value_name = "ADDRESS", help_heading = "Live trading")]
    pub funder_address: Option<String>,
    /// The venue's channels of books and orders.
    #[arg(
        long,
        env = "CLOB_WS_URL",
        default_value = "wss://ws-subscriptions-clob.polymarket.com",
        value_name = "URL",
        help_heading = "Live trading"
    )]
    pub clob_ws_url: String,
    /// Who says whether the venue serves this place; without an answer nothing is traded.
    #[arg(
        long,
        env = "GEOBLOCK_URL",
        default_value = "https://polymarket.com",
        value_name = "URL",
        help_heading = "Live trading"
    )]
    pub geoblock_url: String,
    /// Seconds between two looks at place, standing, clock, balances and positions.
    #[arg(
        long,
        env = "LIVE_CHECK_SECS",
        default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(1..=3_600),
        help_heading = "Live trading"
    )]
    pub live_check_secs: u32,
}

impl LiveSettings {
    /// The account that is meant. Opening a keystore takes about a second of one core.
    ///
    /// # Errors
    /// What is missing, or wrong with the files; nothing of their content.
    pub fn account(&self) -> anyhow::Result<Account> {
        let [plain, keystore, password] =
            [&self.private_key_file, &self.keystore_file, &self.keystore_password_file].map(named);
        let key = match (plain, keystore, password) {
            (Some(file), None, None) => PrivateKey::from_hex_file(file)?,
            (None, Some(store), Some(password)) => PrivateKey::from_keystore(store, password)?,
            (None, Some(_), None) => bail!("KEYSTORE_FILE needs KEYSTORE_PASSWORD_FILE"),
            (None, None, _) => {
                bail!("no key: set PRIVATE_KEY_FILE, or KEYSTORE_FILE and KEYSTORE_PASSWORD_FILE")
            }
            (Some(_), ..) => bail!("PRIVATE_KEY_FILE and a keystore are both set: which one is meant?"),
        };
        let kind = WalletKind::from_number(self.signature_type).context("SIGNATURE_TYPE is 0 to 3")?;
        let funder: Option<Wallet> = set(self.funder_address.as_deref())
            .map(|text| text.to_lowercase().parse().context("FUNDER_ADDRESS"))
            .transpose()?;
        Ok(Account::new(key, kind, funder)?)
    }
}

/// An empty variable is one that is not set; clap's own parser of paths would refuse it.
fn path(text: &str) -> Result<PathBuf, std::convert::Infallible> {
    Ok(PathBuf::from(text))
}

/// The file, if one is named.
fn named(file: &Option<PathBuf>) -> Option<&Path> {
    file.as_deref().filter(|file| !file.as_os_str().is_empty())
}
