//! Channels of the escrow contracts from before TIP-1034: left where the authority names them, and
//! seldom.

use super::*;
use crate::channel::EXIT_PAUSE_SECONDS;
use crate::fixture::{ORGANISATION, policy_of};
use crate::intent::{ExitChannel, MppExit, V1_ESCROWS};
use crate::ledger::{Measure, Scope};
use crate::mpp::ChannelId;
use crate::proposal::terms_without_chain;
use crate::rules::Policy;
use crate::tempo::calls;

const OLD: ChannelId = ChannelId([7; 32]);
const OTHER_OLD: ChannelId = ChannelId([8; 32]);

fn leave(escrow: Address, channel: ChannelId, step: ExitStep, at: UnixSeconds) -> Payment {
    let Payment::MppExit(like) = exit(strange(), step) else { unreachable!() };
    let terms = TempoTerms { valid_before: at.plus(25), ..terms() };
    let channel = ExitChannel::V1 { escrow, channel };
    Payment::MppExit(MppExit { channel, terms, ..like })
}

/// Intent `n` for a step out of a channel of main net's contract.
fn asked(n: u64, channel: ChannelId, step: ExitStep, at: UnixSeconds) -> Proposal {
    let intent = authentic(intent(n, leave(V1_ESCROWS[0].1, channel, step, at), at));
    let terms = terms_without_chain(&intent).unwrap();
    with_terms(intent, terms)
}

fn rule(channels: &[ChannelId]) -> String {
    let named: Vec<_> = channels.iter().map(|channel| format!("\"0x{channel}\"")).collect();
    format!("  - v1_channels: [{}]\n", named.join(", "))
}

fn naming(channels: &[ChannelId]) -> AuthenticPolicy {
    policy(&format!("{ALLOW}{}", rule(channels)))
}

#[test]
fn a_channel_that_no_policy_names_is_refused_with_the_rule_that_is_missing() {
    let mut book = Book::new();
    let step = ExitStep::RequestClose;
    let no_rule = admit_at(&allowing(), asked(1, OLD, step, NOW), NOW, &mut book);
    assert_eq!(code(&no_rule), "channel_not_listed");
    let said = no_rule.unwrap_err().to_string();
    assert!(said.contains(&format!("v1_channels: [\"0x{OLD}\"]")), "{said}");
    for named in [vec![OTHER_OLD], vec![]] {
        let other = admit_at(&naming(&named), asked(2, OLD, step, NOW), NOW, &mut book);
        assert_eq!(code(&other), "policy");
        let said = other.unwrap_err().to_string();
        assert!(said.contains("v1_channels") && said.contains(&format!("0x{OLD}")), "{said}");
    }
    let warns = crate::fixture::yaml(7, &rule(&[OLD])).replace("epoch: 7", "epoch: 7\nmode: warn");
    let warns = crate::fixture::signed(warns).open_policy(&crate::fixture::authority(1, 1));
    let only_warned = admit_at(&warns.unwrap(), asked(3, OLD, step, NOW), NOW, &mut book);
    assert!(only_warned.is_err(), "{only_warned:?}");
    assert!(book.ledger().unwrap().is_empty() && book.intent(&id(1)).unwrap().is_none());
}

#[test]
fn a_channel_that_is_named_is_left_and_no_other_rule_is_asked() {
    let mut book = Book::new();
    let tight =
        format!("{ALLOW}  - limit: {{ amount: 0.000001 pathUSD, per: day }}\n{}", rule(&[OLD]));
    let left = admit_at(&policy(&tight), asked(1, OLD, ExitStep::Withdraw, NOW), NOW, &mut book);
    let left = left.unwrap();
    let said = left.decision().unwrap();
    let found: Vec<_> = said.policies.iter().flat_map(|opinion| &opinion.findings).collect();
    assert_eq!((said.verdict, found.len()), (Verdict::Approve, 1), "{said:?}");
    assert!(found[0].grants && found[0].kind == "v1_channels", "{found:?}");
    assert_eq!((left.row().amount, left.row().recipient), (units(0), None));
    // What is named for this grants no payment, and troubles none.
    for (rules, granted) in [(rule(&[OLD]), false), (format!("{ALLOW}{}", rule(&[])), true)] {
        let answer = admit_at(&policy(&rules), proposal(3, charge(1, vec![]), NOW), NOW, &mut book);
        assert_eq!(answer.is_ok(), granted, "{rules}: {answer:?}");
    }
}

