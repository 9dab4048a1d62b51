//! A small company: two agents with three wallets, their policies, and what they pay.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use alloy_primitives::Address;
use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use proptest::sample::select;
use tercet_policy::chain::{ASSETS, Chain};
use tercet_policy::declared::Declared;
use tercet_policy::document::{Authority, AuthorityConfig, Ed25519PublicKey, Signed};
use tercet_policy::intent::{
    AgentKeys, IntentId, Payment, PaymentIntent, Service, Transfer, X402Cancel, X402Exact,
};
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::proposal::{ChainTerms, Proposal, ProposalClaim, terms_without_chain};
use tercet_policy::registry::{AuthenticRegistry, RegistryDocument};
use tercet_policy::rules::{AuthenticPolicy, PolicyDocument, PolicySet};
use tercet_policy::time::UnixSeconds;

/// Half an hour before the clocks of Berlin go forward.
pub const NOW: u64 = 1_743_294_600;
pub const SERVICES: [&str; 3] = ["a.example", "b.example", "c.example"];
pub const PATHS: [&str; 2] = ["/q", "/r"];
pub const SESSIONS: [&str; 2] = ["s-1", "s-2"];
pub const AGENTS: [&str; 2] = ["research-01", "research-02"];
/// The agent of each wallet.
pub const OWNERS: [usize; 3] = [0, 0, 1];
/// The wallet that may have a policy of its own.
pub const POLICED: usize = 1;
/// Rules of an agent's policy before its bounds.
pub const GRANTS: usize = 2;
const GAS: u64 = 60_000;

pub fn wallet(n: usize) -> Address {
    Address::repeat_byte([0x10, 0x11, 0x12][n])
}

pub fn payee(n: usize) -> Address {
    Address::repeat_byte([0xa0, 0xa1][n])
}

pub fn agent(n: usize) -> AgentId {
    AgentId::new(AGENTS[n]).unwrap()
}

pub fn id(n: u64) -> IntentId {
    let mut bytes = [0x5a; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    IntentId(bytes)
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

struct OneKey;

impl AgentKeys for OneKey {
    fn agent_key(&self, _: &AgentId) -> Option<Ed25519PublicKey> {
        Some(Ed25519PublicKey::of(&key(7)))
    }
}

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let keys = vec![Ed25519PublicKey::of(&key(1))];
    AuthorityConfig { keys, threshold: 1 }.try_into().unwrap()
});

pub static REGISTRY: LazyLock<AuthenticRegistry> = LazyLock::new(|| {
    let yaml = format!(
        "registry: r\nepoch: 5\ncounterparties:\n  \
         - {{ name: ab, services: [a.example, b.example], category: data, trust: 9 }}\n  \
         - {{ name: p, recipients: [\"{}\"], category: wages, trust: 9 }}\n",
        payee(0)
    );
    Signed::by(RegistryDocument { yaml }, &key(1)).unwrap().open_registry(&AUTHORITY).unwrap()
});

/// What somebody means to pay. Without a service it is a transfer.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub wallet: usize,
    pub amount: u128,
    pub service: Option<usize>,
    pub path: usize,
    pub payee: usize,
    pub session: Option<usize>,
    /// Wei for each unit of gas, and the account nonce, of a transfer.
    pub gas_price: u128,
    pub nonce: u64,
}

pub fn plan() -> impl Strategy<Value = Plan> {
    let whom = (prop::option::weighted(0.7, 0usize..3), 0usize..2, 0usize..2);
    let what = (1u128..60, prop::option::of(0usize..2), 1_000u128..5_000, 0u64..12);
    (0usize..3, whom, what).prop_map(|(wallet, (service, path, payee), what)| {
        let (amount, session, gas_price, nonce) = what;
        Plan { wallet, amount, service, path, payee, session, gas_price, nonce }
    })
}

impl Plan {
    pub fn fee_wei(&self) -> u128 {
        if self.service.is_some() { 0 } else { self.gas_price * u128::from(GAS) }
    }

