//! What a fake node answers to what it is asked to sign.

use alloy_primitives::{B256, Bytes};
use tercet_api::relay::{
    FailureKind, FromNode, Outcome, SEALED_PART_BYTES_MAX, SealedBytes, SealedPart, SessionId,
    ToNode,
};
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::proposal::{ChainTerms, ProposalClaim, Slot};
use tercet_policy::refusal::Refusal;

use super::{ANSWER, Lie, Manner};
use crate::app::App;

/// With what it is asked to sign.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Rounds,
    Part,
    Join,
}

pub(super) async fn answers(app: &App, frame: ToNode, manner: Manner) -> Vec<FromNode> {
    let (asked, session, envelope, claim) = match frame {
        ToNode::Sign { session, envelope, claim, .. } => (Asked::Rounds, session, envelope, claim),
        ToNode::Part { session, envelope, claim, .. } => (Asked::Part, session, envelope, claim),
        ToNode::Join { session, envelope, claim, .. } => (Asked::Join, session, envelope, claim),
        _ => return Vec::new(),
    };
    let without_stock = vec![failed(session, FailureKind::NoPresignature)];
    match manner {
        Manner::Silent | Manner::Holds => Vec::new(),
        Manner::Refuses => vec![FromNode::Refused { session, refusal: Refusal::BadSignature }],
        Manner::NotReady => vec![failed(session, FailureKind::NotReady)],
        Manner::Breaks => {
            vec![FromNode::Admitted { session }, failed(session, FailureKind::Network)]
        }
        Manner::NoStock if asked != Asked::Rounds => without_stock,
        Manner::Lies(Lie::AdmittedWithoutStock) if asked != Asked::Rounds => {
            let admitted = FromNode::Admitted { session };
            std::iter::once(admitted).chain(without_stock).collect()
        }
        Manner::Signs | Manner::NoStock | Manner::Lies(_) => {
            let signed = signed(app, asked, &envelope, &claim).await;
            vec![FromNode::Admitted { session }, told(session, asked, signed, manner)]
        }
    }
}

fn told(session: SessionId, asked: Asked, signed: Outcome, manner: Manner) -> FromNode {
    let lie = match manner {
        Manner::Lies(lie) if asked != Asked::Rounds => Some(lie),
        _ => None,
    };
    let other = if lie == Some(Lie::OtherSession) { SessionId([9; 16]) } else { session };
    match (asked, lie) {
        (Asked::Part, Some(Lie::Done)) => FromNode::Done { session, outcome: signed },
        (Asked::Part, _) | (_, Some(Lie::Part)) => {
            FromNode::Part { session: other, part: part(lie) }
        }
        _ => FromNode::Done { session: other, outcome: bent(signed, lie) },
    }
}

fn part(lie: Option<Lie>) -> SealedPart {
    let bytes = if lie == Some(Lie::LongPart) { SEALED_PART_BYTES_MAX + 1 } else { 16 };
    SealedPart { presignature: B256::repeat_byte(6), sealed: SealedBytes(vec![5; bytes]) }
}

async fn signed(
    app: &App,
    asked: Asked,
    envelope: &SignedIntent,
    claim: &ProposalClaim,
) -> Outcome {
    let intent = envelope.document.id;
    let stored = app.store().payment(&intent).await.unwrap().unwrap();
    let slot = Slot::of(&envelope.document, &claim.terms);
    let ours = match claim.terms {
        ChainTerms::Eip3009 { .. } | ChainTerms::TypedData => false,
        ChainTerms::Eip1559 { .. } => true,
        // What answers a challenge is the service's to bring to the chain.
        ChainTerms::Tempo { .. } => envelope.document.payment.challenge().is_none(),
    };
    let transaction = ours.then(|| Bytes::from(intent.0.to_vec()));
    let joined = asked == Asked::Join && transaction.is_none();
    Outcome::Signed {
        intent,
        slot: slot.to_string(),
        digest: stored.facts.asks.unwrap(),
        transaction,
        answer: joined.then(|| SealedBytes(ANSWER.to_vec())),
    }
}

fn bent(outcome: Outcome, lie: Option<Lie>) -> Outcome {
    let Outcome::Signed { mut intent, mut slot, mut digest, transaction, mut answer } = outcome
    else {
        return outcome;
    };
    match lie {
        Some(Lie::Intent) => intent = IntentId([0xee; 32]),
        Some(Lie::Slot) => slot.push('0'),
        Some(Lie::Digest) => digest = B256::repeat_byte(0xee),
        Some(Lie::NoAnswer) => answer = None,
        Some(Lie::LongAnswer) => {
            answer = Some(SealedBytes(vec![1; SEALED_PART_BYTES_MAX + 1]));
        }
        _ => {}
    }
    Outcome::Signed { intent, slot, digest, transaction, answer }
}

fn failed(session: SessionId, kind: FailureKind) -> FromNode {
    FromNode::Failed { session, kind, detail: "so it is".into() }
}
