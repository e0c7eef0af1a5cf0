//! Where the effects go that need no answer: publishing, counting, logging, saving.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::engine::Effect;
use crate::logging;
use crate::publish::{PublishRequest, PublisherHandle};
use crate::telemetry::Telemetry;

/// Takes what the engine wants to be shown, counted, logged and saved.
pub trait Sink {
    /// Takes an effect. It may wait while whoever shows it is far behind.
    fn take(&mut self, effect: Effect) -> impl Future<Output = ()> + Send;
}

/// The daemon's: the publisher, the exporter's own metrics, the log.
#[derive(Debug)]
pub struct Publication {
    publisher: PublisherHandle,
    telemetry: Arc<Telemetry>,
    /// Whoever waits for what is published next.
    waiting: Option<oneshot::Sender<anyhow::Result<()>>>,
    /// Whether anybody wants to know that every target was polled once.
    readiness: bool,
}

impl Publication {
    /// Shows by a publisher, counts in a registry.
    pub fn new(publisher: PublisherHandle, telemetry: Arc<Telemetry>) -> Self {
        Self { publisher, telemetry, waiting: None, readiness: true }
    }

    /// Nobody waits for readiness.
    pub fn ignore_readiness(&mut self) {
        self.readiness = false;
    }

    /// Notifies somebody when what comes next is published.
    pub fn announce(&mut self, done: oneshot::Sender<anyhow::Result<()>>) {
        self.waiting = Some(done);
    }
}

impl Publication {
    /// Takes an effect and adds what is to be published to `request`.
    pub(super) fn take_at_once(&mut self, effect: Effect, request: &mut PublishRequest) {
        match effect {
            Effect::Publish(update) => {
                request.changes.extend(update.changes);
                request.ready |= update.ready && self.readiness;
                request.done = self.waiting.take();
            }
            Effect::Save(state) => request.state = Some(*state),
            Effect::Observe(measurement) => self.telemetry.observe(&measurement),
            Effect::Report(report) => logging::emit(&report),
            // The driver carries these out itself; the daemon has no surveys.
            Effect::Send(_) | Effect::ReadKeys(_) | Effect::RenewKeys { .. } | Effect::Found { .. } => {}
        }
    }
}

impl Sink for Publication {
    async fn take(&mut self, effect: Effect) {
        let mut request = PublishRequest::default();
        self.take_at_once(effect, &mut request);
        if !request.is_empty() {
            self.publisher.tell(request).await;
        }
    }
}
