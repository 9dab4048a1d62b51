//! Every kind of rule, with every outcome it can have: what is said of a payment that does not keep
//! to it, with all its numbers, and that one that keeps to it is not troubled.

use std::collections::BTreeSet;

use alloy_primitives::Address;

use super::*;
use crate::ask::{MppAsk, MppIntent, MppMethod, VoucherSigner};
use crate::catalogue;
use crate::decision::{Decision, Verdict, decide};
use crate::declared::{HttpMethod, PaymentFlow, SessionName};
use crate::fixture::{
    NOW, PAYEE, VENDOR, file, id, intent, proposal, registry, row, transfer, units, x402,
};
use crate::ledger::{Health, Ledger};
use crate::registry::AuthenticRegistry;
use crate::rows::{HoldId, HoldKind, HoldRow, PolicyEpochs, Protocol, SpendRow};
use crate::time::UnixSeconds;
use crate::window::TZDB_VERSION;

const OTHER: Address = Address::repeat_byte(0xee);
const ALLOW: &str = "  - allow: { services: vendors }\n";

/// What is known when the question is asked.
struct Known {
    ledger: Ledger,
    health: Health,
    registry: AuthenticRegistry,
    sessions: [SessionName; 2],
}

impl Known {
    /// 0.6 USDC for the vendor in session one 1,000 seconds ago; a transfer of 0.1 USDC, with a
    /// fee of 60,000 gas at a million wei, 500 seconds ago; a deposit of 0.25 USDC for session two
    /// 100 seconds ago; two refusals and two failures 10 seconds ago.
    fn new() -> Self {
        let sessions: [SessionName; 2] = ["one", "two"].map(|name| name.parse().unwrap());
        let data = || Some("data".parse().unwrap());
        let mut ledger = Ledger::new();
        let at = NOW.minus(1_000);
        let paid = row(&proposal(1, x402(600_000, VENDOR, OTHER), at), at);
        let session = Some(sessions[0].clone());
        let paid = SpendRow { session, category: data(), ..paid };
        ledger.record(&paid).unwrap();
        let at = NOW.minus(500);
        ledger.record(&row(&proposal(2, transfer(100_000, PAYEE), at), at)).unwrap();
        let at = NOW.minus(100);
        let deposit = HoldRow {
            hold: HoldId(id(3).0),
            kind: HoldKind::SessionDeposit,
            agent: paid.agent.clone(),
            wallet: paid.wallet,
            chain: paid.chain,
            token: paid.token,
            amount: units(250_000),
            protocol: Protocol::Mpp,
            recipient: Some(PAYEE),
            service: paid.service.clone(),
            category: data(),
            session: Some(sessions[1].clone()),
            policies: PolicyEpochs::default(),
            tzdb: TZDB_VERSION.to_owned(),
            at,
            expires_at: NOW.plus(3_600),
        };
        ledger.hold(&deposit).unwrap();
        let mut health = Health::default();
        for _ in 0..2 {
            health.refuse(NOW.minus(10));
            health.fail(NOW.minus(10));
        }
        Self { ledger, health, registry: registry(1), sessions }
    }

    /// Two dollars for the vendor, over x402 in session one or over MPP in session two.
    fn decide(&self, rules: &str, mpp: Option<MppAsk>) -> Decision {
        let text = file("{ agent: research-01 }", 7, rules);
        let policy = Policy::parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        let intent = intent(9, x402(2_000_000, VENDOR, OTHER), NOW);
        let ask = Ask {
            session: Some(&self.sessions[usize::from(mpp.is_some())]),
            flow: Some(PaymentFlow::Authorization),
            fee_wei: Some(units(90_000_000_000)),
            mpp,
            ..Ask::of(&intent).unwrap()
        };
        let facts = Facts {
            health: &self.health,
            registry: Some(self.registry.registry()),
            balance: Some(units(4_000_000)),
            ..Facts::of(&self.ledger, NOW)
        };
        decide(&[&policy], &ask, &facts)
    }
}

const DEPOSIT: MppAsk = MppAsk {
    intent: MppIntent::Session,
    http_method: HttpMethod::Get,
    method: MppMethod::Tempo,
    deposit: Some(crate::money::Amount::from_base_units(2_000_000)),
    voucher_step: None,
    duration_seconds: Some(28_801),
    voucher_signer: VoucherSigner::SessionKey,
};
const VOUCHER: MppAsk =
    MppAsk { deposit: None, voucher_step: DEPOSIT.deposit, duration_seconds: None, ..DEPOSIT };

/// One line of the table.
struct Line<'a> {
    rule: &'a str,
    per: Option<&'a str>,
    limit: &'a str,
    current: Option<&'a str>,
    asked: &'a str,
    resets_at: Option<UnixSeconds>,
    kept: &'a str,
}

impl<'a> Line<'a> {
    fn read(text: &'a str) -> Self {
        let columns: Vec<_> = text.split(" | ").collect();
        let [rule, per, limit, current, asked, resets_in, kept] = columns[..] else {
            panic!("{text}")
        };
        let some = |text: &'a str| Some(text).filter(|text| *text != "-");
        let resets_at = some(resets_in).map(|seconds| NOW.plus(seconds.parse().unwrap()));
        Self { rule, per: some(per), limit, current: some(current), asked, resets_at, kept }
    }

