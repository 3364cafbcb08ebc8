//! Which machine it was.

use std::fs;
use std::time::Duration;

/// Writes a line of results.
#[expect(clippy::print_stdout, reason = "printing is what a benchmark is for")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Says what the figures below were measured on.
pub(crate) fn describe() -> anyhow::Result<()> {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = std::thread::available_parallelism()?;
    say(&format!("machine    {cores} cores, {}", model.trim_start_matches(['\t', ' ', ':'])));
    if cfg!(debug_assertions) {
        say("           NOT OPTIMISED: build with --release for figures that mean something");
    }
    Ok(())
}

/// The most memory a process ever had resident, in megabytes, by the operating system.
pub(crate) fn peak_memory(pid: u32) -> Option<f64> {
    megabytes(pid, "VmHWM:")
}

/// The memory a process has resident, in megabytes, by the operating system.
pub(crate) fn memory(pid: u32) -> Option<f64> {
    megabytes(pid, "VmRSS:")
}

/// The processor time a process has used, all its threads and the system on its behalf together.
pub(crate) fn processor_time(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name stands in parentheses and may contain anything.
    let (_, numbers) = stat.rsplit_once(')')?;
    let mut ticks = numbers.split_ascii_whitespace().skip(11).map_while(|number| number.parse::<u64>().ok());
    // Linux tells them in hundredths of a second, whatever it counts in itself.
    Some(Duration::from_millis(10 * (ticks.next()? + ticks.next()?)))
}

fn megabytes(pid: u32, name: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes / 1_000.0)
}

/// A quantile of durations that are sorted.
pub(crate) fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    // A share of a length is far below the numbers a float holds exactly.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the last index"
    )]
    let index = (last as f64 * share).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

/// Milliseconds with two places.
pub(crate) fn millis(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1_000.0)
}
