//! What asking costs and how well those who are asked answer, counted where the questions are put.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use alloy_primitives::{B256, keccak256};
use domain::Timestamp;

use super::redacted;

/// How many complaints wait to be taken; older ones give way.
const COMPLAINTS: usize = 1_000;
/// How many characters of a malformed answer are kept.
const EXCERPT: usize = 300;
/// The method under which what a subscription delivers is counted.
pub(crate) const SUBSCRIPTION: &str = "subscription";

/// Counts what is asked of endpoints, keeps their health, and collects what was malformed. Shared by all who
/// ask, nodes and portals alike.
#[derive(Debug, Default)]
pub struct Observer {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    endpoints: BTreeMap<Arc<str>, Record>,
    complaints: VecDeque<Complaint>,
    complaints_ever: u64,
    /// The hashes of the addresses that are shown alike.
    names: BTreeMap<String, Vec<B256>>,
}

#[derive(Debug, Default)]
struct Record {
    methods: BTreeMap<&'static str, Counts>,
    head: Option<u64>,
    last_answer: Option<Timestamp>,
    last_error: Option<String>,
    failures_in_a_row: u32,
    /// Whether it was left for what it said, though it answers.
    is_unfit: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    calls: u64,
    failures: u64,
    bytes: u64,
    compute_units: u64,
}

/// What an endpoint was asked with one method, since the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The endpoint, without what may be secret in its address.
    pub endpoint: Arc<str>,
    /// The method; `subscription` for what was delivered unasked.
    pub method: &'static str,
    /// Questions put, or messages delivered.
    pub calls: u64,
    /// Questions without a usable answer.
    pub failures: u64,
    /// Bytes of the answers, unpacked.
    pub bytes: u64,
    /// What it costs by Alchemy's published price table of 2026.
    pub compute_units: u64,
}

/// How an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointHealth {
    /// The endpoint, without what may be secret in its address.
    pub endpoint: Arc<str>,
    /// Whether its last answer came, and nothing that it said since made somebody leave it.
    pub working: bool,
    /// The newest block that it has named.
    pub head: Option<u64>,
    /// When it last answered.
    pub last_answer: Option<Timestamp>,
    /// What last went wrong.
    pub last_error: Option<String>,
    /// How many questions in a row it has left without an answer.
    pub failures_in_a_row: u32,
}

/// A malformed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The endpoint, without what may be secret in its address.
    pub endpoint: Arc<str>,
    /// What was asked.
    pub method: &'static str,
    /// What is wrong with the answer, without secrets.
    pub what: String,
    /// The beginning of what came, without secrets, of 300 characters at most.
    pub excerpt: String,
    /// When it came.
    pub at: Timestamp,
}

/// What a call costs in compute units, by Alchemy's published table of 2026. The table names no price for
/// `eth_getTransactionReceipt`; that of a block's receipts is taken. What a subscription delivers costs 0.04 a
/// byte, rounded up for each message. Methods that the table does not know, such as a portal's, cost nothing.
#[must_use]
fn compute_units(method: &str, bytes: u64) -> u64 {
    match method {
        "eth_getLogs" => 60,
        "eth_getBlockByNumber"
        | "eth_getBlockByHash"
        | "eth_getBlockReceipts"
        | "eth_getTransactionReceipt" => 20,
        "eth_blockNumber" | "eth_subscribe" => 10,
        SUBSCRIPTION => bytes.div_ceil(25),
        _ => 0,
    }
}

impl Observer {
    /// The name under which the endpoint at an address is shown and counted: the address without what may be
    /// secret in it, and where another one has that already, `#2` behind it, `#3` and so on.
    #[must_use]
    pub(crate) fn name_of(&self, url: &str) -> Arc<str> {
        let shown = redacted(url);
        let mut state = self.state();
        let twins = state.names.entry(shown.clone()).or_default();
        // Addresses are told apart without being kept: they hold keys.
        let own = keccak256(url);
        let at = twins.iter().position(|twin| *twin == own).unwrap_or_else(|| {
            twins.push(own);
            twins.len() - 1
        });
        match at {
            0 => shown.into(),
            at => format!("{shown} #{}", at + 1).into(),
        }
    }

