//! What the chain shows of payments on Tempo, in the words of the evidence that a buyer asks for.
//!
//! The chain's reader is asked with the row that a signer's journal has of a payment; here it is
//! made of what the purchase's own journal holds.

use alloy_primitives::{Address, B256};
use tercet_chain::{Finality as ChainFinality, TempoOutcome};
use tercet_policy::access_key::KeyAct;
use tercet_policy::chain::Chain;
use tercet_policy::channel::ChannelAct;
use tercet_policy::document::ContentHash;
use tercet_policy::intent::{IntentId, PaymentIntent};
use tercet_policy::mpp::ChannelId;
use tercet_policy::party::AgentId;
use tercet_policy::proposal::{ChainTerms, Slot, tempo_terms_of};
use tercet_policy::rows::{PaymentKind, PolicyEpochs, SpendRow, TransferMark};
use tercet_policy::tempo::EXPIRING_NONCE_KEY;
use tercet_policy::tempo::keychain::ACCOUNT_KEYCHAIN;

use super::ChainEvidence;
use super::evidence::unavailable;
use crate::seam::{
    Authorized, ChannelSeen, DepositFate, EvidenceUnavailable, Fate, Finality, Settlement,
};

impl ChainEvidence {
    /// What became of a charge.
    pub(super) async fn charge_fate(
        &self,
        asked: &Authorized,
    ) -> Result<Fate, EvidenceUnavailable> {
        self.movement_fate(&charge_row(asked)?).await
    }

    /// What became of a transfer.
    pub(super) async fn tempo_transfer_fate(
        &self,
        intent: &PaymentIntent,
    ) -> Result<Fate, EvidenceUnavailable> {
        self.movement_fate(&transfer_row(intent)?).await
    }

    async fn movement_fate(&self, row: &SpendRow) -> Result<Fate, EvidenceUnavailable> {
        let outcome = self.reader(row.chain)?.tempo_outcome(row).await.map_err(unavailable)?;
        match outcome {
            TempoOutcome::Moved { movement, finality } => {
                let at = (movement.token, movement.memo);
                let settlement = self.place(row.chain, movement.transaction, at).await?;
                Ok(Fate::Settled { settlement, finality: firmness(finality) })
            }
            TempoOutcome::NeverMined { unseen } => Ok(Fate::Void {
                cause: format!("in no block up to safe block {}", unseen.to.number),
            }),
            TempoOutcome::Diverted { movement } => {
                let transaction = movement.transaction;
                tracing::error!(%transaction, "a payment was credited to somebody else");
                Ok(Fate::Open)
            }
            _ => Ok(Fate::Open),
        }
    }

    /// What became of an access key's authorization or revocation.
    pub(super) async fn access_key_fate(
        &self,
        intent: &PaymentIntent,
    ) -> Result<Fate, EvidenceUnavailable> {
        let row = key_row(intent)?;
        let outcome = self.reader(row.chain)?.tempo_outcome(&row).await.map_err(unavailable)?;
        Ok(match outcome {
            TempoOutcome::KeySet { log, finality } => {
                let at = (ACCOUNT_KEYCHAIN, log.key.into_word());
                let settlement = self.place(row.chain, log.transaction, at).await?;
                Fate::Settled { settlement, finality: firmness(finality) }
            }
            TempoOutcome::NeverMined { unseen } => {
                Fate::Void { cause: format!("in no block up to safe block {}", unseen.to.number) }
            }
            _ => Fate::Open,
        })
    }

    /// What became of a deposit.
    pub(super) async fn deposit_fate(
        &self,
        intent: &PaymentIntent,
    ) -> Result<DepositFate, EvidenceUnavailable> {
        let row = deposit_row(intent)?;
        let outcome = self.reader(row.chain)?.tempo_outcome(&row).await.map_err(unavailable)?;
        Ok(match outcome {
            TempoOutcome::InChannel { .. } => DepositFate::InChannel,
            TempoOutcome::Ended { share, closed, finality: ChainFinality::Safe(_), .. } => {
                DepositFate::Ended { share, settled: closed.settled }
            }
            // Its end may be undone; that it was put in is not.
            TempoOutcome::Ended { .. } => DepositFate::InChannel,
            TempoOutcome::NeverMined { .. } => DepositFate::Void,
            _ => DepositFate::Open,
        })
    }

