//! The `tercet` command as people and programs use it: its JSON, its exit codes, its next steps.

use std::path::{Path, PathBuf};
use std::process::Command;

use alloy_primitives::Address;
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tercet_cli::demo::house::ConfigText;
use tercet_cli::demo::process::program;
use tercet_policy::chain::Chain;
use tercet_policy::intent::Service;
use tercet_policy::party::Party;
use tercet_tests::cluster::{Cluster, PAYEE, Plan, STRANGER};
use tercet_tests::peers::Peer;

/// SHA-256 of `operators`.
const TOKEN: &str = "operators";

struct Desk {
    cluster: Cluster,
    merchant: Peer,
    wallet: Address,
    _facilitator: Peer,
}

impl Desk {
    async fn open() -> Result<Self> {
        let hash = alloy_primitives::hex::encode(<sha2::Sha256 as sha2::Digest>::digest(TOKEN));
        let coordinator_more =
            format!("\n[[read_tokens]]\nname = \"operators\"\nsha256 = \"{hash}\"\n");
        let text = ConfigText { coordinator_more, ..ConfigText::default() };
        let mut cluster = Cluster::started(Plan { policy: None, text, ..Plan::default() }).await?;
        let facilitator = Peer::facilitator(&cluster.chain).await?;
        let merchant = Peer::merchant(&facilitator, Chain::Base, PAYEE, "$0.01").await?;
        let wallet = cluster.new_wallet().await?;
        cluster.stop_node(Party::Agent).await;
        let home = &cluster.house.seat(Party::Agent).folder;
        let service = Service::of(merchant.url().as_str())?;
        std::fs::write(
            home.join("wallet.toml"),
            format!("[rules]\nmax_price = \"1000 USDC\"\nrotating_payees = [\"{service}\"]\n"),
        )?;
        std::fs::write(home.join("token"), TOKEN)?;
        Ok(Self { cluster, merchant, wallet, _facilitator: facilitator })
    }

    fn home(&self) -> &Path {
        &self.cluster.house.seat(Party::Agent).folder
    }

    /// Runs `tercet --json`; its exit code and its answer.
    async fn tercet(&self, words: &[&str]) -> Result<(i32, Value)> {
        let mut command = Command::new(program("tercet"));
        command.arg("--json").arg("--home").arg(self.home()).args(words);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        ensure!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let code = output.status.code().context("ended by a signal")?;
        Ok((code, serde_json::from_slice(&output.stdout)?))
    }

    async fn expect(&self, code: i32, words: &[&str]) -> Result<Value> {
        let (found, answer) = self.tercet(words).await?;
        ensure!(found == code, "tercet {words:?} ended with {found}, not {code}: {answer:#}");
        if code != 0 && answer.get("error").is_some() {
            ensure!(answer["error"]["exit"] == code, "{answer:#}");
            ensure!(answer["error"]["next"].as_str().is_some_and(|n| n.len() > 10), "{answer:#}");
        }
        Ok(answer)
    }

