//! How firm a sighting is, and what it proves about a row of a journal.

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use tercet_policy::evidence::{
    DepositedProof, FeeProof, NoProof, SafeBlock, SettledProof, VoidProof,
};
use tercet_policy::proposal::{ChainTerms, Slot};
use tercet_policy::rows::{PaymentKind, SpendRow};
use tercet_policy::time::UnixSeconds;

use crate::authorization::{AuthorizationOutcome, AuthorizationQuery};
use crate::error::ChainError;
use crate::reader::ChainReader;
use crate::tempo::TempoOutcome;
use crate::transfer::{TransferOutcome, TransferQuery};

/// How far a node's clock may be ahead of the chain's for a use to be found all the same, in seconds.
const CLOCK_MARGIN_SECONDS: u64 = 900;

/// A block. It may yet be reorganised away, unlike a [`SafeBlock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRef {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Its time. Chain time is the only time this crate knows.
    pub timestamp: UnixSeconds,
}

/// How firm a sighting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// At least one endpoint shows it. A reorganisation, or the truth, may undo it.
    Seen,
    /// A quorum shows the same, in a block at or below this one, which the quorum agrees is safe.
    Safe(SafeBlock),
}

/// What the chain says about an admitted payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It happened.
    Settled(SettledProof),
    /// It can never happen.
    Void(VoidProof),
    /// It is a deposit, and a quorum shows it in its channel, which has not ended.
    Deposited(DepositedProof),
    /// It moves nothing, is over, and the chain took this fee for it.
    Charged(FeeProof),
    /// Something is seen that is not safe yet: a use, a revert or a cancellation.
    Seen {
        /// The transaction.
        tx: B256,
    },
    /// Its slot was used by something that was not signed for it. With one digest per slot this cannot
    /// happen; where it does, an operator must look, and the money stays counted.
    Alarm {
        /// The transaction.
        tx: B256,
        /// What does not fit.
        misfit: NoProof,
    },
    /// It may still happen, or it is a deposit that is seen in its channel by less than a quorum.
    /// Also the answer while endpoints disagree.
    Open,
}

impl ChainReader {
    /// What became of an admitted payment, with the proof that the ledger wants where there is one;
    /// of a step of leaving a channel, what the chain took for it.
    ///
    /// `transactions` are the transactions known to have been signed for a transfer; they only make
    /// the answer quicker. A cancellation moves no money and has no fate of its own: it stays `Open`,
    /// and shows as the void of the payment that it takes back.
    ///
    /// # Errors
    /// As for [`ChainReader::authorization_outcome`], [`ChainReader::transfer_outcome`] and
    /// [`ChainReader::tempo_outcome`].
    pub async fn fate(&self, row: &SpendRow, transactions: &[B256]) -> Result<Fate, ChainError> {
        if row.chain != self.chain() {
            return Ok(Fate::Open);
        }
        match (row.kind, &row.slot, &row.terms, row.recipient) {
            (
                PaymentKind::X402Exact,
                Slot::Eip3009 { wallet, token, nonce, .. },
                ChainTerms::Eip3009 { valid_before, .. },
                Some(to),
            ) => {
                let query = AuthorizationQuery {
                    token: *token,
                    from: *wallet,
                    nonce: *nonce,
                    to,
                    value: row.amount,
                    valid_before: *valid_before,
                    since: row.at.minus(CLOCK_MARGIN_SECONDS),
                };
                Ok(of_authorization(row, self.authorization_outcome(&query).await?))
            }
            (PaymentKind::Transfer, Slot::Account { wallet, nonce, .. }, _, Some(to)) => {
                let query = TransferQuery {
                    wallet: *wallet,
                    account_nonce: *nonce,
                    tx_hashes: transactions.to_vec(),
                    token: row.token,
                    to,
                    value: row.amount,
                };
                Ok(of_transfer(row, self.transfer_outcome(&query).await?))
            }
            (kind, _, ChainTerms::Tempo { .. }, _) if kind.pays() => {
                let outcome = self.tempo_outcome(row).await?;
                let fee = self.tempo_fee(row, &outcome).await;
                Ok(of_tempo(row, outcome, fee))
            }
            (PaymentKind::MppExit | PaymentKind::RevokeKey, _, ChainTerms::Tempo { .. }, _) => {
                Ok(self.tempo_step_fee(row).await.map_or(Fate::Open, Fate::Charged))
            }
            _ => Ok(Fate::Open),
        }
    }
}

