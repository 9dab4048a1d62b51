//! MPP on Tempo: a charge, and a session with a budget, from its deposit to what came back of it.

use std::time::{Duration, Instant};

use reqwest::{Method, Request, Response, Url};
use serde_json::Value;
use tercet::mpp::{Meter, Session, SessionState};
use tercet::{Declaration, Error, Fetched, Wallet};
use tercet_api::policy::{BudgetPage, BudgetView};
use tercet_policy::chain::PATH_USD;
use tercet_policy::intent::Service;
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tercet_policy::party::Party;

use super::outside::mpp_control;
use super::{Stage, failed, path_usd_text, pays};
use crate::demo::show::Show;
use crate::error::CliError;

/// What the agent calls its session; the budget counts by that name.
const SESSION: &str = "study-1";
const REQUESTS: u32 = 3;
const WORDS: usize = 12;
/// How many words are shown at the beginning of the stream, before the last one.
const WORDS_SHOWN: usize = 3;
const CONNECT_SECONDS_MAX: u64 = 20;
const CLOSED_SECONDS_MAX: u64 = 60;
const LOOK: Duration = Duration::from_millis(250);

/// Everything on Tempo; the agent's share is in this process meanwhile. The policy is afterwards
/// the one of before.
pub(super) async fn on_tempo(stage: &mut Stage, show: &mut Show<'_>) -> Result<(), CliError> {
    let yaml = policy(&stage.mpp_merchant)?;
    stage.install(&yaml, "the next epoch of the policy, for MPP on Tempo", show).await?;
    stage.stop_node(Party::Agent).await;
    let home = &stage.house.seat(Party::Agent).folder;
    let wallet = Box::pin(Wallet::open(home)).await?;
    let acted = Box::pin(act(stage, &wallet, show)).await;
    wallet.close().await;
    acted?;
    let line = stage.house.line().map_err(failed)?;
    line.install_policy(&stage.policy()?).await.map_err(failed)?;
    Ok(())
}

/// An amount rule measures one asset, so that pathUSD has an epoch of its own here.
fn policy(merchant: &str) -> Result<String, CliError> {
    let service = Service::of(merchant).map_err(failed)?;
    Ok(super::policy_of(&[
        "limit: { amount: 5 pathUSD, per: day }",
        "price_ceiling: { mpp: 0.05 pathUSD }",
        "mpp: { session_budget: 0.60 pathUSD, max_concurrent_sessions: 1 }",
        &format!("allow: {{ services: [\"{service}\"] }}"),
    ]))
}

async fn act(stage: &Stage, wallet: &Wallet, show: &mut Show<'_>) -> Result<(), CliError> {
    wallet.wait_connected(Duration::from_secs(CONNECT_SECONDS_MAX)).await?;
    charge(stage, wallet, show).await?;
    let session = open(stage, wallet, show).await?;
    stream(stage, wallet, &session, show).await?;
    close(stage, wallet, &session.channel, show).await?;
    beyond_the_budget(stage, wallet, show).await
}

async fn charge(stage: &Stage, wallet: &Wallet, show: &mut Show<'_>) -> Result<(), CliError> {
    let url = format!("{}/charge", stage.mpp_merchant);
    let before = has(stage).await?;
    let Fetched { response, receipt } = Box::pin(wallet.get(&url)).await?;
    let receipt = receipt.ok_or_else(|| failed("a charge was not asked for"))?;
    let transaction = receipt.transaction.filter(|_| receipt.verified);
    let transaction = transaction.ok_or_else(|| failed(format!("not seen paid: {receipt:?}")))?;
    let resource = response.text().await.map_err(failed)?;
    let after = has(stage).await?;
    show.step(
        "paid by MPP: a charge, with its fee in the same dollars",
        &[
            format!("GET         {url}"),
            format!("resource    {resource}"),
            format!("price       {}", receipt.price),
            format!("transaction {transaction}"),
            format!("wallet      {} -> {}", path_usd_text(before), path_usd_text(after)),
        ],
    );
    Ok(())
}

