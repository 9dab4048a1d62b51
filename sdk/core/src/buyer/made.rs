//! Whether what came back from the nodes is the payment of the intent, and the header it makes.

use tercet_policy::intent::{MppCharge, Payment};
use tercet_policy::payload::{Eip3009Payment, FinishedPayment, MppSigned, SignedTempoTransaction};
use tercet_policy::tempo::{SPONSORED_ENVELOPE_TYPE, TRANSACTION_TYPE};

use crate::journal::Purchase;
use crate::mpp::charge_header;
use crate::wire::PaymentHeader;

/// The header with a payment; nothing if the payment is not the purchase's.
pub(super) fn header_of(purchase: &Purchase, made: &FinishedPayment) -> Option<PaymentHeader> {
    if !is_of(made, purchase) {
        return None;
    }
    match made {
        FinishedPayment::X402(payment) => {
            PaymentHeader::new(&purchase.requirement, purchase.resource.as_deref(), payment).ok()
        }
        _ => charge_header(&purchase.requirement, purchase.intent.wallet, made),
    }
}

fn is_of(made: &FinishedPayment, purchase: &Purchase) -> bool {
    match (made, &purchase.intent.payment) {
        (FinishedPayment::X402(payment), Payment::X402Exact(_)) => is_authorized(payment, purchase),
        (FinishedPayment::Tempo(transaction), Payment::MppCharge(charge)) => {
            is_charge(transaction, charge, purchase)
        }
        (FinishedPayment::Mpp(proof), Payment::MppProof(asked)) => {
            proof.chain == asked.chain && proof.about == MppSigned::Proof
        }
        _ => false,
    }
}

fn is_authorized(payment: &Eip3009Payment, purchase: &Purchase) -> bool {
    let made = &payment.authorization;
    purchase.authorized().is_some_and(|wanted| {
        (payment.chain, payment.token) == (wanted.chain, wanted.token)
            && (made.from, made.to, made.value) == (wanted.from, wanted.to, wanted.value)
            && (made.nonce, made.valid_before) == (wanted.nonce, wanted.valid_before)
            && made.valid_after.0 == 0
    })
}

/// The node derived the bytes from the intent; here they are held against kind, payees and memo.
fn is_charge(made: &SignedTempoTransaction, charge: &MppCharge, purchase: &Purchase) -> bool {
    let sponsored = charge.terms.fee_token.is_none();
    let kind = if sponsored { SPONSORED_ENVELOPE_TYPE } else { TRANSACTION_TYPE };
    let has = |part: &[u8]| made.raw.windows(part.len()).any(|window| window == part);
    made.chain == charge.chain
        && made.for_service
        && made.opens.is_none()
        && made.raw.first() == Some(&kind)
        && has(purchase.nonce.as_slice())
        && has(charge.to.as_slice())
        && charge.splits.iter().all(|split| has(split.to.as_slice()))
}
