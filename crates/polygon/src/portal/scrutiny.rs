//! Which lines of an answer are taken.

use super::PortalSettings;
use super::client::{Client, Trouble};
use super::line::Line;
use crate::follow::BlockPoint;

/// How often a block that comes with malformed logs is asked for again before that is what it is: most often they
/// were spoiled on the way, and what is taken is not asked for a second time.
const REPETITIONS: u32 = 3;

/// Holds lines against what they must follow, and remembers which block came with malformed logs how often.
#[derive(Debug)]
pub(super) struct Scrutiny {
    method: &'static str,
    garbled: Option<BlockPoint>,
    times: u32,
}

impl Scrutiny {
    /// Of the answers to `method`.
    pub(super) const fn new(method: &'static str) -> Self {
        Self { method, garbled: None, times: 0 }
    }

    /// Reads a line that must be the block of height `expected`, and the child of the block `before` it where that
    /// is known. What is wrong with it is complained of.
    pub(super) fn take(
        &mut self,
        text: &[u8],
        (before, expected): (Option<BlockPoint>, u64),
        client: &Client,
        settings: &PortalSettings,
    ) -> Result<Line, Trouble> {
        let line = Line::next(text, before, expected, settings)
            .map_err(|what| client.complain(self.method, &what, text))?;
        client.complain_of_logs(self.method, line.malformed());
        if line.malformed().is_empty() || self.insists_on(line.header.point()) {
            return Ok(line);
        }
        Err(Trouble::Failed(format!("block {expected} came with malformed logs")))
    }

    /// Whether the portal has said often enough that a block is as malformed as it came.
    fn insists_on(&mut self, block: BlockPoint) -> bool {
        if self.garbled.replace(block) != Some(block) {
            self.times = 0;
        }
        self.times += 1;
        self.times > REPETITIONS
    }
}
