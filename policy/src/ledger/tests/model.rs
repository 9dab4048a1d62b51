//! Every answer of a ledger against a recount from rows, whatever is watched and in whatever
//! order things happen.

use proptest::prelude::*;
use proptest::sample::Index;

use super::holds::{hold, outcome};
use super::*;
use crate::party::AgentId;
use crate::rows::{HoldKind, HoldOutcome, HoldRow};

const USDC: Measure = Measure::Amount("USDC");
const MEASURES: [Measure; 3] = [USDC, Measure::FeeWei, Measure::Count];
const DAY: u64 = 86_400;

#[derive(Clone, Debug)]
enum Step {
    Pay { amount: u128, service: Option<usize>, recipient: u8, who: u8, later: u64 },
    Settle { which: Index, tenths: u128 },
    Release(Index),
    Void(Index),
    Hold { amount: u128, later: u64 },
    Draw { which: Index, amount: u128 },
    Use { which: Index, total: u128 },
    End { which: Index, how: u8 },
    Watch(u8),
}

fn later() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0u64..60, 2 => 0..DAY, 1 => 10 * DAY..50 * DAY]
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        8 => (1u128..1_000, prop::option::of(0usize..3), 1u8..4, 0u8..4, later()).prop_map(
            |(amount, service, recipient, who, later)| {
                Step::Pay { amount, service, recipient, who, later }
            }
        ),
        2 => (index(), 0u128..=10).prop_map(|(which, tenths)| Step::Settle { which, tenths }),
        1 => index().prop_map(Step::Release),
        2 => index().prop_map(Step::Void),
        2 => (1u128..1_000, later()).prop_map(|(amount, later)| Step::Hold { amount, later }),
        3 => (index(), 1u128..600).prop_map(|(which, amount)| Step::Draw { which, amount }),
        2 => (index(), 0u128..1_100).prop_map(|(which, total)| Step::Use { which, total }),
        1 => (index(), 0u8..2).prop_map(|(which, how)| Step::End { which, how }),
        2 => any::<u8>().prop_map(Step::Watch),
    ]
}

/// What a recount keeps of a payment or a hold.
struct Plain {
    row: SpendRow,
    at: u64,
    counted: u128,
    counts: bool,
    state: SpendState,
    hold: Option<PlainHold>,
}

struct PlainHold {
    row: HoldRow,
    own: u128,
    used: u128,
}

impl Plain {
    fn is_open(&self) -> bool {
        matches!(self.state, SpendState::Reserved | SpendState::Spent)
    }

    fn value(&self, measure: Measure) -> u128 {
        match measure {
            Measure::Amount(_) => self.counted,
            Measure::FeeWei if self.hold.is_some() => 0,
            Measure::FeeWei => self.row.fee_wei().base_units(),
            Measure::Count => u128::from(self.counts),
        }
    }

    fn reserved(&self, measure: Measure) -> u128 {
        match (&self.hold, self.state, measure) {
            (Some(hold), SpendState::Reserved, Measure::Amount(_)) => self.counted - hold.used,
            (Some(hold), SpendState::Reserved, _) if hold.used > 0 => 0,
            (_, SpendState::Reserved, _) => self.value(measure),
            _ => 0,
        }
    }

    fn is_in(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Total => true,
            Scope::Service(service) => self.row.service == *service,
            Scope::Recipient(recipient) => self.row.recipient == *recipient,
            Scope::Protocol(protocol) => self.row.kind.protocol() == *protocol,
            Scope::Asset(symbol) => *symbol == "USDC",
            Scope::Category(category) => category.is_none(),
            Scope::Endpoint(endpoint) => self.row.endpoint == *endpoint,
            Scope::Session(session) => session.is_none(),
        }
    }

    fn is_of(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Organisation => true,
            Subject::Agent(agent) => self.row.agent == *agent,
            Subject::Wallet(wallet) => self.row.wallet == *wallet,
        }
    }
}

fn agents() -> [AgentId; 2] {
    ["research-01", "other"].map(|name| AgentId::new(name).unwrap())
}

fn subjects() -> Vec<Subject> {
    let wallets = [TEMPLATES[0].wallet, PAYEE].map(Subject::Wallet);
    [Organisation].into_iter().chain(agents().map(Subject::Agent)).chain(wallets).collect()
}

