use std::cell::LazyCell;

use proptest::prelude::*;
use tercet_policy::document::ContentHash;
use tercet_policy::party::NodeId;

use super::*;
use crate::identity::NodeIdentity;

fn node(name: &str) -> NodeIdentity {
    NodeIdentity::generate(NodeId::new(name).unwrap()).unwrap()
}

fn pairing() -> Pairing {
    Pairing {
        session: [7; SESSION_ID_BYTES],
        initiator: Party::Agent,
        responder: Party::Operator,
        context: ContentHash([9; 32]),
    }
}

fn pair() -> (Channel, Channel) {
    let (agent, operator) = (node("agent"), node("operator"));
    let (waiting, hello) = Initiator::start(&agent, &operator.public().channel, pairing()).unwrap();
    let (there, reply) =
        Responder::accept(&operator, &agent.public().channel, pairing(), &hello).unwrap();
    (waiting.finish(&reply).unwrap(), there)
}

fn one_frame(channel: &mut Channel, message: &[u8]) -> Vec<u8> {
    let mut frames = channel.seal(1, message.to_vec()).unwrap();
    assert_eq!(frames.len(), 1);
    frames.remove(0)
}

#[test]
fn messages_pass_both_ways() {
    let (mut here, mut there) = pair();
    for round in 0..5 {
        let frame = here.seal(round, b"ping".to_vec()).unwrap().remove(0);
        let got = there.open(&frame).unwrap().unwrap();
        assert_eq!((got.round, got.bytes.as_slice()), (round, &b"ping"[..]));
        let frame = one_frame(&mut there, b"pong");
        assert_eq!(here.open(&frame).unwrap().unwrap().bytes.as_slice(), b"pong");
    }
    assert_eq!((here.peer(), there.peer()), (Party::Operator, Party::Agent));
}

#[test]
fn sizes_around_the_edges_arrive_whole() {
    let (mut here, mut there) = pair();
    let edges = [
        (0, 1),
        (1, 1),
        (CHUNK_BYTES - 1, 1),
        (CHUNK_BYTES, 1),
        (CHUNK_BYTES + 1, 2),
        (2 * CHUNK_BYTES, 2),
        (MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX.div_ceil(CHUNK_BYTES)),
    ];
    for (bytes, frame_count) in edges {
        let message: Vec<u8> = (0..bytes).map(|n| n as u8).collect();
        let frames = here.seal(3, message.clone()).unwrap();
        assert_eq!(frames.len(), frame_count, "{bytes} bytes");
        assert!(frames.iter().all(|frame| frame.len() <= FRAME_BYTES_MAX));
        let opened: Vec<_> = frames.iter().map(|frame| there.open(frame).unwrap()).collect();
        let (last, earlier) = opened.split_last().unwrap();
        assert!(earlier.iter().all(Option::is_none));
        assert!(*last.as_ref().unwrap().bytes == message, "{bytes} bytes");
    }
}

#[test]
fn a_handshake_needs_the_same_pairing_and_the_pinned_keys_at_both_ends() {
    let (agent, operator, stranger) = (node("agent"), node("operator"), node("stranger"));
    let other = |change: fn(&mut Pairing)| {
        let mut other = pairing();
        change(&mut other);
        other
    };
    let pairings = [
        ("session", other(|p| p.session[15] ^= 1)),
        ("context", other(|p| p.context.0[0] ^= 1)),
        ("initiator", other(|p| p.initiator = Party::Recovery)),
        ("responder", other(|p| p.responder = Party::Recovery)),
        ("swapped", other(|p| std::mem::swap(&mut p.initiator, &mut p.responder))),
    ];
    let (_, hello) = Initiator::start(&agent, &operator.public().channel, pairing()).unwrap();
    for (what, other) in pairings {
        let refused = Responder::accept(&operator, &agent.public().channel, other, &hello);
        assert_eq!(refused.unwrap_err(), ChannelError::Handshake, "{what}");
    }
    let accept = |me: &NodeIdentity, peer: &NodeIdentity, hello: &[u8]| {
        Responder::accept(me, &peer.public().channel, pairing(), hello).map(drop)
    };
    assert_eq!(accept(&operator, &agent, &hello), Ok(()));
    assert_eq!(accept(&operator, &stranger, &hello), Err(ChannelError::Handshake));
    assert_eq!(accept(&stranger, &agent, &hello), Err(ChannelError::Handshake));
    let (_, forged) = Initiator::start(&stranger, &operator.public().channel, pairing()).unwrap();
    assert_eq!(accept(&operator, &agent, &forged), Err(ChannelError::Handshake));
}

