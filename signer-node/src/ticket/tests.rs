use super::*;

const INTENT: IntentId = IntentId([7; 32]);

fn failed(kind: FailureKind) -> PaymentEnd {
    PaymentEnd::NotPaid(NotPaid::Failed { kind, detail: "x".to_owned() })
}

fn refused() -> PaymentEnd {
    PaymentEnd::NotPaid(NotPaid::Refused(Refusal::NothingToPay))
}

#[tokio::test]
async fn a_ticket_hears_of_its_own_intent_alone() {
    let tickets = Tickets::default();
    let ticket = tickets.issue(INTENT);
    tickets.tell(IntentId([8; 32]), refused());
    let heard = ticket.finished(Duration::from_millis(20)).await;
    assert_eq!(heard.unwrap_err(), NotPaid::TimedOut);
}

#[tokio::test]
async fn a_refusal_ends_the_wait_and_a_broken_line_does_not() {
    let tickets = Tickets::default();
    let ticket = tickets.issue(INTENT);
    tickets.tell(INTENT, failed(FailureKind::Network));
    tickets.tell(INTENT, refused());
    let heard = ticket.finished(Duration::from_secs(5)).await;
    assert_eq!(heard.unwrap_err(), NotPaid::Refused(Refusal::NothingToPay));

    let ticket = tickets.issue(INTENT);
    tickets.tell(INTENT, failed(FailureKind::Network));
    let heard = ticket.finished(Duration::from_millis(20)).await;
    assert!(matches!(heard, Err(NotPaid::Failed { kind: FailureKind::Network, .. })));
}

#[tokio::test]
async fn tickets_are_bounded_and_dropped_ones_make_room() {
    let tickets = Tickets::default();
    let intent = |i: usize| {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&i.to_be_bytes());
        IntentId(id)
    };
    let held: Vec<_> = (0..TICKETS_MAX).map(|i| tickets.issue(intent(i))).collect();
    let one_more = tickets.issue(INTENT);
    let heard = one_more.finished(Duration::from_secs(5)).await;
    assert_eq!(heard.unwrap_err(), NotPaid::TooMany);
    drop(held);
    let ticket = tickets.issue(INTENT);
    tickets.tell(INTENT, refused());
    let heard = ticket.finished(Duration::from_secs(5)).await;
    assert_eq!(heard.unwrap_err(), NotPaid::Refused(Refusal::NothingToPay));
}

#[tokio::test]
async fn a_stopped_node_ends_the_wait() {
    let tickets = Tickets::default();
    let ticket = tickets.issue(INTENT);
    drop(tickets);
    let heard = ticket.finished(Duration::from_secs(5)).await;
    assert_eq!(heard.unwrap_err(), NotPaid::Stopped);
}
