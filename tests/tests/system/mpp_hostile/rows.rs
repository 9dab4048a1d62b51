//! What is tried, how it ends, and what may be signed for it: one row a route.
//!
//! The numbers are those of the twelve behaviours that a paying client must survive.

/// Base units of a charge, and of a session's request.
pub(super) const PRICE: u128 = 10_000;
/// Base units of a streamed word.
pub(super) const WORD: u128 = 1_000;
/// Base units that the wallets' rules let into one session.
pub(super) const DEPOSIT: u128 = 200_000;

/// One route of the hostile service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) route: &'static str,
    /// How each request ends, in order; `|` between ends that are as good.
    pub(super) ends: &'static str,
    /// What all charges that were signed are worth.
    pub(super) charged: u128,
    /// What the highest voucher is worth.
    pub(super) cumulative: u128,
    /// Most that may have left the wallet, fees apart.
    pub(super) moved: u128,
    /// Whether the wallet's own rules allow everything, so that the nodes have to refuse.
    pub(super) lax: bool,
}

/// Nothing is signed.
const fn unsigned(route: &'static str, ends: &'static str) -> Row {
    Row { route, ends, charged: 0, cumulative: 0, moved: 0, lax: false }
}

/// The wallet's own rules would pay, and the policy does not: nothing is signed.
const fn refused(route: &'static str) -> Row {
    Row { lax: true, ..unsigned(route, "refused") }
}

/// One charge is signed, and the service takes it.
const fn charged(route: &'static str, ends: &'static str) -> Row {
    Row { charged: PRICE, moved: PRICE, ..unsigned(route, ends) }
}

/// One charge is signed, and never comes to the chain.
const fn kept(route: &'static str, ends: &'static str) -> Row {
    Row { moved: 0, ..charged(route, ends) }
}

/// One channel is opened, and vouchers are signed up to this.
const fn session(route: &'static str, ends: &'static str, cumulative: u128) -> Row {
    Row { cumulative, moved: DEPOSIT, ..unsigned(route, ends) }
}

/// An opening with a first voucher is signed, and never comes to the chain.
const fn kept_opening(route: &'static str, ends: &'static str) -> Row {
    Row { moved: 0, ..session(route, ends, PRICE) }
}

/// Asked again, the same transaction is signed again, unless that takes until its end.
const UNKNOWN_TWICE: &str = "unknown unknown|not_signed";

/// 2, 3, 4 at the nodes: what the agent's own rules would allow.
pub(super) const REFUSED: &[Row] = &[
    refused("/charge/dear"),
    refused("/charge/lies"),
    refused("/charge/stranger-payee"),
    refused("/session/stranger-payee"),
    refused("/session/huge-deposit"),
    refused("/session/dear"),
];

/// 11: nothing is answered at another origin, and no credential goes there.
pub(super) const REDIRECTS: &[Row] = &[
    unsigned("/redirect/challenge", "free_307"),
    unsigned("/redirect/same-origin", "free_307"),
    kept("/redirect/credential", UNKNOWN_TWICE),
];

