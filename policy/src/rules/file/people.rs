//! People and who of them is asked, as they are written.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::approval::APPROVALS_MAX;
use crate::document::Ed25519PublicKey;
use crate::party::AgentId;
use crate::rules::approvers::{
    APPROVAL_LENGTH_DEFAULT, Approvers, Escalation, PEOPLE_MAX, Person, Quorum, ROLES_MAX,
};
use crate::rules::file::{malformed, schema};
use crate::rules::{Length, PolicyError};
use crate::yaml::at_most;

/// The `people` of a file, by name.
pub(super) type People = BTreeMap<String, Spanned<PersonFile>>;

/// Somebody who may be asked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PersonFile {
    /// The Ed25519 public key that signs what this person says: 64 hexadecimal digits.
    #[schemars(schema_with = "schema::key")]
    key: Ed25519PublicKey,
    /// What this person is: names that `role` refers to.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    roles: Vec<AgentId>,
}

/// Who has to say yes: `any` with `of` or `role`, or `sequence`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApproversFile {
    /// How many.
    #[serde(default)]
    #[schemars(range(min = 1))]
    any: Option<usize>,
    /// Of these people.
    #[serde(default)]
    of: Option<Vec<String>>,
    /// Of everybody with this role.
    #[serde(default)]
    role: Option<String>,
    /// All of these, in this order of time.
    #[serde(default)]
    sequence: Option<Vec<String>>,
    /// How long a yes holds; half an hour where it is not said.
    #[serde(default)]
    #[schemars(schema_with = "schema::span")]
    expires: Option<Length>,
    /// Who else may say yes when it takes long.
    #[serde(default)]
    escalate: Option<Box<EscalateFile>>,
}

/// Who else may say yes when it takes long.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EscalateFile {
    /// How long after the agent made the intent.
    #[schemars(schema_with = "schema::span")]
    after: Length,
    /// Who.
    to: QuorumFile,
}

/// Enough people: `any` with `of` or `role`, or `sequence`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct QuorumFile {
    /// How many.
    #[serde(default)]
    #[schemars(range(min = 1))]
    any: Option<usize>,
    /// Of these people.
    #[serde(default)]
    of: Option<Vec<String>>,
    /// Of everybody with this role.
    #[serde(default)]
    role: Option<String>,
    /// All of these, in this order of time.
    #[serde(default)]
    sequence: Option<Vec<String>>,
}

/// Everybody a policy names, checked.
#[derive(Default)]
pub(super) struct Roster {
    people: BTreeMap<String, Person>,
    roles: BTreeMap<String, Vec<Person>>,
}

impl Roster {
    pub(super) fn read(people: People) -> Result<Self, PolicyError> {
        at_most(PEOPLE_MAX, people.len(), "people").map_err(|reason| malformed(0, reason))?;
        let (mut roster, mut keys) = (Self::default(), BTreeSet::new());
        for (name, file) in people {
            let line = file.referenced.line();
            let bad = |reason| malformed(line, reason);
            AgentId::new(&name).map_err(|name| bad(name.to_string()))?;
            let PersonFile { key, roles } = file.value;
            if !keys.insert(key) {
                return Err(bad(format!("{name} has the key of somebody else, and would be two")));
            }
            at_most(ROLES_MAX, roles.len(), "roles of one person").map_err(bad)?;
            let person = Person { name: name.clone(), key };
            for role in roles.into_iter().collect::<BTreeSet<_>>() {
                roster.roles.entry(role.into()).or_default().push(person.clone());
            }
            roster.people.insert(name, person);
        }
        Ok(roster)
    }

    fn person(&self, name: &String) -> Result<Person, String> {
        let person = self.people.get(name).cloned();
        person.ok_or_else(|| format!("{name:?} is not one of the people of this policy"))
    }

    fn everyone(&self, names: &[String]) -> Result<Vec<Person>, String> {
        if names.iter().collect::<BTreeSet<_>>().len() != names.len() {
            return Err("a person is named twice among the approvers".to_owned());
        }
        names.iter().map(|name| self.person(name)).collect()
    }

    fn with_role(&self, role: &str) -> Result<Vec<Person>, String> {
        let people = self.roles.get(role).cloned();
        people.ok_or_else(|| format!("nobody of this policy has the role {role:?}"))
    }
}

impl ApproversFile {
    /// Who is asked, with another `expires` where the rule has one of its own.
    pub(super) fn read(self, roster: &Roster, own: Option<Length>) -> Result<Approvers, String> {
        let Self { any, of, role, sequence, expires, escalate } = self;
        let asked = QuorumFile { any, of, role, sequence }.read(roster)?;
        let escalation = match escalate {
            Some(file) => {
                let EscalateFile { after, to } = *file;
                Some(Escalation { after, to: to.read(roster)? })
            }
            None => None,
        };
        let expires = own.or(expires).unwrap_or(APPROVAL_LENGTH_DEFAULT);
        Ok(Approvers { asked, expires, escalation })
    }
}

impl QuorumFile {
    fn read(self, roster: &Roster) -> Result<Quorum, String> {
        let any = self.any;
        let (of, role) = match self {
            Self { any: Some(_), of: Some(of), role: None, sequence: None } => {
                (roster.everyone(&of)?, None)
            }
            Self { any: Some(_), of: None, role: Some(role), sequence: None } => {
                (roster.with_role(&role)?, Some(role))
            }
            Self { any: None, of: None, role: None, sequence: Some(names) }
                if !names.is_empty() =>
            {
                at_most(APPROVALS_MAX, names.len(), "people who have to say yes")?;
                return Ok(Quorum::Sequence(roster.everyone(&names)?));
            }
            _ => {
                let forms = "approvers are one of { any: 2, of: [NAMES] }, { any: 1, role: ROLE } \
                             and { sequence: [NAMES] }";
                return Err(forms.to_owned());
            }
        };
        let needed = any.unwrap_or_default();
        if !(1..=of.len()).contains(&needed) {
            return Err(format!("{needed} of {} people can never say yes together", of.len()));
        }
        at_most(APPROVALS_MAX, needed, "people who have to say yes")?;
        Ok(Quorum::Any { needed, of, role })
    }
}
