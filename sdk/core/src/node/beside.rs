//! The agent's node beside this process, over its Unix socket (`tercet_signer_node::socket` has the
//! routes).

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use alloy_primitives::{Address, B256};
use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tercet_api::auth::{RequestParts, SignatureHeaders};
use tercet_api::problem::{PROBLEM_MEDIA_TYPE, Problem};
use tercet_api::relay::{FailureKind, SealedBytes, SealedPart};
use tercet_policy::document::{NodeKeys, Signed, WalletRequest};
use tercet_policy::intent::{IntentId, PaymentIntent, SignedIntent};
use tercet_policy::payload::{FinishedPayment, MppSignature};
use tercet_policy::report::{ReportKind, SignedReport};
use tercet_signer::gate::{HeldWallet, SessionAsk};
use tercet_signer_node::socket::wire::{
    AskFinish, AskPatience, AskReport, AskRequest, Begun, End, MayHaveSigned, NodeSaid,
    RequestSigned, SessionSigner, TICKET_LINE_BYTES_MAX, WalletSaid,
};
use tercet_signer_node::socket::{HEAD_SECONDS_MAX, PATIENCE_MS_MAX};
use tercet_signer_node::{NotPaid, PaymentEnd, Readiness, Ticket};
use tokio::sync::mpsc;

use super::{AgentNode, NodeError};
use crate::net;

/// Longest wait for a connection, in seconds.
const CONNECT_SECONDS_MAX: u64 = 5;
/// Longest wait for the head of an answer beyond the patience that was asked for, in seconds.
const ANSWER_SECONDS_MAX: u64 = 20;
/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Ends of a ticket that wait to be read.
const ENDS_MAX: usize = 8;

/// The agent's node behind a socket.
#[derive(Clone, Debug)]
pub struct Beside {
    path: PathBuf,
    http: reqwest::Client,
}

impl Beside {
    /// A line to the node behind a socket; nothing is sent yet.
    ///
    /// # Errors
    /// [`NodeError::Away`] where there is no socket, [`NodeError::Unfit`] for one that anybody could
    /// have put there.
    pub fn at(path: &Path) -> Result<Self, NodeError> {
        check_place(path)?;
        // Shorter than the node's own patience, so that no connection is used as it is closed.
        let idle = Duration::from_secs(HEAD_SECONDS_MAX / 2);
        let http = net::builder(Duration::from_secs(CONNECT_SECONDS_MAX))
            .unix_socket(path)
            .pool_idle_timeout(idle)
            .build()
            .map_err(|error| NodeError::Unfit(net::text_of(error)))?;
        Ok(Self { path: path.to_owned(), http })
    }

    /// Whether a node, or anything, answers behind that socket now.
    #[must_use]
    pub fn answers_at(path: &Path) -> bool {
        std::os::unix::net::UnixStream::connect(path).is_ok()
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, NodeError> {
        self.parsed(Method::GET, path, None).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, NodeError> {
        self.parsed(Method::POST, path, Some(json(body)?)).await
    }

    async fn parsed<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<T, NodeError> {
        let limit = Duration::from_secs(ANSWER_SECONDS_MAX);
        let answer = read(self.call(method, path, body, limit).await?).await?;
        serde_json::from_slice(&answer).map_err(not_the_node)
    }

    /// The head of a good answer.
    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        limit: Duration,
    ) -> Result<Response, NodeError> {
        // The host is said, and means nothing: the socket is where this goes.
        let mut request = self.http.request(method, format!("http://node{path}"));
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = match tokio::time::timeout(limit, request.send()).await {
            Ok(sent) => sent.map_err(|error| self.away(net::text_of(error)))?,
            Err(_) => return Err(self.away("no answer in time")),
        };
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.problem(response).await)
    }

