//! The line to the coordinator: one WebSocket that this node dials, for as long as it runs.
//!
//! Promises: the dial is signed with the node's key; a lost line is dialled again, later and
//! later, with chance in the waiting; a line on which nothing is heard is given up; the journal's
//! head is the first frame on each line and is sent again whenever it moves.
//! Refuses: text over [`RELAY_FRAME_BYTES_MAX`], text that is no frame, binary messages.
//! Does not protect against: a courier that drops, delays or repeats. What it delivers is opened
//! elsewhere; what it must not see is sealed before it comes here.

mod backoff;
mod dial;

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tercet_api::relay::{FromNode, RELAY_FRAME_BYTES_MAX, ToNode};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub(crate) use self::dial::{Dial, now};

use self::backoff::Backoff;
use self::dial::Socket;

/// Frames on their way out that are held for the line.
pub const OUTBOX_FRAMES_MAX: usize = 1_024;
/// Time between two pings, in milliseconds.
pub const PING_MS: u64 = 10_000;
/// Longest silence on a line before it is given up, in milliseconds.
pub const SILENCE_MS_MAX: u64 = 30_000;
/// Longest wait for the line to take one frame, in milliseconds.
pub const WRITE_MS_MAX: u64 = 10_000;
/// A line that held this long, in milliseconds, resets the waiting between dials.
pub const STEADY_MS: u64 = 20_000;

/// Who takes what comes over the line.
#[async_trait::async_trait]
pub(crate) trait Listener: Send + Sync {
    /// Takes a frame. May wait for this node's disk, never for the line.
    async fn take(&self, frame: ToNode);
    /// The line is gone: what depended on it is over.
    fn line_lost(&self);
    /// Something came that is no frame.
    fn garbage(&self);
}

/// The node's end of the line.
pub(crate) struct Line {
    pub(crate) dial: Dial,
    pub(crate) outbox: mpsc::Receiver<FromNode>,
    /// The journal's head, as the frame that tells it.
    pub(crate) head: watch::Receiver<FromNode>,
    pub(crate) connected: watch::Sender<bool>,
    pub(crate) listener: Box<dyn Listener>,
}

/// Why a conversation ended.
#[derive(Debug, thiserror::Error)]
enum LineEnd {
    #[error("this node is stopping")]
    Stopping,
    #[error("the coordinator closed the line")]
    Closed,
    #[error("nothing was heard for {SILENCE_MS_MAX} ms")]
    Silence,
    #[error("the line took no frame for {WRITE_MS_MAX} ms")]
    Stuck,
    #[error("the line broke: {0}")]
    Broken(Box<tungstenite::Error>),
}

impl Line {
    /// Keeps a line open until `stop`.
    pub(crate) async fn keep(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        while !stop.is_cancelled() {
            let since = Instant::now();
            let dialled = tokio::select! {
                () = stop.cancelled() => return,
                dialled = self.dial.dial() => dialled,
            };
            match dialled {
                Ok(socket) => {
                    info!(coordinator = %self.dial.coordinator(), "connected");
                    let end = self.converse(socket, &stop).await;
                    self.lost(&end);
                }
                Err(error) => warn!(%error, "the coordinator could not be reached"),
            }
            if since.elapsed() > Duration::from_millis(STEADY_MS) {
                backoff = Backoff::default();
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(backoff.next_wait()) => {}
            }
        }
    }

    fn lost(&mut self, end: &LineEnd) {
        info!(reason = %end, "disconnected");
        self.connected.send_replace(false);
        self.listener.line_lost();
        self.drop_sealed_frames();
    }

    /// Frames of sessions that ended with the line are nobody's any more; results are kept.
    fn drop_sealed_frames(&mut self) {
        let mut kept = Vec::new();
        while let Ok(frame) = self.outbox.try_recv() {
            if !matches!(frame, FromNode::Frame { .. } | FromNode::Progress { .. }) {
                kept.push(frame);
            }
        }
        self.dial.unsent.extend(kept);
    }

    async fn converse(&mut self, mut socket: Socket, stop: &CancellationToken) -> LineEnd {
        let end = match self.greet(&mut socket).await {
            Ok(()) => {
                self.connected.send_replace(true);
                self.exchange(&mut socket, stop).await
            }
            Err(end) => end,
        };
        // Courtesy only: the line may be gone.
        let _ = timeout(Duration::from_secs(1), socket.close(None)).await;
        end
    }

    async fn greet(&mut self, socket: &mut Socket) -> Result<(), LineEnd> {
        let head = self.head.borrow_and_update().clone();
        send(socket, &head).await?;
        for frame in std::mem::take(&mut self.dial.unsent) {
            send(socket, &frame).await?;
        }
        Ok(())
    }

    async fn exchange(&mut self, socket: &mut Socket, stop: &CancellationToken) -> LineEnd {
        let mut ping = interval(Duration::from_millis(PING_MS));
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            let step = tokio::select! {
                () = stop.cancelled() => Err(LineEnd::Stopping),
                message = socket.next() => {
                    heard = Instant::now();
                    self.heard(message).await
                }
                Some(frame) = self.outbox.recv() => send(socket, &frame).await,
                Ok(()) = self.head.changed() => {
                    let head = self.head.borrow_and_update().clone();
                    send(socket, &head).await
                }
                _ = ping.tick() => match heard.elapsed() > Duration::from_millis(SILENCE_MS_MAX) {
                    true => Err(LineEnd::Silence),
                    false => write(socket, Message::Ping(Default::default())).await,
                },
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn heard(
        &self,
        message: Option<Result<Message, tungstenite::Error>>,
    ) -> Result<(), LineEnd> {
        match message {
            None | Some(Ok(Message::Close(_))) => Err(LineEnd::Closed),
            Some(Err(error)) => Err(LineEnd::Broken(Box::new(error))),
            Some(Ok(Message::Text(text))) => {
                match serde_json::from_str(text.as_str()) {
                    Ok(frame) if text.len() <= RELAY_FRAME_BYTES_MAX => {
                        self.listener.take(frame).await;
                    }
                    _ => self.listener.garbage(),
                }
                Ok(())
            }
            Some(Ok(Message::Binary(_))) => {
                self.listener.garbage();
                Ok(())
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
        }
    }
}

async fn send(socket: &mut Socket, frame: &FromNode) -> Result<(), LineEnd> {
    match serde_json::to_string(frame) {
        Ok(text) if text.len() <= RELAY_FRAME_BYTES_MAX => {
            write(socket, Message::Text(text.into())).await
        }
        // Nothing this node makes is that long; a frame that is not sent ends its session alone.
        _ => {
            warn!("a frame over the limit was not sent");
            Ok(())
        }
    }
}

async fn write(socket: &mut Socket, message: Message) -> Result<(), LineEnd> {
    match timeout(Duration::from_millis(WRITE_MS_MAX), socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(LineEnd::Broken(Box::new(error))),
        Err(_elapsed) => Err(LineEnd::Stuck),
    }
}
