//! One connection: it asks for a sign of life, notices silence, and knows how long to wait before the next.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::http::name_tls_provider;

/// The first snapshots of five hundred deep books come in one message.
const LARGEST_MESSAGE: usize = 64 << 20;

/// The rhythm of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How often a sign of life is asked for: the venue wants ten seconds.
    pub ping: Duration,
    /// After how long without any word the connection counts as lost.
    pub silence: Duration,
    /// Limit on connecting, and on sending.
    pub connect: Duration,
    /// The first pause before connecting again; doubled each time, and shortened by chance.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How often one of the books is compared with what REST says, so that a connection that answers but brings
    /// nothing is noticed.
    pub compare: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            ping: Duration::from_secs(10),
            silence: Duration::from_secs(25),
            connect: Duration::from_secs(10),
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(30),
            compare: Duration::from_secs(15),
        }
    }
}

/// Why a connection is no more. Addresses carry no secrets here, and what was sent is never quoted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("no connection within {0:?}")]
    Connecting(Duration),
    #[error("not a word for {0:?}")]
    Silent(Duration),
    #[error("nothing could be sent for {0:?}")]
    Stuck(Duration),
    #[error("closed by the venue{0}")]
    Closed(String),
    #[error("{0}")]
    Broken(String),
    #[error("{0}")]
    Doubtful(&'static str),
}

/// A connection.
pub(super) struct Link {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pace: Pace,
    pings: Interval,
    heard: Instant,
}

impl Link {
    pub(super) async fn connect(url: &str, pace: Pace) -> Result<Self, Lost> {
        name_tls_provider();
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST_MESSAGE))
            .max_frame_size(Some(LARGEST_MESSAGE));
        let connecting = connect_async_with_config(url, Some(config), true);
        let (stream, _) = timeout(pace.connect, connecting)
            .await
            .map_err(|_| Lost::Connecting(pace.connect))?
            .map_err(|error| broken(&error))?;
        let mut pings = interval(pace.ping);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { stream, pace, pings, heard: Instant::now() })
    }

    pub(super) async fn send(&mut self, text: String) -> Result<(), Lost> {
        match timeout(self.pace.connect, self.stream.send(Message::text(text))).await {
            Ok(sent) => sent.map_err(|error| broken(&error)),
            Err(_) => Err(Lost::Stuck(self.pace.connect)),
        }
    }

    /// The next word, `PONG` included; asks for signs of life meanwhile. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Utf8Bytes, Lost> {
        loop {
            let silent_at = self.heard + self.pace.silence;
            tokio::select! {
                message = self.stream.next() => {
                    self.heard = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => return Ok(text),
                        Some(Ok(Message::Binary(bytes))) => {
                            if let Ok(text) = Utf8Bytes::try_from(bytes) {
                                return Ok(text);
                            }
                        }
                        Some(Ok(Message::Close(frame))) => {
                            let why = frame.map(|frame| format!(": {} {:.80}", frame.code, frame.reason.as_str()));
                            return Err(Lost::Closed(why.unwrap_or_default()));
                        }
                        // Pings of the protocol are answered by the library.
                        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                        Some(Err(error)) => return Err(broken(&error)),
                        None => return Err(Lost::Closed(String::new())),
                    }
                }
                _ = self.pings.tick() => self.send("PING".to_owned()).await?,
                () = sleep_until(silent_at) => return Err(Lost::Silent(self.pace.silence)),
            }
        }
    }
}

/// The pause before the next try: doubled each time, and by chance down to half of that, so that many who lost the
/// same venue do not come back as one.
pub(super) fn pause(pace: &Pace, failures: u32) -> Duration {
    let doubled = pace.first_pause.saturating_mul(1_u32.checked_shl(failures.min(20)).unwrap_or(u32::MAX));
    doubled.min(pace.longest_pause).mul_f64(rand::random_range(0.5..=1.0))
}

fn broken(error: &Error) -> Lost {
    Lost::Broken(match error {
        // Its whole answer would be printed otherwise.
        Error::Http(response) => format!("refused with status {}", response.status().as_u16()),
        error => error.to_string().chars().take(200).collect(),
    })
}

/// Whether a word is only a sign of life.
pub(super) fn is_sign_of_life(text: &str) -> bool {
    matches!(text.trim(), "PONG" | "PING" | "pong" | "ping" | "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_differ() {
        let pace = Pace::default();
        for failures in 0..200 {
            let whole = (pace.first_pause * 2_u32.pow(failures.min(20))).min(pace.longest_pause);
            let pause = pause(&pace, failures);
            assert!(whole / 2 <= pause && pause <= whole, "{failures}: {pause:?}");
        }
        let pauses: std::collections::BTreeSet<_> = (0..50).map(|_| pause(&pace, 9)).collect();
        assert!(pauses.len() > 1);
    }
}
