//! `tercet init`: an agent's home with its identity, and the keys to enrol.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf, absolute};

use serde_json::json;
use tercet_policy::party::{NodeId, Party};
use tercet_signer::kek::{Argon2Cost, PassphraseSource};

use crate::answer::Answer;
use crate::args::{Args, Init};
use crate::demo::house::NodeText;
use crate::error::CliError;
use crate::file::{pretty, write_private};
use crate::line::AGENT_FILE;

const RULES: &str = "# The agent's own rules; the authority's policy stands above them. See the documentation\n\
    # of tercet::rules::FetchRules.\n[rules]\nmax_price = \"1 USDC\"\n";

/// Runs the command.
///
/// # Errors
/// [`CliError`]; nothing that exists is overwritten.
pub fn run(init: &Init, args: &Args) -> Result<Answer, CliError> {
    let folder = absolute(&args.home).map_err(CliError::file(&args.home))?;
    let Some(courier) = &args.coordinator else {
        return Err(CliError::Usage("say where the coordinator is: --coordinator URL".into()));
    };
    if folder.join(AGENT_FILE).exists() {
        return Err(CliError::Usage(format!("{} is a home already", folder.display())));
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(CliError::file(&folder))?;
    let passphrase = passphrase(init, &folder)?;
    let source = PassphraseSource::File(passphrase.clone());
    let node = NodeId::from(init.agent.clone());
    let keys =
        tercet_signer_node::init(&folder.join("home"), node, &source, Argon2Cost::standard())
            .map_err(|error| CliError::Setup {
                detail: error.to_string(),
                next: "Correct what is said, and run `tercet init` again.".into(),
            })?;
    let quoted = |items: Vec<String>| items.join(", ");
    let authority = format!(
        "keys = [{}]\nthreshold = {}",
        quoted(init.authority.iter().map(|key| format!("\"{key}\"")).collect()),
        init.threshold
    );
    let endpoints = quoted(init.rpc.iter().map(|url| format!("\"{url}\"")).collect());
    let text = NodeText {
        party: Party::Agent,
        keys: &keys,
        home: Path::new("home"),
        passphrase: &passphrase,
        courier: courier.as_str().trim_end_matches('/'),
        health: None,
        authority: &authority,
        chain: (init.chain.caip2(), &endpoints),
    };
    write_private(&folder.join(AGENT_FILE), &text.toml())?;
    write_private(&folder.join(tercet::wallet::RULES_FILE), RULES)?;
    write_private(&folder.join("node-keys.json"), &pretty(&keys)?)?;
    let text = format!(
        "{}\nHand {} to the operator, who runs\n  tercet agent enrol {} --agent-node node-keys.json \
         --operator-node ... --recovery-node ... --key ...",
        pretty(&keys)?,
        folder.join("node-keys.json").display(),
        init.agent,
    );
    Ok(Answer::new(text, json!({ "home": folder, "keys": keys })))
}

/// The file given, or a fresh one in the folder.
fn passphrase(init: &Init, folder: &Path) -> Result<PathBuf, CliError> {
    if let Some(file) = &init.passphrase_file {
        return absolute(file).map_err(CliError::file(file));
    }
    let mut secret = zeroize::Zeroizing::new([0u8; 32]);
    getrandom::fill(secret.as_mut()).map_err(|error| CliError::Failed(error.to_string()))?;
    let file = folder.join("passphrase");
    write_private(&file, &zeroize::Zeroizing::new(hex::encode(secret.as_ref())))?;
    Ok(file)
}
