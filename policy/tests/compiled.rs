//! Holds the typed evaluator and the compiled policies together, on random payments under random
//! policies. `TERCET_DIFFERENTIAL_REQUESTS` sets how many; a million take minutes.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test on made-up data: a wrong assumption shall stop it"
)]

use tercet_policy::ask::{Ask, Facts};
use tercet_policy::chain::ASSETS;
use tercet_policy::compile::{Compiled, Question};
use tercet_policy::decision::{Verdict, decide};
use tercet_policy::intent::PaymentIntent;
use tercet_policy::ledger::Ledger;
use tercet_policy::rules::Policy;
use tercet_policy::time::UnixSeconds;

const REQUESTS_DEFAULT: usize = 200_000;
const REQUESTS_PER_POLICY: usize = 500;
const PAST_PAYMENTS: u64 = 12;
const NOW: u64 = 1_763_822_400;
const HOSTS: [&str; 12] = [
    "a.example",
    "b.a.example",
    "c.b.a.example",
    "a.example.",
    "a.example:8443",
    "a.example.:8443",
    "xa.example",
    "b.example",
    "x.b.example:1",
    "[::1]",
    "[::1]:9",
    "any.b.example.",
];
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
const CONDITIONS: [&str; 10] = [
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
];

/// Who is asked.
const PEOPLE: &str =
    "people: { alice: { key: \"8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c\" } }\n\
     approvals: { any: 1, of: [alice] }\n";

/// Marsaglia's xorshift64: the same payments every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }

    fn list(&mut self, all: &[&str]) -> String {
        let entries: Vec<_> = (0..self.below(3)).map(|_| (*self.of(all)).to_owned()).collect();
        format!("[{}]", entries.join(", "))
    }
}

fn address(n: u64) -> String {
    format!("0x{n:040x}")
}

fn named(chance: &mut Chance) -> String {
    let recipients: Vec<_> =
        (0..chance.below(3)).map(|_| format!("\"{}\"", address(chance.below(4) + 1))).collect();
    let mut parts = vec![
        format!("services: {}", chance.list(&ENTRIES)),
        format!("recipients: [{}]", recipients.join(", ")),
        "assets: [USDC]".to_owned(),
        format!("chains: {}", chance.list(&["\"eip155:8453\"", "\"eip155:84532\""])),
    ];
    let keep = chance.below(15) + 1;
    let mut place = 0;
    parts.retain(|_| {
        place += 1;
        keep & (1 << (place - 1)) != 0
    });
    parts.join(", ")
}

fn rule(chance: &mut Chance) -> String {
    let then = *chance.of(&["refuse", "refuse", "ask", "warn"]);
    let amount = chance.below(2_000);
    let per = *chance.of(&["minute", "hour", "day", "week"]);
    let by = *chance.of(&["", ", by: recipient", ", by: service"]);
    let rule = match chance.below(8) {
        0 => format!("max_amount: 0.{amount:06} USDC"),
        1 => format!("limit: {{ amount: 0.{:06} USDC, per: {per}{by} }}", amount * 4),
        2 => format!("rate: {{ count: {}, per: {per}{by} }}", chance.below(14)),
        3 | 4 => format!("allow: {{ {} }}", named(chance)),
        5 => format!("block: {{ {} }}", named(chance)),
        6 => {
            let from = chance.below(24);
            format!(
                "hours: {{ from: \"{from:02}:00\", to: \"{:02}:30\", zone: Europe/Berlin }}",
                (from + 7) % 24
            )
        }
        _ => format!("when: '{}'", chance.of(&CONDITIONS)),
    };
    // Nobody can be asked past a block.
    let then = if then == "ask" && rule.starts_with("block") { "refuse" } else { then };
    format!("  - {rule}\n    then: {then}\n")
}