/// The first request opens the channel, the others draw on it.
async fn open(stage: &Stage, wallet: &Wallet, show: &mut Show<'_>) -> Result<Session, CliError> {
    let url = format!("{}/session", stage.mpp_merchant);
    let before = has(stage).await?;
    let mut vouchers = Vec::new();
    for request in 1..=REQUESTS {
        fetch(wallet, &url).await?.text().await.map_err(failed)?;
        let meter = newest(wallet).await?.meter;
        vouchers
            .push(format!("request {request}   voucher of {} in all", path_usd_text(meter.signed)));
    }
    let session = newest(wallet).await?;
    let after = has(stage).await?;
    let mut lines = vec![
        format!("GET         {url}, in the agent's session {SESSION}"),
        format!("channel     {}", session.channel),
        format!("deposit     {}: the most that can be lost", path_usd_text(session.meter.deposit)),
        format!("wallet      {} -> {}", path_usd_text(before), path_usd_text(after)),
    ];
    lines.extend(vouchers);
    lines.push(format!("limit       {}", limit(stage).await?));
    show.step("a session: one deposit, and a voucher for each request", &lines);
    if session.state != SessionState::Open {
        return Err(failed(format!("the session is {}", session.state)));
    }
    Ok(session)
}

/// Words, each paid for when the merchant asks for it.
async fn stream(
    stage: &Stage,
    wallet: &Wallet,
    session: &Session,
    show: &mut Show<'_>,
) -> Result<(), CliError> {
    let url = format!("{}/stream/{WORDS}", stage.mpp_merchant);
    let (mut lines, mut before) = (vec![format!("GET         {url}")], session.meter.clone());
    let mut response = fetch(wallet, &url).await?;
    let mut words = Vec::new();
    while let Some(event) = response.chunk().await.map_err(failed)? {
        let meter = wallet.session(&session.channel).await?.meter;
        check(&before, &meter)?;
        let (signed, came) = (path_usd_text(meter.signed), path_usd_text(meter.delivered));
        words.push(format!("{:<11} voucher of {signed} in all, delivered {came}", data(&event)));
        before = meter;
    }
    if words.len() != WORDS {
        return Err(failed(format!("{} of {WORDS} words came", words.len())));
    }
    lines.extend(words.iter().take(WORDS_SHOWN).cloned());
    lines.push("...".to_owned());
    lines.extend(words.pop());
    let channels = mpp_control(&stage.mpp_merchant, "/channels").await?;
    let units = channels.pointer("/0/units").and_then(Value::as_u64).unwrap_or_default();
    lines.push(format!("merchant    counts {units} units in the channel"));
    show.step("streamed: each word is paid for as it comes, by a voucher", &lines);
    Ok(())
}

/// One unit a voucher, and one ahead of what came at most.
fn check(before: &Meter, now: &Meter) -> Result<(), CliError> {
    let most = |base: Amount| base.checked_add(now.unit_price).unwrap_or(base);
    if now.signed > most(before.signed) || now.signed > most(now.delivered) {
        return Err(failed(format!("more was signed than came: {now:?}")));
    }
    Ok(())
}

async fn close(
    stage: &Stage,
    wallet: &Wallet,
    channel: &ChannelId,
    show: &mut Show<'_>,
) -> Result<(), CliError> {
    let (before, counted) = (has(stage).await?, limit(stage).await?);
    Box::pin(wallet.close_session(channel)).await?;
    let ended = closed(wallet, channel).await?;
    let view = pays::settled(stage, &ended.opened_by.id).await?;
    let (after, deposit) = (has(stage).await?, ended.meter.deposit);
    let used = ended.settled.ok_or_else(|| failed("the chain does not say what was used"))?;
    let refunded = deposit.checked_sub(used).unwrap_or_default();
    show.step(
        "the session is closed at what was used",
        &[
            format!("deposit     {}", path_usd_text(deposit)),
            format!("used        {}: the payee's, by the chain", path_usd_text(used)),
            format!("refunded    {}", path_usd_text(refunded)),
            format!("wallet      {} -> {}", path_usd_text(before), path_usd_text(after)),
            format!("limit       {counted}"),
            format!("            -> {}", limit(stage).await?),
        ],
    );
    let came_back = after.checked_sub(before) == Some(refunded);
    if !came_back || used != ended.meter.delivered || view.settled_amount != Some(used) {
        return Err(failed(format!("the amounts do not fit: {ended:?}, {view:?}")));
    }
    Ok(())
}

