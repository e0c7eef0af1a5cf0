//! What the log says of polls, credentials and lanes: what fails, in the lines that [`Outages`] chooses.

mod lines;

use std::fmt::Write as _;
use std::time::Duration;

use super::super::effect::{LogLine, Severity};
use super::super::outbox::Outbox;
use crate::domain::fault::{Fault, Reason};
use crate::domain::lane::{LaneKey, LaneLoad};
use crate::domain::outages::{Line, Outages};
use crate::domain::target::{CredentialId, TargetKey};
use crate::domain::time::Uptime;
use lines::{report, total};

/// A stretch that is worth a line.
const STRETCH_TO_REPORT: f64 = 1.1;

/// What can go wrong with something of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    /// Its file or variable cannot be read.
    Unreadable,
    /// The API does not accept it. Its targets are not asked then, so they are not counted.
    Refused,
    /// Targets fail.
    Failing(Reason),
    /// Names, states or the token's health cannot be looked up.
    LookupFailing(Reason),
    /// Lanes whose intervals do not fit the allowance.
    Stretched,
}

/// What lines have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cause {
    credential: CredentialId,
    trouble: Trouble,
}

/// What can be in trouble. A credential may be unreadable and refused at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Member {
    Content(CredentialId),
    Credential(CredentialId),
    Target(TargetKey),
    Lane(LaneKey),
}

/// What is known of a fault beside its cause.
#[derive(Clone, Debug, PartialEq)]
struct Detail {
    message: String,
    code: &'static str,
    /// Whether it stays until somebody acts.
    severe: bool,
}

/// Turns what polls, credentials and lanes meet into log lines: three targets that fail for one reason get a line each,
/// the fourth makes it `598 of 600 targets of meta/main fail: unavailable`.
#[derive(Debug, Default)]
pub(in crate::engine) struct TroubleLog {
    outages: Outages<Cause, Member, Detail>,
}

impl TroubleLog {
    /// A poll ended. That a credential is refused is said once, whichever target met it; of one without any content
    /// the log has said what is wrong with its file, its variable or its environment.
    pub(in crate::engine) fn poll(
        &mut self,
        key: &TargetKey,
        fault: Option<(&Fault, Reason)>,
        has_content: bool,
        now: Uptime,
        out: &mut Outbox,
    ) {
        let credential = Member::Credential(key.credential_id());
        let target = Member::Target(key.clone());
        let said = match fault {
            None => {
                // One good answer clears both: the API knew the credential.
                let accepted = self.note(&credential, key, None, now, out);
                self.note(&target, key, None, now, out) || accepted
            }
            Some((_, Reason::Unauthorized)) if !has_content => false,
            Some((fault, Reason::Unauthorized)) => {
                self.note(&credential, key, Some((Trouble::Refused, Detail::of(fault))), now, out)
            }
            Some((fault, reason)) => {
                let lookup = key.subject.is_discovery();
                let trouble = if lookup { Trouble::LookupFailing(reason) } else { Trouble::Failing(reason) };
                self.note(&target, key, Some((trouble, Detail::of(fault))), now, out)
            }
        };
        if !said {
            out.report(debug(key, fault));
        }
    }

    /// A credential was read, or could not be; `used` when its last content goes on to be used.
    pub(in crate::engine) fn content(
        &mut self,
        credential: &CredentialId,
        trouble: Option<(&str, bool)>,
        now: Uptime,
        out: &mut Outbox,
    ) {
        let fault = trouble.map(|(message, used)| {
            let used = if used { "its last content is still used" } else { "no request can be made with it" };
            let detail = Detail { message: format!("{used}: {message}"), code: "", severe: true };
            (Cause { credential: credential.clone(), trouble: Trouble::Unreadable }, detail)
        });
        if let Some(news) = self.outages.note(&Member::Content(credential.clone()), fault, now) {
            out.report(report(&news, &|_, _| 0));
        }
    }

