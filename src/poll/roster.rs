//! Which targets there are: the timetable in line with the fleet and with what discovery knows.

use std::collections::BTreeSet;

use super::{Poll, Poller, api, channel_of};
use crate::domain::lane::LaneKey;
use crate::domain::plan::{CamsChannel, Planned};
use crate::domain::schedule::Uptime;
use crate::domain::snapshot::Change;
use crate::domain::status::TargetStatus;
use crate::domain::target::TargetKey;
use crate::source::meta::PAGE_LIMIT;

impl Poller {
    /// Brings the timetable in line with the fleet and what discovery knows.
    pub(super) fn replan(&mut self) {
        let planned = self.planned();
        let wanted: BTreeSet<_> = planned.iter().map(|planned| planned.key.clone()).collect();
        let gone: Vec<_> = self.tickets.keys().filter(|key| !wanted.contains(key)).cloned().collect();
        let now = self.clock.uptime();
        for planned in planned {
            match self.tickets.get(&planned.key).and_then(|ticket| self.polls.get_mut(ticket)) {
                Some(poll) if poll.planned.ask != planned.ask => {
                    let Some((_, target)) = api::target(&self.apis, &planned) else { continue };
                    poll.outgrown = poll.progress.is_some();
                    if planned.key.subject.is_discovery() {
                        // Names of campaigns that just joined are not waited for until the next listing.
                        self.timetable.reschedule(self.tickets[&planned.key], now);
                    }
                    (poll.planned, poll.target) = (planned.clone(), target);
                    self.hand_over(&planned, &gone);
                }
                Some(_) => {}
                None => {
                    self.hand_over(&planned, &gone);
                    self.enlist(planned, now);
                }
            }
        }
        for key in gone {
            self.forget(key);
        }
        self.note_lanes();
    }

    /// Every target that is wanted, as far as it is known.
    pub(super) fn planned(&self) -> Vec<Planned> {
        let listed = |channel: &CamsChannel| self.listed.get(&channel_of(channel)).cloned().unwrap_or_default();
        self.fleet.joined(|campaign| self.member(campaign)).targets(listed)
    }

    /// How many targets there are; lookups of names, states and tokens are not counted.
    pub(super) fn target_count(&self) -> usize {
        self.tickets.keys().filter(|key| !key.subject.is_discovery()).count()
    }

    fn enlist(&mut self, planned: Planned, now: Uptime) {
        let key = planned.key.clone();
        let Some((grant, target)) = api::target(&self.apis, &planned) else { return };
        let ticket = self.timetable.enlist(&LaneKey::of(&key), grant, planned.terms.interval, now);
        let status = TargetStatus { interval: planned.terms.interval, ..TargetStatus::default() };
        if !key.subject.is_discovery() {
            self.news.changes.push(Change::Status(key.clone(), status.clone()));
        }
        self.polls.insert(
            ticket,
            Poll { planned, target, status, progress: None, last: None, outgrown: false, limit: PAGE_LIMIT, good: 0 },
        );
        self.tickets.insert(key, ticket);
    }

    /// Takes a target out with everything that it showed.
    pub(super) fn forget(&mut self, key: TargetKey) {
        let Some(ticket) = self.tickets.remove(&key) else { return };
        self.timetable.remove(ticket);
        self.polls.remove(&ticket);
        self.report.forget(&key, self.clock.uptime());
        self.news.changes.push(Change::Gone(key));
    }
}
