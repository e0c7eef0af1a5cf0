//! `once`: every target polled once, the exposition on standard output.

use std::sync::Arc;

use super::{Done, block_on, load, print};
use crate::cli::Flags;
use crate::exposition::{Filter, Format};
use crate::poll::Poller;
use crate::store::Store;
use crate::telemetry::{self, Telemetry};

/// Polls, prints, and tells by its status whether every target succeeded.
pub fn once(flags: &Flags) -> anyhow::Result<Done> {
    let settings = load(flags)?;
    let store = Arc::new(Store::default());
    let telemetry = Arc::new(Telemetry::new(!flags.disable_exporter_metrics)?);
    let failed = block_on(async {
        let poller = Poller::new(&settings, store.clone(), telemetry.clone())?;
        poller.run_once().await
    })?;
    let mut text = Vec::new();
    store.exposition().write(Format::Text, &Filter::default(), &mut text);
    text.extend_from_slice(telemetry::text(&telemetry.gather()).as_bytes());
    print(&String::from_utf8_lossy(&text))?;
    if failed > 0 {
        tracing::error!(failed, "some targets failed");
        return Ok(Done::Badly);
    }
    Ok(Done::Well)
}
