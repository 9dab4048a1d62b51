//! A service that cheats in every known way, and a real house: how each request ends, what was
//! signed for it, and what left the wallet.
//!
//! Slow (minutes): about a hundred signatures made in rounds, services that do not answer, and
//! openings that are waited for until the chain can no longer take them. One house and one chain
//! serve all rows of a test; each row has a wallet folder, and so a journal, of its own.

mod audit;
mod rows;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use tercet::mpp::{Session, SessionState};
use tercet::{Declined, Error, Fetched, Wallet};
use tercet_tests::mpp_peers::{MppMode, MppRun, pay_with_official_mpp_client};
use tercet_tests::mpp_shop::{MppShop, Seller, session_in};
use tokio::time::sleep;

use self::audit::{Audit, Worth};
use self::rows::{DEPOSIT, PRICE, Row, WORD};

/// What the policy grants: the service and its payee, and deposits above the wallets' own rules.
const POLICY: &[&str] = &[
    "limit: { amount: 90 pathUSD, per: day }",
    "mpp: { max_deposit: 1 pathUSD, max_concurrent_sessions: 100 }",
    "allow: { services: [\"{service}\"], recipients: [\"{payee}\"] }",
];
/// The wallets' own rules: 0.10 a request, 0.20 a session, the payee known.
const RULES: &str = "[rules]\nmax_price = \"0.10 USDC\"\nchains = [\"eip155:4217\"]\n\n\
    [rules.payees]\n\"{service}\" = [\"{payee}\"]\n\n\
    [rules.mpp]\nmax_prices = [\"0.10 pathUSD\"]\nmax_deposits = [\"0.20 pathUSD\"]\n\n\
    [rules.patience]\npaid_ms = 6000\nchain_ms = 2000\n";
/// Rules that allow everything.
const LAX_RULES: &str = "[rules]\nmax_price = \"9000000 USDC\"\nchains = [\"eip155:4217\"]\n\n\
    [rules.mpp]\nmax_prices = [\"9000000 pathUSD\"]\nmax_deposits = [\"9000000 pathUSD\"]\n\n\
    [rules.patience]\npaid_ms = 6000\nchain_ms = 2000\n";
/// Most that fees take of a wallet while a row is tried, in base units.
const FEES_UNITS_MAX: u128 = 60_000;
/// What is late is ten seconds late.
const LATE: Duration = Duration::from_secs(40);
/// An opening that is kept is void once a safe block is past its end.
const VOID: Duration = Duration::from_secs(90);
/// How long a service may take to bring a close to the chain.
const CLOSE: Duration = Duration::from_secs(121);

struct Trials {
    shop: MppShop,
    /// What was not as its row says.
    failures: Vec<String>,
    /// Whether steps of leaving channels may cost fees at any time.
    leaving: bool,
}

struct Trial {
    wallet: Wallet,
    row: Row,
    had: u128,
    given: usize,
    ends: Vec<String>,
}

/// A channel as the hostile service knows it, in base units.
#[derive(Debug, Deserialize)]
struct Channel {
    accepted: String,
    spent: String,
}

