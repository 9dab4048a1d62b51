use proptest::prelude::*;

use super::*;

const KINDS: [Kind; 5] =
    [Kind::Transfer, Kind::Authorization, Kind::Cancellation, Kind::Deposit, Kind::Statement];
const FRESH: State = State::Signing { attempt: 1, unclear: false };
const DOUBTFUL: State = State::Signing { attempt: 1, unclear: true };
const STATES: [State; 11] = [
    State::Received,
    State::AwaitingApproval,
    FRESH,
    DOUBTFUL,
    State::Refused,
    State::Failed,
    State::Signed,
    State::Submitted,
    State::Unknown,
    State::Settled,
    State::Void,
];

const fn failed(clean: bool, again: bool) -> Event {
    Event::AttemptFailed { clean, again }
}

const EVENTS: [Event; 18] = [
    Event::Asked,
    Event::Answered,
    Event::Resumed,
    Event::Noted,
    Event::Prepared,
    Event::Declined,
    Event::Expired,
    Event::Signature,
    Event::NodeRefused,
    failed(true, true),
    failed(true, false),
    failed(false, true),
    failed(false, false),
    Event::Broadcast,
    Event::Dropped,
    Event::Overdue,
    Event::ChainSettled,
    Event::ChainVoid,
];

/// Every pair that moves; all others stay where they are. None stands for every kind that no line
/// above it names.
const MOVES: &[(Option<Kind>, State, Event, State)] = &[
    (Some(Kind::Statement), FRESH, Event::Signature, State::Settled),
    (Some(Kind::Statement), DOUBTFUL, Event::Signature, State::Settled),
    (Some(Kind::Statement), State::Unknown, Event::Signature, State::Settled),
    (Some(Kind::Statement), State::Unknown, Event::Overdue, State::Settled),
    (Some(Kind::Deposit), State::Signed, Event::Broadcast, State::Submitted),
    (Some(Kind::Deposit), State::Signed, Event::Overdue, State::Unknown),
    (Some(Kind::Deposit), State::Unknown, Event::Broadcast, State::Submitted),
    (None, State::Received, Event::Asked, State::AwaitingApproval),
    (None, State::AwaitingApproval, Event::Prepared, FRESH),
    (None, State::AwaitingApproval, Event::Declined, State::Refused),
    (None, State::AwaitingApproval, Event::Expired, State::Failed),
    (None, State::AwaitingApproval, failed(true, false), State::Failed),
    (None, State::AwaitingApproval, failed(false, false), State::Failed),
    (None, State::Received, Event::Prepared, FRESH),
    (None, State::Received, Event::Declined, State::Refused),
    (None, State::Received, Event::Expired, State::Failed),
    (None, State::Received, failed(true, false), State::Failed),
    (None, State::Received, failed(false, false), State::Failed),
    (None, FRESH, Event::Resumed, DOUBTFUL),
    (None, FRESH, Event::Expired, State::Failed),
    (None, FRESH, Event::Signature, State::Signed),
    (None, FRESH, Event::NodeRefused, State::Refused),
    (None, FRESH, failed(true, true), State::Signing { attempt: 2, unclear: false }),
    (None, FRESH, failed(true, false), State::Failed),
    (None, FRESH, failed(false, true), State::Signing { attempt: 2, unclear: true }),
    (None, FRESH, failed(false, false), State::Unknown),
    (None, FRESH, Event::ChainSettled, State::Settled),
    (None, FRESH, Event::ChainVoid, State::Void),
    (None, DOUBTFUL, Event::Expired, State::Unknown),
    (None, DOUBTFUL, Event::Signature, State::Signed),
    (None, DOUBTFUL, Event::NodeRefused, State::Unknown),
    (None, DOUBTFUL, failed(true, true), State::Signing { attempt: 2, unclear: true }),
    (None, DOUBTFUL, failed(true, false), State::Unknown),
    (None, DOUBTFUL, failed(false, true), State::Signing { attempt: 2, unclear: true }),
    (None, DOUBTFUL, failed(false, false), State::Unknown),
    (None, DOUBTFUL, Event::ChainSettled, State::Settled),
    (None, DOUBTFUL, Event::ChainVoid, State::Void),
    (Some(Kind::Transfer), State::Signed, Event::Broadcast, State::Submitted),
    (Some(Kind::Authorization), State::Signed, Event::Overdue, State::Unknown),
    (Some(Kind::Cancellation), State::Signed, Event::Overdue, State::Unknown),
    (None, State::Signed, Event::ChainSettled, State::Settled),
    (None, State::Signed, Event::ChainVoid, State::Void),
    (Some(Kind::Transfer), State::Submitted, Event::Dropped, State::Signed),
    (None, State::Submitted, Event::ChainSettled, State::Settled),
    (Some(Kind::Deposit), State::Submitted, Event::ChainVoid, State::Submitted),
    (None, State::Submitted, Event::ChainVoid, State::Void),
    (None, State::Unknown, Event::Signature, State::Signed),
    (None, State::Unknown, Event::ChainSettled, State::Settled),
    (None, State::Unknown, Event::ChainVoid, State::Void),
];

#[test]
fn every_pair_does_what_the_table_says() {
    for (kind, state, event) in triples() {
        let expected = MOVES
            .iter()
            .find(|(k, s, e, _)| k.is_none_or(|k| k == kind) && *s == state && *e == event)
            .map_or(state, |(.., to)| *to);
        assert_eq!(step(kind, state, event).0, expected, "{kind:?} {state:?} {event:?}");
    }
}

#[test]
fn only_what_is_over_needs_nothing() {
    for (kind, state, event) in triples() {
        let (next, effect) = step(kind, state, event);
        assert_eq!(effect.is_none(), next.is_terminal(), "{kind:?} {state:?} {event:?}");
        assert_eq!(step(kind, next, Event::Dropped).1.is_none(), next.is_terminal());
    }
    assert_eq!(step(Kind::Transfer, State::Signed, Event::Resumed).1, Some(Effect::Broadcast));
    assert_eq!(step(Kind::Authorization, State::Signed, Event::Resumed).1, Some(Effect::Watch));
}

fn triples() -> impl Iterator<Item = (Kind, State, Event)> {
    KINDS.into_iter().flat_map(|kind| {
        STATES
            .into_iter()
            .flat_map(move |state| EVENTS.into_iter().map(move |event| (kind, state, event)))
    })
}

fn any_event() -> impl Strategy<Value = Event> {
    proptest::sample::select(EVENTS.to_vec())
}

proptest! {
    #[test]
    fn what_is_over_stays_and_what_may_be_signed_is_never_called_refused(
        kind in proptest::sample::select(KINDS.to_vec()),
        events in proptest::collection::vec(any_event(), 0..60),
    ) {
        let (mut state, mut doubt) = (State::Received, false);
        for event in events {
            let (next, _) = step(kind, state, event);
            prop_assert!(!state.is_terminal() || next == state);
            doubt |= matches!(next, State::Signed | State::Submitted | State::Unknown)
                || matches!(next, State::Signing { unclear: true, .. });
            prop_assert!(!(doubt && matches!(next, State::Refused | State::Failed)));
            state = next;
        }
    }
}
