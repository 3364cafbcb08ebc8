//! What happens when the venue does not know our credentials: they are derived again with the wallet's own signature, a
//! few times, and nothing is entered meanwhile.

use std::sync::Arc;
use std::time::Duration;

use domain::Closing;
use polymarket::VenueError;
use polymarket::trading::{Access, Account, KeyDesk, NONCES, Trader};
use store::halts::HaltKind;
use tokio::time::Instant;

use super::desk::Desk;
use super::requests::Told;
use super::standing::Objection;

/// So often in a row credentials are derived again. After that a person must look.
const MOST_RENEWALS: u32 = 3;

/// The longest pause between two renewals where the venue knows the credentials whenever it is asked about them, and does
/// not know them for something else that it is asked.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How it stands with the credentials.
#[derive(Debug)]
pub(super) struct Renewal {
    keys: Arc<KeyDesk>,
    pub(super) access: Access,
    /// Whether it is under way.
    is_asked: bool,
    /// When it is tried next.
    pub(super) due: Option<Instant>,
    /// Tries in a row to which the venue said no, and those that came to nothing for whatever reason.
    failures: u32,
    tries: u32,
    /// When the venue last said that it knows the credentials, and how often in a row it said so in vain.
    known: Option<Instant>,
    rounds: u32,
    /// The orders that were refused, and wait.
    waiting: Vec<i64>,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Renewed {
    /// The venue knows the credentials in use.
    Known,
    /// It could not be asked: that says nothing of them.
    Unheard(String),
    /// It hands out none that it knows.
    Refused(String),
}

impl Renewal {
    pub(super) fn new(keys: KeyDesk, access: Access) -> Self {
        Self {
            keys: Arc::new(keys),
            access,
            is_asked: false,
            due: None,
            failures: 0,
            tries: 0,
            known: None,
            rounds: 0,
            waiting: vec![],
        }
    }

    /// Credentials are wanted: at once, unless the venue has just said that it knows those in use.
    fn want(&mut self, now: Instant, pause: Duration) {
        if self.is_asked || self.due.is_some() {
            return;
        }
        if self.known.is_none_or(|known| known + 2 * LONGEST_PAUSE <= now) {
            self.rounds = 0;
        }
        let pause = match self.rounds {
            0 => Duration::ZERO,
            rounds => pause.saturating_mul(1 << rounds.min(16)).min(LONGEST_PAUSE),
        };
        self.due = Some(now + pause);
    }

    /// The venue knows the credentials in use.
    fn is_known(&mut self, now: Instant) {
        (self.failures, self.tries) = (0, 0);
        self.known = Some(now);
        self.rounds = self.rounds.saturating_add(1);
    }
}

/// Reads the clock, by which every request is signed, and where that was not it, derives credentials until the venue
/// knows them.
pub(super) async fn renew(trader: Arc<Trader>, keys: Arc<KeyDesk>, access: Access) -> Told {
    let renewed = match attempt(&trader, &keys, &access).await {
        Ok(()) => Renewed::Known,
        // Whoever stalls or breaks down has not said that we are nobody.
        Err(error @ VenueError::Status { code: 400..=499, .. }) => Renewed::Refused(error.to_string()),
        Err(error) => Renewed::Unheard(error.to_string()),
    };
    Told::Renewed(renewed)
}

async fn attempt(trader: &Trader, keys: &KeyDesk, access: &Access) -> Result<(), VenueError> {
    trader.sync_clock().await?;
    let mut refused = match trader.closed_only().await {
        Ok(_) => return Ok(()),
        Err(error) if is_unauthorised(&error) => error,
        Err(error) => return Err(error),
    };
    keys.sync_clock().await?;
    let account: &Account = trader.account();
    for nonce in 0..NONCES {
        let credentials = match keys.derive_or_create(account, nonce).await {
            Ok(credentials) => credentials,
            // Those of this nonce were taken back for good.
            Err(error @ VenueError::Status { code: 400 | 401 | 404, .. }) => {
                refused = error;
                continue;
            }
            Err(error) => return Err(error),
        };
        access.replace(credentials);
        match trader.closed_only().await {
            Ok(_) => return Ok(()),
            Err(error) if is_unauthorised(&error) => refused = error,
            Err(error) => return Err(error),
        }
    }
    Err(refused)
}

/// Whether the venue does not know who asks.
pub(super) const fn is_unauthorised(error: &VenueError) -> bool {
    matches!(error, VenueError::Status { code: 401, .. })
}

impl Desk {
    /// The venue does not know our credentials; an order that it refused for that waits for others.
    pub(super) fn unauthorised(&mut self, order: Option<i64>) {
        self.renewal.waiting.extend(order);
        if self.renewal.failures < MOST_RENEWALS {
            let says = "the venue does not know our credentials: they are derived again".to_owned();
            self.standing.set(Objection::Credentials, Some(says));
            self.renewal.want(Instant::now(), self.rhythm.poll);
        } else {
            self.give_up_waiting("not authorised, and no credentials are handed out that are");
        }
    }

