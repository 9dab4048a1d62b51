//! Payments side by side against a limit that fits fewer: exactly as many as fit are signed.

use anyhow::{Result, ensure};
use tercet_api::payment::PaymentStatus;
use tercet_cli::demo::house::ActError;
use tercet_policy::refusal::Refusal;
use tercet_tests::cluster::{Cluster, PAYEE, Plan};

const ASKED: usize = 12;
const FIT: usize = 5;

const POLICY: &str = r#"
policy: research-01
epoch: 1
applies_to: { agent: research-01 }
rules:
  - limit: { amount: 0.50 USDC, per: day }
  - allow: { services: ["api.search.example"] }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn exactly_what_fits_is_signed() -> Result<()> {
    let plan = Plan { policy: Some(POLICY.to_owned()), ..Plan::default() };
    let (cluster, wallet) = Cluster::with_wallet(plan).await?;
    let line = cluster.house.line()?;
    let intents: Result<Vec<_>> = (0..ASKED)
        .map(|_| Ok(cluster.house.sign_intent(cluster.x402(wallet, PAYEE, 100_000)?)?))
        .collect();
    let intents = intents?;
    let ids: Vec<_> = intents.iter().map(|signed| signed.document.id).collect();
    let answers = futures_util::future::join_all(intents.into_iter().map(|i| line.pay(i))).await;
    for answer in answers {
        if let Err(error) = answer {
            let refused = matches!(&error, ActError::Problem(p) if !p.refusals.is_empty());
            ensure!(refused, "{error}");
        }
    }
    let (mut signed, mut refused) = (0, 0);
    for id in &ids {
        let view =
            cluster.payment_when(id, |v| v.digest.is_some() || v.status.is_terminal()).await?;
        match view.status {
            PaymentStatus::Refused => {
                refused += 1;
                let numbers = view.refusals.iter().all(|r| match &r.refusal {
                    Refusal::Policy(decision) => decision.violations().all(|f| {
                        f.kind == "limit" && f.limit == "0.5 USDC" && f.resets_at.is_some()
                    }),
                    _ => false,
                });
                ensure!(numbers, "{view:#?}");
            }
            _ if view.digest.is_some() => signed += 1,
            _ => anyhow::bail!("{view:#?}"),
        }
    }
    ensure!((signed, refused) == (FIT, ASKED - FIT), "{signed} signed, {refused} refused");
    Ok(())
}
