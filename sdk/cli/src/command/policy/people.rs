//! Stand-ins for the people whom policies ask, so that a trial can say what they would say.
//!
//! Promises: a trial's approvals are signed, and checked as a node checks them: by the very code,
//! over the very intent. Only the keys are others.
//!
//! Does not protect against: anything. The secret halves of these keys can be computed by
//! anybody, and no policy that a node holds names them.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use tercet_policy::approval::{Approval, AuthenticApproval, SignedApproval};
use tercet_policy::document::{ContentHash, Ed25519PublicKey};
use tercet_policy::intent::IntentId;
use tercet_policy::rows::PolicyEpochs;
use tercet_policy::rules::Policy;

use super::file::Source;
use super::payment::Said;

/// What a trial's payments are taken to be named.
pub(super) const NO_INTENT: IntentId = IntentId([0; 32]);
/// What a trial's payments are taken to be signed as.
pub(super) const CONTENT: ContentHash = ContentHash([0; 32]);
/// The key that a trial's agent is taken to have.
pub(super) const AGENT_KEY: Ed25519PublicKey = Ed25519PublicKey([0; 32]);

/// The people that policies name, each with the keys of its stand-ins.
#[derive(Clone, Debug, Default)]
pub(super) struct People(BTreeMap<String, Vec<SigningKey>>);

impl People {
    /// The policy with stand-ins in the place of its people.
    pub(super) fn stand_in(&mut self, source: &Source) -> Result<Policy, String> {
        let approvers = source.policy.rules().iter().filter_map(|rule| rule.approvers());
        let mut yaml = source.yaml.clone();
        for person in approvers.flat_map(|approvers| approvers.people()) {
            // One key, one stand-in: the public half serves as the seed of another.
            let key = SigningKey::from_bytes(&person.key.0);
            yaml = with_key(&yaml, person.key, Ed25519PublicKey::of(&key));
            let keys = self.0.entry(person.name.clone()).or_default();
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        Policy::parse(&yaml).map_err(|error| error.to_string())
    }

    /// What they say, signed.
    pub(super) fn approvals(&self, said: &[Said]) -> Result<Vec<AuthenticApproval>, String> {
        let mut approvals = Vec::new();
        for said in said {
            let nobody = || format!("nobody whom these policies ask is called {:?}", said.by);
            for key in self.0.get(&said.by).ok_or_else(nobody)? {
                approvals.push(signed(said, key)?);
            }
        }
        Ok(approvals)
    }
}

fn signed(said: &Said, key: &SigningKey) -> Result<AuthenticApproval, String> {
    let approval = Approval {
        intent: NO_INTENT,
        content_hash: CONTENT,
        policies: PolicyEpochs::default(),
        approves: said.approves,
        at: said.at,
    };
    let opened = SignedApproval::by(approval, key).and_then(SignedApproval::open_approval);
    opened.map_err(|error| error.to_string())
}

/// A text with another key, however the one was written; lines and columns stay.
fn with_key(yaml: &str, old: Ed25519PublicKey, new: Ed25519PublicKey) -> String {
    let (old, new) = (old.to_string(), new.to_string());
    let (lower, mut text) = (yaml.to_ascii_lowercase(), yaml.to_owned());
    for (at, found) in lower.match_indices(&old) {
        text.replace_range(at..at.saturating_add(found.len()), &new);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_replaced_however_they_are_written() {
        let (old, new) = (Ed25519PublicKey([0xab; 32]), Ed25519PublicKey([0xcd; 32]));
        let yaml = format!("a: {old}\nb: {}\n", old.to_string().to_uppercase());
        assert_eq!(with_key(&yaml, old, new), format!("a: {new}\nb: {new}\n"));
    }
}
