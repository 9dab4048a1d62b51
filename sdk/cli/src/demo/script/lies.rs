//! A coordinator that lies gets no signature.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alloy_primitives::B256;
use tercet_api::relay::{FromNode, Outcome, ToNode};
use tercet_policy::chain::{ASSETS, Chain};
use tercet_policy::intent::PaymentIntent;
use tercet_policy::money::Amount;
use tercet_policy::party::Party;
use tercet_policy::proposal::{ChainTerms, ProposalClaim};

use super::{MERCHANT_PAYEE, STRANGER, Stage, failed};
use crate::demo::liar::{Heard, Liar, Rewrite};
use crate::demo::show::Show;
use crate::error::CliError;

/// What both nodes have to say within, in seconds.
const ANSWER_SECONDS_MAX: u64 = 20;
const FIRST_UNITS: u128 = 20_000;

struct Lie {
    about: &'static str,
    tell: fn(&mut ProposalClaim),
}

const LIES: [Lie; 8] = [
    Lie { about: "amount", tell: |claim| claim.amount = Amount::from_base_units(5_000_000) },
    Lie { about: "payee", tell: |claim| claim.payee = Some(STRANGER) },
    Lie { about: "asset", tell: |claim| claim.token = STRANGER },
    Lie { about: "chain", tell: |claim| claim.chain = Chain::BaseSepolia },
    Lie {
        about: "nonce",
        tell: |claim| {
            if let ChainTerms::Eip3009 { nonce, .. } = &mut claim.terms {
                *nonce = B256::repeat_byte(7);
            }
        },
    },
    Lie {
        about: "validity",
        tell: |claim| {
            if let ChainTerms::Eip3009 { valid_before, .. } = &mut claim.terms {
                *valid_before = valid_before.plus(86_400);
            }
        },
    },
    Lie {
        about: "policy",
        tell: |claim| claim.policies.agent = claim.policies.agent.map(|e| e.saturating_add(1)),
    },
    Lie { about: "wallet", tell: |claim| claim.wallet = STRANGER },
];

/// Tells the lie whose place in the list stands in the intent's amount, and keeps from each node
/// what the other one answered.
#[must_use]
pub fn lie_about_everything() -> Rewrite {
    debug_assert!(ASSETS.len() > 1, "there is another chain to lie about");
    Arc::new(|mut frame| {
        match &mut frame {
            ToNode::Abort { .. } => return Vec::new(),
            ToNode::Sign { envelope, claim, .. } => {
                if let Some(lie) = lie_of(&envelope.document) {
                    (lie.tell)(claim);
                }
            }
            _ => {}
        }
        vec![frame]
    })
}

fn lie_of(intent: &PaymentIntent) -> Option<&'static Lie> {
    let place = intent.payment.amount().base_units().checked_sub(FIRST_UNITS)?;
    LIES.get(usize::try_from(place).ok()?)
}

/// Puts the liar between the nodes and the coordinator, and asks for one payment per lie.
pub(super) async fn to_both_nodes(stage: &mut Stage, show: &mut Show<'_>) -> Result<(), CliError> {
    let liar = Liar::start(stage.house.coordinator, lie_about_everything()).await;
    let liar = liar.map_err(failed)?;
    stage.house.write_configs(|_| liar.url(), &stage.text).map_err(failed)?;
    for party in Party::EVERYDAY {
        stage.stop_node(party).await;
        stage.start_node(party).await?;
    }
    let before = stage.chain.rpc.usdc(stage.wallet).await.map_err(failed)?;
    let mut lines = Vec::new();
    for (place, lie) in LIES.iter().enumerate() {
        let units = FIRST_UNITS.saturating_add(place as u128);
        lines.extend(ask(stage, &liar, units, lie).await?);
    }
    let after = stage.chain.rpc.usdc(stage.wallet).await.map_err(failed)?;
    if before != after || liar.heard().iter().any(signed) {
        return Err(failed("the liar got a signature, which must never happen"));
    }
    lines.push("nothing was admitted, nothing was signed, no money moved".into());
    show.step("a coordinator that lies gets no signature", &lines);
    Ok(())
}

async fn ask(stage: &Stage, liar: &Liar, units: u128, lie: &Lie) -> Result<Vec<String>, CliError> {
    let heard_before = liar.heard().len();
    let intent = stage.house.sign_intent(stage.x402(MERCHANT_PAYEE, units)?).map_err(failed)?;
    if let Ok(view) = stage.house.line().map_err(failed)?.pay(intent).await
        && view.digest.is_some()
    {
        return Err(failed("a lie was signed, which must never happen"));
    }
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(ANSWER_SECONDS_MAX) {
        let said: Vec<_> =
            liar.heard().split_off(heard_before).iter().filter_map(refused).collect();
        if Party::EVERYDAY.iter().all(|party| {
            said.iter().any(|(node, _)| *node == stage.house.seat(*party).keys.id.as_str())
        }) {
            return Ok(said
                .into_iter()
                .map(|(node, why)| format!("{:<9} {node:<12} {why}", lie.about))
                .collect());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(failed(format!("not both nodes refused a lie about the {}", lie.about)))
}

fn refused(heard: &Heard) -> Option<(String, String)> {
    match &heard.frame {
        FromNode::Refused { refusal, .. } => Some((heard.node.clone(), refusal.to_string())),
        _ => None,
    }
}

fn signed(heard: &Heard) -> bool {
    matches!(
        heard.frame,
        FromNode::Admitted { .. } | FromNode::Done { outcome: Outcome::Signed { .. }, .. }
    )
}
