//! Pairs of versions: one random policy, and what became of it.

/// Marsaglia's xorshift64: the same versions every time.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(super) fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// What follows may be anything; is never `ask`; is said by the rule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Any,
    Hard,
    Own,
}

/// A kind of rule, as so few rules that one is often stricter than another. `{n}` is 1 to 3.
struct Kind(&'static str, Then, &'static [&'static str]);

const KINDS: &[Kind] = &[
    Kind("max_amount", Then::Any, &["max_amount: {n} USDC"]),
    Kind(
        "price_ceiling",
        Then::Hard,
        &["price_ceiling: { x402: {n} USDC }", "price_ceiling: { mpp: {n} USDC, x402: {n} USDC }"],
    ),
    Kind(
        "max_share_of_balance",
        Then::Any,
        &["max_share_of_balance: {n}0%", "max_share_of_balance: {n}.5%"],
    ),
    Kind(
        "max_fee",
        Then::Any,
        &["max_fee: 0.00000{n} ETH", "max_fee: { amount: 0.00000{n} ETH, {per} }"],
    ),
    Kind("limit", Then::Any, &["limit: { amount: {n} USDC, {per}{by} }"]),
    Kind("rate", Then::Any, &["rate: { count: {n}, {per}{by} }"]),
    Kind(
        "allow",
        Then::Any,
        &[
            "allow: { services: [\"*.example\"] }",
            "allow: { services: [api.search.example, \"*.inference.example\"] }",
            "allow: { services: [api.search.example], recipients: [{payee}] }",
            "allow: { services: [\"*.example\"], categories: [data] }",
            "allow: { categories: [data, search] }",
            "allow: { categories: [data] }",
            "allow: { recipients: [{payee}] }",
            "allow: { recipients: [{payee}], chains: [\"eip155:8453\"] }",
        ],
    ),
    Kind(
        "allow only",
        Then::Any,
        &[
            "allow: { chains: [\"eip155:8453\"] }",
            "allow: { chains: [\"eip155:8453\", \"eip155:84532\"] }",
            "allow: { assets: [USDC], chains: [\"eip155:8453\"] }",
            "allow: { contracts: [\"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913\"] }",
        ],
    ),
    Kind(
        "block",
        Then::Hard,
        &[
            "block: { services: [api.search.example] }",
            "block: { services: [api.search.example:8443] }",
            "block: { services: [\"*.search.example\", other.example] }",
            "block: { services: [other.example], recipients: [{payee}] }",
            "block: { recipients: [{payee}] }",
            "block: { categories: [data] }",
            "block: { categories: [] }",
            "block: { chains: [\"eip155:84532\"] }",
        ],
    ),
    Kind(
        "payee_pinning",
        Then::Own,
        &[
            "payee_pinning: { new: allow, changed: refuse }",
            "payee_pinning: { new: allow, changed: ask }",
            "payee_pinning: { new: ask, changed: ask }",
            "payee_pinning: { new: ask, changed: refuse }",
            "payee_pinning: { new: refuse, changed: refuse }",
        ],
    ),
    Kind("trust", Then::Any, &["trust: { min: {n}0 }", "trust: { min: 8{n} }"]),
    Kind(
        "country",
        Then::Any,
        &[
            "country: { allow: [DE] }",
            "country: { allow: [DE, FR] }",
            "country: { allow: [FR] }",
            "country: { block: [DE] }",
            "country: { block: [FR] }",
            "country: { block: [DE, FR] }",
        ],
    ),
    Kind(
        "ask",
        Then::Own,
        &[
            "ask: { above: {n} USDC }",
            "ask: { new_payee: true }",
            "ask: { above: {n} USDC, new_payee: true }",
            "ask: { trust_below: {n}0 }",
            "ask: { categories: [data] }",
            "ask: { categories: [data, search], agents: [research-01] }",
            "ask: { agents: [research-01] }",
            "ask: { agents: [other], trust_below: 3{n} }",
        ],
    ),
    Kind(
        "freeze",
        Then::Hard,
        &[
            "freeze: { refusals: {n}, {rolling} }",
            "freeze: { failures: {n}, {rolling} }",
            "freeze: { new_payees: {n}, {rolling} }",
            "freeze: { spike: {n}0x, per: hour, over: 2 }",
            "freeze: { spike: 2x, per: hour, over: 2, at_least: {n} USDC }",
        ],
    ),
    Kind(
        "hours",
        Then::Any,
        &[
            "hours: { from: \"09:00\", to: \"17:00\", zone: UTC }",
            "hours: { from: \"08:00\", to: \"20:00\", days: [thu, fri], zone: UTC }",
            "hours: { from: \"10:00\", to: \"17:00\", days: [thu], zone: UTC }",
            "hours: { from: \"22:00\", to: \"06:00\", days: [thu], zone: UTC }",
            "hours: { from: \"22:00\", to: \"07:00\", zone: UTC }",
            "hours: { from: \"09:00\", to: \"17:00\", zone: Europe/Berlin }",
        ],
    ),
    Kind(
        "dates",
        Then::Any,
        &[
            "dates: { from: 2025-02-2{n}, zone: UTC }",
            "dates: { until: 2025-02-27, zone: UTC }",
            "dates: { from: 2025-02-28, until: 2025-03-0{n}, zone: UTC }",
            "dates: { from: 2025-02-27T16:00, until: 2025-03-01T16:0{n}, zone: Europe/Berlin }",
        ],
    ),
    Kind(
        "blackout",
        Then::Any,
        &[
            "blackout: { from: 2025-02-27, until: 2025-02-28, zone: UTC, reason: audit }",
            "blackout: { from: 2025-02-27, until: 2025-03-0{n}, zone: UTC, reason: audit }",
            "blackout: { from: 2025-02-27T17:00, until: 2025-02-27T19:00, zone: UTC, reason: x }",
        ],
    ),
    Kind(
        "x402",
        Then::Any,
        &[
            "x402: { schemes: [exact] }",
            "x402: { schemes: [exact, upto] }",
            "x402: { schemes: [upto] }",
            "x402: { transfer_methods: [eip3009, permit2] }",
            "x402: { transfer_methods: [permit2] }",
        ],
    ),
    Kind(
        "x402 flows",
        Then::Any,
        &["x402: { flows: [authorization] }", "x402: { flows: [authorization, upfront] }"],
    ),
    Kind("x402 max_validity", Then::Any, &["x402: { max_validity: {n}0s }"]),
    Kind("x402 session_budget", Then::Any, &["x402: { session_budget: {n} USDC }"]),
    Kind("mpp max_deposit", Then::Any, &["mpp: { max_deposit: {n} USDC }"]),
    Kind("mpp session_budget", Then::Any, &["mpp: { session_budget: {n} USDC }"]),
    Kind("mpp max_concurrent_sessions", Then::Any, &["mpp: { max_concurrent_sessions: {n} }"]),
    Kind("mpp max_session_duration", Then::Any, &["mpp: { max_session_duration: {n}h }"]),
    Kind(
        "mpp intents",
        Then::Any,
        &["mpp: { intents: [charge] }", "mpp: { intents: [charge, session] }"],
    ),
    Kind("mpp methods", Then::Any, &["mpp: { methods: [tempo] }"]),
    Kind(
        "mpp http_methods",
        Then::Any,
        &["mpp: { http_methods: [GET] }", "mpp: { http_methods: [GET, POST] }"],
    ),
    Kind("mpp max_voucher_step", Then::Any, &["mpp: { max_voucher_step: {n} USDC }"]),
    Kind(
        "mpp voucher_signer",
        Then::Any,
        &["mpp: { voucher_signer: wallet }", "mpp: { voucher_signer: session_key }"],
    ),
    Kind(
        "when",
        Then::Any,
        &[
            "when: 'resource.amount <= {n}000000'",
            "when: 'context.attempts < {n}'",
            "when: 'resource has service'",
        ],
    ),
];

/// How many kinds there are.
pub(super) const COUNT: usize = KINDS.len();

pub(super) fn word(kind: usize) -> &'static str {
    KINDS[kind].0
}

/// A policy as it is put together.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Version {
    /// Each with its kind.
    rules: Vec<(usize, String)>,
    asked: &'static str,
    attempts: &'static str,
}

