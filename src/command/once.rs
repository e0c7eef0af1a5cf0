//! `once`: every target polled once, the exposition on standard output.

use std::sync::Arc;

use super::{Done, block_on, load, print};
use crate::cli::Flags;
use crate::clock::Clock;
use crate::daemon::{Driver, Publication};
use crate::domain::counted::counted;
use crate::engine::Failed;
use crate::exposition::{Deflated, Format, ScrapeFilter};
use crate::logging;
use crate::publish::Publisher;
use crate::store::Store;
use crate::telemetry::{self, Telemetry};

/// Polls, prints, and tells by its status whether every target succeeded.
pub fn once(flags: &Flags) -> anyhow::Result<Done> {
    let settings = load(flags)?;
    logging::follow(&settings.log);
    let store = Arc::new(Store::default());
    let telemetry = Arc::new(Telemetry::new(!flags.disable_exporter_metrics)?);
    let failed = block_on(async {
        let clock = Clock::start();
        let (publisher, handle) = Publisher::new(settings.max_series, clock, store.clone(), telemetry.clone());
        let driver = Driver::new(&settings, clock, Publication::new(handle, telemetry.clone()))?;
        // The publisher ends when the driver has passed on everything.
        let (failed, told) = tokio::join!(driver.run_once(), publisher.run());
        told?;
        failed
    })?;
    let own = Deflated::new(telemetry::text(&telemetry.gather()));
    for piece in store.exposition().scrape(Format::Text, &ScrapeFilter::default(), own).plain() {
        print(&String::from_utf8_lossy(&piece))?;
    }
    let Failed { targets, total, lookups } = failed;
    match (targets, lookups) {
        (0, 0) => return Ok(Done::Well),
        (0, _) => tracing::error!("{} of names or tokens failed; no target did", counted(lookups, "lookup")),
        _ => tracing::error!(failed = targets, targets = total, "{targets} of {} failed", counted(total, "target")),
    }
    Ok(Done::Badly)
}
