//! What scrapes read: the current exposition, swapped whole, and whether the first round is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

use crate::exposition::Exposition;

/// Written by the poller, read by every scrape. Neither waits for the other.
#[derive(Debug, Default)]
pub struct Store {
    exposition: ArcSwap<Exposition>,
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

    /// Whether every target was answered or refused once. It is never withdrawn.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// The first round is over.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }
}
