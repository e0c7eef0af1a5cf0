//! `run`: the daemon.

use std::future::Future;
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::{Done, block_on, load, plan, web_config};
use crate::app::{App, WebOptions};
use crate::cli::Flags;
use crate::logging;
use crate::reload::{LoadSettings, both};
use crate::replace::replace;
use crate::systemd;
use crate::web::{Limits, WebConfig};

/// Polls and serves until a signal or a request stops it.
pub fn run(flags: &Flags) -> anyhow::Result<Done> {
    let sockets = sockets(flags)?;
    let again = flags.clone();
    block_on(serve(flags, sockets, Box::new(move || load(&again)), false, |_| Ok(())))
}

/// Sockets that are bound already.
pub(super) type Sockets = Arc<[TcpListener]>;

/// Those that systemd passes, if they are wanted. It is asked before the runtime starts its threads.
pub(super) fn sockets(flags: &Flags) -> anyhow::Result<Sockets> {
    Ok(if flags.systemd_socket { systemd::sockets()?.into() } else { Arc::default() })
}

/// Where a daemon answers.
pub(super) struct DaemonUrls {
    /// The status page, with a slash at the end.
    pub(super) page: String,
    /// The exposition.
    pub(super) metrics: String,
}

/// Longest that an announcement waits for the first round of polls.
const FIRST_ROUND_WAIT: Duration = Duration::from_secs(15);

/// Binds, says where, and runs until SIGTERM or SIGINT; SIGHUP reloads. `announce` has the last word of the
/// start: once every target was polled, it is called with the addresses on which the daemon answers.
pub(super) async fn serve(
    flags: &Flags,
    sockets: Sockets,
    load: LoadSettings,
    demo: bool,
    announce: impl FnOnce(&[DaemonUrls]) -> anyhow::Result<()>,
) -> anyhow::Result<Done> {
    let (settings, web) = both(load(), web_config(flags))?;
    let scheme = web.scheme();
    logging::follow(&settings.log);
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let stop = stop_signal()?;
    let mut hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be handled")?;
    let app = App::bind(&settings, &web_options(flags, sockets, demo, web), load)?;
    let mut served = Vec::new();
    for address in app.addresses() {
        let base = format!("{scheme}://{address}{}", flags.prefix());
        let metrics = format!("{base}{}", flags.telemetry_path);
        tracing::info!(%address, "listening: {metrics}");
        served.push(DaemonUrls { page: format!("{base}/"), metrics });
    }
    if let Some(file) = &flags.port_file {
        replace(file, |mut new| writeln!(new, "{}", app.addr()))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    plan::tell(&settings);
    if let Some(url) = &flags.external_url {
        tracing::info!("external URL: {url}");
    }
    let urls: Vec<_> = served.iter().map(|served| &*served.metrics).collect();
    systemd::ready(&format!("serving {}", urls.join(" ")));
    let reload = app.reload();
    let reloads = async {
        while hangup.recv().await.is_some() {
            // The reloader logs what became of it.
            let _ = reload.ask().await;
        }
        std::future::pending::<()>().await;
    };
    let first_round = tokio::time::timeout(FIRST_ROUND_WAIT, app.first_round());
    let announcing = async {
        // The log reports the end of a round that takes longer.
        let _ = first_round.await;
        match announce(&served) {
            Ok(()) => std::future::pending().await,
            failed => failed,
        }
    };
    tokio::select! {
        ended = app.run(stop) => ended?,
        failed = announcing => failed?,
        () = reloads => {}
    }
    tracing::info!("stopped");
    Ok(Done::Well)
}

fn web_options(flags: &Flags, sockets: Sockets, demo: bool, config: WebConfig) -> WebOptions {
    WebOptions {
        listen: flags.listen(demo),
        sockets,
        prefix: flags.prefix(),
        lifecycle: flags.enable_lifecycle,
        external_url: flags.external_url.clone(),
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
