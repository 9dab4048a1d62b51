//! The kinds of rule.

use crate::catalogue::Entry;

const ALL: &[&str] = &["refuse", "ask", "warn"];
const HARD: &[&str] = &["refuse", "warn"];
/// What follows is said by the rule itself, so `then` is not written.
const OWN: &[&str] = &[];

const AMOUNTS: &str = "Amounts";
const FEES: &str = "Fees";
const PROTOCOLS: &str = "Protocols";
const PEOPLE: &str = "People and health";
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
    summary: "Highest number of payments in a window.",
    fields: &[("count", "the number"), PER, ("calendar", "as for `limit`"), BY],
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
    ],
    notes: "\
With `services`, `recipients` or `categories` it grants; several such rules are alternatives.

- A payment for a service is granted by an allowed *service*. Where the same rule names
  `recipients` too, the payee must be one of them. `allow: {recipients: …}` alone does not grant it.
- A transfer is granted by an allowed *recipient*, in a rule that names no services. A list of
  services never grants a transfer.

So `allow: {services: vendors}` beside `allow: {recipients: payees}` means: pay the vendors over
x402, whatever address they name, and transfer to the payees. An `allow` with only `assets`,
`chains` or `contracts` grants nothing; it restricts every payment to them.",
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
        ("contracts", "addresses of the contracts that payments call"),
        ("categories", "what who is paid deals in, by the counterparty registry"),
    ],
    outcomes: HARD,
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

const PRICE_CEILING: Entry = Entry {
    word: "price_ceiling",
    group: AMOUNTS,
    summary: "Highest price of one request over one protocol. Nobody can be asked past it.",
    fields: &[("x402", "over x402"), ("mpp", "over MPP; a deposit is no price, `mpp.max_deposit` is for it")],
    outcomes: HARD,
    covers: &["X402_PRICE_CEILING", "MPP_PRICE_CEILING"],
    notes: "",
    example: "- price_ceiling: { x402: 0.50 USDC }",
};

const MAX_SHARE: Entry = Entry {
    word: "max_share_of_balance",
    group: AMOUNTS,
    summary: "Highest share of what the wallet holds of the paid asset on the paid chain.",
    fields: &[],
    outcomes: ALL,
    covers: &[],
    notes: "Not kept where the balance is not known.",
    example: "- max_share_of_balance: 25%",
};

const MAX_FEE: Entry = Entry {
    word: "max_fee",
    group: FEES,
    summary: "Highest fee that the chain may take, of a transaction or in a window.",
    fields: &[("amount", "the sum of a window"), ("per", "the window"), ("calendar", "the zone whose calendar the window follows")],
    outcomes: ALL,
    covers: &[],
    notes: "Written as `max_fee: 0.0005 ETH` it is for each transaction. An authorization has no fee.",
    example: "- max_fee: { amount: 0.005 ETH, per: day }",
};

const PINNING: Entry = Entry {
    word: "payee_pinning",
    group: PARTIES,
    summary: "What follows for payees that were not paid before.",
    fields: &[("new", "`ask`, `refuse` or `allow` for the first payee of a service and the first transfer to an address; `ask` without it"), ("changed", "`refuse` or `ask` for a service that was paid at other addresses only; `refuse` without it")],
    outcomes: OWN,
    covers: &["new-recipient approval"],
    notes: "The rule says itself what follows, so it has no `then`.",
    example: "- payee_pinning: { new: refuse, changed: refuse }",
};

const TRUST: Entry = Entry {
    word: "trust",
    group: PARTIES,
    summary: "Lowest trust of who is paid, 0 to 100, by the counterparty registry and what became of payments.",
    fields: &[("min", "the lowest score")],
    outcomes: ALL,
    covers: &["TRUST_SCORE", "COUNTERPARTY_STATUS"],
    notes: "",
    example: "- trust: { min: 60 }",
};

const COUNTRY: Entry = Entry {
    word: "country",
    group: PARTIES,
    summary: "Where who is paid may be, by the counterparty registry.",
    fields: &[("allow", "only these (ISO 3166-1)"), ("block", "all but these")],
    outcomes: ALL,
    covers: &["GEOGRAPHIC_RESTRICTION"],
    notes: "A country that is not known keeps to neither.",
    example: "- country: { allow: [DE, FR] }",
};

