//! One payment in one round trip: one side sends its part of a signature, the other finishes it.
//!
//! Promises: a part leaves only for a payment that this node has judged and recorded, as released,
//! in one durable transaction; it is sealed for the everyday peer alone, about this proposal and
//! this presignature. Whoever joins takes the presignature out of its stock before it looks at
//! anything else, so that whatever is wrong with the rest has used it up.
//!
//! Refuses: a presignature that is not in stock ([`Failure::NoPresignature`]; the payment can be
//! signed interactively), a letter that is not the peer's or is about something else, policies
//! that differ. A peer that uses one presignature for two letters, or whose part is not of this
//! payment, is charged with it: [`PROOF_FAILURES_MAX`](super::PROOF_FAILURES_MAX) of those
//! stop the wallet until an operator has looked.
//!
//! Does not protect against: a peer that has our part, finishes alone and reports failure. The
//! payment stays spent until the chain proves it void.
//!
//! ```text
//! begin_payment: open, judge, record --take, issue--> part ------> join_payment: take
//! finish_payment <--------------------------------- answer <------ open, judge, record, finish
//! ```

use std::sync::Arc;

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use tercet_policy::admission::Reserved;
use tercet_policy::approval::SignedApproval;
use tercet_policy::document::{ContentHash, Enrolment, NodeKeys};
use tercet_policy::intent::{AuthenticIntent, SignedIntent};
use tercet_policy::party::Party;
use tercet_policy::proposal::{Proposal, ProposalClaim, terms_without_chain};
use tercet_policy::refusal::Refusal;
use tercet_policy::rows::{PolicyEpochs, SpendRow};
use tercet_policy::time::UnixSeconds;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::ceremony::enrolment_bytes;
use super::payment::{SignedPayment, agree};
use super::peers::Word;
use super::{CrashPoint, Failure, GateError, Signer};
use crate::channel::{ChannelError, Letter, Reply, Sent};
use crate::journal::{Heard, Roll};
use crate::session::{Hex32, PROTOCOL_VERSION, SessionError, context};
use crate::stock::{End, Shelf};
use crate::tss::{
    Half, PartialSignature, PeerFault, Presignature, PresignatureId, SigningShare, TssError,
};

/// A payment to judge and to sign a part of.
#[derive(Debug)]
pub struct PartRequest {
    /// Signed by the agent.
    pub envelope: SignedIntent,
    /// What the courier says it is. Left out by the agent's own side, which needs no courier for
    /// a payment that has no terms from the chain.
    pub claim: Option<ProposalClaim>,
    /// What people are said to have said to it, unchecked.
    pub approvals: Vec<SignedApproval>,
    /// Our time.
    pub now: UnixSeconds,
}

/// A node's part of a signature, sealed for its everyday peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedPart {
    /// The presignature that was used up for it.
    pub presignature: PresignatureId,
    /// The letter.
    pub sealed: Vec<u8>,
}

/// A payment whose part has left: waits for the answer.
#[must_use = "the part has left; the answer finishes the payment"]
pub struct PendingPayment {
    row: SpendRow,
    half: Half,
    sent: Sent,
    peer: (Party, NodeKeys),
}

impl PendingPayment {
    /// The wallet that pays.
    #[must_use]
    pub const fn wallet(&self) -> Address {
        self.row.wallet
    }
}

/// A payment that was finished with the peer's part.
#[derive(Debug)]
pub struct Joined {
    /// The payment.
    pub signed: SignedPayment,
    /// Our part, sealed for the peer alone.
    pub answer: Vec<u8>,
}

/// What the letter says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LetterBody {
    version: u8,
    word: Word,
    policies: PolicyEpochs,
    part: Hex32,
}

/// What the answer says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerBody {
    word: Word,
    part: Hex32,
}

/// A payment before it is judged, and who judges it with us.
struct Opened {
    roll: Arc<Roll>,
    share: Arc<SigningShare>,
    proposal: Proposal,
    context: ContentHash,
    peer: (Party, NodeKeys),
    approvals: Vec<SignedApproval>,
    now: UnixSeconds,
}

impl Signer {
    /// Opens, judges and records a payment, and gives our part of its signature.
    ///
    /// # Errors
    /// [`GateError::Refused`] with every reason; [`Failure::NoPresignature`] where the stock has
    /// none for it, or the payment has terms that only the chain can tell and no claim was given.
    /// Once admitted the payment counts as spent, and the same intent may be signed again.
    pub async fn begin_payment(
        &self,
        request: PartRequest,
    ) -> Result<(SealedPart, PendingPayment), GateError> {
        let begun = Box::pin(self.judge_and_begin(request)).await;
        self.mark_if_unfit(begun)
    }

