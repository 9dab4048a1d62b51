//! Fees that rise: judged by the rules about fees, and counted once.

#![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use proptest::prelude::*;

use crate::admission::{AdmitError, Book, RecordSpend as _, Reserved, Rulebook, Submission, admit};
use crate::approval::AuthenticApproval;
use crate::decision::{Decision, Outcome, Verdict};
use crate::fixture::{
    AGENT, EPOCHS, NOW, ORGANISATION, PAYEE, authentic, authority, code, fees, file, id, intent,
    opened, policy_of, set, settled, signed, transfer, units, yes,
};
use crate::intent::AuthenticIntent;
use crate::ledger::{LedgerError, Measure, Scope};
use crate::proposal::{Proposal, ProposalClaim};
use crate::refusal::Refusal;
use crate::rows::{PolicyEpochs, SpendRow};
use crate::rules::AuthenticPolicy;
use crate::subject::Subject::Organisation;
use crate::time::UnixSeconds;

type Admitted = Result<Reserved, AdmitError<LedgerError>>;

const ALLOW: &str = "  - allow: { recipients: payees }\n";
/// What 60,000 gas cost at a fee of a million wei.
const FEE: u128 = 60_000_000_000;

fn own(rules: &str) -> AuthenticPolicy {
    policy_of(AGENT, 7, &format!("{ALLOW}{rules}"))
}

/// An intent that lives as long as any.
fn lasting(n: u64, at: UnixSeconds) -> AuthenticIntent {
    let mut intent = intent(n, transfer(10, PAYEE), at);
    intent.expires_at = at.plus(3_600);
    authentic(intent)
}

fn bid(n: u64, fee: u128) -> Proposal {
    let intent = lasting(n, NOW);
    let claim = ProposalClaim::honest(&intent, fees(n, fee, 1), EPOCHS);
    Proposal::assemble(intent, &claim).unwrap()
}

fn try_at(
    policy: &AuthenticPolicy,
    proposal: Proposal,
    at: UnixSeconds,
    book: &mut Book,
) -> Admitted {
    let policies = set(&[policy]);
    let rulebook = Rulebook { policies: &policies, registry: None, frozen: None };
    admit(&rulebook, Submission::from(proposal), at, book)
}

fn in_warn_mode(rules: &str) -> AuthenticPolicy {
    let text = file(ORGANISATION, 3, rules).replace("epoch: 3", "epoch: 3\nmode: warn");
    signed(text).open_policy(&authority(1, 1)).unwrap()
}

fn refused(admitted: Admitted) -> Decision {
    match admitted {
        Err(AdmitError::Refused(
            Refusal::Policy(decision) | Refusal::ApprovalMissing(decision),
        )) => decision,
        other => panic!("{other:?}"),
    }
}

fn counted(book: &Book) -> (u128, u128) {
    let ledger = book.ledger().unwrap();
    let sum = |measure| ledger.sum(&Organisation, measure, &Scope::Total, UnixSeconds(0));
    (sum(Measure::FeeWei), sum(Measure::Count))
}

#[test]
fn a_higher_fee_never_passes_max_fee() {
    let mut book = Book::new();
    let policy = own("  - max_fee: 0.00000012 ETH\n");
    for (fee, expected) in [
        (1_000_000, "reserved"),
        (2_000_001, "policy"),
        (50_000_000_000, "policy"),
        (2_000_000, "reserved"),
        (2_000_000, "same_again"),
        (2_000_001, "policy"),
        (1_999_999, "slot_taken"),
    ] {
        let before = book.clone();
        let admitted = try_at(&policy, bid(1, fee), NOW, &mut book);
        assert_eq!(code(&admitted), expected, "{fee}");
        let slot = bid(1, 1).slot();
        let held = |book: &Book| (book.slot(&slot).unwrap(), counted(book));
        let same = held(&book) == held(&before);
        assert_eq!(same, expected != "reserved", "{fee}: what is refused holds nothing");
    }
    assert_eq!(counted(&book), (2 * FEE, 1));
}

