//! What a target inherits from its credential, and that from `poll`: interval, windows, labels.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use humantime::format_duration;

use super::choice::{WindowChoice, windows};
use super::entry::{Entry, List, Named};
use super::leaf::{LabelValue, Span};
use super::report::Place;
use crate::domain::metric::MetricSet;
use crate::domain::plan::Terms;
use crate::domain::target::Window;

/// Settings in force at one level of the configuration.
#[derive(Clone)]
pub(super) struct Cascade {
    credential: Arc<str>,
    interval: Duration,
    interval_from: String,
    stale_after: Option<Duration>,
    timeout: Duration,
    labels: BTreeMap<String, String>,
    /// The families to ask for.
    pub(super) metrics: MetricSet,
    /// Over which days.
    pub(super) windows: Vec<Window>,
}

pub(super) const DEFAULT_INTERVAL: Duration = Duration::from_mins(15);
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
pub(super) const DEFAULT_WINDOWS: [&str; 3] = ["today", "last_7d", "last_30d"];
/// Samples outlive at least an outage of this length.
const STALE_AFTER: Duration = Duration::from_hours(1);
/// How often Meta computes its figures anew.
const META_REFRESH: Duration = Duration::from_mins(15);

/// Names of labels that samples or the exporter's own metrics have, or that the format gives a meaning.
const BUILT_IN: [&str; 14] = [
    "source",
    "account_id",
    "campaign_id",
    "window",
    "currency",
    "action",
    "campaign_name",
    "account_name",
    "status",
    "timezone",
    "credential",
    "target",
    "le",
    "quantile",
];
/// Labels of the scrape itself, over which Prometheus renames a sample's own.
const OF_THE_SCRAPE: [&str; 2] = ["job", "instance"];
const MOST_LABELS: usize = 16;

impl Cascade {
    /// What `poll` says.
    pub(super) fn new(
        poll: &Place<'_>,
        interval: Entry<Span>,
        stale_after: Option<Duration>,
        timeout: Duration,
    ) -> Self {
        let defaults = Self {
            credential: "".into(),
            interval: DEFAULT_INTERVAL,
            interval_from: "poll.interval".to_owned(),
            stale_after,
            timeout,
            labels: BTreeMap::new(),
            metrics: MetricSet::default_on(),
            windows: DEFAULT_WINDOWS.into_iter().filter_map(Window::preset).collect(),
        };
        defaults.with_interval(poll, interval)
    }

    /// The credential's name.
    pub(super) fn credential(&self) -> Arc<str> {
        self.credential.clone()
    }

    /// The same for a credential.
    pub(super) fn of(&self, credential: Arc<str>) -> Self {
        Self { credential, ..self.clone() }
    }

    /// Overrides the interval.
    pub(super) fn with_interval(mut self, at: &Place<'_>, interval: Entry<Span>) -> Self {
        let at = at.key("interval");
        if let Some(Span(interval)) = at.open(interval) {
            if interval < SHORTEST_INTERVAL {
                at.problem(format!("{} is too short; write 1s or more", format_duration(interval)));
            }
            self.interval = interval;
            self.interval_from = at.to_string();
        }
        self
    }

    /// Overrides the windows.
    pub(super) fn with_windows(mut self, at: &Place<'_>, choices: Entry<List<WindowChoice>>) -> Self {
        let at = at.key("windows");
        if let Some(windows) = at.open(choices).and_then(|choices| windows(&at, choices)) {
            self.windows = windows;
        }
        self
    }

    /// Adds static labels; of one name, the later value counts.
    pub(super) fn with_labels(mut self, at: &Place<'_>, labels: Entry<Named<LabelValue>>) -> Self {
        let at = at.key("labels");
        for (name, value) in at.open(labels).unwrap_or_default() {
            let at = at.key(&name);
            if let Some(fault) = label_fault(&name) {
                at.problem(fault);
            }
            if let Some(LabelValue(value)) = at.open(value) {
                self.labels.insert(name, value);
            }
        }
        if self.labels.len() > MOST_LABELS {
            at.problem(format!("{} static labels are too many; keep at most {MOST_LABELS}", self.labels.len()));
        }
        self
    }

    /// What holds for a target at this level.
    pub(super) fn terms(&self, at: &Place<'_>) -> Terms {
        let poll = at.root().key("poll");
        let (interval, from) = (format_duration(self.interval), &self.interval_from);
        if let Some(stale_after) = self.stale_after.filter(|stale_after| *stale_after < self.interval) {
            poll.key("stale_after").problem(format!(
                "{} is shorter than the interval of {interval} ({from}), so that samples would come and go; \
                 write {interval} or more",
                format_duration(stale_after)
            ));
        }
        if self.timeout > self.interval {
            poll.key("timeout").warning(format!(
                "{} is longer than the interval of {interval} ({from}), so that a slow answer delays the next poll",
                format_duration(self.timeout)
            ));
        }
        Terms {
            credential: self.credential.clone(),
            interval: self.interval,
            stale_after: self.stale_after.unwrap_or_else(|| STALE_AFTER.max(self.interval * 4)),
            labels: self.labels.clone().into_iter().collect(),
            metrics: self.metrics,
        }
    }

    /// Warns of an interval in which Meta's figures cannot have changed.
    pub(super) fn warn_of_haste(&self, at: &Place<'_>) {
        if self.interval < META_REFRESH {
            let interval = format_duration(self.interval);
            let message =
                format!("Meta refreshes its figures every 15 minutes; asking every {interval} brings nothing new");
            at.root().key(&self.interval_from).warning(message);
        }
    }
}

fn label_fault(name: &str) -> Option<&'static str> {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    if !name.starts_with(letter) || !name.chars().all(|c| letter(c) || c.is_ascii_digit()) {
        Some("this is no label name; use letters, digits and _, and no digit first")
    } else if name.starts_with("__") {
        Some("label names that begin with __ are Prometheus' own; choose another")
    } else if OF_THE_SCRAPE.contains(&name) {
        Some("Prometheus sets this label itself and would rename this one to exported_...; choose another")
    } else if BUILT_IN.contains(&name) {
        Some("samples have a label of this name already; choose another")
    } else {
        None
    }
}
