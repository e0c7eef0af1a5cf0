//! What the log says of polls, credentials and lanes: what fails, in the lines that
//! [`Outages`] chooses.

mod lines;

use std::sync::Arc;

use crate::domain::fault::{Fault, Reason};
use crate::domain::lane::{LaneKey, Load};
use crate::domain::outages::{Line, Outages};
use crate::domain::schedule::Uptime;
use crate::domain::target::{Source, TargetKey, account_label};
use lines::{total, write};

/// A stretch that is worth a line.
const STRETCHED: f64 = 1.1;

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
    source: Source,
    credential: Arc<str>,
    trouble: Trouble,
}

/// What can be in trouble. A credential may be unreadable and refused at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Member {
    Content(Source, Arc<str>),
    Credential(Source, Arc<str>),
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

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Report {
    outages: Outages<Cause, Member, Detail>,
}

impl Report {
    /// A poll ended. That a credential is refused is said once, whichever target met it.
    pub(super) fn poll(&mut self, key: &TargetKey, fault: Option<(&Fault, Reason)>, now: Uptime) {
        let credential = Member::Credential(key.source, key.credential.clone());
        let target = Member::Target(key.clone());
        let told = match fault {
            None => {
                let accepted = self.note(&credential, key, None, now);
                self.note(&target, key, None, now) || accepted
            }
            Some((fault, Reason::Unauthorized)) => {
                self.note(&credential, key, Some((Trouble::Refused, Detail::of(fault))), now)
            }
            Some((fault, reason)) => {
                let lookup = key.subject.is_discovery();
                let trouble = if lookup { Trouble::LookupFailing(reason) } else { Trouble::Failing(reason) };
                self.note(&target, key, Some((trouble, Detail::of(fault))), now)
            }
        };
        if !told {
            debug(key, fault);
        }
    }

    /// A credential was read, or could not be; `used` when its last content goes on to be used.
    pub(super) fn content(
        &mut self,
        source: Source,
        credential: &Arc<str>,
        trouble: Option<(&str, bool)>,
        now: Uptime,
    ) {
        let member = Member::Content(source, credential.clone());
        let fault = trouble.map(|(message, used)| {
            let used = if used { "its last content is used" } else { "nothing can be asked with it" };
            let detail = Detail { message: format!("{used}: {message}"), code: "", severe: true };
            (Cause { source, credential: credential.clone(), trouble: Trouble::Unreadable }, detail)
        });
        write_at_once(self.outages.note(&member, fault, now).as_ref());
    }

    /// How the intervals of a lane fit its allowance.
    pub(super) fn load(&mut self, load: &Load<'_>, now: Uptime) {
        let (lane, member) = (load.lane, Member::Lane(load.lane.clone()));
        let least = if self.outages.is_failing(&member) { 1.0 } else { STRETCHED };
        let fault = (load.stretch > least).then(|| {
            let message = format!(
                "{:.0} requests an hour are wanted, {:.0} allowed: intervals are {:.1} times as long as configured",
                load.demand, load.allowance, load.stretch
            );
            let cause = Cause { source: lane.source, credential: lane.credential.clone(), trouble: Trouble::Stretched };
            (cause, Detail { message, code: "", severe: false })
        });
        write_at_once(self.outages.note(&member, fault, now).as_ref());
    }

    /// A target left the configuration.
    pub(super) fn forget(&mut self, key: &TargetKey, now: Uptime) {
        self.outages.forget(&Member::Target(key.clone()), now);
    }

    /// A lane left the configuration.
    pub(super) fn forget_lane(&mut self, lane: &LaneKey, now: Uptime) {
        self.outages.forget(&Member::Lane(lane.clone()), now);
    }

    /// A credential left the configuration.
    pub(super) fn forget_credential(&mut self, source: Source, name: &Arc<str>, now: Uptime) {
        self.outages.forget(&Member::Credential(source, name.clone()), now);
        self.outages.forget(&Member::Content(source, name.clone()), now);
    }

    /// When there is something to write.
    pub(super) fn next(&self) -> Option<Uptime> {
        self.outages.next()
    }

    /// Writes what is due. `targets` are all that there are.
    pub(super) fn tell<'a>(&mut self, now: Uptime, targets: &(impl Iterator<Item = &'a TargetKey> + Clone)) {
        for line in self.outages.due(now) {
            write(&line, &|cause, account| total(targets.clone(), cause, account));
        }
    }

    /// Writes what is untold, at the end.
    pub(super) fn tell_rest<'a>(&mut self, now: Uptime, targets: &(impl Iterator<Item = &'a TargetKey> + Clone)) {
        for line in self.outages.rest(now) {
            write(&line, &|cause, account| total(targets.clone(), cause, account));
        }
    }

    fn note(&mut self, member: &Member, key: &TargetKey, fault: Option<(Trouble, Detail)>, now: Uptime) -> bool {
        let cause = |trouble| Cause { source: key.source, credential: key.credential.clone(), trouble };
        let line = self.outages.note(member, fault.map(|(trouble, detail)| (cause(trouble), detail)), now);
        write_at_once(line.as_ref());
        line.is_some()
    }
}

impl Detail {
    fn of(fault: &Fault) -> Self {
        let message =
            if fault.is_abuse() { format!("the API sees abuse and blocks: {fault}") } else { fault.to_string() };
        Self { message, code: fault.code.unwrap_or_default(), severe: fault.needs_somebody() }
    }
}

/// Writes what nothing has to be counted for.
fn write_at_once(line: Option<&Line<Cause, Member, Detail>>) {
    if let Some(line) = line {
        write(line, &|_, _| 0);
    }
}

/// What there is no room for elsewhere.
pub(super) fn debug(key: &TargetKey, fault: Option<(&Fault, Reason)>) {
    let (source, credential, window) = (key.source.label(), &*key.credential, key.window.label());
    let (account_id, target) = (account_label(key.account), key.label());
    match fault {
        None => tracing::debug!(source, credential, account_id, target, window, "poll succeeded"),
        Some((fault, reason)) => {
            let (reason, code) = (reason.label(), fault.code.unwrap_or_default());
            tracing::debug!(source, credential, account_id, target, window, reason, code, "poll failed: {fault}");
        }
    }
}

#[cfg(test)]
mod tests;
