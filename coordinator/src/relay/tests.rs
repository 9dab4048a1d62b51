use super::*;

fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn seats() -> Seats {
    let agent = NodeKeysOf("agent-1");
    let enrolment = tercet_policy::document::Enrolment {
        agent: tercet_policy::party::AgentId::new("agent-1").unwrap(),
        epoch: 1,
        agent_node: agent.keys(1),
        operator_node: NodeKeysOf("op-1").keys(2),
        recovery_node: NodeKeysOf("rec-1").keys(3),
    };
    Seats::of(&enrolment, &Party::EVERYDAY)
}

struct NodeKeysOf(&'static str);

impl NodeKeysOf {
    fn keys(&self, byte: u8) -> tercet_policy::document::NodeKeys {
        tercet_policy::document::NodeKeys {
            id: node(self.0),
            signing: tercet_policy::document::Ed25519PublicKey([byte; 32]),
            channel: tercet_policy::document::X25519PublicKey([byte; 32]),
        }
    }
}

fn frame(session: SessionId, to: Party) -> FromNode {
    FromNode::Frame { session, to, bytes: vec![1, 2, 3] }
}

fn what_for(session: SessionId) -> ToNode {
    let agent = tercet_policy::party::AgentId::new("agent-1").unwrap();
    ToNode::Prepare { session, agent }
}

/// A session that the operator knows of.
fn begun(relay: &Relay) -> OpenSession<'_> {
    let session = relay.open(seats()).unwrap();
    session.begin(Party::Operator, what_for(session.id)).unwrap();
    session
}

#[tokio::test]
async fn a_party_hears_what_a_session_is_for_before_its_frames() {
    let relay = Relay::default();
    let _agent = relay.connect(&node("agent-1"));
    let mut operator = relay.connect(&node("op-1"));
    let session = relay.open(seats()).unwrap();
    relay.receive(&node("agent-1"), frame(session.id, Party::Operator));
    assert!(operator.queue.try_recv().is_err(), "a frame of a session that nobody told it of");
    session.begin(Party::Operator, what_for(session.id)).unwrap();
    assert_eq!(operator.queue.try_recv().unwrap(), what_for(session.id));
    assert!(matches!(operator.queue.try_recv(), Ok(ToNode::Frame { .. })));
}

#[tokio::test]
async fn frames_pass_between_the_parties_and_nobody_else() {
    let relay = Relay::default();
    let mut agent = relay.connect(&node("agent-1"));
    let mut operator = relay.connect(&node("op-1"));
    let mut stranger = relay.connect(&node("rec-1"));
    let session = begun(&relay);
    assert_eq!(operator.queue.try_recv().unwrap(), what_for(session.id));
    relay.receive(&node("agent-1"), frame(session.id, Party::Operator));
    let expected = ToNode::Frame { session: session.id, from: Party::Agent, bytes: vec![1, 2, 3] };
    assert_eq!(operator.queue.try_recv().unwrap(), expected);
    relay.receive(&node("rec-1"), frame(session.id, Party::Operator));
    relay.receive(&node("agent-1"), frame(session.id, Party::Agent));
    relay.receive(&node("agent-1"), frame(session.id, Party::Recovery));
    relay.receive(&node("agent-1"), frame(SessionId([9; 16]), Party::Operator));
    assert!(operator.queue.try_recv().is_err());
    assert!(agent.queue.try_recv().is_err());
    assert!(stranger.queue.try_recv().is_err());
}

#[tokio::test]
async fn frames_of_one_party_end_at_the_limit() {
    let relay = Relay::default();
    let _agent = relay.connect(&node("agent-1"));
    let mut operator = relay.connect(&node("op-1"));
    let session = begun(&relay);
    assert!(operator.queue.try_recv().is_ok());
    let mut passed = 0;
    for _ in 0..=SESSION_FRAMES_MAX {
        relay.receive(&node("agent-1"), frame(session.id, Party::Operator));
        passed += u32::from(operator.queue.try_recv().is_ok());
    }
    assert_eq!(passed, SESSION_FRAMES_MAX);
}

#[tokio::test]
async fn when_one_party_ends_the_other_is_told_at_once() {
    for ending in 0..3 {
        let relay = Relay::default();
        let agent = relay.connect(&node("agent-1"));
        let mut operator = relay.connect(&node("op-1"));
        let mut session = relay.open(seats()).unwrap();
        match ending {
            0 => relay.disconnect(&node("agent-1"), agent.serial),
            1 => relay.receive(
                &node("agent-1"),
                FromNode::Failed {
                    session: session.id,
                    kind: FailureKind::NotReady,
                    detail: "no share".into(),
                },
            ),
            _ => relay.receive(
                &node("agent-1"),
                FromNode::Refused { session: session.id, refusal: Refusal::BadSignature },
            ),
        }
        assert!(matches!(operator.queue.try_recv(), Ok(ToNode::Abort { .. })), "{ending}");
        assert_eq!(session.next().await.unwrap().0, Party::Agent);
    }
}

#[tokio::test]
async fn a_newer_connection_takes_the_place_of_the_older() {
    let relay = Relay::default();
    let mut old = relay.connect(&node("agent-1"));
    let mut new = relay.connect(&node("agent-1"));
    assert!(old.queue.recv().await.is_none());
    relay.disconnect(&node("agent-1"), old.serial);
    assert!(relay.is_connected(&node("agent-1")));
    let abort = ToNode::Abort { session: SessionId([1; 16]), reason: "x".into() };
    relay.send(&node("agent-1"), abort.clone()).unwrap();
    assert_eq!(new.queue.recv().await.unwrap(), abort);
}

#[tokio::test]
async fn a_node_that_does_not_read_is_dropped() {
    let relay = Relay::default();
    let _slow = relay.connect(&node("op-1"));
    let abort = ToNode::Abort { session: SessionId([1; 16]), reason: "x".into() };
    for _ in 0..NODE_QUEUE_FRAMES_MAX {
        relay.send(&node("op-1"), abort.clone()).unwrap();
    }
    assert!(relay.send(&node("op-1"), abort).is_err());
    assert!(!relay.is_connected(&node("op-1")));
}

#[tokio::test]
async fn a_session_needs_its_nodes_and_ends_with_its_handle() {
    let relay = Relay::default();
    let mut agent = relay.connect(&node("agent-1"));
    assert!(matches!(relay.open(seats()), Err(CannotOpen::NotConnected(_))));
    let _operator = relay.connect(&node("op-1"));
    let session = relay.open(seats()).unwrap();
    drop(session);
    assert!(matches!(agent.queue.try_recv(), Ok(ToNode::Abort { .. })));
}
