//! The daemon: binds, wires, owns every task, drains.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::daemon::{Driver, Publication};
use crate::heartbeat::Heartbeat;
use crate::panics::joined;
use crate::publish::Publisher;
use crate::reload::{LoadSettings, Reloader};
use crate::settings::Settings;
use crate::state::{self, StateClaim};
use crate::store::Store;
use crate::systemd;
use crate::telemetry::Telemetry;
use crate::web::{self, Lifecycle, Limits, Reload, Server, WebConfig, WebState};

/// Answers under way get this long after the stop signal.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// How often somebody who waits for the first round looks.
const READINESS_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Connections that may wait to be accepted. When a flood of them fills the queue, the system drops those of
/// others, who try again after a second, after three, after seven. It is cut to the system's own bound.
const ACCEPT_BACKLOG: u32 = 4096;

/// What of the web side is not in the configuration.
#[derive(Clone, Debug)]
pub struct WebOptions {
    /// Addresses to listen on; port 0 picks one.
    pub listen: Vec<SocketAddr>,
    /// Sockets that are bound already; with any of them nothing else is listened on.
    pub sockets: Arc<[std::net::TcpListener]>,
    /// What every path begins with: nothing, or `/so/and/so`.
    pub prefix: String,
    /// Where the exposition is served.
    pub telemetry_path: String,
    /// Whether `/-/reload` and `/-/quit` work.
    pub lifecycle: bool,
    /// Where browsers reach the daemon, if that is not where it listens.
    pub external_url: Option<http::Uri>,
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
            sockets: Arc::default(),
            prefix: String::new(),
            telemetry_path: "/metrics".to_owned(),
            lifecycle: false,
            external_url: None,
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
    clock: Clock,
    /// The driver's, if a watchdog feels it.
    heart: Option<Heartbeat>,
    driver: Driver<Publication>,
    publisher: Publisher,
    reloader: Reloader,
    lifecycle: Lifecycle,
    store: Arc<Store>,
    server: Server,
}

impl App {
    /// Binds every address. Nothing is polled before [`App::run`].
    /// `load` reads the settings again when a reload is asked for.
    pub fn bind(settings: &Settings, options: &WebOptions, load: LoadSettings) -> anyhow::Result<Self> {
        // First of all: a port that is taken ends a start before anything else has begun.
        let listeners = listeners(options)?;
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
        let telemetry = Arc::new(Telemetry::new(options.process_metrics)?);
        let store = Arc::new(Store::default());
        let (reloader, reload) =
            Reloader::new(load, options.config.clone(), telemetry.clone(), store.clone(), settings);
        let clock = Clock::start();
        let (mut publisher, handle) = Publisher::new(settings.max_series, clock, store.clone(), telemetry.clone());
        let mut driver = Driver::new(settings, clock, Publication::new(handle, telemetry.clone()))?;
        if let Some(file) = &settings.state_file {
            if let Some(claim) = StateClaim::take(file) {
                driver.restore(state::load(file));
                publisher.write_to(claim);
            } else {
                let file = file.display();
                tracing::error!(
                    "{file}: another process keeps its state there; this one goes on without: \
                     give each exporter a state.file of its own"
                );
            }
        }
        // Before the first scrape can come: what a state file holds is served from the start.
        publisher.begin(driver.first_update());
        let heart = systemd::watchdog().map(Heartbeat::for_watchdog);
        driver.beat(heart.clone().unwrap_or_default());
        let lifecycle = Lifecycle::new(options.lifecycle, reload, options.external_url.as_ref());
        let path = &options.telemetry_path;
        let site =
            WebState::new(store.clone(), telemetry.clone(), clock, options.max_requests, path, lifecycle.clone());
        let router = web::router(site, &options.prefix);
        let server = Server::new(router, options.config.clone(), options.limits, telemetry, clock);
        Ok(Self { listeners, addresses, clock, heart, driver, publisher, reloader, lifecycle, store, server })
    }

    /// The first bound address; a real port from here on.
    pub fn addr(&self) -> SocketAddr {
        self.addresses.first().copied().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)))
    }

    /// The way to have the settings loaded again.
    pub fn reload(&self) -> Reload {
        self.lifecycle.reload.clone()
    }

    /// Is over once every target was polled; the daemon runs meanwhile.
    pub fn first_round(&self) -> impl Future<Output = ()> + 'static {
        let store = self.store.clone();
        async move {
            while !store.is_ready() {
                tokio::time::sleep(READINESS_CHECK_INTERVAL).await;
            }
        }
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
        pollers.spawn(self.driver.run(obeyed));
        pollers.spawn(self.publisher.run());
        let mut reloaders = JoinSet::new();
        reloaders.spawn(self.reloader.run(orders));
        let mut feeders = JoinSet::new();
        if let Some(heart) = self.heart {
            feeders.spawn(systemd::feed(heart, self.clock));
        }
        tokio::select! {
            () = shutdown => {}
            () = self.lifecycle.quit.notified() => {}
            Some(ended) = pollers.join_next() => {
                // Even an orderly end is an error here: figures would stand still, and everything would look well.
                joined(ended, "the poller")?.context("the poller ended")?;
                anyhow::bail!("the poller ended");
            }
            Some(ended) = servers.join_next() => {
                joined(ended, "the web server")?.context("the web server ended")?;
                anyhow::bail!("the web server ended");
            }
        }
        systemd::stopping();
        tracing::info!("stopping: no further polls, answers in progress are completed");
        // The poller ends when nobody can bring it other settings.
        reloaders.shutdown().await;
        stop.send_replace(true);
        // Dropping the sets afterwards cuts off what is left; a client must not keep the process alive.
        let drained = tokio::time::timeout(DRAIN_TIMEOUT, async {
            while servers.join_next().await.is_some() {}
            // The publisher ends when the poller has passed on everything.
            while pollers.join_next().await.is_some() {}
        });
        let drained = drained.await;
        if drained.is_err() {
            tracing::warn!("answers were still in progress after {DRAIN_TIMEOUT:?} and are cut off");
        }
        Ok(())
    }
}

fn listeners(options: &WebOptions) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for socket in options.sockets.iter() {
        let socket = socket.try_clone()?;
        socket.set_nonblocking(true)?;
        listeners.push(TcpListener::from_std(socket)?);
    }
    if listeners.is_empty() {
        for address in &options.listen {
            listeners.push(listen(*address).with_context(|| format!("cannot listen on {address}"))?);
        }
    }
    Ok(listeners)
}

/// The unspecified IPv6 address takes IPv4 connections too; a machine without IPv6 gets IPv4 alone.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    match bind(address) {
        // A kernel without IPv6 refuses the default address; whoever named another one meant that one.
        Err(_) if address.is_ipv6() && address.ip().is_unspecified() => {
            bind(SocketAddr::from(([0, 0, 0, 0], address.port())))
        }
        bound => bound,
    }
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A daemon that starts again does not wait for the connections of the former one to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(ACCEPT_BACKLOG)
}
