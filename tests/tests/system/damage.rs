//! Files that were changed, and a disk that is full: a node refuses with a message that names what
//! is wrong, and nothing is lost.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tercet_api::resource::NodeView;
use tercet_cli::demo::process::{Process, program};
use tercet_policy::party::Party;
use tercet_tests::cluster::{Cluster, PAYEE, Plan};

fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(copied.success(), "cp -a failed");
    Ok(())
}

fn flip_byte(path: &Path, at: u64) -> Result<()> {
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    let mut byte = [0u8; 1];
    file.read_exact_at(&mut byte, at)?;
    byte[0] ^= 0xff;
    Ok(file.write_all_at(&byte, at)?)
}

fn first_file(folder: &Path) -> Result<PathBuf> {
    let entry = fs::read_dir(folder)?.next().context("an empty folder")??;
    Ok(entry.path())
}

/// Starts the operator on a damaged home and yields what it said when it refused.
async fn refusal(cluster: &Cluster, damage: impl FnOnce(&Path) -> Result<()>) -> Result<String> {
    let seat = cluster.house.seat(Party::Operator);
    let kept = seat.folder.join("kept");
    copy(&seat.home(), &kept)?;
    damage(&seat.home())?;
    let log_before = cluster.log("operator").len();
    let mut node = cluster.house.spawn_node(Party::Operator, &[])?;
    let status = node.wait(Duration::from_secs(20)).await?;
    ensure!(!status.success(), "the node ended as if all were well");
    let said = cluster.log("operator").split_off(log_before);
    fs::remove_dir_all(seat.home())?;
    fs::rename(&kept, seat.home())?;
    Ok(said)
}

fn assert_says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_does_not_start_on_damaged_files() -> Result<()> {
    let (mut cluster, wallet) = Cluster::with_wallet(Plan::default()).await?;
    let view = cluster.pay(cluster.x402(wallet, PAYEE, 10_000)?).await?;
    cluster.payment_when(&view.id, |v| v.digest.is_some()).await?;
    cluster.stop_node(Party::Operator).await;

    let share = refusal(&cluster, |home| {
        let share = first_file(&home.join("wallets"))?;
        let middle = fs::metadata(&share)?.len() / 2;
        flip_byte(&share, middle)
    });
    assert_says(&share.await?, &["share"]);
    let cut = refusal(&cluster, |home| {
        let share = first_file(&home.join("wallets"))?;
        Ok(fs::write(&share, &fs::read(&share)?[..40])?)
    });
    assert_says(&cut.await?, &["share"]);
    let aux = refusal(&cluster, |home| {
        let aux = first_file(&home.join("groups"))?;
        let middle = fs::metadata(&aux)?.len() / 2;
        flip_byte(&aux, middle)
    });
    assert_says(&aux.await?, &["aux"]);
    let gone = refusal(&cluster, |home| {
        for entry in fs::read_dir(home)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("journal")) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    });
    assert_says(&gone.await?, &["journal", "reconcile"]);
    let overwritten = refusal(&cluster, |home| {
        Ok(fs::write(home.join("journal.sqlite"), "this was a journal once")?)
    });
    assert_says(&overwritten.await?, &["journal"]);
    let changed = refusal(&cluster, |home| change_one_row(&home.join("journal.sqlite")));
    assert_says(&changed.await?, &["journal"]);

    // Undamaged, the same home starts and signs.
    cluster.start_node(Party::Operator, &[]).await?;
    let view = cluster.pay(cluster.x402(wallet, PAYEE, 10_001)?).await?;
    cluster.payment_when(&view.id, |v| v.digest.is_some()).await.map(drop)
}

