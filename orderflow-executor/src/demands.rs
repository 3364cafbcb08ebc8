//! What markets demand of their orders, as the venue says: the fewest shares, and for how long what takes is held back.
//!
//! It is read when a market is first looked at, beside everything else, so that who is about to send an order finds it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::ConditionId;
use polymarket::{Clob, TradingTerms};
use tokio::time::{Instant, timeout};

/// So many markets are remembered; the one read longest ago makes room.
const MOST: usize = 1_000;

/// How long what was read counts. A market changes its rules seldom, and never without its grid being told of.
const LASTS: Duration = Duration::from_secs(600);

/// How long an order waits for an answer. Without one it is treated as on every market seen.
const PATIENCE: Duration = Duration::from_secs(2);

/// For so long a market that follows a price feed holds back what takes, where it does: the longer of the two times that
/// the venue's documentation names (`itode`).
const MOMENT: Duration = Duration::from_millis(250);

/// What markets demand.
#[derive(Clone, Debug)]
pub(crate) struct Demands {
    clob: Arc<Clob>,
    read: Arc<Mutex<BTreeMap<ConditionId, Read>>>,
}

/// An answer, and when it was asked for.
#[derive(Clone, Copy, Debug)]
struct Read {
    at: Instant,
    /// `None` while it is asked for, and where the venue knew of no such market.
    terms: Option<TradingTerms>,
}

impl Demands {
    pub(crate) fn new(clob: Arc<Clob>) -> Self {
        Self { clob, read: Arc::default() }
    }

    /// What is known of a market by now.
    pub(crate) fn known(&self, condition: ConditionId) -> Option<TradingTerms> {
        self.locked().get(&condition).and_then(|read| read.terms)
    }

    /// Reads a market's terms beside everything else, unless that was done lately.
    pub(crate) fn look_ahead(&self, condition: ConditionId) {
        if self.is_fresh(condition) {
            return;
        }
        // Once at a time: whoever asks meanwhile finds that it is being read.
        let terms = self.known(condition);
        self.keep(condition, Read { at: Instant::now(), terms });
        let this = self.clone();
        tokio::spawn(async move { this.ask(condition).await });
    }

    /// What is known of a market, asked for now where nothing is; `None` where the venue does not say in time.
    pub(crate) async fn read(&self, condition: ConditionId) -> Option<TradingTerms> {
        if let Some(known) = self.known(condition).filter(|_| self.is_fresh(condition)) {
            return Some(known);
        }
        if timeout(PATIENCE, self.ask(condition)).await.is_err() {
            tracing::warn!(%condition, "the venue does not say what a market demands of its orders");
        }
        self.known(condition)
    }

    async fn ask(&self, condition: ConditionId) {
        match self.clob.trading_terms(condition).await {
            Ok(terms) => self.keep(condition, Read { at: Instant::now(), terms }),
            Err(error) => {
                tracing::debug!(%condition, %error, "what a market demands of its orders was not read");
                self.doubt(condition);
            }
        }
    }

    /// It is asked for again with the next occasion; what was known stands until then.
    fn doubt(&self, condition: ConditionId) {
        let mut read = self.locked();
        match read.get_mut(&condition) {
            Some(known) if known.terms.is_some() => {
                known.at = known.at.checked_sub(LASTS).unwrap_or(known.at);
            }
            _ => {
                read.remove(&condition);
            }
        }
    }

    fn is_fresh(&self, condition: ConditionId) -> bool {
        self.locked().get(&condition).is_some_and(|read| read.at.elapsed() < LASTS)
    }

    fn keep(&self, condition: ConditionId, fresh: Read) {
        let mut read = self.locked();
        read.insert(condition, fresh);
        while MOST < read.len() {
            let oldest = read.iter().min_by_key(|(_, read)| read.at).map(|(condition, _)| *condition);
            match oldest {
                Some(oldest) => read.remove(&oldest),
                None => return,
            };
        }
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<ConditionId, Read>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For how long a market holds back an order that takes.
pub(crate) fn hold(terms: &TradingTerms) -> Duration {
    let moment = if terms.taker_delay { MOMENT } else { Duration::ZERO };
    moment.max(Duration::from_secs(u64::from(terms.seconds_delay)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Shares, Tick};

    /// A market says whether, and in sports for how many seconds.
    #[test]
    fn what_takes_is_held_back_as_the_market_says() {
        let terms = |taker_delay, seconds_delay| TradingTerms {
            condition: ConditionId::default(),
            tick: Tick::CENT,
            least: Shares::whole(5),
            accepting: Some(true),
            neg_risk: false,
            protocol_v2: false,
            fee_rate_ppm: 0,
            taker_delay,
            seconds_delay,
        };
        assert_eq!(hold(&terms(false, 0)), Duration::ZERO);
        assert_eq!(hold(&terms(true, 0)), Duration::from_millis(250));
        assert_eq!(hold(&terms(true, 3)), Duration::from_secs(3));
    }
}
