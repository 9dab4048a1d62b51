//! What a thousand payments cost, all parties added up.

use anyhow::{Context as _, Result};

use crate::figures::Figures;

/// What an hour of one virtual core is taken to cost, in US dollars: about what general-purpose
/// instances of the large clouds cost on demand.
const USD_PER_VCPU_HOUR: f64 = 0.05;
const SECONDS_PER_HOUR: f64 = 3_600.0;
const PAYMENTS: f64 = 1_000.0;

/// Adds it, from what was measured of payments and of presignatures.
pub(crate) fn derive(figures: &mut Figures) -> Result<()> {
    let value = |name| figures.value(name).with_context(|| format!("{name} was not measured"));
    let online_s = value("authorize_cpu_ms")? / 1_000.0;
    let made_s = value("presign_cpu_s")?;
    let interactive_s = value("interactive_sign_cpu_s")?;
    let usd = |cpu_s: f64| cpu_s * USD_PER_VCPU_HOUR / SECONDS_PER_HOUR;
    let (all_s, online_all_s) = (PAYMENTS * (online_s + made_s), PAYMENTS * online_s);
    figures.add("cpu_s_per_1000_payments", all_s)?;
    figures.add("usd_per_1000_payments", usd(all_s))?;
    figures.note(format!(
        "Cost: a thousand payments take {all_s:.0} s of processor time, coordinator, operator's node, \
         agent's node and client added up: {:.0} s to make the presignatures, both sides, in the \
         background, and {online_all_s:.1} s while somebody waits. At {USD_PER_VCPU_HOUR} US dollars an \
         hour of a virtual core, which is an assumption, that is {:.3} dollars; {:.4} of them on the \
         operator's side of the presignatures. Signed interactively, the same takes at least {:.0} s. \
         Not in it: memory, disks, traffic, chain fees, and machines that stand idle.",
        PAYMENTS * made_s,
        usd(all_s),
        usd(PAYMENTS * made_s / 2.0),
        PAYMENTS * interactive_s,
    ));
    Ok(())
}
