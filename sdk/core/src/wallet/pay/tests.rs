use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ed25519_dalek::SigningKey;
use tercet_api::payment::{CreatePayment, PaymentStatus, RefusalBy, SigningWay};
use tercet_api::problem::{PROBLEM_MEDIA_TYPE, Problem, ProblemCode};
use tercet_policy::document::Signed;
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::payload::transfer_memo;
use tercet_policy::refusal::Refusal;

use super::follow::TransferEvidence;
use super::*;
use crate::client::{Client, Credentials};
use crate::seam::{EvidenceUnavailable, Finality, Settlement};
use crate::wallet::fixture::{FakeNode, view_of};

const PAYEE: Address = Address::repeat_byte(0x22);
const TX: B256 = B256::repeat_byte(4);
const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn drafted(chain: Chain, text: &str, memo: Option<B256>) -> Result<Payment, Error> {
    transfer_of(chain, PAYEE, &price(text), memo, NOW)
}

/// A transfer on Tempo that its agent signed.
fn signed() -> SignedIntent {
    let payment = drafted(Chain::Tempo, "0.50 pathUSD", None).unwrap();
    let expires_at = SystemClock.now().plus(DRAFT_SECONDS);
    let intent = PaymentIntent { payment, expires_at, ..crate::fixture::intent(1) };
    Signed::by(intent, &SigningKey::from_bytes(&[7; 32])).unwrap()
}

#[test]
fn a_transfer_on_tempo_has_its_own_lane_and_pays_its_fee_in_what_it_moves() {
    for (chain, symbol) in [(Chain::Tempo, "pathUSD"), (Chain::TempoModerato, "AlphaUSD")] {
        let asset = Asset::by_symbol(chain, symbol).unwrap();
        let payment = drafted(chain, &format!("0.50 {symbol}"), Some(TX)).unwrap();
        let Payment::TempoTransfer(made) = payment else { panic!("{payment:?}") };
        assert_eq!((made.chain, made.token, made.to), (chain, asset.token, PAYEE));
        assert_eq!((made.amount.base_units(), made.memo), (500_000, Some(TX)));
        assert_eq!(made.terms.nonce, TempoNonce::Lane);
        assert_eq!(made.terms.fee_token, Some(asset.token));
        assert_eq!(made.terms.gas_limit, gas::TRANSFER_GAS);
        assert_eq!(made.terms.valid_before, NOW.plus(LANE_SECONDS_MAX));
    }
    let base = drafted(Chain::Base, "0.50 USDC", None).unwrap();
    assert!(matches!(base, Payment::Transfer(_)), "{base:?}");
}

#[test]
fn an_asset_of_another_chain_and_a_memo_without_a_place_are_not_drafted() {
    for (chain, text, memo) in [
        (Chain::Base, "0.50 pathUSD", None),
        (Chain::Tempo, "0.50 USDC", None),
        (Chain::Tempo, "0.50 AlphaUSD", None),
        (Chain::Base, "0.50 USDC", Some(TX)),
    ] {
        let drafted = drafted(chain, text, memo);
        assert!(matches!(drafted, Err(Error::NotReady(_))), "{chain} {text}: {drafted:?}");
    }
}

#[test]
fn a_receipt_names_the_memo_that_finds_the_transfer() {
    let mut intent = signed().document;
    let memo = |intent: &PaymentIntent| Receipt::unproven(intent, "", NOW).memo;
    assert_eq!(memo(&intent), Some(transfer_memo(&intent.id)));
    intent.payment = drafted(Chain::Tempo, "0.50 pathUSD", Some(TX)).unwrap();
    assert_eq!(memo(&intent), Some(TX));
    assert_eq!(Receipt::unproven(&intent, "", NOW).price, "0.5 pathUSD");
}

/// What the coordinator says, one after the other; the last for good.
#[derive(Clone, Default)]
struct Desk {
    says: Arc<Mutex<VecDeque<PaymentStatus>>>,
    /// How many posts had a part of our node.
    parts: Arc<Mutex<Vec<bool>>>,
    refuses: bool,
}

impl Desk {
    fn view(&self) -> Response {
        let mut says = self.says.lock().unwrap();
        let status = says.front().copied().unwrap();
        if says.len() > 1 {
            says.pop_front();
        }
        let mut view = view_of(&signed(), status);
        let has_transaction = !matches!(status, PaymentStatus::Signing);
        view.transaction = has_transaction.then_some(TX);
        view.signed_by = has_transaction.then_some(SigningWay::Presignature);
        view.block = (status == PaymentStatus::Settled).then_some(9);
        Json(view).into_response()
    }
}

