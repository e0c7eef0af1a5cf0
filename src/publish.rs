//! The publisher: keeps the snapshot, renders what changed, swaps what scrapes read.
//!
//! It works apart from the poller, on a thread that may take its time: an account of a hundred
//! thousand campaigns must not hold back the timers of the others. What comes in meanwhile is rendered
//! together.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::clock::{self, Clock};
use crate::domain::repeat::{Repeats, Telling};
use crate::domain::snapshot::{Brought, Change, Full, Snapshot};
use crate::domain::target::{TargetKey, account_label};
use crate::state::{self, State};
use crate::store::Store;
use crate::telemetry::Telemetry;

/// News that may wait; beyond that whoever brings more waits.
const WAITING: usize = 256;

/// News that are rendered together: a few renderings more take less memory than one that holds the
/// former and the next state of everything.
const TOGETHER: usize = 16;

/// What to do when series are left out.
const TOO_FEW: &str = "raise it, or ask for fewer campaigns or windows";

/// How long the first of some news waits for others. Windows of one account are rendered block by block
/// together, and their polls end at about the same time.
const LINGER: Duration = Duration::from_millis(50);

/// What the poller tells the publisher.
#[derive(Debug, Default)]
pub struct News {
    /// In the order in which they came to pass.
    pub changes: Vec<Change>,
    /// Every target was polled once.
    pub ready: bool,
    /// The schedule, to be written with what is known.
    pub state: Option<State>,
    /// Whoever waits for this to be published.
    pub done: Option<oneshot::Sender<anyhow::Result<()>>>,
}

impl News {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && !self.ready && self.state.is_none() && self.done.is_none()
    }
}

/// Where news go.
#[derive(Clone, Debug)]
pub struct Outlet(Option<mpsc::Sender<News>>);

impl Outlet {
    /// Nobody is told.
    pub fn none() -> Self {
        Self(None)
    }

