//! Sessions whose vouchers the wallet signs itself: an intent for each, which both nodes judge.

use std::sync::{Arc, Mutex};

use tercet::error::Error;
use tercet::mpp::SessionState;
use tercet::rules::FetchRules;
use tercet_policy::ask::VoucherSigner;
use tercet_policy::intent::{Payment, Service};

use crate::mpp_charges::tempo_rules;
use crate::mpp_sessions::{PRICE, Till, honest, only};
use crate::support::{World, wallet};

/// The wallet signs, by the agent's own rules.
fn by_wallet() -> FetchRules {
    let mut rules = tempo_rules();
    rules.mpp.voucher_signer = VoucherSigner::Wallet;
    rules
}

async fn served(rules: FetchRules) -> (World, Arc<Mutex<Till>>) {
    let till = Arc::new(Mutex::new(Till { deposit: 30_000, ..Till::default() }));
    let kept = Arc::clone(&till);
    (World::with(rules, Arc::default(), move |hit| honest(&kept, &hit)).await, till)
}

fn policy(world: &World, rule: &str) -> String {
    let service = Service::of(world.merchant.url("/").as_str()).unwrap();
    format!(
        "policy: test\nepoch: 1\napplies_to: {{ agent: research-01 }}\nrules:\n  - mpp: {{ {rule} \
         }}\n  - allow: {{ services: [\"{service}\"] }}\n"
    )
}

/// What both nodes signed, in order, in base units.
fn signed(world: &World) -> Vec<(&'static str, u128)> {
    let of = |payment: &Payment| match payment {
        Payment::MppOpen(open) => {
            assert_eq!(open.authorized_signer, wallet(), "the wallet signs for the channel");
            ("open", open.deposit.base_units())
        }
        Payment::MppVoucher(voucher) => ("voucher", voucher.cumulative.base_units()),
        Payment::MppClose(close) => ("close", close.cumulative.base_units()),
        other => panic!("{other:?}"),
    };
    world.payer.intents().iter().map(|intent| of(&intent.payment)).collect()
}

#[tokio::test]
async fn the_wallet_signs_every_voucher_and_the_end_where_the_rules_say_so() {
    let (world, till) = served(by_wallet()).await;
    for _ in 0..2 {
        world.get("/paid?q=1").await.unwrap();
    }
    let expected = [("open", 30_000), ("voucher", PRICE), ("voucher", 2 * PRICE)];
    assert_eq!(signed(&world), expected);
    let channel = only(&world).await.channel;
    let closing = world.buyer.sessions().unwrap().close(&channel).await.unwrap();
    assert_eq!(closing.state, SessionState::Closing);
    assert_eq!(signed(&world).last(), Some(&("close", 2 * PRICE)));
    assert_eq!(till.lock().unwrap().actions, ["open", "voucher", "close"]);
    assert!(world.payer.vouchers().is_empty(), "no key of a session signed anything");
    let sessions: std::collections::BTreeSet<_> = world
        .payer
        .intents()
        .iter()
        .map(|intent| intent.declared.session.clone().unwrap().to_string())
        .collect();
    assert_eq!(sessions.len(), 1, "one session for policies: {sessions:?}");
}

#[tokio::test]
async fn a_policy_that_demands_the_wallet_refuses_once() {
    let (world, _) = served(tempo_rules()).await;
    world.payer.obey(&policy(&world, "voucher_signer: wallet"));
    world.get("/paid").await.unwrap();
    assert_eq!(signed(&world), [("open", 30_000), ("voucher", PRICE)]);
    let mut states: Vec<_> = world.buyer.journal().sessions(10).await.unwrap();
    states.sort_by_key(|session| session.state != SessionState::Void);
    let states: Vec<_> = states.iter().map(|session| session.state).collect();
    assert_eq!(states, [SessionState::Void, SessionState::Open]);
    world.get("/paid").await.unwrap();
    assert_eq!(signed(&world).last(), Some(&("voucher", 2 * PRICE)));
}

#[tokio::test]
async fn another_refusal_is_final() {
    let (world, _) = served(tempo_rules()).await;
    world.payer.obey(&policy(&world, "voucher_signer: wallet, max_deposit: 0.02 pathUSD"));
    let refused = world.get("/paid").await.unwrap_err();
    assert!(matches!(refused, Error::Refused { .. }), "{refused}");
    assert_eq!(only(&world).await.state, SessionState::Void);
    assert!(world.payer.intents().is_empty());
}

/// Another intent for the same voucher would find its place taken.
#[tokio::test]
async fn a_voucher_that_was_lost_is_asked_for_with_the_same_intent() {
    let (mut world, _) = served(by_wallet()).await;
    world.get("/paid").await.unwrap();
    world.payer.line_is_down(true);
    assert!(matches!(world.get("/paid").await, Err(Error::NotSigned { .. })));
    let asked = only(&world).await.asked.unwrap();
    world.restart().await;
    world.payer.line_is_down(false);
    world.get("/paid").await.unwrap();
    assert_eq!(world.payer.intents().last(), Some(&asked));
    assert_eq!(signed(&world), [("open", 30_000), ("voucher", PRICE), ("voucher", 2 * PRICE)]);
}
