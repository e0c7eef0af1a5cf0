//! Which targets there are: the schedule in line with the plan and with what was learned.
//!
//! What is the same keeps its samples, its schedule and its back-off. What asks another question starts over. What is
//! not wanted any more leaves, with everything that it showed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::event::{Moment, PollPlan};
use super::super::health::Health;
use super::super::outbox::Outbox;
use super::super::quirks::PageSize;
use super::{PolledTarget, Targets};
use crate::domain::change::Change;
use crate::domain::fleet::Planned;
use crate::domain::lane::LaneKey;
use crate::domain::schedule::{Schedule, Ticket};
use crate::domain::target::{CampaignId, Subject, TargetKey};

/// What a change of targets goes by, and whom it concerns.
pub(in crate::engine) struct Planning<'a> {
    pub(in crate::engine) plan: &'a PollPlan,
    pub(in crate::engine) schedule: &'a mut Schedule,
    pub(in crate::engine) health: &'a mut Health,
    pub(in crate::engine) out: &'a mut Outbox,
    pub(in crate::engine) now: Moment,
}

/// A target that is wanted, and whether it is a survey.
pub(in crate::engine) type WantedTarget = (Planned, bool);

impl Targets {
    /// Takes a reload over. Says how many targets start over.
    pub(in crate::engine) fn reload(&mut self, wanted: Vec<WantedTarget>, with: &mut Planning<'_>) -> usize {
        self.hand_over(&wanted, with);
        let anew = self.take_terms(&wanted, with);
        self.align(wanted, with);
        anew
    }

    /// Brings targets and schedule in line with what is wanted by now, on the terms that are in force.
    pub(in crate::engine) fn replan(&mut self, wanted: Vec<WantedTarget>, with: &mut Planning<'_>) {
        self.hand_over(&wanted, with);
        self.align(wanted, with);
    }

    /// Targets that are still wanted after a reload ask on the new terms. Says how many start over.
    fn take_terms(&mut self, wanted: &[WantedTarget], with: &mut Planning<'_>) -> usize {
        let wanted: BTreeMap<_, _> = wanted.iter().map(|(planned, _)| (&planned.key, planned)).collect();
        let held: Vec<_> = self.iter().map(|(key, ticket)| (key.clone(), ticket)).collect();
        let mut anew = 0;
        for (key, ticket) in held {
            let Some(planned) = wanted.get(&key) else { continue };
            let Some(target) = self.get_mut(ticket) else { continue };
            // Its rows mean something else: they leave now, and not only when the new answer comes.
            if target.meaning != with.plan.meaning(planned) {
                anew += usize::from(!key.subject.is_discovery());
                self.forget(&key, with);
                continue;
            }
            let (former, terms) = (target.planned.terms.clone(), &planned.terms);
            if target.asks == with.plan.fingerprint(planned) {
                // An answer means the same whatever version gives it; the next request is of the new one.
                target.wire = with.plan.wire(planned).unwrap_or_else(|| target.wire.clone());
                target.planned = (*planned).clone();
            } else {
                // A list, or a choice of families, was edited: what is new is not waited for until the next poll.
                self.ask_otherwise(ticket, planned, true, with);
            }
            if former.interval != terms.interval {
                with.schedule.retime(ticket, terms.interval, with.now.uptime);
                with.health.set_interval(&key, terms.interval, with.out);
            }
            if former.of_samples() != terms.of_samples() {
                with.out.change(Change::Terms { key, terms: terms.of_samples() });
            }
        }
        anew
    }

    /// Adds what is new and takes out what is gone, lanes included.
    fn align(&mut self, wanted: Vec<WantedTarget>, with: &mut Planning<'_>) {
        let keys: BTreeSet<_> = wanted.iter().map(|(planned, _)| planned.key.clone()).collect();
        let gone: Vec<_> = self.iter().map(|(key, _)| key).filter(|key| !keys.contains(key)).cloned().collect();
        for (planned, survey) in wanted {
            match self.ticket(&planned.key) {
                Some(ticket)
                    if self.get(ticket).is_some_and(|target| target.planned.selection == planned.selection) => {}
                Some(ticket) => {
                    // Names of campaigns that just joined are not waited for until the next listing.
                    let soon = planned.key.subject.is_discovery();
                    self.ask_otherwise(ticket, &planned, soon, with);
                }
                None => self.enlist(planned, survey, with),
            }
        }
        // After the hand-over: a target takes the rows with it that nobody took over.
        for key in &gone {
            self.forget(key, with);
        }
        let lanes: BTreeMap<_, _> = self.iter().map(|(key, ticket)| (LaneKey::of(key), ticket)).collect();
        for gone in with.health.lanes.set(&lanes.keys().cloned().collect(), with.out) {
            with.health.trouble.forget_lane(&gone, with.now.uptime);
        }
        for ticket in lanes.into_values() {
            with.health.lanes.note_load(with.schedule.load(ticket), with.out);
        }
    }

