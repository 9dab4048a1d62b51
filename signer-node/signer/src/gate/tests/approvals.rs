//! What people say to a payment, brought by a courier that lies about it: the node goes by their
//! signatures alone.

use ed25519_dalek::SigningKey;
use tercet_policy::approval::{APPROVALS_MAX, Approval, SignedApproval};
use tercet_policy::document::{ContentHash, Ed25519PublicKey};
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::rows::PolicyEpochs;
use tercet_policy::time::UnixSeconds;

use super::house::PAYEE;
use super::*;

const ALICE: u8 = 21;
const BOB: u8 = 22;
const MALLORY: u8 = 23;
/// Above what the policy lets through unasked.
const ASKED_UNITS: u128 = 20_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// A policy that asks `needed` of alice, bob and, where its key is given, the agent itself.
fn asking(epoch: u64, needed: u8, agent: Option<Ed25519PublicKey>) -> String {
    let [alice, bob] = [ALICE, BOB].map(|seed| Ed25519PublicKey::of(&key(seed)));
    let own = agent.map_or_else(String::new, |key| format!(", carol: {{ key: '{key}' }}"));
    let also = if agent.is_some() { ", carol" } else { "" };
    format!(
        "policy: test\nepoch: {epoch}\napplies_to: {{ agent: research-01 }}\nrules:\n  \
         - {{ max_amount: 0.01 USDC, then: ask }}\n  - allow: {{ services: [api.example] }}\n  \
         - allow: {{ recipients: [\"{PAYEE}\"] }}\n\
         people: {{ alice: {{ key: '{alice}' }}, bob: {{ key: '{bob}' }}{own} }}\n\
         approvals: {{ any: {needed}, of: [alice, bob{also}] }}\n"
    )
}

/// A payment that the policy asks about, at a house whose nodes hold that policy.
struct Asked {
    house: House,
    envelope: SignedIntent,
    hash: ContentHash,
}

impl Asked {
    async fn of(needed: u8) -> Self {
        let house = House::new().await;
        let wallet = house.wallet().await;
        house.put_policy_text(asking(2, needed, None)).await;
        Self::at(house, wallet)
    }

    fn at(house: House, wallet: Address) -> Self {
        let envelope = house.sign_intent(x402(wallet, ASKED_UNITS));
        let hash = house.open(&envelope).content_hash();
        Self { house, envelope, hash }
    }

    fn approval(&self) -> Approval {
        Approval {
            intent: self.envelope.document.id,
            content_hash: self.hash,
            policies: epochs(2),
            approves: true,
            at: NOW,
        }
    }

    /// What a person says, changed before it is signed.
    fn said(&self, by: u8, change: impl FnOnce(&mut Approval)) -> SignedApproval {
        let mut approval = self.approval();
        change(&mut approval);
        Signed::by(approval, &key(by)).unwrap()
    }

    fn yes(&self, by: u8) -> SignedApproval {
        self.said(by, |_| {})
    }

    /// What each everyday node says, asked alone.
    async fn ask(&self, epoch: u64, approvals: Vec<SignedApproval>) -> Vec<Result<(), GateError>> {
        let mut claim = self.house.claim(&self.envelope);
        claim.policies = epochs(epoch);
        let mut answers = Vec::new();
        for party in Party::EVERYDAY {
            let mut asked = request(fresh(), &self.envelope, &claim);
            asked.approvals.clone_from(&approvals);
            answers.push(self.house.ask(party, asked).await);
        }
        answers
    }

    async fn is_admitted(&self, approvals: Vec<SignedApproval>) -> bool {
        self.ask(2, approvals).await.into_iter().all(|answer| answer.is_ok())
    }

    fn rows(&self) -> [u64; 2] {
        Party::EVERYDAY.map(|party| self.house.signer(party).head().rows)
    }
}

