//! What a coordinator does with a request before anything else, alone and in one thread: parse it,
//! and find out who sent it. The other stages are measured where they are built: decisions in
//! `bench-decide`, durable records in `bench-admit`, parts and signatures in `bench-presign`.

use std::hint::black_box;
use std::time::Instant;

use alloy_primitives::B256;
use anyhow::{Context as _, Result, ensure};
use ed25519_dalek::SigningKey;
use tercet_api::auth::{self, RequestParts};
use tercet_api::payment::CreatePayment;
use tercet_api::relay::{SealedBytes, SealedPart};
use tercet_cli::demo::house::now;
use tercet_cli::demo::testbed::usdc;
use tercet_policy::chain::Chain;
use tercet_policy::declared::Declared;
use tercet_policy::document::{Ed25519PublicKey, Signed};
use tercet_policy::intent::{INTENT_VERSION, IntentId, Payment, PaymentIntent, Service, X402Exact};
use tercet_policy::money::Amount;
use tercet_policy::party::{AgentId, NodeId};
use tercet_tests::cluster::{PAYEE, RESOURCE};

use crate::Scale;
use crate::figures::{Figures, quantile};

/// About what a sealed part weighs, in bytes.
const SEALED_BYTES: usize = 640;

/// Parses and opens the same request again and again.
pub(crate) fn measure(scale: Scale, figures: &mut Figures) -> Result<()> {
    let key = SigningKey::from_bytes(&[7; 32]);
    let (public, node) = (Ed25519PublicKey::of(&key), NodeId::new("research-01")?);
    let body = serde_json::to_vec(&request(&key)?)?;
    let parts =
        RequestParts { method: "POST", path: "/v1/payments", query: "", body: body.as_slice() };
    let (mut parse_us, mut authenticate_us) = (Vec::new(), Vec::new());
    for _ in 0..scale.of(20_000, 2_000) {
        let headers = auth::sign(&parts, &node, &key, now(), [1; 16]);
        let begun = Instant::now();
        let parsed: CreatePayment = serde_json::from_slice(black_box(&body))?;
        parse_us.push(us_since(begun));
        let begun = Instant::now();
        let caller = auth::open(black_box(&parts), &headers, |_| Some(public), now())?;
        let intent = parsed.intent.open_by(&public)?;
        authenticate_us.push(us_since(begun));
        ensure!(caller.node == node && intent.document().wallet == PAYEE, "somebody else's");
    }
    figures.add("stage_parse_us", quantile(&parse_us, 0.5)?)?;
    figures.add("stage_authenticate_us", quantile(&authenticate_us, 0.5)?)
}

/// Adds the durable record alone, from what was measured together.
pub(crate) fn derive(figures: &mut Figures) -> Result<()> {
    let value = |name| figures.value(name).with_context(|| format!("{name} was not measured"));
    let (admit_ms, open_us) = (value("admit_p50_ms")?, value("stage_open_us")?);
    let decide_us = value("policy_decide_p50_us")?;
    figures.add("stage_journal_us", (admit_ms * 1_000.0 - open_us - decide_us).max(0.0))
}

fn request(key: &SigningKey) -> Result<CreatePayment> {
    let created_at = now();
    let payment = Payment::X402Exact(X402Exact {
        chain: Chain::Base,
        token: usdc(),
        to: PAYEE,
        amount: Amount::from_base_units(10_000),
        valid_before: created_at.plus(300),
        resource: RESOURCE.to_owned(),
        service: Service::of(RESOURCE)?,
    });
    let intent = PaymentIntent {
        version: INTENT_VERSION,
        id: IntentId([3; 32]),
        agent: AgentId::new("research-01")?,
        wallet: PAYEE,
        payment,
        declared: Declared::default(),
        created_at,
        expires_at: created_at.plus(300),
    };
    let sealed = SealedBytes(vec![0x5a; SEALED_BYTES]);
    let part = Some(SealedPart { presignature: B256::repeat_byte(9), sealed });
    Ok(CreatePayment { intent: Signed::by(intent, key)?, part })
}

fn us_since(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1_000_000.0
}
