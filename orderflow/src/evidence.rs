//! `orderflow evidence`: whether the scores find skill where it was planted, and none where there is none. Two
//! simulated pasts from one seed, made and judged at once: no network, no database, no clock in the results.

mod ranking;
mod report;
mod trial;

use std::thread;
use std::time::Instant;

use anyhow::anyhow;

use crate::args::Evidence;
use report::Report;
use trial::{Findings, Trial};

/// Makes both pasts side by side and shows what was found in them.
pub(crate) fn run(settings: &Evidence) -> anyhow::Result<()> {
    let begun = Instant::now();
    let trial = |name, skilled| Trial {
        name,
        seed: settings.seed,
        wallets: usize::try_from(settings.wallets).unwrap_or(usize::MAX),
        skilled,
        days: settings.days,
    };
    let (planted, blank) = (trial("planted", planted(settings)), trial("nobody", 0));
    let (planted, blank) = thread::scope(|scope| {
        let planted = scope.spawn(|| told(&planted, begun));
        let blank = told(&blank, begun);
        (planted.join().unwrap_or_else(|_| Err(anyhow!("making the planted past has failed"))), blank)
    });
    Report { settings, planted: planted?, blank: blank? }.show()
}

/// How many wallets know something.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between none and a quarter of the wallets"
)]
fn planted(settings: &Evidence) -> usize {
    (f64::from(settings.wallets) * settings.skilled / 100.0).round() as usize
}

/// Runs a trial and says on standard error how far it is.
#[expect(clippy::print_stderr, reason = "progress is for whoever waits, and not part of the results")]
fn told(trial: &Trial, begun: Instant) -> anyhow::Result<Findings> {
    trial.run(|text| eprintln!("{:>6.1} s  {}: {text}", begun.elapsed().as_secs_f64(), trial.name))
}