    /// A question was answered, be it with a refusal.
    pub(crate) fn answered(&self, endpoint: &Arc<str>, method: &'static str, bytes: u64, is_refusal: bool) {
        let at = now();
        let mut state = self.state();
        let record = state.record(endpoint);
        record.count(method, bytes, compute_units(method, bytes), is_refusal);
        record.last_answer = Some(at);
        record.failures_in_a_row = 0;
    }

    /// A question could not be put, or its connection broke before anything came, which costs nothing. The error
    /// must hold no secrets.
    pub(crate) fn unanswered(&self, endpoint: &Arc<str>, method: &'static str, error: &str) {
        let mut state = self.state();
        let record = state.record(endpoint);
        record.count(method, 0, 0, true);
        record.fail(error);
    }

    /// A question was put and left without an answer that can be used; `bytes` may have come all the same. The
    /// error must hold no secrets.
    pub(crate) fn failed(&self, endpoint: &Arc<str>, method: &'static str, bytes: u64, error: &str) {
        let mut state = self.state();
        let record = state.record(endpoint);
        record.count(method, bytes, compute_units(method, bytes), true);
        record.fail(error);
    }

    /// A subscription delivered a message.
    pub(crate) fn delivered(&self, endpoint: &Arc<str>, bytes: u64) {
        self.answered(endpoint, SUBSCRIPTION, bytes, false);
    }

    /// An endpoint has named its newest block.
    pub(crate) fn head(&self, endpoint: &Arc<str>, number: u64) {
        self.state().record(endpoint).head = Some(number);
    }

    /// An endpoint answers, but what it says is of no use: it is behind, on another chain, contradicts itself.
    /// The reason must hold no secrets.
    pub(crate) fn unfit(&self, endpoint: &Arc<str>, reason: &str) {
        let mut state = self.state();
        let record = state.record(endpoint);
        record.is_unfit = true;
        record.last_error = Some(reason.to_owned());
    }

    /// What an endpoint says is of use.
    pub(crate) fn fit(&self, endpoint: &Arc<str>) {
        self.state().record(endpoint).is_unfit = false;
    }

    /// An answer was malformed. Neither text may hold secrets; the excerpt is cut.
    pub(crate) fn complain(&self, endpoint: &Arc<str>, method: &'static str, what: &str, excerpt: &str) {
        let what = what.chars().take(EXCERPT).collect();
        let excerpt = excerpt.chars().take(EXCERPT).collect();
        let complaint = Complaint { endpoint: Arc::clone(endpoint), method, what, excerpt, at: now() };
        let mut state = self.state();
        state.complaints_ever += 1;
        if state.complaints.len() == COMPLAINTS {
            state.complaints.pop_front();
        }
        state.complaints.push_back(complaint);
    }

    /// What was asked so far, by endpoint and method.
    #[must_use]
    pub fn usage(&self) -> Vec<Usage> {
        let state = self.state();
        let of_endpoint = |(endpoint, record): (&Arc<str>, &Record)| {
            let usage = |(method, counts): (&&'static str, &Counts)| Usage {
                endpoint: Arc::clone(endpoint),
                method,
                calls: counts.calls,
                failures: counts.failures,
                bytes: counts.bytes,
                compute_units: counts.compute_units,
            };
            record.methods.iter().map(usage).collect::<Vec<_>>()
        };
        state.endpoints.iter().flat_map(of_endpoint).collect()
    }

    /// How the endpoints are that were asked anything so far.
    #[must_use]
    pub fn health(&self) -> Vec<EndpointHealth> {
        let health = |(endpoint, record): (&Arc<str>, &Record)| EndpointHealth {
            endpoint: Arc::clone(endpoint),
            working: record.failures_in_a_row == 0 && record.last_answer.is_some() && !record.is_unfit,
            head: record.head,
            last_answer: record.last_answer,
            last_error: record.last_error.clone(),
            failures_in_a_row: record.failures_in_a_row,
        };
        self.state().endpoints.iter().map(health).collect()
    }

    /// Takes the complaints that have come since they were last taken, the newest 1,000 of them.
    #[must_use]
    pub fn take_complaints(&self) -> Vec<Complaint> {
        self.state().complaints.drain(..).collect()
    }

    /// How many complaints there ever were, taken or not.
    #[must_use]
    pub fn complaints(&self) -> u64 {
        self.state().complaints_ever
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock, and counts are worth reading even if something did.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn record(&mut self, endpoint: &Arc<str>) -> &mut Record {
        self.endpoints.entry(Arc::clone(endpoint)).or_default()
    }
}

impl Record {
    fn fail(&mut self, error: &str) {
        self.last_error = Some(error.to_owned());
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
    }

