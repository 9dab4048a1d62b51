//! What is admitted, and how often.

use tercet_policy::admission::RecordSpend as _;
use tercet_policy::ledger::{Measure, Scope};

use super::super::*;
use super::fixture::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_at_once_exactly_those_that_fit_are_admitted() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..100 {
        let journal = journal.clone();
        tasks.spawn(async move { code(&pay(&journal, n).await) });
    }
    let codes = tasks.join_all().await;
    assert_eq!(codes.iter().filter(|code| *code == "ok").count(), 40);
    assert_eq!(codes.iter().filter(|code| *code == "policy").count(), 60);
    let reopened = place.reopen(journal).await.unwrap();
    assert_eq!(spent(&reopened).await, 40 * PRICE);
    assert_eq!(code(&pay(&reopened, 1_000).await), "policy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_intent_a_hundred_times_at_once_is_one_row() {
    let (_place, journal) = Place::with_policy("10 USDC").await;
    let before = journal.head().rows;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let journal = journal.clone();
        tasks.spawn(async move { pay(&journal, 7).await.unwrap().same_again() });
    }
    let again = tasks.join_all().await;
    assert_eq!(again.iter().filter(|again| !**again).count(), 1);
    assert_eq!(journal.head().rows, before + 1);
    assert_eq!(spent(&journal).await, PRICE);
}

#[tokio::test]
async fn the_same_digest_is_admitted_again_and_counts_once() {
    let (place, journal) = Place::with_policy("0.25 USDC").await;
    let first = pay(&journal, 1).await.unwrap();
    assert!(!first.same_again());
    let digest = first.into_payload().digest();
    let again = pay(&journal, 1).await.unwrap();
    assert!(again.same_again());
    assert_eq!(again.into_payload().digest(), digest);
    let reopened = place.reopen(journal).await.unwrap();
    assert!(pay(&reopened, 1).await.unwrap().same_again());
    assert_eq!(code(&pay(&reopened, 2).await), "policy");
}

#[tokio::test]
async fn a_slot_never_holds_a_digest_that_is_not_a_listed_replacement() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    let admit = |n, nonce, wei| {
        let journal = &journal;
        let proposal = proposal(journal, transfer(n), Some(fees(nonce, wei)));
        async move { code(&journal.admit(proposal, NOW).await) }
    };
    assert_eq!(admit(1, 5, 1_000).await, "ok");
    assert_eq!(admit(2, 5, 1_000).await, "slot_taken", "another payment, same account nonce");
    assert_eq!(admit(1, 5, 999).await, "slot_taken", "the same payment for a lower fee");
    assert_eq!(admit(1, 5, 2_000).await, "ok", "the same payment for a higher fee");
    assert_eq!(admit(1, 6, 2_000).await, "intent_has_slot", "one intent, two account nonces");
    let reopened = place.reopen(journal).await.unwrap();
    let again = proposal(&reopened, transfer(2), Some(fees(5, 3_000)));
    assert_eq!(code(&reopened.admit(again, NOW).await), "slot_taken", "after reopening too");
    assert_eq!(spent(&reopened).await, PRICE, "a fee bump counts once");
}

#[tokio::test]
async fn an_intent_id_used_for_something_else_is_refused() {
    let (_place, journal) = Place::with_policy("10 USDC").await;
    assert_eq!(code(&pay(&journal, 1).await), "ok");
    let other = proposal(&journal, transfer(1), Some(fees(0, 1)));
    assert_eq!(code(&journal.admit(other, NOW).await), "intent_reused");
}

#[tokio::test]
async fn a_cancellation_takes_the_slot_and_gives_nothing_back_by_itself() {
    let (place, journal) = Place::with_policy("0.25 USDC").await;
    paid(&journal, 1).await;
    let taken_back = journal.admit(proposal(&journal, cancel(2, 1), None), NOW).await.unwrap();
    journal.release(taken_back.row(), NOW).await.unwrap();
    assert_eq!(code(&pay(&journal, 1).await), "slot_taken");
    let reopened = place.reopen(journal).await.unwrap();
    assert_eq!(code(&pay(&reopened, 3).await), "policy", "the first still counts");
    let unknown = proposal(&reopened, cancel(5, 4), None);
    assert_eq!(code(&reopened.admit(unknown, NOW).await), "nothing_to_cancel");
}