    async fn problem(&self, response: Response) -> NodeError {
        let (status, kind) = (response.status(), response.headers().get(CONTENT_TYPE).cloned());
        let is_problem = kind.is_some_and(|kind| kind == PROBLEM_MEDIA_TYPE);
        match read(response).await {
            Ok(body) if is_problem => match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => NodeError::Problem(Box::new(problem)),
                Err(error) => not_the_node(error),
            },
            Ok(_) => NodeError::NotTheNode { detail: format!("HTTP {status}") },
            Err(error) => error,
        }
    }

    /// Says something on which nothing depends: a node that does not hear it finds out by itself.
    async fn tell(&self, path: &str) {
        let limit = Duration::from_secs(ANSWER_SECONDS_MAX);
        drop(self.call(Method::POST, path, None, limit).await);
    }

    fn away(&self, detail: impl std::fmt::Display) -> NodeError {
        NodeError::Away { detail: format!("{}: {detail}", self.path.display()) }
    }

    /// The head of an answer that may take as long as `patience`.
    async fn patiently(&self, path: &str, patience: Duration) -> Result<Response, NodeError> {
        let patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let asked = AskPatience { patience_ms: patience_ms.min(PATIENCE_MS_MAX) };
        let limit = patience.saturating_add(Duration::from_secs(ANSWER_SECONDS_MAX));
        self.call(Method::POST, path, Some(json(&asked)?), limit).await
    }
}

#[async_trait]
impl AgentNode for Beside {
    async fn keys(&self) -> Result<NodeKeys, NodeError> {
        Ok(self.get::<NodeSaid>("/v1/node").await?.keys)
    }

    async fn wallets(&self) -> Result<Vec<HeldWallet>, NodeError> {
        let said: Vec<WalletSaid> = self.get("/v1/wallets").await?;
        let held = |WalletSaid { address, agent, stopped, presignatures }| HeldWallet {
            address,
            agent,
            stopped,
            presignatures,
        };
        Ok(said.into_iter().map(held).collect())
    }

    async fn readiness(&self) -> Result<Readiness, NodeError> {
        self.get("/v1/readiness").await
    }

    async fn wait_connected(&self, patience: Duration) -> Result<(), NodeError> {
        self.patiently("/v1/connected", patience).await.map(drop)
    }

    async fn sign_intent(&self, intent: PaymentIntent) -> Result<SignedIntent, NodeError> {
        self.post("/v1/sign/intent", &intent).await
    }

    async fn sign_report(
        &self,
        intent: PaymentIntent,
        outcome: ReportKind,
    ) -> Result<SignedReport, NodeError> {
        self.post("/v1/sign/report", &AskReport { intent, outcome }).await
    }

    async fn sign_wallet_request(
        &self,
        request: WalletRequest,
    ) -> Result<Signed<WalletRequest>, NodeError> {
        self.post("/v1/sign/wallet-request", &request).await
    }

    async fn sign_request(&self, parts: &RequestParts<'_>) -> Result<SignatureHeaders, NodeError> {
        let asked = AskRequest {
            method: parts.method.to_owned(),
            path: parts.path.to_owned(),
            query: parts.query.to_owned(),
            body: parts.body.to_owned(),
        };
        let signed: RequestSigned = self.post("/v1/sign/request", &asked).await?;
        Ok(SignatureHeaders {
            signature_input: signed.signature_input,
            signature: signed.signature,
            content_digest: signed.content_digest,
        })
    }

    async fn may_have_signed(&self, intent: IntentId) -> bool {
        let path = format!("/v1/payments/{intent}/may-have-signed");
        self.get::<MayHaveSigned>(&path).await.map_or(true, |said| said.may_have_signed)
    }

    async fn expect(&self, intent: IntentId, patience: Duration) -> Result<Ticket, NodeError> {
        let path = format!("/v1/payments/{intent}/ticket");
        let response = self.patiently(&path, patience).await?;
        let (tell, ends) = mpsc::channel(ENDS_MAX);
        tokio::spawn(follow(response, tell));
        Ok(Ticket::over(intent, ends))
    }

    async fn begin(&self, envelope: &SignedIntent) -> Result<Option<SealedPart>, NodeError> {
        match self.post("/v1/payments/begin", envelope).await? {
            Begun::Part { part } => Ok(Some(part)),
            Begun::NoPart => Ok(None),
            Begun::NotPaid { why } => Err(of_beside(why)),
        }
    }

    async fn finish(&self, intent: IntentId, answer: &[u8]) -> Result<FinishedPayment, NodeError> {
        let path = format!("/v1/payments/{intent}/finish");
        match self.post(&path, &AskFinish { answer: SealedBytes(answer.to_owned()) }).await? {
            End::Signed { payment } => payment.try_into().map_err(not_the_node),
            End::NotPaid { why } => Err(of_beside(why)),
        }
    }

    async fn give_up(&self, intent: IntentId) {
        self.tell(&format!("/v1/payments/{intent}/give-up")).await;
    }

    async fn forget(&self, intent: IntentId) {
        self.tell(&format!("/v1/payments/{intent}/forget")).await;
    }