#[test]
fn a_policy_has_one_list_of_channels() {
    let twice = format!("{ALLOW}{}{}", rule(&[OLD]), rule(&[OTHER_OLD]));
    let refused = Policy::parse(&crate::fixture::yaml(7, &twice)).unwrap_err().to_string();
    assert!(refused.contains("one v1_channels rule"), "{refused}");
}

#[test]
fn every_policy_that_has_the_rule_has_to_name_the_channel() {
    let ask = asked(1, OLD, ExitStep::RequestClose, NOW);
    let ask = crate::ask::Ask::from(ask.intent());
    let (book, own) = (Book::new(), naming(&[OLD]));
    let facts = Facts::of(book.ledger().unwrap(), NOW);
    for (rules, verdict) in [
        (ALLOW.to_owned(), Verdict::Approve),
        (format!("{ALLOW}{}", rule(&[OLD])), Verdict::Approve),
        (format!("{ALLOW}{}", rule(&[OTHER_OLD])), Verdict::Refuse),
    ] {
        let of_all = policy_of(ORGANISATION, 1, &rules);
        let decided = decide(&[of_all.policy(), own.policy()], &ask, &facts);
        assert_eq!(decided.verdict, verdict, "{rules}: {decided:?}");
    }
}

#[test]
fn only_the_pinned_contract_of_the_chain_is_called() {
    let step = ExitStep::RequestClose;
    for escrow in [OTHER, V1_ESCROWS[1].1] {
        let refusal = unfit(leave(escrow, OLD, step, NOW));
        assert!(matches!(refusal, Refusal::NotTheChannel), "{escrow}: {refusal}");
    }
    let escrow = V1_ESCROWS[0].1;
    let to_sign = |step| match step {
        ExitStep::RequestClose => calls::request_close_v1(escrow, OLD),
        ExitStep::Withdraw => calls::withdraw_v1(escrow, OLD),
    };
    for (step, selector) in [(ExitStep::RequestClose, "6bf5fe6f"), (ExitStep::Withdraw, "8e19899e")]
    {
        let call = to_sign(step);
        let expected = format!("{selector}{OLD}");
        assert_eq!((call.to, alloy_primitives::hex::encode(&call.input)), (escrow, expected));
    }
}

#[test]
fn a_channel_that_is_named_does_not_drain_the_wallet_in_fees() {
    let mut book = Book::new();
    let named = naming(&[OLD, OTHER_OLD]);
    let mut step = |n, channel, step, at| {
        let answer = admit_at(&named, asked(n, channel, step, at), at, &mut book);
        answer.map(|reserved| reserved.same_again())
    };
    let (ask, take) = (ExitStep::RequestClose, ExitStep::Withdraw);
    assert_eq!(step(1, OLD, ask, NOW), Ok(false));
    assert_eq!(step(1, OLD, ask, NOW), Ok(true), "the same once more costs nothing more");
    let next = NOW.plus(EXIT_PAUSE_SECONDS);
    for at in [NOW, next.minus(1)] {
        match step(2, OLD, ask, at) {
            Err(AdmitError::Refused(Refusal::ExitUnderWay { channel, until })) => {
                assert_eq!((channel, until), (OLD, next));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(step(3, OLD, take, next.minus(1)), Ok(false), "the other step");
    assert_eq!(step(4, OTHER_OLD, ask, next.minus(1)), Ok(false), "another channel");
    assert_eq!(step(5, OLD, ask, next), Ok(false));
    assert!(step(6, OTHER_OLD, ask, next).is_err(), "what still waits is not forgotten");

    let fee = terms().fee().base_units();
    let ledger = book.ledger().unwrap();
    let spent = |measure| ledger.sum(&Subject::Organisation, measure, &Scope::Total, NOW);
    assert_eq!((spent(Measure::Amount("pathUSD")), spent(Measure::Count)), (4 * fee, 0));
}

#[test]
fn an_agent_that_is_stopped_leaves_a_channel_that_is_named() {
    let mut book = Book::new();
    let trip = TripRow { agent: agent(), reason: "drill".to_owned(), freeze_epoch: 0, at: NOW };
    book.trip(&trip).unwrap();
    let frozen = Freeze { agent: agent(), epoch: 1, frozen: true, reason: String::new(), at: NOW };
    let mut left = |policy: &AuthenticPolicy, n| {
        let step = asked(n, OLD, ExitStep::RequestClose, NOW);
        code(&admit_while(policy, Some(&frozen), step, NOW, &mut book))
    };
    assert_eq!(left(&allowing(), 1), "channel_not_listed");
    assert_eq!(left(&naming(&[OLD]), 2), "reserved");
}