    /// What the registry calls who is paid.
    pub fn category(&self) -> Option<&'static str> {
        match (self.service, self.payee) {
            (Some(0 | 1), _) => Some("data"),
            (None, 0) => Some("wages"),
            _ => None,
        }
    }

    fn payment(&self, at: u64) -> Payment {
        let (chain, token, to) = (Chain::Base, ASSETS[0].token, payee(self.payee));
        let amount = Amount::from_base_units(self.amount);
        let Some(service) = self.service else {
            return Payment::Transfer(Transfer { chain, token, to, amount });
        };
        let resource = format!("https://{}{}", SERVICES[service], PATHS[self.path]);
        let valid_before = UnixSeconds(at + 60);
        let service = Service::of(&resource).unwrap();
        Payment::X402Exact(X402Exact { chain, token, to, amount, valid_before, resource, service })
    }

    pub fn intent(&self, id: IntentId, at: u64) -> PaymentIntent {
        let session = self.session.map(|n| SESSIONS[n].parse().unwrap());
        let declared = Declared { session, ..Declared::default() };
        intent(id, self.wallet, self.payment(at), declared, at)
    }

    pub fn terms(&self) -> ChainTerms {
        ChainTerms::Eip1559 {
            nonce: self.nonce,
            gas_limit: GAS,
            max_fee_per_gas: Amount::from_base_units(self.gas_price),
            max_priority_fee_per_gas: Amount::from_base_units(1_000),
        }
    }
}

pub fn cancellation(id: IntentId, wallet: usize, cancels: IntentId, at: u64) -> PaymentIntent {
    let cancel = X402Cancel { chain: Chain::Base, token: ASSETS[0].token, cancels };
    intent(id, wallet, Payment::X402Cancel(cancel), Declared::default(), at)
}

fn intent(
    id: IntentId,
    paying: usize,
    payment: Payment,
    declared: Declared,
    at: u64,
) -> PaymentIntent {
    PaymentIntent {
        version: 1,
        id,
        agent: agent(OWNERS[paying]),
        wallet: wallet(paying),
        payment,
        declared,
        created_at: UnixSeconds(at),
        expires_at: UnixSeconds(at + 1_800),
    }
}

/// What is summed up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sum {
    Units,
    FeeWei,
    Payments,
}

/// A window, as policies write it. No window at all is for a session's budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Per {
    Rolling(&'static str, u64),
    Calendar(&'static str, &'static str),
    Session,
}

/// A limit over a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    pub sum: Sum,
    pub most: u128,
    pub per: Per,
    pub by: Option<&'static str>,
}

const AXES: [&str; 6] = ["recipient", "service", "endpoint", "category", "protocol", "asset"];

fn bound() -> impl Strategy<Value = Bound> {
    let rolling = [("minute", 60), ("5m", 300), ("hour", 3_600), ("day", 86_400)];
    let rolling = select(rolling.to_vec()).prop_map(|(text, seconds)| Per::Rolling(text, seconds));
    let zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"];
    let calendar = (select(vec!["minute", "hour", "day", "week", "month"]), select(zones.to_vec()));
    let calendar = calendar.prop_map(|(period, zone)| Per::Calendar(period, zone));
    let per = prop_oneof![2 => rolling, 1 => calendar].boxed();
    let by = prop::option::of(select(&AXES[..]));
    let units = (60u128..300, per.clone(), by.clone());
    let rate = (1u128..8, per.clone(), by);
    let fee = (200_000_000u128..1_500_000_000, per);
    prop_oneof![
        4 => units.prop_map(|(most, per, by)| Bound { sum: Sum::Units, most, per, by }),
        2 => rate.prop_map(|(most, per, by)| Bound { sum: Sum::Payments, most, per, by }),
        1 => fee.prop_map(|(most, per)| Bound { sum: Sum::FeeWei, most, per, by: None }),
        1 => (60u128..300).prop_map(|most| {
            Bound { sum: Sum::Units, most, per: Per::Session, by: Some("session") }
        }),
    ]
}

impl Bound {
    fn yaml(&self) -> String {
        let per = match self.per {
            Per::Rolling(text, _) => format!("per: {text}"),
            Per::Calendar(text, zone) => format!("per: {text}, calendar: {zone}"),
            Per::Session => String::new(),
        };
        let by = self.by.map(|by| format!(", by: {by}")).unwrap_or_default();
        let most = self.most;
        match (self.sum, self.per) {
            (_, Per::Session) => format!("x402: {{ session_budget: 0.{most:06} USDC }}"),
            (Sum::Units, _) => format!("limit: {{ amount: 0.{most:06} USDC, {per}{by} }}"),
            (Sum::FeeWei, _) => format!("max_fee: {{ amount: 0.{most:018} ETH, {per} }}"),
            (Sum::Payments, _) => format!("rate: {{ count: {most}, {per}{by} }}"),
        }
    }
}

