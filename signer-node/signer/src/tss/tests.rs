//! Real runs of two and three parties in one process, each on its own thread.

#![allow(clippy::arithmetic_side_effects, reason = "tests may overflow, loudly")]

#[path = "../../tests/support/table.rs"]
mod table;

mod faults;
mod image;
mod presigned;
mod stored;
mod support;

use tercet_policy::party::Party::{Agent, Operator, Recovery};
use tercet_policy::payload::FinishedPayment;

use self::support::{fields_of, proof, sign_all, threads, wallet, wallet_fields};
use super::*;
use crate::tss;

#[tokio::test]
async fn a_wallet_is_made_and_every_pair_signs_for_it() {
    let shares = wallet().await;
    let address = shares[0].card().address;
    for share in &shares {
        assert_eq!(share.transcript_hash(), shares[0].transcript_hash());
        assert_eq!(share.card().address, address);
        assert_eq!(format!("{share:?}"), format!("WalletShare({address})"));
    }
    let ready = support::ready(shares);
    for pair in [[Agent, Operator], [Agent, Recovery], [Operator, Recovery]] {
        let fields = fields_of(&ready, &pair);
        let runs = table::sessions(&fields, Patience::SIGN, &table::honest());
        let finished = sign_all(runs, &ready, &pair).await;
        let finished: Vec<_> = finished.into_iter().map(Result::unwrap).collect();
        assert_eq!(finished[0], finished[1]);
        let FinishedPayment::Proof(signed) = &finished[0] else { panic!("{:?}", finished[0]) };
        let rsv = signed.signature.to_rsv();
        assert_eq!(support::recover(&proof(&ready, &pair), &rsv), address);
    }
}

#[tokio::test]
async fn one_aux_serves_many_wallets() {
    let (first, second) = (wallet().await, wallet().await);
    assert_ne!(first[0].card().address, second[0].card().address);
    assert_ne!(first[0].transcript_hash(), second[0].transcript_hash());
}

#[tokio::test]
async fn a_run_takes_the_execution_id_of_no_other() {
    let ready = support::ready(wallet().await);
    let pair = [Agent, Operator];
    let base = fields_of(&ready, &pair);
    let others = [
        ExecutionFields { wallet: None, ..base },
        ExecutionFields { key_epoch: 1, ..base },
        ExecutionFields { aux_hash: Some(AuxHash([0; 32])), ..base },
    ];
    for fields in others {
        let runs = table::sessions(&fields, Patience::SIGN, &table::honest());
        for result in sign_all(runs, &ready, &pair).await {
            assert!(matches!(result, Err(TssError::BadCall(BadCall::OtherRun))), "{result:?}");
        }
    }
    let aux = support::group();
    let mut sessions = table::sessions(&base, Patience::SIGN, &table::honest());
    let session = sessions.swap_remove(0);
    let result = make_wallet(&threads(), session, &aux[0]).await;
    assert!(matches!(result, Err(TssError::BadCall(BadCall::OtherRun))));
    // The operator's parameters with the agent's execution id.
    let fields = wallet_fields(&aux[0]);
    let mut sessions = table::sessions(&fields, Patience::SIGN, &table::honest());
    let result = make_wallet(&threads(), sessions.swap_remove(0), &aux[1]).await;
    assert!(matches!(result, Err(TssError::BadCall(BadCall::OtherRun))));
}
