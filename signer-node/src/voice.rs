//! What a node says in its own name. The secret stays in its identity.

use std::fmt;

use tercet_api::auth::{self, RequestParts, SignatureHeaders};
use tercet_policy::document::{DocumentError, Ed25519PublicKey, NodeKeys, Signed, WalletRequest};
use tercet_policy::intent::{PaymentIntent, SignedIntent};
use tercet_policy::report::{Report, ReportKind, SignedReport};
use tercet_policy::time::UnixSeconds;
use tercet_signer::identity::NodeIdentity;

/// Signs what an agent's process has to sign: intents, reports, requests for wallets, HTTP
/// requests.
#[derive(Clone, Copy)]
pub struct Voice<'a>(&'a NodeIdentity);

impl<'a> Voice<'a> {
    pub(crate) const fn of(identity: &'a NodeIdentity) -> Self {
        Self(identity)
    }

    /// The public half.
    #[must_use]
    pub const fn keys(&self) -> &'a NodeKeys {
        self.0.public()
    }

    /// Signs an intent.
    ///
    /// # Errors
    /// [`DocumentError::NotCanonical`] for numbers beyond 2^53.
    pub fn sign_intent(&self, intent: PaymentIntent) -> Result<SignedIntent, DocumentError> {
        Signed::by(intent, self.0.expose_signing())
    }

    /// Signs a report of what became of this agent's own payment.
    ///
    /// # Errors
    /// [`DocumentError::NotCanonical`] for numbers beyond 2^53.
    pub fn sign_report(
        &self,
        intent: PaymentIntent,
        outcome: ReportKind,
        now: UnixSeconds,
    ) -> Result<SignedReport, DocumentError> {
        let (agent, id) = (intent.agent.clone(), intent.id);
        let key = Ed25519PublicKey::of(self.0.expose_signing());
        let content_hash = self.sign_intent(intent)?.open_by(&key)?.content_hash();
        let report = Report { agent, intent: id, content_hash, outcome, at: now };
        Signed::by(report, self.0.expose_signing())
    }

    /// Signs a request for a wallet.
    ///
    /// # Errors
    /// [`DocumentError::NotCanonical`] for numbers beyond 2^53.
    pub fn sign_wallet_request(
        &self,
        request: WalletRequest,
    ) -> Result<Signed<WalletRequest>, DocumentError> {
        Signed::by(request, self.0.expose_signing())
    }

    /// Signs an HTTP request.
    ///
    /// # Errors
    /// The operating system gives no randomness for the nonce.
    pub fn sign_request(
        &self,
        parts: &RequestParts<'_>,
        now: UnixSeconds,
    ) -> Result<SignatureHeaders, getrandom::Error> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        Ok(auth::sign(parts, &self.0.public().id, self.0.expose_signing(), now, nonce))
    }
}

impl fmt::Debug for Voice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Voice({})", self.0.public().id)
    }
}
