//! What a node that runs on this machine says of itself, at its health address.

use std::net::SocketAddr;
use std::time::Duration;

use tercet_signer_node::config::NodeConfig;
use tercet_signer_node::{NodeStatus, PresignatureStatus, PrimeStatus, WalletStatus, WalletStock};

use crate::answer::Answer;
use crate::args::NodeStatusOf;
use crate::command::table;
use crate::error::CliError;

/// How long a node on this machine gets to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Characters of a hash that people are shown.
const HASH_CHARS: usize = 16;

/// The health address that is meant, if one is.
pub(super) fn address(of: &NodeStatusOf) -> Result<Option<SocketAddr>, CliError> {
    let NodeStatusOf { at, config } = of;
    let (None, Some(path)) = (at, config) else { return Ok(at.map(|at| at.address())) };
    let setup = |detail: String, next: &str| CliError::Setup { detail, next: next.to_owned() };
    let config = NodeConfig::read(path)
        .map_err(|error| setup(error.to_string(), "Correct the node's configuration."))?;
    let health = config.health.ok_or_else(|| {
        setup(
            format!("{} names no health address", path.display()),
            "Add `health = \"127.0.0.1:PORT\"` to it, and start the node again.",
        )
    })?;
    Ok(Some(health.address()))
}

/// Asks the node.
pub(super) async fn status(address: SocketAddr) -> Result<Answer, CliError> {
    let body = body(address).await.map_err(|error| unreachable(address, &error))?;
    let status: NodeStatus = serde_json::from_slice(&body).map_err(|error| {
        let detail = format!("it is no signer node of this release: {error}");
        CliError::Unreachable { what: format!("the node at {address}"), detail }
    })?;
    Ok(Answer::of(text(&status), &status))
}

async fn body(address: SocketAddr) -> Result<Vec<u8>, reqwest::Error> {
    crate::tls::install();
    let client = reqwest::Client::builder().no_proxy().timeout(ANSWER).build()?;
    let url = format!("http://{address}/status");
    let mut answer = client.get(url).send().await?.error_for_status()?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn unreachable(address: SocketAddr, error: &reqwest::Error) -> CliError {
    CliError::Unreachable {
        what: format!("the node at {address}"),
        detail: std::error::Error::source(error).map_or(error.to_string(), ToString::to_string),
    }
}

fn text(status: &NodeStatus) -> String {
    let NodeStatus { node, role, version, up_seconds, journal_rows, journal_head, work, .. } =
        status;
    let head = journal_head.to_string();
    let mut lines = vec![
        format!("node           {node} ({role}), release {version}, up {}", time(*up_seconds)),
        format!("state          {}", state(status)),
        format!(
            "journal        {journal_rows} rows, head {}",
            head.get(..HASH_CHARS).unwrap_or("")
        ),
        format!(
            "work           {} of {} sessions, {} runs for payments, {} in the background; {} \
             frames dropped",
            work.sessions,
            work.sessions_max,
            work.payment_runs,
            work.background_runs,
            work.dropped_frames
        ),
    ];
    lines.extend(
        status.tripped.iter().map(|trip| format!("stopped agent  {}: {}", trip.agent, trip.reason)),
    );
    lines.extend(wallets(&status.wallets));
    lines.push(primes(&status.primes));
    lines.extend(presignatures(&status.presignatures));
    lines.join("\n")
}

fn state(status: &NodeStatus) -> String {
    match (&status.bug, &status.journal_fault) {
        (Some(bug), _) => format!("REFUSES until it is started anew, after: {bug}"),
        (None, Some(fault)) => format!("REFUSES until it is started anew; its journal: {fault}"),
        (None, None) if status.connected => "ready".to_owned(),
        (None, None) => "not ready: no line to the coordinator".to_owned(),
    }
}

fn wallets(wallets: &WalletStatus) -> Vec<String> {
    let WalletStatus { held, stopped, stopped_first } = wallets;
    let mut lines = vec![format!("wallets        {held} held, {stopped} stopped")];
    lines.extend(stopped_first.iter().map(|wallet| {
        let agent = table::or_dash(wallet.agent.as_ref());
        format!("  stopped      {} of {agent}: {}", wallet.wallet, wallet.reason)
    }));
    lines
}

fn primes(primes: &PrimeStatus) -> String {
    let PrimeStatus { in_stock, wanted, used, dropped, awaited, .. } = primes;
    format!(
        "primes         {in_stock} of {wanted} sets in stock; {used} used, {awaited} waited for, \
         {dropped} dropped"
    )
}

fn presignatures(stock: &PresignatureStatus) -> Vec<String> {
    let each = stock.making_ms.checked_div(stock.made as u64);
    let each = each.map_or_else(String::new, |ms| format!(", {ms} ms each"));
    let mut lines = vec![
        format!(
            "presignatures  {} of {} in stock, of {} wallets; at most {} of a wallet, for {}",
            stock.in_stock,
            stock.in_stock_max,
            stock.wallets,
            stock.per_wallet_max,
            time(stock.age_seconds_max)
        ),
        format!(
            "               {} made{each}, {} used; dropped: {} too old, {} unmatched, {} in \
             doubt; {} asked for and not found",
            stock.made, stock.used, stock.expired, stock.unmatched, stock.doubted, stock.not_found
        ),
    ];
    if !stock.first.is_empty() {
        let rows: Vec<_> = stock.first.iter().map(row).collect();
        let head = ["wallet", "with", "in stock", "target", "per minute", "oldest"];
        lines.extend(table::lines(head, &rows));
    }
    lines
}

fn row(stock: &WalletStock) -> [String; 6] {
    [
        stock.wallet.to_string(),
        table::or_dash(stock.peer),
        stock.in_stock.to_string(),
        table::or_dash(stock.target),
        table::or_dash(stock.per_minute),
        table::or_dash(stock.oldest_seconds.map(time)),
    ]
}

/// A time for people: its two largest parts.
fn time(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}