    /// Tells the publisher, and waits while it is far behind.
    pub async fn tell(&self, news: News) {
        if let Some(sender) = &self.0 {
            // Whoever owns the publisher's task sees that it ended.
            let _ = sender.send(news).await;
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Publisher {
    inlet: mpsc::Receiver<News>,
    desk: Desk,
}

/// What is worked on.
#[derive(Debug)]
struct Desk {
    snapshot: Snapshot,
    store: Arc<Store>,
    telemetry: Arc<Telemetry>,
    clock: Clock,
    state_file: Option<PathBuf>,
    /// Targets that `max_series` leaves out.
    left_out: BTreeMap<TargetKey, Repeats<()>>,
    /// How writing the state went.
    writing: Repeats<()>,
}

impl Publisher {
    /// A publisher of at most `max_series` series, and the way to tell it.
    pub fn new(max_series: usize, clock: Clock, store: Arc<Store>, telemetry: Arc<Telemetry>) -> (Self, Outlet) {
        let (sender, inlet) = mpsc::channel(WAITING);
        let (left_out, writing) = Default::default();
        let snapshot = Snapshot::new(max_series);
        let desk = Desk { snapshot, store, telemetry, clock, state_file: None, left_out, writing };
        (Self { inlet, desk }, Outlet(Some(sender)))
    }

    /// Writes states that it is told there.
    pub fn write_to(&mut self, state_file: PathBuf) {
        self.desk.telemetry.state_write_failures.with_label_values::<&str>(&[]);
        self.desk.state_file = Some(state_file);
    }

    /// Publishes before anybody scrapes.
    pub fn begin(&mut self, news: News) {
        self.desk.publish(vec![news]);
    }

    /// Publishes until nobody is left to bring news, on a thread of its own: compressors and freed
    /// memory stay where they are used again.
    pub async fn run(self) -> anyhow::Result<()> {
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || runtime.block_on(self.work())).await.context("publishing broke")
    }

    async fn work(mut self) {
        let mut batch = Vec::new();
        loop {
            let expiry = self.desk.snapshot.next_expiry();
            let expired = async {
                match expiry {
                    Some(expiry) => tokio::time::sleep_until(self.desk.clock.instant(expiry).into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                received = self.inlet.recv_many(&mut batch, TOGETHER) => {
                    if received == 0 {
                        return;
                    }
                    self.linger(&mut batch).await;
                }
                () = expired => {}
            }
            self.desk.publish(std::mem::take(&mut batch));
        }
    }

    /// Takes what comes soon, until it is enough, somebody waits, or nobody is left to bring more.
    async fn linger(&mut self, batch: &mut Vec<News>) {
        let soon = tokio::time::sleep(LINGER);
        tokio::pin!(soon);
        while batch.len() < TOGETHER && batch.iter().all(|news| news.done.is_none()) {
            tokio::select! {
                received = self.inlet.recv_many(batch, TOGETHER - batch.len()) => if received == 0 { return },
                () = &mut soon => return,
            }
        }
    }
}

impl Desk {
    fn publish(&mut self, mut news: Vec<News>) {
        let ready = news.iter().any(|news| news.ready);
        // Of several the last one holds what the others did.
        let state = news.iter_mut().rev().find_map(|news| news.state.take());
        let done: Vec<_> = news.iter_mut().filter_map(|news| news.done.take()).collect();
        for change in news.into_iter().flat_map(|news| news.changes) {
            if let Change::CredentialGone(source, name) = &change {
                self.telemetry.forget_credential(*source, name);
            }
            let settled = match &change {
                Change::Rows(Brought { key, .. }) | Change::Gone(key) => Some(key.clone()),
                _ => None,
            };
            if let Some(full) = self.snapshot.apply(change) {
                self.leave_out(full);
            } else if let Some(key) = settled {
                self.left_out.remove(&key);
            }
        }
        for key in self.snapshot.expire(self.clock.uptime()) {
            let (source, credential, account_id) = (key.source.label(), &*key.credential, account_label(key.account));
            let (target, window) = (key.label(), key.window.label());
            tracing::warn!(
                source,
                credential,
                account_id,
                target,
                window,
                "no success for too long: its samples leave"
            );
        }
        for ((source, credential), samples) in self.snapshot.samples() {
            let gauge = self.telemetry.samples.with_label_values(&[source.label(), &**credential]);
            gauge.set(i64::try_from(*samples).unwrap_or(i64::MAX));
        }
        self.telemetry.touch();
        let changed = self.snapshot.take_changed();
        self.store.publish(self.store.exposition().update(&self.snapshot, &changed));
        for done in done {
            // Whoever asked may have gone.
            let _ = done.send(Ok(()));
        }
        if ready {
            tracing::info!(targets = self.snapshot.statuses().len(), "every target was polled once: ready");
            self.store.set_ready();
        }
        if let Some(state) = state {
            self.write(state);
        }
    }

    /// One line when a target does not fit, and one an hour while it does not.
    fn leave_out(&mut self, Full { key, left_out }: Full) {
        let (source, credential, account_id) = (key.source.label(), &*key.credential, account_label(key.account));
        let (target, window) = (key.label(), key.window.label());
        self.telemetry.series_dropped.with_label_values(&[source, credential]).inc_by(left_out as u64);
        let (told, polls) = match self.left_out.entry(key.clone()).or_default().note(Some(()), self.clock.uptime()) {
            Telling::Known => {
                tracing::debug!(
                    source,
                    credential,
                    account_id,
                    target,
                    window,
                    left_out,
                    "the target is left out again"
                );
                return;
            }
            Telling::Still(polls, _) => {
                (format!("exposition.max_series still leaves the target out, {polls} times by now"), Some(polls))
            }
            _ => ("exposition.max_series is reached: the target is left out".to_owned(), None),
        };
        tracing::error!(source, credential, account_id, target, window, left_out, polls, "{told}; {TOO_FEW}");
    }

    fn write(&mut self, state: State) {
        let Some(file) = &self.state_file else { return };
        let state = state.with(&self.snapshot, |uptime| self.clock.wall_at(uptime));
        let written = state::write(file, &state);
        let telling = self.writing.note(written.is_err().then_some(()), self.clock.uptime());
        if let Err(error) = written {
            self.telemetry.state_write_failures.with_label_values::<&str>(&[]).inc();
            let file = file.display();
            match telling {
                Telling::Known => tracing::debug!("the state cannot be written to {file} again: {error}"),
                Telling::Still(attempts, _) => {
                    tracing::error!(attempts, "the state still cannot be written to {file}: {error}");
                }
                _ => tracing::error!("the state cannot be written to {file}: {error}"),
            }
            return;
        }
        if let Telling::Recovered(attempts) = telling {
            tracing::info!(attempts, "the state is written again");
        }
        self.telemetry.state_last_write.with_label_values::<&str>(&[]).set(clock::wall_seconds());
    }
}