const ASKED: [&str; 4] = [
    "any: 1, of: [alice]",
    "any: 1, of: [bob]",
    "sequence: [alice, bob]",
    "any: 1, of: [alice], expires: 5m",
];

impl Version {
    /// Some rules, one of which is of that kind.
    pub(super) fn random(chance: &mut Chance, kind: usize) -> Self {
        let mut rules = vec![
            (
                COUNT,
                "  - allow: { services: [\"*.example\", api.search.example:8443] }\n".to_owned(),
            ),
            (
                COUNT,
                "  - allow: { recipients: [\"0x209693Bc6afc0C5328bA36FaF03C514EF312287C\"] }\n"
                    .to_owned(),
            ),
        ];
        if word(kind) == "allow" || chance.one_in(4) {
            rules.clear();
        }
        rules.push((kind, rule(chance, kind)));
        for _ in 0..chance.below(2) {
            let other = usize::try_from(chance.below(COUNT as u64)).unwrap();
            rules.push((other, rule(chance, other)));
        }
        let asked = if chance.one_in(3) { *chance.of(&ASKED) } else { ASKED[0] };
        Self { rules, asked, attempts: "long" }
    }

    /// What became of it: most rules stay, and some are written anew.
    pub(super) fn next(&self, chance: &mut Chance) -> Self {
        let mut next = self.clone();
        for (kind, text) in &mut next.rules {
            if *kind < COUNT && chance.below(3) > 0 {
                *text = rule(chance, *kind);
            }
        }
        if chance.one_in(8) {
            let gone = usize::try_from(chance.below(next.rules.len() as u64)).unwrap();
            next.rules.remove(gone);
        }
        if chance.one_in(8) {
            let more = usize::try_from(chance.below(COUNT as u64)).unwrap();
            next.rules.push((more, rule(chance, more)));
        }
        if chance.one_in(12) {
            next.asked = *chance.of(&ASKED);
        }
        let uses = |(_, text): &(usize, String)| text.contains("context.");
        if chance.one_in(12) && !next.rules.iter().any(uses) {
            next.attempts = "string";
        }
        next
    }

