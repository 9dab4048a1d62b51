//! Openings: from the 402 to the credential, by a watch at the merchant's door.

use anyhow::{Context as _, Result, ensure};
use tercet::Wallet;
use tercet_api::payment::SigningWay;
use tercet_policy::intent::Service;

use super::shop::{Shop, buy};
use crate::figures::{Figures, quantile};

/// Openings before those that count.
pub(super) const WARMUP: u32 = 2;
/// More sessions than this program opens.
const SESSIONS_MAX: u32 = 128;

/// Opens so many sessions, each behind a door of its own and with a full stock.
pub(super) async fn measure(
    shop: &Shop,
    wallet: &Wallet,
    opens: u32,
    figures: &mut Figures,
) -> Result<()> {
    let (mut credential_ms, mut paid_ms) = (Vec::new(), Vec::new());
    for (n, door) in (0_u32..).zip(shop.doors.urls()) {
        shop.wait_for_stock(wallet).await?;
        let paid = buy(wallet, &shop.resource(door)?).await?;
        let took = shop.doors.took_ms();
        let [took] = took.as_slice() else { anyhow::bail!("not one credential: {took:?}") };
        if n >= WARMUP {
            credential_ms.push(*took);
            paid_ms.push(paid);
        }
        if n % 10 == 9 {
            println!("  {} sessions opened", n.saturating_add(1));
        }
    }
    ensure!(credential_ms.len() == usize::try_from(opens)?, "{} were opened", credential_ms.len());
    let interactive = interactive(shop, wallet).await?;
    figures.add("mpp_open_p50_ms", quantile(&credential_ms, 0.5)?)?;
    figures.add("mpp_open_p95_ms", quantile(&credential_ms, 0.95)?)?;
    figures.note(format!(
        "Opening a session: {opens}, one after another, each with another service and with a full \
         stock, at the official merchant behind a door of this program that looks at its watch when \
         the 402 leaves and when the credential is here. In between: the challenge is judged, the \
         session written down, both nodes decide on the deposit and sign the opening, and the \
         session's key the first voucher. {interactive} were signed in rounds for want of a \
         presignature. To the last byte of what was paid for, with the merchant bringing the \
         opening to the chain, it took {:.0} ms (p50).",
        quantile(&paid_ms, 0.5)?,
    ));
    Ok(())
}

/// How many openings behind doors were signed without a presignature.
async fn interactive(shop: &Shop, wallet: &Wallet) -> Result<usize> {
    let (line, merchant) = (shop.cluster.house.line()?, Service::of(shop.merchant().as_str())?);
    let mut interactive = 0_usize;
    for session in wallet.sessions(SESSIONS_MAX).await? {
        if session.service != merchant {
            let payment = line.payment(&session.opened_by.id).await?;
            let by = payment.signed_by.context("an opening that nobody signed")?;
            interactive = interactive.saturating_add(usize::from(by != SigningWay::Presignature));
        }
    }
    Ok(interactive)
}