    /// Asks for credentials, if it is time.
    pub(super) fn renew_what_is_due(&mut self, now: Instant) {
        if self.renewal.is_asked || self.renewal.due.is_none_or(|due| now < due) {
            return;
        }
        self.renewal.due = None;
        self.renewal.is_asked = true;
        let (keys, access) = (Arc::clone(&self.renewal.keys), self.renewal.access.clone());
        self.requests.spawn(renew(Arc::clone(&self.trader), keys, access));
    }

    pub(super) fn on_renewed(&mut self, renewed: Renewed) {
        self.renewal.is_asked = false;
        match renewed {
            Renewed::Known => {
                self.renewal.is_known(Instant::now());
                self.standing.set(Objection::Credentials, None);
                tracing::warn!("the venue knows our credentials again");
                for id in std::mem::take(&mut self.renewal.waiting) {
                    if let Some(tracked) = self.orders.get_mut(&id) {
                        tracked.is_asked = false;
                        self.send_again(id);
                    }
                }
                // Whatever was asked with those that were not known is asked again.
                self.doubt_everything();
            }
            Renewed::Unheard(why) => self.try_again(&why),
            Renewed::Refused(why) => {
                self.renewal.failures += 1;
                if self.renewal.failures < MOST_RENEWALS {
                    self.try_again(&why);
                    return;
                }
                let says = format!("the venue does not know our credentials, and hands out no others: {why}");
                self.standing.set(Objection::Credentials, None);
                self.halt(HaltKind::Configuration, says);
                self.give_up_waiting("not authorised, and no credentials are handed out that are");
            }
        }
    }

    fn try_again(&mut self, why: &str) {
        self.renewal.tries = self.renewal.tries.saturating_add(1);
        tracing::error!(why, tries = self.renewal.tries, "no credentials that the venue knows");
        let pause = self.rhythm.poll.saturating_mul(1 << self.renewal.tries.min(16)).min(LONGEST_PAUSE);
        self.renewal.due = Some(Instant::now() + pause);
    }

    /// A person has seen to it: credentials are derived again where the venue does not know those in use.
    pub(super) const fn renew_anew(&mut self) {
        (self.renewal.failures, self.renewal.tries, self.renewal.rounds) = (0, 0, 0);
    }

    fn give_up_waiting(&mut self, reason: &str) {
        for id in std::mem::take(&mut self.renewal.waiting) {
            if let Some(tracked) = self.orders.get_mut(&id) {
                tracked.is_asked = false;
                self.end(id, Closing::Rejected { reason: reason.to_owned() });
            }
        }
    }

    /// Whether an order can be sent with the credentials in use: its body names the key that it was signed for.
    pub(super) fn is_ours(&self, id: i64) -> bool {
        let key = self.renewal.access.key();
        self.orders.get(&id).is_some_and(|tracked| tracked.signed.is_owned_by(&key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Duration = Duration::from_secs(3);
    const KEY: &str = "00000000-0000-0000-0000-000000000001";

    fn renewal() -> Renewal {
        service::process::use_tls();
        let keys = KeyDesk::new("http://127.0.0.1:1", POLL).unwrap();
        let credentials = polymarket::trading::Credentials::new(KEY, "c2VjcmV0", "phrase").unwrap();
        Renewal::new(keys, Access::from(credentials))
    }

    /// The venue knows the credentials whenever it is asked about them, and refuses something else for them without end: it
    /// is not asked without a pause, and once that has passed the next refusal is a new one.
    #[test]
    fn credentials_that_are_known_in_vain_are_no_storm() {
        let mut renewal = renewal();
        let mut now = Instant::now();
        let mut pause_of = |renewal: &mut Renewal, later: Duration| {
            now += later;
            renewal.want(now, POLL);
            let due = renewal.due.take().unwrap();
            let pause = due.duration_since(now);
            now = due;
            renewal.is_known(now);
            pause.as_secs()
        };
        let pauses: Vec<u64> = (0..7).map(|_| pause_of(&mut renewal, Duration::ZERO)).collect();
        assert_eq!(pauses, [0, 6, 12, 24, 48, 60, 60]);
        assert_eq!(pause_of(&mut renewal, 2 * LONGEST_PAUSE), 0);
    }
}
