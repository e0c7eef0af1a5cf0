//! The state of targets, lanes and credentials, as gauges and the status page show it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::budget::BelievedTier;
use super::fault::Reason;
use super::lane::LaneKey;
use super::target::CredentialId;
use super::time::UnixSeconds;

/// The state of a target after its last poll.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetStatus {
    /// Whether the last poll succeeded; `None` before the first.
    pub up: Option<bool>,
    /// Since when that is so.
    pub since: Option<UnixSeconds>,
    /// When it was last polled with success.
    pub last_success: Option<UnixSeconds>,
    /// When it was last polled.
    pub last_attempt: Option<UnixSeconds>,
    /// When it is due next; its lane may make it wait longer.
    pub next_poll: Option<UnixSeconds>,
    /// Time between two polls that is in force.
    pub interval: Duration,
    /// How long samples are shown, where that is less than two intervals in force: they may leave between two polls.
    pub leaves_early: Option<Duration>,
    /// Failed polls since its last success; `None` before the first poll.
    pub failures: Option<u32>,
    /// Rows of marketing messages in the last good answer.
    pub rows: Option<usize>,
    /// Figures that are held of it; `None` when there are none. The snapshot knows.
    pub samples: Option<usize>,
    /// Its last fault, be it over or not.
    pub fault: Option<Arc<LastFault>>,
}

/// A fault that a target met, or a credential.
#[derive(Clone, Debug, PartialEq)]
pub struct LastFault {
    /// Why the poll failed.
    pub reason: Reason,
    /// The sentence of the log, free of secrets.
    pub message: String,
    /// When.
    pub at: UnixSeconds,
}

impl TargetStatus {
    /// A poll ended at an instant, with or without a fault.
    pub fn note(&mut self, fault: Option<(Reason, &str)>, at: UnixSeconds) {
        let up = fault.is_none();
        // State files of the first version restore a state without its instant.
        if self.up != Some(up) || self.since.is_none() {
            self.since = Some(at);
        }
        (self.up, self.last_attempt) = (Some(up), Some(at));
        match fault {
            None => self.last_success = Some(at),
            Some((reason, message)) => {
                self.fault = Some(Arc::new(LastFault { reason, message: message.to_owned(), at }));
            }
        }
    }
}

/// What of a lane's allowance is wanted and used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LaneStatus {
    /// Requests an hour that the budget allows.
    pub allowance: Option<f64>,
    /// Meta's tier that this rests on.
    pub tier: Option<BelievedTier>,
    /// Requests an hour that the targets want.
    pub demand: Option<f64>,
    /// How many times longer than wanted the intervals are; 1 when they fit.
    pub stretch: Option<f64>,
    /// What is used of each allowance, as the API tells: 1 is all of it.
    pub usage: BTreeMap<&'static str, f64>,
    /// Until when nothing goes out.
    pub blocked_until: Option<UnixSeconds>,
}

/// How many seconds before its end a token is worth a warning; an alert has the same time.
pub const ENDS_SOON: f64 = 14.0 * 86_400.0;

/// Whether a credential is good.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CredentialStatus {
    /// Whether the API accepted it the last time; `None` before it was used.
    pub accepted: Option<bool>,
    /// Why not.
    pub fault: Option<Arc<LastFault>>,
    /// When the token expires, as far as it is known to.
    pub expires: Option<UnixSeconds>,
    /// When its access to data ends.
    pub data_access_expires: Option<UnixSeconds>,
    /// When a new content was last read.
    pub last_read: Option<UnixSeconds>,
    /// Since when, and why, its file or variable cannot be read.
    pub unreadable: Option<Arc<Unreadable>>,
    /// What is known of the end of its token.
    pub expiry: Expiry,
}

/// Why the content of a credential cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Unreadable {
    /// Names the place, never the content.
    pub message: String,
    /// Since when.
    pub since: UnixSeconds,
}

/// What is known of the end of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// There is no token, but access keys, which do not tell.
    #[default]
    None,
    /// Only the app can ask for it, and its id and secret are not configured.
    Unknown,
    /// It is to be asked for.
    Awaited,
    /// The lookup failed.
    Failed,
    /// The API named a date, or said that there is none.
    Told,
}

impl Expiry {
    /// What stands where there is no date; nothing where there is nothing to say.
    pub fn without_date(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Unknown => Some("unknown: set app_id and app_secret"),
            Self::Awaited => Some("not known yet"),
            Self::Failed => Some("unknown: the lookup failed; check app_id and app_secret"),
            Self::Told => Some("never"),
        }
    }
}

impl CredentialStatus {
    /// Its file or variable was read at an instant, or could not be.
    pub fn note_content(&mut self, trouble: Option<&str>, at: UnixSeconds) {
        let since = self.unreadable.as_ref().map_or(at, |known| known.since);
        // It is read every second while it cannot be: the same trouble is not a change.
        let same = self.unreadable.as_ref().is_some_and(|known| trouble == Some(&*known.message));
        if !same {
            self.unreadable = trouble.map(|message| Arc::new(Unreadable { message: message.to_owned(), since }));
        }
    }

    /// The API accepted it, or refused it at an instant.
    pub fn note(&mut self, refusal: Option<&str>, at: UnixSeconds) {
        self.accepted = Some(refusal.is_none());
        // The first refusal says since when.
        if let (Some(message), None) = (refusal, &self.fault) {
            self.fault = Some(Arc::new(LastFault { reason: Reason::Unauthorized, message: message.to_owned(), at }));
        } else if refusal.is_none() {
            self.fault = None;
        }
    }
}

/// How the lanes and the credentials fare.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FleetHealth {
    /// Those that have targets.
    pub lanes: BTreeMap<LaneKey, Arc<LaneStatus>>,
    /// Those that are configured.
    pub credentials: BTreeMap<CredentialId, Arc<CredentialStatus>>,
}

impl FleetHealth {
    /// Notes how a lane fares, or forgets it.
    pub fn set_lane(&mut self, lane: LaneKey, status: Option<Arc<LaneStatus>>) {
        if let Some(status) = status {
            self.lanes.insert(lane, status);
        } else {
            self.lanes.remove(&lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_lasts_since_it_changed_and_the_last_fault_is_kept() {
        let at = UnixSeconds::new;
        let mut status = TargetStatus::default();
        status.note(None, at(1.0));
        status.note(None, at(2.0));
        assert_eq!((status.up, status.since, status.last_success), (Some(true), Some(at(1.0)), Some(at(2.0))));
        status.note(Some((Reason::Timeout, "late")), at(3.0));
        status.note(Some((Reason::Forbidden, "no")), at(4.0));
        assert_eq!((status.up, status.since, status.last_success), (Some(false), Some(at(3.0)), Some(at(2.0))));
        status.note(None, at(5.0));
        let fault = status.fault.as_deref().map(|fault| (fault.reason, &*fault.message, fault.at));
        assert_eq!((status.since, fault), (Some(at(5.0)), Some((Reason::Forbidden, "no", at(4.0)))));
    }
}
