//! What opens and shuts lanes: blocks, refused credentials, requests that come back.

use super::{Outcome, Schedule, Ticket};
use crate::domain::backoff;
use crate::domain::budget::Grant;
use crate::domain::fault::{Fault, Reason, Scope};
use crate::domain::lane::{LaneKey, Rejection};
use crate::domain::target::CredentialId;
use crate::domain::time::Uptime;

impl Schedule {
    /// The credential's content changed: whatever it was refused for may be over.
    pub fn credential_changed(&mut self, id: &CredentialId) {
        if let Some(credential) = self.credentials.iter().position(|credential| credential.is(id)) {
            self.credentials[credential].rejected = None;
            self.refresh_credential(credential);
        }
    }

    /// Credentials that were refused and have not been accepted since.
    pub fn rejected(&self) -> impl Iterator<Item = CredentialId> {
        let rejected = self.credentials.iter().filter(|credential| credential.rejected.is_some());
        rejected.map(|credential| CredentialId { source: credential.source, name: credential.name.clone() })
    }

    /// Whether a credential was refused and has not been accepted since.
    pub fn is_rejected(&self, id: &CredentialId) -> bool {
        self.credentials.iter().any(|credential| credential.is(id) && credential.rejected.is_some())
    }

    /// Lanes that are stopped, and until when.
    pub fn blocked(&self, now: Uptime) -> impl Iterator<Item = (&LaneKey, Uptime)> {
        self.lanes.iter().filter_map(move |lane| {
            let wide = Some(self.credentials[lane.credential].block.until()).filter(|until| *until > now);
            let until = lane.budget.blocked_until(now).max(wide)?;
            Some((&lane.key, until))
        })
    }

    /// The lanes of a credential get another grant; what was learned of their allowance stands.
    pub fn regrant(&mut self, id: &CredentialId, grant: Grant) {
        for at in 0..self.lanes.len() {
            if self.credentials[self.lanes[at].credential].is(id) {
                self.lanes[at].budget.regrant(grant);
                self.refresh(at);
            }
        }
    }

    /// A lane was stopped in an earlier life.
    pub fn block(&mut self, key: &LaneKey, until: Uptime) {
        if let Some(lane) = self.by_key.get(key).copied() {
            self.lanes[lane].budget.block(until);
            self.refresh(lane);
        }
    }

    /// A request came back: what it says of the lane and of the credential.
    pub(super) fn came_back(&mut self, ticket: Ticket, outcome: Outcome<'_>, now: Uptime) {
        let lane = self.slots[ticket.0].lane;
        let credential = self.lanes[lane].credential;
        self.lanes[lane].under_way = self.lanes[lane].under_way.saturating_sub(1);
        self.credentials[credential].under_way = self.credentials[credential].under_way.saturating_sub(1);
        let reason = match outcome {
            Outcome::Fresh => None,
            Outcome::Failed(fault) => Some(fault.reason),
        };
        match reason {
            Some(Reason::Unauthorized) => self.reject(credential, now),
            // The API knew the credential and did not refuse for want of allowance.
            None | Some(Reason::Forbidden | Reason::NotFound | Reason::InvalidRequest) => {
                self.lanes[lane].budget.answered(now);
                self.credentials[credential].block.answered(now);
                if self.credentials[credential].rejected.take().is_some() {
                    self.refresh_credential(credential);
                }
            }
            // The probe of a refused credential that learned nothing is made again later.
            Some(_) if self.credentials[credential].rejected.is_some_and(|rejection| rejection.probing) => {
                self.reject(credential, now);
            }
            Some(_) => {}
        }
        self.refresh(lane);
    }

    pub(super) fn throttle(&mut self, lane: usize, fault: &Fault, now: Uptime, dice: f64) {
        let source = self.lanes[lane].key.source;
        match fault.scope {
            Scope::Lane => {
                let blocks = self.lanes[lane].budget.refused(now);
                let until = now + backoff::after_throttle(source, fault.wait, blocks, dice);
                self.lanes[lane].budget.block(until);
                self.refresh(lane);
            }
            Scope::Credential => {
                let credential = self.lanes[lane].credential;
                let wide = &mut self.credentials[credential].block;
                // Meta's limit of the app: the next account would be refused as well, and the refusal would count.
                let refusals = wide.refused(now);
                wide.extend(now + backoff::after_throttle(source, fault.wait, refusals, dice));
                self.refresh_credential(credential);
            }
        }
    }

    /// Requests that were under way when the first refusal came count as the same one.
    fn reject(&mut self, credential: usize, now: Uptime) {
        let refusals = match self.credentials[credential].rejected {
            // Several requests may be out when a token dies; counted each, they would put off the first probe for
            // an hour.
            Some(Rejection { probing: false, .. }) => return,
            Some(rejection) => rejection.refusals.saturating_add(1),
            None => 1,
        };
        let probe = now + backoff::after_rejection(refusals);
        self.credentials[credential].rejected = Some(Rejection { refusals, probe, probing: false });
        self.refresh_credential(credential);
    }

    pub(super) fn refresh_credential(&mut self, credential: usize) {
        for at in 0..self.credentials[credential].lanes.len() {
            self.refresh(self.credentials[credential].lanes[at]);
        }
    }

    /// Brings the index of openings up to date for one lane.
    pub(super) fn refresh(&mut self, at: usize) {
        let lane = &mut self.lanes[at];
        let gate = &mut self.credentials[lane.credential];
        let opens = lane.opens(gate);
        // Most changes leave the opening as it was; the index is touched only when it moves.
        if lane.noted_opening != opens {
            if let Some(old) = lane.noted_opening {
                gate.openings.remove(&(old, at));
            }
            if let Some(new) = opens {
                gate.openings.insert((new, at));
            }
            lane.noted_opening = opens;
        }
    }
}