async fn create(State(desk): State<Desk>, Json(asked): Json<CreatePayment>) -> Response {
    desk.parts.lock().unwrap().push(asked.part.is_some());
    if !desk.refuses {
        return desk.view();
    }
    let mut problem = Problem::new(ProblemCode::Refused, "what happened", "log");
    let refusal = Refusal::NoPolicy { agent: asked.intent.document.agent };
    problem.refusals = vec![RefusalBy { by: "operator".to_owned(), refusal }];
    let status = StatusCode::from_u16(problem.status).unwrap();
    (status, [("content-type", PROBLEM_MEDIA_TYPE)], Json(problem)).into_response()
}

/// A chain that shows the transfer, or nothing, or does not tell.
struct Chainlike(Result<Option<Finality>, &'static str>);

#[async_trait]
impl TransferEvidence for Chainlike {
    async fn transfer(
        &self,
        intent: &PaymentIntent,
        named: B256,
    ) -> Result<Option<(Settlement, Finality)>, EvidenceUnavailable> {
        assert_eq!((intent.id, named), (IntentId([1; 32]), TX));
        let settlement =
            Settlement { transaction: TX, block_number: 9, block_hash: TX, log_index: 3 };
        match self.0 {
            Ok(finality) => Ok(finality.map(|finality| (settlement, finality))),
            Err(detail) => Err(EvidenceUnavailable { detail: detail.to_owned() }),
        }
    }
}

struct World {
    desk: Desk,
    node: FakeNode,
    client: Client,
}

impl World {
    async fn new(says: &[PaymentStatus], refuses: bool) -> Self {
        let says = Arc::new(Mutex::new(says.iter().copied().collect()));
        let desk = Desk { says, refuses, ..Desk::default() };
        let routes = Router::new()
            .route("/v1/payments", post(create))
            .route("/v1/payments/{id}", get(|State(desk): State<Desk>| async move { desk.view() }))
            .with_state(desk.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let client = Client::new(base, Credentials::None).unwrap();
        Self { desk, node: FakeNode::default(), client }
    }

    async fn pay(&self, chain: Chainlike) -> Result<Receipt, Error> {
        let followed = Followed { client: &self.client, node: &self.node, chain: &chain };
        followed.to_its_end(signed()).await
    }
}

#[tokio::test]
async fn a_transfer_is_followed_by_its_view_and_proven_by_our_own_endpoints() {
    let says = [PaymentStatus::Signing, PaymentStatus::Signed, PaymentStatus::Submitted];
    let world = World::new(&says, false).await;
    let receipt = world.pay(Chainlike(Ok(Some(Finality::Seen)))).await.unwrap();
    assert!(receipt.verified && receipt.transaction == Some(TX), "{receipt:?}");
    assert_eq!((receipt.price.as_str(), receipt.block), ("0.5 pathUSD", Some(9)));
    assert_eq!(receipt.signed_by, Some(SigningWay::Presignature));
    assert_eq!(*world.desk.parts.lock().unwrap(), [false], "nobody would answer our part");
}

#[tokio::test]
async fn what_only_the_coordinator_calls_settled_is_not_verified() {
    for (chain, why) in [(Ok(None), "do not show it"), (Err("no endpoint answers"), "no endpoint")]
    {
        let world = World::new(&[PaymentStatus::Submitted, PaymentStatus::Settled], false).await;
        let receipt = world.pay(Chainlike(chain)).await.unwrap();
        assert!(!receipt.verified && receipt.transaction == Some(TX), "{receipt:?}");
        assert!(format!("{:?}", receipt.evidence).contains(why), "{receipt:?}");
    }
}

#[tokio::test]
async fn a_transfer_is_refused_or_void_only_if_our_node_cannot_have_signed() {
    for (says, refuses) in [(PaymentStatus::Void, false), (PaymentStatus::Signing, true)] {
        let world = World::new(&[says], refuses).await;
        let ended = world.pay(Chainlike(Ok(None))).await.unwrap_err();
        let bad = matches!(ended, Error::NotPaid { .. } | Error::Refused { .. });
        assert!(bad, "{ended}");
    }
    let world = World::new(&[PaymentStatus::Signing], true).await;
    world.node.may_have_signed.store(true, Ordering::SeqCst);
    let Err(Error::Unknown(open)) = world.pay(Chainlike(Ok(None))).await else {
        panic!("a refusal was believed");
    };
    assert_eq!(Some(open.deadline), signed().document.payment.valid_before());
}
