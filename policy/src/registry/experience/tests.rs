use proptest::prelude::*;

use super::*;
use crate::fixture::PAYEE;

fn outcomes(settled: u64, refused: u64, undelivered: u64, disputed: u64) -> Outcomes {
    Outcomes { settled, refused, undelivered, disputed }
}

#[test]
fn the_formula() {
    for (base, of, score) in [
        (80, outcomes(0, 0, 0, 0), 80),
        (80, outcomes(1_000, 0, 0, 0), 80),
        (80, outcomes(0, 1, 0, 0), 72),  // 80 * 10 / 11
        (80, outcomes(0, 0, 1, 0), 57),  // 80 * 10 / 14
        (80, outcomes(0, 0, 0, 1), 40),  // 80 * 10 / 20
        (80, outcomes(90, 0, 0, 1), 72), // 80 * 100 / 110
        (100, outcomes(0, 1, 1, 1), 40), // 100 * 10 / 25
        (0, outcomes(1_000, 0, 0, 0), 0),
    ] {
        assert_eq!(of.score(base), score, "{base} {of:?}");
    }
}

#[test]
fn services_and_addresses_of_one_counterparty_count_together() {
    let yaml = format!(
        "registry: r\nepoch: 1\nunknown_trust: 20\ncounterparties:\n  - name: a\n    \
         services: [a.example]\n    recipients: ['{PAYEE}']\n    trust: 80\n"
    );
    let registry = Registry::parse(&yaml).unwrap();
    let mut experience = Experience::default();
    let service = Payee::Service(Service::of("https://a.example").unwrap());
    for payee in [service.clone(), Payee::Recipient(PAYEE)] {
        let place = experience.place(payee).unwrap();
        experience.settle(place);
    }
    let trust = registry.trust_in(&service, &experience);
    assert_eq!((trust.base, trust.score, trust.outcomes.settled), (80, 80, 2));
    let stranger = Payee::Service(Service::of("https://b.example").unwrap());
    assert_eq!(registry.trust_in(&stranger, &experience).score, 20);
}

proptest! {
    #[test]
    fn outcomes_lower_and_settlements_heal_up_to_the_base(
        base in 0u8..=100, settled: u64, refused: u64, undelivered: u64, disputed: u64,
    ) {
        let now = outcomes(settled, refused, undelivered, disputed);
        let score = now.score(base);
        prop_assert!(score <= base);
        let healed = Outcomes { settled: settled.saturating_add(1), ..now };
        prop_assert!(healed.score(base) >= score);
        for worse in [
            Outcomes { refused: refused.saturating_add(1), ..now },
            Outcomes { undelivered: undelivered.saturating_add(1), ..now },
            Outcomes { disputed: disputed.saturating_add(1), ..now },
        ] {
            prop_assert!(worse.score(base) <= score);
        }
    }
}
