//! Documents from the courier: opened by the gate, answered with what came of it.

use std::fmt::Display;

use tercet_api::relay::FromNode;
use tercet_policy::document::{Enrolment, Freeze, Signed};
use tercet_policy::registry::{Registry, SignedRegistry};
use tercet_policy::report::SignedReport;
use tercet_policy::rules::{Policy, SignedPolicy};
use tercet_policy::subject::Subject;

use super::Switchboard;
use crate::relay::now;

impl Switchboard {
    pub(super) async fn take_enrolment(&self, document: Signed<Enrolment>) {
        let (agent, epoch) = (document.document.agent.clone(), document.document.epoch);
        let taken = self.signer.install_enrolment(document).await;
        self.answer("enrolment", Subject::Agent(agent), epoch, &taken);
    }

    pub(super) async fn take_freeze(&self, document: Signed<Freeze>) {
        let (agent, epoch) = (document.document.agent.clone(), document.document.epoch);
        let taken = self.signer.install_freeze(document).await;
        self.answer("freeze", Subject::Agent(agent), epoch, &taken);
    }

    pub(super) async fn take_policy(&self, signed: SignedPolicy) {
        // Read unopened to name it in the answer; what counts is opened by the gate.
        let named = Policy::parse(&signed.document.yaml).map(|p| (p.subject().clone(), p.epoch()));
        match named {
            Ok((subject, epoch)) => {
                let taken = self.signer.install_policy(signed).await;
                self.answer("policy", subject, epoch, &taken);
            }
            Err(error) => tracing::warn!(%error, "a policy that is none was not taken"),
        }
    }

    pub(super) async fn take_registry(&self, signed: SignedRegistry) {
        let named = Registry::parse(&signed.document.yaml).map(|registry| registry.epoch());
        match named {
            Ok(epoch) => {
                let taken = self.signer.install_registry(signed).await;
                self.answer("registry", Subject::Organisation, epoch, &taken);
            }
            Err(error) => tracing::warn!(%error, "a registry that is none was not taken"),
        }
    }

    pub(super) async fn take_report(&self, signed: SignedReport) {
        let agent = signed.document.agent.clone();
        let taken = self.signer.install_report(signed, now()).await;
        self.answer("report", Subject::Agent(agent), 0, &taken);
    }

    fn answer<E: Display>(&self, kind: &str, of: Subject, epoch: u64, taken: &Result<(), E>) {
        let refused = taken.as_ref().err().map(ToString::to_string);
        match &refused {
            Some(reason) => tracing::warn!(kind, %of, epoch, reason, "a document was refused"),
            None => tracing::info!(kind, %of, epoch, "a document is in force"),
        }
        self.report(FromNode::Document { kind: kind.to_owned(), subject: of, epoch, refused });
    }
}