pub(super) const CHARGES: &[Row] = &[
    charged("/charge/honest", "proven"),
    // 6: takes the money and asks again or fails: one transaction, whatever is answered.
    charged("/charge/paid-402", "paid_not_delivered|unknown paid_not_delivered|unknown"),
    charged("/charge/paid-500", "paid_not_delivered paid_not_delivered"),
    charged("/charge/paid-403", "paid_not_delivered paid_not_delivered"),
    charged("/charge/paid-hangs", "paid_not_delivered"),
    charged("/charge/paid-402-dearer", "paid_not_delivered|unknown paid_not_delivered|unknown"),
    kept("/charge/kept-402", UNKNOWN_TWICE),
    kept("/charge/kept-500", UNKNOWN_TWICE),
    kept("/charge/kept-hangs", "unknown"),
    // 2: another payee when it is asked again.
    kept("/charge/switched-payee", UNKNOWN_TWICE),
    // 9: receipts that are none: the chain says what was paid.
    charged("/charge/receipt-missing", "proven"),
    charged("/charge/receipt-garbage", "proven"),
    charged("/charge/receipt-other", "proven"),
    charged("/charge/receipt-failed", "proven"),
    kept("/charge/receipt-unsettled", "served"),
    // 2, 3, 12: terms that are not agreed to.
    unsigned("/charge/dear", "skipped_too_dear"),
    unsigned("/charge/other-chain", "skipped_chain"),
    unsigned("/charge/no-chain", "skipped_chain"),
    unsigned("/charge/other-token", "skipped_token"),
    unsigned("/charge/no-token", "skipped_token"),
    unsigned("/charge/stranger-payee", "payee_changed"),
    unsigned("/charge/stranger-split", "skipped_splits"),
    unsigned("/charge/split-exceeds", "skipped_splits"),
    unsigned("/charge/eleven-splits", "skipped_splits"),
    unsigned("/charge/custom-memo", "skipped_field"),
    unsigned("/charge/expired", "skipped_expires"),
    unsigned("/charge/ten-years", "skipped_expires"),
    unsigned("/charge/no-expires", "skipped_expires"),
    // 12: sponsorship that is promised and not given, or cannot be.
    kept("/charge/sponsored-kept", UNKNOWN_TWICE),
    kept("/charge/sponsored-hangs", "unknown"),
    kept("/charge/sponsored-402", UNKNOWN_TWICE),
    kept("/charge/sponsored-receipt", "served"),
    unsigned("/charge/sponsored-push", "skipped_field"),
    unsigned("/charge/push-only", "skipped_field"),
    // 11: a proof of who asks goes to the host that was asked, and nowhere by a policy of payees.
    unsigned("/charge/proof", "refused"),
    unsigned("/charge/proof-other-realm", "skipped_realm"),
    unsigned("/charge/other-realm", "skipped_realm"),
    // 12: several offers, of which one is answered; and words that lie.
    charged("/charge/two-offers", "proven"),
    charged("/charge/dear-offer-first", "proven"),
    charged("/charge/unknown-offer", "proven"),
    unsigned("/charge/lies", "skipped_too_dear"),
];

/// 10. What reads is paid as it reads, and the service keeps it.
pub(super) const PARSER: &[Row] = &[
    kept("/parser/scheme-in-quotes", "unknown"),
    unsigned("/parser/duplicate-id", "skipped_challenge"),
    unsigned("/parser/duplicate-request", "skipped_challenge"),
    unsigned("/parser/duplicate-in-capitals", "skipped_challenge"),
    unsigned("/parser/unterminated-quote", "skipped_challenge"),
    unsigned("/parser/no-parameters", "skipped_challenge|no_challenge"),
    unsigned("/parser/empty-id", "skipped_challenge"),
    unsigned("/parser/no-id", "skipped_challenge"),
    unsigned("/parser/no-realm", "skipped_challenge"),
    unsigned("/parser/no-request", "skipped_challenge"),
    unsigned("/parser/method-in-capitals", "skipped_challenge|skipped_mpp_method"),
    kept("/parser/latin-1", "unknown|skipped_challenge"),
    unsigned("/parser/many-challenges", "skipped_challenge|unreachable"),
    kept("/parser/comma-joined", "unknown"),
    kept("/parser/other-scheme-first", "unknown"),
    unsigned("/parser/header-cookie", "skipped_challenge"),
    kept("/parser/header-payment", "unknown"),
    unsigned("/parser/wrong-digest", "skipped_other_body"),
    unsigned("/parser/amount-plus", "skipped_amount"),
    unsigned("/parser/amount-hex", "skipped_amount"),
    unsigned("/parser/amount-exponent", "skipped_amount"),
    unsigned("/parser/amount-negative", "skipped_amount"),
    unsigned("/parser/amount-fraction", "skipped_amount"),
    unsigned("/parser/amount-spaces", "skipped_amount"),
    unsigned("/parser/amount-zeros", "skipped_amount"),
    unsigned("/parser/amount-number", "skipped_challenge"),
    unsigned("/parser/amount-huge", "skipped_amount"),
    unsigned("/parser/amount-empty", "skipped_amount"),
    unsigned("/parser/amount-null", "skipped_challenge"),
    unsigned("/parser/amount-list", "skipped_challenge"),
    unsigned("/parser/amount-other-digits", "skipped_amount"),
    unsigned("/parser/amount-twice", "skipped_challenge"),
    unsigned("/parser/request-not-base64", "skipped_challenge"),
    kept("/parser/request-padded", "unknown|skipped_challenge"),
    unsigned("/parser/request-not-json", "skipped_challenge"),
    unsigned("/parser/request-list", "skipped_challenge"),
    unsigned("/parser/request-deep", "skipped_challenge"),
    unsigned("/parser/request-huge", "skipped_challenge"),
    unsigned("/parser/request-not-utf-8", "skipped_challenge"),
    unsigned("/parser/recipient-short", "skipped_payee"),
    unsigned("/parser/recipient-name", "skipped_payee"),
    unsigned("/parser/currency-symbol", "skipped_token"),
    unsigned("/parser/chain-text", "skipped_challenge"),
    unsigned("/parser/chain-fraction", "skipped_challenge"),
    unsigned("/parser/chain-wrapped", "skipped_challenge"),
    unsigned("/parser/expires-nan", "skipped_expires|skipped_challenge"),
    unsigned("/parser/expires-number", "skipped_expires|skipped_challenge"),
    unsigned("/parser/expires-local", "skipped_expires|skipped_challenge"),
    unsigned("/parser/expires-year-99999", "skipped_expires|skipped_challenge"),
];