    fn key(&self) -> PathBuf {
        self.cluster.house.folder.join("authority.key")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_programs_pay_from_the_command_line() -> Result<()> {
    let desk = Desk::open().await?;
    policies(&desk).await?;
    payments(&desk).await?;
    operators(&desk).await?;
    mistakes(&desk).await
}

async fn policies(desk: &Desk) -> Result<()> {
    let service = Service::of(desk.merchant.url().as_str())?;
    let yaml = desk.home().join("policy.yaml");
    let signed = desk.home().join("policy.json");
    std::fs::write(
        &yaml,
        format!(
            "policy: research-01\nepoch: 3\napplies_to: {{ agent: research-01 }}\nrules:\n  \
             - max_amount: 0.50 USDC\n  - allow: {{ services: [\"{service}\"], recipients: \
             [\"{PAYEE}\"] }}\n  - allow: {{ recipients: [\"{PAYEE}\"] }}\n"
        ),
    )?;
    let (yaml, signed) = (yaml.to_string_lossy(), signed.to_string_lossy());
    let (key, payee) = (desk.key(), PAYEE.to_string());
    let no_policy = desk.expect(6, &["doctor"]).await?;
    ensure!(no_policy["good"] == false, "{no_policy:#}");
    desk.expect(0, &["policy", "check", &yaml]).await?;
    let url = desk.merchant.route("/paid").to_string();
    let asked = ["policy", "explain", &yaml, "--to", &payee, "--service", &url, "--amount"];
    desk.expect(0, &[&asked[..], &["0.50"]].concat()).await?;
    let refused = desk.expect(3, &[&asked[..], &["0.51"]].concat()).await?;
    ensure!(
        refused["decision"]["policies"][0]["findings"][0]["limit"] == "0.5 USDC",
        "{refused:#}"
    );
    let key = key.to_string_lossy();
    desk.expect(0, &["policy", "sign", &yaml, "--key", &key, "--out", &signed]).await?;
    let put = desk.expect(0, &["policy", "put", &signed]).await?;
    ensure!(put["epoch"] == 3, "{put:#}");
    desk.expect(0, &["doctor"]).await.map(drop)
}

async fn payments(desk: &Desk) -> Result<()> {
    let route = |path| desk.merchant.route(path).to_string();
    let free = desk.expect(0, &["fetch", &route("/free")]).await?;
    ensure!(free["receipt"].is_null(), "{free:#}");
    let paid = desk.expect(0, &["fetch", &route("/paid")]).await?;
    ensure!(paid["receipt"]["price"] == "0.01 USDC", "{paid:#}");
    ensure!(paid["body"].as_str().is_some_and(|b| b.contains("what you paid for")), "{paid:#}");
    let transaction: alloy_primitives::B256 =
        paid["receipt"]["transaction"].as_str().context("no transaction")?.parse()?;
    desk.cluster.rpc.mined(transaction).await?;
    let dear = desk.expect(3, &["fetch", &route("/dear")]).await?;
    let refusals = &dear["error"]["more"]["refusals"];
    ensure!(refusals[0]["refusal"]["code"] == "policy", "{dear:#}");
    desk.expect(3, &["fetch", &route("/other-payee")]).await?;
    let capped = desk.expect(3, &["fetch", &route("/paid"), "--at-most", "0.001"]).await?;
    ensure!(capped["error"]["more"]["declined"].is_object(), "{capped:#}");
    let (payee, stranger) = (PAYEE.to_string(), STRANGER.to_string());
    let sent = desk.expect(0, &["transfer", &payee, "0.25"]).await?;
    ensure!(sent["receipt"]["verified"] == true, "{sent:#}");
    desk.expect(3, &["transfer", &stranger, "0.25"]).await?;
    let page = desk.expect(0, &["payment", "list"]).await?;
    let ids: Vec<_> = page["payments"].as_array().context("no page")?.iter().collect();
    ensure!(ids.len() >= 4, "{page:#}");
    let id = ids[0]["id"].as_str().context("no id")?;
    let one = desk.expect(0, &["payment", "show", id]).await?;
    ensure!(one["id"] == id, "{one:#}");
    let wallet = desk.expect(0, &["wallet", "show"]).await?;
    let shown: Address = wallet["wallet"]["address"].as_str().context("no address")?.parse()?;
    ensure!(shown == desk.wallet, "{wallet:#}");
    let usdc = &wallet["balance"]["balances"][0]["usdc"];
    ensure!(usdc == "999740000", "{wallet:#}");
    desk.expect(0, &["wallet", "list"]).await.map(drop)
}

async fn operators(desk: &Desk) -> Result<()> {
    let token = desk.home().join("token");
    let token = token.to_string_lossy();
    let nodes = desk.expect(0, &["--read-token-file", &token, "node", "status"]).await?;
    ensure!(nodes["nodes"].as_array().is_some_and(|nodes| nodes.len() == 3), "{nodes:#}");
    let key = desk.key();
    let key = key.to_string_lossy();
    let freeze = ["--read-token-file", &token, "agent", "freeze", "research-01", "--key", &key];
    desk.expect(0, &freeze).await?;
    let paid = desk.merchant.route("/paid").to_string();
    let frozen = desk.expect(3, &["fetch", &paid]).await?;
    ensure!(frozen.to_string().contains("agent_frozen"), "{frozen:#}");
    let thaw = ["--read-token-file", &token, "agent", "unfreeze", "research-01", "--key", &key];
    desk.expect(0, &thaw).await?;
    desk.expect(0, &["fetch", &paid]).await?;
    // A second wallet, with the agent's node inside the command.
    let made = desk.expect(0, &["wallet", "create", "--label", "second"]).await?;
    ensure!(made["status"] == "done", "{made:#}");
    desk.expect(6, &["fetch", &paid]).await?;
    let first = desk.wallet.to_string();
    desk.expect(0, &["fetch", &paid, "--wallet", &first]).await.map(drop)
}

async fn mistakes(desk: &Desk) -> Result<()> {
    desk.expect(2, &["pay", "everybody"]).await?;
    let payee = PAYEE.to_string();
    for amount in ["1e6", "0x10", "１", "0.0000001"] {
        desk.expect(2, &["transfer", &payee, amount]).await?;
    }
    desk.expect(5, &["--coordinator", "http://127.0.0.1:9", "wallet", "list"]).await?;
    desk.expect(6, &["policy", "check", "/nonexistent/policy.yaml"]).await?;
    desk.expect(6, &["authority", "show", "/nonexistent/key"]).await?;
    let wallet = desk.wallet.to_string();
    let nobody = ["fetch", "http://127.0.0.1:9/", "--wallet", &wallet];
    desk.expect(5, &nobody).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_agent_is_set_up_from_the_command_line() -> Result<()> {
    let cluster = Cluster::started(Plan { policy: None, ..Plan::default() }).await?;
    let home = cluster.folder().join("new-agent");
    let run = async |words: Vec<String>| -> Result<Value> {
        let mut command = Command::new(program("tercet"));
        command.args(["--json", "--coordinator", &cluster.house.coordinator_url(), "--home"]);
        command.arg(&home).args(&words);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "tercet {words:?}: {said}");
        Ok(serde_json::from_str(&said)?)
    };
    let authority = cluster.house.authority.public().to_string();
    let rpc = cluster.rpc.url().to_owned();
    let words = ["init", "--agent", "newcomer", "--authority", &authority, "--rpc", &rpc];
    let keys = run(words.map(str::to_owned).to_vec()).await?;
    ensure!(keys["keys"]["id"] == "newcomer", "{keys:#}");
    let mut enrol: Vec<String> = ["agent", "enrol", "newcomer"].map(str::to_owned).to_vec();
    let own = home.join("node-keys.json").to_string_lossy().into_owned();
    enrol.extend(["--agent-node".to_owned(), own]);
    for party in [Party::Operator, Party::Recovery] {
        let file = cluster.folder().join(format!("{party}.json"));
        std::fs::write(&file, serde_json::to_string(&cluster.house.seat(party).keys)?)?;
        enrol.extend([format!("--{party}-node"), file.to_string_lossy().into_owned()]);
    }
    let key = cluster.house.folder.join("authority.key").to_string_lossy().into_owned();
    enrol.extend(["--key".to_owned(), key]);
    let view = run(enrol).await?;
    ensure!(view["id"] == "newcomer" && view["frozen"] == false, "{view:#}");
    let shown = run(["agent", "show", "newcomer"].map(str::to_owned).to_vec()).await?;
    ensure!(shown["epoch"] == 1, "{shown:#}");
    Ok(())
}
