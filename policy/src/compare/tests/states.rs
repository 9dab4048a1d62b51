//! Payments that are asked for, and what is known when they are.

use alloy_primitives::{Address, address};

use super::versions::Chance;
use crate::approval::AuthenticApproval;
use crate::ask::{Ask, Facts, MppAsk, MppIntent, MppMethod, VoucherSigner};
use crate::chain::{ASSETS, Chain};
use crate::context::{Context, ContextValue};
use crate::declared::{HttpMethod, PaymentFlow, SessionName};
use crate::fixture::{self, EPOCHS, NOW, PAYEE, VENDOR, WALLET, units};
use crate::intent::{AuthenticIntent, Payment};
use crate::ledger::{Health, Ledger};
use crate::money::Amount;
use crate::registry::AuthenticRegistry;
use crate::rows::{HoldId, HoldKind, HoldRow, Protocol, SpendRow};
use crate::time::UnixSeconds;
use crate::window::TZDB_VERSION;

const OTHER: Address = address!("0x00000000000000000000000000000000000000aa");
const USDC: u128 = 1_000_000;

/// Everything that payments and facts are drawn from.
pub(super) struct World {
    intents: Vec<(AuthenticIntent, Vec<AuthenticApproval>)>,
    ledgers: Vec<Ledger>,
    healths: Vec<Health>,
    registry: AuthenticRegistry,
    sessions: [SessionName; 2],
    contexts: [Context; 3],
}

/// One question: a payment in a state.
pub(super) struct Question<'a> {
    pub(super) ask: Ask<'a>,
    pub(super) facts: Facts<'a>,
}

impl World {
    pub(super) fn new() -> Self {
        let intents = (0..24).map(|n| intent(n, payment(n))).collect();
        let health = |moments: u64| {
            let mut health = Health::default();
            for n in 0..moments {
                health.refuse(NOW.minus(n * 1_700));
                health.fail(NOW.minus(n * 2_500));
            }
            health
        };
        let attempts = |value| Context::default().with("attempts", value).unwrap();
        Self {
            intents,
            ledgers: (0..12).map(ledger).collect(),
            healths: [0, 2, 4].map(health).into(),
            registry: fixture::registry(3),
            sessions: ["one", "two"].map(|name| name.parse().unwrap()),
            contexts: [
                Context::default(),
                attempts(ContextValue::Long(1)),
                attempts(ContextValue::Long(2)),
            ],
        }
    }

    pub(super) fn question(&self, chance: &mut Chance) -> Question<'_> {
        let (intent, approvals) = chance.of(&self.intents);
        let mut ask = Ask::from(intent);
        ask.session = [None, Some(&self.sessions[0]), Some(&self.sessions[1])][draw(chance, 3)];
        ask.context = chance.of(&self.contexts);
        ask.flow =
            *chance.of(&[None, Some(PaymentFlow::Authorization), Some(PaymentFlow::Upfront)]);
        ask.validity_seconds = ask.validity_seconds.map(|_| chance.below(40));
        ask.fee_wei =
            (!chance.one_in(8)).then(|| units(u128::from(chance.below(5)) * 900_000_000_000));
        if ask.service.is_some() && chance.one_in(3) {
            ask.mpp = Some(mpp(chance));
        }
        let said = [0, 1, 2, 3][draw(chance, 4)];
        let now = [0, 3_600, 40_000, 86_400, 130_000, 260_000][draw(chance, 6)];
        let facts = Facts {
            health: chance.of(&self.healths),
            stopped_at: chance.one_in(5).then_some(NOW.minus(2_000)),
            registry: (!chance.one_in(5)).then(|| self.registry.registry()),
            balance: *chance.of(&[None, Some(units(5 * USDC)), Some(units(40 * USDC))]),
            fee_counted_wei: *chance.of(&[Amount::ZERO, Amount::ZERO, units(900_000_000_000)]),
            approvals: &approvals[..said],
            epochs: EPOCHS,
            ..Facts::of(chance.of(&self.ledgers), NOW.plus(now))
        };
        Question { ask, facts }
    }
}