pub(super) const STREAMS: &[Row] = &[
    session("/stream/honest", "read_6", 6 * WORD),
    // 1: demands beyond what was delivered and one word more.
    session("/stream/inflated-need", "overdemand", WORD),
    session("/stream/need-above-deposit", "overdemand", WORD),
    session("/stream/need-one-too-many", "overdemand", WORD),
    session("/stream/need-too-soon", "overdemand", WORD),
    session("/stream/need-without-goods", "overdemand", WORD),
    session("/stream/need-lies-deposit", "read_1", WORD + 1),
    // 4: top-ups that are demanded again and again.
    session("/stream/repeated-top-up", "overdemand", WORD),
    // 9, 10: events of another channel, that do not read, or within a word.
    session("/stream/need-other-channel", "unreachable", WORD),
    session("/stream/need-garbage", "unreachable", WORD),
    session("/stream/injected-events", "overdemand", WORD),
    session("/stream/forged-receipt", "read_2", 2 * WORD),
    session("/stream/lower-receipt", "read_2", 2 * WORD),
    session("/stream/huge-event", "unreachable", WORD),
    // 7: takes a voucher and delivers nothing: one word is lost.
    session("/stream/ends-early", "read_1", 2 * WORD),
    session("/stream/silent", "unreachable", WORD),
    session("/stream/cut", "unreachable", 2 * WORD),
    session("/stream/voucher-500", "unit_not_delivered", 2 * WORD),
    session("/stream/voucher-410", "unit_not_delivered", 2 * WORD),
];

