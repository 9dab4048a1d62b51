//! When people decide, what stops an agent, and conditions.

use super::{ALL, CONDITIONS, HARD, OWN, PEOPLE};
use crate::catalogue::Entry;

pub(super) const ASK: Entry = Entry {
    word: "ask",
    group: PEOPLE,
    summary: "When people decide, and who.",
    fields: &[
        ("above", "for more than this"),
        ("new_payee", "for an address that was not paid before"),
        ("trust_below", "for whom is trusted less"),
        ("categories", "for these categories"),
        ("agents", "for these agents"),
        (
            "approvers",
            "`{ any: 2, of: [NAMES] }`, `{ any: 1, role: ROLE }` or `{ sequence: [NAMES] }`",
        ),
        ("expires", "how long a yes holds"),
    ],
    outcomes: OWN,
    covers: &["REQUIRE_APPROVAL_ABOVE", "require_human_approval_above", "approval workflows"],
    notes: "The rule asks, so it has no `then`. People and their keys are under `people`; those \
            of `approvals` are asked where the rule names nobody. What cannot be told is met: a \
            category nobody gave, trust of nobody known.",
    example: "- ask: { above: 5 USDC, approvers: { any: 1, of: [alice] } }",
};

pub(super) const FREEZE: Entry = Entry {
    word: "freeze",
    group: PEOPLE,
    summary: "What stops the agent until the authority thaws it.",
    fields: &[
        ("refusals", "after so many refusals"),
        ("failures", "after so many payments that proved void"),
        ("spike", "at so many times its own mean, as `5x`"),
        ("new_payees", "after more than so many new payees"),
        ("per", "within how long"),
        ("over", "for a spike: periods of the mean"),
        ("at_least", "for a spike: a sum up to which there is none"),
    ],
    outcomes: HARD,
    covers: &["auto-freeze"],
    notes: "It has one of `refusals`, `failures`, `spike` and `new_payees`. What came before the \
            agent was last stopped is not counted again. `new_payees` refuses a charge with splits \
            to a payee that is new, and stops nobody for it: such a payee would not be counted.",
    example: "- freeze: { refusals: 20, per: hour }",
};

pub(super) const WHEN: Entry = Entry {
    word: "when",
    group: CONDITIONS,
    summary: "What has to hold of the payment: a Cedar expression over `resource` (the payment) \
              and `context` (what the agent declares).",
    fields: &[],
    outcomes: ALL,
    covers: &["conditional rules", "COMPOSITE"],
    notes: "The values that a policy looks at are declared beside the rules, each with its type: \
            `context: { confidence: decimal, task: string, urgent: bool, attempts: long }`. A \
            condition that does not fit them is refused when the file is read; one that cannot \
            be decided refuses, also where the rule says `then: ask`.",
    example: "- when: 'context.confidence.greaterThan(decimal(\"0.8\"))'",
};
