//! The exporter's own metrics as text, rendered again only after something was counted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::openmetrics;
use crate::clock::Clock;
use crate::domain::time::Uptime;
use crate::exposition::{Deflated, Format};
use crate::telemetry::{self, Telemetry};

/// How old the text may be when nothing was counted: the process uses time and memory all the same.
const MAX_TEXT_AGE: Duration = Duration::from_secs(1);

/// The last text in each format.
#[derive(Debug)]
pub(super) struct SelfMetrics {
    telemetry: Arc<Telemetry>,
    clock: Clock,
    texts: [Mutex<Option<Text>>; 2],
}

#[derive(Debug)]
struct Text {
    generation: u64,
    at: Uptime,
    rendered: Deflated,
}

impl SelfMetrics {
    pub(super) fn new(telemetry: Arc<Telemetry>, clock: Clock) -> Self {
        Self { telemetry, clock, texts: [Mutex::new(None), Mutex::new(None)] }
    }

    /// The text of this moment. Scrapes that come together share it.
    pub(super) fn text(&self, format: Format) -> Deflated {
        // Whoever panicked has left a whole text, or none.
        let mut last = self.texts[format as usize].lock().unwrap_or_else(PoisonError::into_inner);
        // Before it gathers: what is counted meanwhile makes this text old, rather than being missed.
        let (generation, now) = (self.telemetry.generation(), self.clock.uptime());
        if let Some(last) = last.as_ref().filter(|last| last.generation == generation && now < last.at + MAX_TEXT_AGE) {
            return last.rendered.clone();
        }
        let families = self.telemetry.gather();
        let text = Deflated::new(match format {
            Format::Text => telemetry::text(&families),
            Format::OpenMetrics => openmetrics::text(&families),
        });
        *last = Some(Text { generation, at: now, rendered: text.clone() });
        text
    }
}
