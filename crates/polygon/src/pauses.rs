//! How long to leave alone whoever failed. Pure but for chance.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// The longest wait that anybody may ask for.
pub(crate) const LONGEST_ASKED: Duration = Duration::from_secs(600);

/// The pause after the `round`th failure in a row, counted from 1.
pub(crate) fn pause_of_round(round: u32) -> Duration {
    let doubled = 2u32.saturating_pow(round.saturating_sub(1));
    FIRST.saturating_mul(doubled).min(LONGEST)
}

/// Between half of the pause and all of it, so that many who failed together do not return together.
pub(crate) fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let seconds: Vec<_> = (1..=8).map(|round| pause_of_round(round).as_secs_f64()).collect();
        assert_eq!(seconds, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        assert_eq!(pause_of_round(u32::MAX), LONGEST);
        for _ in 0..1_000 {
            let pause = jittered(FIRST);
            assert!(pause >= FIRST / 2 && pause <= FIRST);
        }
    }
}
