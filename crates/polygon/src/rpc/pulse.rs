//! Whether a connection that says nothing is lost. Pure: it is told the time.

use std::time::Duration;

use tokio::time::Instant;

/// A node announces a head every two seconds; one that says nothing for this long is gone, or its
/// subscription is.
pub(super) const SILENCE: Duration = Duration::from_secs(15);

/// When a node was last heard of.
///
/// While a question waits nothing is held against the node: a search for logs may take longer than
/// [`SILENCE`], some nodes do nothing else meanwhile, and the question has a time limit of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pulse {
    /// When something last came, or was last waited for.
    heard: Instant,
    /// When a head was last announced, or its announcements were asked for; `None` where the node has refused
    /// them. Told apart from all else, because a subscription can die while answers go on.
    head: Option<Instant>,
}

impl Pulse {
    /// Of a connection that was opened `now`.
    pub(super) const fn new(now: Instant) -> Self {
        Self { heard: now, head: Some(now) }
    }

    /// Something came.
    pub(super) const fn message(&mut self, now: Instant) {
        self.heard = now;
    }

    /// A head was announced.
    pub(super) const fn head(&mut self, now: Instant) {
        self.head = Some(now);
    }

    /// No heads will be announced.
    pub(super) const fn without_heads(&mut self) {
        self.head = None;
    }

    /// Whether to give up the connection; `waits` is whether a question does.
    pub(super) fn is_lost(&mut self, waits: bool, now: Instant) -> bool {
        if waits {
            self.heard = now;
            return false;
        }
        let is_old = |then| now.saturating_duration_since(then) > SILENCE;
        is_old(self.heard) || self.head.is_some_and(is_old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn silence_counts_only_while_nothing_waits() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start);
        pulse.without_heads();
        assert!(!pulse.is_lost(false, start + seconds(15)));
        assert!(!pulse.is_lost(true, start + seconds(29)));
        assert!(!pulse.is_lost(false, start + seconds(44)));
        assert!(pulse.is_lost(false, start + seconds(45)));
        pulse.message(start + seconds(45));
        assert!(!pulse.is_lost(false, start + seconds(60)));
    }

    #[test]
    fn a_subscription_can_die_while_answers_go_on() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start);
        pulse.head(start + seconds(2));
        for second in 3..=17 {
            pulse.message(start + seconds(second));
            assert!(!pulse.is_lost(false, start + seconds(second)));
        }
        pulse.message(start + seconds(18));
        assert!(!pulse.is_lost(true, start + seconds(18)));
        assert!(pulse.is_lost(false, start + seconds(18)));
        pulse.head(start + seconds(18));
        assert!(!pulse.is_lost(false, start + seconds(18)));
    }
}
