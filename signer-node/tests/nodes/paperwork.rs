//! Policies, approvals and stops over the wire: what a courier brings, and what the operator's node
//! makes of it.

use alloy_primitives::Address;
use ed25519_dalek::SigningKey;
use tercet_api::relay::{FromNode, ToNode};
use tercet_policy::approval::{Approval, SignedApproval};
use tercet_policy::document::{Ed25519PublicKey, Freeze, Signed};
use tercet_policy::intent::PaymentIntent;
use tercet_policy::party::Party;
use tercet_policy::refusal::Refusal;
use tercet_policy::rows::PolicyEpochs;
use tercet_policy::rules::PolicyDocument;
use tercet_signer_node::NodeHandle;

use crate::support::courier::{next, now, session};
use crate::support::group::{Group, agent};
use crate::support::payments::{claim, intent, make_wallet};

/// The operator's node, a wallet, and a courier.
struct Desk {
    group: Group,
    nodes: [NodeHandle; 3],
    wallet: Address,
    sessions: u8,
    /// Of the policy that the courier says holds.
    epoch: u64,
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn policy(epoch: u64, rules: &str, by: &SigningKey) -> ToNode {
    let yaml = format!(
        "policy: test\nepoch: {epoch}\napplies_to: {{ agent: research-01 }}\nrules:\n  \
         - allow: {{ services: [api.example] }}\n{rules}"
    );
    ToNode::Policy { document: Signed::by(PolicyDocument { yaml }, by).unwrap() }
}

impl Desk {
    async fn new() -> Self {
        let mut group = Group::new().await;
        let nodes = group.start_all().await;
        let wallet = make_wallet(&mut group, &nodes[0]).await;
        Self { group, nodes, wallet, sessions: 10, epoch: 1 }
    }

    /// Brings a document of this kind to the operator's node; yields why it was refused.
    async fn bring(&mut self, kind: &str, document: &ToNode) -> Option<String> {
        self.group.courier.send(Party::Operator, document).await;
        next(&mut self.group.heard, |party, frame| match frame {
            FromNode::Document { kind: of, refused, .. } => {
                (party == Party::Operator && of == kind).then_some(refused)
            }
            _ => None,
        })
        .await
    }

    /// Puts a policy of the authority into force.
    async fn put(&mut self, epoch: u64, rules: &str) {
        let authority = self.group.authority.clone();
        while self.bring("policy", &policy(epoch, rules, &authority)).await.is_some() {}
        self.epoch = epoch;
    }

    /// Asks the operator's node to sign; what it said first, admitted or why not.
    async fn ask(
        &mut self,
        paid: &PaymentIntent,
        said: Vec<SignedApproval>,
    ) -> Result<(), Refusal> {
        self.sessions += 1;
        let number = session(self.sessions);
        let envelope = self.nodes[0].identity().sign_intent(paid.clone()).unwrap();
        let mut claim = claim(paid);
        claim.policies = PolicyEpochs { agent: Some(self.epoch), ..PolicyEpochs::default() };
        let sign = ToNode::Sign { session: number, envelope, claim, approvals: said };
        self.group.courier.send(Party::Operator, &sign).await;
        let answer = next(&mut self.group.heard, |_, frame| match frame {
            FromNode::Admitted { session } if session == number => Some(Ok(())),
            FromNode::Refused { session, refusal } if session == number => Some(Err(refusal)),
            FromNode::Failed { session, detail, .. } if session == number => panic!("{detail}"),
            _ => None,
        })
        .await;
        if answer.is_ok() {
            let abort = ToNode::Abort { session: number, reason: "test".to_owned() };
            self.group.courier.send(Party::Operator, &abort).await;
            let failed = |_, frame| matches!(frame, FromNode::Failed { .. }).then_some(());
            next(&mut self.group.heard, failed).await;
        }
        answer
    }

    fn intent(&self, units: u128, id: u8) -> PaymentIntent {
        intent(self.wallet, units, id)
    }