    fn enlist(&mut self, planned: Planned, survey: bool, with: &mut Planning<'_>) {
        let key = planned.key.clone();
        let Some(credential) = with.plan.credential(&key.credential_id()) else { return };
        let interval = planned.terms.interval;
        let priority = with.plan.priority(&planned);
        let ticket = with.schedule.enlist(&LaneKey::of(&key), credential.grant, priority, interval, with.now.uptime);
        with.health.expect(&key, interval, with.out);
        let target = PolledTarget {
            wire: credential.api.target(&planned),
            page: PageSize::new(credential.api.page_rows()),
            asks: with.plan.fingerprint(&planned),
            meaning: with.plan.meaning(&planned),
            planned,
            poll: None,
            outgrown: false,
            ask_again: false,
            answered: None,
            survey,
        };
        self.insert(ticket, target);
    }

    /// A target asks another question, whose answer means the same: what both ask for goes on being shown.
    fn ask_otherwise(&mut self, ticket: Ticket, planned: &Planned, soon: bool, with: &mut Planning<'_>) {
        let Some((wire, target)) = with.plan.wire(planned).zip(self.get_mut(ticket)) else { return };
        if planned.key.subject.is_discovery() && !with.schedule.is_under_way(ticket) {
            target.poll = None;
        }
        // Its pages so far answer the former one; the poll goes on, but does not count as whole.
        target.outgrown = target.poll.is_some();
        let (only, metrics) = (planned.selection.listed().cloned(), planned.terms.metrics);
        with.out.change(Change::Narrow { key: planned.key.clone(), only, metrics });
        if soon {
            target.ask_again = with.schedule.is_under_way(ticket);
            with.schedule.reschedule(ticket, target.soon(with.now.uptime));
        }
        (target.asks, target.planned, target.wire) = (with.plan.fingerprint(planned), planned.clone(), wire);
    }

    /// Takes a target out with everything that it showed.
    fn forget(&mut self, key: &TargetKey, with: &mut Planning<'_>) {
        let Some(ticket) = self.ticket(key) else { return };
        self.remove(key, with.schedule.is_under_way(ticket));
        with.schedule.remove(ticket);
        with.health.forget(key, with.now);
        if key.subject == Subject::Token {
            with.health.credentials.forget_token(&key.credential_id(), with.out);
        }
        with.out.change(Change::Gone(key.clone()));
    }

    /// The rows of campaigns that another target asks for from now on are shown by that one, until it is polled: which
    /// request brings a campaign is our business alone. Before anything narrows or goes.
    fn hand_over(&self, wanted: &[WantedTarget], with: &mut Planning<'_>) {
        let by_key: BTreeMap<_, _> = wanted.iter().map(|(planned, _)| (&planned.key, planned)).collect();
        let stays = |key: &TargetKey, target: &PolledTarget| {
            by_key.get(key).is_some_and(|planned| planned.selection == target.planned.selection)
        };
        // Rows go to rows, and names to names.
        let place_of =
            |key: &TargetKey| (key.credential_id(), key.subject.is_discovery(), key.window.label().to_owned());
        let mut givers: BTreeMap<_, Vec<&TargetKey>> = BTreeMap::new();
        let mut singles: BTreeMap<_, Vec<&TargetKey>> = BTreeMap::new();
        for (key, ticket) in self.iter() {
            let Some(target) = self.get(ticket).filter(|target| !stays(key, target)) else { continue };
            let place = place_of(key);
            match key.subject {
                Subject::Campaigns | Subject::Listing => givers.entry((place, &target.meaning)).or_default().push(key),
                Subject::Campaign(id) | Subject::CampaignFacts(id) => {
                    singles.entry((place, id)).or_default().push(key);
                }
                _ => {}
            }
        }
        if givers.is_empty() && singles.is_empty() {
            return;
        }
        for (planned, _) in wanted {
            let key = &planned.key;
            if self.by_key(key).is_some_and(|target| target.planned.selection == planned.selection) {
                continue;
            }
            let only = match key.subject {
                Subject::Campaigns | Subject::Listing => planned.selection.listed().cloned(),
                Subject::Campaign(id) | Subject::CampaignFacts(id) => Some(Arc::new(BTreeSet::from([id]))),
                _ => continue,
            };
            let (place, meaning) = (place_of(key), with.plan.meaning(planned));
            let lists = givers.get(&(place.clone(), &meaning)).into_iter().flatten();
            let lists = lists.filter(|giver| key.account.is_none() || giver.account == key.account);
            let one = |id: &CampaignId| singles.get(&(place.clone(), *id)).into_iter().flatten().copied();
            let single: Vec<_> = match &only {
                Some(only) => only.iter().flat_map(one).collect(),
                None => singles.iter().filter(|((at, _), _)| *at == place).flat_map(|(_, keys)| keys.clone()).collect(),
            };
            let from: Vec<_> = lists.copied().chain(single).filter(|giver| *giver != key).cloned().collect();
            if !from.is_empty() {
                let terms = planned.terms.of_samples();
                with.out.change(Change::Move { from, to: key.clone(), only, terms });
            }
        }
    }
}
