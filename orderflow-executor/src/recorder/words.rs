//! What persons ask for and what is measured, as the words that are kept, and back.

use decision::{Control, Guard, VenueMode};
use store::recording::Said;

fn word(name: &str) -> Said {
    Said { name: name.to_owned(), ..Said::default() }
}

fn number(name: &str, number: i64) -> Said {
    Said { number: Some(number), ..word(name) }
}

fn text(name: &str, text: Option<String>) -> Said {
    Said { text, ..word(name) }
}

/// What a person asked for.
pub(crate) fn of_control(control: &Control) -> Said {
    match control {
        Control::Pause => word("pause"),
        Control::Resume => word("resume"),
        Control::Close(position) => number("close", *position),
        Control::CloseAll => word("close_all"),
        Control::Kill { reason } => text("kill", Some(reason.clone())),
        Control::Lift => word("lift"),
    }
}

/// What a person asked for, read; `None` where nobody can have asked that.
pub(crate) fn control(said: Said) -> Option<Control> {
    Some(match (said.name.as_str(), said.number, said.text) {
        ("pause", ..) => Control::Pause,
        ("resume", ..) => Control::Resume,
        ("close", Some(position), _) => Control::Close(position),
        ("close_all", ..) => Control::CloseAll,
        ("kill", _, Some(reason)) => Control::Kill { reason },
        ("lift", ..) => Control::Lift,
        _ => return None,
    })
}

/// What was measured.
pub(crate) fn of_guard(guard: &Guard) -> Said {
    match guard {
        Guard::Chain { age } => number("chain", *age),
        Guard::Books { age } => number("books", *age),
        Guard::Clock { skew } => number("clock", *skew),
        Guard::Venue(mode) => text("venue", Some(mode.name().to_owned())),
        Guard::Reconcile(disagreement) => text("reconcile", disagreement.clone()),
    }
}

/// What was measured, read; `None` where nothing is measured like that.
pub(crate) fn guard(said: Said) -> Option<Guard> {
    const MODES: [VenueMode; 4] =
        [VenueMode::Normal, VenueMode::PostOnly, VenueMode::CancelOnly, VenueMode::Disabled];
    Some(match (said.name.as_str(), said.number, said.text) {
        ("chain", Some(age), _) => Guard::Chain { age },
        ("books", Some(age), _) => Guard::Books { age },
        ("clock", Some(skew), _) => Guard::Clock { skew },
        ("venue", _, Some(name)) => Guard::Venue(MODES.into_iter().find(|mode| mode.name() == name)?),
        ("reconcile", _, disagreement) => Guard::Reconcile(disagreement),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        let reason = "by hand".to_owned();
        for asked in [
            Control::Pause,
            Control::Resume,
            Control::Close(7),
            Control::CloseAll,
            Control::Kill { reason: reason.clone() },
            Control::Lift,
        ] {
            assert_eq!(control(of_control(&asked)), Some(asked));
        }
        for measured in [
            Guard::Chain { age: 1 },
            Guard::Books { age: 2 },
            Guard::Clock { skew: -3 },
            Guard::Venue(VenueMode::PostOnly),
            Guard::Reconcile(Some(reason)),
            Guard::Reconcile(None),
        ] {
            assert_eq!(guard(of_guard(&measured)), Some(measured));
        }
        assert_eq!(control(word("dance")), None);
        assert_eq!(guard(number("venue", 1)), None);
    }
}
