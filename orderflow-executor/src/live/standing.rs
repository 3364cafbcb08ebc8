//! What speaks against sending, beside the orders themselves: the venue's mode, the account's standing, where we are,
//! and what the books and the venue disagree about.

use std::collections::BTreeMap;
use std::time::Duration;

use decision::{Guard, VenueMode};
use polymarket::trading;
use store::halts::{Halt, HaltKind};
use tokio::time::Instant;

/// What can speak against sending. The set is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Objection {
    /// The configuration is wrong, as far as this machine can tell: nothing is sent.
    Configuration,
    /// The venue said what stops trading until a person lifts it, whatever it says later: nothing is sent where the
    /// configuration is wrong, and nothing opened in the other cases.
    Halted(HaltKind),
    /// The venue does not know our credentials; others are asked for.
    Credentials,
    /// The venue does not serve this place: nothing is sent from here.
    Place,
    /// Nobody could say whether the venue serves this place. What is held can be left all the same: a look that failed has
    /// moved nobody.
    PlaceUnknown,
    /// Something was not as it should be when the service began, while there was something to look after.
    Preflight,
    /// The account may only close what it holds.
    ClosedOnly,
    /// Our books and the venue's disagree.
    Difference,
    /// The venue spoke of a match that neither it nor the chain ever showed. It stands until the books and the venue were
    /// found to agree.
    Unshown,
    /// The state of the account could not be compared with the books.
    Unreconciled,
}

/// What speaks against entries until the books and the venue have first been compared.
pub(crate) const UNCOMPARED: &str = "the books and the venue were not compared yet";

/// All of it.
#[derive(Debug)]
pub(super) struct Standing {
    objections: BTreeMap<Objection, String>,
    mode: Option<(VenueMode, Instant)>,
    told: (VenueMode, Option<String>),
}

impl Default for Standing {
    /// As the engine has it, too, when it begins.
    fn default() -> Self {
        Self {
            objections: [(Objection::Unreconciled, UNCOMPARED.to_owned())].into(),
            mode: None,
            told: (VenueMode::Normal, Some(UNCOMPARED.to_owned())),
        }
    }
}

impl Standing {
    /// With what stood in the database already, so that no order is sent before it is heard of.
    pub(super) fn halted(halts: Vec<Halt>) -> Self {
        let mut standing = Self::default();
        for halt in halts {
            standing.set(Objection::Halted(halt.kind), Some(halt.reason));
        }
        standing
    }

    /// Something speaks against sending, or does so no more.
    pub(super) fn set(&mut self, objection: Objection, says: Option<String>) {
        match says {
            Some(says) => self.objections.insert(objection, says),
            None => self.objections.remove(&objection),
        };
    }

    /// The venue said what it takes, for so long.
    pub(super) fn restrict(&mut self, mode: VenueMode, lasts: Duration, now: Instant) {
        self.mode = Some((mode, now + lasts));
    }

    /// The venue took an order: it is in no mode that matters.
    pub(super) fn relax(&mut self) {
        self.mode = None;
    }

    /// When the mode ends.
    pub(super) fn ends(&self) -> Option<Instant> {
        self.mode.map(|(_, until)| until)
    }

    /// Why nothing at all is sent; `None` where orders may be.
    pub(super) fn forbids_all(&self) -> Option<&str> {
        [Objection::Configuration, Objection::Halted(HaltKind::Configuration), Objection::Place]
            .iter()
            .find_map(|objection| self.objections.get(objection))
            .map(String::as_str)
    }

    /// Why no position is opened; `None` where orders to open one may be sent.
    pub(super) fn forbids_entries(&self) -> Option<&str> {
        self.objections.values().next().map(String::as_str)
    }

    /// What the engine has not been told yet.
    pub(super) fn guards(&mut self, now: Instant) -> Vec<Guard> {
        if self.mode.is_some_and(|(_, until)| until <= now) {
            self.mode = None;
        }
        let mode = match (self.forbids_all(), self.mode) {
            (Some(_), _) => VenueMode::Disabled,
            (None, Some((mode, _))) => mode,
            (None, None) => VenueMode::Normal,
        };
        let texts: Vec<&str> = self.objections.values().map(String::as_str).collect();
        let text = (!texts.is_empty()).then(|| texts.join("; "));
        let mut guards = vec![];
        if mode != self.told.0 {
            guards.push(Guard::Venue(mode));
        }
        if text != self.told.1 {
            guards.push(Guard::Reconcile(text.clone()));
        }
        self.told = (mode, text);
        guards
    }
}

/// The engine's word for a mode of the venue's.
pub(super) const fn mode_of(mode: trading::VenueMode) -> VenueMode {
    match mode {
        trading::VenueMode::PostOnly => VenueMode::PostOnly,
        trading::VenueMode::CancelOnly => VenueMode::CancelOnly,
        trading::VenueMode::Disabled => VenueMode::Disabled,
    }
}
