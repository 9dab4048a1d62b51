//! Rules about x402, MPP and access keys.

use super::{ALL, OWN, PROTOCOLS, REFUSES};
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

pub(super) const V1_CHANNELS: Entry = Entry {
    word: "v1_channels",
    group: PROTOCOLS,
    summary: "The MPP channels of escrow contracts from before TIP-1034 that may be left by force.",
    fields: &[],
    outcomes: OWN,
    covers: &[],
    notes: "\
Tercet opens no such channel and pays nothing out of one. Where another client opened one with this
wallet's address as the payer, name it here, as `0x` and 64 hexadecimal digits, and the wallet can
ask for its end and take the deposit back (`tercet session exit`).

- Without this rule every such channel is refused: nobody else could say that it is there.
- Every policy that has the rule has to name the channel, and one policy at least. No other rule is
  asked, since nothing is paid; the fee counts in the limits of its token all the same.
- A policy has one such rule. Take a channel from the list when it is left.",
    example: "\
- v1_channels: [\"0x3f8a1c0de94b7265d0c1a2b3e4f5968778695a4b3c2d1e0f00112233445566aa\"]",
};

pub(super) const ACCESS_KEY: Entry = Entry {
    word: "access_key",
    group: PROTOCOLS,
    summary: "Most that Tempo may let an access key of the wallet put into MPP channels. It grants \
              such a key, and nothing else does.",
    fields: &[
        ("max", "highest limit of a period, or of a key without one"),
        ("max_life", "how long it may last"),
    ],
    outcomes: REFUSES,
    covers: &[],
    notes: "What all periods of a key come to is the amount of the payment: it counts as spent, in \
            full and for good, when the key is authorized, for `max_amount`, `limit` and every other \
            rule about amounts. Such a key has no payee: rules that need one refuse it or ask. A \
            policy whose `allow` rules name services or recipients refuses it without this rule. \
            Revoking a key asks no rule. `SECURITY.md` says what the chain bounds then and what it \
            does not.",
    example: "- access_key: { max: 20 pathUSD, max_life: 7d }",
};