const DATES: Entry = Entry {
    word: "dates",
    group: TIME,
    summary: "From when until when may be paid.",
    fields: &[("from", "the first day or minute"), ("until", "the last day, or the minute at which it ends"), ("zone", "an IANA zone; required")],
    outcomes: ALL,
    covers: &["DATE_RANGE", "EXPIRATION"],
    notes: "",
    example: "- dates: { from: 2026-01-01, until: 2026-12-31, zone: Europe/Berlin }",
};

const BLACKOUT: Entry = Entry {
    word: "blackout",
    group: TIME,
    summary: "When must not be paid, and why.",
    fields: &[("from", "the first day or minute"), ("until", "the last day, or the minute at which it ends"), ("zone", "an IANA zone; required"), ("reason", "why, for whoever is refused")],
    outcomes: ALL,
    covers: &["BLACKOUT_PERIOD"],
    notes: "",
    example: "- blackout: { from: 2026-12-24, until: 2026-12-26, zone: Europe/Berlin, reason: holidays }",
};

const X402: Entry = Entry {
    word: "x402",
    group: PROTOCOLS,
    summary: "What an x402 payment may be like; each key is a rule of its own.",
    fields: &[("schemes", "schemes that may be used"), ("transfer_methods", "ways in which assets may be moved"), ("flows", "orders of serving and settling"), ("max_validity", "how long an authorization may be usable"), ("session_budget", "highest sum of one session")],
    outcomes: ALL,
    covers: &["X402_SESSION_BUDGET"],
    notes: "",
    example: "- x402: { max_validity: 5m }",
};

const MPP: Entry = Entry {
    word: "mpp",
    group: PROTOCOLS,
    summary: "What a payment over MPP may be like; each key is a rule of its own.",
    fields: &[("max_deposit", "highest deposit of one session"), ("session_budget", "highest sum of one session"), ("max_concurrent_sessions", "most sessions open at once"), ("max_session_duration", "how long a session may last"), ("intents", "`charge`, `session`"), ("methods", "payment methods"), ("http_methods", "methods of HTTP"), ("max_voucher_step", "most that a voucher adds"), ("voucher_signer", "`session_key` or `wallet`")],
    outcomes: ALL,
    covers: &["MPP_SESSION_BUDGET", "MPP_MAX_SESSION_DEPOSIT", "MPP_MAX_CONCURRENT_SESSIONS", "MPP_MAX_SESSION_DURATION", "MPP_BLOCK_SESSION_INTENT", "MPP_ALLOWED_METHODS"],
    notes: "",
    example: "- mpp: { max_deposit: 10 USDC }",
};

const ASK: Entry = Entry {
    word: "ask",
    group: PEOPLE,
    summary: "When people decide, and who.",
    fields: &[("above", "for more than this"), ("new_payee", "for an address that was not paid before"), ("trust_below", "for whom is trusted less"), ("categories", "for these categories"), ("agents", "for these agents"), ("approvers", "`{ any: 2, of: [NAMES] }`, `{ any: 1, role: ROLE }` or `{ sequence: [NAMES] }`"), ("expires", "how long a yes holds")],
    outcomes: OWN,
    covers: &["REQUIRE_APPROVAL_ABOVE", "require_human_approval_above"],
    notes: "The rule asks, so it has no `then`. People and their keys are under `people`.",
    example: "- ask: { above: 5 USDC, approvers: { any: 1, of: [alice] } }",
};

const FREEZE: Entry = Entry {
    word: "freeze",
    group: PEOPLE,
    summary: "What stops the agent until the authority thaws it.",
    fields: &[("refusals", "after so many refusals"), ("failures", "after so many payments that proved void"), ("spike", "at so many times its own mean, as `5x`"), ("new_payees", "after more than so many new payees"), ("per", "within how long"), ("over", "for a spike: periods of the mean"), ("at_least", "for a spike: a sum up to which there is none")],
    outcomes: HARD,
    covers: &["auto-freeze"],
    notes: "",
    example: "- freeze: { refusals: 20, per: hour }",
};

/// Every kind of rule, group by group.
#[must_use]
pub fn entries() -> Vec<Entry> {
    vec![
        MAX_AMOUNT, PRICE_CEILING, MAX_SHARE, LIMIT, RATE, ALLOW, BLOCK, PINNING, TRUST, COUNTRY,
        HOURS, DATES, BLACKOUT, MAX_FEE, X402, MPP, ASK, FREEZE, WHEN,
    ]
}