    async fn session_signer(&self, wallet: Address, salt: B256) -> Result<Address, NodeError> {
        let path = format!("/v1/wallets/{wallet}/session-signers/{salt}");
        Ok(self.get::<SessionSigner>(&path).await?.address)
    }

    async fn sign_voucher(&self, ask: SessionAsk) -> Result<MppSignature, NodeError> {
        of_channel(self.post("/v1/sessions/voucher", &ask).await?)
    }

    async fn sign_close(&self, ask: SessionAsk) -> Result<MppSignature, NodeError> {
        of_channel(self.post("/v1/sessions/close", &ask).await?)
    }

    async fn wake(&self, wallet: Address) {
        self.tell(&format!("/v1/wallets/{wallet}/wake")).await;
    }
}

fn of_channel(end: End) -> Result<MppSignature, NodeError> {
    match end {
        End::Signed { payment } => match payment.try_into().map_err(not_the_node)? {
            FinishedPayment::Mpp(signature) => Ok(signature),
            _ => Err(not_the_node("it signed something else")),
        },
        End::NotPaid { why } => Err(of_beside(why)),
    }
}

/// A node beside that stopped comes back.
fn of_beside(why: NotPaid) -> NodeError {
    match why {
        NotPaid::Stopped => NodeError::Away { detail: "it is stopping".to_owned() },
        other => NodeError::NotPaid(other),
    }
}

/// Carries the lines of a ticket until nobody reads them any more, or the node goes away.
async fn follow(mut response: Response, tell: mpsc::Sender<PaymentEnd>) {
    let mut held = Vec::new();
    loop {
        let chunk = tokio::select! {
            () = tell.closed() => return,
            chunk = response.chunk() => chunk,
        };
        let Ok(Some(chunk)) = chunk else { break };
        held.extend_from_slice(&chunk);
        while let Some(at) = held.iter().position(|byte| *byte == b'\n') {
            let rest = held.split_off(at.saturating_add(1));
            let line = std::mem::replace(&mut held, rest);
            let Some(end) = end_of(&line) else { return tell_gone(&tell).await };
            if tell.send(end).await.is_err() {
                return;
            }
        }
        if held.len() > TICKET_LINE_BYTES_MAX {
            break;
        }
    }
    tell_gone(&tell).await;
}

fn end_of(line: &[u8]) -> Option<PaymentEnd> {
    match PaymentEnd::try_from(serde_json::from_slice::<End>(line).ok()?).ok()? {
        PaymentEnd::NotPaid(NotPaid::Stopped) => None,
        end => Some(end),
    }
}

async fn tell_gone(tell: &mpsc::Sender<PaymentEnd>) {
    let detail = "the agent's node went away".to_owned();
    let gone = NotPaid::Failed { kind: FailureKind::NotReady, detail };
    // Whoever asked may be gone, too.
    drop(tell.send(PaymentEnd::NotPaid(gone)).await);
}

/// In a folder that anybody may write, anybody could have put a socket.
fn check_place(path: &Path) -> Result<(), NodeError> {
    let away = |why: &str| NodeError::Away { detail: format!("{}: {why}", path.display()) };
    let found = std::fs::symlink_metadata(path).map_err(|error| away(&error.to_string()))?;
    if !found.file_type().is_socket() {
        return Err(away("no socket (symbolic links are refused)"));
    }
    let folder = path.parent().map(std::fs::metadata);
    let lax = folder.is_none_or(|folder| folder.is_ok_and(|folder| folder.mode() & 0o002 != 0));
    if lax {
        let why = format!("{} is in a folder that anybody may write", path.display());
        return Err(NodeError::Unfit(why));
    }
    Ok(())
}

fn json(body: &impl Serialize) -> Result<Vec<u8>, NodeError> {
    serde_json::to_vec(body).map_err(|error| NodeError::Unfit(error.to_string()))
}

async fn read(mut response: Response) -> Result<Vec<u8>, NodeError> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(NodeError::Away { detail: net::text_of(error) }),
        }
        if body.len() > ANSWER_BYTES_MAX {
            let detail = format!("an answer of more than {ANSWER_BYTES_MAX} bytes");
            return Err(NodeError::NotTheNode { detail });
        }
    }
}

fn not_the_node(error: impl std::fmt::Display) -> NodeError {
    NodeError::NotTheNode { detail: error.to_string() }
}
