//! Lines to the coordinator: as an operator with a bearer token, or as the agent of a home, whose
//! node may run beside this process.

use std::path::Path;
use std::sync::Arc;

use tercet::client::{Client, Credentials};
use tercet::node::{AsAgent, Beside};
use tercet::wallet::{RULES_FILE, WalletConfig};
use tercet_signer::home::Home;
use tercet_signer::identity::NodeIdentity;
use tercet_signer::kek::{Argon2Cost, Kek};
use tercet_signer_node::config::NodeConfig;
use url::Url;
use zeroize::Zeroizing;

use crate::args::Args;
use crate::error::CliError;
use crate::file::read_text;

/// The agent node's configuration in a home folder.
pub const AGENT_FILE: &str = "agent.toml";

/// A line with the best credentials at hand: the token, or the agent's identity.
///
/// # Errors
/// [`CliError`].
pub fn open(args: &Args) -> Result<Client, CliError> {
    if let Some(file) = &args.read_token_file {
        let token = Zeroizing::new(read_text(file)?.trim().to_owned());
        return client(base(args)?, Credentials::Reader(Arc::new(token)));
    }
    if [AGENT_FILE, RULES_FILE].iter().any(|file| args.home.join(file).is_file()) {
        return as_agent(args);
    }
    without_credentials(args)
}

/// A line for documents that carry their own signatures.
///
/// # Errors
/// [`CliError`].
pub fn without_credentials(args: &Args) -> Result<Client, CliError> {
    client(base(args)?, Credentials::None)
}

/// A line as the agent of the home. Requests are signed by the node beside this process where one
/// answers, and with the identity in the home otherwise.
///
/// # Errors
/// [`CliError`].
pub fn as_agent(args: &Args) -> Result<Client, CliError> {
    if let Some(node) = beside(&wallet(&args.home)?)? {
        return client(base(args)?, Credentials::Node(Arc::new(AsAgent(Arc::new(node)))));
    }
    let identity = identity(&config(&args.home)?)?;
    client(base(args)?, Credentials::Node(Arc::new(identity)))
}

/// What a wallet of this home is opened with.
///
/// # Errors
/// [`CliError::Setup`].
pub fn wallet(home: &Path) -> Result<WalletConfig, CliError> {
    WalletConfig::read(home)
        .map_err(|error| CliError::Setup { detail: error.to_string(), next: no_home(home) })
}

/// The agent's node beside this process, if there is one.
///
/// # Errors
/// [`CliError::Setup`] for one that is named and cannot be used.
pub fn beside(config: &WalletConfig) -> Result<Option<Beside>, CliError> {
    let node = config.live_socket().map(Beside::at).transpose();
    node.map_err(|error| CliError::Setup {
        detail: error.to_string(),
        next: "Start the agent's node, or correct `socket` in wallet.toml.".into(),
    })
}

fn no_home(home: &Path) -> String {
    format!("Make a home with `tercet init`, or name it with --home (now {}).", home.display())
}

/// The agent node's configuration of a home folder.
///
/// # Errors
/// [`CliError::Setup`].
pub fn config(home: &Path) -> Result<NodeConfig, CliError> {
    NodeConfig::read(&home.join(AGENT_FILE))
        .map_err(|error| CliError::Setup { detail: error.to_string(), next: no_home(home) })
}

/// Opens the identity of a home that no process is using.
///
/// # Errors
/// [`CliError::Setup`].
pub fn identity(config: &NodeConfig) -> Result<NodeIdentity, CliError> {
    let source = config.passphrase.source().map_err(|error| setup(&error))?;
    let passphrase = source.read().map_err(|error| setup(&error))?;
    let home = Home::open(&config.home).map_err(|error| setup(&error))?;
    let kek = Kek::unlock(&home, &passphrase, Argon2Cost::standard()).map_err(|e| setup(&e))?;
    NodeIdentity::open(&home, &kek).map_err(|error| setup(&error))
}

/// The coordinator: as given, or as the home's configuration says.
///
/// # Errors
/// [`CliError::Setup`] for neither.
pub fn base(args: &Args) -> Result<Url, CliError> {
    if let Some(url) = &args.coordinator {
        return Ok(url.clone());
    }
    wallet(&args.home).map(|config| config.coordinator.origin().clone()).map_err(|error| {
        CliError::Setup {
            detail: format!("no coordinator is known: {error}"),
            next: "Name one with --coordinator URL or TERCET_COORDINATOR.".into(),
        }
    })
}

fn client(base: Url, credentials: Credentials) -> Result<Client, CliError> {
    crate::tls::install();
    Ok(Client::new(base, credentials)?)
}

fn setup(error: &dyn std::error::Error) -> CliError {
    CliError::Setup {
        detail: error.to_string(),
        next: "Stop the process that uses the home, or correct what is said; then run `tercet doctor`."
            .into(),
    }
}
