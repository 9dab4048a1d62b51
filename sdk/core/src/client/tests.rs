use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use tercet_api::auth::{CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT};
use tercet_api::problem::{PROBLEM_MEDIA_TYPE, Problem, ProblemCode};
use tercet_policy::document::Ed25519PublicKey;
use tercet_policy::intent::IntentId;

use super::*;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

async fn serve<F, Fut>(answer: F) -> Client
where
    F: Fn(Request) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let name = NodeId::new("research-01").unwrap();
    Client::new(base, Credentials::Node(Arc::new(NamedKey::new(name, key())))).unwrap()
}

fn problem(code: ProblemCode) -> Response {
    let problem = Problem::new(code, "what happened", "log-1");
    let status = StatusCode::from_u16(problem.status).unwrap();
    let body = serde_json::to_vec(&problem).unwrap();
    (status, [("content-type", PROBLEM_MEDIA_TYPE)], body).into_response()
}

fn check_signature(headers: &HeaderMap, uri: &Uri, method: &str, body: &Bytes) {
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let signed = SignatureHeaders {
        signature_input: text(SIGNATURE_INPUT),
        signature: text(SIGNATURE),
        content_digest: text(CONTENT_DIGEST),
    };
    let query = uri.query().unwrap_or_default();
    let parts = RequestParts { method, path: uri.path(), query, body };
    let public = Ed25519PublicKey::of(&key());
    let caller = auth::open(&parts, &signed, |_| Some(public), SystemClock.now()).unwrap();
    assert_eq!(caller.node.as_str(), "research-01");
}

#[tokio::test]
async fn requests_are_signed_with_their_query_and_body() {
    let client = serve(|request: Request| async move {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, 4096).await.unwrap();
        check_signature(&parts.headers, &parts.uri, parts.method.as_str(), &body);
        assert_eq!(parts.uri.query(), Some("cursor=a%26b%3Dc&limit=5"));
        axum::Json(serde_json::json!({ "payments": [], "next_cursor": null })).into_response()
    })
    .await;
    let asked = PaymentsAsked {
        cursor: Some("a&b=c".to_owned()),
        limit: Some(5),
        ..PaymentsAsked::default()
    };
    assert!(client.payments(&asked).await.unwrap().payments.is_empty());
}

#[tokio::test]
async fn a_problem_comes_as_its_code() {
    let client = serve(|_| async { problem(ProblemCode::NodeUnavailable) }).await;
    let error = client.payment(&IntentId([1; 32])).await.unwrap_err();
    assert_eq!(error.code(), Some(ProblemCode::NodeUnavailable));
    assert!(error.is_retryable());
    let client = serve(|_| async { problem(ProblemCode::NotFound) }).await;
    assert!(!client.health().await.unwrap_err().is_retryable());
}

#[tokio::test]
async fn what_is_no_coordinator_is_said_to_be_none() {
    let client = serve(|_| async { "<html>".into_response() }).await;
    let error = client.health().await.unwrap_err();
    assert!(matches!(error, ClientError::NotTheApi { .. }), "{error}");
    let moved = || (StatusCode::FOUND, [("location", "http://127.0.0.1:1/")]).into_response();
    let client = serve(move |_| async move { moved() }).await;
    assert!(matches!(client.health().await, Err(ClientError::NotTheApi { .. })));
}

#[tokio::test]
async fn posting_a_payment_survives_a_broken_line() {
    let tries = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&tries);
    let client = serve(move |_| {
        let tries = Arc::clone(&counted);
        async move {
            let first = tries.fetch_add(1, Ordering::SeqCst) == 0;
            assert!(!first, "the line breaks once: the server's task ends here");
            problem(ProblemCode::Busy)
        }
    })
    .await;
    let intent = crate::fixture::signed_intent(&key());
    let error = client.create_payment(intent).await.unwrap_err();
    assert_eq!(error.code(), Some(ProblemCode::Busy));
    assert_eq!(tries.load(Ordering::SeqCst), 2);
}

#[test]
fn a_coordinator_is_called_over_tls_or_on_this_machine() {
    for good in ["https://tercet.example", "http://127.0.0.1:8443", "http://localhost:1"] {
        assert!(Client::new(good.parse().unwrap(), Credentials::None).is_ok(), "{good}");
    }
    for bad in ["http://tercet.example", "ftp://127.0.0.1", "http://10.0.0.1"] {
        assert!(Client::new(bad.parse().unwrap(), Credentials::None).is_err(), "{bad}");
    }
}

#[test]
fn credentials_have_no_voice() {
    let token = Credentials::Reader(Arc::new(Zeroizing::new("s3cret".to_owned())));
    let client = Client::new("https://a.example".parse().unwrap(), token).unwrap();
    assert!(!format!("{client:?}").contains("s3cret"));
}
