//! A home-made exporter with the crate `prometheus`: a `GaugeVec` for each family.

use clap::Parser;
use peers::read::{Arguments, Row, poll};
use peers::{FAMILIES, LABELS, TEAM, serve};
use prometheus::{GaugeVec, Opts, Registry, TextEncoder};

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let registry = Registry::new();
    let mut gauges = Vec::new();
    for family in FAMILIES {
        let labels: Vec<_> = LABELS.into_iter().chain(family.money.then_some("currency")).collect();
        let gauge = GaugeVec::new(Opts::new(family.name, family.help), &labels)?;
        registry.register(Box::new(gauge.clone()))?;
        gauges.push(gauge);
    }
    let polling = std::thread::spawn(move || poll(&arguments, |row| set(&gauges, row)));
    serve::serve(move || Ok(TextEncoder::new().encode_to_string(&registry.gather())?))?;
    polling.join().map_err(|_| anyhow::anyhow!("polling panicked"))?
}

fn set(gauges: &[GaugeVec], row: &Row<'_>) {
    for (index, gauge) in gauges.iter().enumerate() {
        let Some(value) = row.value(index) else { continue };
        let labels = ["meta", row.account, row.campaign, row.window, TEAM, row.currency];
        let known = if FAMILIES[index].money { &labels[..] } else { &labels[..LABELS.len()] };
        gauge.with_label_values(known).set(value);
    }
}
