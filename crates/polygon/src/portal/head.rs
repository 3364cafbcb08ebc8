//! Following the chain's end by a portal.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use super::ancestor::{ancestor, beneath};
use super::client::{Answer, Client, Question, Trouble};
use super::line::Line;
use super::lines::Lines;
use super::pace::Backoff;
use super::scrutiny::Scrutiny;
use super::{PortalError, PortalSettings};
use crate::follow::{BlockPoint, ChainUpdate, Start, Stretch};
use crate::rpc::BlockHeader;
use crate::window::Window;

const METHOD: &str = "stream";
/// A stretch is emitted once it has this many logs, or is this old, or the answer ends.
const MOST_LOGS: usize = 20_000;
const MOST_HEADERS: usize = 2_000;
const OLDEST: Duration = Duration::from_millis(250);
/// How often in a row a portal must say that everything known is gone before that is believed.
const BELIEVED: u32 = 3;

/// What is known of the chain, and what is to be done with it.
pub(super) struct Follower {
    settings: PortalSettings,
    client: Client,
    updates: mpsc::Sender<ChainUpdate>,
    known: Window,
    /// The lowest block ever emitted.
    lowest: Option<u64>,
    /// The last block emitted, or where the beginning is; `None` where the first block asked for has no known
    /// parent.
    last: Option<BlockPoint>,
    /// The block to ask from: `last`, or one below while the portal takes blocks back.
    base: Option<BlockPoint>,
    /// The first block where nothing lies before it.
    first: u64,
    /// Whether `last` is where to go on from, be it none.
    begun: bool,
    backoff: Backoff,
    scrutiny: Scrutiny,
    /// How often in a row nothing known was on the portal's chain.
    too_deep: u32,
}

/// What ends a turn.
enum Turn {
    /// There may be more at once.
    Again,
    /// There is nothing new.
    Idle,
    Pause(Trouble),
}

/// Blocks read and not yet emitted.
struct Pending {
    lines: Vec<Line>,
    logs: usize,
    since: Instant,
    seen: Instant,
}

impl Pending {
    fn new() -> Self {
        let now = Instant::now();
        Self { lines: vec![], logs: 0, since: now, seen: now }
    }

    fn push(&mut self, line: Line) {
        self.seen = Instant::now();
        if self.lines.is_empty() {
            self.since = self.seen;
        }
        self.logs += line.count();
        self.lines.push(line);
    }

    fn is_ripe(&self) -> bool {
        let is_full = self.logs >= MOST_LOGS || self.lines.len() >= MOST_HEADERS;
        !self.lines.is_empty() && (is_full || self.since.elapsed() >= OLDEST)
    }
}

impl Follower {
    pub(super) fn new(
        settings: PortalSettings,
        client: Client,
        known: Vec<BlockPoint>,
        updates: mpsc::Sender<ChainUpdate>,
    ) -> Self {
        let mut follower = Self {
            known: Window::default(),
            lowest: None,
            scrutiny: Scrutiny::new(METHOD),
            last: None,
            base: None,
            first: 0,
            begun: true,
            backoff: Backoff::default(),
            too_deep: 0,
            settings,
            client,
            updates,
        };
        match follower.settings.start {
            Start::Resume(point) => {
                follower.known = Window::new(known);
                // What lies above was never finished.
                follower.known.rewind(point);
                follower.last = Some(point);
            }
            Start::Block(first) => follower.first = first,
            Start::Head => follower.begun = false,
        }
        follower.base = follower.last;
        follower
    }

    pub(super) async fn run(mut self) -> Result<(), PortalError> {
        match self.run_for_ever().await {
            Ok(never) => match never {},
            Err(error) => Err(error),
        }
    }

