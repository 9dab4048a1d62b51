//! Rules about whom, where and with what.

use super::{ALL, HARD, OWN, PARTIES};
use crate::catalogue::Entry;

pub(super) const ALLOW: Entry = Entry {
    word: "allow",
    group: PARTIES,
    summary: "What may be paid: everything that one rule names has to match.",
    fields: &[
        ("services", "hosts, exact or below `*.suffix`"),
        ("recipients", "addresses that are paid"),
        ("assets", "symbols"),
        ("chains", "CAIP-2 names"),
        ("contracts", "addresses of the contracts that payments call"),
        ("categories", "what who is paid deals in, by the counterparty registry"),
    ],
    outcomes: ALL,
    covers: &[
        "ALLOWED_COUNTERPARTIES",
        "recipient_allowlist",
        "X402_ALLOWED_SERVICES",
        "MPP_ALLOWED_SERVICES",
        "allowed_tokens",
        "allowed_chains",
        "CONTRACT_ALLOWLIST",
        "ALLOWED_CATEGORIES",
    ],
    notes: "\
With `services`, `recipients` or `categories` it grants; several such rules are alternatives.

- A payment for a service is granted by an allowed *service*. Where the same rule names
  `recipients` too, the payee must be one of them. `allow: {recipients: …}` alone does not grant it.
- A transfer is granted by an allowed *recipient*, in a rule that names no services. A list of
  services never grants a transfer.
- Who is in an allowed *category* is granted both.
- A charge that pays somebody beside its payee (a split of MPP) is granted only by a rule that names
  all of them as `recipients`. Every other rule judges each of them, and the worst counts.

So `allow: {services: vendors}` beside `allow: {recipients: payees}` means: pay the vendors over
x402, whatever address they name, and transfer to the payees. An `allow` with only `assets`,
`chains` or `contracts` grants nothing; it restricts every payment to them.",
    example: "- allow: { services: vendors, chains: [\"eip155:8453\"] }",
};

pub(super) const BLOCK: Entry = Entry {
    word: "block",
    group: PARTIES,
    summary: "What must not be paid: anything named that matches is enough.",
    fields: &[
        ("services", "hosts, exact or below `*.suffix`, on every port"),
        ("recipients", "addresses that are paid"),
        ("assets", "symbols"),
        ("chains", "CAIP-2 names"),
        ("contracts", "addresses of the contracts that payments call"),
        ("categories", "what who is paid deals in, by the counterparty registry"),
    ],
    outcomes: HARD,
    covers: &[
        "BLOCKED_COUNTERPARTIES",
        "blacklist",
        "X402_BLOCKED_SERVICES",
        "MPP_BLOCKED_SERVICES",
        "BLOCKED_CATEGORIES",
    ],
    notes: "No `allow` outweighs it.",
    example: "- block: { services: [bad.inference.example] }",
};

pub(super) const PINNING: Entry = Entry {
    word: "payee_pinning",
    group: PARTIES,
    summary: "What follows for payees that were not paid before.",
    fields: &[
        (
            "new",
            "`ask`, `refuse` or `allow` for the first payee of a service and the first transfer \
             to an address; `ask` without it",
        ),
        (
            "changed",
            "`refuse` or `ask` for a service that was paid at other addresses only; `refuse` \
             without it",
        ),
    ],
    outcomes: OWN,
    covers: &["new-recipient approval", "x402 dynamic payTo"],
    notes: "The rule says itself what follows, so it has no `then`. Where it can ask, somebody \
            has to be named to be asked. A payee is pinned by the first payment to it that is \
            admitted, and so by the people who approved that one.",
    example: "- payee_pinning: { new: ask, changed: refuse }",
};

pub(super) const TRUST: Entry = Entry {
    word: "trust",
    group: PARTIES,
    summary: "Lowest trust of who is paid, 0 to 100, by the counterparty registry and what \
              became of payments.",
    fields: &[("min", "the lowest score")],
    outcomes: ALL,
    covers: &["TRUST_SCORE", "COUNTERPARTY_STATUS"],
    notes: "",
    example: "- trust: { min: 60 }",
};

pub(super) const COUNTRY: Entry = Entry {
    word: "country",
    group: PARTIES,
    summary: "Where who is paid may be, by the counterparty registry.",
    fields: &[("allow", "only these (ISO 3166-1)"), ("block", "all but these")],
    outcomes: ALL,
    covers: &["GEOGRAPHIC_RESTRICTION"],
    notes: "A country that is not known keeps to neither.",
    example: "- country: { allow: [DE, FR] }",
};
