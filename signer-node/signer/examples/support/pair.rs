//! A wallet of the TEST-ONLY fixture group, in our form and in the bare library's, and two bare
//! parties in one thread.

use std::path::Path;
use std::sync::Arc;

use cggmp24::key_share::{AuxInfo, IncompleteKeyShare, KeyShare, Validate as _};
use cggmp24::round_based::state_machine::{ProceedResult, StateMachine};
use cggmp24::round_based::{Incoming, MessageType};
use cggmp24::supported_curves::Secp256k1;
use serde_json::Value;
use tercet_policy::party::Party;
use tercet_policy::payload::SigningPayload;
use tercet_signer::tss::{
    self, ExecutionFields, GroupAux, Patience, Protocol, Session, SigningShare, ThreadLimits,
    Threads, WalletShare,
};

use super::table;

const PAIR: [Party; 2] = Party::EVERYDAY;
const SESSION: [u8; 32] = [7; 32];

/// Shares of one wallet.
pub(crate) struct Pair {
    /// Where our runs compute.
    pub(crate) threads: Threads,
    /// Ours, by party.
    pub(crate) ours: Vec<Arc<SigningShare>>,
    /// The library's, by party.
    pub(crate) bare: Vec<KeyShare<Secp256k1>>,
}

impl Pair {
    /// Makes the wallet.
    pub(crate) async fn prepare(with_tables: bool) -> anyhow::Result<Self> {
        let threads = Threads::new(ThreadLimits::default());
        let (mut aux, mut library_aux) = (Vec::new(), Vec::new());
        for party in Party::ALL {
            let payload = aux_payload(party)?;
            let own = GroupAux::from_sealed_bytes(&serde_json::to_vec(&payload)?, party)?;
            let library: AuxInfo = serde_json::from_value(payload["aux"].clone())?;
            aux.push(if with_tables { own.with_tables()? } else { own });
            library_aux.push(if with_tables { tables(library)? } else { library });
        }
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        let shares = wallet(&threads, &aux).await?;
        for ((share, aux), library_aux) in shares.into_iter().zip(&aux).zip(library_aux) {
            let mut stored: Value = serde_json::from_slice(&share.to_sealed_bytes()?)?;
            let core: IncompleteKeyShare<Secp256k1> =
                serde_json::from_value(stored["core"].take())?;
            let key = KeyShare::from_parts((core, library_aux));
            bare.push(key.map_err(|err| err.into_error())?);
            ours.push(share.assemble(aux)?);
        }
        Ok(Self { threads, ours, bare })
    }

    /// What is signed.
    pub(crate) fn payload(&self) -> SigningPayload {
        SigningPayload::wallet_proof(self.ours[0].card().address, &SESSION, PAIR)
    }

    /// A session for each of the everyday pair, beside its share.
    pub(crate) fn sessions(&self, protocol: Protocol) -> Vec<(Session, Arc<SigningShare>)> {
        let card = self.ours[0].card();
        let fields = ExecutionFields {
            protocol,
            wallet: Some(card.address),
            key_epoch: card.key_epoch,
            session: &SESSION,
            parties: &PAIR,
            attempt: 0,
            aux_hash: Some(card.aux_hash),
        };
        let sessions = table::sessions(&fields, Patience::SIGN, &table::honest());
        sessions.into_iter().zip(self.ours.iter().cloned()).collect()
    }
}

/// Runs two bare parties in this thread, which hand each other values.
pub(crate) fn run_both<M, S, E>(
    mut first: impl StateMachine<Msg = M, Output = Result<S, E>>,
    mut second: impl StateMachine<Msg = M, Output = Result<S, E>>,
) -> anyhow::Result<(S, S)>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let (mut to_first, mut to_second) = (Vec::new(), Vec::new());
    let (mut one, mut two) = (None, None);
    loop {
        if one.is_none() {
            one = until_blocked(&mut first, 0, &mut to_first, &mut to_second)?;
        }
        if two.is_none() {
            two = until_blocked(&mut second, 1, &mut to_second, &mut to_first)?;
        }
        match (one.take(), two.take()) {
            (Some(one), Some(two)) => return Ok((one, two)),
            (left, right) => (one, two) = (left, right),
        }
    }
}

/// Runs one side until it needs a message that has not come, or is done.
fn until_blocked<M, S, E>(
    machine: &mut impl StateMachine<Msg = M, Output = Result<S, E>>,
    me: u16,
    inbox: &mut Vec<Incoming<M>>,
    outbox: &mut Vec<Incoming<M>>,
) -> anyhow::Result<Option<S>>
where
    E: std::error::Error + Send + Sync + 'static,
{
    // A message that was asked for is handed over before the machine goes on.
    loop {
        match machine.proceed() {
            ProceedResult::SendMsg(message) => {
                let kind = if message.is_p2p() { MessageType::P2P } else { MessageType::Broadcast };
                outbox.push(Incoming { id: 0, sender: me, msg_type: kind, msg: message.msg });
            }
            ProceedResult::NeedsOneMoreMessage => {
                if inbox.is_empty() {
                    return Ok(None);
                }
                let given = machine.received_msg(inbox.remove(0));
                given.map_err(|_| anyhow::anyhow!("a message was not taken"))?;
            }
            ProceedResult::Yielded => {}
            ProceedResult::Output(output) => return Ok(Some(output?)),
            ProceedResult::Error(err) => return Err(err.into()),
        }
    }
}

async fn wallet(threads: &Threads, aux: &[GroupAux]) -> anyhow::Result<Vec<WalletShare>> {
    let fields = ExecutionFields {
        protocol: Protocol::Wallet,
        wallet: None,
        key_epoch: 0,
        session: &SESSION,
        parties: &Party::ALL,
        attempt: 0,
        aux_hash: aux.first().map(GroupAux::aux_hash),
    };
    let sessions = table::sessions(&fields, Patience::WALLET, &table::honest());
    let runs = sessions.into_iter().zip(aux).map(|(s, aux)| tss::make_wallet(threads, s, aux));
    Ok(futures_util::future::try_join_all(runs).await?)
}

fn tables(aux: AuxInfo) -> anyhow::Result<AuxInfo> {
    let mut aux = aux.into_inner();
    aux.precompute_multiexp_tables()?;
    aux.validate().map_err(|err| err.into_error().into())
}

fn aux_payload(party: Party) -> anyhow::Result<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let bytes = std::fs::read(folder.join(format!("TEST-ONLY-group-aux-{party}.json")))?;
    let mut fixture: Value = serde_json::from_slice(&bytes)?;
    Ok(fixture["payload"].take())
}
