//! `tercet policy` on the command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use serde::Deserialize;
use tercet_policy::party::AgentId;

use crate::args::Keys;

/// `tercet policy`.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Read a policy file, say what it means, and warn of rules that do not do what they seem to.
    Check(Check),
    /// Sign a policy file's exact text.
    Sign {
        /// YAML, or a signed policy to add signatures to.
        file: PathBuf,
        /// Where to write the signed policy; without it, to standard output.
        #[arg(long)]
        out: Option<PathBuf>,
        /// The signatures.
        #[command(flatten)]
        keys: Keys,
    },
    /// Install a signed policy.
    Put {
        /// What `policy sign` wrote.
        file: PathBuf,
    },
    /// Ask policies about a payment, and see every rule's answer.
    Explain(Box<Explain>),
    /// Run the cases that lie beside a policy.
    Test(Test),
    /// Replay recorded payments under a draft, and see what would change.
    Backtest(Box<Backtest>),
    /// Say what a new version of a policy loosens and what it tightens.
    Diff(Diff),
    /// Prove that policies never let a payment through, or show one that they do (needs cvc5).
    Prove(Prove),
    /// Print the reference of all rules, in Markdown.
    Reference,
    /// Print the JSON Schema of policy files, for editors.
    Schema,
}

/// `tercet policy check`.
#[derive(Debug, ClapArgs)]
pub struct Check {
    /// YAML, or signed policies.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// What the wallet holds, to warn of a policy that grants more: `"100 USDC"`.
    #[arg(long, value_name = "AMOUNT")]
    pub float: Option<String>,
    /// End with code 1 where there is a warning.
    #[arg(long)]
    pub deny_warnings: bool,
}

/// `tercet policy explain`.
#[derive(Debug, ClapArgs)]
pub struct Explain {
    /// Policies (YAML, or signed), which all apply, and at most one JSON file with a payment
    /// intent. Without a policy, the coordinator is asked, who knows what was paid.
    pub files: Vec<PathBuf>,
    /// The payment's kind; without it, `x402` where a service is given, else `transfer`.
    #[arg(long, value_name = "KIND")]
    pub pay: Option<PayKind>,
    /// How much: `0.50`, in USDC, or `"0.50 USDC"`.
    #[arg(long)]
    pub amount: Option<String>,
    /// Who is paid.
    #[arg(long)]
    pub to: Option<alloy_primitives::Address>,
    /// The URL that is paid for, or its host.
    #[arg(long)]
    pub service: Option<String>,
    /// The method of the request that is paid for.
    #[arg(long, value_name = "METHOD")]
    pub method: Option<String>,
    /// In which order the merchant serves and settles: authorization, upfront or escrow.
    #[arg(long, value_name = "FLOW")]
    pub flow: Option<String>,
    /// The session the payment belongs to.
    #[arg(long)]
    pub session: Option<String>,
    /// What the agent declares, as a JSON object.
    #[arg(long, value_name = "JSON")]
    pub context: Option<String>,
    /// The chain.
    #[arg(long, default_value = "eip155:8453")]
    pub chain: tercet_policy::chain::Chain,
    /// Who asks; without it, the agent that the policies are for.
    #[arg(long)]
    pub agent: Option<AgentId>,
    /// The paying wallet; without it, the one that a policy is for, or any.
    #[arg(long)]
    pub wallet: Option<alloy_primitives::Address>,
    /// What the wallet holds, in the payment's asset.
    #[arg(long, value_name = "AMOUNT")]
    pub balance: Option<String>,
    /// Most that the chain may take as a fee, in wei; without it, a transfer's is not known.
    #[arg(long, value_name = "WEI")]
    pub fee_wei: Option<String>,
    /// A JSON file with a payment intent, instead of the above.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["amount", "to", "service"])]
    pub intent: Option<PathBuf>,
    /// A JSON or YAML file with past payments (`[{"amount","to","service","at"}]`, or what
    /// `tercet --json payment list` prints); without it, none.
    #[arg(long, alias = "ledger", value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// The counterparty registry.
    #[arg(long, value_name = "FILE")]
    pub registry: Option<PathBuf>,
    /// Somebody whom a policy asks, taken to have said yes; once for each.
    #[arg(long, value_name = "NAME")]
    pub approved_by: Vec<String>,
    /// The moment to judge at, Unix seconds or RFC 3339; without it, now.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

/// Kinds of payment one can ask about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PayKind {
    /// An ERC-20 transfer.
    Transfer,
    /// An x402 `exact` payment.
    X402,
}

