//! What is admitted of access keys: denied by default, counted as a whole, revoked whoever is stopped.

use super::*;
use crate::access_key::{KeyAct, REVOKE_PAUSE_SECONDS};
use crate::document::Signed;
use crate::evidence::{KeyLog, NoProof, NotSeen, SettledProof};
use crate::fixture::tempo::{
    ACCESS_KEY, DAY_SECONDS, access_key, key_step, lane_terms, tempo_transfer,
};
use crate::fixture::{Anybody, WALLET, key, people, row, units};
use crate::intent::{
    KeyLimits, KeyStep, Payment, SESSION_SECONDS_MAX, TempoAccessKey, TempoNonce, TempoTerms,
};
use crate::refusal::KeyFault;
use crate::tempo::CHANNEL_RESERVE;
use crate::tempo::keychain::ACCOUNT_KEYCHAIN;

const RULE: &str = "  - access_key: { max: 20 pathUSD, max_life: 7d }\n";
const DOLLAR: u128 = 1_000_000;

fn granting() -> AuthenticPolicy {
    policy(&format!("{ALLOW}{RULE}"))
}

fn refusal(admitted: Admitted) -> Refusal {
    match admitted {
        Err(AdmitError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// What an intent is refused for before anything is looked up.
fn unfit(change: impl FnOnce(TempoAccessKey) -> TempoAccessKey) -> Refusal {
    let Payment::TempoAccessKey(k) = access_key(DOLLAR, 7) else { unreachable!() };
    let intent = intent(1, Payment::TempoAccessKey(change(k)), NOW);
    Signed::by(intent, &key(7)).unwrap().open_intent(&Anybody, NOW).unwrap_err()
}

fn with_limits(k: TempoAccessKey, change: impl FnOnce(&mut KeyLimits)) -> TempoAccessKey {
    let KeyStep::Authorize(mut limits) = k.step else { unreachable!() };
    change(&mut limits);
    TempoAccessKey { step: KeyStep::Authorize(limits), ..k }
}

#[test]
fn no_policy_grants_an_access_key_that_does_not_say_so() {
    let both = format!("{ALLOW}  - allow: {{ recipients: ['{ACCESS_KEY}'] }}\n");
    let cases = [
        (ALLOW.to_owned(), false),
        (both, false),
        ("  - allow: { chains: ['eip155:4217'] }\n".to_owned(), false),
        (format!("{ALLOW}{RULE}"), true),
        (RULE.to_owned(), true),
        (format!("{ALLOW}  - access_key: {{ max: 19.99 pathUSD, max_life: 7d }}\n"), false),
        (format!("{ALLOW}  - access_key: {{ max: 20 pathUSD, max_life: 6d }}\n"), false),
        (format!("{ALLOW}  - access_key: {{ max: 20 USDC, max_life: 7d }}\n"), false),
        // What it has not got, rules that need it do not let pass.
        (format!("{ALLOW}{RULE}  - payee_pinning: {{ new: refuse, changed: refuse }}\n"), false),
        (format!("{ALLOW}{RULE}  - trust: {{ min: 1 }}\n"), false),
        (format!("{ALLOW}{RULE}  - block: {{ categories: [games] }}\n"), false),
        (format!("{ALLOW}{RULE}  - allow: {{ chains: ['eip155:8453'] }}\n"), false),
    ];
    for (rules, granted) in cases {
        let asked = proposal(1, access_key(20 * DOLLAR, 7), NOW);
        let admitted = admit_at(&policy(&rules), asked, NOW, &mut Book::new());
        assert_eq!(admitted.is_ok(), granted, "{rules}: {admitted:?}");
        let refused = matches!(admitted, Err(AdmitError::Refused(Refusal::Policy(_))));
        assert_eq!(refused, !granted, "{rules}: {admitted:?}");
    }
    let asks = policy(&format!("{ALLOW}{RULE}  - ask: {{ new_payee: true }}\n{}", people()));
    let asked = proposal(1, access_key(DOLLAR, 1), NOW);
    let refusal = refusal(admit_at(&asks, asked, NOW, &mut Book::new()));
    assert!(matches!(refusal, Refusal::ApprovalMissing(_)), "{refusal}");
}

/// A rule about access keys has no say in what is none.
#[test]
fn other_payments_are_not_troubled() {
    let mut book = Book::new();
    let only = policy(RULE);
    let transfer = || proposal(1, tempo_transfer(5, PAYEE), NOW);
    assert!(matches!(refusal(admit_at(&only, transfer(), NOW, &mut book)), Refusal::Policy(_)));
    assert!(admit_at(&granting(), transfer(), NOW, &mut book).is_ok());
}

#[test]
fn all_that_a_key_can_ever_take_counts_when_it_is_authorized() {
    let week = policy(&format!("{ALLOW}{RULE}  - limit: {{ amount: 100 pathUSD, per: day }}\n"));
    let mut book = Book::new();
    let admit_days = |book: &mut Book, n, days| {
        code(&admit_at(&week, proposal(n, access_key(20 * DOLLAR, days), NOW), NOW, book))
    };
    assert_eq!(admit_days(&mut book, 1, 5), "policy", "the fee is on top of 100");
    assert_eq!(admit_days(&mut book, 2, 4), "reserved");
    let counted = book.ledger().unwrap().entry(&id(2)).unwrap().counted;
    assert_eq!(counted, units(80 * DOLLAR));
    assert_eq!(admit_days(&mut book, 3, 1), "policy", "80 and 20 and the fees");
    let transfer = proposal(4, tempo_transfer(20 * DOLLAR, PAYEE), NOW);
    assert_eq!(code(&admit_at(&week, transfer, NOW, &mut book)), "policy");
    let max = policy(&format!("{ALLOW}{RULE}  - max_amount: 79 pathUSD\n"));
    let asked = proposal(5, access_key(20 * DOLLAR, 4), NOW);
    assert_eq!(code(&admit_at(&max, asked, NOW, &mut Book::new())), "policy");
}

/// As the precompile counts: a period begins with the authorization and at each end of the last, and
/// the key can take its limit in each that begins before it ends.
#[test]
fn periods_are_counted_as_the_chain_can_let_them_begin() {
    let begins = lane_terms().lane_begins();
    let periods = |period_seconds, lasts| {
        KeyLimits { limit: units(1), period_seconds, expires_at: begins.plus(lasts) }
            .periods(begins)
    };
    let by_hand = |period: u64, lasts: u64| (0..lasts).step_by(period as usize).count() as u64;
    for lasts in [1, DAY_SECONDS - 1, DAY_SECONDS, DAY_SECONDS + 1, 7 * DAY_SECONDS, 600_000] {
        for period in [DAY_SECONDS, DAY_SECONDS + 7, 2 * DAY_SECONDS] {
            assert_eq!(periods(period, lasts), by_hand(period, lasts), "{period} {lasts}");
        }
        assert_eq!(periods(0, lasts), 1, "for once");
    }
    let row = row(&proposal(1, access_key(1, 2), NOW), NOW);
    assert_eq!(row.terms.first_minable(), Some(begins), "what is counted from is what is signed");
}

#[test]
fn what_no_chain_would_bound_is_not_asked_of_any_policy() {
    let fault = |refusal| match refusal {
        Refusal::UnfitAccessKey { fault } => fault,
        other => panic!("{other}"),
    };
    let tokens = crate::chain::PATH_USD;
    for nobody in [Address::ZERO, WALLET, CHANNEL_RESERVE, ACCOUNT_KEYCHAIN, tokens] {
        assert_eq!(
            fault(unfit(|k| TempoAccessKey { key: nobody, ..k })),
            KeyFault::Key,
            "{nobody}"
        );
    }
    let expiring = |terms| TempoTerms { nonce: TempoNonce::Expiring, ..terms };
    let sponsored = |terms| TempoTerms { fee_token: None, ..terms };
    for terms in [expiring(lane_terms()), sponsored(lane_terms())] {
        assert_eq!(fault(unfit(|k| TempoAccessKey { terms, ..k })), KeyFault::Terms);
    }
    let short = |k| with_limits(k, |limits| limits.period_seconds = DAY_SECONDS - 1);
    assert_eq!(fault(unfit(short)), KeyFault::Period);
    let endless = |k| with_limits(k, |limits| limits.limit = units(u128::MAX / 2));
    assert_eq!(fault(unfit(endless)), KeyFault::Sum);
    let nothing = unfit(|k| with_limits(k, |limits| limits.limit = units(0)));
    assert_eq!(nothing, Refusal::NothingToPay);
    let late = NOW.plus(SESSION_SECONDS_MAX + 1);
    let long = unfit(|k| with_limits(k, |limits| limits.expires_at = late));
    assert!(matches!(long, Refusal::ValidityTooLong { .. }), "{long}");
    let early = unfit(|k| with_limits(k, |limits| limits.expires_at = lane_terms().valid_before));
    assert!(matches!(early, Refusal::NeverValid { .. }), "{early}");
    let base = unfit(|k| TempoAccessKey { chain: crate::chain::Chain::Base, ..k });
    assert!(matches!(base, Refusal::NotOnThatChain { .. }), "{base}");
}

#[test]
fn a_key_that_is_known_is_revoked_whoever_is_stopped_and_not_over_and_over() {
    let frozen =
        Freeze { agent: agent(), epoch: 1, frozen: true, reason: "stolen".to_owned(), at: NOW };
    let mut book = Book::new();
    // No rule is asked, and none grants keys any more.
    let revoke = |book: &mut Book, n: u64, at: UnixSeconds| {
        let revoke = proposal(n, revoked_at(at), at);
        admit_while(&allowing(), Some(&frozen), revoke, at, book)
    };
    let unknown = refusal(revoke(&mut book, 1, NOW));
    assert_eq!(unknown, Refusal::UnknownAccessKey { key: ACCESS_KEY });
    let authorized = proposal(2, access_key(DOLLAR, 2), NOW);
    let stopped = admit_while(&granting(), Some(&frozen), authorized, NOW, &mut book);
    assert_eq!(code(&stopped), "agent_frozen", "only the way back is for the stopped");
    let authorized = proposal(2, access_key(DOLLAR, 2), NOW);
    assert!(admit_at(&granting(), authorized, NOW, &mut book).is_ok());
    let counted = |book: &Book| book.ledger().unwrap().entry(&id(2)).unwrap().counted;
    let before = counted(&book);

    let revoked = revoke(&mut book, 3, NOW).unwrap();
    assert_eq!(revoked.row().key, Some(KeyAct::Revoke { key: ACCESS_KEY }));
    assert!(!revoked.row().counts());
    assert_eq!(counted(&book), before, "what it could take stays counted");
    assert!(revoke(&mut book, 3, NOW).unwrap().same_again());
    let until = NOW.plus(REVOKE_PAUSE_SECONDS);
    let again = refusal(revoke(&mut book, 4, NOW));
    assert_eq!(again, Refusal::RevocationUnderWay { key: ACCESS_KEY, until });
    assert!(revoke(&mut book, 5, until).is_ok());
    let over = refusal(revoke(&mut book, 6, NOW.plus(2 * DAY_SECONDS)));
    assert_eq!(over, Refusal::UnknownAccessKey { key: ACCESS_KEY });
}

fn revoked_at(at: UnixSeconds) -> Payment {
    let Payment::TempoAccessKey(k) = key_step(KeyStep::Revoke) else { unreachable!() };
    let terms = TempoTerms { valid_before: at.plus(60), ..k.terms };
    Payment::TempoAccessKey(TempoAccessKey { terms, ..k })
}

#[test]
fn only_its_own_log_settles_it_and_only_its_absence_past_its_end_voids_it() {
    let row = row(&proposal(1, access_key(DOLLAR, 2), NOW), NOW);
    let own = KeyLog {
        account: WALLET,
        key: ACCESS_KEY,
        authorized: true,
        transaction: B256::repeat_byte(1),
        block: 5,
    };
    let at = safe(5, NOW);
    let settled = SettledProof::access_key(&row, &own, at).unwrap();
    assert_eq!(settled.amount(), units(2 * DOLLAR), "the whole, for good");
    for other in [
        KeyLog { account: OTHER, ..own },
        KeyLog { key: OTHER, ..own },
        KeyLog { authorized: false, ..own },
    ] {
        let proof = SettledProof::access_key(&row, &other, at);
        assert_eq!(proof, Err(NoProof::OtherPayment), "{other:?}");
    }
    let young = SettledProof::access_key(&row, &own, safe(4, NOW));
    assert_eq!(young, Err(NoProof::NotSafeYet));
    let ends = lane_terms().valid_before;
    let from = safe(2, lane_terms().lane_begins().minus(1));
    let unseen = |to| VoidProof::tempo(&row, NotSeen { from, to });
    assert!(unseen(safe(9, ends.minus(1))).is_err(), "it may still be mined");
    assert!(unseen(safe(9, ends)).is_ok());
    let revoked = crate::fixture::row(&proposal(2, key_step(KeyStep::Revoke), NOW), NOW);
    let proof = SettledProof::access_key(&revoked, &KeyLog { authorized: false, ..own }, at);
    assert_eq!(proof, Err(NoProof::OtherKind), "it counts nothing that could settle");
}
