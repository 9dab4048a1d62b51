//! One node's WebSocket: text frames of JSON, bounded, kept alive by pings.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use futures_util::{SinkExt as _, StreamExt as _};
use tercet_api::relay::{FromNode, RELAY_FRAME_BYTES_MAX, ToNode};
use tercet_policy::intent::IntentId;
use tercet_policy::party::NodeId;
use tercet_policy::report::ReportKind;
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::Connection;
use crate::app::App;
use crate::restock;

/// How often a ping goes out, in seconds.
pub const PING_SECONDS: u64 = 15;
/// How long a node may be silent, pongs counted, in seconds.
pub const SILENCE_SECONDS_MAX: u64 = 50;
/// How long one write may take, in seconds.
pub const WRITE_SECONDS_MAX: u64 = 10;

/// How a node names a report in its answer.
const REPORT: &str = "report";

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the node closed it")]
    Closed,
    #[error("a newer connection took its place, or it did not read")]
    Dropped,
    #[error("nothing was heard for {SILENCE_SECONDS_MAX} s")]
    Silent,
    #[error("a write took longer than {WRITE_SECONDS_MAX} s")]
    SlowWrite,
    #[error("a frame is no frame of this protocol: {0}")]
    Malformed(String),
    #[error("{0}")]
    Transport(#[from] axum::Error),
    #[error("the coordinator stops")]
    Stopping,
    #[error("its documents cannot be read from the store")]
    Store,
}

/// Serves a node until either side ends it.
pub async fn serve(app: App, node: NodeId, mut socket: WebSocket, stop: CancellationToken) {
    let mut connection = app.relay().connect(&node);
    tracing::info!(%node, "node connected");
    let ended = converse(&app, &mut connection, &mut socket, &stop).await;
    app.relay().disconnect(&node, connection.serial);
    match ended {
        Err(ended) => tracing::info!(%node, reason = %ended, "node disconnected"),
        Ok(never) => match never {},
    }
    let _ = timeout(Duration::from_secs(1), socket.close()).await;
}

async fn converse(
    app: &App,
    connection: &mut Connection,
    socket: &mut WebSocket,
    stop: &CancellationToken,
) -> Result<std::convert::Infallible, Ended> {
    app.hear(&connection.node, None);
    let documents = app.documents_for(&connection.node).await.map_err(|_| Ended::Store)?;
    let mut unanswered = Unanswered::default();
    for document in &documents {
        write(socket, document).await?;
        unanswered.push(document);
    }
    let mut ping = interval(Duration::from_secs(PING_SECONDS));
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Err(Ended::Stopping),
            frame = connection.queue.recv() => {
                let frame = frame.ok_or(Ended::Dropped)?;
                write(socket, &frame).await?;
                unanswered.push(&frame);
            }
            message = socket.next() => {
                heard = Instant::now();
                let message = message.ok_or(Ended::Closed)??;
                take(app, &connection.node, message, &mut unanswered).await?;
            }
            _ = ping.tick() => {
                if heard.elapsed() > Duration::from_secs(SILENCE_SECONDS_MAX) {
                    return Err(Ended::Silent);
                }
                write_message(socket, Message::Ping(Bytes::new())).await?;
            }
        }
    }
}

async fn write(socket: &mut WebSocket, frame: &ToNode) -> Result<(), Ended> {
    let text = serde_json::to_string(frame).map_err(|e| Ended::Malformed(e.to_string()))?;
    write_message(socket, Message::Text(text.into())).await
}

async fn write_message(socket: &mut WebSocket, message: Message) -> Result<(), Ended> {
    let write = timeout(Duration::from_secs(WRITE_SECONDS_MAX), socket.send(message));
    Ok(write.await.map_err(|_| Ended::SlowWrite)??)
}

/// The reports that a node was sent on this line and has not answered, the first one first. It
/// answers each in turn; what it never answers is sent again on its next line.
#[derive(Debug, Default)]
struct Unanswered(VecDeque<(IntentId, ReportKind)>);

impl Unanswered {
    fn push(&mut self, frame: &ToNode) {
        if let ToNode::Report { document } = frame {
            self.0.push_back((document.document.intent, document.document.outcome));
        }
    }

    async fn answered(&mut self, app: &App) {
        let Some((intent, kind)) = self.0.pop_front() else { return };
        if let Err(error) = app.store().report_taken(&intent, kind).await {
            tracing::error!(%intent, %error, "cannot remember that a report was taken");
        }
    }
}

async fn take(
    app: &App,
    node: &NodeId,
    message: Message,
    unanswered: &mut Unanswered,
) -> Result<(), Ended> {
    let text = match message {
        Message::Text(text) => text,
        Message::Ping(_) | Message::Pong(_) => return Ok(()),
        Message::Close(_) => return Err(Ended::Closed),
        Message::Binary(_) => return Err(Ended::Malformed("binary".to_owned())),
    };
    if text.len() > RELAY_FRAME_BYTES_MAX {
        return Err(Ended::Malformed("too long".to_owned()));
    }
    let frame: FromNode =
        serde_json::from_str(text.as_str()).map_err(|e| Ended::Malformed(e.to_string()))?;
    match frame {
        FromNode::Head { rows, hash } => app.hear(node, Some((rows, hash))),
        FromNode::Restock { wallet, count } => restock::wished(app, node, wallet, count).await,
        FromNode::Document { kind, subject, epoch, refused } => {
            if kind == REPORT {
                unanswered.answered(app).await;
            }
            match refused {
                Some(reason) => {
                    tracing::warn!(%node, kind, %subject, epoch, reason, "document refused");
                }
                None => tracing::debug!(%node, kind, %subject, epoch, "document taken"),
            }
        }
        frame => app.relay().receive(node, frame),
    }
    Ok(())
}