#[test]
fn a_reply_that_is_altered_foreign_or_old_makes_no_channel() {
    let (agent, operator) = (node("agent"), node("operator"));
    let start = || Initiator::start(&agent, &operator.public().channel, pairing()).unwrap();
    let reply_to = |hello: &[u8]| {
        Responder::accept(&operator, &agent.public().channel, pairing(), hello).unwrap().1
    };
    let (_, first_hello) = start();
    let old_reply = reply_to(&first_hello);
    let refused = |reply: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let (waiting, hello) = start();
        let reply = reply(reply_to(&hello));
        waiting.finish(&reply).map(drop)
    };
    assert_eq!(refused(&|reply| reply), Ok(()));
    assert_eq!(refused(&|_| old_reply.clone()), Err(ChannelError::Handshake));
    assert_eq!(refused(&|_| first_hello.clone()), Err(ChannelError::Handshake));
    assert_eq!(refused(&|_| Vec::new()), Err(ChannelError::Handshake));
    let longer = |mut reply: Vec<u8>| {
        reply.push(0);
        reply
    };
    assert_eq!(refused(&longer), Err(ChannelError::Handshake));
    for place in 0..old_reply.len() {
        let altered = |mut reply: Vec<u8>| {
            // The top bit of an X25519 key is ignored by the curve, but not by the hash.
            reply[place] ^= 0x80;
            reply
        };
        assert_eq!(refused(&altered), Err(ChannelError::Handshake), "{place}");
    }
}

#[test]
fn a_party_has_no_channel_with_itself() {
    let agent = node("agent");
    let alone = Pairing { responder: Party::Agent, ..pairing() };
    let refused = Initiator::start(&agent, &agent.public().channel, alone).unwrap_err();
    assert_eq!(refused, ChannelError::SameParty { party: Party::Agent });
}

/// Given both ends and three frames, which frame is delivered; the last must be refused.
type Abuse = fn(&mut Channel, &mut Channel, Vec<Vec<u8>>) -> Vec<Vec<u8>>;

#[test]
fn every_abuse_by_the_courier_closes_the_channel() {
    let abuses: [(&str, Abuse); 10] = [
        ("replayed", |_, _, f| vec![f[0].clone(), f[0].clone()]),
        ("reordered", |_, _, f| vec![f[1].clone()]),
        ("dropped", |_, _, f| vec![f[0].clone(), f[2].clone()]),
        ("cut by one", |_, _, f| vec![f[0][..f[0].len() - 1].to_vec()]),
        ("cut to the tag", |_, _, f| vec![f[0][..TAG_BYTES].to_vec()]),
        ("emptied", |_, _, _| vec![Vec::new()]),
        ("lengthened", |_, _, f| vec![[&f[0][..], &[0]].concat()]),
        ("reflected", |_, there, _| vec![one_frame(there, b"from the receiver itself")]),
        ("of another channel", |_, _, _| vec![one_frame(&mut pair().0, b"elsewhere")]),
        ("altered", |_, _, mut f| {
            f[0][5] ^= 1;
            vec![f.remove(0)]
        }),
    ];
    for (what, abuse) in abuses {
        let (mut here, mut there) = pair();
        let frames: Vec<_> =
            [b"one", b"two", b"six"].iter().map(|m| one_frame(&mut here, *m)).collect();
        let mut delivered = abuse(&mut here, &mut there, frames);
        let last = delivered.pop().unwrap();
        for frame in delivered {
            assert!(there.open(&frame).is_ok(), "{what}");
        }
        assert_eq!(there.open(&last), Err(ChannelError::NotAuthentic), "{what}");
        assert!(there.is_closed());
        let good = one_frame(&mut here, b"good");
        assert_eq!(there.open(&good), Err(ChannelError::Closed), "{what}");
        assert_eq!(there.seal(1, b"x".to_vec()), Err(ChannelError::Closed), "{what}");
    }
}

#[test]
fn an_oversized_frame_is_refused_unread() {
    let (_, mut there) = pair();
    let bytes = FRAME_BYTES_MAX + 1;
    assert_eq!(there.open(&vec![0; bytes]), Err(ChannelError::FrameTooLarge { bytes }));
    assert!(there.is_closed());
}