/// Name and hash of an intent that differs from this one in its id alone.
fn twin(asked: &Asked) -> (IntentId, ContentHash) {
    let mut intent = asked.envelope.document.clone();
    intent.id.0[31] ^= 1;
    let envelope = asked.house.sign_intent(intent);
    (envelope.document.id, asked.house.open(&envelope).content_hash())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_courier_makes_of_approvals_is_no_approval() {
    let asked = Asked::of(1).await;
    let other = twin(&asked);
    let agent = asked.house.signer(Party::Agent);
    let by_agent = Signed::by(asked.approval(), agent.identity().expose_signing()).unwrap();
    let of_other = |a: &mut Approval| (a.intent, a.content_hash) = other;
    let renamed = {
        // A yes to something else, its fields rewritten on the way.
        let mut said = asked.said(ALICE, of_other);
        said.document = asked.approval();
        said
    };
    let claimed = {
        let mut said = asked.yes(MALLORY);
        said.signatures[0].key = Ed25519PublicKey::of(&key(ALICE));
        said
    };
    let twice = {
        let mut said = asked.yes(ALICE);
        said.add_signature(&key(MALLORY)).unwrap();
        said
    };
    let nobodys = SignedApproval { document: asked.approval(), signatures: Vec::new() };
    let flood = {
        let mut said = vec![asked.yes(MALLORY); APPROVALS_MAX];
        said.push(asked.yes(ALICE));
        said
    };
    let organisation = PolicyEpochs { organisation: Some(1), ..epochs(2) };
    let cases = [
        ("dropped", vec![]),
        ("a stranger's", vec![asked.yes(MALLORY)]),
        ("the agent's own", vec![by_agent]),
        ("for another intent", vec![asked.said(ALICE, of_other)]),
        ("for another intent, with this one's name", {
            vec![asked.said(ALICE, |a| a.content_hash = other.1)]
        }),
        ("rewritten on the way", vec![renamed]),
        ("a stranger's under her name", vec![claimed]),
        ("with a second signature", vec![twice]),
        ("with none", vec![nobodys]),
        ("of the epoch before", vec![asked.said(ALICE, |a| a.policies = epochs(1))]),
        ("of an epoch to come", vec![asked.said(ALICE, |a| a.policies = epochs(3))]),
        ("of other policies", vec![asked.said(ALICE, |a| a.policies = organisation)]),
        ("too old", vec![asked.said(ALICE, |a| a.at = NOW.minus(1_800))]),
        ("of tomorrow", vec![asked.said(ALICE, |a| a.at = NOW.plus(86_400))]),
        ("behind more than are looked at", flood),
    ];
    let rows = asked.rows();
    for (what, approvals) in cases {
        for answer in asked.ask(2, approvals).await {
            let refused = refusal(answer);
            let Refusal::ApprovalMissing(decision) = &refused else { panic!("{what}: {refused}") };
            let found: Vec<_> = decision.violations().collect();
            assert_eq!(found.len(), 1, "{what}");
            assert_eq!(
                (found[0].kind.as_str(), found[0].limit.as_str()),
                ("max_amount", "0.01 USDC")
            );
            assert!(found[0].approved_by.is_empty(), "{what}: {found:?}");
        }
    }
    assert_eq!(asked.rows(), rows, "nothing was recorded");
    assert!(asked.is_admitted(vec![asked.yes(ALICE)]).await, "the test above can fail");
    assert_eq!(asked.rows(), rows.map(|rows| rows + 1));
}

/// A courier that keeps a yes of the old policy for the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_approved_under_one_policy_is_asked_again_under_the_next() {
    let asked = Asked::of(1).await;
    asked.house.put_policy_text(asking(3, 1, None)).await;
    let yes = asked.yes(ALICE);
    for answer in asked.ask(2, vec![yes.clone()]).await {
        assert!(matches!(refusal(answer), Refusal::ClaimMismatch { .. }));
    }
    for answer in asked.ask(3, vec![yes]).await {
        assert!(matches!(refusal(answer), Refusal::ApprovalMissing(_)));
    }
    let anew = asked.said(ALICE, |a| a.policies = epochs(3));
    assert!(asked.ask(3, vec![anew]).await.iter().all(Result::is_ok));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_are_two_people_and_one_no_outweighs_them() {
    let asked = Asked::of(2).await;
    let (alice, later) = (asked.yes(ALICE), asked.said(ALICE, |a| a.at = UnixSeconds(NOW.0 - 5)));
    for answer in asked.ask(2, vec![alice.clone(), alice.clone(), later]).await {
        let Refusal::ApprovalMissing(decision) = refusal(answer) else { panic!() };
        assert_eq!(decision.violations().next().unwrap().approved_by, ["alice"]);
    }
    let no = asked.said(BOB, |a| a.approves = false);
    let yes = asked.yes(BOB);
    for answer in asked.ask(2, vec![alice.clone(), yes.clone(), no]).await {
        assert!(matches!(refusal(answer), Refusal::Policy(_)));
    }
    assert!(asked.is_admitted(vec![alice, yes]).await);
}

/// An authority may name the agent's own key among the people; it approves nothing for itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_approves_for_itself_even_where_a_policy_names_it() {
    let house = House::new().await;
    let wallet = house.wallet().await;
    let agent = house.signer(Party::Agent);
    let own = agent.identity().public().signing;
    house.put_policy_text(asking(2, 1, Some(own))).await;
    let asked = Asked::at(house, wallet);
    let by_agent = Signed::by(asked.approval(), agent.identity().expose_signing()).unwrap();
    for answer in asked.ask(2, vec![by_agent.clone()]).await {
        assert!(matches!(refusal(answer), Refusal::ApprovalMissing(_)));
    }
    assert!(asked.is_admitted(vec![by_agent, asked.yes(ALICE)]).await);
}

/// A node's own rules may ask people too, and it asks the people those rules name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nodes_own_rules_ask_people_too() {
    let house = House::with_operator_rules(Some(&asking(1, 1, None))).await;
    let wallet = house.wallet().await;
    let asked = Asked::at(house, wallet);
    let operator = |answers: Vec<Result<(), GateError>>| answers.into_iter().nth(1).unwrap();
    let missing = refusal(operator(asked.ask(1, vec![]).await));
    assert!(matches!(missing, Refusal::ApprovalMissing(_)), "{missing}");
    let yes = asked.said(ALICE, |a| a.policies = epochs(1));
    assert!(operator(asked.ask(1, vec![yes]).await).is_ok());
}