fn scopes() -> Vec<Scope> {
    let service = |name: &str| serde_json::from_value(json!(name)).unwrap();
    let services = SERVICES.map(|name| Scope::Service(Some(service(name))));
    let recipients = [1u8, 2, 3, 9].map(|byte| Scope::Recipient(Some(Address::repeat_byte(byte))));
    let endpoint = TEMPLATES[0].endpoint.clone();
    let rest = [
        Scope::Total,
        Scope::Service(None),
        Scope::Recipient(None),
        Scope::Endpoint(endpoint),
        Scope::Endpoint(None),
        Scope::Category(None),
        Scope::Session(None),
        Scope::Asset("USDC"),
        Scope::Protocol(crate::rows::Protocol::X402),
        Scope::Protocol(crate::rows::Protocol::Transfer),
    ];
    services.into_iter().chain(recipients).chain(rest).collect()
}

/// A ledger with its recount, and another that watches nothing.
#[derive(Default)]
struct Both {
    ledger: Ledger,
    bare: Ledger,
    plain: Vec<Plain>,
    now: u64,
}

impl Both {
    fn take(&mut self, take: impl Fn(&mut Ledger) -> Result<(), LedgerError>) -> bool {
        let (one, two) = (take(&mut self.ledger), take(&mut self.bare));
        assert_eq!(one, two);
        one.is_ok()
    }

    fn next(&mut self, later: u64) -> (u64, UnixSeconds) {
        self.now += later;
        (self.plain.len() as u64, UnixSeconds(NOW.0 + self.now))
    }

    fn note(&mut self, row: SpendRow, hold: Option<PlainHold>) {
        let (at, counted) = (row.at.0, row.amount.base_units());
        let state = SpendState::Reserved;
        self.plain.push(Plain { row, at, counted, counts: true, state, hold });
    }

