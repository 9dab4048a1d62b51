use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ed25519_dalek::SigningKey;
use tercet_api::payment::CreatePayment;
use tercet_api::problem::{PROBLEM_MEDIA_TYPE, Problem};
use tercet_policy::chain::{Asset, Chain};
use tercet_policy::document::Signed as SignedDocument;
use tercet_policy::intent::{MppChallenge, MppCharge, MppProof, Payment, TempoTransfer, X402Exact};
use tercet_policy::money::Amount;
use tercet_policy::refusal::Refusal;
use tercet_signer_node::PaymentEnd;

use super::*;
use crate::client::Credentials;
use crate::fixture::signed_intent;
use crate::wallet::fixture::{FakeNode, finished, view_of};

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
    /// Where a payment stands when it is looked at.
    later: Arc<Mutex<PaymentStatus>>,
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
            later: Arc::new(Mutex::new(PaymentStatus::Signing)),
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
    Json(view_of(&intent, *desk.later.lock().unwrap())).into_response()
}

async fn sign_again(State(desk): State<Desk>) -> Json<PaymentView> {
    desk.signed_again.fetch_add(1, Ordering::SeqCst);
    let intent = signed_intent(&SigningKey::from_bytes(&[7; 32]));
    Json(view_of(&intent, PaymentStatus::Signed))
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

/// An intent to make one on Tempo of, what it pays, and a token there.
fn on_tempo() -> (PaymentIntent, X402Exact, &'static Asset) {
    let intent = crate::fixture::intent(1);
    let Payment::X402Exact(x) = intent.payment.clone() else { panic!("x402 was expected") };
    (intent, x, Asset::by_symbol(Chain::Tempo, "pathUSD").unwrap())
}

/// The operator's node answers no part with a transaction that the coordinator brings to the chain.
#[tokio::test]
async fn what_the_coordinator_brings_to_the_chain_takes_no_part_and_brings_nothing_back() {
    let (mut intent, x, asset) = on_tempo();
    intent.payment = Payment::TempoTransfer(TempoTransfer {
        chain: asset.chain,
        token: asset.token,
        to: x.to,
        amount: x.amount,
        memo: None,
        terms: crate::mpp::charge::terms(100_000, Some(asset.token), x.valid_before),
    });
    let intent = SignedDocument::by(intent, &SigningKey::from_bytes(&[7; 32])).unwrap();
    let submitted = Says::View(PaymentStatus::Submitted, None, Some(SigningWay::Presignature));
    let signing = Says::View(PaymentStatus::Signing, None, None);
    let failed = Says::View(PaymentStatus::Failed, None, None);
    for (says, brought) in [(submitted, true), (signing, true), (failed, false)] {
        let world = World::new(1, &[says]).await;
        world.desk.is_known.store(true, Ordering::SeqCst);
        *world.desk.later.lock().unwrap() = PaymentStatus::Unknown;
        let ended = world.payer.submit(intent.clone()).await;
        assert_eq!(ended.is_ok(), brought, "{says:?}: {ended:?}");
        assert_eq!(world.seen(), (vec![None], 0, 0), "{says:?}: the stock is not in doubt");
    }
    let world = World::new(1, &[Says::View(PaymentStatus::Signed, None, None)]).await;
    let world = world.ticket_brings(PaymentEnd::Signed(Box::new(finished())));
    world.payer.finish(intent).await.unwrap();
    assert_eq!(world.seen(), (vec![None], 0, 0), "in rounds, where it is asked for");
}

fn of_payment(payment: impl FnOnce(&'static Asset, Challenged) -> Payment) -> SignedIntent {
    let mut intent = crate::fixture::intent(1);
    let Payment::X402Exact(x) = intent.payment else { panic!("x402 was expected") };
    let id = "kM9xPqWvT2nJrHsY4aDfEb".to_owned();
    let realm = "merchant.example".to_owned();
    let challenge = MppChallenge { id, realm, resource: x.resource, service: x.service };
    let asked = Challenged { to: x.to, amount: x.amount, ends: x.valid_before, challenge };
    intent.payment = payment(Asset::by_symbol(Chain::Tempo, "pathUSD").unwrap(), asked);
    SignedDocument::by(intent, &SigningKey::from_bytes(&[7; 32])).unwrap()
}

struct Challenged {
    to: Address,
    amount: Amount,
    ends: UnixSeconds,
    challenge: MppChallenge,
}

/// A transaction that a service brings to the chain lives for seconds.
#[tokio::test]
async fn what_ends_before_people_can_answer_is_not_waited_for() {
    let asked = Says::View(PaymentStatus::AwaitingApproval, None, None);
    let world = World::new(0, &[asked]).await;
    let intent = of_payment(|asset, Challenged { to, amount, ends, challenge }| {
        let (chain, token, splits) = (asset.chain, asset.token, Vec::new());
        let terms = crate::mpp::charge::terms(100_000, Some(token), ends);
        Payment::MppCharge(MppCharge { chain, token, to, amount, splits, challenge, terms })
    });
    let ends = intent.document.payment.valid_before().unwrap();
    let refused = world.payer.finish(intent).await;
    assert_eq!(refused, Err(PayError::NeedsApproval { ends }));
}

/// The operator's node would hand the transaction to the coordinator, and answer nobody.
#[tokio::test]
async fn what_the_coordinator_brings_to_the_chain_goes_without_a_part() {
    let submitted = Says::View(PaymentStatus::Submitted, None, Some(SigningWay::Presignature));
    let world = World::new(1, &[submitted]).await;
    let world = world.ticket_brings(PaymentEnd::Signed(Box::new(finished())));
    let intent = of_payment(|asset, Challenged { to, amount, ends, .. }| {
        let (chain, token) = (asset.chain, asset.token);
        let terms = crate::mpp::charge::terms(100_000, Some(token), ends);
        Payment::TempoTransfer(TempoTransfer { chain, token, to, amount, memo: None, terms })
    });
    assert_eq!(world.payer.finish(intent).await.unwrap().by, SigningWay::Presignature);
    assert_eq!(world.seen(), (vec![None], 0, 0));
}

#[tokio::test]
async fn what_moves_nothing_is_over_with_its_signature() {
    let settled = Says::View(PaymentStatus::Settled, None, Some(SigningWay::Interactive));
    let world = World::new(0, &[settled, settled]).await;
    let world = world.ticket_brings(PaymentEnd::Signed(Box::new(finished())));
    let intent = of_payment(|asset, Challenged { challenge, .. }| {
        Payment::MppProof(MppProof { chain: asset.chain, token: asset.token, challenge })
    });
    assert_eq!(world.payer.finish(intent).await.unwrap().by, SigningWay::Interactive);
    let over = world.pay().await;
    assert!(matches!(over, Err(PayError::Failed { retryable: false, .. })), "{over:?}");
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
