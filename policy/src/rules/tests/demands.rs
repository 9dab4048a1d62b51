//! Prices, shares, fees, x402 and MPP: one table per rule, with both sides of each boundary.

use alloy_primitives::Address;

use super::*;
use crate::ask::{MppAsk, MppIntent, MppMethod, VoucherSigner};
use crate::decision::decide;
use crate::declared::{HttpMethod, PaymentFlow, SessionName};
use crate::fixture::{NOW, PAYEE, VENDOR, intent, transfer, units, x402};
use crate::intent::PaymentIntent;
use crate::ledger::Ledger;

fn an_x402(amount: u128) -> PaymentIntent {
    intent(1, x402(amount, VENDOR, Address::repeat_byte(0xee)), NOW)
}

fn a_transfer(amount: u128) -> PaymentIntent {
    intent(1, transfer(amount, PAYEE), NOW)
}

fn found(rule: &str, ask: &Ask<'_>, balance: Option<u128>) -> Vec<Finding> {
    let policy = parsed(&format!("  - {rule}"));
    let ledger = Ledger::new();
    let facts = Facts { balance: balance.map(units), ..Facts::of(&ledger, NOW) };
    decide(&[&policy], ask, &facts).policies.remove(0).findings
}

fn kept(rule: &str, ask: &Ask<'_>) -> bool {
    found(rule, ask, None).iter().all(Finding::kept)
}

const CHARGE: MppAsk = MppAsk {
    intent: MppIntent::Charge,
    http_method: HttpMethod::Get,
    method: MppMethod::Tempo,
    deposit: None,
    voucher_step: None,
    duration_seconds: None,
    voucher_signer: VoucherSigner::SessionKey,
};
const SESSION: MppAsk = MppAsk { intent: MppIntent::Session, ..CHARGE };

#[test]
fn a_price_ceiling_is_for_one_protocol() {
    let rule = "price_ceiling: { x402: 0.10 USDC, mpp: 1 USDC }";
    for (amount, fits) in [(100_000, true), (100_001, false)] {
        let intent = an_x402(amount);
        assert_eq!(kept(rule, &Ask::of(&intent).unwrap()), fits, "{amount}");
    }
    let intent = a_transfer(5_000_000);
    assert!(kept(rule, &Ask::of(&intent).unwrap()), "a transfer has no price");
    let intent = an_x402(1_000_001);
    let ask = Ask::of(&intent).unwrap();
    let mpp = |mpp| kept(rule, &Ask { mpp: Some(mpp), ..ask.clone() });
    assert!(!mpp(CHARGE));
    assert!(!mpp(SESSION), "neither deposit nor voucher");
    assert!(mpp(MppAsk { deposit: Some(units(9_000_000)), ..SESSION }), "a deposit is no price");
    assert!(mpp(MppAsk { voucher_step: Some(units(1_000_000)), ..SESSION }));
    assert!(!mpp(MppAsk { voucher_step: Some(units(1_000_001)), ..SESSION }));
    let kinds: Vec<_> = found(rule, &ask, None).into_iter().map(|f| (f.rule, f.kind)).collect();
    assert_eq!(kinds, [(0, "price_ceiling.x402".to_owned()), (0, "price_ceiling.mpp".to_owned())]);
}

#[test]
fn a_share_of_the_balance_is_exact_and_of_a_known_balance() {
    let rule = "max_share_of_balance: 12.5%";
    for (amount, balance, fits) in [
        (125, Some(1_000), true),
        (126, Some(1_000), false),
        (1, Some(8), true),
        (1, Some(7), false),
        (1, Some(0), false),
        (1, None, false),
        (u128::MAX, Some(u128::MAX), false),
        (u128::MAX / 8, Some(u128::MAX), true),
    ] {
        let intent = an_x402(amount);
        let found = found(rule, &Ask::of(&intent).unwrap(), balance);
        assert_eq!(found[0].kept(), fits, "{amount} of {balance:?}");
    }
    let all = found("max_share_of_balance: 100%", &Ask::of(&an_x402(7)).unwrap(), Some(7));
    assert!(all[0].kept());
}

#[test]
fn fees_are_judged_by_what_the_chain_may_take() {
    let (each, daily) =
        ("max_fee: 0.0005 ETH", "max_fee: { amount: 0.01 ETH, per: day, calendar: UTC }");
    let intent = a_transfer(1);
    let ask = Ask::of(&intent).unwrap();
    for (rule, limit) in [(each, 500_000_000_000_000), (daily, 10_000_000_000_000_000)] {
        for (fee, fits) in [
            (Some(0), true),
            (Some(limit), true),
            (Some(limit + 1), false),
            (Some(u128::MAX), false),
            (None, false),
        ] {
            let ask = Ask { fee_wei: fee.map(units), ..ask.clone() };
            assert_eq!(kept(rule, &ask), fits, "{rule}: {fee:?}");
        }
    }
    assert!(kept(each, &Ask::of(&an_x402(1)).unwrap()), "whoever settles it pays");
}

