//! Has a service sign, one payment after another, and checks what it signed.

use std::process::Stdio;
use std::time::{Duration, Instant};

use alloy_primitives::{Address, U256, keccak256};
use anyhow::{Context as _, Result, bail, ensure};
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use serde_json::json;
use tercet_cli::demo::house::now;
use tercet_policy::chain::{Asset, Chain};
use tercet_tests::local_key::{TransferWithAuthorization, digest};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::options::Options;
use crate::statistics::Statistics;
use crate::wire::{Answered, Asked, Ready, Signed};

/// How long a service may take until it is ready, and for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// How long a payment may be signed, in seconds.
const VALID_SECONDS: u64 = 240;

/// Measures a service and prints one JSON object.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let mut service = Service::start(&options.command).await?;
    let (mut api_ms, mut round_trip_ms) = (Vec::new(), Vec::new());
    let mut errors: Vec<String> = Vec::new();
    for n in 0..options.warmup.saturating_add(options.iterations) {
        tokio::time::sleep(Duration::from_millis(options.pause_ms)).await;
        let asked = ask(n, options)?;
        let begun = Instant::now();
        let answered = service.ask(&asked).await?;
        let took_ms = begun.elapsed().as_secs_f64() * 1_000.0;
        // From here on nothing is timed.
        let checked = check(service.ready.wallet, &asked, answered);
        match checked {
            _ if n < options.warmup => {}
            Ok(signed) => {
                api_ms.push(signed.api_latency_ms);
                round_trip_ms.push(took_ms);
            }
            Err(error) => errors.push(format!("{error:#}")),
        }
    }
    let line = json!({
        "service": service.ready.service, "wallet": service.ready.wallet,
        "iterations": options.iterations, "warmup": options.warmup, "pause_ms": options.pause_ms,
        "errors": errors.len(), "first_error": errors.first(),
        "api_latency_ms": Statistics::of(&api_ms), "round_trip_ms": Statistics::of(&round_trip_ms),
    });
    println!("{}", serde_json::to_string_pretty(&line)?);
    service.stop().await?;
    ensure!(errors.is_empty(), "{} of {} failed", errors.len(), options.iterations);
    Ok(())
}

fn ask(id: u64, options: &Options) -> Result<Asked> {
    let asset = Asset::by_symbol(Chain::Base, "USDC").context("Base has USDC")?;
    Ok(Asked {
        id,
        chain_id: Chain::Base.id(),
        token: asset.token,
        to: options.to,
        value: options.value.to_string(),
        valid_before: now().plus(VALID_SECONDS).0,
    })
}

/// Derives what was to be signed by itself, and recovers who signed it.
fn check(wallet: Address, asked: &Asked, answered: Answered) -> Result<Signed> {
    let signed = match answered {
        Answered::Signed(signed) => *signed,
        Answered::Failed { error, .. } => bail!(error),
    };
    let asset = Asset::by_symbol(Chain::Base, "USDC").context("Base has USDC")?;
    let text = TransferWithAuthorization {
        from: wallet,
        to: asked.to,
        value: asked.value.parse()?,
        validAfter: U256::from(signed.valid_after),
        validBefore: U256::from(asked.valid_before),
        nonce: signed.nonce,
    };
    let [rs @ .., v] = signed.signature.as_ref() else { bail!("an empty signature") };
    let signature = Signature::from_slice(rs).context("the signature has not 65 bytes")?;
    let id = RecoveryId::from_byte(v.checked_sub(27).unwrap_or(*v)).context("v")?;
    let hash = digest(asset, &text);
    let key = VerifyingKey::recover_from_prehash(hash.as_slice(), &signature, id)?;
    let point = key.to_encoded_point(false);
    let signer = Address::from_word(keccak256(point.as_bytes().get(1..).unwrap_or_default()));
    ensure!(signer == wallet, "{signer} signed, and the wallet is {wallet}");
    Ok(signed)
}

/// A service's process.
struct Service {
    ready: Ready,
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Service {
    async fn start(command: &[String]) -> Result<Self> {
        let (program, words) = command.split_first().context("no command")?;
        let mut child = Command::new(program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| program.clone())?;
        let input = child.stdin.take().context("no input")?;
        let mut output = BufReader::new(child.stdout.take().context("no output")?).lines();
        let ready = serde_json::from_str(&line(&mut output).await?).context("its first line")?;
        Ok(Self { ready, child, input, output })
    }

    async fn ask(&mut self, asked: &Asked) -> Result<Answered> {
        let text = format!("{}\n", serde_json::to_string(asked)?);
        self.input.write_all(text.as_bytes()).await?;
        let answered: Answered = serde_json::from_str(&line(&mut self.output).await?)?;
        let id = match &answered {
            Answered::Signed(signed) => signed.id,
            Answered::Failed { id, .. } => *id,
        };
        ensure!(id == asked.id, "request {} was answered as {id}", asked.id);
        Ok(answered)
    }

    async fn stop(self) -> Result<()> {
        let Self { mut child, input, .. } = self;
        drop(input);
        let ended = tokio::time::timeout(ANSWER_MAX, child.wait()).await;
        ended.context("the service does not end with its input")??;
        Ok(())
    }
}

async fn line(output: &mut Lines<BufReader<ChildStdout>>) -> Result<String> {
    let line = tokio::time::timeout(ANSWER_MAX, output.next_line()).await;
    line.context("the service does not answer")??.context("the service has ended")
}
