//! `tercet doctor`: everything that can be wrong with an agent's set-up, one line each, and what
//! to do next.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tercet::client::Client;
use tercet::node::{AgentNode as _, Beside};
use tercet::wallet::{Housing, WalletConfig};
use tercet_api::auth::SIGNATURE_AGE_SECONDS_MAX;
use tercet_chain::{ChainReader, Endpoints};
use tercet_policy::party::AgentId;
use tercet_signer_node::config::{ChainConfig, NodeConfig};
use url::Url;

use crate::answer::Answer;
use crate::args::Args;
use crate::demo::house::now;
use crate::error::CliError;
use crate::exit::Exit;
use crate::line;

/// Oldest newest block of a chain that is alive, in seconds.
pub const BLOCK_AGE_SECONDS_MAX: u64 = 120;
const PROBE_SECONDS_MAX: u64 = 10;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: String,
    /// Whether it is as it should be.
    pub good: bool,
    /// What was seen.
    pub seen: String,
    /// What to do, if it is not.
    pub next: Option<String>,
}

impl Finding {
    fn good(check: &str, seen: impl Into<String>) -> Self {
        Self { check: check.to_owned(), good: true, seen: seen.into(), next: None }
    }

    fn bad(check: &str, seen: impl Into<String>, next: impl Into<String>) -> Self {
        let (check, seen) = (check.to_owned(), seen.into());
        Self { check, good: false, seen, next: Some(next.into()) }
    }
}

/// Runs the command. Ends with [`Exit::Setup`] if something is wrong.
///
/// # Errors
/// None of its own: what is wrong is the answer.
pub async fn run(args: &Args) -> Result<Answer, CliError> {
    let mut findings = vec![mode(&args.home)];
    if let Ok(wallet) = line::wallet(&args.home)
        && let Housing::Beside(socket) = &wallet.housing
    {
        findings.extend(beside(&wallet, socket).await);
        return Ok(answer(findings));
    }
    let config = match line::config(&args.home) {
        Ok(config) => config,
        Err(error) => {
            findings.push(Finding::bad("agent.toml", error.to_string(), error.next()));
            return Ok(answer(findings));
        }
    };
    let pins = serde_json::to_value(&config.authority).unwrap_or_default();
    findings.push(Finding::good("agent.toml", format!("agent {}, authority {pins}", config.node)));
    findings.push(clock(config.coordinator.origin()).await);
    findings.extend(coordinator(args, &config).await);
    for chain in &config.chains {
        findings.push(endpoints(chain).await);
    }
    if config.chains.is_empty() {
        let next = "Add [[chains]] with Base's JSON-RPC endpoints to agent.toml.";
        findings.push(Finding::bad("chains", "none are configured", next));
    }
    Ok(answer(findings))
}

/// What a process needs whose agent's node runs beside it.
async fn beside(wallet: &WalletConfig, socket: &Path) -> Vec<Finding> {
    let seen = async || Beside::at(socket)?.readiness().await;
    let node = match seen().await {
        Err(error) => {
            let next = "Start the agent's node, or have this user listed in its [socket] users.";
            Finding::bad("node", error.to_string(), next)
        }
        Ok(said) if said.ready => Finding::good("node", format!("{} is ready", said.node)),
        Ok(said) => {
            let seen = format!("{} is not ready (connected: {})", said.node, said.connected);
            Finding::bad("node", seen, "The node's log and its /readyz say why.")
        }
    };
    let mut findings = vec![node, clock(wallet.coordinator.origin()).await];
    for chain in &wallet.chains {
        findings.push(endpoints(chain).await);
    }
    findings
}

fn answer(findings: Vec<Finding>) -> Answer {
    let all_good = findings.iter().all(|finding| finding.good);
    let lines: Vec<_> = findings.iter().map(line_of).collect();
    let exit = if all_good { Exit::Ok } else { Exit::Setup };
    Answer::new(lines.join("\n"), json!({ "good": all_good, "findings": findings })).ending(exit)
}

fn line_of(finding: &Finding) -> String {
    let mark = if finding.good { "ok " } else { "BAD" };
    let next =
        finding.next.as_ref().map_or_else(String::new, |next| format!("\n       next: {next}"));
    format!("  {mark}  {:<12} {}{next}", finding.check, finding.seen)
}

fn mode(home: &Path) -> Finding {
    match std::fs::metadata(home) {
        Err(error) => Finding::bad(
            "home",
            format!("{}: {error}", home.display()),
            "Make a home with `tercet init`, or name it with --home.",
        ),
        Ok(found) if found.permissions().mode() & 0o077 != 0 => Finding::bad(
            "home",
            format!("{} has mode {:o}", home.display(), found.permissions().mode() & 0o777),
            format!("chmod 700 {}", home.display()),
        ),
        Ok(_) => Finding::good("home", home.display().to_string()),
    }
}

