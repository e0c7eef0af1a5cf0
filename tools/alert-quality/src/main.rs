//! Replays alerting rules over months of simulated campaigns, prints how good they are, and fails where they
//! are worse than the budgets.
//!
//! `alert-quality [--short] [--before DIR] [--rules DIR] [--seeds 701,702,703] [--campaigns 100]`, or `--promtool DIR` for
//! tests that hold this program's PromQL to promtool's.

mod alert;
mod budget;
mod figures;
mod promql;
mod promtool;
mod report;
mod rules;
mod study;

/// The model of the simulated APIs, without the exporter around it and its hundreds of crates.
#[path = "../../../src/simulate"]
mod simulate {
    #[allow(dead_code, unused_imports, reason = "only a part of it is used here")]
    pub mod model;
}
use simulate::model;

fn main() {
    match report::run(std::env::args().skip(1)) {
        Ok(true) => {}
        Ok(false) => std::process::exit(1),
        Err(error) => {
            eprintln!("alert-quality: {error}");
            std::process::exit(2);
        }
    }
}