/// `tercet policy test`.
#[derive(Debug, ClapArgs)]
pub struct Test {
    /// Policies with cases beside them: `NAME.test.yaml` beside `NAME.yaml`.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// The cases, where they lie elsewhere.
    #[arg(long, value_name = "FILE")]
    pub cases: Option<PathBuf>,
}

/// `tercet policy backtest`.
#[derive(Debug, ClapArgs)]
pub struct Backtest {
    /// The draft.
    pub file: PathBuf,
    /// How far back, as `30d`, `12h` or `4w`; without it, all of `--history`, or 30 days.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Recorded payments (`[{"amount","to","service","at"}]`, or what
    /// `tercet --json payment list` prints) instead of the coordinator's.
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// The policy to compare with; without it, the coordinator's, or, with `--history`, what is
    /// recorded.
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Policies that apply beside both, an organisation's for one; once for each. Without
    /// --history, --against and --with, those that the coordinator holds.
    #[arg(long = "with", value_name = "FILE")]
    pub beside: Vec<PathBuf>,
    /// The counterparty registry.
    #[arg(long, value_name = "FILE")]
    pub registry: Option<PathBuf>,
    /// The end of the replay, Unix seconds or RFC 3339; without it, now.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

/// `tercet policy diff`.
#[derive(Debug, ClapArgs)]
pub struct Diff {
    /// The policy in force: YAML, or signed.
    pub old: PathBuf,
    /// What is to take its place.
    pub new: PathBuf,
    /// A node's or the coordinator's configuration, for the authority that it pins; without it,
    /// that of the agent's home, where there is one.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How long the solver may think about one question, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = PROVE_SECONDS_DEFAULT)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=PROVE_SECONDS_MAX))]
    pub timeout: u64,
}

/// `tercet policy prove`.
#[derive(Debug, ClapArgs)]
#[command(after_help = PROVE_HELP)]
pub struct Prove {
    /// Policies (YAML, or signed), which all apply.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// What must never happen, in plain words: `"pays outside list vendors"`.
    #[arg(long, value_name = "QUESTION", required_unless_present = "cedar")]
    #[arg(conflicts_with = "cedar")]
    pub never: Option<String>,
    /// The same as a Cedar expression, as in a rule `when`.
    #[arg(long, value_name = "EXPRESSION")]
    pub cedar: Option<String>,
    /// With `--cedar`: only what is approved without asking anybody.
    #[arg(long, requires = "cedar")]
    pub without_asking: bool,
    /// How long the solver may think about one question, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = PROVE_SECONDS_DEFAULT)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=PROVE_SECONDS_MAX))]
    pub timeout: u64,
}

/// How long the solver may think about one question where it is not said, in seconds.
const PROVE_SECONDS_DEFAULT: u64 = 60;
/// Longest that it may be given, in seconds.
const PROVE_SECONDS_MAX: u64 = 3_600;

/// The grammar of `--never`, and how the command ends.
const PROVE_HELP: &str = "\
Questions:
  pays PART and PART ...                   approved, or approved by people who are asked
  approves without asking PART and ...     approved, and nobody is asked
Parts:
  outside list NAME, inside list NAME      by the service and the recipient
  more than AMOUNT, less than AMOUNT       also: above, below
  over x402, over mpp, over transfer, on CHAIN
  recipient ADDRESS, service HOST          HOST may be *.suffix
  category NAME, country CODE, trust below N
  outside hours                            of a rule `hours`
  not PART, anything
It ends with 0 where it is proved, 8 with a payment that shows the contrary, 9 where neither is \
shown.";
