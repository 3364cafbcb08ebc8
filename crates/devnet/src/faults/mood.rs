//! The faults of one server at the moment, and the chance that decides whom they meet.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;

use super::Faults;

/// What a server is up to.
#[derive(Debug)]
pub(crate) struct Mood {
    faults: watch::Sender<Arc<Faults>>,
    chance: Mutex<ChaCha8Rng>,
    /// Counts the times when every WebSocket was cut.
    cuts: watch::Sender<u64>,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Fate {
    /// An answer.
    Answered,
    /// An answer once these faults are no more.
    Stalled(Arc<Faults>),
    /// No answer.
    Refused(Refusal),
    /// An answer that is none.
    Spoiled(Spoiling),
}

/// What a client gets instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Disconnected,
    RateLimited(Duration),
    Overloaded,
    Html,
}

/// What is done to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoiling {
    Half,
    WrongType,
    BadLength,
    OtherId,
}

/// An honest one.
impl Default for Mood {
    fn default() -> Self {
        Self {
            faults: watch::Sender::default(),
            chance: Mutex::new(ChaCha8Rng::seed_from_u64(0)),
            cuts: watch::Sender::default(),
        }
    }
}

impl Mood {
    /// From now on it is up to this.
    pub(crate) fn set(&self, faults: Faults) {
        *self.chance.lock().unwrap_or_else(PoisonError::into_inner) = ChaCha8Rng::seed_from_u64(faults.seed);
        self.faults.send_replace(Arc::new(faults));
    }

    pub(crate) fn faults(&self) -> Arc<Faults> {
        Arc::clone(&self.faults.borrow())
    }

    /// Hears of new faults.
    pub(crate) fn changes(&self) -> watch::Receiver<Arc<Faults>> {
        self.faults.subscribe()
    }

    /// Waits until other faults are set.
    pub(crate) async fn until_other_than(&self, faults: &Arc<Faults>) {
        let mut changes = self.faults.subscribe();
        // The sender lives as long as `self`: waiting cannot fail.
        let _ = changes.wait_for(|now| !Arc::ptr_eq(now, faults)).await;
    }

    /// Cuts every open WebSocket.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Hears of cuts from now on.
    pub(crate) fn cuts(&self) -> watch::Receiver<u64> {
        self.cuts.subscribe()
    }

    /// Whether it happens this time.
    pub(crate) fn happens(&self, share: f64) -> bool {
        share > 0.0 && self.chance.lock().unwrap_or_else(PoisonError::into_inner).random::<f64>() < share
    }

    /// One of `0..count`; 0 where that is empty.
    pub(crate) fn any(&self, count: usize) -> usize {
        if count < 2 {
            return 0;
        }
        self.chance.lock().unwrap_or_else(PoisonError::into_inner).random_range(0..count)
    }

    /// What becomes of the next request.
    pub(crate) fn fate(&self) -> Fate {
        let faults = self.faults();
        let wrong = faults.wrong;
        if self.happens(faults.stalled) {
            return Fate::Stalled(faults);
        }
        if let Some(limit) = faults.rate_limited
            && self.happens(limit.share)
        {
            return Fate::Refused(Refusal::RateLimited(limit.retry_after));
        }
        let refusals = [
            (faults.disconnected, Refusal::Disconnected),
            (faults.overloaded, Refusal::Overloaded),
            (wrong.html, Refusal::Html),
        ];
        if let Some((_, refusal)) = refusals.into_iter().find(|(share, _)| self.happens(*share)) {
            return Fate::Refused(refusal);
        }
        let spoilings = [
            (wrong.half, Spoiling::Half),
            (wrong.wrong_type, Spoiling::WrongType),
            (wrong.bad_length, Spoiling::BadLength),
            (wrong.other_id, Spoiling::OtherId),
        ];
        let spoiled = spoilings.into_iter().find(|(share, _)| self.happens(*share));
        spoiled.map_or(Fate::Answered, |(_, spoiling)| Fate::Spoiled(spoiling))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(mood: &Mood) -> Vec<String> {
        (0..200).map(|_| format!("{:?}", mood.fate())).collect()
    }

    #[test]
    fn chance_begins_anew_with_each_setting() {
        let mood = Mood::default();
        assert!(fates(&mood).iter().all(|fate| fate == "Answered"));
        let faults = Faults { seed: 3, disconnected: 0.3, overloaded: 0.3, ..Faults::default() };
        mood.set(faults.clone());
        let first = fates(&mood);
        let refused = first.iter().filter(|fate| *fate != "Answered").count();
        // 0.3 + 0.7 · 0.3 of 200 is 102.
        assert!((80..125).contains(&refused), "{refused}");
        mood.set(faults.clone());
        assert_eq!(fates(&mood), first);
        mood.set(Faults { seed: 4, ..faults });
        assert_ne!(fates(&mood), first);
    }

    #[test]
    fn always_is_always_and_never_is_never() {
        let mood = Mood::default();
        assert!((0..1_000).all(|_| mood.happens(1.0) && !mood.happens(0.0)));
        assert_eq!((mood.any(0), mood.any(1)), (0, 0));
        assert!((0..1_000).map(|_| mood.any(3)).all(|one| one < 3));
    }
}
