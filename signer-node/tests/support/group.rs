//! Three nodes of one group, with the signer crate's fixture parameters.

use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use serde_json::Value;
use tercet_api::relay::ToNode;
use tercet_policy::document::{Ed25519PublicKey, Enrolment, NodeKeys, Signed};
use tercet_policy::party::{AgentId, NodeId, Party};
use tercet_policy::rules::PolicyDocument;
use tercet_signer::home::Home;
use tercet_signer::kek::{Argon2Cost, Kek, PassphraseSource};
use tercet_signer::sealed::SealedName;
use tercet_signer_node::config::NodeConfig;
use tercet_signer_node::{NodeHandle, StartError, StartOptions, init};

use super::courier::{Courier, Heard, now};

pub struct Group {
    pub courier: Courier,
    pub heard: Heard,
    pub keys: [NodeKeys; 3],
    pub authority: SigningKey,
    place: tempfile::TempDir,
}

pub fn agent() -> AgentId {
    AgentId::new("research-01").unwrap()
}

fn name(party: Party) -> NodeId {
    NodeId::new(if party == Party::Agent { "research-01" } else { party.word() }).unwrap()
}

impl Group {
    pub async fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let keys = Party::ALL.map(|party| make_home(&place.path().join(party.word()), party));
        let known = Party::ALL.into_iter().zip(&keys);
        let known = known.map(|(party, keys)| (party, keys.id.clone(), keys.signing)).collect();
        let (courier, heard) = Courier::start(known).await;
        Self { courier, heard, keys, authority: SigningKey::from_bytes(&[9; 32]), place }
    }

    pub fn home(&self, party: Party) -> PathBuf {
        self.place.path().join(party.word())
    }

    pub fn config_text(&self, party: Party) -> String {
        let authority = Ed25519PublicKey::of(&self.authority);
        format!(
            "role = \"{party}\"\nnode = \"{}\"\nhome = \"{}\"\ncoordinator = \"http://{}\"\n\
             [passphrase]\nfile = \"{}\"\n[authority]\nkeys = [\"{authority}\"]\nthreshold = 1\n\
             [limits]\nsessions = 2\nstop_seconds = 5\n[primes]\nstock = 0\n",
            name(party),
            self.home(party).display(),
            self.courier.address,
            self.home(party).with_extension("passphrase").display(),
        )
    }

    pub async fn start(&self, party: Party) -> Result<NodeHandle, StartError> {
        self.start_with(party, "").await
    }

    pub async fn start_with(&self, party: Party, more: &str) -> Result<NodeHandle, StartError> {
        // What stands of the line it had before would take what is sent next, and lose it.
        self.courier.cut(party);
        let path = self.home(party).with_extension("toml");
        std::fs::write(&path, format!("{more}\n{}", self.config_text(party))).unwrap();
        let config = NodeConfig::read(&path)?;
        let kek_floor = Argon2Cost::insecure_for_tests();
        NodeHandle::start_with(config, StartOptions { kek_floor, ..StartOptions::default() }).await
    }

    /// Starts all three, connected, enrolled and with a policy.
    pub async fn start_all(&self) -> [NodeHandle; 3] {
        let mut nodes = Vec::new();
        for party in Party::ALL {
            let node = self.start(party).await.unwrap();
            node.wait_connected(std::time::Duration::from_secs(10)).await.unwrap();
            self.courier.send(party, &self.enrolment()).await;
            self.courier.send(party, &self.policy()).await;
            nodes.push(node);
        }
        nodes.try_into().unwrap()
    }

    pub fn enrolment(&self) -> ToNode {
        let [agent_node, operator_node, recovery_node] = self.keys.clone();
        let epoch = 1;
        let document =
            Enrolment { agent: agent(), epoch, agent_node, operator_node, recovery_node };
        ToNode::Enrolment { document: Signed::by(document, &self.authority).unwrap() }
    }

    pub fn policy(&self) -> ToNode {
        let yaml = "policy: test\nepoch: 1\napplies_to: { agent: research-01 }\nrules:\n  \
             - max_amount: 0.50 USDC\n  - allow: { services: [api.example] }\n";
        let document = PolicyDocument { yaml: yaml.to_owned() };
        ToNode::Policy { document: Signed::by(document, &self.authority).unwrap() }
    }
}

fn make_home(home: &Path, party: Party) -> NodeKeys {
    let secret = b"correct horse battery";
    let file = home.with_extension("passphrase");
    std::fs::write(&file, secret).unwrap();
    set_mode(&file, 0o600);
    let source = PassphraseSource::File(file);
    let keys = init(home, name(party), &source, Argon2Cost::insecure_for_tests()).unwrap();
    let opened = Home::open(home).unwrap();
    let passphrase = source.read().unwrap();
    let kek = Kek::unlock(&opened, &passphrase, Argon2Cost::insecure_for_tests()).unwrap();
    let aux = SealedName::AuxInfo { agent: agent() };
    opened.seal(&aux, now(), &fixture_aux(party), &kek).unwrap();
    keys
}

fn fixture_aux(party: Party) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/signer/tests/fixtures");
    let text = std::fs::read(format!("{folder}/TEST-ONLY-group-aux-{party}.json")).unwrap();
    let mut fixture: Value = serde_json::from_slice(&text).unwrap();
    serde_json::to_vec(&fixture["payload"].take()).unwrap()
}

pub fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