#[test]
fn a_higher_fee_never_passes_max_fee_of_a_window() {
    let mut book = Book::new();
    let policy = own("  - max_fee: { amount: 0.00000018 ETH, per: day }\n");
    for (n, fee, expected) in [
        (1, 1_000_000, "reserved"),
        (2, 500_000, "reserved"),
        (1, 2_500_001, "policy"),
        (1, 2_000_000, "reserved"),
        (2, 1_000_000, "reserved"),
        (2, 1_000_001, "policy"),
        (1, 2_000_001, "policy"),
        (3, 1, "policy"),
    ] {
        let admitted = try_at(&policy, bid(n, fee), NOW, &mut book);
        assert_eq!(code(&admitted), expected, "{n} at {fee}");
    }
    assert_eq!(counted(&book), (3 * FEE, 2));
    let found = refused(try_at(&policy, bid(1, 3_000_000), NOW, &mut book));
    let found = &found.policies[0].findings;
    assert_eq!(found.len(), 1, "no other rule is asked");
    assert_eq!((found[0].rule, found[0].kind.as_str()), (1, "max_fee"));
    assert_eq!(found[0].asked, "0.00000006 ETH", "what it adds");
    assert_eq!(found[0].current.as_deref(), Some("0.00000018 ETH"));
    assert_eq!(found[0].resets_at, Some(NOW.plus(86_400)));
}

#[test]
fn what_a_fee_rises_by_counts_from_when_it_rose() {
    let mut book = Book::new();
    let policy = own("  - max_fee: { amount: 0.00000012 ETH, per: minute }\n");
    for (later, n, fee, expected) in [
        (0, 1, 1_000_000, "reserved"),
        (0, 2, 1_000_000, "reserved"),
        (59, 1, 1_000_001, "policy"),
        (60, 1, 2_000_000, "reserved"),
        (60, 2, 2_000_000, "reserved"),
        // The payments have left the window; what they rose by has not.
        (60, 1, 2_000_001, "policy"),
        (119, 2, 2_000_001, "policy"),
        (120, 2, 4_000_000, "reserved"),
        (120, 1, 2_000_001, "policy"),
    ] {
        let admitted = try_at(&policy, bid(n, fee), NOW.plus(later), &mut book);
        assert_eq!(code(&admitted), expected, "{n} at {fee} after {later} s");
    }
    assert_eq!(counted(&book), (6 * FEE, 2));
}

#[test]
fn a_higher_fee_is_asked_of_every_policy_that_applies() {
    let strict = |rules: &str| policy_of(ORGANISATION, 3, rules);
    let epochs = PolicyEpochs { organisation: Some(3), ..EPOCHS };
    let cap = "  - max_fee: 0.00000006 ETH\n";
    for (organisation, expected) in [
        (strict(cap), "policy"),
        (strict("  - max_fee: { amount: 0.00000006 ETH, per: month }\n"), "policy"),
        (strict("  - max_fee: 1 ETH\n"), "reserved"),
        (strict("  - max_amount: 1 USDC\n"), "reserved"),
        (strict(&format!("{cap}    then: warn\n")), "reserved"),
        (in_warn_mode(cap), "reserved"),
    ] {
        let policies = set(&[&organisation, &own("  - max_fee: 1 ETH\n")]);
        let rulebook = Rulebook { policies: &policies, registry: None, frozen: None };
        let mut book = Book::new();
        let mut bid = |fee| {
            let intent = lasting(1, NOW);
            let claim = ProposalClaim::honest(&intent, fees(1, fee, 1), epochs);
            let proposal = Proposal::assemble(intent, &claim).unwrap();
            admit(&rulebook, Submission::from(proposal), NOW, &mut book)
        };
        assert_eq!(code(&bid(1_000_000)), "reserved");
        assert_eq!(code(&bid(1_000_001)), expected, "{:?}", organisation.policy().rules());
    }
}

#[test]
fn people_are_asked_for_a_higher_fee_and_warnings_are_told() {
    let asked = own("  - max_fee: 0.00000006 ETH\n    then: ask\n");
    let mut book = Book::new();
    assert_eq!(code(&try_at(&asked, bid(1, 1_000_000), NOW, &mut book)), "reserved");
    let decision = refused(try_at(&asked, bid(1, 1_000_001), NOW, &mut book));
    assert_eq!(decision.verdict, Verdict::AskHuman);
    assert_eq!(decision.policies[0].findings[0].outcome, Outcome::Asks);
    let policies = set(&[&asked]);
    let rulebook = Rulebook { policies: &policies, registry: None, frozen: None };
    let mut with = |approvals: Vec<AuthenticApproval>| {
        let submission = Submission { proposal: bid(1, 1_000_001), approvals, balance: None };
        code(&admit(&rulebook, submission, NOW, &mut book))
    };
    let approval = yes(&lasting(1, NOW), EPOCHS, NOW);
    assert_eq!(with(vec![opened(approval.clone(), 12)]), "approval_missing", "bob is not asked");
    assert_eq!(with(vec![opened(approval, 11)]), "reserved");
    let warned = own("  - max_fee: 0.00000006 ETH\n    then: warn\n");
    let mut book = Book::new();
    let _ = try_at(&warned, bid(1, 1_000_000), NOW, &mut book).unwrap();
    let higher = try_at(&warned, bid(1, 9_000_000), NOW, &mut book).unwrap();
    assert_eq!(higher.decision().unwrap().warnings().count(), 1);
    assert_eq!(counted(&book), (9 * FEE, 1), "a warning lets it pass, and it counts");
}

