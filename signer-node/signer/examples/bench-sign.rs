//! Measures a signature by two parties: CPU of both through our driver (threads, channels,
//! encoding, deadlines, every check) over CPU of both in the bare library (two state machines that
//! hand each other values in one thread), in the same run, alternating.
//!
//! `cargo run --release --example bench-sign -- 20 [tables]`; one JSON line a run, then the ratio.
#![allow(clippy::print_stdout, reason = "a measuring program prints its measurements")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a program for developers may stop where it stands"
)]

#[path = "support/measure.rs"]
mod measure;
#[path = "../tests/support/table.rs"]
mod table;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use cggmp24::key_share::{AuxInfo, IncompleteKeyShare, KeyShare, Validate as _};
use cggmp24::round_based::state_machine::{ProceedResult, StateMachine};
use cggmp24::round_based::{Incoming, MessageType};
use cggmp24::supported_curves::Secp256k1;
use cggmp24::{DataToSign, ExecutionId};
use rand::rngs::OsRng;
use serde_json::{Value, json};
use sha3::Keccak256;
use tercet_policy::party::Party;
use tercet_policy::payload::SigningPayload;
use tercet_signer::tss;
use tercet_signer::tss::{
    ExecutionFields, GroupAux, Patience, Protocol, SigningShare, ThreadLimits, Threads, WalletShare,
};

const PAIR: [Party; 2] = Party::EVERYDAY;
const SESSION: [u8; 32] = [7; 32];

struct Bench {
    threads: Threads,
    ours: Vec<Arc<SigningShare>>,
    bare: Vec<KeyShare<Secp256k1>>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let runs: u32 = std::env::args().nth(1).map_or(Ok(10), |n| n.parse())?;
    let with_tables = std::env::args().nth(2).as_deref() == Some("tables");
    let bench = Bench::prepare(with_tables).await?;
    // The first of each pays for cold caches.
    bench.bare_run(0)?;
    bench.our_run().await?;
    let (mut bare_s, mut ours_s, mut ours_wall_s) = (0.0, 0.0, 0.0);
    for run in 0..runs {
        let clock = measure::Clock::start()?;
        bench.bare_run(run)?;
        let bare = clock.read()?;
        let clock = measure::Clock::start()?;
        bench.our_run().await?;
        let ours = clock.read()?;
        bare_s += bare.cpu_s;
        ours_s += ours.cpu_s;
        ours_wall_s += ours.wall_s;
        let line = json!({"name": "sign_cpu_s", "run": run, "unit": "s", "tables": with_tables,
            "bare": bare.cpu_s, "ours": ours.cpu_s, "ours_wall": ours.wall_s});
        println!("{line}");
    }
    let mean = |sum: f64| sum / f64::from(runs.max(1));
    let line = json!({"name": "interactive_sign_cpu_ratio", "unit": "ratio", "runs": runs,
        "value": ours_s / bare_s, "tables": with_tables, "bare_mean_s": mean(bare_s),
        "ours_mean_s": mean(ours_s), "ours_wall_mean_s": mean(ours_wall_s)});
    println!("{line}");
    Ok(())
}

impl Bench {
    async fn prepare(with_tables: bool) -> anyhow::Result<Self> {
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

    fn payload(&self) -> anyhow::Result<SigningPayload> {
        let share = self.ours.first().context("no share")?;
        Ok(SigningPayload::wallet_proof(share.card().address, &SESSION, PAIR))
    }

    async fn our_run(&self) -> anyhow::Result<()> {
        let card = self.ours.first().context("no share")?.card();
        let fields = ExecutionFields {
            protocol: Protocol::Sign,
            wallet: Some(card.address),
            key_epoch: card.key_epoch,
            session: &SESSION,
            parties: &PAIR,
            attempt: 0,
            aux_hash: Some(card.aux_hash),
        };
        let mut sides = Vec::new();
        let sessions = table::sessions(&fields, Patience::SIGN, &table::honest());
        for (session, share) in sessions.into_iter().zip(&self.ours) {
            let (threads, share, payload) =
                (self.threads.clone(), Arc::clone(share), self.payload()?);
            let side = async move { tss::sign(&threads, session, share, payload).await };
            sides.push(tokio::spawn(side));
        }
        for side in sides {
            side.await??;
        }
        Ok(())
    }

    fn bare_run(&self, run: u32) -> anyhow::Result<()> {
        let id = format!("bare run {run}");
        let data = DataToSign::digest::<Keccak256>(self.payload()?.preimage());
        let [agent, operator, ..] = self.bare.as_slice() else { bail!("no shares") };
        let (mut first, mut second) = (OsRng, OsRng);
        let start = |i, share| cggmp24::signing(ExecutionId::new(id.as_bytes()), i, &[0, 1], share);
        let mut sides = (
            start(0, agent).sign_sync(&mut first, &data),
            start(1, operator).sign_sync(&mut second, &data),
        );
        let (mut to_first, mut to_second) = (Vec::new(), Vec::new());
        let (mut one, mut two) = (None, None);
        while one.is_none() || two.is_none() {
            if one.is_none() {
                one = until_blocked(&mut sides.0, 0, &mut to_first, &mut to_second)?;
            }
            if two.is_none() {
                two = until_blocked(&mut sides.1, 1, &mut to_second, &mut to_first)?;
            }
        }
        if one != two {
            bail!("two different signatures");
        }
        Ok(())
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
