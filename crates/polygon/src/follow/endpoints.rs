//! Which node is asked, for how much at once, and how long to wait once all have failed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::range::Span;
use crate::pauses::{LONGEST_ASKED, jittered, pause_of_round};
use crate::rpc::Observer;

/// The nodes in turn.
pub(super) struct Endpoints {
    nodes: Vec<Node>,
    current: usize,
    /// Failures since the last success, of all nodes together.
    failures: u32,
}

struct Node {
    url: String,
    /// The name for people to read.
    shown: Arc<str>,
    /// Whether it has failed, and has been warned about, and has not recovered.
    down: bool,
    /// How many blocks to ask it for: what is too much for one node is not for the next.
    span: Span,
    /// Until when it has asked to be left alone.
    rests_until: Option<Instant>,
}

impl Endpoints {
    /// `most` is the most blocks to ask a node for at once; `observer` has the nodes' names.
    pub(super) fn new(urls: &[String], most: u64, observer: &Observer) -> Self {
        let span = Span::new(most);
        let node = |url: &String| Node {
            url: url.clone(),
            shown: observer.name_of(url),
            down: false,
            span,
            rests_until: None,
        };
        Self { nodes: urls.iter().map(node).collect(), current: 0, failures: 0 }
    }

    /// The address of the node whose turn it is, key and all; `None` where there is none at all.
    pub(super) fn current(&self) -> Option<&str> {
        self.nodes.get(self.current).map(|node| node.url.as_str())
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    /// How many blocks to ask the current node for.
    pub(super) fn span(&mut self) -> Option<&mut Span> {
        self.nodes.get_mut(self.current).map(|node| &mut node.span)
    }

    /// The current node has brought something new.
    pub(super) fn works(&mut self) {
        self.failures = 0;
        if let Some(node) = self.nodes.get_mut(self.current)
            && node.down
        {
            node.down = false;
            tracing::info!(endpoint = &*node.shown, "the node has recovered");
        }
    }

    /// Whether the current node has failed and not recovered since.
    pub(super) fn is_down(&self) -> bool {
        self.nodes.get(self.current).is_some_and(|node| node.down)
    }

    /// The current node has failed: the next one that has not asked to be left alone has its turn, after the
    /// pause that is returned. `asked` is for how long the failed one has asked.
    pub(super) fn failed(&mut self, reason: &str, asked: Option<Duration>) -> Duration {
        let now = Instant::now();
        if let Some(node) = self.nodes.get_mut(self.current) {
            if !node.down {
                node.down = true;
                tracing::warn!(endpoint = &*node.shown, reason, "the node fails");
            }
            node.rests_until = asked.map(|asked| now + asked.min(LONGEST_ASKED));
        }
        self.failures = self.failures.saturating_add(1);
        let count = self.count().max(1);
        let pause = if self.failures.is_multiple_of(count) {
            jittered(pause_of_round(self.failures / count))
        } else {
            Duration::ZERO
        };
        let rest = |node: &Node| node.rests_until.map_or(Duration::ZERO, |until| until - now);
        let turns = (1..=self.nodes.len()).map(|step| (self.current + step) % self.nodes.len());
        // Of those that rest no longer than the pause the one whose turn it is, else the one that rests least.
        let next = turns.min_by_key(|turn| self.nodes.get(*turn).map(|node| rest(node).max(pause)));
        self.current = next.unwrap_or_default();
        self.nodes.get(self.current).map_or(pause, |node| rest(node).max(pause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::RpcError;

    fn endpoints(count: u16) -> Endpoints {
        let urls: Vec<_> = (1..=count).map(|port| format!("http://127.0.0.1:{port}")).collect();
        Endpoints::new(&urls, 500, &Observer::default())
    }

    #[test]
    fn the_next_node_has_its_turn_at_once_and_a_pause_comes_after_the_last() {
        let mut endpoints = endpoints(3);
        let current = |endpoints: &Endpoints| endpoints.current().unwrap().to_owned();
        assert_eq!(current(&endpoints), "http://127.0.0.1:1");
        assert_eq!(endpoints.failed("x", None), Duration::ZERO);
        assert_eq!(current(&endpoints), "http://127.0.0.1:2");
        assert_eq!(endpoints.failed("x", None), Duration::ZERO);
        assert!(endpoints.failed("x", None) >= pause_of_round(1) / 2);
        assert_eq!(current(&endpoints), "http://127.0.0.1:1");
        assert!(endpoints.is_down());
        endpoints.works();
        assert!(!endpoints.is_down());
        assert_eq!(endpoints.failures, 0);
    }

    #[test]
    fn what_was_too_much_for_one_node_is_not_for_the_next() {
        let hangs = RpcError::Timeout { after: Duration::from_secs(30) };
        let mut endpoints = endpoints(2);
        let blocks = |endpoints: &mut Endpoints| endpoints.span().unwrap().blocks();
        for again in [true, false] {
            let asked = blocks(&mut endpoints);
            assert_eq!(endpoints.span().unwrap().refused(asked, &hangs), again);
        }
        assert_eq!(blocks(&mut endpoints), 25);
        endpoints.failed("x", None);
        assert_eq!(blocks(&mut endpoints), 100);
        endpoints.failed("x", None);
        assert_eq!(blocks(&mut endpoints), 25);
    }

    #[test]
    fn a_node_that_asks_to_be_left_alone_is_passed_over() {
        let mut endpoints = endpoints(2);
        assert_eq!(endpoints.failed("x", Some(Duration::from_secs(30))), Duration::ZERO);
        for round in 1..=2 {
            let pause = endpoints.failed("x", None);
            assert!(pause <= pause_of_round(round), "{pause:?}");
            assert_eq!(endpoints.current(), Some("http://127.0.0.1:2"));
        }
        // Where both ask, the one that asks for less comes first, and not before.
        let pause = endpoints.failed("x", Some(Duration::from_secs(60)));
        assert_eq!(endpoints.current(), Some("http://127.0.0.1:1"));
        assert!(pause > Duration::from_secs(29) && pause <= Duration::from_secs(30), "{pause:?}");
    }

    #[test]
    fn a_node_may_ask_for_a_pause_but_not_for_ever() {
        assert_eq!(endpoints(1).failed("x", Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(endpoints(1).failed("x", Some(Duration::MAX)), LONGEST_ASKED);
        assert!(endpoints(0).current().is_none());
    }
}