#[test]
fn nothing_but_the_fee_is_asked_again() {
    let first = own("  - rate: { count: 1, per: day }\n  - max_fee: 1 ETH\n");
    let mut book = Book::new();
    let _ = try_at(&first, bid(1, 1_000_000), NOW, &mut book).unwrap();
    let higher = try_at(&first, bid(1, 1_000_001), NOW.plus(9), &mut book).unwrap();
    let kinds: Vec<_> =
        higher.decision().unwrap().policies[0].findings.iter().map(|f| f.kind.clone()).collect();
    assert_eq!(kinds, ["max_fee"]);
    assert_eq!(book.ledger().unwrap().len(), 1);
}

#[test]
fn what_is_on_chain_is_not_paid_for_again() {
    let policy = own("");
    let mut book = Book::new();
    let row = try_at(&policy, bid(1, 1_000_000), NOW, &mut book).unwrap().row().clone();
    book.apply(&settled(&row, 10)).unwrap();
    assert_eq!(code(&try_at(&policy, bid(1, 1_000_001), NOW, &mut book)), "slot_taken");
    assert_eq!(counted(&book), (FEE, 1));
}

#[test]
fn a_book_is_rebuilt_from_its_rows_with_the_fees_that_rose() {
    let policy = own("");
    let (mut book, mut rows) = (Book::new(), Vec::<SpendRow>::new());
    for (later, n, fee) in [(0, 1, 5), (3, 2, 7), (9, 1, 6), (9, 1, 90), (70, 2, 8)] {
        let admitted = try_at(&policy, bid(n, fee), NOW.plus(later), &mut book).unwrap();
        rows.push(admitted.row().clone());
    }
    let fee = |n| book.ledger().unwrap().fee_wei(&id(n)).unwrap();
    assert_eq!([fee(1), fee(2)], [units(90 * 60_000), units(8 * 60_000)]);
    let mut again = Book::new();
    rows.iter().for_each(|row| again.record(row).unwrap());
    assert_eq!(again, book);
    assert!(rows[2].raises_fee() && !rows[2].counts());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is bid in whatever order, no minute promises more than the rule allows, and no
    /// payment more than the chain may take.
    #[test]
    fn no_order_of_bids_passes_the_fees_of_a_window(
        bids in prop::collection::vec((0u64..40, 1u64..4, 1u128..60), 1..40),
    ) {
        let policy = own(
            "  - max_fee: { amount: 0.000006 ETH, per: minute }\n  - max_fee: 0.000003 ETH\n",
        );
        let (mut book, mut now) = (Book::new(), NOW);
        let mut promised: Vec<(u64, u64, u128)> = Vec::new();
        for (later, n, fee) in bids {
            now = now.plus(later);
            let proposal = bid(n, fee * 1_000_000);
            let wei = proposal.terms().fee_wei().base_units();
            let Ok(reserved) = try_at(&policy, proposal, now, &mut book) else { continue };
            if reserved.same_again() { continue }
            let of_one = |all: &[(u64, u64, u128)]| -> u128 {
                all.iter().filter(|(_, who, _)| *who == n).map(|(.., more)| more).sum()
            };
            promised.push((now.0, n, wei - of_one(&promised)));
            prop_assert!(of_one(&promised) <= 3_000_000_000_000);
        }
        for (end, ..) in &promised {
            let inside = promised.iter().filter(|(at, ..)| at <= end && at + 60 > *end);
            let sum: u128 = inside.map(|(.., more)| more).sum();
            prop_assert!(sum <= 6_000_000_000_000, "{sum} in the minute until {end}");
        }
        let total: u128 = promised.iter().map(|(.., more)| more).sum();
        let payments: std::collections::BTreeSet<_> = promised.iter().map(|(_, n, _)| n).collect();
        prop_assert_eq!(counted(&book), (total, payments.len() as u128));
    }
}
