//! Random policies, payments and histories, the same every time.

#[path = "made/rules.rs"]
mod rules;

pub(crate) use rules::policies;
use tercet_policy::ask::{Ask, MppAsk, MppIntent, MppMethod, VoucherSigner};
use tercet_policy::chain::ASSETS;
use tercet_policy::declared::HttpMethod;
use tercet_policy::intent::PaymentIntent;
use tercet_policy::ledger::{Health, Ledger};
use tercet_policy::money::Amount;
use tercet_policy::registry::Registry;
use tercet_policy::time::UnixSeconds;

const PAST_PAYMENTS: u64 = 12;
/// A Saturday, 2025-11-22, 14:40 in UTC.
pub(crate) const NOW: u64 = 1_763_822_400;
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
const REGISTRY: &str = "\
registry: counterparties
epoch: 3
unknown_trust: 20
counterparties:
  - { name: a, services: [a.example, b.a.example], country: DE, category: data, trust: 80 }
  - { name: b, services: [b.example, xa.example], country: US, category: games, trust: 40 }
  - { name: c, services: [\"[::1]:9\"], category: data, trust: 60 }
  - { name: d, recipients: [\"0x0000000000000000000000000000000000000001\"], country: FR, \
trust: 61 }
  - { name: e, recipients: [\"0x0000000000000000000000000000000000000002\"], category: data, \
trust: 59 }
";

/// Marsaglia's xorshift64: the same payments every time.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
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

pub(crate) fn registry() -> Registry {
    Registry::parse(REGISTRY).unwrap()
}

fn payment(chance: &mut Chance, at: u64) -> serde_json::Value {
    // Those of Base come first, and these are payments on Base.
    let asset = chance.of(&ASSETS[..2]);
    let to = address(chance.below(4) + 1);
    let amount = (chance.below(1_000) + 1).to_string();
    let host = *chance.of(&HOSTS);
    if chance.below(3) == 0 {
        return serde_json::json!({
            "kind": "transfer", "chain": asset.chain, "token": asset.token, "to": to,
            "amount": amount,
        });
    }
    let path = chance.of(&["q", "r"]);
    serde_json::json!({
        "kind": "x402_exact", "chain": asset.chain, "token": asset.token, "to": to,
        "amount": amount, "valid_before": at + 30 + chance.below(60),
        "resource": format!("https://{host}/{path}"), "service": host,
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

fn declared(chance: &mut Chance) -> serde_json::Value {
    let mut declared = serde_json::json!({ "context": context(chance) });
    for (name, all) in [
        ("method", &["GET", "POST"][..]),
        ("flow", &["authorization", "upfront", "escrow"]),
        ("session", &["one", "two"]),
    ] {
        if chance.below(2) == 0 {
            declared[name] = (*chance.of(all)).into();
        }
    }
    declared
}

/// A payment as an agent asks for it.
pub(crate) fn intent(chance: &mut Chance, at: u64) -> PaymentIntent {
    let agent = match chance.below(20) {
        0 => "agent-2",
        _ => "agent-1",
    };
    serde_json::from_value(serde_json::json!({
        "version": 1, "id": format!("{:064x}", chance.below(u64::MAX)), "agent": agent,
        "wallet": address(77 + u64::from(chance.below(20) == 0)),
        "payment": payment(chance, at), "created_at": at, "expires_at": at + 60,
        "declared": declared(chance),
    }))
    .unwrap()
}

/// The same, with terms and with what MPP adds for some.
pub(crate) fn ask<'a>(chance: &mut Chance, intent: &'a PaymentIntent) -> Ask<'a> {
    let mut ask = Ask::of(intent).unwrap();
    if chance.below(2) == 0 {
        ask.fee_wei = Some(Amount::from_base_units(u128::from(chance.below(2)) * (1 << 51)));
    }
    if ask.service.is_some() && chance.below(4) == 0 {
        let mut units = || match chance.below(2) {
            0 => None,
            _ => Some(Amount::from_base_units(u128::from(chance.below(1_000)))),
        };
        let (deposit, voucher_step) = (units(), units());
        ask.mpp = Some(MppAsk {
            intent: *chance.of(&[MppIntent::Charge, MppIntent::Session]),
            http_method: HttpMethod::Get,
            method: MppMethod::Tempo,
            deposit,
            voucher_step,
            duration_seconds: None,
            voucher_signer: *chance.of(&[VoucherSigner::SessionKey, VoucherSigner::Wallet]),
        });
    }
    ask
}

/// A moment of the next two days, often one at which a clock strikes.
pub(crate) fn moment(chance: &mut Chance) -> u64 {
    let now = NOW + chance.below(200_000);
    match chance.below(3) {
        0 => now - now % 1_800,
        1 => now - now % 1_800 - 1,
        _ => now,
    }
}

pub(crate) fn health(chance: &mut Chance) -> Health {
    let mut health = Health::default();
    for _ in 0..chance.below(5) {
        health.refuse(UnixSeconds(NOW + 100_000));
    }
    health
}

pub(crate) fn ledger(chance: &mut Chance) -> Ledger {
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
