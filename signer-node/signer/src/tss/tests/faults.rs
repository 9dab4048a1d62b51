//! What happens when a peer misbehaves, falls silent or gives up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tercet_policy::party::Party;
use tercet_policy::party::Party::{Agent, Operator, Recovery};
use tokio::sync::mpsc;

use super::super::*;
use super::support::{self, fields_of, proof, sign_all, threads, wallet, wallet_fields};
use super::table::{self, Tamper};

const PAIR: [Party; 2] = [Agent, Operator];

/// Short enough for a test, long enough for a loaded machine.
const SHORT: Patience = Patience {
    thread: Duration::from_millis(200),
    message: Duration::from_secs(3),
    run: Duration::from_secs(20),
};

/// Changes the last digit of the hexadecimal number at a place in the operator's messages.
fn change(place: &'static str) -> Arc<Tamper> {
    Arc::new(move |from, _, _, bytes| {
        let mut message: Value = serde_json::from_slice(&bytes).unwrap();
        let number = message.pointer_mut(place).filter(|_| from == Operator);
        let Some(number) = number else { return Some(bytes) };
        let mut text = number.as_str().unwrap().to_owned();
        let digit = if text.pop() == Some('0') { '1' } else { '0' };
        text.push(digit);
        *number = Value::String(text);
        Some(serde_json::to_vec(&message).unwrap())
    })
}

