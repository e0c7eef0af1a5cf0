//! The publisher: keeps the snapshot, renders what changed, swaps what scrapes read.
//!
//! It works apart from the poller, on a thread that may take its time: an account of a hundred
//! thousand campaigns must not hold back the timers of the others. What comes in meanwhile is rendered
//! together.

mod missing;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};

use self::missing::{Missing, MissingReport};
use crate::clock::{self, Clock};
use crate::domain::change::{Change, PolledRows};
use crate::domain::counted::counted;
use crate::domain::log_limiter::{LogDecision, LogLimiter};
use crate::domain::saved::SavedState;
use crate::domain::snapshot::{Full, Snapshot};
use crate::panics::joined;
use crate::state::{self, StateClaim};
use crate::store::Store;
use crate::telemetry::Telemetry;

/// Requests that may wait; beyond that whoever brings more waits.
const QUEUE_LEN: usize = 256;

/// Requests that are rendered together: a few renderings more take less memory than one that holds the
/// former and the next state of everything.
const MAX_BATCH: usize = 16;

/// How long the first of some requests waits for others. Windows of one account are rendered block by block
/// together, and their polls end at about the same time.
const BATCH_LINGER: Duration = Duration::from_millis(50);

/// What the driver wants published, saved and answered.
#[derive(Debug, Default)]
pub struct PublishRequest {
    /// In the order in which they came to pass.
    pub changes: Vec<Change>,
    /// Every target was polled once.
    pub ready: bool,
    /// The schedule, to be written with what is known.
    pub state: Option<SavedState>,
    /// Whoever waits for this to be published.
    pub done: Option<oneshot::Sender<anyhow::Result<()>>>,
}

impl PublishRequest {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && !self.ready && self.state.is_none() && self.done.is_none()
    }
}

/// The way to the publisher; clones lead to the same one.
#[derive(Clone, Debug)]
pub struct PublisherHandle(mpsc::Sender<PublishRequest>);

impl PublisherHandle {
    /// Tells the publisher, and waits while it is far behind.
    pub async fn tell(&self, request: PublishRequest) {
        // Whoever owns the publisher's task sees that it ended.
        let _ = self.0.send(request).await;
    }
}

/// Owns the snapshot and is the only one that replaces the exposition. Requests come through its handle; those that
/// come while one is rendered are rendered together.
#[derive(Debug)]
pub struct Publisher {
    requests: mpsc::Receiver<PublishRequest>,
    worker: Worker,
}

/// What the requests are carried out on.
#[derive(Debug)]
struct Worker {
    snapshot: Snapshot,
    store: Arc<Store>,
    telemetry: Arc<Telemetry>,
    clock: Clock,
    state_file: Option<StateClaim>,
    /// Targets whose samples are not served, as the log tells.
    missing: MissingReport,
    /// How writing the state went.
    writing: LogLimiter<()>,
}

impl Publisher {
    /// A publisher of at most `max_series` series, and the way to tell it.
    pub fn new(
        max_series: usize,
        clock: Clock,
        store: Arc<Store>,
        telemetry: Arc<Telemetry>,
    ) -> (Self, PublisherHandle) {
        let (sender, requests) = mpsc::channel(QUEUE_LEN);
        let (missing, writing) = Default::default();
        let snapshot = Snapshot::new(max_series);
        let worker = Worker { snapshot, store, telemetry, clock, state_file: None, missing, writing };
        (Self { requests, worker }, PublisherHandle(sender))
    }

    /// Writes the states that it gets to this file.
    pub fn write_to(&mut self, state_file: StateClaim) {
        // Only where a state is kept: an exporter without one does not have the family.
        self.worker.telemetry.state_write_failures.with_label_values::<&str>(&[]);
        self.worker.state_file = Some(state_file);
    }

    /// Publishes before anybody scrapes.
    pub fn begin(&mut self, request: PublishRequest) {
        self.worker.publish(vec![request]);
    }

    /// Publishes until nobody is left to bring requests, on a thread of its own: compressors and freed
    /// memory stay where they are used again.
    pub async fn run(self) -> anyhow::Result<()> {
        // Its timers are its own: those of the daemon's runtime end before this thread does, at a stop that
        // waits for nobody.
        let runtime = Builder::new_current_thread().enable_time().build().context("no runtime for the publisher")?;
        joined(tokio::task::spawn_blocking(move || runtime.block_on(self.work())).await, "the publisher")
    }

