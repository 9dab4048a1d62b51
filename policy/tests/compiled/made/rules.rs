//! Random policies of every kind of rule.

use tercet_policy::chain::ASSETS;
use tercet_policy::rules::Policy;

use super::{Chance, address};

const ENTRIES: [&str; 9] = [
    "a.example",
    "\"*.a.example\"",
    "\"a.example:8443\"",
    "\"*.b.example\"",
    "b.example",
    "\"*.example\"",
    "\"a.example.\"",
    "\"*.b.example:1\"",
    "\"[::1]\"",
];
const CONDITIONS: [&str; 12] = [
    "resource.amount < 700",
    "context.attempts < 3",
    "context.attempts + 9223372036854775806 > 0",
    "resource.amount * 30000000000000000 > 0",
    "context.sure.greaterThan(decimal(\"0.5\")) || resource.amount < 100",
    "resource has service && resource.service like \"*a.example*\"",
    "context.task == \"index\" // the nightly one",
    "context.attempts > 1 && context.task != \"pay\"",
    "resource.hour_utc >= 8 && resource.weekday_utc < 6",
    "principal == Agent::\"agent-1\"",
    "resource has country && resource.country != \"US\" || resource.trust > 60",
    "resource has http_method && resource.http_method == \"GET\"",
];

fn named(chance: &mut Chance) -> String {
    let recipients: Vec<_> =
        (0..chance.below(3)).map(|_| format!("\"{}\"", address(chance.below(4) + 1))).collect();
    let contracts: Vec<_> =
        (0..chance.below(3)).map(|_| format!("\"{:#x}\"", chance.of(&ASSETS).token)).collect();
    let mut parts = vec![
        format!("services: {}", chance.list(&ENTRIES)),
        format!("recipients: [{}]", recipients.join(", ")),
        "assets: [USDC]".to_owned(),
        format!("chains: {}", chance.list(&["\"eip155:8453\"", "\"eip155:84532\""])),
        format!("contracts: [{}]", contracts.join(", ")),
        format!("categories: {}", chance.list(&["data", "games", "other"])),
    ];
    let keep = match chance.below(3) {
        0 => 1 << chance.below(6),
        _ => chance.below(63) + 1,
    };
    let mut place = 0;
    parts.retain(|_| {
        place += 1;
        keep & (1 << (place - 1)) != 0
    });
    parts.join(", ")
}

/// What follows is drawn for the rules that leave it open.
fn rule(chance: &mut Chance) -> String {
    let then = *chance.of(&["refuse", "refuse", "ask", "warn"]);
    let hard = if then == "ask" { "refuse" } else { then };
    let amount = format!("0.{:06} USDC", chance.below(2_000));
    let (rule, then) = match chance.below(24) {
        0 => (format!("max_amount: {amount}"), then),
        1 | 2 => (counted(chance), then),
        3 | 4 => (format!("allow: {{ {} }}", named(chance)), then),
        5 => (format!("block: {{ {} }}", named(chance)), hard),
        6 => (format!("price_ceiling: {{ x402: {amount} }}"), hard),
        7 => (format!("price_ceiling: {{ mpp: {amount} }}"), hard),
        8 => (format!("trust: {{ min: {} }}", chance.of(&[20, 40, 41, 60, 80])), then),
        9 => {
            let which = chance.of(&["allow", "block"]);
            (format!("country: {{ {which}: {} }}", chance.list(&["DE", "FR", "US"])), then)
        }
        10..=12 => (asks(chance), ""),
        13 | 14 => (hours(chance), then),
        15 | 16 => (dates(chance), then),
        17 | 18 => (format!("when: '{}'", chance.of(&CONDITIONS)), then),
        other => unmodelled(chance, other, then, hard),
    };
    let then = if then.is_empty() { String::new() } else { format!("    then: {then}\n") };
    format!("  - {rule}\n{then}")
}

fn counted(chance: &mut Chance) -> String {
    let per = *chance.of(&["minute", "hour", "day", "week", "month", "90m"]);
    let zone = chance.below(3) == 0 && per != "90m";
    let zone = if zone { ", calendar: Europe/Berlin" } else { "" };
    let by = ["", "recipient", "service", "endpoint", "category", "protocol", "asset"];
    let by = chance.of(&by);
    let by = if by.is_empty() { String::new() } else { format!(", by: {by}") };
    match chance.below(2) {
        0 => {
            let amount = chance.below(8_000);
            format!("limit: {{ amount: 0.{amount:06} USDC, per: {per}{zone}{by} }}")
        }
        _ => format!("rate: {{ count: {}, per: {per}{zone}{by} }}", chance.below(14)),
    }
}

