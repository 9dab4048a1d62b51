//! Homes of signers: made, opened again, and put back to what they were.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use tercet_policy::document::{Authority, AuthorityConfig, Ed25519PublicKey};
use tercet_policy::party::{NodeId, Party};
use tercet_policy::rules::Policy;

use super::NOW;
use crate::gate::{Signer, SignerParts};
use crate::home::Home;
use crate::identity::NodeIdentity;
use crate::kek::{Argon2Cost, Kek, Passphrase};
use crate::tss::GroupAux;

/// A party's share of a group's parameters that was made before.
pub(in super::super) fn fixture_aux(party: Party) -> GroupAux {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let text = std::fs::read(format!("{folder}/TEST-ONLY-group-aux-{party}.json")).unwrap();
    let mut fixture: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let payload = serde_json::to_vec(&fixture["payload"].take()).unwrap();
    GroupAux::from_sealed_bytes(&payload, party).unwrap()
}

pub(in super::super) fn authority_of(key: &SigningKey) -> Authority {
    let keys = vec![Ed25519PublicKey::of(key)];
    AuthorityConfig { keys, threshold: 1 }.try_into().unwrap()
}

/// The files of a home at some moment.
pub(in super::super) struct Copied(Vec<(PathBuf, Vec<u8>)>);

impl Copied {
    pub(super) fn of(home: &Path) -> Self {
        let files = std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap());
        let journal = files.filter(|f| f.file_name().to_string_lossy().starts_with("journal"));
        Self(journal.map(|f| (f.path(), std::fs::read(f.path()).unwrap())).collect())
    }

    /// Puts the journal of then in the place of today's.
    pub(in super::super) fn put_over(&self, home: &Path) {
        for file in Self::of(home).0 {
            std::fs::remove_file(file.0).unwrap();
        }
        for (path, bytes) in &self.0 {
            std::fs::write(path, bytes).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

pub(super) async fn open_signer(path: &Path, party: Party, authority: &SigningKey) -> Signer {
    let home = Home::open(path).unwrap();
    let kek = Kek::unlock(&home, &passphrase(), Argon2Cost::insecure_for_tests()).unwrap();
    let parts = SignerParts {
        role: party,
        identity: Arc::new(NodeIdentity::open(&home, &kek).unwrap()),
        home,
        kek,
        authority: authority_of(authority),
        own_policies: Vec::new(),
        balances: None,
        crash_at: None,
    };
    Signer::open(parts, NOW).await.unwrap()
}

fn passphrase() -> Passphrase {
    Passphrase::new(b"correct horse battery".to_vec()).unwrap()
}

pub(super) async fn signer(
    path: &Path,
    party: Party,
    authority: &SigningKey,
    own: Option<&str>,
) -> Signer {
    let home = Home::create(path).unwrap();
    let kek = Kek::create(&home, &passphrase(), Argon2Cost::insecure_for_tests()).unwrap();
    let name = if party == Party::Agent { "research-01" } else { party.word() };
    let identity = NodeIdentity::generate(NodeId::new(name).unwrap()).unwrap();
    identity.seal(&home, &kek, NOW).unwrap();
    let parts = SignerParts {
        role: party,
        home,
        kek,
        identity: Arc::new(identity),
        authority: authority_of(authority),
        own_policies: own.map(|yaml| Policy::parse(yaml).unwrap()).into_iter().collect(),
        balances: None,
        crash_at: None,
    };
    Signer::open(parts, NOW).await.unwrap()
}
