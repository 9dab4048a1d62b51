use tercet_signer::tss::{ExecutionId, Link, Patience, Session};
use tokio_util::sync::CancellationToken;

fn two_runs(eid: ExecutionId, one: Link, other: Link, cancel: CancellationToken) -> [Session; 2] {
    let patience = Patience::SIGN;
    [
        Session { eid, link: one, patience, cancel: cancel.clone() },
        Session { eid, link: other, patience, cancel },
    ]
}

fn main() {}