fn blamed<T: std::fmt::Debug>(result: &Result<T, TssError>) -> (&[Party], PeerFault) {
    match result {
        Err(TssError::BadPeer { suspects, fault, .. }) => (suspects, *fault),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn garbage_is_charged_to_the_peer_who_sent_it() {
    let ready = support::ready(wallet().await);
    let garbage: Arc<Tamper> = Arc::new(|from, _, count, bytes| {
        Some(if from == Operator && count == 1 { b"garbage".to_vec() } else { bytes })
    });
    let runs = table::sessions(&fields_of(&ready, &PAIR), SHORT, &garbage);
    let results = sign_all(runs, &ready, &PAIR).await;
    assert_eq!(blamed(&results[0]), (&[Operator][..], PeerFault::Undecodable));
    // The honest side's word of abort reaches the other, long before any deadline.
    assert!(matches!(results[1], Err(TssError::Aborted { by: Some(Agent) })), "{:?}", results[1]);
}

/// Each proof by itself. The library alone lets either of the first two pass: see `guard`.
#[tokio::test]
async fn any_false_proof_is_charged_to_the_peer_who_sent_it() {
    let ready = support::ready(wallet().await);
    for place in [
        "/Round1b/psi0/commitment/s/value",
        "/Round1b/psi0/proof/z1/value",
        "/Round1b/psi1/commitment/s/value",
        "/Round1b/psi1/proof/z1/value",
        "/Round2/psi_j/proof/z1/value",
        "/Round2/hat_psi_j/proof/z1/value",
        "/Round3/delta/scalar",
        "/Round4/partial_sig/sigma/scalar",
    ] {
        let runs = table::sessions(&fields_of(&ready, &PAIR), SHORT, &change(place));
        let results = sign_all(runs, &ready, &PAIR).await;
        assert_eq!(blamed(&results[0]), (&[Operator][..], PeerFault::ProofFailed), "{place}");
    }
}

/// The operator's share of the key must not be answered into numbers nobody has proved short:
/// nothing of the second round leaves a party whose peer's first proofs do not hold.
#[tokio::test]
async fn no_answer_is_given_to_an_unproved_encryption() {
    let ready = support::ready(wallet().await);
    for place in ["/Round1b/psi0/commitment/s/value", "/Round1b/psi1/commitment/s/value"] {
        let (changed, answered) = (change(place), Arc::new(AtomicBool::new(false)));
        let seen = Arc::clone(&answered);
        let tamper: Arc<Tamper> = Arc::new(move |from, to, count, bytes| {
            let is_answer = from == Agent && bytes.starts_with(br#"{"Round2""#);
            seen.fetch_or(is_answer, Ordering::Relaxed);
            changed(from, to, count, bytes)
        });
        let runs = table::sessions(&fields_of(&ready, &PAIR), SHORT, &tamper);
        let results = sign_all(runs, &ready, &PAIR).await;
        assert_eq!(blamed(&results[0]).1, PeerFault::ProofFailed);
        assert!(!answered.load(Ordering::Relaxed), "{place}");
    }
}

/// The library names the culprit among three; its text is read in `blame`.
#[tokio::test]
async fn a_false_opening_among_three_is_pinned_on_one() {
    let fields = wallet_fields(&support::group()[0]);
    let runs = table::sessions(&fields, SHORT, &change("/Round2Broad/rid"));
    let results = support::wallet_all(runs).await;
    for honest in [&results[0], &results[2]] {
        match honest {
            Err(TssError::BadPeer { suspects, fault: PeerFault::ProofFailed, cause: Some(_) }) => {
                assert_eq!(suspects, &[Operator]);
            }
            // Whoever noticed second may have been told first.
            Err(TssError::Aborted { by: Some(Agent | Recovery) }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(results.iter().any(|r| matches!(r, Err(TssError::BadPeer { .. }))));
}

/// The operator tells the two others different things: nobody can know who lies.
#[tokio::test]
async fn equivocation_is_noticed_and_nobody_is_singled_out() {
    let fields = wallet_fields(&support::group()[0]);
    let tamper: Arc<Tamper> = Arc::new(move |from, to, count, mut bytes| {
        if from == Operator && to == Recovery && count == 0 {
            // The commitment is a list of 32 numbers; the first is changed.
            let text = String::from_utf8(bytes).unwrap();
            let (head, rest) = text.split_once('[').unwrap();
            let (first, tail) = rest.split_once(',').unwrap();
            bytes = format!("{head}[{},{tail}", first.parse::<u8>().unwrap() ^ 1).into_bytes();
            return Some(bytes);
        }
        Some(bytes)
    });
    let results = support::wallet_all(table::sessions(&fields, SHORT, &tamper)).await;
    assert!(results.iter().all(Result::is_err));
    let noticed: Vec<_> = results
        .iter()
        .filter(|r| matches!(r, Err(TssError::BadPeer { fault: PeerFault::Equivocation, .. })))
        .collect();
    assert!(!noticed.is_empty(), "{results:?}");
    assert!(noticed.iter().all(|result| blamed(result).0.len() == 2));
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let ready = support::ready(wallet().await);
    let silent: Arc<Tamper> =
        Arc::new(|from, _, count, bytes| (from == Agent || count == 0).then_some(bytes));
    let runs = table::sessions(&fields_of(&ready, &PAIR), SHORT, &silent);
    let started = Instant::now();
    let results = sign_all(runs, &ready, &PAIR).await;
    match &results[0] {
        Err(TssError::Deadline { waiting: Wait::Message, silent }) => {
            assert_eq!(silent, &[Operator]);
        }
        other => panic!("{other:?}"),
    }
    assert!(started.elapsed() < SHORT.run);
}

#[tokio::test]
async fn a_courier_that_takes_nothing_ends_at_the_deadline() {
    let ready = support::ready(wallet().await);
    let mut sessions = table::sessions(&fields_of(&ready, &PAIR), SHORT, &table::honest());
    let mut session = sessions.swap_remove(0);
    let (outbound, _kept_but_never_read) = mpsc::channel(1);
    outbound.try_send(Outbound::Abort).unwrap();
    session.link.outbound = outbound;
    session.patience.message = Duration::from_millis(100);
    let result = sign(&threads(), session, Arc::clone(&ready[0]), proof(&ready, &PAIR)).await;
    let late = matches!(result, Err(TssError::Deadline { waiting: Wait::Courier, .. }));
    assert!(late, "{result:?}");
}

#[tokio::test]
async fn the_whole_run_has_a_deadline() {
    let ready = support::ready(wallet().await);
    let patience = Patience { run: Duration::from_millis(1), ..SHORT };
    let runs = table::sessions(&fields_of(&ready, &PAIR), patience, &table::honest());
    let results = sign_all(runs, &ready, &PAIR).await;
    let whole = |r: &&Result<_, _>| {
        matches!(r, Err(TssError::Deadline { waiting: Wait::Whole, .. } | TssError::Aborted { .. }))
    };
    assert_eq!(results.iter().filter(whole).count(), 2, "{results:?}");
}

#[tokio::test]
async fn cancelling_one_side_ends_both() {
    let ready = support::ready(wallet().await);
    let mut sessions = table::sessions(&fields_of(&ready, &PAIR), SHORT, &table::honest());
    sessions[1].cancel = sessions[1].cancel.child_token();
    let cancel = sessions[1].cancel.clone();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        cancel.cancel();
    };
    let (results, ()) = tokio::join!(sign_all(sessions, &ready, &PAIR), stop);
    let by_operator = matches!(results[0], Err(TssError::Aborted { by: Some(Operator) }));
    assert!(by_operator, "{results:?}");
    assert!(matches!(results[1], Err(TssError::Aborted { by: None })), "{results:?}");
}

#[tokio::test]
async fn dropping_a_run_tells_the_peer() {
    let ready = support::ready(wallet().await);
    let mut sessions = table::sessions(&fields_of(&ready, &PAIR), SHORT, &table::honest());
    let (operator, agent) = (sessions.pop().unwrap(), sessions.pop().unwrap());
    let threads = threads();
    let dropped = sign(&threads, operator, Arc::clone(&ready[1]), proof(&ready, &PAIR));
    assert!(tokio::time::timeout(Duration::from_millis(50), dropped).await.is_err());
    let result = sign(&threads, agent, Arc::clone(&ready[0]), proof(&ready, &PAIR)).await;
    let by_operator = matches!(result, Err(TssError::Aborted { by: Some(Operator) }));
    assert!(by_operator, "{result:?}");
}

#[tokio::test]
async fn no_peer_is_heard_twice_a_round_and_no_outsider_at_all() {
    let ready = support::ready(wallet().await);
    for (repeat_as, fault) in
        [(Operator, PeerFault::Repeated), (Recovery, PeerFault::NotTakingPart)]
    {
        let mut sessions = table::sessions(&fields_of(&ready, &PAIR), SHORT, &table::honest());
        let (to_run, inbound) = mpsc::channel(LINK_MESSAGES_MAX);
        let mut real = std::mem::replace(&mut sessions[0].link.inbound, inbound);
        tokio::spawn(async move {
            while let Some(Inbound::Message { from, bytes }) = real.recv().await {
                let again = Inbound::Message { from: repeat_as, bytes: bytes.clone() };
                drop(to_run.send(Inbound::Message { from, bytes }).await);
                drop(to_run.send(again).await);
            }
        });
        let results = sign_all(sessions, &ready, &PAIR).await;
        assert_eq!(blamed(&results[0]), (&[repeat_as][..], fault));
    }
}

#[tokio::test]
async fn a_run_without_a_place_ends_and_the_peer_is_told() {
    let ready = support::ready(wallet().await);
    let mut sessions = table::sessions(&fields_of(&ready, &PAIR), SHORT, &table::honest());
    let (operator, agent) = (sessions.pop().unwrap(), sessions.pop().unwrap());
    let full = Threads::new(ThreadLimits { payment_runs_max: 0, background_runs_max: 0 });
    let result = sign(&full, operator, Arc::clone(&ready[1]), proof(&ready, &PAIR)).await;
    let no_place = matches!(result, Err(TssError::Deadline { waiting: Wait::Thread, .. }));
    assert!(no_place, "{result:?}");
    let result = sign(&threads(), agent, Arc::clone(&ready[0]), proof(&ready, &PAIR)).await;
    let by_operator = matches!(result, Err(TssError::Aborted { by: Some(Operator) }));
    assert!(by_operator, "{result:?}");
}

/// A modulus that the library's length check passes (it looks at the absolute value).
#[tokio::test]
async fn a_negative_modulus_is_refused_before_the_library_sees_it() {
    let tamper: Arc<Tamper> = Arc::new(|from, _, _, bytes| {
        let text = String::from_utf8(bytes).unwrap();
        let negative = text.replacen(r#""value":""#, r#""value":"-"#, 1);
        let is_opening = from == Operator && text.starts_with(r#"{"Round2""#);
        Some(if is_opening { negative } else { text }.into_bytes())
    });
    let patience = Patience { message: Duration::from_secs(60), ..Patience::GROUP_AUX };
    let sessions = table::sessions(&support::aux_fields(), patience, &tamper);
    let results = support::aux_all(sessions).await;
    assert_eq!(blamed(&results[0]).1, PeerFault::Undecodable);
    assert_eq!(blamed(&results[0]).0, [Operator]);
}