fn policy(chance: &mut Chance, applies_to: &str) -> Policy {
    let mode = *chance.of(&["enforce", "enforce", "enforce", "warn"]);
    let all = "allow: { services: [\"*.example\", a.example, \"[::1]\"] }";
    let transfers = format!("allow: {{ recipients: [\"{}\"] }}", address(1));
    let grants = format!("  - {all}\n  - {transfers}\n");
    let grants = if chance.below(4) == 0 { String::new() } else { grants };
    let rules: String = (0..chance.below(5)).map(|_| rule(chance)).collect();
    let yaml = format!(
        "policy: p\nepoch: 1\napplies_to: {applies_to}\nmode: {mode}\n\
         context: {{ attempts: long, sure: decimal, task: string }}\n{PEOPLE}rules:\n{grants}{rules}"
    );
    let yaml =
        if yaml.ends_with("rules:\n") { yaml.replace("rules:\n", "rules: []\n") } else { yaml };
    Policy::parse(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

fn policies(chance: &mut Chance) -> Vec<Policy> {
    let mut all = vec![policy(chance, "{ agent: agent-1 }")];
    if chance.below(2) == 0 {
        all.push(policy(chance, "{ organisation: house }"));
    }
    if chance.below(3) == 0 {
        let applies_to = format!("{{ wallet: \"{}\", agent: agent-1 }}", address(77));
        all.push(policy(chance, &applies_to));
    }
    all
}

fn payment(chance: &mut Chance, at: u64) -> serde_json::Value {
    let asset = chance.of(&ASSETS);
    let to = address(chance.below(4) + 1);
    let amount = (chance.below(1_000) + 1).to_string();
    let host = *chance.of(&HOSTS);
    if chance.below(3) == 0 {
        return serde_json::json!({
            "kind": "transfer", "chain": asset.chain, "token": asset.token, "to": to,
            "amount": amount,
        });
    }
    serde_json::json!({
        "kind": "x402_exact", "chain": asset.chain, "token": asset.token, "to": to,
        "amount": amount, "valid_before": at + 60, "resource": format!("https://{host}/q"),
        "service": host,
    })
}

fn context(chance: &mut Chance) -> serde_json::Value {
    let mut context = serde_json::Map::new();
    if chance.below(5) > 0 {
        let value =
            chance.of(&[1.into(), 2.into(), 9.into(), serde_json::Value::from("2")]).clone();
        context.insert("attempts".to_owned(), value);
    }
    if chance.below(5) > 0 {
        let sure = *chance.of(&["0.4", "0.5", "0.51", "1"]);
        context.insert("sure".to_owned(), serde_json::json!({ "decimal": sure }));
    }
    if chance.below(5) > 0 {
        context.insert("task".to_owned(), (*chance.of(&["index", "pay"])).into());
    }
    context.into()
}

fn intent(chance: &mut Chance, at: u64) -> PaymentIntent {
    let agent = *chance.of(&["agent-1", "agent-1", "agent-1", "agent-1", "agent-2"]);
    serde_json::from_value(serde_json::json!({
        "version": 1, "id": format!("{:064x}", chance.below(u64::MAX)), "agent": agent,
        "wallet": address(77 + u64::from(chance.below(8) == 0)),
        "payment": payment(chance, at), "created_at": at, "expires_at": at + 60,
        "declared": { "context": context(chance) },
    }))
    .unwrap()
}

fn ledger(chance: &mut Chance) -> Ledger {
    let mut ledger = Ledger::default();
    for n in 0..PAST_PAYMENTS {
        let at = NOW - (PAST_PAYMENTS - n) * chance.below(9_000);
        let mut row = payment(chance, at);
        let (wallet, nonce) = (address(77), format!("0x{n:064x}"));
        let (chain, token) = (row["chain"].clone(), row["token"].clone());
        let fields = row.as_object_mut().unwrap();
        let to = fields.remove("to").unwrap();
        fields.remove("valid_before");
        fields.remove("resource");
        fields.entry("service").or_insert(serde_json::Value::Null);
        for (name, value) in [
            ("intent", serde_json::json!(format!("{:064x}", n + 1))),
            ("content_hash", serde_json::json!("00".repeat(32))),
            ("agent", "agent-1".into()),
            ("wallet", wallet.clone().into()),
            ("recipient", to),
            ("cancels", serde_json::Value::Null),
            (
                "slot",
                serde_json::json!({ "kind": "eip3009", "wallet": wallet, "chain": chain,
                "token": token, "nonce": nonce }),
            ),
            ("digest", nonce.clone().into()),
            ("replaces", serde_json::Value::Null),
            (
                "terms",
                serde_json::json!({ "kind": "eip3009", "nonce": nonce, "valid_after": 0,
                "valid_before": at + 60 }),
            ),
            ("policies", serde_json::json!({ "agent": 1 })),
            ("tzdb", "test".into()),
            ("at", at.into()),
        ] {
            fields.insert(name.to_owned(), value);
        }
        ledger.record(&serde_json::from_value(row).unwrap()).unwrap();
    }
    ledger
}

#[test]
fn the_typed_and_the_compiled_policies_answer_alike() {
    let wanted = std::env::var("TERCET_DIFFERENTIAL_REQUESTS").ok();
    let wanted = wanted.map_or(REQUESTS_DEFAULT, |text| text.parse().unwrap());
    let mut chance = Chance(0x5eed_7e2c_e75e_ed01);
    let (mut done, mut verdicts) = (0, [0_usize; 3]);
    while done < wanted {
        let policies = policies(&mut chance);
        let policies: Vec<_> = policies.iter().collect();
        let compiled = Compiled::of(&policies).unwrap();
        let ledger = ledger(&mut chance);
        for _ in 0..REQUESTS_PER_POLICY.min(wanted - done) {
            let now = NOW + chance.below(200_000);
            let intent = intent(&mut chance, now);
            let ask = Ask::of(&intent).unwrap();
            let facts = Facts::of(&ledger, UnixSeconds(now));
            let verdict = decide(&policies, &ask, &facts).verdict;
            let asked = compiled.ask(&ask, &facts).unwrap();
            let answers = [Question::Approves, Question::Admits]
                .map(|question| compiled.answer(question, &asked));
            let expected = [verdict == Verdict::Approve, verdict != Verdict::Refuse];
            assert_eq!(answers, expected, "{verdict:?} {intent:?}\n{policies:#?}");
            verdicts[verdict as usize] += 1;
            done += 1;
        }
    }
    let least = wanted / 100;
    assert!(verdicts.iter().all(|count| *count >= least), "one-sided: {verdicts:?}");
    println!("{done} payments agree; approved, asked, refused: {verdicts:?}");
}
