//! What the engine wants done: data, never a call.

use std::sync::Arc;
use std::time::Duration;

use super::event::Generation;
use super::poll::Gathered;
use crate::domain::change::Change;
use crate::domain::fault::{Fault, Reason};
use crate::domain::lane::LaneKey;
use crate::domain::metric::{Metric, MetricSet};
use crate::domain::saved::SavedState;
use crate::domain::schedule::Ticket;
use crate::domain::target::{CredentialId, Source, TargetKey};
use crate::domain::time::{UnixSeconds, Uptime};
use crate::source::{Cursor, Target};

/// Something to be done. Effects are carried out in the order in which they come.
#[derive(Debug)]
pub enum Effect {
    /// Send a request; its answer comes back as an event with the same ticket.
    Send(Outgoing),
    /// Look whether a credential has other keys by now.
    ReadKeys(CredentialId),
    /// Have the temporary keys of a credential replaced before they expire: the API refused this content.
    RenewKeys {
        /// Whose.
        credential: CredentialId,
        /// The content that was refused.
        refused: Generation,
    },
    /// Show what changed.
    Publish(Update),
    /// Give an answer to whoever asked for it, outside what is published.
    Found {
        /// What was asked.
        key: TargetKey,
        /// What came of it.
        found: Result<Box<Gathered>, Fault>,
    },
    /// Count.
    Observe(Measurement),
    /// Log.
    Report(LogLine),
    /// Write what is to survive a restart, completed by what was published until here.
    Save(Box<SavedState>),
}

/// A request to be sent.
#[derive(Clone)]
pub struct Outgoing {
    /// Comes back with the answer.
    pub ticket: Ticket,
    /// In whose name.
    pub credential: CredentialId,
    /// Builds the request and reads the answer.
    pub target: Arc<dyn Target>,
    /// Where the last page ended.
    pub cursor: Option<Cursor>,
    /// Rows a page.
    pub limit: u32,
    /// Families to ask for.
    pub metrics: MetricSet,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing")
            .field("ticket", &self.ticket)
            .field("endpoint", &self.target.endpoint())
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}

/// What is to be shown from now on.
#[derive(Debug, Default)]
pub struct Update {
    /// In the order in which they came to pass.
    pub changes: Vec<Change>,
    /// Every target was answered or refused once.
    pub ready: bool,
}

impl Update {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && !self.ready
    }
}

/// Something for the exporter's own metrics.
#[derive(Clone, Debug)]
pub enum Measurement {
    /// A request came back, or could not be sent.
    Request {
        /// In whose name.
        credential: CredentialId,
        /// The label `endpoint`.
        endpoint: &'static str,
        /// HTTP status; `None` when there was no answer.
        status: Option<u16>,
        /// The API's own code.
        error: Option<&'static str>,
        /// From sending to the last byte.
        took: Duration,
    },
    /// A poll ended.
    Poll {
        /// In whose name.
        credential: CredentialId,
        /// Why it failed.
        reason: Option<Reason>,
        /// From its first request to its last page.
        took: Duration,
    },
    /// Values that were no numbers, or rows without a readable id.
    Rejected {
        /// Whose.
        source: Source,
        /// Which.
        field: &'static str,
        /// How many.
        count: u64,
    },
    /// What of an allowance is used, as the API tells.
    Usage {
        /// Of which lane.
        lane: LaneKey,
        /// Which allowance.
        limit: &'static str,
        /// 1 is all of it.
        ratio: f64,
    },
    /// What is wanted of a lane, and what it may: requests an hour.
    Load {
        /// Of which lane.
        lane: LaneKey,
        /// What the budget allows.
        allowance: f64,
        /// What the intervals take.
        demand: f64,
    },
    /// The lanes that are stopped, all of them, and until when.
    Blocked(Vec<(LaneKey, UnixSeconds)>),
    /// A lane has no targets any more.
    LaneGone(LaneKey),
    /// A credential is configured: its counters start at 0.
    CredentialExpected(CredentialId),
    /// Whether the API accepted a credential.
    Accepted {
        /// Which.
        credential: CredentialId,
        /// Whether it did.
        accepted: bool,
    },
    /// Whether the file or variable of a credential can be read.
    Readable {
        /// Which.
        credential: CredentialId,
        /// Whether it can.
        readable: bool,
    },
    /// A new content of a credential was read.
    KeysRead {
        /// Which.
        credential: CredentialId,
        /// When.
        at: UnixSeconds,
    },
    /// When a token expires and when its access to data ends; `None` for never, or unknown.
    Expiry {
        /// Whose.
        credential: CredentialId,
        /// The token.
        expires: Option<UnixSeconds>,
        /// Its access to data.
        data_access_expires: Option<UnixSeconds>,
    },
    /// Whether a field is left out because the API refused it.
    Field {
        /// Whose requests.
        credential: CredentialId,
        /// Which.
        metric: &'static Metric,
        /// Whether it is left out.
        refused: bool,
    },
    /// Which version answered; replaces what was said of the credential before.
    Version {
        /// Whose requests.
        credential: CredentialId,
        /// What was asked for.
        requested: Arc<str>,
        /// What answered; `None` when it is not known any more.
        served: Option<String>,
    },
    /// Targets that went on where an earlier life left them.
    Restored(usize),
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something is missing until somebody acts.
    Error,
    /// Something is wrong that may pass, or will become worse.
    Warning,
    /// A change of state.
    Info,
    /// Every step.
    Debug,
}

/// A line of the log: a sentence, and fields named like the labels of the metrics.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// How much it matters.
    pub severity: Severity,
    /// What it says.
    pub message: String,
    /// What it is about.
    pub fields: Vec<(&'static str, String)>,
}

impl LogLine {
    /// A line about nothing in particular.
    pub fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self { severity, message: message.into(), fields: Vec::new() }
    }

    /// About a credential.
    pub fn of_credential(severity: Severity, credential: &CredentialId, message: impl Into<String>) -> Self {
        Self::new(severity, message).with("source", credential.source.label()).with("credential", &*credential.name)
    }

    /// About a target.
    pub fn of_target(severity: Severity, key: &TargetKey, message: impl Into<String>) -> Self {
        let fields = key.labels().map(|(name, value)| (name, value.into_owned()));
        Self { severity, message: message.into(), fields: fields.into() }
    }

    /// Whether it says how a poll went.
    pub fn is_of_poll(&self) -> bool {
        self.fields.iter().any(|(name, _)| *name == "reason")
    }

    /// With one field more.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }
}

/// What became of polling everything once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    /// Targets that failed, or could not be asked.
    pub targets: usize,
    /// All targets.
    pub total: usize,
    /// Lookups of names, states and tokens that failed.
    pub lookups: usize,
}

/// Whether a target's first answer is worth waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// It was answered or refused itself, or is not wanted.
    Settled,
    /// It is under way, or goes out at this instant at the earliest.
    Due(Uptime),
    /// Its credential is refused: it goes out when a probe succeeds.
    CredentialRefused,
}
