//! `tercet agent`: enrol, stop, resume, look. Operators' decisions, under the authority's keys.

use std::path::Path;

use tercet::client::Client;
use tercet_api::resource::AgentView;
use tercet_policy::document::{self, Document, Enrolment, NodeKeys, Signed};
use tercet_policy::party::NodeId;

use crate::answer::Answer;
use crate::args::{Agent, Args, Enrol, Freeze};
use crate::demo::house::now;
use crate::error::CliError;
use crate::file::read_json;
use crate::keyfile::{AuthorityKey, open_all};
use crate::line;

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(command: &Agent, args: &Args) -> Result<Answer, CliError> {
    let view = match command {
        Agent::Enrol(enrol) => enrol_agent(enrol, &line::without_credentials(args)?).await?,
        Agent::Freeze(freeze) => set_frozen(freeze, true, &line::open(args)?).await?,
        Agent::Unfreeze(freeze) => set_frozen(freeze, false, &line::open(args)?).await?,
        Agent::Show { agent } => line::open(args)?.agent(agent).await?,
    };
    Ok(Answer::of(text(&view), &view))
}

/// Signs a document with every key.
///
/// # Errors
/// [`CliError::Document`] for a document without a canonical form.
pub fn sign_all<T: Document>(document: T, keys: &[AuthorityKey]) -> Result<Signed<T>, CliError> {
    let mut signed = Signed { document, signatures: Vec::new() };
    keys.iter().try_for_each(|key| signed.add_signature(key.expose()))?;
    Ok(signed)
}

async fn enrol_agent(enrol: &Enrol, coordinator: &Client) -> Result<AgentView, CliError> {
    let enrolment = sign_all(enrolment(enrol)?, &open_all(&enrol.keys.keys)?)?;
    Ok(coordinator.enrol(enrolment).await?)
}

fn enrolment(enrol: &Enrol) -> Result<Enrolment, CliError> {
    let enrolment = Enrolment {
        agent: enrol.agent.clone(),
        epoch: enrol.epoch,
        agent_node: node_keys(&enrol.agent_node)?,
        operator_node: node_keys(&enrol.operator_node)?,
        recovery_node: node_keys(&enrol.recovery_node)?,
    };
    if enrolment.agent_node.id != NodeId::from(enrol.agent.clone()) {
        return Err(CliError::Usage(format!(
            "{} holds the keys of {}; the agent's own node carries the agent's name, {}",
            enrol.agent_node.display(),
            enrolment.agent_node.id,
            enrol.agent,
        )));
    }
    if !enrolment.parties_are_distinct() {
        return Err(CliError::Usage(
            "the three nodes must be three different nodes with different keys".into(),
        ));
    }
    Ok(enrolment)
}

fn node_keys(path: &Path) -> Result<NodeKeys, CliError> {
    read_json(path, "a node's public keys, as `init` prints them")
}

async fn set_frozen(
    freeze: &Freeze,
    frozen: bool,
    coordinator: &Client,
) -> Result<AgentView, CliError> {
    let epoch = match freeze.epoch {
        Some(epoch) => epoch,
        None => coordinator.agent(&freeze.agent).await?.freeze_epoch.saturating_add(1),
    };
    let document = document::Freeze {
        agent: freeze.agent.clone(),
        epoch,
        frozen,
        reason: freeze.reason.clone(),
        at: now(),
    };
    let signed = sign_all(document, &open_all(&freeze.keys.keys)?)?;
    Ok(coordinator.freeze(signed).await?)
}

fn text(view: &AgentView) -> String {
    let [agent, operator, recovery] = &view.nodes;
    let state = match (&view.frozen, &view.frozen_reason) {
        (true, Some(reason)) => format!("frozen: {reason}"),
        (true, None) => "frozen".to_owned(),
        (false, _) => "active".to_owned(),
    };
    let policy = view
        .policy_epoch
        .map_or("none, so every payment is refused".into(), |epoch| format!("epoch {epoch}"));
    let aux = view.aux.map_or("not made yet".into(), |hash| hash.to_string());
    format!(
        "agent      {}, {state}\nenrolment  epoch {}\nnodes      {agent} (agent), {operator} \
         (operator), {recovery} (recovery)\npolicy     {policy}\naux info   {aux}",
        view.id, view.epoch
    )
}
