use super::*;
use crate::rows::Protocol;

const fn traits(recipient: Number) -> Traits {
    Traits {
        agent: 1,
        wallet: 1,
        recipient,
        service: NOBODY,
        endpoint: NOBODY,
        category: NOBODY,
        session: NOBODY,
        asset: 0,
        protocol: Protocol::Transfer,
    }
}

/// So many links of the organisation, which a payment to a recipient adds three to.
fn full(count: usize) -> Payees {
    let paid = Paid { first: UnixSeconds(0), payments: 1 };
    let link = |recipient| Link { owner: Owner::Organisation, service: NOBODY, recipient };
    let recipients = (1..=Number::MAX).take(count);
    Payees { links: recipients.map(|n| (link(n), paid)).collect(), firsts: BTreeSet::new() }
}

#[test]
fn new_payees_are_taken_until_the_last_link() {
    let new = traits(Number::MAX);
    assert!(full(PAYEE_LINKS_MAX - 1).have_room(&new));
    let mut payees = full(PAYEE_LINKS_MAX);
    assert!(!payees.have_room(&new));
    payees.add(&mut Names::default(), &new, UnixSeconds(1));
    assert!(payees.have_room(&new), "those who were paid before go on");
}

#[test]
fn a_payment_to_nobody_makes_no_link() {
    let mut payees = Payees::default();
    payees.add(&mut Names::default(), &traits(NOBODY), UnixSeconds(1));
    assert_eq!(payees, Payees::default());
}