    async fn run_for_ever(&mut self) -> Result<Infallible, PortalError> {
        loop {
            match self.turn().await? {
                Turn::Again => self.backoff.worked(),
                Turn::Idle => {
                    self.backoff.worked();
                    sleep(self.settings.poll_interval).await;
                }
                Turn::Pause(trouble) => {
                    tracing::debug!(source = %self.client.source(), %trouble, "asked again");
                    sleep(self.backoff.failed(trouble.asked_pause())).await;
                }
            }
        }
    }

    async fn turn(&mut self) -> Result<Turn, PortalError> {
        if !self.begun {
            match self.client.head().await {
                Ok(head) => self.begin(head),
                Err(trouble) => return Ok(Turn::Pause(trouble)),
            }
        }
        let question = Question { method: METHOD, from: self.next(), to: None, parent: self.base };
        match self.client.stream(&question).await {
            Ok(Answer::Lines(lines)) => self.read(lines).await,
            Ok(Answer::Nothing) => {
                self.settle().await?;
                Ok(Turn::Idle)
            }
            Ok(Answer::Conflict(named)) => self.step_back(&named),
            Err(trouble) => Ok(Turn::Pause(trouble)),
        }
    }

    fn begin(&mut self, head: BlockPoint) {
        self.known.observe(head);
        self.last = Some(head);
        self.base = self.last;
        self.begun = true;
    }

    const fn next(&self) -> u64 {
        match self.base {
            Some(base) => base.number.saturating_add(1),
            None => self.first,
        }
    }

    /// Reads an answer as far as it goes and can be believed.
    async fn read(&mut self, mut lines: Lines) -> Result<Turn, PortalError> {
        let mut pending = Pending::new();
        let mut above: Option<BlockHeader> = None;
        let trouble = loop {
            if let Some(flaw) = self.take_all(&mut lines, &mut above, &mut pending).await? {
                break Some(flaw);
            }
            let more = if pending.lines.is_empty() {
                lines.more().await
            } else {
                // What has been read waits for more, but not for long.
                match timeout_at(pending.since + OLDEST, lines.more()).await {
                    Ok(more) => more,
                    Err(_ripe) => Ok(true),
                }
            };
            match more {
                Ok(true) => {}
                Ok(false) => break self.unfinished(&lines),
                Err(trouble) => break Some(trouble),
            }
            if pending.is_ripe() {
                self.emit(&mut pending).await?;
            }
        };
        self.emit(&mut pending).await?;
        let failure = trouble.as_ref().map(ToString::to_string);
        self.client.read(METHOD, &lines, failure.as_deref());
        Ok(match trouble {
            Some(trouble) => Turn::Pause(trouble),
            // A stream without a line says as much as none.
            None if above.is_none() => Turn::Idle,
            None => Turn::Again,
        })
    }

    /// Takes the lines that are there; what is wrong with the first that cannot be believed.
    async fn take_all(
        &mut self,
        lines: &mut Lines,
        above: &mut Option<BlockHeader>,
        pending: &mut Pending,
    ) -> Result<Option<Trouble>, PortalError> {
        while let Some(text) = lines.line() {
            let line = match self.take(text, *above) {
                Ok(line) => line,
                Err(trouble) => return Ok(Some(trouble)),
            };
            *above = Some(line.header);
            if !self.is_known_still(&line) {
                pending.push(line);
            }
            if pending.is_ripe() {
                self.emit(pending).await?;
            }
        }
        Ok(None)
    }

    /// Reads a line that must follow the one above it.
    fn take(&mut self, text: &[u8], above: Option<BlockHeader>) -> Result<Line, Trouble> {
        let before = above.map(|header| header.point()).or(self.base);
        let expected = before.map_or(self.first, |before| before.number.saturating_add(1));
        self.scrutiny.take(text, (before, expected), &self.client, &self.settings)
    }

