//! `tercet payment`: look at payments, and answer where a policy asks people.
//!
//! Promises: what a person signs is the hash of exactly the intent that is shown, computed here.
//!
//! Does not protect against: a person who approves what it did not read. The nodes look at every
//! answer themselves; the policy says whose word counts.

use serde_json::Value;
use tercet::client::{Client, PageAsked, PaymentsAsked};
use tercet_api::payment::{ApprovalView, PaymentView};
use tercet_policy::approval::Approval;
use tercet_policy::chain::Asset;
use tercet_policy::document::{ContentHash, Signed};
use tercet_policy::intent::{Payment as Paid, PaymentIntent, SignedIntent};

use crate::answer::Answer;
use crate::args::{Answering, Args, Payment};
use crate::demo::house::now;
use crate::error::CliError;
use crate::keyfile::AuthorityKey;
use crate::line;

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(command: &Payment, args: &Args) -> Result<Answer, CliError> {
    let client = line::open(args)?;
    match command {
        Payment::Show { id } => {
            let view = client.payment(id).await?;
            Ok(Answer::of(payment_text(&view), &view))
        }
        Payment::List { awaiting: true, cursor, limit } => {
            let (cursor, limit) = (cursor.clone(), Some(*limit));
            awaiting(&client, &PageAsked { cursor, limit }).await
        }
        Payment::List { awaiting: false, cursor, limit } => {
            let (cursor, limit) = (cursor.clone(), Some(*limit));
            list(&client, &PaymentsAsked { cursor, limit, ..PaymentsAsked::default() }).await
        }
        Payment::Approve(answering) => answer(answering, true, &client).await,
        Payment::Refuse(answering) => answer(answering, false, &client).await,
    }
}

async fn list(client: &Client, asked: &PaymentsAsked) -> Result<Answer, CliError> {
    let page = client.payments(asked).await?;
    let lines = page.payments.iter().map(payment_line).collect();
    Ok(Answer::of(paged(lines, "no payments", page.next_cursor.as_deref()), &page))
}

async fn awaiting(client: &Client, asked: &PageAsked) -> Result<Answer, CliError> {
    let page = client.approvals(asked).await?;
    let lines = page.approvals.iter().flat_map(question).collect();
    let none = "nobody is asked about anything";
    Ok(Answer::of(paged(lines, none, page.next_cursor.as_deref()), &page))
}

fn paged(mut lines: Vec<String>, none: &str, next: Option<&str>) -> String {
    if lines.is_empty() {
        lines.push(none.to_owned());
    }
    lines.extend(next.map(|next| format!("more: --cursor {next}")));
    lines.join("\n")
}

/// Signs an answer to exactly what the agent signed, and brings it.
async fn answer(
    answering: &Answering,
    approves: bool,
    client: &Client,
) -> Result<Answer, CliError> {
    let key = AuthorityKey::open(&answering.key)?;
    let view = client.payment(&answering.id).await?;
    let asked = view.approval.filter(|asked| asked.open).ok_or_else(|| {
        CliError::Failed(format!("nobody is asked about payment {} now", answering.id))
    })?;
    let content_hash = content_hash(&asked.intent)?;
    let said = Approval {
        intent: asked.intent.document.id,
        content_hash,
        policies: asked.policies,
        approves,
        at: now(),
    };
    if (said.intent, said.content_hash) != (answering.id, asked.content_hash) {
        let detail = "the coordinator shows another intent than it asks about".to_owned();
        return Err(CliError::Failed(detail));
    }
    let shown = intent_text(&asked.intent.document);
    let view = client.answer(Signed::by(said, key.expose())?).await?;
    let word = if approves { "approved" } else { "refused" };
    let text = format!("{word} as {}\n{shown}\nstatus      {}", key.public(), status_word(&view));
    Ok(Answer::of(text, &view))
}

/// The hash of exactly what is shown. Whose signature it bears is for the nodes to check.
fn content_hash(intent: &SignedIntent) -> Result<ContentHash, CliError> {
    let unsigned = || CliError::Failed("the coordinator shows an intent nobody signed".to_owned());
    let signature = intent.signatures.first().ok_or_else(unsigned)?;
    Ok(intent.clone().open_by(&signature.key)?.content_hash())
}

fn question(asked: &ApprovalView) -> Vec<String> {
    let mut lines = vec![format!("{}  {}", asked.payment, of_intent(&asked.intent.document))];
    for (opinion, found) in asked.decision.objections() {
        let whom = found.approvers.as_deref().unwrap_or("people");
        let mut line = format!("  {} {}: {whom}", opinion.policy, found.kind);
        if !found.approved_by.is_empty() {
            line.push_str(&format!("; yes from {}", found.approved_by.join(", ")));
        }
        lines.push(line);
    }
    let said = |approves| asked.answers.iter().filter(|a| a.approves == approves).count();
    let (yes, no) = (said(true), said(false));
    lines.push(format!("  until {}, {yes} yes and {no} no so far", asked.until));
    lines
}

fn intent_text(intent: &PaymentIntent) -> String {
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    let payment = &intent.payment;
    [
        format!("payment     {}", intent.id),
        format!("agent       {}", intent.agent),
        format!("amount      {}", amount_of(payment)),
        format!("wallet      {}", intent.wallet),
        format!("payee       {}", or_none(payment.payee().map(|payee| payee.to_string()))),
        format!("service     {}", or_none(payment.service().map(ToString::to_string))),
    ]
    .join("\n")
}

fn of_intent(intent: &PaymentIntent) -> String {
    let payment = &intent.payment;
    let service = payment.service().map(ToString::to_string);
    let payee = || payment.payee().map_or_else(|| "-".to_owned(), |payee| payee.to_string());
    let (agent, amount) = (&intent.agent, amount_of(payment));
    format!("{agent}  {amount}  to {}", service.unwrap_or_else(payee))
}

fn status_word(view: &PaymentView) -> String {
    let word = serde_json::to_value(view.status).ok();
    word.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn amount_text(view: &PaymentView) -> String {
    amount_of(&view.payment)
}

fn amount_of(payment: &Paid) -> String {
    match Asset::find(payment.chain(), payment.token()) {
        Ok(asset) => format!("{} {}", payment.amount().to_decimal(asset.decimals), asset.symbol),
        Err(_) => payment.amount().to_string(),
    }
}

fn payment_line(view: &PaymentView) -> String {
    let payee = view.payment.payee().map_or("-".into(), |payee| payee.to_string());
    format!("{}  {:<9} {:>14}  {payee}", view.id, status_word(view), amount_text(view))
}

fn payment_text(view: &PaymentView) -> String {
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    let mut lines = vec![
        format!("payment     {}", view.id),
        format!("status      {}", status_word(view)),
        format!("amount      {}", amount_text(view)),
        format!("wallet      {}", view.wallet),
        format!("payee       {}", or_none(view.payment.payee().map(|p| p.to_string()))),
        format!("service     {}", or_none(view.payment.service().map(ToString::to_string))),
        format!("transaction {}", or_none(view.transaction.map(|tx| tx.to_string()))),
        format!("slot        {}", or_none(view.slot.clone())),
    ];
    lines.extend(view.refusals.iter().map(|r| format!("refused     {}: {}", r.by, r.refusal)));
    lines.extend(view.deadline.map(|at| format!("deadline    {at}")));
    lines.extend(view.detail.iter().map(|detail| format!("detail      {detail}")));
    lines.join("\n")
}

#[cfg(test)]
mod tests;