#[test]
fn fees_of_a_window_are_summed_up() {
    let rule = parsed("  - max_fee: { amount: 0.00000012 ETH, per: day }");
    let mut ledger = Ledger::new();
    // 60,000 gas at a million wei.
    let row = crate::fixture::row(&crate::fixture::proposal(1, transfer(1, PAYEE), NOW), NOW);
    ledger.record(&row).unwrap();
    let intent = a_transfer(1);
    let ask = Ask::of(&intent).unwrap();
    for (fee, fits) in [(60_000_000_000, true), (60_000_000_001, false)] {
        let ask = Ask { fee_wei: Some(units(fee)), ..ask.clone() };
        let found = decide(&[&rule], &ask, &Facts::of(&ledger, NOW)).policies.remove(0).findings;
        assert_eq!(found[0].kept(), fits, "{fee}");
        assert_eq!(found[0].current.as_deref(), Some("0.00000006 ETH"));
        assert_eq!(found[0].resets_at, (!fits).then(|| NOW.plus(86_400)));
    }
}

#[test]
fn x402_is_judged_by_what_is_signed_and_by_the_agents_word() {
    let intent = an_x402(1);
    let ask = Ask::of(&intent).unwrap();
    let flow = |flow| Ask { flow, ..ask.clone() };
    let only = "x402: { flows: [authorization] }";
    for (rule, ask, fits) in [
        ("x402: { schemes: [exact, upto] }", ask.clone(), true),
        ("x402: { schemes: [batch-settlement] }", ask.clone(), false),
        ("x402: { transfer_methods: [eip3009] }", ask.clone(), true),
        ("x402: { transfer_methods: [permit2, erc7710] }", ask.clone(), false),
        (only, flow(Some(PaymentFlow::Authorization)), true),
        (only, flow(Some(PaymentFlow::Upfront)), false),
        (only, flow(None), false),
        ("x402: { max_validity: 1m }", ask.clone(), true),
        ("x402: { max_validity: 59s }", ask.clone(), false),
        ("x402: { max_validity: 1m }", Ask { validity_seconds: None, ..ask.clone() }, false),
    ] {
        assert_eq!(kept(rule, &ask), fits, "{rule}");
        let transfer = a_transfer(1);
        assert!(kept(rule, &Ask::of(&transfer).unwrap()), "{rule} is not about transfers");
    }
}

#[test]
fn a_session_has_a_budget_of_its_own() {
    let policy = parsed("  - x402: { session_budget: 1 USDC }");
    let (one, other): (SessionName, SessionName) = ("one".parse().unwrap(), "two".parse().unwrap());
    let mut paid = an_x402(600_000);
    paid.declared.session = Some(one.clone());
    let proposal = crate::fixture::proposal(2, paid.payment.clone(), NOW);
    let row = crate::fixture::row(&proposal, NOW);
    let row = crate::rows::SpendRow { session: Some(one.clone()), ..row };
    let mut ledger = Ledger::new();
    ledger.record(&row).unwrap();
    for (session, amount, fits) in [
        (Some(&one), 400_000, true),
        (Some(&one), 400_001, false),
        (Some(&other), 1_000_000, true),
        (Some(&other), 1_000_001, false),
        (None, 1, false),
    ] {
        let intent = an_x402(amount);
        let ask = Ask { session, ..Ask::of(&intent).unwrap() };
        // Long after, it is the same session.
        let facts = Facts::of(&ledger, NOW.plus(10_000_000));
        let found = decide(&[&policy], &ask, &facts).policies.remove(0).findings;
        assert_eq!(found[0].kept(), fits, "{session:?} {amount}");
    }
}

