use super::*;
use crate::ledger::Measure;

#[test]
fn what_nobody_watches_any_more_takes_no_memory() {
    let (names, entries) = (Names::default(), Entries::default());
    let agent = Subject::Agent(AgentId::new("research-01").unwrap());
    let line = Line { measure: Measure::Count, axis: None };
    let mut index = Index::default();
    for subject in [Subject::Organisation, agent, Subject::Wallet(Address::ZERO)] {
        index.watch(&subject, vec![line, line], (&names, &entries));
        assert_eq!(index.of(&subject).len(), 1, "{subject}");
        index.watch(&subject, Vec::new(), (&names, &entries));
    }
    let Index { organisation, agents, wallets } = index;
    assert!(organisation.is_empty() && agents.is_empty() && wallets.is_empty());
}