/// Whose payments a bound counts together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Whose {
    Everybody,
    Agent(usize),
    Wallet(usize),
}

/// All bounds of the company.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    organisation: Option<Vec<Bound>>,
    agents: [Vec<Bound>; 2],
    wallet: Option<Vec<Bound>>,
}

pub fn bounds() -> impl Strategy<Value = Bounds> {
    let some = || prop::collection::vec(bound(), 0..4);
    let all = (prop::option::of(some()), some(), some(), prop::option::of(some()));
    all.prop_map(|(organisation, one, two, wallet)| Bounds {
        organisation,
        agents: [one, two],
        wallet,
    })
}

fn policy(name: &str, epoch: u64, applies_to: &str, rules: &[String]) -> Arc<AuthenticPolicy> {
    let rules: String = rules.iter().map(|rule| format!("  - {rule}\n")).collect();
    let rules = if rules.is_empty() { "  []\n".to_owned() } else { rules };
    let yaml = format!("policy: {name}\nepoch: {epoch}\napplies_to: {applies_to}\nrules:\n{rules}");
    let signed = Signed::by(PolicyDocument { yaml: yaml.clone() }, &key(1)).unwrap();
    let opened = signed.open_policy(&AUTHORITY);
    Arc::new(opened.unwrap_or_else(|error| panic!("{error}\n{yaml}")))
}

impl Bounds {
    /// The policies of an agent.
    pub fn set(&self, n: usize) -> PolicySet {
        let texts = |bounds: &[Bound]| bounds.iter().map(Bound::yaml).collect::<Vec<_>>();
        let grants = [
            "allow: { services: [\"*.example\"] }".to_owned(),
            format!("allow: {{ recipients: [\"{}\", \"{}\"] }}", payee(0), payee(1)),
        ];
        let own = [&grants[..], &texts(&self.agents[n])].concat();
        let own = policy(AGENTS[n], 7, &format!("{{ agent: {} }}", AGENTS[n]), &own);
        let mut set = PolicySet::default().with(own);
        if let Some(bounds) = &self.organisation {
            set = set.with(policy("acme", 3, "{ organisation: acme }", &texts(bounds)));
        }
        if let Some(bounds) = self.wallet.as_ref().filter(|_| n == OWNERS[POLICED]) {
            let whose = format!("{{ wallet: \"{}\", agent: {} }}", wallet(POLICED), AGENTS[n]);
            set = set.with(policy("purse", 2, &whose, &texts(bounds)));
        }
        set
    }

    /// What bounds payments of this wallet: the widest policy first, as decisions list them, each
    /// with the place of its first bound among its rules.
    pub fn of(&self, paying: usize) -> Vec<(Whose, usize, &[Bound])> {
        let owner = OWNERS[paying];
        let organisation = self.organisation.iter().map(|all| (Whose::Everybody, 0, &all[..]));
        let own = (Whose::Agent(owner), GRANTS, &self.agents[owner][..]);
        let purse = self.wallet.iter().filter(|_| paying == POLICED);
        let purse = purse.map(|all| (Whose::Wallet(paying), 0, &all[..]));
        organisation.chain([own]).chain(purse).collect()
    }
}

/// Everything that is the same for all nodes.
pub struct World {
    pub bounds: Bounds,
    pub sets: [PolicySet; 2],
    /// What each payment was meant to be, by its intent or hold.
    pub plans: BTreeMap<IntentId, Plan>,
}

impl World {
    pub fn new(bounds: Bounds) -> Self {
        let sets = [bounds.set(0), bounds.set(1)];
        Self { bounds, sets, plans: BTreeMap::new() }
    }

    /// What a courier makes of an intent; the terms are looked at for transfers alone.
    pub fn proposal(&self, intent: &PaymentIntent, terms: &ChainTerms) -> Proposal {
        let signed = Signed::by(intent.clone(), &key(7)).unwrap();
        let authentic = signed.open_intent(&OneKey, intent.created_at).unwrap();
        let terms = terms_without_chain(&authentic).unwrap_or_else(|| terms.clone());
        let set = self.set(&intent.agent);
        let epochs = set.epochs(&intent.wallet, Some(REGISTRY.epoch()));
        let claim = ProposalClaim::honest(&authentic, terms, epochs);
        Proposal::assemble(authentic, &claim).unwrap()
    }

    pub fn set(&self, agent: &AgentId) -> &PolicySet {
        let place = AGENTS.iter().position(|name| *name == agent.as_str()).unwrap();
        &self.sets[place]
    }
}