pub(super) const SESSIONS: &[Row] = &[
    session("/session/honest", "served served served", 3 * PRICE),
    // 2: terms that change once there is a channel.
    session("/session/switched-price", "served terms_changed terms_changed", PRICE),
    session("/session/switched-payee", "served terms_changed", PRICE),
    session("/session/switched-operator", "served terms_changed", PRICE),
    session("/session/switched-token", "served skipped_token", PRICE),
    session("/session/switched-chain", "served skipped_chain", PRICE),
    session("/session/switched-escrow", "served skipped_escrow", PRICE),
    session("/session/switched-unit", "served served", 2 * PRICE),
    // 3: chain, escrow, protocol and token are pinned.
    unsigned("/session/dear", "skipped_too_dear"),
    unsigned("/session/other-chain", "skipped_chain"),
    unsigned("/session/no-chain", "skipped_chain"),
    unsigned("/session/other-escrow", "skipped_escrow"),
    unsigned("/session/other-token", "skipped_token"),
    unsigned("/session/protocol-v1", "skipped_session_protocol"),
    unsigned("/session/no-protocol", "skipped_session_protocol"),
    unsigned("/session/stranger-payee", "payee_changed"),
    session("/session/operator", "served served", 2 * PRICE),
    // 4: deposits are cut to the wallet's own rules.
    session("/session/huge-deposit", "served served", 2 * PRICE),
    session("/session/no-suggestion", "served", PRICE),
    session("/session/demands-top-up", "served unit_not_delivered unit_not_delivered", 2 * PRICE),
    // 1: a snapshot that lies is not even read.
    session("/session/inflated-snapshot", "served served", 2 * PRICE),
    session("/session/snapshot-other-channel", "served served", 2 * PRICE),
    // 5: an opening that is kept is not followed by another.
    kept_opening("/session/open-kept-500", "unknown unknown"),
    kept_opening("/session/open-kept-402", "unknown unknown"),
    kept_opening("/session/open-kept-410", "unknown unknown"),
    kept_opening("/session/open-kept-hangs", "unknown"),
    // 7: a voucher that brings nothing is presented again, and no other is signed.
    session("/session/voucher-500", "served unit_not_delivered unit_not_delivered", 2 * PRICE),
    session("/session/voucher-402", "served unit_not_delivered unit_not_delivered", 2 * PRICE),
    session("/session/voucher-410", "served unit_not_delivered unit_not_delivered", 2 * PRICE),
    session("/session/voucher-hangs", "served unit_not_delivered", 2 * PRICE),
    session("/session/voucher-empty", "served served", 2 * PRICE),
    // 9: receipts raise nothing and lower nothing.
    session("/session/receipt-missing", "served served", 2 * PRICE),
    session("/session/receipt-garbage", "served served", 2 * PRICE),
    session("/session/receipt-other-channel", "served served", 2 * PRICE),
    session("/session/receipt-other-challenge", "served served", 2 * PRICE),
    session("/session/receipt-lower", "served served", 2 * PRICE),
    session("/session/receipt-higher", "served served", 2 * PRICE),
    session("/session/receipt-too-large", "served served", 2 * PRICE),
    session("/session/receipt-negative", "served served", 2 * PRICE),
];

/// 5 and 7: the service brings the opening to the chain and denies the channel, which is left by
/// force; nothing is opened beside it. The steps of leaving cost fees later on.
pub(super) const DENIED: &[Row] = &[
    session("/session/open-broadcast-500", DENIED_ENDS, PRICE),
    session("/session/open-broadcast-402", DENIED_ENDS, PRICE),
    session("/session/open-broadcast-410", DENIED_ENDS, PRICE),
    session("/session/open-broadcast-hangs", "unit_not_delivered|unknown", PRICE),
];

const DENIED_ENDS: &str = "unit_not_delivered|unknown unit_not_delivered session_ending";

/// 5: the opening comes to the chain when nobody counts with it any more.
pub(super) const OPEN_LATE: Row = session("/session/open-late-500", "unknown unknown", PRICE);
/// 6: a charge that is settled ten seconds after its failure.
pub(super) const CHARGE_LATE: Row =
    charged("/charge/late-500", "unknown unknown|paid_not_delivered|not_signed");
/// 8: closes at the highest voucher, half of which was for nothing.
pub(super) const CLOSE_HIGH: Row = session(
    "/session/close-high",
    "served unit_not_delivered served unit_not_delivered",
    3 * PRICE,
);
/// 8: says that it closed, and did not.
pub(super) const CLOSES_PRETENDED: &[Row] = &[
    session("/session/close-ignored", "served", PRICE),
    session("/session/close-forged", "served", PRICE),
];
/// 8: does not close.
pub(super) const CLOSES_DENIED: &[Row] = &[
    session("/session/close-500", "served", PRICE),
    session("/session/close-402", "served", PRICE),
    session("/session/close-hangs", "served", PRICE),
];
