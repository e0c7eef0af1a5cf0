//! Why a request or a poll failed: a closed set that is at once match arm, log field and metric label.

use std::time::Duration;

/// The label `reason` of `poll_failures_total`, the field of log lines, and what the schedule decides by.
///
/// A reason says what somebody can do about it, not what the API called it: Graph's code 190 and the gateway's
/// `InvalidAccessKeyId` are both [`Reason::Unauthorized`]. `docs/operating.md` lists them with their remedies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The API refuses the credential: nobody may use it until it changes or a re-probe succeeds.
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
    /// The API version has been retired.
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

    /// What it means, for people. `docs/operating.md` says the same.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Unauthorized => "the API does not accept the credential",
            Self::Forbidden => "the credential is valid, but may not read this",
            Self::NotFound => "the object does not exist, or this credential cannot see it",
            Self::InvalidRequest => "the API rejects the request as written",
            Self::Throttled => "an allowance is used up, and the API asks the exporter to wait",
            Self::Unavailable => "the API is down or cannot be reached",
            Self::Timeout => "no complete answer arrived in time",
            Self::Malformed => "the answer does not have the documented form",
            Self::TooLarge => "the answer is larger than the exporter accepts, or than the API returns at once",
            Self::ApiVersion => "this API version has been retired",
            Self::Partial => "some pages were read, but a later one failed",
        }
    }

    /// What to do about it; commands and settings stand between backticks. `docs/operating.md` says the
    /// same.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Unauthorized => {
                "issue a new token or key and put it where the configuration says; the exporter picks it up without a restart"
            }
            Self::Forbidden => "give the credential access to the account, channel or page",
            Self::NotFound => "correct the id or remove it; `check --online` and `discover` show which ids exist",
            Self::InvalidRequest => "read the API's message, then check windows and `extra_metrics`",
            Self::Throttled => {
                "nothing; the lane waits. If it happens often, lengthen intervals or lower `budget`; `plan` shows the demand"
            }
            Self::Unavailable => "check the API's status, then name resolution, proxy and firewall",
            Self::Timeout => "if it persists, raise `poll.timeout`",
            Self::Malformed => "check whether a proxy answers instead of the API",
            Self::TooLarge => "raise `poll.max_response`, or list fewer campaigns",
            Self::ApiVersion => "set `api_version` to a supported version",
            Self::Partial => "nothing, unless it persists: what was read is served, and the next poll completes it",
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

/// One failed request: what it means, what has to wait, and a sentence for people.
///
/// Graph's 80004 becomes reason [`Reason::Throttled`], scope [`Scope::Lane`], the wait that the headers name, and the
/// sentence *the ad account's hourly management quota is spent (Graph code 80004/2446079, HTTP 400, ...)*. The sentence
/// has passed the redactor; nothing else of the answer is kept.
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

    /// Whether it stays until somebody acts.
    pub fn needs_somebody(&self) -> bool {
        match self.reason {
            Reason::Unauthorized
            | Reason::Forbidden
            | Reason::NotFound
            | Reason::InvalidRequest
            | Reason::TooLarge
            | Reason::ApiVersion => true,
            Reason::Throttled => self.abuse,
            Reason::Unavailable | Reason::Timeout | Reason::Malformed | Reason::Partial => false,
        }
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
