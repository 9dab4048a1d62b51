use std::time::Instant;

use tercet_policy::party::NodeId;
use tokio_util::sync::CancellationToken;

use super::mesh::Kind;
use super::*;
use crate::identity::NodeIdentity;

const CONTEXT: ContentHash = ContentHash([1; 32]);

struct Pair {
    agent: NodeIdentity,
    operator: NodeIdentity,
}

impl Pair {
    fn new() -> Self {
        let node = |name| NodeIdentity::generate(NodeId::new(name).unwrap()).unwrap();
        Self { agent: node("agent"), operator: node("operator") }
    }

    async fn open(
        &self,
        me: Party,
        context: ContentHash,
        wire: SessionWire,
    ) -> Result<Mesh, SessionError> {
        let (mine, other, peer) = match me {
            Party::Agent => (&self.agent, &self.operator, Party::Operator),
            _ => (&self.operator, &self.agent, Party::Agent),
        };
        let terms = MeshTerms {
            identity: mine,
            me,
            peers: &[(peer, other.public().channel)],
            session: [7; 16],
            context,
            patience: ms(200),
            cancel: CancellationToken::new(),
        };
        Mesh::open(&terms, wire).await
    }

    async fn meet(&self) -> (Mesh, Mesh) {
        let (one, other) = wires();
        let (agent, operator) = tokio::join!(
            self.open(Party::Agent, CONTEXT, one),
            self.open(Party::Operator, CONTEXT, other)
        );
        (agent.unwrap(), operator.unwrap())
    }
}

/// Two ends, with a courier that changes the addressee into the sender.
fn wires() -> (SessionWire, SessionWire) {
    let (to_agent, agent_in) = mpsc::channel(WIRE_FRAMES_MAX);
    let (to_operator, operator_in) = mpsc::channel(WIRE_FRAMES_MAX);
    let carried = |from: Party, to: mpsc::Sender<(Party, Vec<u8>)>| {
        let (outgoing, mut sent) = mpsc::channel::<(Party, Vec<u8>)>(WIRE_FRAMES_MAX);
        tokio::spawn(async move {
            while let Some((_, bytes)) = sent.recv().await {
                drop(to.send((from, bytes)).await);
            }
        });
        outgoing
    };
    let agent = SessionWire { outgoing: carried(Party::Agent, to_operator), incoming: agent_in };
    let operator =
        SessionWire { outgoing: carried(Party::Operator, to_agent), incoming: operator_in };
    (agent, operator)
}

#[tokio::test]
async fn a_peer_that_never_comes_is_waited_for_until_the_deadline() {
    let (wire, _kept) = wires();
    let begun = Instant::now();
    let ended = Pair::new().open(Party::Agent, CONTEXT, wire).await.map(drop).unwrap_err();
    let SessionError::Deadline { stage: Stage::Greeting, silent } = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(silent, [Party::Operator]);
    assert!(begun.elapsed() >= ms(200));
}

#[tokio::test]
async fn parties_with_different_subjects_do_not_meet() {
    let (one, other) = wires();
    let pair = Pair::new();
    let (agent, operator) = tokio::join!(
        pair.open(Party::Agent, CONTEXT, one),
        pair.open(Party::Operator, ContentHash([2; 32]), other)
    );
    let noticed = operator.map(drop).unwrap_err();
    assert!(matches!(noticed, SessionError::Channel { peer: Party::Agent, .. }), "{noticed:?}");
    let told = agent.map(drop).unwrap_err();
    assert!(matches!(told, SessionError::CalledOff { by: Some(Party::Operator) }), "{told:?}");
}

#[tokio::test]
async fn an_abort_is_heard_in_the_middle_of_a_wait() {
    let (mut agent, mut operator) = Pair::new().meet().await;
    agent.abort(AbortReason::RolledBack).await;
    let wait = (Stage::Closing, ms(60_000));
    let ended = operator.hear_each((Kind::Closing, 0), &[Party::Agent], wait).await;
    let told = ended.map(drop).unwrap_err();
    let reason = SessionError::PeerAborted { by: Party::Agent, reason: AbortReason::RolledBack };
    assert_eq!(told.to_string(), reason.to_string());
}

#[tokio::test]
async fn messages_ahead_of_time_wait_for_their_turn_up_to_a_limit() {
    let (mut agent, mut operator) = Pair::new().meet().await;
    agent.tell(Party::Operator, (Kind::Nonce, 3), b"later".to_vec()).await.unwrap();
    agent.tell(Party::Operator, (Kind::Nonce, 2), b"now".to_vec()).await.unwrap();
    let wait = (Stage::Opening, ms(5_000));
    for (run, expected) in [(2, b"now".as_slice()), (3, b"later")] {
        let heard = operator.hear_each((Kind::Nonce, run), &[Party::Agent], wait).await.unwrap();
        assert_eq!(heard[0].1.as_slice(), expected);
    }
    for _ in 0..=EARLY_MESSAGES_MAX {
        agent.tell(Party::Operator, (Kind::Nonce, 9), vec![]).await.unwrap();
    }
    let ended = operator.hear_each((Kind::Nonce, 4), &[Party::Agent], wait).await;
    let flooded = ended.map(drop).unwrap_err();
    assert!(matches!(flooded, SessionError::OutOfPlace { peer: Party::Agent }), "{flooded:?}");
}

#[tokio::test]
async fn a_second_answer_of_one_peer_is_out_of_place() {
    let (mut agent, mut operator) = Pair::new().meet().await;
    for _ in 0..2 {
        agent.tell(Party::Operator, (Kind::Closing, 0), vec![]).await.unwrap();
    }
    let both = [Party::Agent, Party::Recovery];
    let wait = (Stage::Closing, ms(5_000));
    let ended = operator.hear_each((Kind::Closing, 0), &both, wait).await;
    let refused = ended.map(drop).unwrap_err();
    assert!(matches!(refused, SessionError::OutOfPlace { peer: Party::Agent }), "{refused:?}");
}

#[tokio::test]
async fn different_hashes_are_told_apart() {
    let (mut agent, mut operator) = Pair::new().meet().await;
    let (one, other) = tokio::join!(
        agent.compare(0, ContentHash([1; 32]), "the subject"),
        operator.compare(0, ContentHash([2; 32]), "the subject")
    );
    for (result, party) in [(one, Party::Operator), (other, Party::Agent)] {
        let differs = result.unwrap_err();
        let right = matches!(differs, SessionError::Differs { peer, .. } if peer == party);
        assert!(right, "{differs:?}");
    }
}

#[tokio::test]
async fn the_end_of_the_wire_ends_a_wait() {
    let (mut agent, operator) = Pair::new().meet().await;
    drop(operator);
    let wait = (Stage::Closing, ms(60_000));
    let ended = agent.hear_each((Kind::Closing, 0), &[Party::Operator], wait).await;
    let ended = ended.map(drop).unwrap_err();
    assert!(matches!(ended, SessionError::WireEnded { stage: Stage::Closing }), "{ended:?}");
}
