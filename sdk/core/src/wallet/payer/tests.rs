use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use alloy_primitives::{Address, B256};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use tercet_api::auth::{RequestParts, SignatureHeaders};
use tercet_api::payment::CreatePayment;
use tercet_api::problem::{PROBLEM_MEDIA_TYPE, Problem};
use tercet_policy::document::{NodeKeys, Signed as SignedDocument, WalletRequest};
use tercet_policy::intent::Payment;
use tercet_policy::payload::{Authorization, WalletSignature};
use tercet_policy::refusal::Refusal;
use tercet_policy::report::SignedReport;
use tercet_signer::gate::HeldWallet;
use tercet_signer_node::{PaymentEnd, Readiness};
use tokio::sync::mpsc;

use super::*;
use crate::client::Credentials;
use crate::fixture::signed_intent;

/// A node that gives as many parts as it was given, and finishes what is answered "good".
#[derive(Debug, Default)]
struct FakeNode {
    parts: AtomicUsize,
    begun: AtomicUsize,
    given_up: AtomicUsize,
    forgotten: AtomicUsize,
    may_have_signed: AtomicBool,
    ticket_brings: Mutex<Option<PaymentEnd>>,
    line_stands: AtomicBool,
}

fn finished() -> FinishedPayment {
    let intent = crate::fixture::intent(1);
    let Payment::X402Exact(x) = intent.payment else { panic!("x402 was expected") };
    FinishedPayment::X402(Eip3009Payment {
        chain: x.chain,
        token: x.token,
        signature: WalletSignature::new([1; 32], [1; 32], false).unwrap(),
        authorization: Authorization {
            from: intent.wallet,
            to: x.to,
            value: x.amount,
            valid_after: UnixSeconds(0),
            valid_before: x.valid_before,
            nonce: B256::repeat_byte(1),
        },
    })
}

#[async_trait]
impl AgentNode for FakeNode {
    async fn keys(&self) -> Result<NodeKeys, NodeError> {
        Err(NodeError::Closed)
    }
    async fn wallets(&self) -> Result<Vec<HeldWallet>, NodeError> {
        Ok(Vec::new())
    }
    async fn readiness(&self) -> Result<Readiness, NodeError> {
        Err(NodeError::Closed)
    }
    async fn wait_connected(&self, _: Duration) -> Result<(), NodeError> {
        Ok(())
    }
    async fn sign_intent(&self, _: PaymentIntent) -> Result<SignedIntent, NodeError> {
        Ok(signed_intent(&SigningKey::from_bytes(&[7; 32])))
    }
    async fn sign_report(
        &self,
        _: PaymentIntent,
        _: ReportKind,
    ) -> Result<SignedReport, NodeError> {
        Err(NodeError::Closed)
    }
    async fn sign_wallet_request(
        &self,
        _: WalletRequest,
    ) -> Result<SignedDocument<WalletRequest>, NodeError> {
        Err(NodeError::Closed)
    }
    async fn sign_request(&self, _: &RequestParts<'_>) -> Result<SignatureHeaders, NodeError> {
        Err(NodeError::Closed)
    }
    async fn may_have_signed(&self, _: IntentId) -> bool {
        self.may_have_signed.load(Ordering::SeqCst)
    }
    async fn expect(&self, intent: IntentId, _: Duration) -> Result<Ticket, NodeError> {
        if !self.line_stands.load(Ordering::SeqCst) {
            return Err(NodeError::NotConnected);
        }
        let (tell, ends) = mpsc::channel(1);
        if let Some(end) = self.ticket_brings.lock().unwrap().take() {
            tell.try_send(end).unwrap();
        }
        // A ticket without an end waits for it.
        tokio::spawn(async move { tell.closed().await });
        Ok(Ticket::over(intent, ends))
    }
    async fn begin(&self, _: &SignedIntent) -> Result<Option<SealedPart>, NodeError> {
        let begun = self.begun.fetch_add(1, Ordering::SeqCst);
        if begun >= self.parts.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let number = u8::try_from(begun).unwrap();
        let (presignature, sealed) = (B256::repeat_byte(number), SealedBytes(vec![number]));
        Ok(Some(SealedPart { presignature, sealed }))
    }
    async fn finish(&self, _: IntentId, answer: &[u8]) -> Result<FinishedPayment, NodeError> {
        if answer == b"good" {
            return Ok(finished());
        }
        let (kind, detail) = (FailureKind::Peer, "not its answer".to_owned());
        Err(NodeError::NotPaid(NotPaid::Failed { kind, detail }))
    }
    async fn give_up(&self, _: IntentId) {
        self.given_up.fetch_add(1, Ordering::SeqCst);
    }
    async fn forget(&self, _: IntentId) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
    }
    async fn wake(&self, _: Address) {}
}

