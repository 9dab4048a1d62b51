//! Payments: one that is made, two that are refused, a transfer, and the same once more.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tercet_api::payment::{PaymentStatus, PaymentView};
use tercet_policy::intent::{IntentId, SignedIntent};

use super::{FRIEND, MERCHANT_PAYEE, STRANGER, Stage, failed, refusal, usdc_text};
use crate::demo::process::program;
use crate::demo::show::Show;
use crate::error::CliError;

const SETTLED_SECONDS_MAX: u64 = 60;
const TRANSFER_UNITS: u128 = 250_000;

/// `tercet fetch`: the Agent share signs inside that process.
pub(super) async fn a_merchant(stage: &Stage, show: &mut Show<'_>) -> Result<(), CliError> {
    let balances = || async {
        let rpc = &stage.chain.rpc;
        Ok::<_, CliError>((
            rpc.usdc(stage.wallet).await.map_err(failed)?,
            rpc.usdc(MERCHANT_PAYEE).await.map_err(failed)?,
        ))
    };
    let (wallet_before, merchant_before) = balances().await?;
    let url = format!("{}/paid", stage.merchant);
    let (code, answer) = tercet(stage, &["fetch", &url]).await?;
    let paid = answer.get("receipt").filter(|_| code == Some(0));
    let paid = paid.ok_or_else(|| failed(format!("tercet fetch ended with {code:?}: {answer}")))?;
    let (wallet_after, merchant_after) = balances().await?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("?").to_owned();
    show.step(
        "paid: tercet fetch of a resource that costs money",
        &[
            format!("GET         {url}"),
            format!("resource    {}", text(answer.get("body"))),
            format!("price       {}", text(paid.get("price"))),
            format!("transaction {}", text(paid.get("transaction"))),
            format!("wallet      {} -> {}", usdc_text(wallet_before), usdc_text(wallet_after)),
            format!("merchant    {} -> {}", usdc_text(merchant_before), usdc_text(merchant_after)),
        ],
    );
    if wallet_after >= wallet_before || merchant_after <= merchant_before {
        return Err(failed("the balances do not show the payment"));
    }
    Ok(())
}

/// The policy's numbers, from the same command.
pub(super) async fn too_much_and_to_a_stranger(
    stage: &Stage,
    show: &mut Show<'_>,
) -> Result<(), CliError> {
    let before = stage.chain.rpc.usdc(stage.wallet).await.map_err(failed)?;
    for (path, title) in
        [("dear", "refused: over the limit"), ("other-payee", "refused: a payee not allowed")]
    {
        let url = format!("{}/{path}", stage.merchant);
        let (code, answer) = tercet(stage, &["fetch", &url]).await?;
        let detail = answer.pointer("/error/detail").and_then(Value::as_str);
        let (Some(3), Some(detail)) = (code, detail) else {
            return Err(failed(format!("tercet fetch ended with {code:?}: {answer}")));
        };
        let mut lines = vec![format!("GET         {url}")];
        lines.extend(detail.split("; ").map(|part| format!("            {part}")));
        show.step(title, &lines);
    }
    let line = stage.house.line().map_err(failed)?;
    let intent = stage.house.sign_intent(stage.transfer(STRANGER, 1)?).map_err(failed)?;
    let Err(error) = line.pay(intent).await else {
        return Err(failed("a transfer to a stranger was not refused"));
    };
    let said = refusal(error)?;
    let lines: Vec<_> = said.iter().map(|r| format!("{}: {}", r.by, r.refusal)).collect();
    show.step("refused: a transfer to somebody whom no rule names", &lines);
    let after = stage.chain.rpc.usdc(stage.wallet).await.map_err(failed)?;
    if before == after { Ok(()) } else { Err(failed("a refused payment moved money")) }
}

/// A transfer; the agent's node is a process of its own this time.
pub(super) async fn a_friend(stage: &Stage, show: &mut Show<'_>) -> Result<SignedIntent, CliError> {
    let before = stage.chain.rpc.usdc(FRIEND).await.map_err(failed)?;
    let intent = stage.transfer(FRIEND, TRANSFER_UNITS)?;
    let intent = stage.house.sign_intent(intent).map_err(failed)?;
    let line = stage.house.line().map_err(failed)?;
    line.pay(intent.clone()).await.map_err(failed)?;
    let view = settled(stage, &intent.document.id).await?;
    let after = stage.chain.rpc.usdc(FRIEND).await.map_err(failed)?;
    show.step(
        "a transfer, judged and signed by agent and operator",
        &[
            format!("to          {FRIEND}"),
            format!("transaction {}", view.transaction.map_or("?".into(), |tx| tx.to_string())),
            format!("block       {}", view.block.unwrap_or_default()),
            format!("received    {} -> {}", usdc_text(before), usdc_text(after)),
        ],
    );
    Ok(intent)
}

/// The same signed intent once more.
pub(super) async fn the_same_again(
    stage: &Stage,
    intent: SignedIntent,
    show: &mut Show<'_>,
) -> Result<(), CliError> {
    let before = stage.chain.rpc.moved_from(stage.wallet).await.map_err(failed)?;
    let line = stage.house.line().map_err(failed)?;
    let first = line.payment(&intent.document.id).await.map_err(failed)?;
    let again = line.pay(intent).await.map_err(failed)?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = stage.chain.rpc.moved_from(stage.wallet).await.map_err(failed)?;
    if before != after || again.transaction != first.transaction {
        return Err(failed("a replayed intent moved something"));
    }
    show.step(
        "the same intent once more: nothing moves twice",
        &[
            format!("intent      {}", again.id),
            format!("answer      {:?}, the same transaction", again.status).to_lowercase(),
            format!(
                "transfers of the wallet on chain: {} before, {} after",
                before.len(),
                after.len()
            ),
        ],
    );
    Ok(())
}

/// Waits until the coordinator has the chain's word that a payment is settled.
pub(super) async fn settled(stage: &Stage, id: &IntentId) -> Result<PaymentView, CliError> {
    let line = stage.house.line().map_err(failed)?;
    let begun = Instant::now();
    loop {
        let view = line.payment(id).await.map_err(failed)?;
        if view.status == PaymentStatus::Settled {
            return Ok(view);
        }
        if view.status.is_terminal() || begun.elapsed() > Duration::from_secs(SETTLED_SECONDS_MAX) {
            return Err(failed(format!("the payment is {:?}: {:?}", view.status, view.detail)));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Runs `tercet` with this house's agent home; its exit code and its JSON.
async fn tercet(stage: &Stage, words: &[&str]) -> Result<(Option<i32>, Value), CliError> {
    let output = tokio::process::Command::new(program("tercet"))
        .arg("--json")
        .arg("--home")
        .arg(&stage.house.seat(tercet_policy::party::Party::Agent).folder)
        .args(words)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(failed)?;
    let answer = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed(format!("tercet said {}", String::from_utf8_lossy(&output.stderr))))?;
    Ok((output.status.code(), answer))
}
