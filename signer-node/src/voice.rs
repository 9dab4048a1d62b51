//! What a node says in its own name. The secret stays in its identity.

use std::fmt;

use tercet_api::auth::{self, RequestParts, SignatureHeaders};
use tercet_policy::document::{DocumentError, NodeKeys, Signed, WalletRequest};
use tercet_policy::intent::{PaymentIntent, SignedIntent};
use tercet_policy::time::UnixSeconds;
use tercet_signer::identity::NodeIdentity;

/// Signs what an agent's process has to sign: intents, requests for wallets, HTTP requests.
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