#[test]
fn mpp_is_judged_demand_by_demand() {
    let intent = an_x402(1_000_000);
    let session: SessionName = "one".parse().unwrap();
    let ask = Ask { session: Some(&session), ..Ask::of(&intent).unwrap() };
    let deposit = |units_: u128| MppAsk { deposit: Some(units(units_)), ..SESSION };
    let voucher = |step: u128| MppAsk { voucher_step: Some(units(step)), ..SESSION };
    let lasting = |seconds| MppAsk { duration_seconds: seconds, ..deposit(1) };
    let wallet = MppAsk { voucher_signer: VoucherSigner::Wallet, ..voucher(1) };
    for (rule, mpp, fits) in [
        ("max_deposit: 10 USDC", deposit(10_000_000), true),
        ("max_deposit: 10 USDC", deposit(10_000_001), false),
        ("max_deposit: 10 USDC", voucher(11_000_000), true),
        ("max_deposit: 10 USDC", SESSION, false),
        ("max_deposit: 10 USDC", CHARGE, true),
        ("session_budget: 10 USDC", deposit(10_000_000), true),
        ("session_budget: 10 USDC", deposit(10_000_001), false),
        ("session_budget: 10 USDC", voucher(11_000_000), true),
        ("max_concurrent_sessions: 1", deposit(1), true),
        ("max_concurrent_sessions: 0", deposit(1), false),
        ("max_concurrent_sessions: 0", voucher(1), true),
        ("max_concurrent_sessions: 0", CHARGE, true),
        ("max_session_duration: 8h", lasting(Some(28_800)), true),
        ("max_session_duration: 8h", lasting(Some(28_801)), false),
        ("max_session_duration: 8h", lasting(None), false),
        ("max_session_duration: 8h", voucher(1), true),
        ("intents: [charge]", CHARGE, true),
        ("intents: [charge]", SESSION, false),
        ("methods: [tempo]", CHARGE, true),
        ("http_methods: [GET]", CHARGE, true),
        ("http_methods: [POST]", CHARGE, false),
        ("max_voucher_step: 0.5 USDC", voucher(500_000), true),
        ("max_voucher_step: 0.5 USDC", voucher(500_001), false),
        ("max_voucher_step: 0.5 USDC", deposit(9_000_000), true),
        ("max_voucher_step: 0.5 USDC", SESSION, false),
        ("voucher_signer: session_key", voucher(1), true),
        ("voucher_signer: session_key", wallet, false),
        ("voucher_signer: wallet", wallet, true),
        ("voucher_signer: wallet", voucher(1), false),
    ] {
        let rule = format!("mpp: {{ {rule} }}");
        assert_eq!(kept(&rule, &Ask { mpp: Some(mpp), ..ask.clone() }), fits, "{rule} {mpp:?}");
        assert!(kept(&rule, &ask), "{rule} is not about x402");
    }
    let nameless = Ask { session: None, mpp: Some(deposit(1)), ..ask.clone() };
    assert!(!kept("mpp: { max_deposit: 10 USDC }", &nameless), "a deposit names its session");
}

#[test]
fn demands_that_are_none_are_refused_with_their_line() {
    for rule in [
        "price_ceiling: {}",
        "price_ceiling: { x402: 1 }",
        "price_ceiling: { ap2: 1 USDC }",
        "max_share_of_balance: 0%",
        "max_share_of_balance: 100.01%",
        "max_share_of_balance: 12.345%",
        "max_share_of_balance: 25",
        "max_share_of_balance: 0.25",
        "max_fee: 1 USDC",
        "max_fee: 0.0005",
        "max_fee: 0.0000000000000000001 ETH",
        "max_fee: { amount: 1 ETH }",
        "max_fee: { amount: 1 ETH, per: 0m }",
        "max_fee: { amount: 1 ETH, per: day, by: service }",
        "limit: { amount: 1 ETH, per: day }",
        "limit: { amount: 1 USDC, per: 90m, calendar: UTC }",
        "limit: { amount: 1 USDC, per: day, by: session }",
        "x402: {}",
        "x402: { schemes: [] }",
        "x402: { schemes: [permit2] }",
        "x402: { max_validity: 0s }",
        "x402: { max_validity: 5 }",
        "mpp: {}",
        "mpp: { intents: [open] }",
        "mpp: { http_methods: [get] }",
        "mpp: { max_concurrent_sessions: -1 }",
        "mpp: { max_session_duration: 367d }",
        "mpp: { voucher_signer: agent }",
    ] {
        let refused = Policy::parse(&yaml(7, &format!("  - {rule}")));
        assert!(
            matches!(refused, Err(PolicyError::Malformed { line: 8, .. })),
            "{rule}: {refused:?}"
        );
    }
}

#[test]
fn the_schema_knows_every_key_and_that_an_entry_is_one_rule() {
    let schema = serde_json::to_value(schema()).unwrap();
    let rule = &schema["$defs"]["RuleFile"];
    let properties = rule["properties"].as_object().unwrap();
    for key in ["limit", "max_fee", "x402", "mpp", "dates", "blackout", "price_ceiling", "when"] {
        assert!(properties.contains_key(key), "{key}");
        let alone = serde_json::json!({ "required": [key] });
        assert!(rule["oneOf"].as_array().unwrap().contains(&alone), "{key}");
    }
    assert_eq!(rule["additionalProperties"], serde_json::json!(false));
    assert!(!schema.to_string().contains("\"null\""), "absent is not null");
}
