//! The daemon: binds, wires, owns every task, drains.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::poll::Poller;
use crate::publish::Publisher;
use crate::reload::{Load, Reload, Reloader};
use crate::settings::Settings;
use crate::state;
use crate::store::Store;
use crate::telemetry::Telemetry;
use crate::web::{self, Limits, Server, Site, WebConfig};

/// Answers under way get this long after the stop signal.
const DRAIN: Duration = Duration::from_secs(5);

/// What of the web side is not in the configuration.
#[derive(Clone, Debug)]
pub struct WebOptions {
    /// Addresses to listen on; port 0 picks one.
    pub listen: Vec<SocketAddr>,
    /// Where the exposition is served.
    pub telemetry_path: String,
    /// Scrapes at a time.
    pub max_requests: usize,
    /// Whether `process_*` is served.
    pub process_metrics: bool,
    /// TLS and logins.
    pub config: Arc<WebConfig>,
    /// How long a client may take.
    pub limits: Limits,
}

impl Default for WebOptions {
    /// What the flags say when none is given, but for the address: a free port on loopback.
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
            telemetry_path: "/metrics".to_owned(),
            max_requests: 40,
            process_metrics: true,
            config: Arc::default(),
            limits: Limits::default(),
        }
    }
}

/// A bound daemon that does not run yet.
#[derive(Debug)]
pub struct App {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    poller: Poller,
    publisher: Publisher,
    reloader: Reloader,
    reload: Reload,
    server: Server,
}

impl App {
    /// Binds every address. Nothing is polled before [`App::run`].
    /// `load` reads the settings anew when a reload is asked for.
    pub async fn bind(settings: &Settings, options: &WebOptions, load: Load) -> anyhow::Result<Self> {
        let mut listeners = Vec::new();
        for address in &options.listen {
            listeners.push(listen(*address).await.with_context(|| format!("cannot listen on {address}"))?);
        }
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
        let telemetry = Arc::new(Telemetry::new(options.process_metrics)?);
        let (reloader, reload) =
            Reloader::new(load, options.config.clone(), telemetry.clone(), settings.state_file.clone());
        let store = Arc::new(Store::default());
        let clock = Clock::start();
        let (mut publisher, outlet) = Publisher::new(settings.max_series, clock, store.clone(), telemetry.clone());
        let mut poller = Poller::new(settings, clock, outlet, telemetry.clone())?;
        if let Some(file) = &settings.state_file {
            poller.remember(state::load(file));
            publisher.write_to(file.clone());
        }
        publisher.begin(poller.first_news());
        let site = Site::new(store, telemetry, clock, options.max_requests, &options.telemetry_path);
        let server = Server::new(web::router(site), options.config.clone(), options.limits);
        Ok(Self { listeners, addresses, poller, publisher, reloader, reload, server })
    }

    /// The first bound address; a real port from here on.
    pub fn addr(&self) -> SocketAddr {
        self.addresses.first().copied().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)))
    }

    /// The way to have the settings loaded anew.
    pub fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// All bound addresses.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves and polls until `shutdown` is over, then lets answers under way finish. A task that
    /// ends before that is a bug, and ends the daemon with an error.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let (stop, stopped) = watch::channel(false);
        let mut servers = JoinSet::new();
        for listener in self.listeners {
            servers.spawn(self.server.clone().serve(listener, stopped.clone()));
        }
        let mut pollers = JoinSet::new();
        let (orders, obeyed) = mpsc::channel(1);
        pollers.spawn(self.poller.run(obeyed));
        pollers.spawn(self.publisher.run());
        let mut reloaders = JoinSet::new();
        reloaders.spawn(self.reloader.run(orders));
        tokio::select! {
            () = shutdown => {}
            Some(ended) = pollers.join_next() => {
                ended.context("the poller broke")?.context("the poller ended")?;
                anyhow::bail!("the poller ended");
            }
            Some(ended) = servers.join_next() => {
                ended.context("the web server broke")?.context("the web server ended")?;
                anyhow::bail!("the web server ended");
            }
        }
        tracing::info!("stopping: no further polls, answers under way are finished");
        // The poller ends when nobody can bring it other settings.
        reloaders.shutdown().await;
        stop.send_replace(true);
        let drained = tokio::time::timeout(DRAIN, async {
            while servers.join_next().await.is_some() {}
            // The publisher ends when the poller has passed on everything.
            while pollers.join_next().await.is_some() {}
        });
        let drained = drained.await;
        if drained.is_err() {
            tracing::warn!("answers were still under way after {DRAIN:?} and are cut off");
        }
        Ok(())
    }
}

/// The unspecified IPv6 address takes IPv4 connections too; a machine without IPv6 gets IPv4 alone.
async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(_) if address.is_ipv6() && address.ip().is_unspecified() => {
            TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], address.port()))).await
        }
        bound => bound,
    }
}