/// A peer with the right keys that seals what an honest one never would.
fn dishonest(change: impl FnOnce(&mut Frame<'_>)) -> Result<Option<Message>, ChannelError> {
    let (mut here, mut there) = pair();
    let mut frame = Frame {
        session: pairing().session,
        from: 0,
        to: 1,
        round: 1,
        message: 0,
        chunk: 0,
        message_bytes: 3,
        bytes: b"abc",
    };
    change(&mut frame);
    let sealed = here.live.as_mut().unwrap().encrypt(&frame.encode()).unwrap();
    let opened = there.open(&sealed);
    assert_eq!(there.is_closed(), opened.is_err());
    opened
}

#[test]
fn a_dishonest_peer_is_refused_by_what_it_did() {
    assert_eq!(dishonest(|_| {}).unwrap().unwrap().bytes.as_slice(), b"abc");
    let parties = |from, to| ChannelError::OtherParties { from, to };
    let order = |message, chunk| ChannelError::OutOfOrder { message, chunk };
    let refused = |change: fn(&mut Frame<'_>)| dishonest(change).unwrap_err();
    assert_eq!(refused(|f| f.session[0] ^= 1), ChannelError::OtherSession);
    assert_eq!(refused(|f| f.from = 2), parties(2, 1));
    assert_eq!(refused(|f| f.to = 2), parties(0, 2));
    assert_eq!(refused(|f| (f.from, f.to) = (1, 0)), parties(1, 0));
    assert_eq!(refused(|f| f.message = 1), order(1, 0));
    assert_eq!(refused(|f| f.chunk = 1), order(0, 1));
    assert_eq!(refused(|f| f.message_bytes = 2), ChannelError::Malformed);
    assert_eq!(refused(|f| f.message_bytes = 4), ChannelError::Malformed);
    assert_eq!(refused(|f| f.bytes = b""), ChannelError::Malformed);
    let bytes = MESSAGE_BYTES_MAX + 1;
    let too_large = dishonest(|f| f.message_bytes = bytes).unwrap_err();
    assert_eq!(too_large, ChannelError::MessageTooLarge { bytes });
}

#[test]
fn a_message_may_not_change_between_its_parts() {
    let changes: [fn(&mut Frame<'_>); 4] =
        [|f| f.round = 2, |f| f.message_bytes += 1, |f| f.message = 1, |f| f.chunk = 2];
    for (case, change) in changes.into_iter().enumerate() {
        let (mut here, mut there) = pair();
        let message = vec![1; CHUNK_BYTES + 5];
        let mut part = |chunk: u16, change: &dyn Fn(&mut Frame<'_>)| {
            let start = usize::from(chunk) * CHUNK_BYTES;
            let end = message.len().min(start + CHUNK_BYTES);
            let mut frame = Frame {
                session: pairing().session,
                from: 0,
                to: 1,
                round: 1,
                message: 0,
                chunk,
                message_bytes: message.len(),
                bytes: &message[start..end],
            };
            change(&mut frame);
            there.open(&here.live.as_mut().unwrap().encrypt(&frame.encode()).unwrap())
        };
        assert_eq!(part(0, &|_| {}), Ok(None));
        assert!(part(1, &change).is_err(), "change {case}");
    }
}

#[test]
fn a_frame_shorter_than_its_header_is_malformed() {
    for bytes in 0..HEADER_BYTES {
        let (mut here, mut there) = pair();
        let sealed = here.live.as_mut().unwrap().encrypt(&vec![0; bytes]).unwrap();
        assert_eq!(there.open(&sealed), Err(ChannelError::Malformed), "{bytes}");
    }
}

#[test]
fn a_message_over_the_limit_is_not_sealed() {
    let (mut here, _) = pair();
    let bytes = MESSAGE_BYTES_MAX + 1;
    assert_eq!(here.seal(1, vec![0; bytes]), Err(ChannelError::MessageTooLarge { bytes }));
    assert!(here.is_closed());
}

#[test]
fn a_session_has_only_so_many_messages() {
    let (mut here, mut there) = pair();
    for _ in 0..MESSAGES_PER_SESSION_MAX {
        let frame = one_frame(&mut here, b"");
        assert!(there.open(&frame).unwrap().is_some());
    }
    assert_eq!(here.seal(1, Vec::new()), Err(ChannelError::TooManyMessages));
}

#[test]
fn nothing_sealed_shows_its_plaintext_or_repeats() {
    let (mut here, _) = pair();
    let one = one_frame(&mut here, &[b'a'; 64]);
    let two = one_frame(&mut here, &[b'a'; 64]);
    assert_ne!(one, two);
    for window in one.windows(8) {
        assert!(!two.windows(8).any(|other| other == window) && window != [b'a'; 8]);
    }
}

thread_local!(static AGENT: LazyCell<NodeIdentity> = const { LazyCell::new(|| node("agent")) });

proptest! {
    #[test]
    fn messages_arrive_in_order_and_whole(
        messages in prop::collection::vec(
            (any::<u16>(), prop::collection::vec(any::<u8>(), 0..300)), 1..20,
        ),
    ) {
        let (mut here, mut there) = pair();
        for (round, message) in messages {
            for frame in here.seal(round, message.clone()).unwrap() {
                let got = there.open(&frame).unwrap().unwrap();
                prop_assert_eq!((got.round, got.bytes.as_slice()), (round, &message[..]));
            }
        }
    }

    #[test]
    fn any_delivery_but_the_true_one_is_refused_from_the_first_difference(
        order in prop::collection::vec(0_usize..6, 1..12),
    ) {
        let (mut here, mut there) = pair();
        let frames: Vec<_> = (0..6).map(|n| one_frame(&mut here, &[n])).collect();
        for (expected, index) in order.into_iter().enumerate() {
            let got = there.open(&frames[index]);
            if index == expected {
                let message = got.unwrap().unwrap();
                prop_assert_eq!(message.bytes.as_slice(), &[index as u8]);
            } else {
                prop_assert_eq!(got, Err(ChannelError::NotAuthentic));
                break;
            }
        }
    }

    #[test]
    fn garbage_makes_no_channel_and_opens_nowhere(
        garbage in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let refused = AGENT.with(|agent| {
            Responder::accept(agent, &node("x").public().channel, pairing(), &garbage).is_err()
        });
        prop_assert!(refused);
        prop_assert_eq!(pair().1.open(&garbage), Err(ChannelError::NotAuthentic));
    }
}
