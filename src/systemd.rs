//! Notifications to systemd, and the sockets that it passes. Without systemd all of it does nothing.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::Context as _;
use listenfd::ListenFd;
use sd_notify::NotifyState;

use crate::clock::Clock;
use crate::heartbeat::Heartbeat;

/// Tells systemd that the daemon serves, or that a reload is over, with a status for `systemctl status`.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is being loaded again; [`ready`] ends that, however it went.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now, NotifyState::Status("reloading")]),
        Err(error) => tracing::debug!("the monotonic clock cannot be read: {error}"),
    }
}

/// Tells systemd that the daemon is shutting down, so that it does not count that as a failure.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// After how long without food the watchdog bites; `None` without one.
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|timeout| !timeout.is_zero())
}

/// Feeds the watchdog for as long as the heart beats.
pub async fn feed(heart: Heartbeat, clock: Clock) {
    let mut turns = tokio::time::interval(heart.every());
    loop {
        turns.tick().await;
        if heart.is_alive(clock.uptime()) {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!("the poller does not respond; the watchdog is not notified");
        }
    }
}

/// The sockets of the `.socket` unit. They are taken once; call it before other threads are there,
/// because the variables that announce them are taken out of the environment.
pub fn sockets() -> anyhow::Result<Vec<TcpListener>> {
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        let socket = passed.take_tcp_listener(index).context("--web.systemd-socket: only TCP sockets are served")?;
        sockets.extend(socket);
    }
    anyhow::ensure!(!sockets.is_empty(), "--web.systemd-socket: systemd passed no socket; start the .socket unit");
    Ok(sockets)
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!("systemd cannot be notified: {error}");
    }
}
