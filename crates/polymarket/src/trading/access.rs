//! The API credentials in use. The venue may take some back while a client runs: whoever needs them reads them anew each
//! time, so that all go on with the same new ones.

use std::sync::{Arc, PoisonError, RwLock};

use super::credentials::Credentials;

/// Credentials that can be replaced, shared by everybody who sends or hears with them.
#[derive(Clone, Debug)]
pub struct Access(Arc<RwLock<Credentials>>);

impl Access {
    /// Those in use now.
    #[must_use]
    pub fn current(&self) -> Credentials {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The API key in use now, which names the owner of new orders.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).key()
    }

    /// Goes on with others.
    pub fn replace(&self, credentials: Credentials) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = credentials;
    }
}

impl From<Credentials> for Access {
    fn from(credentials: Credentials) -> Self {
        Self(Arc::new(RwLock::new(credentials)))
    }
}
