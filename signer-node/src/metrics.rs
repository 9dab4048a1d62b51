//! What a running node tells a monitoring system: `GET /metrics`, in OpenMetrics text, which
//! Prometheus reads.
//!
//! Promises: numbers alone, with labels from lists that are fixed when the program is built: roles,
//! parties, reasons and kinds of work. So a node with ten thousand wallets has as many series as
//! one with ten, and no series names an agent, a wallet or a payee. Each scrape reads the numbers
//! anew; between scrapes this costs nothing.
//! Does not tell: which wallet is low. `/status` does.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use tercet_signer::gate::Tally;

use crate::status::NodeStatus;

/// The form of the answer (OpenMetrics 1.0, "Content type").
pub(crate) const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PREFIX: &str = "tercet_node";

/// The numbers as text.
///
/// # Errors
/// None that writing to memory has; the type is the encoder's.
pub(crate) fn text(status: &NodeStatus, tally: &Tally) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Families(families(status, tally))));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Families(Vec<Family>);

/// One metric with its series.
#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    series: Series,
}

#[derive(Debug)]
enum Series {
    Gauge(Vec<(Labels, f64)>),
    Counter(Vec<(Labels, f64)>),
}

type Labels = Vec<(&'static str, String)>;

impl Family {
    fn gauge(name: &'static str, help: &'static str, value: impl Number) -> Self {
        Self { name, help, unit: None, series: Series::Gauge(vec![(Labels::new(), value.float())]) }
    }

    fn counter(name: &'static str, help: &'static str, value: impl Number) -> Self {
        let series = Series::Counter(vec![(Labels::new(), value.float())]);
        Self { name, help, unit: None, series }
    }

    fn in_seconds(self) -> Self {
        Self { unit: Some(Unit::Seconds), ..self }
    }

    fn counters<V: Number>(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (impl ToString, V)>,
    ) -> Self {
        let series = values.into_iter();
        let series = series.map(|(word, value)| (vec![(label, word.to_string())], value.float()));
        Self { name, help, unit: None, series: Series::Counter(series.collect()) }
    }

    fn gauges<V: Number>(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (impl ToString, V)>,
    ) -> Self {
        let series = values.into_iter();
        let series = series.map(|(word, value)| (vec![(label, word.to_string())], value.float()));
        Self { name, help, unit: None, series: Series::Gauge(series.collect()) }
    }
}

/// Numbers of OpenMetrics are doubles; ours stay far below 2^53.
trait Number {
    fn float(self) -> f64;
}

impl Number for u64 {
    fn float(self) -> f64 {
        self as f64
    }
}

impl Number for usize {
    fn float(self) -> f64 {
        self as f64
    }
}

impl Number for bool {
    fn float(self) -> f64 {
        f64::from(u8::from(self))
    }
}

impl Number for f64 {
    fn float(self) -> f64 {
        self
    }
}

fn families(status: &NodeStatus, tally: &Tally) -> Vec<Family> {
    let mut all = of_node(status);
    all.extend(of_work(status, tally));
    all.extend(of_presignatures(status));
    all.extend(of_primes(status));
    all
}

fn of_node(status: &NodeStatus) -> Vec<Family> {
    let info = vec![("role", status.role.to_string()), ("version", status.version.clone())];
    let unfit = [("bug", status.bug.is_some()), ("journal", status.journal_fault.is_some())];
    vec![
        Family {
            name: "build",
            help: "The role and release of this node; the value is 1",
            unit: None,
            series: Series::Gauge(vec![(info, 1.0)]),
        },
        Family::gauge("up", "Time since the node started", status.up_seconds).in_seconds(),
        Family::gauge("ready", "Whether a payment could be signed now", status.ready),
        Family::gauge("connected", "Whether the line to the coordinator stands", status.connected),
        Family::gauges("unfit", "Whether only a restart can help, and after what", "after", unfit),
        Family::gauge("journal_rows", "Rows in the journal", status.journal_rows),
        Family::gauge("wallets", "Wallets of which the node holds a share", status.wallets.held),
        Family::gauge(
            "wallets_stopped",
            "Wallets for which signing is stopped until an operator has looked",
            status.wallets.stopped,
        ),
        Family::gauge(
            "agents_stopped",
            "Agents that a rule of their policy stopped",
            status.tripped.len(),
        ),
    ]
}

fn of_work(status: &NodeStatus, tally: &Tally) -> Vec<Family> {
    let work = status.work;
    let runs = [("payment", work.payment_runs), ("background", work.background_runs)];
    vec![
        Family::gauge("sessions", "Sessions with peers that run now", work.sessions),
        Family::gauges("runs", "Threads that compute now, by what for", "work", runs),
        Family::counter(
            "frames_dropped",
            "Frames that were nobody's, since the start",
            work.dropped_frames,
        ),
        Family::counters(
            "refusals",
            "What was refused since the start, by the code that agents are told",
            "reason",
            tally.refused.iter().map(|(reason, count)| (reason, *count)),
        ),
        Family::counters(
            "failures",
            "What failed since the start, by whose doing it was",
            "culprit",
            tally.failed.iter().map(|(culprit, count)| (culprit, *count)),
        ),
    ]
}

fn of_presignatures(status: &NodeStatus) -> Vec<Family> {
    let stock = &status.presignatures;
    let dropped =
        [("old", stock.expired), ("unmatched", stock.unmatched), ("doubt", stock.doubted)];
    let making = stock.making_ms as f64 / 1_000.0;
    vec![
        Family::gauge("presignatures", "Presignatures in stock", stock.in_stock),
        Family::gauge("presignature_wallets", "Wallets with presignatures in stock", stock.wallets),
        Family::gauge(
            "presignature_oldest",
            "Age of the oldest presignature in stock; 0 without one",
            stock.oldest_seconds.unwrap_or_default(),
        )
        .in_seconds(),
        Family::counter("presignatures_made", "Presignatures put in stock", stock.made),
        Family::counter("presignatures_used", "Presignatures used", stock.used),
        Family::counters(
            "presignatures_dropped",
            "Presignatures dropped, by why",
            "reason",
            dropped,
        ),
        Family::counters(
            "presignatures_refused",
            "Presignatures that a peer asked for and that were not given, by why",
            "reason",
            [("not_found", stock.not_found)],
        ),
        Family::counter("presignature_making", "Time that making presignatures took", making)
            .in_seconds(),
    ]
}

fn of_primes(status: &NodeStatus) -> Vec<Family> {
    let primes = status.primes;
    vec![
        Family::gauge("prime_sets", "Sets of primes in stock", primes.in_stock),
        Family::gauge("prime_sets_wanted", "Sets of primes there are to be", primes.wanted),
        Family::counter("prime_sets_found", "Sets found ahead of need", primes.found),
        Family::counter("prime_sets_used", "Sets used from stock", primes.used),
        Family::counter("prime_sets_dropped", "Sets damaged or used before", primes.dropped),
        Family::counter("prime_sets_awaited", "Sets that a ceremony waited for", primes.awaited),
    ]
}

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for Family { name, help, unit, series } in &self.0 {
            let unit = unit.as_ref();
            match series {
                Series::Gauge(values) => {
                    let kind = ConstGauge::<f64>::new(0.0).metric_type();
                    let family = encoder.encode_descriptor(name, help, unit, kind)?;
                    write(family, values, ConstGauge::<f64>::new)?;
                }
                Series::Counter(values) => {
                    let kind = ConstCounter::<f64>::new(0.0).metric_type();
                    let family = encoder.encode_descriptor(name, help, unit, kind)?;
                    write(family, values, ConstCounter::<f64>::new)?;
                }
            }
        }
        Ok(())
    }
}

fn write<M: EncodeMetric>(
    mut family: MetricEncoder<'_>,
    values: &[(Labels, f64)],
    metric: impl Fn(f64) -> M,
) -> Result<(), fmt::Error> {
    if let [(labels, value)] = values
        && labels.is_empty()
    {
        return metric(*value).encode(family);
    }
    for (labels, value) in values {
        metric(*value).encode(family.encode_family(labels)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