/// Changes the recorded amount inside the database file, where SQLite itself notices nothing.
fn change_one_row(journal: &Path) -> Result<()> {
    let mut bytes = fs::read(journal)?;
    let amount = b"\"amount\":\"10000\"";
    let found = bytes.windows(amount.len()).position(|w| w == amount);
    let at = found.context("no recorded amount in the journal")?;
    bytes[at + amount.len() - 2] = b'1';
    Ok(fs::write(journal, bytes)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn corrupt_policy_files_keep_a_node_from_starting() -> Result<()> {
    let mut cluster = Cluster::started(Plan::default()).await?;
    cluster.stop_node(Party::Operator).await;
    let config = cluster.house.seat(Party::Operator).config();
    let text = fs::read_to_string(&config)?;
    for (policy, word) in [
        ("{\"document\":", "policy"),
        (r#"{"document":{"yaml":"policy: x"},"signatures":[]}"#, "policy"),
        (
            r#"{"document":{"yaml":"policy: research-01\nepoch: 1\napplies_to: { agent: research-01 }\nrules: []\n"},"signatures":[]}"#,
            "grants nothing",
        ),
        (
            r#"{"document":{"yaml":"policy: research-01\nepoch: 2\napplies_to: { agent: research-01 }\nrules:\n  - allow: { services: [a.example] }\n"},"signatures":[]}"#,
            "signature",
        ),
    ] {
        let file = cluster.house.seat(Party::Operator).folder.join("bad.json");
        fs::write(&file, policy)?;
        fs::write(&config, format!("policies = [\"bad.json\"]\n{text}"))?;
        let before = cluster.log("operator").len();
        let mut node = cluster.house.spawn_node(Party::Operator, &[])?;
        let status = node.wait(Duration::from_secs(20)).await?;
        assert!(!status.success(), "{policy}");
        assert_says(&cluster.log("operator").split_off(before), &["bad.json", word]);
    }
    Ok(())
}

/// Starts the operator where no file may grow beyond `blocks` of 512 bytes. Its writes fail as they do
/// on a full disk, but with another error (EFBIG), and only where a file grows; the disk that is full
/// indeed is a tmpfs in `homes.rs`.
fn on_a_full_disk(cluster: &Cluster, blocks: u64) -> Result<Process> {
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\""])
        .arg(blocks.to_string())
        .arg(program("tercet-signer-node"))
        .args(["--role", "operator", "--config"])
        .arg(cluster.house.seat(Party::Operator).config());
    Ok(Process::start("operator", &mut command, &cluster.house.log("operator-full-disk"))?)
}

async fn journal_rows(cluster: &Cluster) -> Result<u64> {
    let nodes: Vec<NodeView> = cluster.house.line()?.get("/v1/nodes").await?;
    let operator = nodes.iter().find(|node| node.id.as_str() == "operator-01");
    operator.and_then(|node| node.journal_rows).context("no head of the operator's journal")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_loses_nothing() -> Result<()> {
    let (mut cluster, wallet) = Cluster::with_wallet(Plan::default()).await?;
    cluster.stop_node(Party::Operator).await;
    let home = cluster.house.seat(Party::Operator).home();
    let largest = fs::read_dir(&home)?
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|metadata| metadata.len())
        .max()
        .unwrap_or(0);
    let node = on_a_full_disk(&cluster, largest / 512 + 64)?;
    cluster.nodes.insert(Party::Operator, node);
    let (mut signed, mut stuck) = (Vec::new(), None);
    for units in 10_000..10_060u128 {
        let intent = cluster.x402(wallet, PAYEE, units)?;
        let view = cluster.pay(intent.clone()).await?;
        let settled_soon = cluster.payment_when(&view.id, |v| v.digest.is_some());
        match tokio::time::timeout(Duration::from_secs(6), settled_soon).await {
            Ok(Ok(view)) => signed.push(view),
            _ => {
                stuck = Some(intent);
                break;
            }
        }
    }
    let stuck = stuck.context("the disk never was full: the limit is too high for this test")?;
    ensure!(!signed.is_empty(), "nothing was signed before the disk was full");
    let view = cluster.house.line()?.payment(&stuck.id).await?;
    ensure!(view.digest.is_none(), "signed without a durable row: {view:#?}");

    // With room again nothing that was admitted is gone, and payments go on.
    cluster.stop_node(Party::Operator).await;
    cluster.start_node(Party::Operator, &[]).await?;
    let fresh = cluster.pay(cluster.x402(wallet, PAYEE, 20_000)?).await?;
    cluster.payment_when(&fresh.id, |v| v.digest.is_some()).await?;
    ensure!(journal_rows(&cluster).await? >= signed.len() as u64, "rows are gone");
    for before in &signed {
        let intent = before.id;
        let after = cluster.house.line()?.payment(&intent).await?;
        ensure!(after.digest == before.digest, "another digest: {after:#?}");
    }
    Ok(())
}
