//! A home-made exporter with the crate `prometheus-client`: a `Family` of gauges for each family.

use std::sync::atomic::AtomicU64;

use clap::Parser;
use peers::read::{Arguments, Row, poll};
use peers::{FAMILIES, TEAM, serve};
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    source: &'static str,
    account_id: String,
    campaign_id: String,
    window: String,
    team: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MoneyLabels {
    #[prometheus(flatten)]
    labels: Labels,
    currency: String,
}

type Number = Gauge<f64, AtomicU64>;

/// Money has one label more.
enum Gauges {
    Plain(Family<Labels, Number>),
    Money(Family<MoneyLabels, Number>),
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut registry = Registry::default();
    let mut gauges = Vec::new();
    for family in FAMILIES {
        // The crate adds the full stop.
        let help = family.help.trim_end_matches('.');
        if family.money {
            let gauge = Family::default();
            registry.register(family.name, help, Family::clone(&gauge));
            gauges.push(Gauges::Money(gauge));
        } else {
            let gauge = Family::default();
            registry.register(family.name, help, Family::clone(&gauge));
            gauges.push(Gauges::Plain(gauge));
        }
    }
    let polling = std::thread::spawn(move || poll(&arguments, |row| set(&gauges, row)));
    serve::serve(move || {
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    })?;
    polling.join().map_err(|_| anyhow::anyhow!("polling panicked"))?
}

fn set(gauges: &[Gauges], row: &Row<'_>) {
    for (index, gauge) in gauges.iter().enumerate() {
        let Some(value) = row.value(index) else { continue };
        let labels = Labels {
            source: "meta",
            account_id: row.account.to_owned(),
            campaign_id: row.campaign.to_owned(),
            window: row.window.to_owned(),
            team: TEAM,
        };
        match gauge {
            Gauges::Plain(gauge) => gauge.get_or_create(&labels).set(value),
            Gauges::Money(gauge) => {
                gauge.get_or_create(&MoneyLabels { labels, currency: row.currency.to_owned() }).set(value)
            }
        };
    }
}