/// Challenges that lie, whatever a parser can be given, and charges.
#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_challenge_gets_what_it_delivered() -> Result<()> {
    let mut trials = Trials::open().await?;
    for table in [rows::REFUSED, rows::PARSER, rows::REDIRECTS, rows::CHARGES] {
        trials.table(table).await?;
    }
    let outcome = trials.charge_late().await;
    trials.note("late charge", outcome);
    trials.verdict()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_stream_gets_what_it_delivered_and_one_unit() -> Result<()> {
    let mut trials = Trials::open().await?;
    for table in [rows::STREAMS, rows::SESSIONS, rows::DENIED] {
        trials.table(table).await?;
    }
    trials.leaving = true;
    let outcome = trials.open_late().await;
    trials.note("late opening", outcome);
    let outcome = trials.kept_openings().await;
    trials.note("kept openings", outcome);
    let outcome = trials.denied_channels().await;
    trials.note("denied channels", outcome);
    trials.verdict()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_close_is_not_believed() -> Result<()> {
    let mut trials = Trials::open().await?;
    trials.leaving = true;
    let outcome = Box::pin(trials.closes()).await;
    trials.note("closes", outcome);
    trials.verdict()
}

/// Measured on the official client (mppx 0.11): after one word of 0.001 it signs 0.90.
#[tokio::test(flavor = "multi_thread")]
async fn an_inflated_demand_is_signed_by_the_official_client_and_not_by_ours() -> Result<()> {
    let shop = MppShop::open(Seller::Hostile, POLICY).await?;
    let route = shop.seller.route("/stream/inflated-need");
    let run = MppRun { mode: MppMode::Stream, count: 6, warmup: 0 };
    // It pays, and does not get the six words it pays for: no run of its that succeeds.
    let official = pay_with_official_mpp_client(&shop.tempo, &route, run).await;
    ensure!(official.is_err(), "one word is all that comes: {official:?}");
    let channels: Vec<Channel> = shop.seller.control("/control/channels").await?;
    let [theirs] = channels.as_slice() else { anyhow::bail!("{channels:?}") };
    ensure!(theirs.accepted == "900000", "the official client has learnt: {theirs:?}");
    ensure!(theirs.spent == WORD.to_string(), "{theirs:?}");

    let given = shop.seller.credentials().await?.len();
    let wallet = shop.wallet("inflated", RULES).await?;
    let end = ending(wallet.get(route).await).await;
    ensure!(end == "overdemand", "{end}");
    let credentials = shop.seller.credentials().await?;
    let worth = audit(&shop).worth(&credentials[given..])?;
    let first = Worth { cumulative: WORD, deposit: DEPOSIT, openings: 1, ..Worth::default() };
    ensure!(worth == first, "{worth:?}");
    let session = only(&wallet).await?;
    ensure!(session.meter.signed.base_units() == WORD, "{session:?}");
    ensure!(session.meter.delivered.base_units() == WORD, "{session:?}");
    wallet.close().await;
    Ok(())
}

impl Trials {
    async fn open() -> Result<Self> {
        let shop = MppShop::open(Seller::Hostile, POLICY).await?;
        Ok(Self { shop, failures: Vec::new(), leaving: false })
    }

    fn verdict(self) -> Result<()> {
        ensure!(self.failures.is_empty(), "\n{}", self.failures.join("\n"));
        Ok(())
    }

    async fn table(&mut self, rows: &[Row]) -> Result<()> {
        for &row in rows {
            let outcome = self.try_out(row).await;
            self.note(row.route, outcome);
        }
        Ok(())
    }

    fn note(&mut self, what: &str, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.failures.push(format!("{what}: {error:#}"));
        }
    }

    async fn try_out(&self, row: Row) -> Result<()> {
        let trial = self.begin(row).await?;
        self.end(trial).await
    }

    /// Opens a wallet, and makes as many requests as the row has ends.
    async fn begin(&self, row: Row) -> Result<Trial> {
        let had = self.shop.left().await?;
        let given = self.shop.seller.credentials().await?.len();
        let wallet = self.wallet(row).await?;
        let mut ends = Vec::new();
        for _ in row.ends.split(' ') {
            let fetched = wallet.get(self.shop.seller.route(row.route)).await;
            ends.push(ending(fetched).await);
        }
        Ok(Trial { wallet, row, had, given, ends })
    }

    async fn wallet(&self, row: Row) -> Result<Wallet> {
        let (name, rules) = if row.lax { ("lax", LAX_RULES) } else { ("strict", RULES) };
        let name = format!("{name}{}", row.route.replace('/', "-"));
        self.shop.wallet(&name, rules).await
    }

    /// Holds ends, credentials and balance against the row.
    async fn end(&self, Trial { wallet, row, had, given, ends }: Trial) -> Result<()> {
        wallet.close().await;
        ensure!(fits(row.ends, &ends), "wanted {:?}, got {ends:?}", row.ends);
        let credentials = self.shop.seller.credentials().await?;
        let fresh = credentials.get(given..).context("credentials are gone")?;
        let elsewhere = fresh.iter().find(|credential| credential["url"] != row.route);
        ensure!(elsewhere.is_none(), "went elsewhere: {elsewhere:#?}");
        let worth = audit(&self.shop).worth(fresh)?;
        // Where a challenge may be read or not, less may be signed.
        let either = |signed: u128, most: u128| signed == most || row.ends.contains('|');
        ensure!(worth.charged <= row.charged && either(worth.charged, row.charged), "{worth:?}");
        let cumulative = worth.cumulative;
        ensure!(cumulative <= row.cumulative && either(cumulative, row.cumulative), "{worth:?}");
        ensure!(worth.deposit <= DEPOSIT && worth.openings <= 1, "{worth:?}");
        let lost = had.saturating_sub(self.shop.left().await?);
        let fees = if row.moved > 0 || self.leaving { FEES_UNITS_MAX } else { 0 };
        ensure!(lost <= row.moved + fees, "{lost} left the wallet, {} may", row.moved);
        Ok(())
    }

    /// Unknown means unknown: it settles later, and is not paid for again.
    async fn charge_late(&self) -> Result<()> {
        let trial = self.begin(rows::CHARGE_LATE).await?;
        let begun = Instant::now();
        while trial.wallet.resume().await?.iter().any(|one| one.deadline.is_some()) {
            ensure!(begun.elapsed() < LATE, "never settled");
            sleep(Duration::from_millis(500)).await;
        }
        let again = trial.wallet.get(self.shop.seller.route(trial.row.route)).await;
        let end = ending(again).await;
        ensure!(end == "paid_not_delivered", "{end}");
        self.end(trial).await
    }

    /// An opening that comes late is found again, and is the only one.
    async fn open_late(&self) -> Result<()> {
        let trial = self.begin(rows::OPEN_LATE).await?;
        let session = only(&trial.wallet).await?;
        let found = session_in(&trial.wallet, &session.channel, SessionState::Open, LATE).await?;
        ensure!(found.funded, "{found:?}");
        self.end(trial).await
    }

    /// Openings that never came to the chain are void, and then another one may be opened.
    async fn kept_openings(&self) -> Result<()> {
        for row in rows::SESSIONS.iter().filter(|row| row.route.contains("open-kept")) {
            let wallet = self.wallet(*row).await?;
            let session = only(&wallet).await.context(row.route)?;
            let void = session_in(&wallet, &session.channel, SessionState::Void, VOID).await;
            ensure!(void.context(row.route)?.leaving.is_none(), "{}: a fee for nothing", row.route);
            if row.route.ends_with("open-kept-500") {
                let again = ending(wallet.get(self.shop.seller.route(row.route)).await).await;
                ensure!(again == "unknown", "{again}");
                ensure!(wallet.sessions(9).await?.len() == 2, "a new opening");
            }
            wallet.close().await;
        }
        Ok(())
    }

    /// A channel that was funded and denied is on its way out, without the service.
    async fn denied_channels(&self) -> Result<()> {
        for row in rows::DENIED.iter().filter(|row| !row.route.ends_with("hangs")) {
            let wallet = self.wallet(*row).await?;
            let session = only(&wallet).await.context(row.route)?;
            ensure!(session.state == SessionState::Exiting, "{}: {session:?}", row.route);
            self.end_is_asked_for(&wallet, &session).await.context(row.route)?;
            wallet.close().await;
        }
        Ok(())
    }

    /// Looks after the session until the chain has been asked for the channel's end.
    async fn end_is_asked_for(&self, wallet: &Wallet, session: &Session) -> Result<()> {
        let begun = Instant::now();
        loop {
            wallet.tend_sessions().await?;
            let seen = self.shop.tempo.channel(session.channel.into()).await?;
            if seen.close_requested_at.0 > 0 {
                return Ok(());
            }
            ensure!(begun.elapsed() < LATE, "never asked for: {seen:?}");
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// Services that close too high, not at all, or only in words.
    async fn closes(&self) -> Result<()> {
        let mut pretended = Vec::new();
        for &row in rows::CLOSES_PRETENDED {
            let (wallet, session) = self.closed_by_service(row).await?;
            ensure!(session.state == SessionState::Closing, "{}: {session:?}", row.route);
            pretended.push((row, wallet, session));
        }
        let begun = Instant::now();
        for &row in rows::CLOSES_DENIED {
            let (wallet, session) = self.closed_by_service(row).await?;
            ensure!(session.state == SessionState::Exiting, "{}: {session:?}", row.route);
            self.end_is_asked_for(&wallet, &session).await.context(row.route)?;
            wallet.close().await;
        }
        Box::pin(self.close_high()).await.context("close-high")?;
        for (row, wallet, session) in &pretended {
            wallet.tend_sessions().await?;
            let seen = wallet.session(&session.channel).await?;
            ensure!(seen.state == SessionState::Closing, "{}: believed: {seen:?}", row.route);
        }
        sleep(CLOSE.saturating_sub(begun.elapsed())).await;
        for (row, wallet, session) in pretended {
            let left = session_in(&wallet, &session.channel, SessionState::Exiting, LATE).await;
            let left = left.context(row.route)?;
            self.end_is_asked_for(&wallet, &left).await.context(row.route)?;
            wallet.close().await;
        }
        Ok(())
    }

    /// A session that the wallet asks the service to close.
    async fn closed_by_service(&self, row: Row) -> Result<(Wallet, Session)> {
        let Trial { wallet, ends, .. } = self.begin(row).await?;
        ensure!(fits(row.ends, &ends), "{}: {ends:?}", row.route);
        let channel = only(&wallet).await?.channel;
        let closed = wallet.close_session(&channel).await?;
        Ok((wallet, closed))
    }

    /// It takes what was signed, which is one unit more than was delivered, and is written down.
    async fn close_high(&self) -> Result<()> {
        let (wallet, closing) = self.closed_by_service(rows::CLOSE_HIGH).await?;
        ensure!(closing.meter.signed.base_units() == 3 * PRICE, "{closing:?}");
        ensure!(closing.meter.delivered.base_units() == 2 * PRICE, "{closing:?}");
        let channel = closing.channel;
        let closed = session_in(&wallet, &channel, SessionState::Closed, LATE).await?;
        ensure!(closed.settled.map(|all| all.base_units()) == Some(3 * PRICE), "{closed:?}");
        wallet.close().await;
        let settled = self.shop.cluster.settled(&closed.opened_by.id).await?.settled_amount;
        ensure!(settled.map(|all| all.base_units()) == Some(3 * PRICE), "{settled:?}");
        Ok(())
    }
}

const fn audit(shop: &MppShop) -> Audit<'_> {
    Audit { wallet: shop.address, party: &shop.party, price: PRICE }
}

async fn only(wallet: &Wallet) -> Result<Session> {
    let sessions = wallet.sessions(9).await?;
    ensure!(sessions.len() == 1, "{sessions:?}");
    sessions.into_iter().next().context("no session")
}

fn fits(wanted: &str, ends: &[String]) -> bool {
    let wanted: Vec<_> = wanted.split(' ').collect();
    let fit = |(wanted, end): (&&str, &String)| wanted.split('|').any(|one| one == end);
    wanted.len() == ends.len() && wanted.iter().zip(ends).all(fit)
}

/// How a request ended, in one word.
async fn ending(fetched: Result<Fetched, Error>) -> String {
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(error) => return word(&error),
    };
    let Fetched { response, receipt } = fetched;
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
    match receipt {
        None => format!("free_{}", response.status().as_u16()),
        Some(_) if kind.is_some_and(|kind| kind.starts_with("text/event-stream")) => {
            match response.text().await {
                Ok(words) => format!("read_{}", words.matches("data: ").count()),
                Err(error) => cause(&error),
            }
        }
        Some(receipt) if receipt.verified => "proven".to_owned(),
        Some(_) => "served".to_owned(),
    }
}