/// The coordinator's clock, by the `Date` of its answer, or by its word that it lives.
async fn clock(coordinator: &Url) -> Finding {
    crate::tls::install();
    let url = format!("{coordinator}livez");
    let probe = async {
        let http = reqwest::Client::builder().no_proxy().build()?;
        http.get(url).timeout(Duration::from_secs(PROBE_SECONDS_MAX)).send().await
    };
    let response = match probe.await {
        Ok(response) => response,
        Err(error) => {
            let next = "Start the coordinator, or correct `coordinator` in agent.toml.";
            return Finding::bad("coordinator", error.to_string(), next);
        }
    };
    let date = response.headers().get(reqwest::header::DATE).and_then(|d| d.to_str().ok());
    let Some(theirs) = date.and_then(http_date) else {
        return Finding::good("coordinator", "it answers, and does not tell its time");
    };
    let apart = now().0.abs_diff(theirs);
    if apart > SIGNATURE_AGE_SECONDS_MAX {
        let next = "Set this machine's clock (systemctl enable --now systemd-timesyncd).";
        return Finding::bad("clock", format!("{apart} s apart from the coordinator's"), next);
    }
    Finding::good("clock", format!("{apart} s apart from the coordinator's"))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7) as Unix seconds.
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.split(' ');
    let day: u64 = words.next()?.parse().ok()?;
    let name = words.next()?;
    let month = u64::try_from(MONTHS.iter().position(|month| *month == name)?).ok()?;
    let year: u64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    // Days since 1970-01-01 with the year beginning in March (Hinnant, "chrono-compatible
    // low-level date algorithms", days_from_civil).
    let year = if month < 2 { year.checked_sub(1)? } else { year };
    let shifted = month.checked_add(10)?.checked_rem(12)?;
    let of_year = shifted.checked_mul(153)?.checked_add(2)?.checked_div(5)?.checked_add(day)?;
    let leap = year.checked_div(4)?.checked_sub(year.checked_div(100)?)?;
    let leap = leap.checked_add(year.checked_div(400)?)?;
    let days = year.checked_mul(365)?.checked_add(leap)?.checked_add(of_year)?;
    let days = days.checked_sub(719_469)?;
    let seconds = hour.checked_mul(3_600)?.checked_add(minute.checked_mul(60)?)?;
    days.checked_mul(86_400)?.checked_add(seconds)?.checked_add(second)
}

async fn coordinator(args: &Args, config: &NodeConfig) -> Vec<Finding> {
    let client = match line::as_agent(args) {
        Ok(client) => client,
        Err(error) => return vec![Finding::bad("identity", error.to_string(), error.next())],
    };
    let mut findings = vec![Finding::good("identity", "the home opens")];
    let Ok(agent) = AgentId::new(config.node.as_str()) else { return findings };
    match client.agent(&agent).await {
        Err(error) => {
            let error = CliError::from(error);
            findings.push(Finding::bad("enrolment", error.to_string(), error.next()));
            return findings;
        }
        Ok(view) if view.frozen => {
            let next = format!("The authority resumes it: tercet agent unfreeze {agent} --key ...");
            let reason = view.frozen_reason.unwrap_or_default();
            findings.push(Finding::bad("enrolment", format!("frozen: {reason}"), next));
        }
        Ok(view) => findings.push(Finding::good("enrolment", format!("epoch {}", view.epoch))),
    }
    findings.push(policy(&client, &agent, config).await);
    findings.extend(nodes(&client).await);
    findings
}

async fn policy(client: &Client, agent: &AgentId, config: &NodeConfig) -> Finding {
    let view = match client.policy(agent).await {
        Ok(view) => view,
        Err(error) => {
            let next = "Sign one and install it: tercet policy sign, tercet policy put.";
            return Finding::bad("policy", error.to_string(), next);
        }
    };
    match view.document.open_policy(&config.authority) {
        Ok(policy) => Finding::good(
            "policy",
            format!("{} (epoch {}), signed by the pinned authority", policy.name(), policy.epoch()),
        ),
        Err(error) => Finding::bad(
            "policy",
            error.to_string(),
            "Pin the same authority in agent.toml as the coordinator and the operator do.",
        ),
    }
}

async fn nodes(client: &Client) -> Vec<Finding> {
    let nodes = match client.nodes().await {
        Ok(nodes) => nodes,
        Err(error) => {
            let error = CliError::from(error);
            return vec![Finding::bad("nodes", error.to_string(), error.next())];
        }
    };
    let away: Vec<_> =
        nodes.iter().filter(|node| !node.connected).map(|node| node.id.to_string()).collect();
    let seen = format!("{} known, away: [{}]", nodes.len(), away.join(", "));
    // The agent's own node is this command, and the recovery node is kept cold.
    vec![Finding::good("nodes", seen)]
}

async fn endpoints(chain: &ChainConfig) -> Finding {
    let check = chain.chain.caip2();
    let next = "Correct `endpoints` of this chain in agent.toml.";
    let reader = Endpoints::new(chain.chain, chain.endpoints.clone(), None)
        .map_err(|error| error.to_string())
        .and_then(|endpoints| ChainReader::new(&endpoints).map_err(|error| error.to_string()));
    let reader = match reader {
        Ok(reader) => reader,
        Err(error) => return Finding::bad(check, error, next),
    };
    match reader.head().await {
        Err(error) => Finding::bad(check, error.to_string(), next),
        Ok(block) => {
            let age = now().0.saturating_sub(block.timestamp.0);
            let seen = format!("block {} is {age} s old", block.number);
            if age > BLOCK_AGE_SECONDS_MAX {
                return Finding::bad(check, seen, "Use endpoints that follow the chain.");
            }
            Finding::good(check, seen)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_dates_are_unix_seconds() {
        for (text, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
            ("Sat, 21 Nov 2026 10:00:00 GMT", 1_795_255_200),
        ] {
            assert_eq!(http_date(text), Some(seconds), "{text}");
        }
        for bad in ["", "yesterday", "Sun, 06 Nov", "Sun, 06 Foo 1994 08:49:37 GMT"] {
            assert_eq!(http_date(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_missing_home_is_told_with_what_to_do() {
        use clap::Parser as _;
        let args =
            Args::try_parse_from(["tercet", "--home", "/nonexistent/home", "doctor"]).unwrap();
        let answer = run(&args).await.unwrap();
        assert_eq!(answer.exit, Exit::Setup);
        assert!(answer.text.contains("tercet init"), "{}", answer.text);
    }
}
