//! The operator's node as a child process of the load program, so that it is weighed by itself and
//! told what to deal. Orders are JSON lines on its standard input; each is answered by a line.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use alloy_primitives::Address;
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use tercet_signer_node::NodeHandle;
use tercet_signer_node::config::NodeConfig;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

/// How long the child may take to be connected.
const CONNECT_MAX: Duration = Duration::from_secs(60);

/// Presignatures to put in stock, INSECURE.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Deal {
    /// Of which wallet.
    pub wallet: Address,
    /// The first number.
    pub from: u64,
    /// How many.
    pub count: u64,
}

/// Known to every party of a load test: its presignatures are worth nothing.
pub const SEED: [u8; 32] = *b"a load test's seed, known to all";

/// What came of it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Dealt {
    /// How many found room.
    pub stocked: u64,
    /// How many the node has of that wallet now.
    pub held: u64,
}

/// What the child does: runs the node, deals when told to, and stops in order when its input ends.
///
/// # Errors
/// A node that does not start or connect, or is told something else.
pub async fn serve(config: &Path) -> Result<()> {
    let config = NodeConfig::read(config)?;
    tercet_signer_node::install_logs(&config.log)?;
    let node = Box::pin(NodeHandle::start(config)).await?;
    node.wait_connected(CONNECT_MAX).await?;
    answer(Dealt { stocked: 0, held: 0 })?;
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        answer(deal(&node, serde_json::from_str(&order)?).await?)?;
    }
    node.stop().await;
    Ok(())
}

/// Puts dealt presignatures into a node's stock.
///
/// # Errors
/// For a wallet that is not the node's.
pub async fn deal(node: &NodeHandle, deal: Deal) -> Result<Dealt> {
    let numbers = deal.from..deal.from.saturating_add(deal.count);
    let stocked = node.insecurely_deal(deal.wallet, &SEED, numbers).await?;
    let held = node.presignatures(deal.wallet);
    Ok(Dealt { stocked: stocked.try_into()?, held: held.try_into()? })
}

/// The lines of standard input, from a thread of their own.
fn orders() -> mpsc::Receiver<String> {
    let (sender, orders) = mpsc::channel(1);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lines();
        lines.map_while(Result::ok).try_for_each(|line| sender.blocking_send(line))
    });
    orders
}

fn answer(dealt: Dealt) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{}", serde_json::to_string(&dealt)?)?;
    Ok(out.flush()?)
}

/// The child, from its parent's side.
#[derive(Debug)]
pub struct Operator {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Operator {
    /// Starts `program operator CONFIG` and waits until its node is connected.
    ///
    /// # Errors
    /// A program that is not built, or a node that does not start.
    pub async fn start(program: &Path, config: &Path, log: &Path) -> Result<Self> {
        let mut child = Command::new(program)
            .arg("operator")
            .arg(config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{}: build it with its feature", program.display()))?;
        let orders = child.stdin.take().context("no input")?;
        let answers = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut operator = Self { child, orders, answers };
        operator.answer().await.with_context(|| format!("its log: {}", log.display()))?;
        Ok(operator)
    }

    /// Has it deal.
    ///
    /// # Errors
    /// When it does not.
    pub async fn deal(&mut self, deal: Deal) -> Result<Dealt> {
        let line = format!("{}\n", serde_json::to_string(&deal)?);
        self.orders.write_all(line.as_bytes()).await?;
        self.answer().await
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it has ended.
    pub fn id(&self) -> Result<u32> {
        self.child.id().context("the operator's node has ended")
    }

    /// Ends it in order, so that its home is free.
    ///
    /// # Errors
    /// When it ends otherwise.
    pub async fn stop(self) -> Result<()> {
        let Self { mut child, orders, .. } = self;
        drop(orders);
        let status = child.wait().await?;
        ensure!(status.success(), "the operator's node ended with {status}");
        Ok(())
    }

    async fn answer(&mut self) -> Result<Dealt> {
        let line = self.answers.next_line().await?.context("the operator's node ended")?;
        Ok(serde_json::from_str(&line)?)
    }
}
