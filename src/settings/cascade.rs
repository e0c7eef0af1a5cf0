//! What a target inherits from its credential, and a credential from `poll`: interval, windows, labels.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use humantime::format_duration;
use jiff::SignedDuration;
use jiff::civil::Date;

use super::defaults;
use super::entry::{Entry, List, Named};
use super::names::{LabelName, LabelValue};
use super::raw::WindowChoice;
use super::report::Location;
use super::span::Interval;
use super::windows::windows;
use crate::domain::fleet::PollTerms;
use crate::domain::freshness::Staleness;
use crate::domain::metric::MetricSet;
use crate::domain::target::{CredentialId, Source, Window};

/// Settings in force at one level of the configuration: `poll.interval: 15m` holds for every target until a credential
/// says 30m for its own, and an account of that credential 5m. Labels add up on the way down, the rest is replaced.
/// Which key an interval came from is remembered, because a problem with it has to name that key.
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

const DAY: Duration = Duration::from_hours(24);
/// How far the day of an account may be ahead of the day in UTC.
const MAX_DAY_AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// How often Meta recomputes its figures.
const META_REFRESH: Duration = Duration::from_mins(15);

const MOST_LABELS: usize = 16;

impl Cascade {
    /// What `poll` says.
    pub(super) fn new(
        poll: &Location<'_>,
        interval: Entry<Interval>,
        stale_after: Option<Duration>,
        timeout: Duration,
    ) -> Self {
        let defaults = Self {
            credential: "".into(),
            interval: defaults::INTERVAL,
            interval_from: "poll.interval".to_owned(),
            stale_after,
            timeout,
            labels: BTreeMap::new(),
            metrics: MetricSet::default_on(),
            windows: defaults::WINDOWS.into_iter().filter_map(Window::preset).collect(),
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
    pub(super) fn with_interval(mut self, at: &Location<'_>, interval: Entry<Interval>) -> Self {
        let at = at.key("interval");
        if let Some(Interval(interval)) = at.open(interval) {
            self.interval = interval;
            self.interval_from = at.to_string();
        }
        self
    }

    /// Overrides the windows.
    pub(super) fn with_windows(mut self, at: &Location<'_>, choices: Entry<List<WindowChoice>>) -> Self {
        let at = at.key("windows");
        if let Some(windows) = at.open(choices).and_then(|choices| windows(&at, choices)) {
            self.windows = windows;
        }
        self
    }

    /// Adds static labels; of one name, the later value counts.
    pub(super) fn with_labels(mut self, at: &Location<'_>, labels: Entry<Named<LabelName, LabelValue>>) -> Self {
        let at = at.key("labels");
        for (name, value) in at.open(labels).unwrap_or_default().0 {
            if let Some(LabelValue(value)) = at.key(&name).open(value) {
                self.labels.insert(name, value);
            }
        }
        if self.labels.len() > MOST_LABELS {
            at.problem(format!("{} static labels are too many; keep at most {MOST_LABELS}", self.labels.len()));
        }
        self
    }

    /// What holds for a target at this level.
    pub(super) fn terms(&self, source: Source, at: &Location<'_>) -> PollTerms {
        let poll = at.root().key("poll");
        let (interval, from) = (format_duration(self.interval), &self.interval_from);
        // Only a stale_after that was typed can be too short: the one of the program follows the interval.
        if let Some(stale_after) = self.stale_after.filter(|stale_after| *stale_after < self.interval) {
            poll.key("stale_after").problem(format!(
                "{} is shorter than the interval of {interval} ({from}), so samples would come and go; \
                 write {interval} or more",
                format_duration(stale_after)
            ));
        }
        if self.timeout > self.interval {
            poll.key("timeout").warning(format!(
                "{} is longer than the interval of {interval} ({from}), so a slow answer delays the next poll",
                format_duration(self.timeout)
            ));
        }
        PollTerms {
            credential: CredentialId { source, name: self.credential.clone() },
            interval: self.interval,
            // Four polls may fail in a row before a campaign disappears, and never less than an hour of them.
            staleness: self.stale_after.map_or(Staleness::FollowsInterval, Staleness::Fixed),
            labels: self.labels.clone().into_iter().collect(),
            metrics: self.metrics,
        }
    }

    /// Warns of windows that are over, or moved on, before they are asked for again, and of those that have
    /// not begun.
    pub(super) fn warn_of_windows(&self, at: &Location<'_>, today: Date) {
        let at = at.key("windows");
        for window in &self.windows {
            let label = window.label();
            match window {
                Window::Range { since, .. } if *since > today.saturating_add(MAX_DAY_AHEAD) => {
                    at.warning(format!("{label} starts on {since}, in the future; until then it has no figures"));
                }
                Window::Preset(preset) if days(preset).is_some_and(|days| self.interval > DAY * days) => {
                    let interval = format_duration(self.interval);
                    at.root().key(&self.interval_from).warning(format!(
                        "{interval} is longer than the window {label} of {at}, so some of its figures are never read"
                    ));
                }
                _ => {}
            }
        }
    }

    /// Warns of an interval in which Meta's figures cannot have changed.
    pub(super) fn warn_of_haste(&self, at: &Location<'_>) {
        if self.interval < META_REFRESH {
            let interval = format_duration(self.interval);
            let message =
                format!("Meta refreshes its figures every 15 minutes; polling every {interval} returns nothing new");
            at.root().key(&self.interval_from).warning(message);
        }
    }
}

/// Days of a window that moves on; `None` of one that begins at a fixed day, or long ago.
fn days(preset: &str) -> Option<u32> {
    match preset {
        "today" | "yesterday" => Some(1),
        "last_week_mon_sun" | "last_week_sun_sat" | "this_week_mon_today" | "this_week_sun_today" => Some(7),
        "this_month" | "last_month" => Some(30),
        "this_quarter" | "last_quarter" => Some(91),
        "this_year" | "last_year" => Some(365),
        _ => preset.strip_prefix("last_")?.strip_suffix('d')?.parse().ok(),
    }
}
