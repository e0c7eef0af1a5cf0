//! What is served: the current exposition and the configuration in force, each swapped whole, and
//! whether the first round is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

use crate::exposition::Exposition;

/// Written by the publisher and at a reload, read by every scrape and page. Nobody waits for another.
#[derive(Debug, Default)]
pub struct Store {
    exposition: ArcSwap<Exposition>,
    configuration: ArcSwap<String>,
    ready: AtomicBool,
}

impl Store {
    /// The exposition of this moment.
    pub fn exposition(&self) -> Arc<Exposition> {
        self.exposition.load_full()
    }

    /// Replaces the exposition.
    pub fn publish(&self, exposition: Exposition) {
        self.exposition.store(Arc::new(exposition));
    }

    /// The configuration in force as YAML, without secrets.
    pub fn configuration(&self) -> Arc<String> {
        self.configuration.load_full()
    }

    /// Another configuration is in force.
    pub fn set_configuration(&self, printed: String) {
        self.configuration.store(Arc::new(printed));
    }

    /// Whether every target was answered or refused once. It is never withdrawn.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// The first round is over.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }
}
