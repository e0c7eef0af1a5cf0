//! Reload: loads the settings again, has them take effect, and answers whoever asked for it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot};

use crate::clock;
use crate::daemon::ReloadRequest;
use crate::logging;
use crate::panics::joined;
use crate::settings::{Problems, Settings};
use crate::store::Store;
use crate::systemd;
use crate::telemetry::Telemetry;
use crate::web::{Reload, ReloadReply, WebConfig};

/// Reads files and environment.
pub type LoadSettings = Box<dyn Fn() -> Result<Settings, Problems> + Send + Sync>;

/// Takes one reload after the other.
pub struct Reloader {
    load: Arc<dyn Fn() -> Result<Settings, Problems> + Send + Sync>,
    web: Arc<WebConfig>,
    asked: mpsc::Receiver<ReloadReply>,
    telemetry: Arc<Telemetry>,
    store: Arc<Store>,
    state_file: Option<PathBuf>,
    /// What the log says of the configuration in force: warnings are logged when they change, not at each reload.
    warned: Vec<String>,
}

impl std::fmt::Debug for Reloader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloader").finish_non_exhaustive()
    }
}

impl Reloader {
    /// A reloader, and the way to ask it. The settings that are in force count as the first load.
    pub fn new(
        load: LoadSettings,
        web: Arc<WebConfig>,
        telemetry: Arc<Telemetry>,
        store: Arc<Store>,
        settings: &Settings,
    ) -> (Self, Reload) {
        let (reload, asked) = Reload::new();
        store.set_configuration(settings.printed.clone());
        let state_file = settings.state_file.clone();
        let warned = settings.warnings.clone();
        let reloader = Self { load: load.into(), web, asked, telemetry, store, state_file, warned };
        reloader.note(true);
        (reloader, reload)
    }

    /// Reloads whenever it is asked to. `orders` is the poller's ear.
    pub async fn run(mut self, orders: mpsc::Sender<ReloadRequest>) {
        while let Some(done) = self.asked.recv().await {
            systemd::reloading();
            let result = self.reload(&orders).await;
            // Before whoever asked is answered: a deployment looks at the gauge next.
            self.note(result.is_ok());
            systemd::ready(if result.is_ok() { "reloaded" } else { "the last reload failed; see the log" });
            if let Err(problem) = &result {
                tracing::error!("the configuration was not reloaded, the previous one stays in force: {problem:#}");
            }
            // Whoever asked may have gone.
            let _ = done.send(result.map_err(|problem| format!("{problem:#}")));
        }
    }

    async fn reload(&mut self, orders: &mpsc::Sender<ReloadRequest>) -> anyhow::Result<()> {
        let (load, web) = (self.load.clone(), self.web.clone());
        let settings = tokio::task::spawn_blocking(move || {
            let settings = load();
            // Neither of the two is put into force without the other.
            let web = if settings.is_ok() { web.reload() } else { web.check() };
            both(settings, web)
        });
        let (settings, ()) = joined(settings.await, "loading")??;
        let mut warnings = settings.warnings.clone();
        if settings.state_file != self.state_file {
            warnings.push("state.file: the new file is used only after a restart".to_owned());
        }
        for warning in warnings.iter().filter(|warning| !self.warned.contains(warning)) {
            tracing::warn!("{warning}");
        }
        let (printed, log) = (settings.printed.clone(), settings.log.clone());
        let (done, told) = oneshot::channel();
        orders.send(ReloadRequest { settings: Box::new(settings), done }).await.ok().context("the poller ended")?;
        told.await.context("the poller ended")??;
        self.warned = warnings;
        // Only when a scrape shows it: the page must not describe settings that are not in force yet.
        self.store.set_configuration(printed);
        logging::follow(&log);
        Ok(())
    }

    fn note(&self, success: bool) {
        self.telemetry.config_last_reload_successful.set(f64::from(u8::from(success)));
        if success {
            self.telemetry.config_last_reload_success.set(clock::wall_seconds().as_f64());
        }
        self.telemetry.mark_changed();
    }
}

/// Both, or everything that is wrong with either.
pub fn both<T, U>(one: Result<T, Problems>, other: Result<U, Problems>) -> Result<(T, U), Problems> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (one, other) => {
            let problems = [one.err(), other.err()].into_iter().flatten().flat_map(|Problems(problems)| problems);
            Err(Problems(problems.collect()))
        }
    }
}
