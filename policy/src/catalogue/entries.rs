//! The kinds of rule.

use crate::catalogue::Entry;

const ALL: &[&str] = &["refuse", "ask", "warn"];

const AMOUNTS: &str = "Amounts";
const VELOCITY: &str = "Velocity";
const PARTIES: &str = "Parties";
const TIME: &str = "Time";
const CONDITIONS: &str = "Conditions";

const PER: (&str, &str) = ("per", "the window: `minute` to `month`, or `90m`, `12h`, `10d`");
const BY: (&str, &str) = (
    "by",
    "counts apart for each `recipient`, `service`, `endpoint`, `category`, `protocol`, `asset`",
);

const MAX_AMOUNT: Entry = Entry {
    word: "max_amount",
    group: AMOUNTS,
    summary: "Highest amount of one payment.",
    fields: &[],
    outcomes: ALL,
    covers: &[
        "MAX_AMOUNT",
        "SINGLE_AMOUNT",
        "tx_limit",
        "max_transaction",
        "X402_MAX_PER_REQUEST",
        "MPP_MAX_PER_REQUEST",
    ],
    notes: "",
    example: "- max_amount: 0.50 USDC",
};

const LIMIT: Entry = Entry {
    word: "limit",
    group: AMOUNTS,
    summary: "Highest sum in a window, with what is reserved and not yet settled.",
    fields: &[
        ("amount", "the sum"),
        PER,
        ("calendar", "the zone whose calendar the window follows; without it the window rolls"),
        BY,
    ],
    outcomes: ALL,
    covers: &[
        "DAILY_LIMIT",
        "WEEKLY_LIMIT",
        "MONTHLY_LIMIT",
        "daily_limit",
        "BUDGET_CAP",
        "per_recipient_limits",
        "X402_MAX_PER_SERVICE",
        "X402_MAX_PER_ENDPOINT",
        "MPP_MAX_PER_SERVICE",
        "MPP_MAX_PER_ENDPOINT",
        "BUDGET_ALLOCATION",
    ],
    notes: "Not kept by a payment with which the sum in the window passes the amount.",
    example: "- limit: { amount: 10 USDC, per: day, calendar: America/New_York }",
};

const RATE: Entry = Entry {
    word: "rate",
    group: VELOCITY,
    summary: "Highest number of payments in a rolling window.",
    fields: &[("count", "the number"), PER, BY],
    outcomes: ALL,
    covers: &[
        "VELOCITY_LIMIT",
        "rate_cap",
        "max_transactions_per_hour",
        "X402_VELOCITY_PER_ENDPOINT",
        "MPP_VELOCITY_PER_ENDPOINT",
    ],
    notes: "",
    example: "- rate: { count: 100, per: hour, by: endpoint }",
};

const ALLOW: Entry = Entry {
    word: "allow",
    group: PARTIES,
    summary: "What may be paid: everything that one rule names has to match.",
    fields: &[
        ("services", "hosts, exact or below `*.suffix`"),
        ("recipients", "addresses that are paid"),
        ("assets", "symbols"),
        ("chains", "CAIP-2 names"),
    ],
    outcomes: ALL,
    covers: &[
        "ALLOWED_COUNTERPARTIES",
        "recipient_allowlist",
        "X402_ALLOWED_SERVICES",
        "MPP_ALLOWED_SERVICES",
        "allowed_tokens",
        "allowed_chains",
    ],
    notes: "\
With `services` or `recipients` it grants; several such rules are alternatives.

- A payment for a service is granted by an allowed *service*. Where the same rule names
  `recipients` too, the payee must be one of them. `allow: {recipients: …}` alone does not grant it.
- A transfer is granted by an allowed *recipient*, in a rule that names no services. A list of
  services never grants a transfer.

So `allow: {services: vendors}` beside `allow: {recipients: payees}` means: pay the vendors over
x402, whatever address they name, and transfer to the payees. An `allow` with only `assets` or
`chains` grants nothing; it restricts every payment to them.",
    example: "- allow: { services: vendors, chains: [\"eip155:8453\"] }",
};

const BLOCK: Entry = Entry {
    word: "block",
    group: PARTIES,
    summary: "What must not be paid: anything named that matches is enough.",
    fields: &[
        ("services", "hosts, exact or below `*.suffix`, on every port"),
        ("recipients", "addresses that are paid"),
        ("assets", "symbols"),
        ("chains", "CAIP-2 names"),
    ],
    outcomes: ALL,
    covers: &[
        "BLOCKED_COUNTERPARTIES",
        "blacklist",
        "X402_BLOCKED_SERVICES",
        "MPP_BLOCKED_SERVICES",
    ],
    notes: "No `allow` outweighs it.",
    example: "- block: { services: [bad.inference.example] }",
};

const HOURS: Entry = Entry {
    word: "hours",
    group: TIME,
    summary: "The times of the week at which may be paid, by a zone's wall clock.",
    fields: &[
        ("from", "first minute, `\"00:00\"` to `\"23:59\"`"),
        ("to", "the minute before which it ends, up to `\"24:00\"`; before `from` it runs past \
                midnight and belongs to the day on which it began"),
        ("days", "`mon` to `sun`; all, where none are given"),
        ("zone", "an IANA zone; required"),
    ],
    outcomes: ALL,
    covers: &["TIME_WINDOW", "DAY_OF_WEEK", "active_hours", "business_hours_only"],
    notes: "",
    example: "- hours: { from: \"09:00\", to: \"17:00\", days: [mon, tue, wed, thu, fri], \
              zone: America/New_York }",
};

const WHEN: Entry = Entry {
    word: "when",
    group: CONDITIONS,
    summary: "What has to hold of the payment: a Cedar expression over `resource` (the payment) \
              and `context` (what the agent declares).",
    fields: &[],
    outcomes: ALL,
    covers: &["conditional rules", "COMPOSITE"],
    notes: "The values that a policy looks at are declared beside the rules, each with its type: \
            `context: { confidence: decimal, task: string, urgent: bool, attempts: long }`. A \
            condition that does not fit them is refused when the file is read; one that cannot be \
            decided refuses, also where the rule says `then: ask`.",
    example: "- when: 'context.confidence.greaterThan(decimal(\"0.8\"))'",
};

/// Every kind of rule, group by group.
#[must_use]
pub fn entries() -> Vec<Entry> {
    vec![MAX_AMOUNT, LIMIT, RATE, ALLOW, BLOCK, HOURS, WHEN]
}
