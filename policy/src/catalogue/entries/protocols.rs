//! Rules about x402 and MPP.

use super::{ALL, PROTOCOLS};
use crate::catalogue::Entry;

pub(super) const X402: Entry = Entry {
    word: "x402",
    group: PROTOCOLS,
    summary: "What an x402 payment may be like; each key is a rule of its own.",
    fields: &[
        ("schemes", "schemes that may be used"),
        ("transfer_methods", "ways in which assets may be moved"),
        ("flows", "orders of serving and settling"),
        ("max_validity", "how long an authorization may be usable"),
        ("session_budget", "highest sum of one session"),
    ],
    outcomes: ALL,
    covers: &["X402_SESSION_BUDGET"],
    notes: "What is signed is judged; the flow and the session are the agent's word. A payment \
            that does not say what a rule asks for does not keep to it, and payments over other \
            protocols are not troubled.",
    example: "- x402: { max_validity: 5m }",
};

pub(super) const MPP: Entry = Entry {
    word: "mpp",
    group: PROTOCOLS,
    summary: "What a payment over MPP may be like; each key is a rule of its own.",
    fields: &[
        ("max_deposit", "highest deposit of one session, with all that is put on top of it"),
        ("session_budget", "highest sum of one session"),
        (
            "max_concurrent_sessions",
            "most sessions open at once; what is put on top of a deposit opens no other",
        ),
        ("max_session_duration", "how long a session may last"),
        ("intents", "`charge`, `session`"),
        ("methods", "payment methods"),
        ("http_methods", "methods of HTTP"),
        ("max_voucher_step", "most that a voucher adds"),
        ("voucher_signer", "`session_key` or `wallet`"),
    ],
    outcomes: ALL,
    covers: &[
        "MPP_SESSION_BUDGET",
        "MPP_MAX_SESSION_DEPOSIT",
        "MPP_MAX_CONCURRENT_SESSIONS",
        "MPP_MAX_SESSION_DURATION",
        "MPP_BLOCK_SESSION_INTENT",
        "MPP_ALLOWED_METHODS",
    ],
    notes: "What a rule asks for and the payment does not say is not kept. A deposit counts in \
            full until its session has ended, and vouchers draw on it.",
    example: "- mpp: { max_deposit: 10 USDC }",
};
