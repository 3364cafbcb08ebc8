//! What a test, or a person, makes the venue do: modes, settlements that go wrong, events that get lost.

use std::collections::VecDeque;
use std::time::Duration;

use axum::http::StatusCode;
use domain::Timestamp;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Refusal, Venue};

/// How long the venue takes no orders that would trade at once, after each restart.
const POST_ONLY_AFTER_RESTART: i64 = 120_000_000;

/// What the venue takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everything.
    #[default]
    Open,
    /// Nothing about orders: 425, until the engine is back; then two minutes of post-only.
    Restarting,
    /// Only orders that rest.
    PostOnly,
    /// Only cancels.
    CancelOnly,
    /// Not even cancels.
    Disabled,
}

/// What becomes of a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// It is in the next block.
    #[default]
    Mined,
    /// Its transaction fails so many times, each with another hash, before one is in a block.
    Retried(u8),
    /// Its transaction fails for good, and nothing of it has happened.
    Failed,
}

/// How the user channel misbehaves; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SocketFaults {
    /// Events come so many milliseconds late.
    pub delay_ms: u64,
    /// The share of events that never come.
    pub missing: f64,
    /// The share of events that come twice.
    pub duplicated: f64,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Controls {
    mode: Mode,
    /// When the mode ends; never by itself where there is no time.
    until: Option<Timestamp>,
    settlements: VecDeque<Settlement>,
    /// The shares of matches that are retried once, and that fail.
    unlucky: (f64, f64),
    pub(super) socket: SocketFaults,
    pub(super) auto_redeem: bool,
    pub(super) prefixed: bool,
    pub(super) blocked: bool,
    dice: ChaCha8Rng,
}

impl Controls {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            mode: Mode::Open,
            until: None,
            settlements: VecDeque::new(),
            unlucky: (0.0, 0.0),
            socket: SocketFaults::default(),
            auto_redeem: true,
            prefixed: false,
            blocked: false,
            dice: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    pub(super) fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && self.dice.random::<f64>() < share
    }

    /// What becomes of the next match.
    pub(super) fn next_settlement(&mut self) -> Settlement {
        if let Some(settlement) = self.settlements.pop_front() {
            return settlement;
        }
        let (retried, failed) = self.unlucky;
        if self.chance(failed) {
            Settlement::Failed
        } else if self.chance(retried) {
            Settlement::Retried(1)
        } else {
            Settlement::Mined
        }
    }
}

impl Venue {
    /// From now on, for a while or until another mode is set.
    pub(crate) fn set_mode(&mut self, mode: Mode, lasts: Option<Duration>, now: Timestamp) {
        let micros = lasts.map(|lasts| i64::try_from(lasts.as_micros()).unwrap_or(i64::MAX));
        self.controls.mode = mode;
        self.controls.until = micros.map(|micros| now.plus_micros(micros));
    }

    /// The mode at a moment: a restart is followed by post-only, everything else by normal trading.
    pub(crate) fn mode(&mut self, now: Timestamp) -> Mode {
        while let Some(until) = self.controls.until.filter(|until| *until <= now) {
            (self.controls.mode, self.controls.until) = match self.controls.mode {
                Mode::Restarting => (Mode::PostOnly, Some(until.plus_micros(POST_ONLY_AFTER_RESTART))),
                _ => (Mode::Open, None),
            };
        }
        self.controls.mode
    }

    /// Whether an order may come in now.
    pub(crate) fn takes_orders(&mut self, post_only: bool, now: Timestamp) -> Result<(), Refusal> {
        match self.mode(now) {
            Mode::Open => Ok(()),
            Mode::PostOnly if post_only => Ok(()),
            Mode::PostOnly => Err(self.post_only_refusal(now)),
            Mode::Restarting => Err(restarting()),
            Mode::CancelOnly => Err(unavailable(
                "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.",
            )),
            Mode::Disabled => {
                Err(unavailable("Trading is currently disabled. Check polymarket.com for updates"))
            }
        }
    }

    /// Whether an order may be cancelled now.
    pub(crate) fn takes_cancels(&mut self, now: Timestamp) -> Result<(), Refusal> {
        match self.mode(now) {
            Mode::Open | Mode::PostOnly | Mode::CancelOnly => Ok(()),
            Mode::Restarting => Err(restarting()),
            Mode::Disabled => {
                Err(unavailable("Trading is currently disabled. Check polymarket.com for updates"))
            }
        }
    }

    fn post_only_refusal(&self, now: Timestamp) -> Refusal {
        let left = self.controls.until.map_or(POST_ONLY_AFTER_RESTART, |until| until.micros_since(now));
        let seconds = u64::try_from(left).unwrap_or(0).div_ceil(1_000_000);
        let mut refusal = unavailable("post-only mode: only post-only orders are accepted");
        refusal.body["code"] = json!("post_only_mode");
        refusal.body["retry_after_seconds"] = json!(seconds);
        refusal.retry_after = Some(seconds);
        refusal
    }

    /// What becomes of the next matches, in order; after them chance decides again.
    pub(crate) fn plan_settlements(&mut self, plan: impl IntoIterator<Item = Settlement>) {
        self.controls.settlements.extend(plan);
    }

    /// The shares of matches that are retried once, and that fail.
    pub(crate) fn set_luck(&mut self, retried: f64, failed: f64) {
        self.controls.unlucky = (retried, failed);
    }

    pub(crate) fn set_socket_faults(&mut self, faults: SocketFaults) {
        self.controls.socket = faults;
    }

    /// Whether winners are paid without being asked.
    pub(crate) fn set_auto_redeem(&mut self, does: bool) {
        self.controls.auto_redeem = does;
    }

    /// Whether statuses are spelled as the specification has them (`ORDER_STATUS_LIVE`) instead of as the guides do.
    pub(crate) fn set_prefixed(&mut self, prefixed: bool) {
        self.controls.prefixed = prefixed;
    }

    pub(crate) fn set_blocked(&mut self, blocked: bool) {
        self.controls.blocked = blocked;
    }

    /// Whether the place this is asked from may not trade.
    pub(crate) fn is_blocked(&self) -> bool {
        self.controls.blocked
    }
}

/// The engine is not there for the moment.
pub(crate) fn restarting() -> Refusal {
    Refusal::new(StatusCode::TOO_EARLY, "the matching engine is restarting")
}

pub(crate) fn unavailable(message: &str) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_ends_in_two_minutes_of_post_only() {
        let start = Timestamp::from_seconds(1_000);
        let mut venue = Venue::new(1);
        venue.set_mode(Mode::Restarting, Some(Duration::from_secs(5)), start);
        let at = |seconds: i64| Timestamp::from_seconds(1_000 + seconds);
        assert_eq!(venue.takes_orders(true, at(4)).unwrap_err().status, StatusCode::TOO_EARLY);
        assert_eq!(venue.takes_cancels(at(4)).unwrap_err().status, StatusCode::TOO_EARLY);
        assert_eq!(venue.takes_orders(true, at(5)), Ok(()));
        let refusal = venue.takes_orders(false, at(46)).unwrap_err();
        assert_eq!(refusal.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!((refusal.body["retry_after_seconds"].as_u64(), refusal.retry_after), (Some(79), Some(79)));
        assert_eq!(venue.takes_orders(false, at(125)), Ok(()));
    }
}
