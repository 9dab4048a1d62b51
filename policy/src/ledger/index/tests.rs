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

#[test]
fn what_is_watched_is_what_was_asked_for_last() {
    let (names, entries) = (Names::default(), Entries::default());
    let line = |measure| Line { measure, axis: None };
    let [units, fees, count] = [Measure::Amount("USDC"), Measure::FeeWei, Measure::Count].map(line);
    let mut index = Index::default();
    for lines in [vec![count], vec![count, fees], vec![units, count, fees], vec![units, fees]] {
        index.watch(&Subject::Organisation, lines.clone(), (&names, &entries));
        let watched: Vec<_> = index.of(&Subject::Organisation).iter().map(|w| w.line).collect();
        assert_eq!(watched.len(), lines.len(), "{watched:?}");
        assert!(lines.iter().all(|line| watched.contains(line)), "{watched:?}");
    }
}
