//! Requests that wait for the keys of their credential, and credentials that wait for better ones.
//!
//! To the timetable a parked request is under way, so that a lane does not pile them up.

use super::{Poll, Poller};
use crate::clock;
use crate::domain::fault::Fault;
use crate::domain::target::{Source, account_label};
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
            tracing::info!(source = key.source.label(), credential = %key.credential, account_id = account_label(key.account), target = %key.subject, window = key.window.label(), "the security token was refused: waiting for another one");
        }
        renews
    }

    /// A credential's content is new.
    pub(super) fn note_read(&mut self, source: Source, name: &str) {
        let now = clock::wall_seconds();
        self.telemetry.credential_last_read.with_label_values(&[source.label(), name]).set(now);
        self.note_credential(source, name, |status| status.last_read = Some(now));
    }

    /// A refused credential whose content changed is tried at once.
    pub(super) fn look_at_refused_credentials(&mut self) {
        let refused: Vec<_> = self.timetable.rejected().map(|(source, name)| (source, name.clone())).collect();
        for (source, name) in refused {
            if self.keyring.read(source, &name).is_ok_and(|read| read.changed) {
                tracing::info!(source = source.label(), credential = %name, "the credential changed: trying it");
                self.note_read(source, &name);
                self.timetable.credential_changed(source, &name);
            }
        }
    }
}