/// Why a stream ended: ours is the innermost error.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut next = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let ours = error.downcast_ref::<Error>();
        if let Some(ours) = ours.or_else(|| io.and_then(|inner| inner.downcast_ref())) {
            return word(ours);
        }
        next = error.source();
    }
    format!("broken:{error:?}")
}

fn word(error: &Error) -> String {
    match error {
        Error::Declined(why) => declined(why),
        Error::Refused { .. } => "refused".to_owned(),
        Error::NotSigned { .. } => "not_signed".to_owned(),
        Error::NeedsApproval { .. } => "needs_approval".to_owned(),
        Error::Unknown(_) => "unknown".to_owned(),
        Error::PaidNotDelivered { .. } => "paid_not_delivered".to_owned(),
        Error::UnitNotDelivered { .. } => "unit_not_delivered".to_owned(),
        Error::NotPaid { .. } => "not_paid".to_owned(),
        Error::Unreachable { .. } => "unreachable".to_owned(),
        other => format!("{other:?}"),
    }
}

fn declined(why: &Declined) -> String {
    let code = |value: Value| value["code"].as_str().unwrap_or("").to_owned();
    match why {
        Declined::NothingAcceptable { skipped } => {
            let each = skipped.iter().map(|one| serde_json::to_value(&one.why).map(code));
            let each: Vec<_> = each.map(Result::unwrap_or_default).collect();
            format!("skipped_{}", each.join("+"))
        }
        why => serde_json::to_value(why).map(code).unwrap_or_default(),
    }
}