    fn pick(&self, which: Index, holds: bool) -> Option<usize> {
        let of_kind = |place: &usize| self.plain[*place].hold.is_some() == holds;
        let places: Vec<_> = (0..self.plain.len()).filter(of_kind).collect();
        (!places.is_empty()).then(|| *which.get(&places))
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Pay { amount, service, recipient, who, later } => {
                let (n, at) = self.next(later);
                let mut row = row(n, amount, service, recipient, at);
                row.agent = agents()[usize::from(who % 2)].clone();
                row.wallet = if who < 2 { row.wallet } else { PAYEE };
                assert!(self.take(|ledger| ledger.record(&row)));
                self.note(row, None);
            }
            Step::Hold { amount, later } => {
                let (n, at) = self.next(later);
                let kind = [HoldKind::SessionDeposit, HoldKind::PreAuthorization];
                let held = hold(n, kind[usize::from(amount % 2 == 0)], amount, at);
                assert!(self.take(|ledger| ledger.hold(&held)));
                let mut like = row(n, amount, Some(0), 1, at);
                like.endpoint = None;
                self.note(like, Some(PlainHold { row: held, own: amount, used: 0 }));
            }
            Step::Settle { which, tenths } => self.outcome(which, |plain| {
                let amount = plain.counted * tenths / 10;
                (settled(&plain.row, amount), amount, SpendState::Settled)
            }),
            Step::Release(which) => self.outcome(which, |plain| {
                (OutcomeRow::released(&plain.row, NOW), plain.counted, SpendState::Spent)
            }),
            Step::Void(which) => {
                self.outcome(which, |plain| (void(&plain.row), 0, SpendState::Void));
            }
            Step::Draw { which, amount } => self.draw(which, amount),
            Step::Use { which, total } => self.used(which, total),
            Step::End { which, how } => self.end(which, how),
            Step::Watch(bits) => self.watch(bits),
        }
    }

    fn outcome(&mut self, which: Index, of: impl Fn(&Plain) -> (OutcomeRow, u128, SpendState)) {
        let Some(place) = self.pick(which, false) else { return };
        let plain = &self.plain[place];
        if !plain.is_open() || plain.row.service.is_none() {
            return;
        }
        let (row, counted, state) = of(plain);
        assert!(self.take(|ledger| ledger.apply(&row)));
        let plain = &mut self.plain[place];
        (plain.counted, plain.state) = (counted, state);
        plain.counts = state != SpendState::Void;
    }

    fn draw(&mut self, which: Index, amount: u128) {
        let Some(place) = self.pick(which, true) else { return };
        let (n, at) = self.next(1);
        let from = self.plain[place].hold.as_ref().unwrap();
        let row = SpendRow { hold: Some(from.row.hold), ..row(n, amount, Some(0), 1, at) };
        let open = self.plain[place].is_open() && at < from.row.expires_at;
        let fits = open && amount <= from.own - from.used;
        assert_eq!(self.take(|ledger| ledger.record(&row)), fits);
        if fits {
            let hold = &mut self.plain[place];
            (hold.counted, hold.counts) = (hold.counted - amount, false);
            hold.hold.as_mut().unwrap().own -= amount;
            self.note(row, None);
        }
    }

    fn used(&mut self, which: Index, total: u128) {
        let Some(place) = self.pick(which, true) else { return };
        let plain = &mut self.plain[place];
        let held = plain.hold.as_mut().unwrap();
        if plain.state != SpendState::Reserved {
            return;
        }
        let row = outcome(&held.row, HoldOutcome::Used { total: units(total) }, NOW);
        let fits = total <= held.own || total <= held.used;
        if fits {
            held.used = held.used.max(total);
        }
        assert_eq!(self.take(|ledger| ledger.apply_hold(&row)), fits);
    }

    fn end(&mut self, which: Index, how: u8) {
        let Some(place) = self.pick(which, true) else { return };
        let plain = &self.plain[place];
        let held = plain.hold.as_ref().unwrap();
        if plain.state != SpendState::Reserved {
            return;
        }
        let (used, counts) = (held.used, plain.counts || held.used > 0);
        let how = if how == 0 { HoldOutcome::Closed } else { HoldOutcome::Void };
        let fits = how == HoldOutcome::Closed || used == 0;
        let row = outcome(&held.row, how, NOW);
        assert_eq!(self.take(|ledger| ledger.apply_hold(&row)), fits);
        if fits {
            let plain = &mut self.plain[place];
            plain.counted = used;
            plain.counts = counts && used > 0;
            plain.state = if used > 0 { SpendState::Settled } else { SpendState::Void };
        }
    }

    fn watch(&mut self, bits: u8) {
        let subjects = subjects();
        let subject = &subjects[usize::from(bits) % subjects.len()];
        let axes = [None].into_iter().chain(AXES.map(Some));
        let lines = axes.flat_map(|axis| MEASURES.map(|measure| Line { measure, axis }));
        let chosen = lines.enumerate().filter(|(n, _)| (n + usize::from(bits)) % 3 != 0);
        self.ledger.watch(subject, chosen.map(|(_, line)| line));
    }

    fn check(&self, back: u64) {
        let now = self.ledger.clamp(NOW);
        let since = now.minus(back).max(self.ledger.horizon());
        for subject in subjects() {
            for scope in scopes() {
                for measure in MEASURES {
                    self.check_line(&subject, measure, &scope, since);
                }
            }
        }
        assert_eq!(self.ledger, self.bare);
    }

    fn check_line(&self, subject: &Subject, measure: Measure, scope: &Scope, since: UnixSeconds) {
        let here = || {
            let all = self.plain.iter().filter(|plain| plain.at >= since.0);
            all.filter(|plain| plain.is_of(subject) && plain.is_in(scope))
        };
        let sum: u128 = here().map(|plain| plain.value(measure)).sum();
        let reserved: u128 = here().map(|plain| plain.reserved(measure)).sum();
        let what = format!("{subject} {measure:?} {scope:?} since {since}");
        for ledger in [&self.ledger, &self.bare] {
            assert_eq!(ledger.sum(subject, measure, scope, since), sum, "{what}");
            let standing = ledger.standing(subject, measure, scope, since);
            assert_eq!(standing, Standing { reserved, spent: sum - reserved }, "{what}");
            let enough = sum / 2 + 1;
            let mut so_far = 0;
            let moment = here().find(|plain| {
                so_far += plain.value(measure);
                so_far >= enough
            });
            let moment = moment.map(|plain| UnixSeconds(plain.at));
            assert_eq!(ledger.moment_of(subject, measure, scope, since, enough), moment, "{what}");
        }
    }

    /// What is remembered is what no later row can do without.
    fn check_memory(&self) {
        let horizon = self.ledger.horizon().0;
        let kept = self.plain.iter().filter(|plain| plain.at >= horizon || plain.is_open());
        assert_eq!(self.ledger.len(), kept.count());
    }
}

const AXES: [Axis; 7] = [
    Axis::Recipient,
    Axis::Service,
    Axis::Endpoint,
    Axis::Category,
    Axis::Protocol,
    Axis::Asset,
    Axis::Session,
];

proptest! {
    #[test]
    fn every_answer_is_that_of_a_recount(
        steps in prop::collection::vec(step(), 0..80),
        back in prop_oneof![0u64..200, 0..LEDGER_SECONDS_KEPT],
    ) {
        let mut both = Both::default();
        for step in steps {
            both.step(step);
        }
        both.check(back);
        both.check_memory();
    }
}
