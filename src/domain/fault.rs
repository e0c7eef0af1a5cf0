//! Why a request or a poll failed: a closed set that is at once match arm, log field and metric label.

use std::time::Duration;

/// The label `reason` of `poll_failures_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The credential is dead: nobody may use it until it changes or a re-probe succeeds.
    Unauthorized,
    /// The credential lives, but may not read this.
    Forbidden,
    /// The object does not exist, or is hidden from this credential.
    NotFound,
    /// The API refuses the request as it is written.
    InvalidRequest,
    /// An allowance is spent.
    Throttled,
    /// The API or the way to it is down.
    Unavailable,
    /// No whole answer in time.
    Timeout,
    /// An answer that is not of the documented form.
    Malformed,
    /// More data than we accept, or than the API gives at once.
    TooLarge,
    /// The API version is dead.
    ApiVersion,
    /// Some pages were read and a later one failed.
    Partial,
}

impl Reason {
    /// Every reason, so that each counter starts at 0.
    pub const ALL: [Self; 11] = [
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::InvalidRequest,
        Self::Throttled,
        Self::Unavailable,
        Self::Timeout,
        Self::Malformed,
        Self::TooLarge,
        Self::ApiVersion,
        Self::Partial,
    ];

    /// The value of the label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::InvalidRequest => "invalid_request",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::ApiVersion => "api_version",
            Self::Partial => "partial",
        }
    }
}

/// How far a throttle reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything of this ad account (Meta).
    Lane,
    /// Everything of this credential: the app (Meta) or the access key (CAMS).
    Credential,
}

/// One failed request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What it means for us.
    pub reason: Reason,
    /// What waits when `reason` is [`Reason::Throttled`].
    pub scope: Scope,
    /// How long the API asked us to wait.
    pub wait: Option<Duration>,
    /// The API's own code, for `api_errors_total`; `None` when the API did not speak.
    pub code: Option<&'static str>,
    /// Whether a throttle is a punishment and not a spent allowance.
    pub abuse: bool,
    /// Fields that the API refuses, by their names on the wire.
    pub fields: Vec<String>,
    /// A sentence for the log, free of secrets and bounded in length.
    pub message: String,
}

impl Fault {
    /// Whether the API blocks for abuse or policy, which no waiting alone mends.
    pub fn is_abuse(&self) -> bool {
        self.reason == Reason::Throttled && self.abuse
    }

    /// A fault that the API gave no code for.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            scope: Scope::Lane,
            wait: None,
            code: None,
            abuse: false,
            fields: Vec::new(),
            message: message.into(),
        }
    }
}