    /// Whether a line is of a block that was emitted and never left the chain: the portal went back further than
    /// the chain did, or claimed a conflict that is none.
    fn is_known_still(&mut self, line: &Line) -> bool {
        let point = line.header.point();
        let is_known = self.base != self.last
            && self.base.is_none_or(|base| base.number.saturating_add(1) == point.number)
            && self.known.has(point);
        if is_known {
            self.base = Some(point);
        }
        is_known
    }

    /// What is left of an answer that has ended.
    fn unfinished(&self, lines: &Lines) -> Option<Trouble> {
        let rest = lines.rest();
        (!rest.is_empty()).then(|| self.client.complain(METHOD, "a line that breaks off", rest))
    }

    /// The portal has others in place of some blocks: asks from below them next time.
    fn step_back(&mut self, named: &[BlockPoint]) -> Result<Turn, PortalError> {
        let Some(refused) = self.base else {
            let what = "a conflict with a parent that was not named";
            return Ok(Turn::Pause(self.client.complain(METHOD, what, b"")));
        };
        let unseen = || if self.knows_all() { beneath(&self.known, named) } else { None };
        if let Some(below) = ancestor(&self.known, refused, named).or_else(unseen) {
            self.base = Some(below);
            return Ok(Turn::Again);
        }
        self.too_deep += 1;
        if self.too_deep >= BELIEVED {
            let source_name = self.client.source().clone();
            return Err(PortalError::TooDeep { source_name, newest: self.last.unwrap_or(refused) });
        }
        // It may be the portal's own mistake: from the top again.
        self.base = self.last;
        let trouble = self.client.complain(METHOD, "none of the known blocks is on its chain", b"");
        Ok(Turn::Pause(trouble))
    }

    /// Whether all that was ever emitted is still known: only then can the chain be taken up below that without
    /// leaving anything of what was replaced.
    fn knows_all(&self) -> bool {
        let knows = |lowest| self.known.first().is_some_and(|first| first.number <= lowest);
        !matches!(self.settings.start, Start::Resume(_)) && self.lowest.is_none_or(knows)
    }

    /// What was taken back, without anything in its place yet.
    async fn settle(&mut self) -> Result<(), PortalError> {
        let (Some(base), Some(last)) = (self.base, self.last) else { return Ok(()) };
        if base != last {
            self.rewind(base);
            self.send(ChainUpdate::Reverted { to: base }).await?;
        }
        Ok(())
    }

    fn rewind(&mut self, to: BlockPoint) {
        tracing::info!(source = %self.client.source(), to = to.number, "the chain took blocks back");
        self.known.rewind(to);
        self.last = Some(to);
    }

    /// Emits what was read: behind what was emitted before, or in place of it.
    async fn emit(&mut self, pending: &mut Pending) -> Result<(), PortalError> {
        let Pending { lines, seen, .. } = std::mem::replace(pending, Pending::new());
        let from = self.next();
        let headers: Vec<BlockHeader> = lines.iter().map(|line| line.header).collect();
        let Some(through) = headers.last().copied() else { return Ok(()) };
        let points: Vec<BlockPoint> = headers.iter().map(BlockHeader::point).collect();
        let blocks = lines.into_iter().filter_map(Line::block).collect();
        let source = self.client.source().clone();
        let stretch = Stretch { from, blocks, headers, through, source, seen };
        let update = match self.base {
            Some(to) if self.last != self.base => {
                self.rewind(to);
                ChainUpdate::Reorged { to, new: stretch }
            }
            _ => ChainUpdate::Committed(stretch),
        };
        self.send(update).await?;
        self.lowest = Some(self.lowest.map_or(from, |lowest| lowest.min(from)));
        // Whatever goes wrong behind them: blocks came.
        self.backoff.worked();
        for point in points {
            self.known.observe(point);
        }
        self.last = Some(through.point());
        self.base = self.last;
        self.too_deep = 0;
        Ok(())
    }

    async fn send(&self, update: ChainUpdate) -> Result<(), PortalError> {
        self.updates.send(update).await.map_err(|_| PortalError::Closed)
    }
}
