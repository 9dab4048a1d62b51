//! Parties of one run around one table: every run's messages are carried in this process.
//!
//! Stands in for the relay and the sealed channels; lets a test tamper with what is carried.

use std::sync::Arc;

use tercet_policy::party::Party;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::tss::{
    ExecutionFields, ExecutionId, Inbound, Outbound, OwnNonce, Patience, Recipient, Session, link,
};

/// What becomes of a message `from` one party `to` another; the number counts from 0 per sender.
pub(crate) type Tamper = dyn Fn(Party, Party, usize, Vec<u8>) -> Option<Vec<u8>> + Send + Sync;

/// Carries everything as it is.
pub(crate) fn honest() -> Arc<Tamper> {
    Arc::new(|_, _, _, bytes| Some(bytes))
}

/// One session for each party of `fields`, in order, with their messages carried by tasks.
pub(crate) fn sessions(
    fields: &ExecutionFields<'_>,
    patience: Patience,
    tamper: &Arc<Tamper>,
) -> Vec<Session> {
    let parties = fields.parties;
    let nonces: Vec<_> = parties.iter().map(|&p| (p, OwnNonce::draw().unwrap())).collect();
    let shown: Vec<_> = nonces.iter().map(|(p, nonce)| (*p, nonce.bytes())).collect();
    let eids = nonces.into_iter().map(|(me, mine)| {
        let theirs: Vec<_> = shown.iter().filter(|(p, _)| *p != me).copied().collect();
        ExecutionId::derive(fields, me, mine, &theirs).unwrap()
    });
    let (links, couriers): (Vec<_>, Vec<_>) = parties.iter().map(|_| link()).unzip();
    let inboxes: Vec<_> =
        parties.iter().copied().zip(couriers.iter().map(|c| c.to_run.clone())).collect();
    for (&from, courier) in parties.iter().zip(couriers) {
        let others = inboxes.iter().filter(|(p, _)| *p != from).cloned().collect();
        tokio::spawn(carry(from, courier.from_run, others, Arc::clone(tamper)));
    }
    let cancel = CancellationToken::new();
    eids.zip(links)
        .map(|(eid, link)| Session { eid, link, patience, cancel: cancel.child_token() })
        .collect()
}

async fn carry(
    from: Party,
    mut sent: mpsc::Receiver<Outbound>,
    inboxes: Vec<(Party, mpsc::Sender<Inbound>)>,
    tamper: Arc<Tamper>,
) {
    let mut count = 0;
    while let Some(outbound) = sent.recv().await {
        for (party, inbox) in &inboxes {
            let inbound = match &outbound {
                Outbound::Abort => Some(Inbound::Abort { from }),
                Outbound::Message { to: Recipient::One(to), .. } if to != party => None,
                Outbound::Message { bytes, .. } => tamper(from, *party, count, bytes.clone())
                    .map(|bytes| Inbound::Message { from, bytes }),
            };
            if let Some(inbound) = inbound {
                // A run that has ended takes nothing more.
                drop(inbox.send(inbound).await);
            }
        }
        count += 1;
    }
    // Runs end by their own word or deadline, not by this channel: keep the inboxes open.
    drop(inboxes);
}
