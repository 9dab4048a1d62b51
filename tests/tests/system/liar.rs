//! A courier that restates a payment falsely gets no signature, whichever field it lies about:
//! both nodes refuse by name, and neither journal admits anything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256};
use anyhow::Result;
use tercet_api::payment::PaymentView;
use tercet_api::relay::{FromNode, Outcome, ToNode};
use tercet_cli::demo::liar::{Liar, Rewrite};
use tercet_policy::chain::{ASSETS, Chain};
use tercet_policy::intent::{PaymentIntent, SignedIntent};
use tercet_policy::money::Amount;
use tercet_policy::party::Party;
use tercet_policy::proposal::{ChainTerms, ProposalClaim};
use tercet_policy::refusal::{ClaimField, Refusal};
use tercet_policy::time::UnixSeconds;
use tercet_tests::cluster::{Cluster, PATIENCE, PAYEE, Plan, STRANGER};

/// What the liar does to a `Sign` frame.
type Lie = fn(&mut SignedIntent, &mut ProposalClaim);

struct Case {
    name: &'static str,
    lie: Lie,
    expect: fn(&Refusal) -> bool,
}

fn mismatch(refusal: &Refusal, wanted: ClaimField) -> bool {
    matches!(refusal, Refusal::ClaimMismatch { field, .. } if *field == wanted)
}

fn terms(
    claim: &mut ProposalClaim,
    change: impl FnOnce(&mut B256, &mut UnixSeconds, &mut UnixSeconds),
) {
    if let ChainTerms::Eip3009 { nonce, valid_after, valid_before } = &mut claim.terms {
        change(nonce, valid_after, valid_before);
    }
}

const CLAIMS: [Case; 10] = [
    Case {
        name: "amount",
        lie: |_, claim| claim.amount = Amount::from_base_units(400_000),
        expect: |r| mismatch(r, ClaimField::Amount),
    },
    Case {
        name: "payee",
        lie: |_, claim| claim.payee = Some(STRANGER),
        expect: |r| mismatch(r, ClaimField::Payee),
    },
    Case {
        name: "asset",
        lie: |_, claim| claim.token = ASSETS[1].token,
        expect: |r| mismatch(r, ClaimField::Token),
    },
    Case {
        name: "chain",
        lie: |_, claim| claim.chain = Chain::BaseSepolia,
        expect: |r| mismatch(r, ClaimField::Chain),
    },
    Case {
        name: "nonce",
        lie: |_, claim| terms(claim, |nonce, _, _| *nonce = B256::repeat_byte(7)),
        expect: |r| mismatch(r, ClaimField::Nonce),
    },
    Case {
        name: "beginning of validity",
        lie: |_, claim| terms(claim, |_, after, _| *after = UnixSeconds(1)),
        expect: |r| mismatch(r, ClaimField::ValidAfter),
    },
    Case {
        name: "end of validity",
        lie: |_, claim| terms(claim, |_, _, before| *before = before.plus(1)),
        expect: |r| mismatch(r, ClaimField::ValidBefore),
    },
    Case {
        name: "kind of terms",
        lie: |_, claim| {
            claim.terms = ChainTerms::Eip1559 {
                nonce: 0,
                gas_limit: 60_000,
                max_fee_per_gas: Amount::from_base_units(1_000_000_000),
                max_priority_fee_per_gas: Amount::from_base_units(1),
            }
        },
        expect: |r| mismatch(r, ClaimField::TermsKind),
    },
    Case {
        name: "policy epoch",
        lie: |_, claim| claim.policies.agent = Some(9),
        expect: |r| mismatch(r, ClaimField::PolicyEpoch),
    },
    Case {
        name: "other wallet",
        lie: |_, claim| claim.wallet = Address::repeat_byte(9),
        expect: |r| mismatch(r, ClaimField::Wallet),
    },
];

/// The same lies, told consistently in the envelope: then the agent's signature is not over it.
const ENVELOPES: [Case; 4] = [
    Case {
        name: "amount in the envelope",
        lie: |envelope, claim| {
            let units = Amount::from_base_units(400_000);
            change(envelope, |x| x.amount = units);
            claim.amount = units;
        },
        expect: |r| *r == Refusal::BadSignature,
    },
    Case {
        name: "payee in the envelope",
        lie: |envelope, claim| {
            change(envelope, |x| x.to = STRANGER);
            claim.payee = Some(STRANGER);
        },
        expect: |r| *r == Refusal::BadSignature,
    },
    Case {
        name: "wallet in the envelope",
        lie: |envelope, claim| {
            envelope.document.wallet = Address::repeat_byte(9);
            claim.wallet = Address::repeat_byte(9);
        },
        expect: |r| *r == Refusal::BadSignature,
    },
    Case {
        name: "another agent in the envelope",
        lie: |envelope, _| {
            envelope.document.agent = tercet_policy::party::AgentId::new("somebody-else").unwrap();
        },
        expect: |r| matches!(r, Refusal::UnknownAgent { .. }),
    },
];

