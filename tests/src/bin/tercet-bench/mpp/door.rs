//! Doors in front of the merchant, with a watch: how long a buyer takes from the 402 to the request
//! with its credential, as whoever is paid sees it.
//!
//! Promises: a request goes on to the merchant as it came, and the answer back; the watch runs while
//! the buyer works, and not while the merchant does. What it shows holds one way to the buyer and one
//! back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, StatusCode};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

/// Largest body that is handed on, in bytes; a session's request has none.
const BODY_BYTES_MAX: usize = 64 * 1024;
const MERCHANT_MAX: Duration = Duration::from_secs(60);
/// Headers of the answer that are about the line to the merchant.
const OF_THE_LINE: [HeaderName; 3] = [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING];

/// All doors, open until this is dropped.
pub(super) struct Doors {
    urls: Vec<Url>,
    house: Arc<House>,
    _open: JoinSet<()>,
}

/// What is behind every door.
struct House {
    merchant: Url,
    http: reqwest::Client,
    watch: Mutex<Watch>,
}

#[derive(Default)]
struct Watch {
    /// When the last 402 went out.
    asked: Option<Instant>,
    /// How many milliseconds a credential took since then.
    took_ms: Vec<f64>,
}

impl Doors {
    pub(super) async fn open(merchant: &Url, count: u32) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(MERCHANT_MAX).build()?;
        let house = House { merchant: merchant.clone(), http, watch: Mutex::default() };
        let house = Arc::new(house);
        let (mut urls, mut open) = (Vec::new(), JoinSet::new());
        for _ in 0..count {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            urls.push(Url::parse(&format!("http://{}", listener.local_addr()?))?);
            let router = Router::new().fallback(pass).with_state(Arc::clone(&house));
            open.spawn(async move {
                // Ends with the program.
                let _ = axum::serve(listener, router).await;
            });
        }
        Ok(Self { urls, house, _open: open })
    }

    pub(super) fn urls(&self) -> impl Iterator<Item = &Url> {
        self.urls.iter()
    }

    /// What the watch showed since this was asked last.
    pub(super) fn took_ms(&self) -> Vec<f64> {
        std::mem::take(&mut self.house.watch().took_ms)
    }
}

async fn pass(State(house): State<Arc<House>>, request: Request) -> Response {
    let arrived = Instant::now();
    let is_paid = request.headers().contains_key(AUTHORIZATION);
    if is_paid {
        house.watch().answered(arrived);
    }
    let response = house.forward(request).await.unwrap_or_else(|error| {
        let mut response = Response::new(Body::from(format!("{error:#}")));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    });
    if response.status() == StatusCode::PAYMENT_REQUIRED && !is_paid {
        house.watch().asked = Some(Instant::now());
    }
    response
}

impl House {
    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With the headers as they came, the host among them: the merchant's challenge names it.
    async fn forward(&self, request: Request) -> Result<Response> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let body = to_bytes(body, BODY_BYTES_MAX).await?;
        let answer = self
            .http
            .request(parts.method, self.merchant.join(path)?)
            .headers(parts.headers)
            .body(body)
            .send()
            .await?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        for header in OF_THE_LINE {
            response.headers_mut().remove(header);
        }
        *response.body_mut() = Body::from(answer.bytes().await?);
        Ok(response)
    }
}

impl Watch {
    fn answered(&mut self, arrived: Instant) {
        if let Some(asked) = self.asked.take() {
            let since = arrived.saturating_duration_since(asked);
            self.took_ms.push(since.as_secs_f64() * 1_000.0);
        }
    }
}
