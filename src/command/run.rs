//! `run`: the daemon.

use std::fs::OpenOptions;
use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::{Done, block_on, load_with_web, plan};
use crate::app::{App, WebOptions};
use crate::cli::Flags;
use crate::settings::Settings;
use crate::web::{Limits, WebConfig};

/// Polls and serves until it is told to stop.
pub fn run(flags: &Flags) -> anyhow::Result<Done> {
    let (settings, web) = load_with_web(flags)?;
    block_on(serve(flags, &settings, web_options(flags, false, web), |_| Ok(())))
}

/// Binds, says where, and runs until SIGTERM or SIGINT. `announce` is told the bound addresses.
pub(super) async fn serve(
    flags: &Flags,
    settings: &Settings,
    options: WebOptions,
    announce: impl FnOnce(&[SocketAddr]) -> anyhow::Result<()>,
) -> anyhow::Result<Done> {
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let stop = stop_signal()?;
    let app = App::bind(settings, &options).await?;
    let scheme = options.config.scheme();
    for address in app.addresses() {
        tracing::info!(%address, "listening: {scheme}://{address}{}", flags.telemetry_path);
    }
    if let Some(file) = &flags.port_file {
        write_whole(file, &format!("{}\n", app.addr())).with_context(|| format!("cannot write {}", file.display()))?;
    }
    announce(app.addresses())?;
    plan::tell(settings);
    app.run(stop).await?;
    tracing::info!("stopped");
    Ok(Done::Well)
}

/// Whoever waits for the file finds it whole.
pub(super) fn write_whole(file: &Path, text: &str) -> std::io::Result<()> {
    let new = file.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(&new)?.write_all(text.as_bytes())?;
    std::fs::rename(&new, file)
}

/// What the flags say of the web side.
pub(super) fn web_options(flags: &Flags, demo: bool, config: WebConfig) -> WebOptions {
    WebOptions {
        listen: flags.listen(demo),
        telemetry_path: flags.telemetry_path.clone(),
        max_requests: usize::from(flags.max_requests),
        process_metrics: !flags.disable_exporter_metrics,
        config: Arc::new(config),
        limits: Limits::default(),
    }
}

/// Is over at the first SIGTERM or SIGINT. A second one ends the process at once: whoever sends it
/// has waited long enough.
pub(super) fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be handled")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be handled")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::thread::spawn(move || {
            let second = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(second) = second {
                second.block_on(async {
                    tokio::select! {
                        _ = terminate.recv() => {}
                        _ = interrupt.recv() => {}
                    }
                });
                std::process::exit(1);
            }
        });
    })
}