fn change(envelope: &mut SignedIntent, with: impl FnOnce(&mut tercet_policy::intent::X402Exact)) {
    if let tercet_policy::intent::Payment::X402Exact(x) = &mut envelope.document.payment {
        with(x);
    }
}

/// Tells the lie of the case whose place in the list stands in the intent's amount, and lets no
/// node know what the other one answered.
fn rewrite() -> Rewrite {
    Arc::new(|mut frame| {
        if matches!(frame, ToNode::Abort { .. }) {
            return Vec::new();
        }
        if let ToNode::Sign { envelope, claim, .. } = &mut frame
            && let Some(case) = case_of(&envelope.document)
        {
            (case.lie)(envelope, claim);
        }
        vec![frame]
    })
}

fn cases() -> impl Iterator<Item = &'static Case> {
    CLAIMS.iter().chain(&ENVELOPES)
}

const FIRST_UNITS: u128 = 10_000;

fn case_of(intent: &PaymentIntent) -> Option<&'static Case> {
    let units = intent.payment.amount().base_units();
    cases().nth(usize::try_from(units.checked_sub(FIRST_UNITS)?).ok()?)
}

/// What both nodes said of a payment, refusals only.
async fn refusals(liar: &Liar, before: usize) -> Result<Vec<(String, Refusal)>> {
    let begun = Instant::now();
    loop {
        let said: Vec<_> = liar
            .heard()
            .split_off(before)
            .into_iter()
            .filter_map(|heard| match heard.frame {
                FromNode::Refused { refusal, .. } => Some((heard.node, refusal)),
                _ => None,
            })
            .collect();
        let both = ["research-01", "operator-01"];
        if both.iter().all(|node| said.iter().any(|(by, _)| by == node)) {
            return Ok(said);
        }
        anyhow::ensure!(begun.elapsed() < PATIENCE, "only {said:?} was heard");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn signed_anything(liar: &Liar) -> bool {
    liar.heard().iter().any(|heard| {
        matches!(
            heard.frame,
            FromNode::Done { outcome: Outcome::Signed { .. }, .. } | FromNode::Admitted { .. }
        )
    })
}

fn journal_rows(liar: &Liar) -> Vec<u64> {
    let rows = |frame: &FromNode| match frame {
        FromNode::Head { rows, .. } => Some(*rows),
        _ => None,
    };
    liar.heard().iter().filter_map(|heard| rows(&heard.frame)).collect()
}

async fn lied_to(policy: &str) -> Result<(Cluster, Address, Liar)> {
    let plan = Plan { policy: Some(policy.to_owned()), ..Plan::default() };
    let (mut cluster, wallet) = Cluster::with_wallet(plan).await?;
    let liar = Liar::start(cluster.coordinator_address(), rewrite()).await?;
    for party in Party::ALL {
        cluster.stop_node(party).await;
    }
    cluster.house.write_configs(|_| liar.url(), &cluster.plan.text)?;
    for party in Party::EVERYDAY {
        cluster.start_node(party, &[]).await?;
    }
    Ok((cluster, wallet, liar))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_courier_gets_no_signature() {
    let (cluster, wallet, liar) = lied_to(tercet_tests::cluster::POLICY).await.unwrap();
    let rows_before = journal_rows(&liar);
    for (place, case) in cases().enumerate() {
        let before = liar.heard().len();
        let units = FIRST_UNITS + place as u128;
        let intent = cluster.x402(wallet, PAYEE, units).unwrap();
        let view: PaymentView = cluster.pay(intent).await.unwrap();
        let said = refusals(&liar, before).await.unwrap();
        for (node, refusal) in &said {
            assert!((case.expect)(refusal), "{}: {node} said {refusal:?}", case.name);
        }
        let view = cluster.payment_when(&view.id, |v| v.status.is_terminal()).await.unwrap();
        assert_eq!(view.digest, None, "{}: {view:?}", case.name);
    }
    assert!(!signed_anything(&liar), "{:?}", liar.heard());
    let rows_after = journal_rows(&liar);
    assert_eq!(rows_after.iter().max(), rows_before.iter().max(), "a journal admitted a lie");
    let moved = cluster.rpc.moved_from(wallet).await.unwrap();
    assert_eq!(moved, [], "money moved");

    // The same couriers and nodes sign what is not lied about: the test above can fail.
    let honest = cluster.x402(wallet, PAYEE, FIRST_UNITS - 1).unwrap();
    let view = cluster.pay(honest).await.unwrap();
    cluster.payment_when(&view.id, |v| v.digest.is_some()).await.unwrap();
    assert!(signed_anything(&liar));
}