    async fn work(mut self) {
        let mut batch = Vec::new();
        loop {
            let wake = [self.worker.snapshot.next_expiry(), self.worker.missing.next()].into_iter().flatten().min();
            let expired = async {
                match wake {
                    Some(wake) => tokio::time::sleep_until(self.worker.clock.instant(wake).into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                received = self.requests.recv_many(&mut batch, MAX_BATCH) => {
                    if received == 0 {
                        return;
                    }
                    self.linger(&mut batch).await;
                }
                () = expired => {}
            }
            self.worker.publish(std::mem::take(&mut batch));
        }
    }

    /// Takes what comes soon, until it is enough, somebody waits, or nobody is left to bring more.
    async fn linger(&mut self, batch: &mut Vec<PublishRequest>) {
        let soon = tokio::time::sleep(BATCH_LINGER);
        tokio::pin!(soon);
        while batch.len() < MAX_BATCH && batch.iter().all(|request| request.done.is_none()) {
            tokio::select! {
                received = self.requests.recv_many(batch, MAX_BATCH - batch.len()) => if received == 0 { return },
                () = &mut soon => return,
            }
        }
    }
}

impl Worker {
    fn publish(&mut self, mut request: Vec<PublishRequest>) {
        let ready = request.iter().any(|request| request.ready);
        // Of several the last one holds what the others did.
        let state = request.iter_mut().rev().find_map(|request| request.state.take());
        let done: Vec<_> = request.iter_mut().filter_map(|request| request.done.take()).collect();
        for change in request.into_iter().flat_map(|request| request.changes) {
            if let Change::CredentialGone(credential) = &change {
                self.telemetry.forget_credential(credential);
            }
            let brought = match &change {
                Change::Rows(PolledRows { key, .. }) => Some(key.clone()),
                Change::Gone(key) => {
                    self.missing.forget(key, self.clock.uptime());
                    None
                }
                _ => None,
            };
            if let Some(full) = self.snapshot.apply(change) {
                self.leave_out(full);
            } else if let Some(key) = brought {
                self.missing.note(&key, None, self.clock.uptime());
            }
        }
        for key in self.snapshot.expire(self.clock.uptime()) {
            self.missing.note(&key, Some(Missing::Stale), self.clock.uptime());
        }
        self.missing.tell(self.clock.uptime());
        for (credential, samples) in self.snapshot.samples() {
            let gauge = self.telemetry.samples.with_label_values(&[credential.source.label(), &*credential.name]);
            gauge.set(i64::try_from(*samples).unwrap_or(i64::MAX));
        }
        self.telemetry.mark_changed();
        let changed = self.snapshot.take_changed();
        self.store.publish(self.store.exposition().update(&self.snapshot, &changed));
        // After the swap: whoever waited for a reload sees it in the next scrape.
        for done in done {
            // Whoever asked may have gone.
            let _ = done.send(Ok(()));
        }
        if ready {
            let (targets, failing) = (self.snapshot.statuses().len(), self.failing());
            let but = if failing > 0 {
                format!("; {failing} of {} failed", counted(targets, "target"))
            } else {
                String::new()
            };
            tracing::info!(targets, failing, "every target was polled once: ready{but}");
            self.store.set_ready();
        }
        // Last: it takes the longest, and nobody waits for it.
        if let Some(state) = state {
            self.write(state);
        }
    }

    /// A target does not fit.
    fn leave_out(&mut self, Full { key, left_out }: Full) {
        let labels = [key.source.label(), &*key.credential];
        self.telemetry.series_dropped.with_label_values(&labels).inc_by(left_out as u64);
        self.missing.note(&key, Some(Missing::LeftOut { series: left_out }), self.clock.uptime());
    }

    fn failing(&self) -> usize {
        self.snapshot.statuses().values().filter(|status| status.up == Some(false)).count()
    }

    fn write(&mut self, state: SavedState) {
        let Some(file) = self.state_file.as_ref().map(StateClaim::path) else { return };
        let state = state.with(&self.snapshot, |uptime| self.clock.wall_at(uptime));
        let written = state::write(file, &state);
        let decision = self.writing.note(written.is_err().then_some(()), self.clock.uptime());
        if let Err(error) = written {
            self.telemetry.state_write_failures.with_label_values::<&str>(&[]).inc();
            let file = file.display();
            match decision {
                LogDecision::Known => tracing::debug!("the state cannot be written to {file} again: {error}"),
                LogDecision::Still { times: attempts, .. } => {
                    tracing::error!(attempts, "the state still cannot be written to {file}: {error}");
                }
                _ => tracing::error!("the state cannot be written to {file}: {error}"),
            }
            return;
        }
        if let LogDecision::Recovered(attempts) = decision {
            tracing::info!(attempts, "the state is written again");
        }
        self.telemetry.state_last_write.with_label_values::<&str>(&[]).set(clock::wall_seconds().as_f64());
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    /// A stop that waits no longer takes the runtime away from under the publisher's thread.
    #[test]
    fn what_was_told_is_published_although_the_runtime_ends() {
        for round in 0..30 {
            let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let (store, telemetry) = (Arc::new(Store::default()), Arc::new(Telemetry::new(false).unwrap()));
            let (publisher, handle) = Publisher::new(1000, Clock::start(), store.clone(), telemetry);
            let mut tasks = JoinSet::new();
            tasks.spawn_on(async { publisher.run().await.unwrap() }, runtime.handle());
            runtime.block_on(async {
                handle.tell(PublishRequest { ready: true, ..PublishRequest::default() }).await;
                while handle.0.capacity() < QUEUE_LEN {
                    tokio::task::yield_now().await;
                }
            });
            let poller = async move {
                let _handle = handle;
                std::future::pending::<()>().await;
            };
            tasks.spawn_on(poller, runtime.handle());
            drop(runtime);
            assert!(store.is_ready(), "round {round}");
        }
    }
}