fn draw(chance: &mut Chance, n: u64) -> usize {
    usize::try_from(chance.below(n)).unwrap()
}

fn payment(n: u64) -> Payment {
    let amount = u128::from(n % 8 + 1) * USDC / 2;
    let mut payment = match n % 6 {
        0 | 1 => fixture::x402(amount, VENDOR, PAYEE),
        2 => fixture::x402(amount, VENDOR, OTHER),
        3 => fixture::x402(amount, "api.search.example:8443", PAYEE),
        4 => fixture::x402(amount, "other.example", OTHER),
        _ => fixture::transfer(amount, if n % 4 == 1 { PAYEE } else { OTHER }),
    };
    if let (Payment::X402Exact(x), true) = (&mut payment, n.is_multiple_of(7)) {
        (x.chain, x.token) = (Chain::BaseSepolia, ASSETS[1].token);
    }
    payment
}

/// The intent, with the yes of alice and of bob, and with alice's no.
fn intent(n: u64, payment: Payment) -> (AuthenticIntent, Vec<AuthenticApproval>) {
    let intent = fixture::authentic(fixture::intent(n, payment, NOW));
    let yes = |ago| fixture::yes(&intent, EPOCHS, NOW.minus(ago));
    let no = crate::approval::Approval { approves: false, ..yes(0) };
    let said =
        vec![fixture::opened(yes(200), 11), fixture::opened(yes(100), 12), fixture::opened(no, 11)];
    (intent, said)
}

/// Ever more payments, at ever other distances.
fn ledger(size: u64) -> Ledger {
    let mut ledger = Ledger::new();
    for n in (0..size).rev() {
        let at = NOW.minus(n * n * 1_900);
        let like = 100 + n + size * 20;
        let row = fixture::row(&fixture::proposal(like, payment(n * 5 + size), at), at);
        let amount = u128::from(n % 3 + 1) * USDC / 5;
        let amount = if row.amount == Amount::ZERO { row.amount } else { units(amount) };
        let session = (n % 2 == 0).then(|| "one".parse().unwrap());
        let category = (n % 3 == 0).then(|| "data".parse().unwrap());
        let row = SpendRow { amount, session, category, ..row };
        ledger.record(&row).unwrap();
        if n % 4 == 1 {
            ledger.hold(&deposit(like, &row)).unwrap();
        }
    }
    ledger
}

/// An open session of the same payee.
fn deposit(n: u64, row: &SpendRow) -> HoldRow {
    HoldRow {
        hold: HoldId(fixture::id(n + 5_000).0),
        kind: HoldKind::SessionDeposit,
        agent: row.agent.clone(),
        wallet: WALLET,
        chain: row.chain,
        token: row.token,
        amount: units(USDC / 4),
        protocol: Protocol::Mpp,
        recipient: row.recipient,
        service: row.service.clone(),
        category: row.category.clone(),
        session: row.session.clone(),
        policies: EPOCHS,
        tzdb: TZDB_VERSION.to_owned(),
        at: row.at,
        expires_at: UnixSeconds(row.at.0 + 7_200),
    }
}

fn mpp(chance: &mut Chance) -> MppAsk {
    let half = |chance: &mut Chance| units(u128::from(chance.below(8)) * USDC / 2);
    let deposit = chance.one_in(2).then(|| half(chance));
    let voucher_step = chance.one_in(2).then(|| half(chance));
    MppAsk {
        intent: *chance.of(&[MppIntent::Charge, MppIntent::Session, MppIntent::Session]),
        http_method: *chance.of(&[HttpMethod::Get, HttpMethod::Post]),
        method: MppMethod::Tempo,
        deposit,
        voucher_step,
        duration_seconds: (!chance.one_in(4)).then(|| chance.below(4) * 3_600),
        voucher_signer: *chance.of(&[VoucherSigner::SessionKey, VoucherSigner::Wallet]),
    }
}
