//! Finalized blocks in ranges.

use std::ops::RangeInclusive;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::client::{Answer, Client, Question, Trouble};
use super::line::Line;
use super::lines::Lines;
use super::pace::Backoff;
use super::scrutiny::Scrutiny;
use super::{PortalError, PortalSettings};
use crate::follow::{BlockPoint, Stretch};

const METHOD: &str = "finalized-stream";
/// A stretch is emitted once it has this many logs, or this many blocks.
const MOST_LOGS: usize = 20_000;
const MOST_BLOCKS: usize = 10_000;
/// How often in a row a portal must have replaced a final block before that is believed.
const BELIEVED: u32 = 3;

/// Reads the ranges, one after the other.
pub(super) async fn read(
    settings: PortalSettings,
    client: Client,
    ranges: Vec<RangeInclusive<u64>>,
    batches: mpsc::Sender<Stretch>,
) -> Result<(), PortalError> {
    let (backoff, scrutiny) = (Backoff::default(), Scrutiny::new(METHOD));
    let mut reader = Reader { settings, client, batches, backoff, scrutiny };
    for range in ranges {
        reader.range(range).await?;
    }
    Ok(())
}

struct Reader {
    settings: PortalSettings,
    client: Client,
    batches: mpsc::Sender<Stretch>,
    backoff: Backoff,
    scrutiny: Scrutiny,
}

/// How far a range has been read.
struct Progress {
    /// The next block to ask for.
    next: u64,
    end: u64,
    /// The last block read.
    last: Option<BlockPoint>,
}

impl Reader {
    async fn range(&mut self, range: RangeInclusive<u64>) -> Result<(), PortalError> {
        let mut progress = Progress { next: *range.start(), end: *range.end(), last: None };
        let mut replaced = 0;
        while progress.next <= progress.end {
            let question = Question {
                method: METHOD,
                from: progress.next,
                to: Some(progress.end),
                parent: progress.last,
            };
            let before = progress.next;
            let trouble = match self.client.stream(&question).await {
                Ok(Answer::Lines(lines)) => self.answer(lines, &mut progress).await?,
                Ok(Answer::Nothing) => None,
                Ok(Answer::Conflict(_)) => {
                    replaced += 1;
                    if let Some(block) = progress.last
                        && replaced >= BELIEVED
                    {
                        let source_name = self.client.source().clone();
                        return Err(PortalError::FinalReplaced { source_name, block });
                    }
                    Some(self.client.complain(METHOD, "a final block is not on its chain any more", b""))
                }
                Err(trouble) => Some(trouble),
            };
            if progress.next > before {
                replaced = 0;
                self.backoff.worked();
            }
            match trouble {
                Some(trouble) => {
                    tracing::debug!(source = %self.client.source(), %trouble, "asked again");
                    sleep(self.backoff.failed(trouble.asked_pause())).await;
                }
                // Not final yet.
                None if progress.next == before => sleep(self.settings.poll_interval).await,
                None => {}
            }
        }
        Ok(())
    }

    /// Reads an answer as far as it goes and can be believed; what was wrong with it, if anything.
    async fn answer(
        &mut self,
        mut lines: Lines,
        progress: &mut Progress,
    ) -> Result<Option<Trouble>, PortalError> {
        let mut pending: Vec<Line> = vec![];
        let mut logs = 0;
        let trouble = loop {
            let mut flaw = None;
            while let Some(text) = lines.line() {
                let above = pending.last().map(|line| line.header.point()).or(progress.last);
                let line = match self.take(text, progress, above) {
                    Ok(line) => line,
                    Err(trouble) => {
                        flaw = Some(trouble);
                        break;
                    }
                };
                logs += line.count();
                pending.push(line);
                if logs >= MOST_LOGS || pending.len() >= MOST_BLOCKS {
                    self.emit(std::mem::take(&mut pending), progress).await?;
                    logs = 0;
                }
            }
            if flaw.is_some() {
                break flaw;
            }
            match lines.more().await {
                Ok(true) => {}
                Ok(false) if lines.rest().is_empty() => break None,
                Ok(false) => {
                    break Some(self.client.complain(METHOD, "a line that breaks off", lines.rest()));
                }
                Err(trouble) => break Some(trouble),
            }
        };
        // Whatever the answer became later, up to its last good line it is whole.
        self.emit(pending, progress).await?;
        let failure = trouble.as_ref().map(ToString::to_string);
        self.client.read(METHOD, &lines, failure.as_deref());
        Ok(trouble)
    }

    fn take(&mut self, text: &[u8], progress: &Progress, above: Option<BlockPoint>) -> Result<Line, Trouble> {
        let expected = above.map_or(progress.next, |above| above.number.saturating_add(1));
        if expected > progress.end {
            let what = format!("more than the blocks up to {}", progress.end);
            return Err(self.client.complain(METHOD, &what, text));
        }
        self.scrutiny.take(text, (above, expected), &self.client, &self.settings)
    }

    async fn emit(&self, lines: Vec<Line>, progress: &mut Progress) -> Result<(), PortalError> {
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return Ok(()) };
        let (first, through) = (first.header, last.header);
        let stretch = Stretch {
            from: progress.next,
            blocks: lines.into_iter().filter_map(Line::block).collect(),
            // The links between are checked, and final.
            headers: if first == through { vec![through] } else { vec![first, through] },
            through,
            source: self.client.source().clone(),
            seen: Instant::now(),
        };
        self.batches.send(stretch).await.map_err(|_| PortalError::Closed)?;
        progress.last = Some(through.point());
        progress.next = through.number.saturating_add(1);
        Ok(())
    }
}