    /// What the reserve keeps of a channel.
    pub(super) async fn channel_seen(
        &self,
        chain: Chain,
        channel: ChannelId,
    ) -> Result<ChannelSeen, EvidenceUnavailable> {
        let reader = self.reader(chain)?;
        // Before the state: what it shows then is no older than this block.
        let at = reader.safe_block().await.map_err(unavailable)?.timestamp;
        let state = reader.channel_state(channel).await.map_err(unavailable)?;
        Ok(ChannelSeen {
            at,
            deposit: state.deposit,
            settled: state.settled,
            close_requested_at: state.close_requested_at,
        })
    }

    /// Where it is in a transaction: the log of a contract with what tells it apart, a memo or a key.
    async fn place(
        &self,
        chain: Chain,
        transaction: B256,
        (contract, topic): (Address, B256),
    ) -> Result<Settlement, EvidenceUnavailable> {
        let found = self.reader(chain)?.receipt(transaction).await.map_err(unavailable)?;
        let gone = || EvidenceUnavailable { detail: "the transaction is not shown".to_owned() };
        let receipt = found.ok_or_else(gone)?;
        let log = receipt
            .logs
            .iter()
            .find(|log| log.log.address == contract && log.log.topics().contains(&topic))
            .ok_or_else(gone)?;
        Ok(Settlement {
            transaction,
            block_number: receipt.block_number,
            block_hash: receipt.block_hash,
            log_index: log.index,
        })
    }
}

const fn firmness(finality: ChainFinality) -> Finality {
    match finality {
        ChainFinality::Seen => Finality::Seen,
        ChainFinality::Safe(_) => Finality::Safe,
    }
}

/// A charge as the reader asks for it.
fn charge_row(asked: &Authorized) -> Result<SpendRow, EvidenceUnavailable> {
    let terms = ChainTerms::Tempo {
        nonce_key: EXPIRING_NONCE_KEY,
        valid_after: asked.valid_after,
        valid_before: asked.valid_before,
    };
    // The reader looks at neither name nor slot.
    let intent = IntentId([0; 32]);
    let slot = Slot::TempoExpiring { wallet: asked.from, chain: asked.chain, intent };
    Ok(SpendRow {
        intent,
        content_hash: ContentHash([0; 32]),
        agent: AgentId::new("self").map_err(no_row)?,
        wallet: asked.from,
        kind: PaymentKind::MppCharge,
        chain: asked.chain,
        token: asked.token,
        amount: asked.value,
        recipient: Some(asked.to),
        service: None,
        endpoint: None,
        category: None,
        session: None,
        hold: None,
        cancels: None,
        channel: None,
        key: None,
        mark: Some(TransferMark { memo: asked.nonce, amount: asked.value }),
        fee: None,
        slot,
        digest: B256::ZERO,
        replaces: None,
        terms,
        policies: PolicyEpochs::default(),
        tzdb: String::new(),
        at: asked.since,
    })
}

/// A transfer as the reader asks for it.
fn transfer_row(intent: &PaymentIntent) -> Result<SpendRow, EvidenceUnavailable> {
    let mark = TransferMark::of(intent).ok_or_else(|| no_row("no transfer"))?;
    Ok(SpendRow { mark: Some(mark), ..transaction_row(intent)? })
}

/// What is done about an access key, as the reader asks for it.
fn key_row(intent: &PaymentIntent) -> Result<SpendRow, EvidenceUnavailable> {
    let key = KeyAct::of(&intent.payment).ok_or_else(|| no_row("no access key"))?;
    Ok(SpendRow { key: Some(key), ..transaction_row(intent)? })
}

/// A deposit as the reader asks for it.
fn deposit_row(intent: &PaymentIntent) -> Result<SpendRow, EvidenceUnavailable> {
    let row = transaction_row(intent)?;
    let act = ChannelAct::with_terms(intent, &row.terms).ok_or_else(|| no_row("no channel"))?;
    Ok(SpendRow { channel: Some(act), ..row })
}

/// What the rows of all intents with a transaction have in common.
fn transaction_row(intent: &PaymentIntent) -> Result<SpendRow, EvidenceUnavailable> {
    let payment = &intent.payment;
    let terms = tempo_terms_of(intent).ok_or_else(|| no_row("no Tempo transaction"))?;
    let like = Authorized {
        chain: payment.chain(),
        token: payment.token(),
        from: intent.wallet,
        to: payment.payee().unwrap_or_default(),
        value: payment.amount(),
        nonce: B256::ZERO,
        valid_before: payment.valid_before().unwrap_or(intent.expires_at),
        valid_after: intent.created_at,
        since: intent.created_at,
    };
    let kind = PaymentKind::of(payment);
    Ok(SpendRow { kind, mark: None, terms, ..charge_row(&like)? })
}

fn no_row(why: impl ToString) -> EvidenceUnavailable {
    EvidenceUnavailable { detail: why.to_string() }
}
