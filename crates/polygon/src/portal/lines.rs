//! A portal's answer, as it comes.

use reqwest::Response;
use tokio::time::timeout;

use super::client::{TIMEOUT, Trouble, length, no_answer};
use crate::rpc::http::reasons;

/// A line longer than this is no block.
const LONGEST_LINE: usize = 32 << 20;

/// The lines of an answer as they come.
pub(super) struct Lines {
    response: Response,
    buffer: Vec<u8>,
    /// How much of the buffer has been given out.
    taken: usize,
    /// How much of it has been searched for the end of a line.
    searched: usize,
    pub(super) bytes: u64,
}

impl Lines {
    pub(super) const fn new(response: Response) -> Self {
        Self { response, buffer: Vec::new(), taken: 0, searched: 0, bytes: 0 }
    }

    /// The next line that is there whole and is not empty.
    pub(super) fn line(&mut self) -> Option<&[u8]> {
        loop {
            let end = self.buffer.get(self.searched..)?.iter().position(|byte| *byte == b'\n');
            let Some(end) = end.map(|end| self.searched + end) else {
                self.searched = self.buffer.len();
                return None;
            };
            let start = std::mem::replace(&mut self.taken, end + 1);
            self.searched = self.taken;
            if !self.buffer.get(start..end)?.trim_ascii().is_empty() {
                return self.buffer.get(start..end);
            }
        }
    }

    /// What stands behind the last line's end: nothing, or a line that was not finished.
    pub(super) fn rest(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default().trim_ascii()
    }

    /// Waits for more; whether there is any.
    pub(super) async fn more(&mut self) -> Result<bool, Trouble> {
        let chunk = match timeout(TIMEOUT, self.response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => return Ok(false),
            Ok(Err(error)) => return Err(Trouble::Failed(reasons(error))),
            Err(_) => return Err(Trouble::Failed(no_answer())),
        };
        self.buffer.drain(..self.taken);
        self.searched -= self.taken;
        self.taken = 0;
        if self.buffer.len() + chunk.len() > LONGEST_LINE {
            return Err(Trouble::Failed(format!("a line of more than {LONGEST_LINE} bytes")));
        }
        self.buffer.extend_from_slice(&chunk);
        self.bytes += length(&chunk);
        Ok(true)
    }
}