    /// Its rules of that kind.
    pub(super) fn of_kind(&self, kind: usize) -> Vec<&str> {
        let own = self.rules.iter().filter(|(own, _)| *own == kind);
        own.map(|(_, text)| text.as_str()).collect()
    }

    /// As a file.
    pub(super) fn text(&self, applies_to: &str) -> String {
        let key = |seed| crate::document::Ed25519PublicKey::of(&crate::fixture::key(seed));
        let rules: String = self.rules.iter().map(|(_, text)| text.as_str()).collect();
        let rules = if rules.is_empty() { "  []\n" } else { &rules };
        format!(
            "policy: p\nepoch: 7\napplies_to: {applies_to}\n\
             people: {{ alice: {{ key: '{}' }}, bob: {{ key: '{}' }} }}\n\
             approvals: {{ {} }}\ncontext: {{ attempts: {} }}\nrules:\n{rules}",
            key(11),
            key(12),
            self.asked,
            self.attempts,
        )
    }
}

fn rule(chance: &mut Chance, kind: usize) -> String {
    const ROLLING: [&str; 4] = ["per: hour", "per: 90m", "per: day", "per: week"];
    const CALENDAR: [&str; 3] = [
        "per: day, calendar: Europe/Berlin",
        "per: week, calendar: Europe/Berlin",
        "per: month, calendar: UTC",
    ];
    const BY: [&str; 9] = [
        "",
        "",
        "",
        ", by: service",
        ", by: recipient",
        ", by: endpoint",
        ", by: category",
        ", by: protocol",
        ", by: asset",
    ];
    let Kind(_, then, forms) = &KINDS[kind];
    let mut text = (*chance.of(forms)).to_owned();
    while text.contains("{n}") {
        text = text.replacen("{n}", &(chance.below(3) + 1).to_string(), 1);
    }
    let per = if chance.one_in(4) { chance.of(&CALENDAR) } else { chance.of(&ROLLING) };
    let text = text
        .replace("{per}", per)
        .replace("{rolling}", chance.of::<&str>(&ROLLING))
        .replace("{by}", chance.of::<&str>(&BY))
        .replace("{payee}", "\"0x209693Bc6afc0C5328bA36FaF03C514EF312287C\"");
    let follows = match then {
        Then::Own => "",
        Then::Hard => chance.of(&["", "", "", "    then: warn\n"]),
        Then::Any => chance.of(&["", "", "    then: ask\n", "    then: ask\n", "    then: warn\n"]),
    };
    let own = follows.contains("ask") && chance.one_in(6);
    let approvers = if own { "    approvers: { any: 1, of: [bob] }\n" } else { "" };
    format!("  - {text}\n{follows}{approvers}")
}