fn asks(chance: &mut Chance) -> String {
    let what = match chance.below(5) {
        0 => format!("above: 0.{:06} USDC", chance.below(1_100)),
        1 => format!("trust_below: {}", chance.of(&[20, 40, 41, 60, 80])),
        2 => format!("categories: {}", chance.list(&["data", "games", "other"])),
        3 => "agents: [agent-1]".to_owned(),
        _ => "new_payee: true".to_owned(),
    };
    format!("ask: {{ {what} }}")
}

fn hours(chance: &mut Chance) -> String {
    let (from, long) = (chance.below(24), chance.below(23) + 1);
    let zone = chance.of(&["Europe/Berlin", "America/New_York", "Asia/Kolkata"]);
    let days = *chance.of(&["", ", days: [fri, sat]", ", days: [sun, mon]"]);
    let minute = chance.of(&[0, 30]);
    format!(
        "hours: {{ from: \"{from:02}:{minute:02}\", to: \"{:02}:{minute:02}\", \
         zone: {zone}{days} }}",
        (from + long) % 24
    )
}

fn dates(chance: &mut Chance) -> String {
    let zone = chance.of(&["Europe/Berlin", "Etc/UTC"]);
    let day = 22 + chance.below(3);
    match chance.below(4) {
        0 => format!("dates: {{ from: 2025-11-{day}, zone: {zone} }}"),
        1 => format!("dates: {{ until: 2025-11-{day}, zone: {zone} }}"),
        2 => format!("dates: {{ from: 2025-11-21, until: 2025-11-{day}, zone: {zone} }}"),
        _ => format!(
            "blackout: {{ from: 2025-11-{day}, until: 2025-11-{day}, zone: {zone}, reason: no }}"
        ),
    }
}

fn unmodelled(
    chance: &mut Chance,
    which: u64,
    then: &'static str,
    hard: &'static str,
) -> (String, &'static str) {
    match which {
        19 => (format!("max_share_of_balance: {}%", chance.below(100) + 1), then),
        20 => ("max_fee: { amount: 0.001 ETH, per: day }".to_owned(), then),
        21 => (
            format!("payee_pinning: {{ new: {}, changed: ask }}", chance.of(&["allow", "ask"])),
            "",
        ),
        22 => (
            (*chance.of(&[
                "freeze: { refusals: 3, per: hour }",
                "freeze: { new_payees: 4, per: day }",
                "x402: { max_validity: 1m, flows: [upfront, authorization] }",
                "x402: { session_budget: 0.004 USDC }",
            ]))
            .to_owned(),
            hard,
        ),
        _ => (
            (*chance.of(&[
                "mpp: { max_deposit: 0.0005 USDC }",
                "mpp: { intents: [charge] }",
                "mpp: { max_voucher_step: 0.0003 USDC, voucher_signer: session_key }",
            ]))
            .to_owned(),
            then,
        ),
    }
}

fn policy(chance: &mut Chance, applies_to: &str) -> Policy {
    let mode = *chance.of(&["enforce", "enforce", "enforce", "enforce", "warn"]);
    let all = "allow: { services: [\"*.example\", a.example, \"[::1]\", \"[::1]:9\", \
               \"a.example:8443\", \"a.example.:8443\", \"*.b.example:1\"] }";
    let transfers = format!("allow: {{ recipients: [\"{}\"] }}", address(1));
    let grants = format!("  - {all}\n  - {transfers}\n");
    let grants = if chance.below(5) == 0 { String::new() } else { grants };
    let rules: String = (0..chance.below(5)).map(|_| rule(chance)).collect();
    let key = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
    let yaml = format!(
        "policy: p\nepoch: 1\napplies_to: {applies_to}\nmode: {mode}\n\
         people: {{ alice: {{ key: \"{key}\" }} }}\napprovals: {{ any: 1, of: [alice] }}\n\
         context: {{ attempts: long, sure: decimal, task: string }}\nrules:\n{grants}{rules}"
    );
    let yaml =
        if yaml.ends_with("rules:\n") { yaml.replace("rules:\n", "rules: []\n") } else { yaml };
    Policy::parse(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

pub(crate) fn policies(chance: &mut Chance) -> Vec<Policy> {
    let mut all = vec![policy(chance, "{ agent: agent-1 }")];
    if chance.below(3) == 0 {
        all.push(policy(chance, "{ organisation: house }"));
    }
    if chance.below(4) == 0 {
        let applies_to = format!("{{ wallet: \"{}\", agent: agent-1 }}", address(77));
        all.push(policy(chance, &applies_to));
    }
    all
}