/// Looks after the session until the chain shows its end.
async fn closed(wallet: &Wallet, channel: &ChannelId) -> Result<Session, CliError> {
    let begun = Instant::now();
    loop {
        let tended = Box::pin(wallet.tend_sessions()).await?;
        let session = wallet.session(channel).await?;
        if session.state == SessionState::Closed {
            return Ok(session);
        }
        if begun.elapsed() > Duration::from_secs(CLOSED_SECONDS_MAX) {
            return Err(failed(format!("the session is not closed: {tended:?}")));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What the session has used counts in its budget, and another deposit of the same size with it is
/// too much.
async fn beyond_the_budget(
    stage: &Stage,
    wallet: &Wallet,
    show: &mut Show<'_>,
) -> Result<(), CliError> {
    let url = format!("{}/session", stage.mpp_merchant);
    let before = has(stage).await?;
    let refused = match fetch(wallet, &url).await {
        Err(refused @ CliError::Refused(_)) => refused.to_string(),
        Err(error) => return Err(error),
        Ok(_) => return Err(failed("a deposit beyond the session's budget was not refused")),
    };
    let mut lines = vec![format!("GET         {url}, in the agent's session {SESSION}")];
    lines.extend(refused.split("; ").map(|part| format!("            {part}")));
    show.step("refused: a deposit beyond the session's budget", &lines);
    if !refused.contains("mpp.session_budget") || has(stage).await? != before {
        return Err(failed("it was refused for something else, or moved money"));
    }
    Ok(())
}

async fn fetch(wallet: &Wallet, url: &str) -> Result<Response, CliError> {
    let request = Request::new(Method::GET, Url::parse(url).map_err(failed)?);
    let session = Some(SESSION.parse().map_err(failed)?);
    let declaration = Declaration { session, ..Declaration::default() };
    let fetched = Box::pin(wallet.fetch_declaring(request, declaration)).await;
    Ok(fetched.map_err(|error: Error| CliError::from(error))?.response)
}

async fn newest(wallet: &Wallet) -> Result<Session, CliError> {
    let newest = wallet.sessions(1).await?.pop();
    newest.ok_or_else(|| failed("no session was opened"))
}

/// What the wallet has on Tempo.
async fn has(stage: &Stage) -> Result<Amount, CliError> {
    stage.tempo.rpc.balance(PATH_USD, stage.wallet).await.map_err(failed)
}

/// Where the policy's daily limit stands, fees included.
async fn limit(stage: &Stage) -> Result<String, CliError> {
    let line = stage.house.line().map_err(failed)?;
    let page: BudgetPage = line.get("/v1/budgets").await.map_err(failed)?;
    let limit = page.budgets.into_iter().find(|budget| budget.kind == "limit");
    let limit = limit.ok_or_else(|| failed("no limit is counted"))?;
    let BudgetView { available, limit, unit, per, .. } = limit;
    Ok(format!("{available} of {limit} {unit} a {per} are left; fees at their caps until taken"))
}

/// What a server-sent event says.
fn data(event: &[u8]) -> String {
    let text = String::from_utf8_lossy(event);
    text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use tercet_policy::rules::Policy;

    use super::*;

    const fn units(units: u128) -> Amount {
        Amount::from_base_units(units)
    }

    #[test]
    fn the_policy_for_mpp_reads_and_has_a_session_budget() {
        let yaml = policy("http://127.0.0.1:8402").unwrap();
        let policy = Policy::parse(&yaml).unwrap();
        assert_eq!(policy.rules().len(), 5, "{yaml}");
        assert!(yaml.contains("session_budget"), "{yaml}");
    }

    #[test]
    fn the_demo_does_not_show_a_stream_that_pays_ahead() {
        let meter = |signed, delivered| {
            let (signed, delivered) = (units(signed), units(delivered));
            Meter { signed, delivered, ..Meter::new(units(10), units(500)) }
        };
        let before = meter(30, 30);
        for (now, fits) in [((40, 40), true), ((40, 30), true), ((50, 50), false)] {
            assert_eq!(check(&before, &meter(now.0, now.1)).is_ok(), fits, "{now:?}");
        }
        assert!(check(&before, &meter(40, 20)).is_err(), "two ahead");
    }

    #[test]
    fn an_event_says_its_data() {
        assert_eq!(data(b"event: message\ndata: word 1\n\n"), "word 1");
        assert_eq!(data(b": a comment\n\n"), "");
    }
}
