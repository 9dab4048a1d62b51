//! Rules about money and number.

use super::{ALL, AMOUNTS, BY, FEES, HARD, PER, VELOCITY};
use crate::catalogue::Entry;

pub(super) const MAX_AMOUNT: Entry = Entry {
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

pub(super) const PRICE_CEILING: Entry = Entry {
    word: "price_ceiling",
    group: AMOUNTS,
    summary: "Highest price of one request over one protocol. Nobody can be asked past it.",
    fields: &[
        ("x402", "over x402"),
        ("mpp", "over MPP; a deposit is no price, `mpp.max_deposit` is for it"),
    ],
    outcomes: HARD,
    covers: &["X402_PRICE_CEILING", "MPP_PRICE_CEILING"],
    notes: "",
    example: "- price_ceiling: { x402: 0.50 USDC }",
};

pub(super) const MAX_SHARE: Entry = Entry {
    word: "max_share_of_balance",
    group: AMOUNTS,
    summary: "Highest share of what the wallet holds of the paid asset on the paid chain.",
    fields: &[],
    outcomes: ALL,
    covers: &[],
    notes: "Not kept where the balance is not known.",
    example: "- max_share_of_balance: 25%",
};

pub(super) const LIMIT: Entry = Entry {
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
    notes: "Not kept by a payment with which the sum in the window passes the amount. Counted \
            apart by `recipient` or `category`, it refuses a charge that pays somebody beside its \
            payee (a split of MPP): such a charge is recorded with its primary payee alone. People who \
            are asked cannot let it pass.",
    example: "- limit: { amount: 10 USDC, per: day, calendar: America/New_York }",
};

pub(super) const RATE: Entry = Entry {
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
    notes: "Counted apart by `recipient` or `category`, it refuses a charge with splits, as \
            `limit` does.",
    example: "- rate: { count: 100, per: hour, by: endpoint }",
};

pub(super) const MAX_FEE: Entry = Entry {
    word: "max_fee",
    group: FEES,
    summary: "Highest fee that the chain may take, of a transaction or in a window.",
    fields: &[
        ("amount", "the sum of a window"),
        ("per", "the window"),
        ("calendar", "the zone whose calendar the window follows"),
    ],
    outcomes: ALL,
    covers: &[],
    notes: "Written as `max_fee: 0.0005 ETH` it is for each transaction. An authorization has no \
            fee. A transaction that replaces one at a lower fee is judged as a whole, and in \
            windows by what it adds.",
    example: "- max_fee: { amount: 0.005 ETH, per: day }",
};