fn of_authorization(row: &SpendRow, outcome: AuthorizationOutcome) -> Fate {
    match outcome {
        AuthorizationOutcome::Settled { used, finality, .. } => {
            let tx = used.transaction;
            judged(tx, finality, |at| SettledProof::eip3009(row, &used, at).map(Fate::Settled))
        }
        AuthorizationOutcome::Mismatched { tx, .. } => {
            Fate::Alarm { tx, misfit: NoProof::OtherPayment }
        }
        AuthorizationOutcome::Cancelled { log, finality } => {
            let tx = log.transaction;
            judged(tx, finality, |at| VoidProof::eip3009_cancelled(row, &log, at).map(Fate::Void))
        }
        AuthorizationOutcome::Dead { at } => {
            VoidProof::eip3009(row, false, at).map_or(Fate::Open, Fate::Void)
        }
        AuthorizationOutcome::Live { .. } => Fate::Open,
    }
}

fn of_transfer(row: &SpendRow, outcome: TransferOutcome) -> Fate {
    match outcome {
        TransferOutcome::Settled { transaction, finality, .. } => {
            judged(transaction.hash, finality, |at| {
                SettledProof::transfer(row, &transaction, at).map(Fate::Settled)
            })
        }
        TransferOutcome::Failed { transaction, finality }
        | TransferOutcome::Taken { transaction, finality } => {
            judged(transaction.hash, finality, |at| {
                VoidProof::account_nonce(row, &transaction, at).map(Fate::Void)
            })
        }
        TransferOutcome::Pending { .. } => Fate::Open,
    }
}

fn of_tempo(row: &SpendRow, outcome: TempoOutcome, fee: Option<FeeProof>) -> Fate {
    match outcome {
        TempoOutcome::Moved { movement, finality } => {
            judged(movement.transaction, finality, |at| {
                let proof = SettledProof::tempo(row, &movement, at)?;
                Ok(Fate::Settled(proof.with_fee(row, fee)))
            })
        }
        TempoOutcome::Diverted { movement } => {
            Fate::Alarm { tx: movement.transaction, misfit: NoProof::OtherPayment }
        }
        TempoOutcome::Ended { closed, share, finality, .. } => {
            judged(closed.transaction, finality, |at| {
                let proof = SettledProof::deposit(row, &closed, share, at)?;
                Ok(Fate::Settled(proof.with_fee(row, fee)))
            })
        }
        TempoOutcome::KeySet { log, finality } => judged(log.transaction, finality, |at| {
            let proof = SettledProof::access_key(row, &log, at)?;
            Ok(Fate::Settled(proof.with_fee(row, fee)))
        }),
        TempoOutcome::NeverMined { unseen } => {
            let proof = VoidProof::tempo(row, unseen).map(|proof| proof.with_fee(fee));
            proof.map_or(Fate::Open, Fate::Void)
        }
        TempoOutcome::InChannel { deposit, finality: Finality::Safe(at) } => {
            let (tx, proof) = (deposit.transaction, DepositedProof::tempo(row, &deposit, at));
            proof.map_or_else(|misfit| Fate::Alarm { tx, misfit }, Fate::Deposited)
        }
        TempoOutcome::InChannel { .. } | TempoOutcome::Pending { .. } => Fate::Open,
    }
}

/// What is not safe is only seen; what is safe and does not fit is an alarm.
fn judged(
    tx: B256,
    finality: Finality,
    proof: impl FnOnce(SafeBlock) -> Result<Fate, NoProof>,
) -> Fate {
    match finality {
        Finality::Seen => Fate::Seen { tx },
        Finality::Safe(at) => proof(at).unwrap_or_else(|misfit| Fate::Alarm { tx, misfit }),
    }
}

/// The most votes that one sighting among the wanted has, and how firm that makes it.
pub(crate) fn firmest<S: Copy + PartialEq, T>(
    sightings: &[S],
    wanted: impl Fn(&S) -> Option<T>,
) -> Option<(T, usize)> {
    let votes = |sighting: &S| sightings.iter().filter(|other| *other == sighting).count();
    let seen = sightings.iter().filter_map(|s| wanted(s).map(|found| (found, votes(s))));
    seen.max_by_key(|(_, votes)| *votes)
}

/// What sightings are judged by: a quorum, and the block that was safe before they were made.
#[derive(Clone, Copy)]
pub(crate) struct Measure {
    pub(crate) quorum: usize,
    pub(crate) safe_block: Option<SafeBlock>,
}

impl Measure {
    pub(crate) fn finality(self, votes: usize, block: u64) -> Finality {
        let safe = self.safe_block.filter(|safe| block <= safe.number && votes >= self.quorum);
        safe.map_or(Finality::Seen, Finality::Safe)
    }
}