    fn yes(&self, paid: &PaymentIntent, by: &SigningKey) -> SignedApproval {
        let signed = self.nodes[0].identity().sign_intent(paid.clone()).unwrap();
        let agent_key = signed.signatures[0].key;
        let approval = Approval {
            intent: signed.document.id,
            content_hash: signed.open_by(&agent_key).unwrap().content_hash(),
            policies: PolicyEpochs { agent: Some(self.epoch), ..PolicyEpochs::default() },
            approves: true,
            at: now(),
        };
        Signed::by(approval, by).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_courier_that_keeps_makes_up_or_replays_approvals_gets_nothing_admitted() {
    let mut desk = Desk::new().await;
    let alice = Ed25519PublicKey::of(&key(21));
    let rules = format!(
        "  - {{ max_amount: 0.01 USDC, then: ask }}\npeople: {{ alice: {{ key: '{alice}' }} }}\n\
         approvals: {{ any: 1, of: [alice] }}\n"
    );
    desk.put(2, &rules).await;
    let rows = desk.nodes[1].readiness().journal_rows;
    let (paid, other) = (desk.intent(20_000, 7), desk.intent(20_000, 8));
    let of_other = desk.yes(&other, &key(21));
    let mut replayed = of_other.clone();
    replayed.document = desk.yes(&paid, &key(21)).document;
    for said in [vec![], vec![desk.yes(&paid, &key(22))], vec![of_other], vec![replayed]] {
        let refused = desk.ask(&paid, said).await;
        assert!(matches!(refused, Err(Refusal::ApprovalMissing(_))), "{refused:?}");
    }
    assert_eq!(desk.nodes[1].readiness().journal_rows, rows);
    let said = vec![desk.yes(&paid, &key(21))];
    assert_eq!(desk.ask(&paid, said).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_a_rule_stopped_is_stopped_after_a_restart_until_it_is_thawed() {
    let mut desk = Desk::new().await;
    desk.put(2, "  - max_amount: 0.50 USDC\n  - freeze: { refusals: 2, per: hour }\n").await;
    for id in [1, 2, 3] {
        let large = desk.intent(600_000, id);
        let refused = desk.ask(&large, vec![]).await;
        assert!(matches!(refused, Err(Refusal::Policy(_))), "{refused:?}");
    }
    let [agent_node, operator, recovery] = desk.nodes;
    operator.stop().await;
    let operator = desk.group.start(Party::Operator).await.unwrap();
    operator.wait_connected(std::time::Duration::from_secs(10)).await.unwrap();
    let nodes = [agent_node, operator, recovery];
    let mut desk = Desk { nodes, ..desk };
    let small = desk.intent(1_000, 4);
    let refused = desk.ask(&small, vec![]).await;
    assert!(matches!(refused, Err(Refusal::AgentFrozen { .. })), "{refused:?}");
    let freeze = |epoch, frozen, by: &SigningKey| {
        let reason = "an operator has looked".to_owned();
        let document = Freeze { agent: agent(), epoch, frozen, reason, at: now() };
        ToNode::Freeze { document: Signed::by(document, by).unwrap() }
    };
    let authority = desk.group.authority.clone();
    assert!(desk.bring("freeze", &freeze(1, false, &key(22))).await.is_some());
    assert_eq!(desk.bring("freeze", &freeze(1, true, &authority)).await, None);
    let same_epoch = desk.bring("freeze", &freeze(1, false, &authority)).await;
    assert!(same_epoch.is_some_and(|why| why.contains("epoch 1 is pinned")));
    let refused = desk.ask(&small, vec![]).await;
    assert!(matches!(refused, Err(Refusal::AgentFrozen { .. })), "{refused:?}");
    assert_eq!(desk.bring("freeze", &freeze(2, false, &authority)).await, None);
    assert_eq!(desk.ask(&small, vec![]).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_is_not_taken_is_answered_with_the_reason_and_changes_nothing() {
    let mut desk = Desk::new().await;
    desk.put(3, "  - max_amount: 0.50 USDC\n").await;
    let authority = desk.group.authority.clone();
    let wide = "  - max_amount: 5 USDC\n";
    let elsewhere = |document: ToNode, to: &str| {
        let ToNode::Policy { document } = document else { panic!() };
        let yaml = document.document.yaml.replace("{ agent: research-01 }", to);
        ToNode::Policy { document: Signed::by(PolicyDocument { yaml }, &authority).unwrap() }
    };
    let other_wallet = format!("{{ wallet: \"{}\", agent: research-01 }}", Address::ZERO);
    let cases = [
        (policy(2, wide, &authority), "epoch 2; epoch 3 is pinned"),
        (policy(3, wide, &authority), "epoch 3; epoch 3 is pinned"),
        (policy(4, wide, &key(22)), "0 of the 1"),
        (elsewhere(policy(4, wide, &authority), &other_wallet), "not one of this node's"),
    ];
    for (document, why) in cases {
        let refused = desk.bring("policy", &document).await.unwrap();
        assert!(refused.contains(why), "{refused}");
    }
    let (large, small) = (desk.intent(600_000, 1), desk.intent(400_000, 2));
    assert!(matches!(desk.ask(&large, vec![]).await, Err(Refusal::Policy(_))));
    assert_eq!(desk.ask(&small, vec![]).await, Ok(()));
}