    /// Nobody can be asked past some rules.
    fn outcomes(&self) -> &'static [(&'static str, Verdict, Outcome)] {
        use Verdict::{Approve, AskHuman, Refuse};
        const ALL: [(&str, Verdict, Outcome); 4] = [
            ("", Refuse, Outcome::Refuses),
            ("    then: refuse\n", Refuse, Outcome::Refuses),
            ("    then: warn\n", Approve, Outcome::Warns),
            ("    then: ask\n", AskHuman, Outcome::Asks),
        ];
        let hard = ["block", "price_ceiling", "freeze"];
        let is_hard = hard.iter().any(|word| self.rule.starts_with(word));
        if is_hard { &ALL[..3] } else { &ALL }
    }
}

/// Checks a line with every outcome; the kind of its rule.
fn check(line: &Line<'_>, known: &Known, mpp: Option<MppAsk>) -> String {
    let Line { rule, kept, .. } = line;
    for (then, verdict, outcome) in line.outcomes() {
        let decision = known.decide(&format!("{ALLOW}  - {rule}\n{then}"), mpp);
        let found = &decision.policies[0].findings[1];
        let place = format!("{rule} {then}: {found:?}");
        assert_eq!((decision.verdict, found.outcome), (*verdict, *outcome), "{place}");
        assert_eq!((found.per.as_deref(), found.limit.as_str()), (line.per, line.limit), "{place}");
        let current = found.current.as_deref();
        assert_eq!((current, found.asked.as_str()), (line.current, line.asked), "{place}");
        assert_eq!((found.rule, found.resets_at), (1, line.resets_at), "{place}");
        let who = (*outcome == Outcome::Asks).then_some("1 of alice within 30m");
        assert_eq!(found.approvers.as_deref(), who, "{place}");
        assert_eq!(found.freezes, rule.starts_with("freeze"), "{place}");
    }
    let decision = known.decide(&format!("{ALLOW}  - {kept}\n"), mpp);
    let found = &decision.policies[0].findings[1];
    assert_eq!((decision.verdict, found.outcome), (Verdict::Approve, Outcome::Kept), "{kept}");
    assert_eq!((found.resets_at, found.freezes), (None, false), "{kept}");
    found.kind.clone()
}

/// The keys of rules, by the schema; where a rule has several demands, each of them.
fn words() -> BTreeSet<String> {
    let schema = Policy::json_schema();
    let keys = |of: &str| -> Vec<String> {
        schema["$defs"][of]["properties"].as_object().unwrap().keys().cloned().collect()
    };
    let mut words: BTreeSet<_> = catalogue::entries().iter().map(|e| e.word.to_owned()).collect();
    for (word, of) in
        [("x402", "X402File"), ("mpp", "MppFile"), ("price_ceiling", "PriceCeilingFile")]
    {
        assert!(words.remove(word));
        words.extend(keys(of).iter().map(|key| format!("{word}.{key}")));
    }
    words
}

#[test]
fn every_rule_says_its_numbers_with_every_outcome() {
    let known = Known::new();
    let mut seen = BTreeSet::new();
    let mut mpp = None;
    for text in include_str!("every.txt").lines() {
        match text {
            "[two dollars over x402]" => mpp = None,
            "[a deposit of two dollars over MPP]" => mpp = Some(DEPOSIT),
            "[a voucher of two dollars over MPP]" => mpp = Some(VOUCHER),
            "" => {}
            text if text.starts_with('#') => {}
            text => {
                seen.insert(check(&Line::read(text), &known, mpp));
            }
        }
    }
    // These say themselves what follows, and have tables of their own; MPP has one method only.
    // So have access keys, which no other rule is about.
    let apart =
        ["ask", "payee_pinning", "mpp.methods", "v1_channels", "access_key"].map(str::to_owned);
    seen.extend(apart);
    assert_eq!(seen, words());
}

#[test]
fn sessions_that_are_open_are_counted_once() {
    let known = Known::new();
    let opened = |session: &SessionName, limit: u64| {
        let policy = parsed(&format!("  - mpp: {{ max_concurrent_sessions: {limit} }}"));
        let intent = intent(9, x402(1, VENDOR, OTHER), NOW);
        let (session, mpp) = (Some(session), Some(DEPOSIT));
        let ask = Ask { session, mpp, ..Ask::of(&intent).unwrap() };
        decide(&[&policy], &ask, &Facts::of(&known.ledger, NOW)).policies.remove(0).findings
    };
    let [one, two] = &known.sessions;
    for (session, limit, kept, asked) in
        [(one, 1, false, "1"), (one, 2, true, "1"), (two, 0, false, "0"), (two, 1, true, "0")]
    {
        let found = opened(session, limit).remove(0);
        assert_eq!((found.kept(), found.asked.as_str()), (kept, asked), "{session} {limit}");
        assert_eq!(found.current.as_deref(), Some("1"));
    }
}
