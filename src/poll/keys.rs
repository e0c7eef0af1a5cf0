//! Requests that wait for the keys of their credential, and credentials that wait for better ones.
//!
//! To the timetable a parked request is under way, so that a lane does not pile them up.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Poll, Poller};
use crate::clock;
use crate::domain::fault::Fault;
use crate::domain::target::{Source, account_label};
use crate::keyring::{Read, Unread};
use crate::source::Keys;
use crate::source::cams::credentials;

impl Poller {
    /// Gives the parked requests back to the timetable whose keys are there, or are known not to
    /// come; so do those of targets that were taken out meanwhile.
    pub(super) fn resume(&mut self) {
        for ticket in std::mem::take(&mut self.parked) {
            let key = self.polls.get(&ticket).map(|poll| &poll.planned.key);
            if key.is_some_and(|key| self.keyring.is_pending(key.source, &key.credential)) {
                self.parked.push(ticket);
            } else {
                self.timetable.hand_back(ticket);
            }
        }
    }

    /// Has the temporary keys that a request was refused with asked for anew, once a poll. Says
    /// whether the request is worth repeating then.
    pub(super) fn renews_keys(&self, poll: &mut Poll, fault: &Fault, refused: &Keys) -> bool {
        let Some(progress) = poll.progress.as_mut().filter(|_| credentials::is_worn(fault)) else { return false };
        let key = &poll.planned.key;
        let first = !std::mem::replace(&mut progress.renewed, true);
        let renews = first && self.keyring.renew(key.source, &key.credential, refused);
        if renews {
            tracing::info!(source = key.source.label(), credential = %key.credential, account_id = account_label(key.account), target = key.label(), window = key.window.label(), "the security token was refused: waiting for another one");
        }
        renews
    }

    /// What reading a credential came to, for gauges, page and log.
    pub(super) fn note_content(&mut self, source: Source, name: &Arc<str>, read: &Result<Read, Unread>) {
        let (at, labels) = (clock::wall_seconds(), [source.label(), &**name]);
        let trouble = match read {
            Ok(Read { trouble, .. }) => trouble.as_ref().map(|trouble| (trouble.to_string(), true)),
            Err(Unread::Secret(trouble)) => Some((trouble.to_string(), false)),
            // Keys of the surroundings are in no file and no variable.
            Err(Unread::Pending | Unread::Nothing(_)) => return,
        };
        self.telemetry.credential_readable.with_label_values(&labels).set(i64::from(trouble.is_none()));
        let changed = matches!(read, Ok(Read { changed: true, .. }));
        if changed {
            self.telemetry.credential_last_read.with_label_values(&labels).set(at);
        }
        self.note_credential(source, name, |status| {
            status.note_content(trouble.as_ref().map(|(message, _)| &**message), at);
            status.last_read = if changed { Some(at) } else { status.last_read };
        });
        let trouble = trouble.as_ref().map(|(message, used)| (&**message, *used));
        self.report.content(source, name, trouble, self.clock.uptime());
    }

    /// A credential that is refused, or cannot be read, is looked at until it is another one, or can be.
    pub(super) fn look_at_credentials(&mut self) {
        // The timetable remembers credentials that left the configuration.
        let known = &self.standing.credentials;
        let refused = self.timetable.rejected().map(|(source, name)| (source, name.clone()));
        let refused: BTreeSet<_> = refused.filter(|key| known.contains_key(key)).collect();
        let unreadable = known.iter().filter(|(_, status)| status.unreadable.is_some());
        let all: BTreeSet<_> = refused.iter().cloned().chain(unreadable.map(|(key, _)| key.clone())).collect();
        for (source, name) in all {
            let read = self.keyring.read(source, &name);
            self.note_content(source, &name, &read);
            if read.is_ok_and(|read| read.changed) && refused.contains(&(source, name.clone())) {
                tracing::info!(source = source.label(), credential = %name, "the credential changed: trying it");
                self.timetable.credential_changed(source, &name);
            }
        }
    }

    /// Whether a credential is to be looked at again soon.
    pub(super) fn looks_at_credentials(&self) -> bool {
        let unreadable = self.standing.credentials.values().any(|status| status.unreadable.is_some());
        unreadable || self.timetable.rejected().next().is_some()
    }
}