    /// How the intervals of a lane fit its allowance.
    /// `leaves_early` says after which time samples leave, where that is too short by now.
    pub(in crate::engine) fn load(
        &mut self,
        load: &LaneLoad<'_>,
        leaves_early: Option<Duration>,
        now: Uptime,
        out: &mut Outbox,
    ) {
        let (lane, member) = (load.lane, Member::Lane(load.lane.clone()));
        // A lane that is just about full must not begin and end with each answer.
        let least = if self.outages.is_failing(&member) { 1.0 } else { STRETCH_TO_REPORT };
        let fault = (load.stretch > least).then(|| {
            let mut message = format!(
                "{:.0} requests an hour are needed, {:.0} are allowed; intervals are {:.1} times as long as configured",
                load.demand, load.allowance, load.stretch
            );
            if let Some(bound) = leaves_early {
                let minutes = bound.as_secs_f64() / 60.0;
                let _ = write!(message, "; stale_after drops samples after {minutes:.0} minutes, too soon for that");
            }
            let cause = Cause { credential: lane.credential_id(), trouble: Trouble::Stretched };
            (cause, Detail { message, code: "", severe: false })
        });
        if let Some(news) = self.outages.note(&member, fault, now) {
            out.report(report(&news, &|_, _| 0));
        }
    }

    /// A target left the configuration.
    pub(in crate::engine) fn forget(&mut self, key: &TargetKey, now: Uptime) {
        self.outages.forget(&Member::Target(key.clone()), now);
    }

    /// A lane left the configuration.
    pub(in crate::engine) fn forget_lane(&mut self, lane: &LaneKey, now: Uptime) {
        self.outages.forget(&Member::Lane(lane.clone()), now);
    }

    /// A credential left the configuration.
    pub(in crate::engine) fn forget_credential(&mut self, credential: &CredentialId, now: Uptime) {
        self.outages.forget(&Member::Credential(credential.clone()), now);
        self.outages.forget(&Member::Content(credential.clone()), now);
    }

    /// When there is something to say.
    pub(in crate::engine) fn due(&self) -> Option<Uptime> {
        self.outages.next()
    }

    /// Says what is due. `targets` are all that there are.
    pub(in crate::engine) fn say_due<'a>(
        &mut self,
        now: Uptime,
        targets: &(impl Iterator<Item = &'a TargetKey> + Clone),
        out: &mut Outbox,
    ) {
        say(&self.outages.due(now), targets, out);
    }

    /// Says what was not said yet, at the end.
    pub(in crate::engine) fn say_rest<'a>(
        &mut self,
        now: Uptime,
        targets: &(impl Iterator<Item = &'a TargetKey> + Clone),
        out: &mut Outbox,
    ) {
        say(&self.outages.rest(now), targets, out);
    }

    fn note(
        &mut self,
        member: &Member,
        key: &TargetKey,
        fault: Option<(Trouble, Detail)>,
        now: Uptime,
        out: &mut Outbox,
    ) -> bool {
        let fault = fault.map(|(trouble, detail)| (Cause { credential: key.credential_id(), trouble }, detail));
        let Some(news) = self.outages.note(member, fault, now) else { return false };
        out.report(report(&news, &|_, _| 0));
        true
    }
}

impl Detail {
    fn of(fault: &Fault) -> Self {
        let message = if fault.is_abuse() {
            format!("the API reports abuse and blocks requests: {fault}")
        } else {
            fault.to_string()
        };
        Self { message, code: fault.code.unwrap_or_default(), severe: fault.needs_somebody() }
    }
}

/// Writes lines that count their targets; `targets` are all that there are.
fn say<'a>(
    lines: &[Line<Cause, Member, Detail>],
    targets: &(impl Iterator<Item = &'a TargetKey> + Clone),
    out: &mut Outbox,
) {
    for line in lines {
        out.report(report(line, &|cause, account| total(targets.clone(), cause, account)));
    }
}

/// What there is no room for elsewhere.
fn debug(key: &TargetKey, fault: Option<(&Fault, Reason)>) -> LogLine {
    let Some((fault, reason)) = fault else { return LogLine::of_target(Severity::Debug, key, "poll succeeded") };
    let report = LogLine::of_target(Severity::Debug, key, format!("poll failed: {fault}"));
    report.with("reason", reason.label()).with("code", fault.code.unwrap_or_default())
}

#[cfg(test)]
mod tests;