#[tokio::test]
async fn only_the_agents_own_wallets_pay_and_only_while_not_stopped() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    let strange =
        tercet_policy::intent::PaymentIntent { wallet: Address::repeat_byte(9), ..x402(1) };
    let refused = journal.admit(proposal(&journal, strange, None), NOW).await;
    assert_eq!(code(&refused), "unknown_wallet");
    journal.stop(WALLET, "a proof failed").await.unwrap();
    assert_eq!(code(&pay(&journal, 1).await), "pair_frozen");
    let reopened = place.reopen(journal).await.unwrap();
    assert_eq!(reopened.roll().stopped(&WALLET), Some("a proof failed"));
    assert_eq!(code(&pay(&reopened, 1).await), "pair_frozen");
    reopened.resume(WALLET).await.unwrap();
    assert_eq!(code(&pay(&reopened, 1).await), "ok");
}

#[tokio::test]
async fn this_nodes_own_rules_must_approve_too_and_do_not_count_a_payment_twice() {
    let place = Place::empty();
    let own = Policy::parse(&policy_text(1, "0.30 USDC")).unwrap();
    let home = Arc::new(Home::open(&place.path()).unwrap());
    let pins = Pins { own_policies: vec![own], ..pins() };
    let journal = Journal::open(home, pins, NOW).await.unwrap();
    prepare(&journal, "10 USDC").await;
    assert_eq!(code(&pay(&journal, 1).await), "ok");
    assert!(pay(&journal, 1).await.unwrap().same_again());
    assert_eq!(code(&pay(&journal, 2).await), "policy");
}

#[tokio::test]
async fn a_higher_fee_never_passes_this_nodes_own_max_fee() {
    let place = Place::empty();
    // 60,000 gas at 2,000 wei.
    let own = format!("{}  - max_fee: 0.00000000012 ETH\n", policy_text(1, "0.25 USDC"));
    let home = Arc::new(Home::open(&place.path()).unwrap());
    let pins = Pins { own_policies: vec![Policy::parse(&own).unwrap()], ..pins() };
    let journal = Journal::open(home, pins, NOW).await.unwrap();
    prepare(&journal, "10 USDC").await;
    for (fee, expected) in [(1_000, "ok"), (2_001, "policy"), (2_000, "ok"), (2_000, "ok")] {
        let proposal = proposal(&journal, transfer(1), Some(fees(5, fee)));
        assert_eq!(code(&journal.admit(proposal, NOW).await), expected, "{fee}");
    }
}

#[tokio::test]
async fn without_a_policy_or_under_a_freeze_nothing_is_admitted() {
    let place = Place::empty();
    let journal = place.open().await.unwrap();
    journal.install_enrolment(enrolment(1)).await.unwrap();
    let request = tercet_policy::document::RequestId([5; 32]);
    journal.add_wallet(agent(), WALLET, request).await.unwrap();
    assert_eq!(code(&pay(&journal, 1).await), "no_policy");
    journal.install_policy(policy(1, "10 USDC")).await.unwrap();
    assert_eq!(code(&pay(&journal, 1).await), "ok");
    journal.install_freeze(freeze(1, true)).await.unwrap();
    assert_eq!(code(&pay(&journal, 2).await), "agent_frozen");
    journal.install_freeze(freeze(2, false)).await.unwrap();
    assert_eq!(code(&pay(&journal, 2).await), "ok");
}

async fn spent(journal: &Journal) -> u128 {
    journal
        .look(|state| {
            let ledger = state.book().ledger().unwrap();
            ledger.sum(&agents(), Measure::Amount("USDC"), &Scope::Total, UnixSeconds(0))
        })
        .await
        .unwrap()
}

/// Two cancellations of one authorization are the same bytes: the second one must not meet the
/// first one's claim in the file, which would seal the journal for every agent of this node.
#[tokio::test]
async fn an_agent_that_cancels_twice_does_not_seal_the_journal() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    assert_eq!(code(&pay(&journal, 1).await), "ok");
    for n in [2, 3, 4] {
        let again = proposal(&journal, cancel(n, 1), None);
        assert_eq!(code(&journal.admit(again, NOW).await), "ok", "cancellation {n}");
    }
    assert_eq!(code(&pay(&journal, 5).await), "ok", "the journal still serves others");
    let reopened = place.reopen(journal).await.unwrap();
    assert_eq!(spent(&reopened).await, 2 * PRICE, "nothing is given back before the chain says so");
}