    async fn judge_and_begin(
        &self,
        request: PartRequest,
    ) -> Result<(SealedPart, PendingPayment), GateError> {
        let wallet = request.envelope.document.wallet;
        let shelf = Shelf { wallet, peer: self.everyday_peer()? };
        if self.stock().lendable(shelf, Instant::now()) == 0 {
            return Err(Failure::NoPresignature { wallet }.into());
        }
        let opened = self.open_part(request).await?;
        let (share, context, peer) =
            (Arc::clone(&opened.share), opened.context, opened.peer.clone());
        let reserved = self.admit_part(opened, None).await?;
        // After the record, so that the peer remembers a journal that has it.
        let word = self.word(&peer.1).await?;
        self.crash_if(CrashPoint::AfterAdmit);
        let taken = self.stock().lend(shelf, self.own_end(), Instant::now());
        let taken = taken.filter(|taken| taken.card().is_of(share.card()));
        let taken = taken.ok_or(Failure::NoPresignature { wallet })?;
        let presignature = taken.card().id;
        let row = reserved.row().clone();
        let half = taken.issue(reserved.into_payload()).map_err(SessionError::from)?;
        let letter = Letter { presignature: presignature.0, from: self.role, to: peer.0, context };
        let body = LetterBody {
            version: PROTOCOL_VERSION,
            word,
            policies: row.policies,
            part: Hex32(*half.partial().expose()),
        };
        let (sent, sealed) = letter
            .write(&self.identity, &peer.1.channel, &in_bytes(&body)?)
            .map_err(|error| broken(peer.0, error))?;
        let part = SealedPart { presignature, sealed };
        Ok((part, PendingPayment { row, half, sent, peer }))
    }

    /// Finishes a payment with the answer to our part.
    ///
    /// # Errors
    /// [`GateError::Failed`]: the answer is not the peer's, or its part is not of this payment. The
    /// payment counts as spent all the same.
    pub async fn finish_payment(
        &self,
        pending: PendingPayment,
        answer: &[u8],
    ) -> Result<SignedPayment, GateError> {
        let PendingPayment { row, half, sent, peer } = pending;
        self.stock().settle(half.presignature());
        let finished = Self::finish_half(half, sent, peer.0, answer);
        let finished = self.charge(row.wallet, finished).await;
        let (payment, word) = self.mark_if_unfit(finished)?;
        self.heed_word(&peer.1.id, word).await?;
        self.crash_if(CrashPoint::AfterSignature);
        Ok(signed(row, payment))
    }

    fn finish_half(
        half: Half,
        sent: Sent,
        peer: Party,
        answer: &[u8],
    ) -> Result<(tercet_policy::payload::FinishedPayment, Word), GateError> {
        let payload = sent.open(answer).map_err(|error| broken(peer, error))?;
        let body: AnswerBody =
            serde_json::from_slice(&payload).map_err(|_| SessionError::OutOfPlace { peer })?;
        let theirs = PartialSignature::from_bytes(body.part.0);
        Ok((half.finish(&theirs).map_err(SessionError::from)?, body.word))
    }

    /// Takes the presignature named, opens, judges and records the payment, and finishes it with
    /// the peer's part.
    ///
    /// # Errors
    /// [`GateError::Refused`] with every reason; [`GateError::Failed`]. Whatever it is, the
    /// presignature is used up.
    pub async fn join_payment(
        &self,
        request: PartRequest,
        part: SealedPart,
    ) -> Result<Joined, GateError> {
        // Before anything else happens: what follows may fail as it likes.
        let shelf = Shelf { wallet: request.envelope.document.wallet, peer: self.everyday_peer()? };
        let taken = self.stock().take(shelf, part.presignature, Instant::now());
        let wallet = shelf.wallet;
        let joined = Box::pin(self.judge_and_join(request, part, taken)).await;
        let joined = self.charge(wallet, joined).await;
        self.mark_if_unfit(joined)
    }

    async fn judge_and_join(
        &self,
        request: PartRequest,
        part: SealedPart,
        taken: Option<Presignature>,
    ) -> Result<Joined, GateError> {
        let opened = self.open_part(request).await?;
        let (share, peer) = (Arc::clone(&opened.share), opened.peer.clone());
        let letter = Letter {
            presignature: part.presignature.0,
            from: peer.0,
            to: self.role,
            context: opened.context,
        };
        let (body, reply) = self.open_letter(&letter, &peer, &part.sealed)?;
        let id = part.presignature;
        let taken = match taken {
            Some(taken) if taken.card().is_of(share.card()) => taken,
            _ => return Err(self.not_in_stock(&letter, &part.sealed)),
        };
        self.stock().used_by(id, &part.sealed);
        // A letter may be an old one that the courier kept: only what is said in sessions and
        // answers, which are fresh, tells that a peer began anew.
        let heard = self.peers.hear_again(&peer.1.id, body.word);
        let heard = heard.ok_or(Failure::PresignatureGone { id })?;
        let policies = opened.proposal.policies();
        agree(peer.0, body.policies == policies, "the policies' epochs")?;
        let (reserved, ()) =
            tokio::try_join!(self.admit_part(opened, Some(heard)), self.hear_of_us(body.word))?;
        self.crash_if(CrashPoint::AfterAdmit);
        let row = reserved.row().clone();
        let half = taken.issue(reserved.into_payload()).map_err(SessionError::from)?;
        let mine = Hex32(*half.partial().expose());
        let theirs = PartialSignature::from_bytes(body.part.0);
        let payment = half.finish(&theirs).map_err(SessionError::from)?;
        self.crash_if(CrashPoint::AfterSignature);
        let word = self.word_after(body.word)?;
        let body = AnswerBody { word, part: mine };
        let answer = reply.write(&in_bytes(&body)?).map_err(|error| broken(peer.0, error))?;
        Ok(Joined { signed: signed(row, payment), answer })
    }

