//! Requests within one session: beside the official client's, and a thousand in a row.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use tercet::Wallet;
use tercet::journal::JOURNAL_FILE;
use tercet::mpp::Session;
use tercet_policy::party::Party;
use tercet_tests::cost::rss_mib;
use tercet_tests::mpp_peers::PacedMppClient;

use super::shop::{Shop, buy};
use crate::Scale;
use crate::figures::{Figures, quantile};

/// Requests of each before those that count: Node.js compiles what runs often.
const WARMUP: u32 = 50;
/// Requests at either end of the row that are compared.
const END_REQUESTS: usize = 100;
/// The journal inside a node's home.
const NODE_JOURNAL: &str = "journal.sqlite";
/// What SQLite puts behind a file's name for what it has not moved there yet.
const WRITE_AHEAD: &str = "-wal";

/// Opens a session, measures both, and yields it.
pub(super) async fn measure(
    shop: &Shop,
    wallet: &Wallet,
    scale: Scale,
    figures: &mut Figures,
) -> Result<Session> {
    let url = shop.resource(shop.merchant())?;
    shop.wait_for_stock(wallet).await?;
    buy(wallet, &url).await.context("the opening")?;
    shop.wait_for_stock(wallet).await?;
    in_turns(shop, wallet, scale, figures).await?;
    in_a_row(shop, wallet, scale, figures).await?;
    let mut sessions = wallet.sessions(2).await?;
    ensure!(sessions.len() == 1, "one session for all requests: {sessions:?}");
    sessions.pop().context("no session")
}

/// One of ours, one of the official client's, and so on.
async fn in_turns(shop: &Shop, wallet: &Wallet, scale: Scale, figures: &mut Figures) -> Result<()> {
    let url = shop.resource(shop.merchant())?;
    let mut client = PacedMppClient::start(&shop.tempo, &url)?;
    let (mut ours_ms, mut official_ms) = (Vec::new(), Vec::new());
    let count = scale.of(300, 30);
    for n in 0..count.saturating_add(WARMUP) {
        let official = client.pay().await?.ms;
        let ours = buy(wallet, &url).await?;
        if n >= WARMUP {
            official_ms.push(official);
            ours_ms.push(ours);
        }
    }
    let summary = client.finish().await?;
    let (ours, official) = (quantile(&ours_ms, 0.5)?, quantile(&official_ms, 0.5)?);
    figures.add("mpp_request_p50_ms", ours)?;
    figures.add("mpp_request_p95_ms", quantile(&ours_ms, 0.95)?)?;
    figures.add("mpp_official_p50_ms", official)?;
    figures.add("mpp_official_p95_ms", quantile(&official_ms, 0.95)?)?;
    figures.add("mpp_request_ratio", ours / official)?;
    figures.note(format!(
        "Requests in a session: {count} each after {WARMUP}, in turns, from the request to the last \
         byte, same merchant and chain, each with one channel and a voucher for every request. Both \
         ask without a payment first: two requests over HTTP for each that is paid. Ours also keeps \
         its count and its vouchers on disk, and has them signed by the agent's node beside it; the \
         official client (Node.js, {} payments) holds its key and its count in memory.",
        summary.paid,
    ));
    Ok(())
}

async fn in_a_row(shop: &Shop, wallet: &Wallet, scale: Scale, figures: &mut Figures) -> Result<()> {
    let url = shop.resource(shop.merchant())?;
    let count = usize::try_from(scale.of(1_000, 250))?;
    let (mut took_ms, mut before) = (Vec::new(), None);
    while took_ms.len() < count {
        took_ms.push(buy(wallet, &url).await?);
        if took_ms.len() == END_REQUESTS {
            before = Some(Weight::of(shop)?);
        }
    }
    let (before, after) = (before.context("too few requests")?, Weight::of(shop)?);
    let (first, _) = took_ms.split_at_checked(END_REQUESTS).context("too few requests")?;
    let (_, last) = took_ms
        .split_at_checked(took_ms.len().saturating_sub(END_REQUESTS))
        .context("too few requests")?;
    let (first, last) = (quantile(first, 0.5)?, quantile(last, 0.5)?);
    figures.add("mpp_session_first_100_p50_ms", first)?;
    figures.add("mpp_session_last_100_p50_ms", last)?;
    figures.add("mpp_session_growth_ratio", last / first)?;
    after.compare(&before, figures)?;
    let medians = took_ms.chunks(END_REQUESTS).map(|hundred| quantile(hundred, 0.5));
    let medians: Vec<_> = medians.map(|ms| Ok(format!("{:.1}", ms?))).collect::<Result<_>>()?;
    figures.note(format!(
        "A session of {count} requests in a row, without a top-up: the medians of the first and of \
         the last {END_REQUESTS}; of every {END_REQUESTS} one after another, in ms: {}. {}",
        medians.join(", "),
        after.since(&before)
    ));
    Ok(())
}

/// What the agent's side takes, in memory and on disk.
struct Weight {
    node_kib: f64,
    buyer_kib: f64,
    /// Both journals.
    journal_kib: f64,
    /// What is not in them yet, of both.
    ahead_kib: f64,
}

impl Weight {
    fn of(shop: &Shop) -> Result<Self> {
        let node = shop.cluster.nodes.get(&Party::Agent).context("no node of the agent")?;
        let home = shop.cluster.house.seat(Party::Agent).home();
        let journals = [home.join(NODE_JOURNAL), shop.buyer().join(JOURNAL_FILE)];
        let (mut journal_kib, mut ahead_kib) = (0.0, 0.0);
        for journal in &journals {
            journal_kib += kib(journal).with_context(|| journal.display().to_string())?;
            let mut ahead = journal.clone().into_os_string();
            ahead.push(WRITE_AHEAD);
            ahead_kib += kib(Path::new(&ahead)).unwrap_or_default();
        }
        Ok(Self {
            node_kib: rss_mib(node.id())? * 1_024.0,
            buyer_kib: rss_mib(std::process::id())? * 1_024.0,
            journal_kib,
            ahead_kib,
        })
    }

    fn compare(&self, before: &Self, figures: &mut Figures) -> Result<()> {
        figures.add("mpp_session_node_growth_kib", self.node_kib - before.node_kib)?;
        figures.add("mpp_session_buyer_growth_kib", self.buyer_kib - before.buyer_kib)?;
        figures.add("mpp_session_journal_growth_kib", self.journal_kib - before.journal_kib)
    }

    fn since(&self, before: &Self) -> String {
        format!(
            "From the first {END_REQUESTS} on to the last: resident memory of the agent's node {:.0} \
             to {:.0} KiB, of the buyer, which is this program, {:.0} to {:.0} KiB; both journals on \
             disk {:.0} to {:.0} KiB, with {:.0} to {:.0} KiB of write-ahead logs before them, which \
             SQLite takes up every 4 MiB.",
            before.node_kib,
            self.node_kib,
            before.buyer_kib,
            self.buyer_kib,
            before.journal_kib,
            self.journal_kib,
            before.ahead_kib,
            self.ahead_kib,
        )
    }
}

fn kib(path: &Path) -> Result<f64> {
    Ok(fs::metadata(path)?.len() as f64 / 1_024.0)
}
