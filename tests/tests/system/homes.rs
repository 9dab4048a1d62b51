//! What a node's home must be: ours alone, whole, used by one process, on a disk with room. A node
//! that finds it otherwise says what is wrong and where, and does not start or does not sign.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use alloy_primitives::Address;
use anyhow::{Context as _, Result, ensure};
use tercet_api::payment::PaymentView;
use tercet_api::resource::NodeView;
use tercet_policy::money::Amount;
use tercet_policy::party::Party;
use tercet_tests::cluster::{Cluster, FUNDS_UNITS, PATIENCE, PAYEE, Plan};
use tercet_tests::invariants::{Before, check};

/// Starts the operator, which must not start, and checks that its last words name all of `words`.
async fn refuses(cluster: &Cluster, words: &[&str]) -> Result<()> {
    let before = cluster.log("operator").len();
    let mut node = cluster.house.spawn_node(Party::Operator, &[])?;
    let status = node.wait(PATIENCE).await?;
    let said = cluster.log("operator").split_off(before);
    ensure!(!status.success(), "the node ended as if all were well: {said}");
    for word in words {
        ensure!(said.contains(word), "{word:?} is not in: {said}");
    }
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

fn share_of(home: &Path, wallet: Address) -> PathBuf {
    home.join("wallets").join(format!("{wallet:#x}.share.sealed"))
}

async fn signs(cluster: &Cluster, wallet: Address, units: u128) -> Result<PaymentView> {
    let view = cluster.pay(cluster.x402(wallet, PAYEE, units)?).await?;
    cluster.payment_when(&view.id, |v| v.digest.is_some()).await
}

async fn lax_modes(cluster: &Cluster, wallet: Address) -> Result<()> {
    let seat = cluster.house.seat(Party::Operator);
    let home = seat.home();
    for (path, lax, right) in [
        (home.clone(), 0o750, 0o700),
        (home.join("wallets"), 0o701, 0o700),
        (home.join("identity.sealed"), 0o640, 0o600),
        (home.join("journal.sqlite"), 0o604, 0o600),
        (share_of(&home, wallet), 0o644, 0o600),
        (seat.folder.join("passphrase"), 0o644, 0o600),
    ] {
        set_mode(&path, lax)?;
        // Homes are given relative to the configuration, so their own name is what is certain.
        let name = path.file_name().and_then(|name| name.to_str()).context("no name")?;
        refuses(cluster, &[name, &format!("mode {lax:o}"), "chmod"]).await?;
        set_mode(&path, right)?;
    }
    Ok(())
}

/// Of two processes on one home the second ends, even where nothing else is in its way.
async fn second_process(cluster: &Cluster) -> Result<()> {
    let config = cluster.house.seat(Party::Operator).config();
    let text = fs::read_to_string(&config)?;
    let lines = text.lines().filter(|line| !line.starts_with("health"));
    fs::write(&config, lines.collect::<Vec<_>>().join("\n"))?;
    refuses(cluster, &["home", "in use by another process"]).await?;
    Ok(fs::write(&config, text)?)
}

async fn configurations(cluster: &Cluster) -> Result<()> {
    let seat = cluster.house.seat(Party::Operator);
    let text = fs::read_to_string(seat.config())?;
    let own = seat.folder.join("own.yaml");
    let with_own = format!("own_policy = \"own.yaml\"\n{text}");
    let grants_nothing = "policy: own\nepoch: 1\napplies_to: { agent: research-01 }\nrules: []\n";
    let cases = [
        (format!("colour = \"red\"\n{text}"), "", ["operator.toml", "unknown field `colour`"]),
        (format!("{text}\n[log]\nlevel = 1\n"), "", ["operator.toml", "unknown field `level`"]),
        (with_own.clone(), grants_nothing, ["own.yaml", "grants nothing"]),
        (with_own.clone(), "policy: own\nrules: [", ["own.yaml", "policy"]),
        (with_own, &grants_nothing.replace("rules", "rulez"), ["own.yaml", "rulez"]),
    ]
    .map(|(config, policy, words)| (config, policy.to_owned(), words));
    for (config, policy, words) in cases {
        fs::write(seat.config(), config)?;
        fs::write(&own, policy)?;
        refuses(cluster, &words).await?;
    }
    Ok(fs::write(seat.config(), text)?)
}

/// A genuine share in the place of another wallet's, and a wrong passphrase.
async fn genuine_and_wrong(cluster: &Cluster, wallets: [Address; 2]) -> Result<()> {
    let seat = cluster.house.seat(Party::Operator);
    let [one, two] = wallets.map(|wallet| share_of(&seat.home(), wallet));
    let (share, kept) = (fs::read(&one)?, fs::read(&two)?);
    fs::write(&two, share)?;
    refuses(cluster, &["the file holds", &format!("{:#x}", wallets[1])]).await?;
    fs::write(&two, kept)?;

    let passphrase = seat.folder.join("passphrase");
    let right = fs::read(&passphrase)?;
    fs::write(&passphrase, "not this one, surely")?;
    refuses(cluster, &["wrong passphrase for this home"]).await?;
    Ok(fs::write(&passphrase, right)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_on_its_own_whole_home_only() -> Result<()> {
    let (mut cluster, wallet) = Cluster::with_wallet(Plan::default()).await?;
    let other = cluster.new_wallet().await?;
    second_process(&cluster).await?;
    cluster.stop_node(Party::Operator).await;
    lax_modes(&cluster, wallet).await?;
    configurations(&cluster).await?;
    genuine_and_wrong(&cluster, [wallet, other]).await?;
    // With everything back in place the same home starts and signs.
    cluster.start_node(Party::Operator, &[]).await?;
    signs(&cluster, wallet, 10_000).await.map(drop)
}

/// A file system of a few megabytes over a folder. Unmounted on drop, before the folder goes.
struct SmallDisk {
    folder: PathBuf,
}

const DISK_MEBIBYTES: u32 = 8;

impl SmallDisk {
    /// Moves a folder onto a disk of its own. Needs the right to mount, which tests as root have.
    fn under(folder: &Path) -> Result<Self> {
        let aside = folder.with_extension("aside");
        fs::rename(folder, &aside)?;
        fs::create_dir(folder)?;
        let size = format!("size={DISK_MEBIBYTES}m,mode=0700");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder))
            .context("this test fills a disk of its own and has to mount it: run it as root")?;
        let disk = Self { folder: folder.to_owned() };
        run(Command::new("cp").arg("-a").arg(aside.join(".")).arg(folder))?;
        fs::remove_dir_all(aside)?;
        Ok(disk)
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    /// Writes until nothing fits any more.
    fn fill(&self) -> Result<()> {
        let mut ballast = fs::File::create(self.ballast())?;
        loop {
            match ballast.write_all(&[0; 512]) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn free(&self) -> Result<()> {
        Ok(fs::remove_file(self.ballast())?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the node may still be ending.
        drop(Command::new("umount").arg("-l").arg(&self.folder).status());
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

async fn operators_rows(cluster: &Cluster) -> Result<u64> {
    let nodes: Vec<NodeView> = cluster.house.line()?.get("/v1/nodes").await?;
    let operator = nodes.iter().find(|node| node.id.as_str() == "operator-01");
    operator.and_then(|node| node.journal_rows).context("no head of the operator's journal")
}

async fn until_it_says(cluster: &Cluster, word: &str) -> Result<()> {
    let begun = Instant::now();
    while !cluster.log("operator").contains(word) {
        ensure!(begun.elapsed() < PATIENCE, "{word:?} is not in: {}", cluster.log("operator"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Slow (half a minute): the refused payment is tried again by the coordinator until there is room.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_signs_nothing_and_forgets_nothing() -> Result<()> {
    let (mut cluster, wallet) = Cluster::with_wallet(Plan::default()).await?;
    cluster.stop_node(Party::Operator).await;
    let disk = SmallDisk::under(&cluster.house.seat(Party::Operator).home())?;
    cluster.start_node(Party::Operator, &[]).await?;
    let first = signs(&cluster, wallet, 10_000).await?;
    let rows = operators_rows(&cluster).await?;

    disk.fill()?;
    let intent = cluster.transfer(wallet, PAYEE, 20_000)?;
    let (id, signed) = (intent.id, cluster.house.sign_intent(intent)?);
    let line = cluster.house.line()?;
    let posted = line.pay(signed.clone());
    let (answer, said) = tokio::join!(posted, until_it_says(&cluster, "is full"));
    said?;
    let stuck = line.payment(&id).await?;
    let why = stuck.detail.as_deref().unwrap_or_default();
    ensure!(answer.is_ok() && why.contains("is full"), "{answer:?}, and then {stuck:#?}");
    ensure!(stuck.digest.is_none(), "signed without a durable row: {stuck:#?}");
    ensure!(cluster.rpc.moved_from(wallet).await?.is_empty(), "money moved");

    // Room alone is not enough: what was durable is read anew, at a start.
    cluster.stop_node(Party::Operator).await;
    disk.free()?;
    cluster.start_node(Party::Operator, &[]).await?;
    let rows_now = operators_rows(&cluster).await?;
    ensure!(rows_now >= rows, "{rows} rows before, {rows_now} after");
    let line = cluster.house.line()?;
    drop(line.pay(signed).await);
    let paid = cluster.settled(&id).await?;
    let same = line.payment(&first.id).await?;
    ensure!(same.digest == first.digest, "another digest: {same:#?}");
    let before = Before { wallet, had: Amount::from_base_units(FUNDS_UNITS) };
    check(&cluster.rpc, before, &[paid, same], None).await
}
