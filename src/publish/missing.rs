//! What the log says of targets whose samples are not served.

use std::sync::Arc;

use crate::domain::counted::counted;
use crate::domain::outages::{Count, Line, Outages};
use crate::domain::target::{Source, TargetKey};
use crate::domain::time::Uptime;

/// A line about a target, with the fields of every such line.
macro_rules! of_target {
    ($level:ident, $key:expr, $($rest:tt)+) => {{
        let labels = $key.labels();
        let [source, credential, account_id, target, window] = labels.each_ref().map(|(_, value)| value.as_ref());
        tracing::$level!(source, credential, account_id, target, window, $($rest)+);
    }};
}

/// What to do when series are left out.
const TOO_FEW: &str = "raise it, or ask for fewer campaigns or windows";

/// Why a target has no samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// `max_series` is reached; so many series do not fit.
    LeftOut {
        /// Of this target.
        series: usize,
    },
    /// It had no success for too long.
    Stale,
}

/// What lines have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct MissingCause {
    source: Source,
    credential: Arc<str>,
    stale: bool,
}

/// Reports stale targets and those beyond `exposition.max_series`, a few by name and many by number, as [`Outages`]
/// does for failing ones.
#[derive(Debug, Default)]
pub(super) struct MissingReport {
    outages: Outages<MissingCause, TargetKey, usize>,
}

impl MissingReport {
    /// A target's samples are missing, or not any more.
    pub(super) fn note(&mut self, key: &TargetKey, missing: Option<Missing>, now: Uptime) {
        let cause = |stale| MissingCause { source: key.source, credential: key.credential.clone(), stale };
        let fault = missing.map(|missing| match missing {
            Missing::LeftOut { series } => (cause(false), series),
            Missing::Stale => (cause(true), 0),
        });
        let told = self.outages.note(key, fault, now);
        told.iter().for_each(write);
        if let (None, Some(missing)) = (told, missing) {
            match missing {
                Missing::LeftOut { series: left_out } => {
                    of_target!(debug, key, left_out, "the target is left out again");
                }
                Missing::Stale => of_target!(debug, key, "its samples are dropped"),
            }
        }
    }

    /// A target left the configuration.
    pub(super) fn forget(&mut self, key: &TargetKey, now: Uptime) {
        self.outages.forget(key, now);
    }

    /// When there is something to write.
    pub(super) fn next(&self) -> Option<Uptime> {
        self.outages.next()
    }

    /// Writes what is due.
    pub(super) fn tell(&mut self, now: Uptime) {
        self.outages.due(now).iter().for_each(write);
    }
}

fn write(line: &Line<MissingCause, TargetKey, usize>) {
    match line {
        Line::Began { cause, member: key, detail: left_out } => {
            let said = if cause.stale {
                "stale: no successful poll for too long, its samples are dropped".to_owned()
            } else {
                format!("exposition.max_series is reached: the target is left out; {TOO_FEW}")
            };
            emit(cause, key, *left_out, None, &said);
        }
        Line::Still { cause, member: key, detail: left_out, times: polls, .. } => {
            let said = if cause.stale {
                "still stale: no successful poll, no samples".to_owned()
            } else {
                format!("exposition.max_series still leaves the target out, {polls} times so far; {TOO_FEW}")
            };
            emit(cause, key, *left_out, Some(*polls), &said);
        }
        Line::Ended { member: key, .. } => of_target!(info, key, "its samples are served again"),
        Line::Count(count) => write_count(count),
        Line::Summary(numbers) => {
            let number =
                |stale| numbers.iter().filter(|(cause, _)| cause.stale == stale).map(|(_, number)| number).sum();
            let (stale, left_out) = (number(true), number(false));
            tracing::warn!(
                stale,
                left_out,
                "samples of {} are not served because they are stale, and of {} because of exposition.max_series",
                counted(stale, "target"),
                counted(left_out, "target")
            );
        }
    }
}

fn write_count(count: &Count<MissingCause, TargetKey, usize>) {
    let MissingCause { source, credential, stale } = &count.cause;
    let (targets, place) = (count.members.len(), format!("{}/{credential}", source.label()));
    let (source, credential, told) = (source.label(), &**credential, counted(targets, "target"));
    match (targets, stale) {
        (0, _) => tracing::info!(source, credential, "the samples of every target of {place} are served again"),
        (_, true) => {
            tracing::warn!(
                source,
                credential,
                targets,
                "stale: no successful poll for too long, no samples of {told} of {place}"
            );
        }
        (_, false) => tracing::error!(
            source,
            credential,
            targets,
            "exposition.max_series is reached: {told} of {place} left out; {TOO_FEW}"
        ),
    }
}

fn emit(cause: &MissingCause, key: &TargetKey, left_out: usize, polls: Option<u64>, said: &str) {
    if cause.stale {
        of_target!(warn, key, polls, "{said}");
    } else {
        of_target!(error, key, left_out, polls, "{said}");
    }
}
