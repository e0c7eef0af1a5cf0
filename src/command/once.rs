//! `once`: every target polled once, the exposition on standard output.

use std::sync::Arc;

use super::{Done, block_on, load, print};
use crate::cli::Flags;
use crate::clock::Clock;
use crate::exposition::{Deflated, Filter, Format};
use crate::poll::Poller;
use crate::publish::Publisher;
use crate::store::Store;
use crate::telemetry::{self, Telemetry};

/// Polls, prints, and tells by its status whether every target succeeded.
pub fn once(flags: &Flags) -> anyhow::Result<Done> {
    let settings = load(flags)?;
    let store = Arc::new(Store::default());
    let telemetry = Arc::new(Telemetry::new(!flags.disable_exporter_metrics)?);
    let failed = block_on(async {
        let clock = Clock::start();
        let (publisher, outlet) = Publisher::new(settings.max_series, clock, store.clone(), telemetry.clone());
        let poller = Poller::new(&settings, clock, outlet, telemetry.clone())?;
        // The publisher ends when the poller has told it everything.
        let (failed, told) = tokio::join!(poller.run_once(), publisher.run());
        told?;
        failed
    })?;
    let own = Deflated::new(telemetry::text(&telemetry.gather()));
    for piece in store.exposition().scrape(Format::Text, &Filter::default(), own).plain() {
        print(&String::from_utf8_lossy(&piece))?;
    }
    if failed > 0 {
        tracing::error!(failed, "some targets failed");
        return Ok(Done::Badly);
    }
    Ok(Done::Well)
}