/// What a coordinator says to one post.
#[derive(Clone, Copy, Debug)]
enum Says {
    View(PaymentStatus, Option<&'static str>, Option<SigningWay>),
    Refused,
    /// It is being signed already.
    Busy,
    /// There is no room for it.
    Overloaded,
    /// Nothing that is an answer; the line breaks.
    Breaks,
}

#[derive(Clone)]
struct Desk {
    says: Arc<Mutex<Vec<Says>>>,
    /// The presignature of every post, in order.
    posted: Arc<Mutex<Vec<Option<B256>>>>,
    signed_again: Arc<AtomicUsize>,
    is_known: Arc<AtomicBool>,
}

struct World {
    payer: HousedPayer,
    node: Arc<FakeNode>,
    desk: Desk,
}

impl World {
    async fn new(parts: usize, says: &[Says]) -> Self {
        let says = Arc::new(Mutex::new(says.iter().rev().copied().collect()));
        let desk = Desk {
            says,
            posted: Arc::default(),
            signed_again: Arc::default(),
            is_known: Arc::default(),
        };
        let routes = Router::new()
            .route("/v1/payments", post(create))
            .route("/v1/payments/{id}", get(show))
            .route("/v1/payments/{id}/sign", post(sign_again))
            .with_state(desk.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let node = Arc::new(FakeNode::default());
        node.parts.store(parts, Ordering::SeqCst);
        node.line_stands.store(true, Ordering::SeqCst);
        let client = Client::new(base, Credentials::None).unwrap();
        let payer = HousedPayer::new(Arc::clone(&node) as _, client);
        Self { payer, node, desk }
    }

    fn ticket_brings(self, end: PaymentEnd) -> Self {
        *self.node.ticket_brings.lock().unwrap() = Some(end);
        self
    }

    async fn pay(&self) -> Result<SigningWay, PayError> {
        let intent = signed_intent(&SigningKey::from_bytes(&[7; 32]));
        let signed = self.payer.finish(intent).await?;
        assert_eq!(signed.payment, finished());
        Ok(signed.by)
    }

    /// Parts posted, whether the stock is in doubt, and how often it was signed again.
    fn seen(&self) -> (Vec<Option<B256>>, usize, usize) {
        let posted = self.desk.posted.lock().unwrap().clone();
        let given_up = self.node.given_up.load(Ordering::SeqCst);
        (posted, given_up, self.desk.signed_again.load(Ordering::SeqCst))
    }
}

async fn create(State(desk): State<Desk>, Json(asked): Json<CreatePayment>) -> Response {
    desk.posted.lock().unwrap().push(asked.part.map(|part| part.presignature));
    let says = desk.says.lock().unwrap().pop().unwrap();
    let problem = |code| {
        let mut problem = Problem::new(code, "what happened", "log");
        if code == ProblemCode::Refused {
            let refusal = Refusal::NoPolicy { agent: asked.intent.document.agent.clone() };
            problem.refusals = vec![RefusalBy { by: "operator".to_owned(), refusal }];
        }
        let status = StatusCode::from_u16(problem.status).unwrap();
        (status, [("content-type", PROBLEM_MEDIA_TYPE)], Json(problem)).into_response()
    };
    match says {
        Says::View(status, answer, way) => {
            let mut view = view_of(&asked.intent, status);
            view.answer = answer.map(|answer| SealedBytes(answer.as_bytes().to_vec()));
            view.signed_by = way;
            Json(view).into_response()
        }
        Says::Refused => problem(ProblemCode::Refused),
        Says::Busy => {
            desk.is_known.store(true, Ordering::SeqCst);
            problem(ProblemCode::Busy)
        }
        Says::Overloaded => problem(ProblemCode::Busy),
        Says::Breaks => {
            let broken = futures_util::stream::iter([Err::<bytes::Bytes, _>(
                std::io::Error::other("broken"),
            )]);
            Response::new(axum::body::Body::from_stream(broken))
        }
    }
}

async fn show(State(desk): State<Desk>) -> Response {
    if !desk.is_known.load(Ordering::SeqCst) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let intent = signed_intent(&SigningKey::from_bytes(&[7; 32]));
    Json(view_of(&intent, PaymentStatus::Signing)).into_response()
}

async fn sign_again(State(desk): State<Desk>) -> Json<PaymentView> {
    desk.signed_again.fetch_add(1, Ordering::SeqCst);
    let intent = signed_intent(&SigningKey::from_bytes(&[7; 32]));
    Json(view_of(&intent, PaymentStatus::Signed))
}

fn view_of(intent: &SignedIntent, status: PaymentStatus) -> PaymentView {
    let document = &intent.document;
    let view: Value = json!({
        "id": document.id, "agent": document.agent, "wallet": document.wallet,
        "payment": document.payment, "status": status, "refusals": [],
        "created_at": 1, "updated_at": 1,
    });
    serde_json::from_value(view).unwrap()
}

fn part(number: u8) -> Option<B256> {
    Some(B256::repeat_byte(number))
}

const GOOD: Says = Says::View(PaymentStatus::Signed, Some("good"), Some(SigningWay::Presignature));

#[tokio::test]
async fn a_part_and_its_answer_make_a_payment_in_one_round_trip() {
    let world = World::new(1, &[GOOD]).await;
    assert_eq!(world.pay().await.unwrap(), SigningWay::Presignature);
    assert_eq!(world.seen(), (vec![part(0)], 0, 0));
}

#[tokio::test]
async fn a_part_of_no_use_brings_doubt_and_the_rounds_bring_the_payment() {
    let rounds = Says::View(PaymentStatus::Signed, None, Some(SigningWay::Interactive));
    let world = World::new(1, &[rounds]).await;
    let world = world.ticket_brings(PaymentEnd::Signed(Box::new(finished())));
    assert_eq!(world.pay().await.unwrap(), SigningWay::Interactive);
    assert_eq!(world.seen(), (vec![part(0)], 1, 0));
    assert!(world.payer.warned.load(Ordering::SeqCst), "it is said that it took rounds");
}

#[tokio::test]
async fn without_a_presignature_the_intent_goes_alone() {
    let signing = Says::View(PaymentStatus::Signing, None, None);
    let world = World::new(0, &[signing]).await;
    let world = world.ticket_brings(PaymentEnd::Signed(Box::new(finished())));
    assert_eq!(world.pay().await.unwrap(), SigningWay::Interactive);
    assert_eq!(world.seen(), (vec![None], 0, 0));
}

#[tokio::test]
async fn after_a_broken_line_another_part_is_posted() {
    let world = World::new(2, &[Says::Breaks, GOOD]).await;
    assert_eq!(world.pay().await.unwrap(), SigningWay::Presignature);
    assert_eq!(world.seen(), (vec![part(0), part(1)], 0, 0), "a part is never posted twice");
}

#[tokio::test]
async fn what_is_being_signed_for_an_earlier_process_is_waited_for_without_a_part() {
    let signing = Says::View(PaymentStatus::Signing, None, None);
    let world = World::new(1, &[Says::Busy, signing]).await;
    let world = world.ticket_brings(PaymentEnd::Signed(Box::new(finished())));
    assert_eq!(world.pay().await.unwrap(), SigningWay::Interactive);
    assert_eq!(world.seen(), (vec![part(0), None], 1, 0));
}

#[tokio::test]
async fn a_coordinator_without_room_is_not_asked_for_rounds_instead() {
    let world = World::new(1, &[Says::Overloaded]).await;
    let Err(PayError::Failed { retryable, .. }) = world.pay().await else { panic!("it paid") };
    assert!(retryable);
    assert_eq!(world.seen(), (vec![part(0)], 0, 0), "the stock is not in doubt for that");
    assert_eq!(world.node.forgotten.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_of_no_use_or_lost_is_signed_again() {
    let bad = Says::View(PaymentStatus::Signed, Some("bad"), Some(SigningWay::Presignature));
    let lost = Says::View(PaymentStatus::Signed, None, Some(SigningWay::Presignature));
    for (says, given_up) in [(bad, 0), (lost, 1)] {
        let world = World::new(1, &[says]).await;
        let ends = tokio::spawn({
            let node = Arc::clone(&world.node);
            let desk = world.desk.clone();
            async move {
                // The first ticket brings nothing; the second one is taken for the rounds.
                while desk.posted.lock().unwrap().is_empty() {
                    tokio::task::yield_now().await;
                }
                *node.ticket_brings.lock().unwrap() =
                    Some(PaymentEnd::Signed(Box::new(finished())));
            }
        });
        let by = world.pay().await.unwrap();
        ends.await.unwrap();
        assert_eq!(by, SigningWay::Interactive);
        assert_eq!(world.seen(), (vec![part(0)], given_up, 1), "{says:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_believed_only_if_our_part_cannot_have_left() {
    let world = World::new(1, &[Says::Refused, Says::Refused]).await;
    assert!(matches!(world.pay().await, Err(PayError::Refused { .. })));
    world.node.may_have_signed.store(true, Ordering::SeqCst);
    let Err(PayError::Failed { retryable, detail }) = world.pay().await else {
        panic!("a refusal was believed")
    };
    assert!(retryable && detail.contains("may be signed"), "{detail}");
}

#[tokio::test]
async fn nothing_is_posted_while_the_line_of_the_node_is_down() {
    let world = World::new(1, &[]).await;
    world.node.line_stands.store(false, Ordering::SeqCst);
    let Err(PayError::Failed { retryable, .. }) = world.pay().await else { panic!("it paid") };
    assert!(retryable);
    assert_eq!(world.seen(), (Vec::new(), 0, 0));
    assert_eq!(world.node.begun.load(Ordering::SeqCst), 0, "no presignature is used up for it");
}
