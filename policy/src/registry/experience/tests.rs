use proptest::prelude::*;

use super::*;
use crate::fixture::{Anybody, NOW, PAYEE, VENDOR, key, proposal, row, x402};
use crate::registry::TRUST_MAX;
use crate::report::Report;

fn outcomes(settled: u64, refused: u64, undelivered: u64, disputed: u64) -> Outcomes {
    Outcomes { settled, refused, undelivered, disputed }
}

#[test]
fn the_formula() {
    for (base, of, score) in [
        (80, outcomes(0, 0, 0, 0), 80),
        (80, outcomes(1_000, 0, 0, 0), 80),
        (80, outcomes(0, 1, 0, 0), 72),    // 80 * 10 / 11
        (80, outcomes(0, 0, 1, 0), 57),    // 80 * 10 / 14
        (80, outcomes(0, 0, 0, 1), 40),    // 80 * 10 / 20
        (80, outcomes(0, 2, 0, 0), 66),    // 80 * 10 / 12
        (80, outcomes(0, 0, 0, 2), 26),    // 80 * 10 / 30
        (80, outcomes(90, 0, 0, 1), 72),   // 80 * 100 / 110
        (80, outcomes(10, 1, 1, 1), 45),   // 80 * 20 / 35
        (100, outcomes(0, 1, 1, 1), 40),   // 100 * 10 / 25
        (100, outcomes(0, 0, 0, 99), 1),   // 100 * 10 / 1000
        (100, outcomes(0, 0, 0, 100), 0),  // 100 * 10 / 1010
        (100, outcomes(990, 1, 0, 0), 99), // 100 * 1000 / 1001: one is never forgotten
        (1, outcomes(0, 1, 0, 0), 0),
        (1, outcomes(1_000_000, 0, 0, 0), 1),
        (0, outcomes(1_000, 0, 0, 0), 0),
        (0, outcomes(0, 1_000, 1_000, 1_000), 0),
    ] {
        assert_eq!(of.score(base), score, "{base} {of:?}");
    }
}

/// The score is the largest whole number `s` with `s * (10 + good + bad) <= base * (10 + good)`,
/// found by counting up instead of dividing.
#[test]
fn the_formula_is_a_fraction_rounded_down() {
    let small = [0u64, 1, 2, 3, 9, 10, 11, 99];
    for base in 0..=TRUST_MAX {
        for (settled, refused) in small.iter().flat_map(|s| small.map(|r| (*s, r))) {
            for (undelivered, disputed) in [(0, 0), (1, 0), (0, 1), (3, 2)] {
                let of = outcomes(settled, refused, undelivered, disputed);
                let good = 10 + settled;
                let bad = refused + 4 * undelivered + 10 * disputed;
                let fits = |score: u64| score * (good + bad) <= u64::from(base) * good;
                let score = (0..=u64::from(TRUST_MAX)).take_while(|score| fits(*score)).last();
                assert_eq!(Some(u64::from(of.score(base))), score, "{base} {of:?}");
            }
        }
    }
}

#[test]
fn no_count_overflows() {
    const ALL: u64 = u64::MAX;
    for (of, score) in [
        (outcomes(ALL, 0, 0, 0), 100),
        (outcomes(0, ALL, ALL, ALL), 0),
        (outcomes(ALL, ALL, 0, 0), 50),    // halves
        (outcomes(ALL, 0, ALL, 0), 20),    // 1 of 5
        (outcomes(ALL, 0, 0, ALL), 9),     // 1 of 11
        (outcomes(ALL, ALL, ALL, ALL), 6), // 1 of 16
    ] {
        assert_eq!(of.score(TRUST_MAX), score, "{of:?}");
    }
    let full = outcomes(ALL, ALL, ALL, ALL);
    assert_eq!(full.plus(full), full, "counts end, and do not begin again");
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
    let text = serde_json::to_string(&trust).unwrap();
    assert_eq!(serde_json::from_str::<TrustScore>(&text).unwrap(), trust);
    let unknown = text.replace('{', "{\"more\":1,");
    assert!(serde_json::from_str::<TrustScore>(&unknown).is_err(), "{unknown}");
}

/// However often an agent says it, and in whatever order, an intent counts once for each kind.
#[test]
fn reports_count_once_for_each_intent_and_kind() {
    let rows = [1, 2].map(|n| row(&proposal(n, x402(10, VENDOR, PAYEE), NOW), NOW));
    let reports: Vec<_> = rows
        .iter()
        .flat_map(|row| ReportKind::ALL.map(|outcome| (row, outcome)))
        .map(|(row, outcome)| {
            let report = Report {
                agent: row.agent.clone(),
                intent: row.intent,
                content_hash: row.content_hash,
                outcome,
                at: NOW,
            };
            let signed = crate::document::Signed::by(report, &key(7)).unwrap();
            signed.open_report(&Anybody, row, NOW).unwrap()
        })
        .collect();
    let payee = Payee::of(rows[0].service.as_ref(), rows[0].recipient).unwrap();
    let mut experience = Experience::default();
    for times in 0..5 {
        for report in &reports {
            assert_eq!(experience.has(&report.intent(), report.kind()), times > 0);
            experience.report(report);
        }
        assert_eq!(experience.of(&payee), outcomes(0, 2, 2, 2));
    }
    assert!(experience.reported.values().all(|kinds| kinds.len() == ReportKind::ALL.len()));
    assert_eq!(experience.outcomes.len(), 1, "a payee is kept once");
}

/// What is remembered is bounded by time, and what is forgotten cannot be said again.
#[test]
fn a_report_is_forgotten_when_no_other_can_come() {
    let said = |n: u64, at: UnixSeconds| {
        let row = row(&proposal(n, x402(10, VENDOR, PAYEE), NOW), NOW);
        let report = Report {
            agent: row.agent.clone(),
            intent: row.intent,
            content_hash: row.content_hash,
            outcome: ReportKind::Disputed,
            at: NOW,
        };
        let signed = crate::document::Signed::by(report, &key(7)).unwrap();
        // As if the payment had been made then: what is tested is what is remembered of it.
        let mut paid = row.clone();
        paid.at = at;
        signed.open_report(&Anybody, &paid, at).unwrap()
    };
    let payee = Payee::Service(Service::of(&format!("https://{VENDOR}")).unwrap());
    let mut experience = Experience::default();
    experience.report(&said(1, NOW));
    let kept_until = NOW.plus(REPORTED_SECONDS_KEPT);
    experience.report(&said(2, kept_until));
    assert!(experience.has(&said(1, NOW).intent(), ReportKind::Disputed));
    experience.report(&said(3, kept_until.plus(1)));
    assert!(!experience.has(&said(1, NOW).intent(), ReportKind::Disputed), "forgotten");
    assert_eq!((experience.reported.len(), experience.order.len()), (2, 2));
    assert_eq!(experience.of(&payee).disputed, 3, "and still counted");
    // The clock was set back: the first one once more, in time by that clock, counts no more.
    experience.report(&said(1, NOW.plus(REPORT_SECONDS_MAX)));
    assert_eq!(experience.of(&payee).disputed, 3);
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
        prop_assert!(now.score(base.saturating_sub(1)) <= score, "less to begin with is not more");
    }
}