    fn open_letter(
        &self,
        letter: &Letter,
        peer: &(Party, NodeKeys),
        sealed: &[u8],
    ) -> Result<(LetterBody, Reply), SessionError> {
        let opened = letter.open(&self.identity, &peer.1.channel, sealed);
        let (payload, reply) = opened.map_err(|error| broken(peer.0, error))?;
        let body: LetterBody = serde_json::from_slice(&payload)
            .map_err(|_| SessionError::OutOfPlace { peer: peer.0 })?;
        if body.version != PROTOCOL_VERSION {
            let what = "the version of the protocol";
            return Err(SessionError::Differs { peer: peer.0, what });
        }
        Ok((body, reply))
    }

    /// Whose fault it is that the peer names a presignature which is not there: the peer's if another
    /// letter of its used it up, and else nobody's that could be proved.
    fn not_in_stock(&self, letter: &Letter, sealed: &[u8]) -> GateError {
        let id = PresignatureId(letter.presignature);
        if self.stock().is_other_use(id, sealed) {
            let fault = PeerFault::ReusedPresignature;
            let suspects = vec![letter.from];
            return SessionError::Tss(TssError::BadPeer { suspects, fault, cause: None }).into();
        }
        Failure::PresignatureGone { id }.into()
    }

    /// Opens the intent, and finds everything that judging it takes.
    async fn open_part(&self, request: PartRequest) -> Result<Opened, GateError> {
        self.refuse_after_bug()?;
        let PartRequest { envelope, claim, approvals, now } = request;
        let roll = self.journal.roll();
        let enrolment = self.serving(&roll, &envelope.document.agent)?;
        let intent = envelope.open_intent(&*roll, now)?;
        self.check_voucher_signer(intent.intent())?;
        self.crash_if(CrashPoint::AfterOpen);
        let share = self.share_of(&roll, intent.intent().wallet, &intent.intent().agent).await?;
        let proposal = match claim {
            Some(claim) => Proposal::assemble(intent, &claim)?,
            None => propose(&roll, intent)?,
        };
        let context = part_context(&enrolment, &proposal)?;
        let peer = self.everyday_peer()?;
        let peer = (peer, enrolment.keys(peer).clone());
        Ok(Opened { roll, share, proposal, context, peer, approvals, now })
    }

    async fn admit_part(
        &self,
        opened: Opened,
        heard: Option<Heard>,
    ) -> Result<Reserved, GateError> {
        let Opened { roll, proposal, approvals, now, .. } = opened;
        let submission = self.submission(&roll, proposal, approvals).await;
        let reserved = self.journal.admit_part(submission, heard, now).await?;
        self.note_channel(reserved.row());
        Ok(reserved)
    }

    /// Where this side begins on a shelf.
    const fn own_end(&self) -> End {
        match self.role {
            Party::Agent => End::Oldest,
            Party::Operator | Party::Recovery => End::Newest,
        }
    }

    /// The other one of the two that sign payments.
    pub(super) fn everyday_peer(&self) -> Result<Party, Failure> {
        match self.role {
            Party::Agent => Ok(Party::Operator),
            Party::Operator => Ok(Party::Agent),
            Party::Recovery => Err(Failure::NotAnEverydayRole),
        }
    }
}

/// The proposal of a payment that has no terms from the chain, by our own documents.
fn propose(roll: &Roll, intent: AuthenticIntent) -> Result<Proposal, GateError> {
    let (agent, wallet) = (intent.intent().agent.clone(), intent.intent().wallet);
    let terms = terms_without_chain(&intent).ok_or(Failure::NoPresignature { wallet })?;
    let policies = roll.policies_for(&agent, &wallet).ok_or(Refusal::NoPolicy { agent })?;
    let registry = roll.registry().map(|registry| registry.registry().epoch());
    let claim = ProposalClaim::honest(&intent, terms, policies.epochs(&wallet, registry));
    Ok(Proposal::assemble(intent, &claim)?)
}

fn part_context(enrolment: &Enrolment, proposal: &Proposal) -> Result<ContentHash, Failure> {
    Ok(context("part", &[&enrolment_bytes(enrolment)?, &proposal.context_hash().0]))
}

fn in_bytes(body: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let written = serde_json::to_vec(body).map(Zeroizing::new);
    written.map_err(|_| Failure::Bug("a letter cannot be written"))
}

fn broken(peer: Party, error: ChannelError) -> SessionError {
    SessionError::Channel { peer, error }
}

fn signed(row: SpendRow, payment: tercet_policy::payload::FinishedPayment) -> SignedPayment {
    let SpendRow { intent, wallet, slot, digest, .. } = row;
    SignedPayment { intent, wallet, slot, digest, payment }
}

/// Names the intent.
impl std::fmt::Debug for PendingPayment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PendingPayment({})", self.row.intent)
    }
}
