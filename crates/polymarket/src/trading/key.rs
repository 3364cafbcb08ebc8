//! The private key that signs orders: read from a file, never from the command line, never shown.

use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use alloy_primitives::{Address, B256};
use alloy_signer_local::{LocalSignerError, PrivateKeySigner};
use polymarket_client_sdk_v2::auth::Signer as _;
use serde::Deserialize;
use zeroize::Zeroizing;

/// Polygon's chain id, the only chain the venue trades on.
pub(crate) const POLYGON: u64 = 137;

/// A key or a password is a line; a keystore is under a kilobyte. Whoever names a larger file means another one.
const MAX_FILE: u64 = 16 << 10;

/// A secp256k1 key that acts on Polygon. Its memory is wiped when it goes.
#[derive(Clone)]
pub struct PrivateKey {
    signer: PrivateKeySigner,
}

/// Why no key was read. Nothing of a file's content is ever part of it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Others on this machine may read or change the file.
    #[error("{} can be read or changed by others (mode {mode:o}): run `chmod 600` on it first", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds no private key in hex.
    #[error("{} holds no private key: 64 hex digits are expected, with or without `0x`", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The keystore cannot be opened with that password, or is no keystore (version 3).
    #[error("{} cannot be opened: {reason}", path.display())]
    Keystore {
        /// The file.
        path: PathBuf,
        /// What is wrong, without any of it.
        reason: &'static str,
    },
}

impl PrivateKey {
    /// The key in a file of 64 hex digits, with or without `0x` before them and space around them.
    ///
    /// # Errors
    /// [`KeyError::Unreadable`]; [`KeyError::Exposed`] where group or world have any right to the file (unix);
    /// [`KeyError::NotAKey`].
    pub fn from_hex_file(path: &Path) -> Result<Self, KeyError> {
        let text = read_secret(path)?;
        Self::from_hex(text.trim()).ok_or_else(|| KeyError::NotAKey { path: path.to_owned() })
    }

    /// The key in an Ethereum keystore (version 3), opened with the first line of a password file. Deriving the
    /// key takes about a second of one core by design, so call it where blocking is no harm.
    ///
    /// # Errors
    /// As [`PrivateKey::from_hex_file`] for each of the files, and [`KeyError::Keystore`].
    pub fn from_keystore(path: &Path, password_file: &Path) -> Result<Self, KeyError> {
        let refused = |reason| KeyError::Keystore { path: path.to_owned(), reason };
        let document = read_secret(path)?;
        if !is_sane_keystore(&document) {
            return Err(refused("it is no keystore of version 3 with ordinary parameters"));
        }
        let password = read_secret(password_file)?;
        let password = password.lines().next().unwrap_or_default();
        match PrivateKeySigner::decrypt_keystore(path, password) {
            Ok(signer) => Ok(Self::of(signer)),
            Err(LocalSignerError::EthKeystoreError(_)) => Err(refused("the password does not fit")),
            Err(_) => Err(refused("what it holds is no private key")),
        }
    }

    /// The key of hex digits; `None` where they are none.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let mut bytes = Zeroizing::new([0_u8; 32]);
        alloy_primitives::hex::decode_to_slice(digits, &mut *bytes).ok()?;
        PrivateKeySigner::from_slice(&*bytes).ok().map(Self::of)
    }

    fn of(signer: PrivateKeySigner) -> Self {
        Self { signer: signer.with_chain_id(Some(POLYGON)) }
    }

    /// The account the key controls.
    #[must_use]
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    pub(crate) fn signer(&self) -> &PrivateKeySigner {
        &self.signer
    }

    /// Signs a digest: 65 bytes as `0x` hex.
    pub(crate) async fn sign_digest(&self, digest: B256) -> Option<String> {
        self.signer.sign_hash(&digest).await.ok().map(|signature| signature.to_string())
    }
}

/// The address only.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(of {})", self.address())
    }
}

/// Reads a file that only its owner may touch. The file is opened first and asked about then, so that it cannot be
/// exchanged in between.
fn read_secret(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let unreadable = |source| KeyError::Unreadable { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(unreadable)?;
    let facts = file.metadata().map_err(unreadable)?;
    if !facts.is_file() {
        return Err(unreadable(std::io::Error::other("it is not a file")));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = facts.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed { path: path.to_owned(), mode });
        }
    }
    if facts.len() > MAX_FILE {
        return Err(unreadable(std::io::Error::other("it is too large for a secret")));
    }
    // Room for all of it at once: a buffer that grew would leave copies behind.
    let room = usize::try_from(MAX_FILE).unwrap_or_default() + 1;
    let mut text = Zeroizing::new(String::with_capacity(room));
    file.take(MAX_FILE).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// The parts of a keystore whose odd values would stop the process or fill its memory instead of being refused.
#[derive(Deserialize)]
struct Keystore {
    version: u64,
    #[serde(alias = "Crypto")]
    crypto: Crypto,
}

#[derive(Deserialize)]
struct Crypto {
    cipher: String,
    ciphertext: String,
    cipherparams: CipherParams,
    kdfparams: KdfParams,
}

#[derive(Deserialize)]
struct CipherParams {
    iv: String,
}

#[derive(Deserialize)]
struct KdfParams {
    dklen: u64,
    #[serde(default)]
    n: Option<u64>,
    #[serde(default)]
    r: Option<u64>,
    #[serde(default)]
    p: Option<u64>,
    #[serde(default)]
    c: Option<u64>,
}

fn is_sane_keystore(document: &str) -> bool {
    let Ok(store) = serde_json::from_str::<Keystore>(document) else { return false };
    let crypto = &store.crypto;
    let kdf = &crypto.kdfparams;
    let is_slow_enough = match (kdf.n, kdf.r, kdf.p, kdf.c) {
        (Some(n), Some(r), Some(p), None) => {
            n.is_power_of_two()
                && (2..=1 << 20).contains(&n)
                && (1..=32).contains(&r)
                && (1..=16).contains(&p)
        }
        (None, None, None, Some(c)) => (1..=10_000_000).contains(&c),
        _ => false,
    };
    store.version == 3
        && crypto.cipher == "aes-128-ctr"
        && crypto.ciphertext.len() == 64
        && crypto.cipherparams.iv.len() == 32
        && kdf.dklen == 32
        && is_slow_enough
}
