//! A courier in memory: carries frames between signers, or does with them what a test says.

use std::sync::Arc;

use tercet_policy::party::Party;
use tokio::sync::mpsc;

use crate::session::SessionWire;

/// What the courier makes of a frame: the frames that are delivered in its place, each with the
/// party it is said to be from.
pub(in super::super) type Tamper =
    Arc<dyn Fn(Party, Party, usize, Vec<u8>) -> Vec<(Party, Vec<u8>)> + Send + Sync>;

pub(in super::super) fn honest() -> Tamper {
    Arc::new(|from, _, _, bytes| vec![(from, bytes)])
}

/// One wire for each party, carried by tasks.
pub(in super::super) fn wires(parties: &[Party], tamper: Tamper) -> Vec<SessionWire> {
    let (inboxes, incoming): (Vec<_>, Vec<_>) = parties.iter().map(|_| mpsc::channel(256)).unzip();
    let inboxes: Vec<_> = parties.iter().copied().zip(inboxes).collect();
    let (outgoing, sent): (Vec<_>, Vec<_>) =
        parties.iter().map(|_| mpsc::channel::<(Party, Vec<u8>)>(256)).unzip();
    for (&from, mut sent) in parties.iter().zip(sent) {
        let (inboxes, tamper) = (inboxes.clone(), Arc::clone(&tamper));
        tokio::spawn(async move {
            let mut count = 0;
            while let Some((to, bytes)) = sent.recv().await {
                let inbox = inboxes.iter().find(|(party, _)| *party == to);
                for frame in tamper(from, to, count, bytes) {
                    if let Some((_, inbox)) = inbox {
                        drop(inbox.send(frame).await);
                    }
                }
                count += 1;
            }
        });
    }
    let wire = |(outgoing, incoming)| SessionWire { outgoing, incoming };
    outgoing.into_iter().zip(incoming).map(wire).collect()
}

pub(in super::super) fn fresh() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

pub(super) async fn join<T>(runs: impl Iterator<Item = tokio::task::JoinHandle<T>>) -> Vec<T> {
    let runs: Vec<_> = runs.collect();
    let mut done = Vec::new();
    for run in runs {
        done.push(run.await.unwrap());
    }
    done
}