    fn count(&mut self, method: &'static str, bytes: u64, units: u64, is_failure: bool) {
        let counts = self.methods.entry(method).or_default();
        counts.calls += 1;
        counts.failures += u64::from(is_failure);
        counts.bytes = counts.bytes.saturating_add(bytes);
        counts.compute_units = counts.compute_units.saturating_add(units);
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_endpoint_and_method() {
        let observer = Observer::default();
        let [first, second] = ["http://a", "http://b"].map(Arc::<str>::from);
        observer.answered(&first, "eth_getLogs", 1_000, false);
        observer.answered(&first, "eth_getLogs", 50, true);
        observer.failed(&first, "eth_getBlockByNumber", 0, "no answer");
        observer.answered(&second, "eth_chainId", 40, false);
        observer.delivered(&second, 1_001);
        let usage: Vec<_> = observer
            .usage()
            .into_iter()
            .map(|usage| (usage.method, usage.calls, usage.failures, usage.bytes, usage.compute_units))
            .collect();
        assert_eq!(
            usage,
            [
                ("eth_getBlockByNumber", 1, 1, 0, 20),
                ("eth_getLogs", 2, 1, 1_050, 120),
                ("eth_chainId", 1, 0, 40, 0),
                ("subscription", 1, 0, 1_001, 41),
            ]
        );
    }

    #[test]
    fn what_could_not_be_asked_costs_nothing() {
        let observer = Observer::default();
        let node = Arc::<str>::from("http://a");
        observer.unanswered(&node, "eth_getLogs", "nobody is there");
        let usage = &observer.usage()[0];
        assert_eq!((usage.calls, usage.failures, usage.compute_units), (1, 1, 0));
        assert_eq!(observer.health()[0].last_error.as_deref(), Some("nobody is there"));
        assert_eq!(observer.health()[0].failures_in_a_row, 1);
    }

    #[test]
    fn endpoints_that_look_alike_have_numbers() {
        let observer = Observer::default();
        let name = |key: &str| observer.name_of(&format!("https://a.example/v2/{key}"));
        for _ in 0..2 {
            assert_eq!(&*name("s3cr3t"), "https://a.example");
            assert_eq!(&*name("0ther"), "https://a.example #2");
            assert_eq!(&*observer.name_of("https://b.example/v2/s3cr3t"), "https://b.example");
        }
        assert_eq!(&*name("third"), "https://a.example #3");
        assert!(!format!("{observer:?}").contains("s3cr3t"));
    }

    #[test]
    fn health_follows_the_last_answer() {
        let observer = Observer::default();
        let node = Arc::<str>::from("http://a");
        let working = || observer.health()[0].working;
        observer.failed(&node, "eth_chainId", 0, "no answer");
        observer.failed(&node, "eth_chainId", 0, "still none");
        assert!(!working());
        assert_eq!(observer.health()[0].failures_in_a_row, 2);
        assert_eq!(observer.health()[0].last_error.as_deref(), Some("still none"));
        observer.answered(&node, "eth_chainId", 40, false);
        observer.head(&node, 7);
        assert!(working());
        assert_eq!((observer.health()[0].head, observer.health()[0].failures_in_a_row), (Some(7), 0));
        // What it says may be of no use all the same.
        observer.unfit(&node, "it is on chain 1");
        observer.answered(&node, "eth_chainId", 40, false);
        assert!(!working());
        observer.fit(&node);
        assert!(working());
    }

    #[test]
    fn complaints_are_cut_and_bounded_but_all_counted() {
        let observer = Observer::default();
        let node = Arc::<str>::from("http://a");
        for number in 0..1_500 {
            observer.complain(&node, "eth_getLogs", &format!("flaw {number}"), &"ä".repeat(1_000));
        }
        assert_eq!(observer.complaints(), 1_500);
        let taken = observer.take_complaints();
        assert_eq!((taken.len(), taken[0].what.as_str()), (1_000, "flaw 500"));
        assert_eq!(taken[0].excerpt.chars().count(), 300);
        assert!(observer.take_complaints().is_empty());
        assert_eq!(observer.complaints(), 1_500);
    }
}
