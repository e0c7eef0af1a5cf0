//! What an answer does, step by step.

use std::time::Duration;

use super::Engine;
use super::effect::{Effect, LogLine, Measurement, Severity};
use super::event::{Answer, Generation};
use super::health::PollEnd;
use super::keys::Parked;
use super::poll::{Gathered, Poll};
use crate::domain::change::{Change, GroupKey, PolledRows};
use crate::domain::facts::Listing;
use crate::domain::fault::{Fault, Reason};
use crate::domain::fleet::FleetChannel;
use crate::domain::freshness::Freshness;
use crate::domain::lane::LaneKey;
use crate::domain::metric::MetricSet;
use crate::domain::schedule::{Outcome, Ticket};
use crate::domain::target::{Subject, TargetKey};
use crate::domain::time::Uptime;

/// When a listing starts over whose cursor is refused.
const START_OVER: Duration = Duration::from_mins(1);

impl Engine {
    /// Takes an answer in: another page to ask for, the same request once more, or the end of a poll.
    pub(super) fn on_answer(&mut self, answer: Answer) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let ticket = answer.ticket;
        let Some(target) = self.targets.get(ticket) else { return self.on_late_answer(&answer) };
        let key = target.planned.key.clone();
        // Whatever it holds, it was a request, and its headers tell of the allowance.
        self.count(&key, target.wire.endpoint(), &answer);

        if self.is_outdated_refusal(&key, &answer) {
            return self.schedule.hand_back(ticket);
        }
        let result = match answer.result {
            Err(fault) if self.renew_keys(ticket, answer.generation, &fault) => return,
            Err(fault) => Err(fault),
            Ok(page) => match self.targets.get_mut(ticket).and_then(|target| target.poll.as_mut()) {
                // Added to the earlier pages: the rows of a poll are published together, at its end.
                Some(poll) => poll.add(page),
                None => Ok(false),
            },
        };
        match result {
            Ok(true) => self.schedule.next_page(ticket, self.now.uptime),
            Ok(false) => self.finish(ticket, &Ok(())),
            // The same request once more, and at once: a refused field must not cost the others a poll.
            Err(fault) if self.leave_fields_out(ticket, &fault) => {
                // Pages that were read with other fields would not fit those that follow.
                self.targets.get_mut(ticket).into_iter().for_each(|target| target.poll = None);
                self.schedule.next_page(ticket, self.now.uptime);
            }
            Err(fault) => self.finish(ticket, &Err(fault)),
        }
    }

    /// The target was removed while its request was under way. There is nothing to publish, but a refusal or a spent
    /// allowance is one, whoever met it.
    fn on_late_answer(&mut self, answer: &Answer) {
        let now = self.now;
        if let Some(target) = self.targets.take_departed(answer.ticket) {
            let key = &target.planned.key;
            self.count(key, target.wire.endpoint(), answer);
            if self.is_outdated_refusal(key, answer) {
                return self.schedule.hand_back(answer.ticket);
            }
            let credential = key.credential_id();
            if self.plan.credential(&credential).is_some() {
                let fault = answer.result.as_ref().err().map(|fault| (fault, fault.reason));
                self.health.credentials.note_acceptance(&credential, fault, now, &mut self.out);
            }
        }
        // The schedule keeps the place until this: without it the lane would count a request that never comes
        // back.
        let outcome = answer.result.as_ref().map_or_else(Outcome::Failed, |_| Outcome::Fresh);
        self.schedule.settle(answer.ticket, outcome, now.uptime, now.dice);
        self.health.lanes.note_blocked(self.schedule.blocked(now.uptime), now, &mut self.out);
    }

    /// Counts a request, and takes in what its headers say.
    fn count(&mut self, key: &TargetKey, endpoint: &'static str, answer: &Answer) {
        let credential = key.credential_id();
        if let Some(took) = answer.took {
            let error = answer.result.as_ref().err().and_then(|fault| fault.code);
            let (credential, status) = (credential.clone(), answer.status);
            self.out.observe(Measurement::Request { credential, endpoint, status, error, took });
        }
        // Before the answer is judged: a refusal for want of allowance must meet the budget that its headers
        // describe.
        self.schedule.observe(answer.ticket, &answer.usage, self.now.uptime);
        self.health.lanes.note_usage(&LaneKey::of(key), &answer.usage, &mut self.out);
        let requested = self.plan.version_of(&credential);
        if let Some((served, requested)) = answer.served.clone().zip(requested) {
            self.quirks.note_version(&credential, &requested, served, &mut self.out);
        }
    }

    /// Whether the API refused keys that were replaced meanwhile: that says nothing about the new ones.
    fn is_outdated_refusal(&self, key: &TargetKey, answer: &Answer) -> bool {
        let refused = matches!(&answer.result, Err(fault) if fault.reason == Reason::Unauthorized);
        let newest = self.keys.newest(&key.credential_id());
        refused && answer.generation.is_some_and(|used| newest.is_some_and(|newest| used < newest))
    }

    /// Temporary keys may expire on the way. Others are asked for once a poll, and the request waits for them.
    fn renew_keys(&mut self, ticket: Ticket, generation: Option<Generation>, fault: &Fault) -> bool {
        let Some(target) = self.targets.get_mut(ticket) else { return false };
        let Some(poll) = target.poll.as_mut().filter(|_| target.wire.refuses_expired_keys(fault)) else { return false };
        let Some(generation) = generation else { return false };
        // Keys that are refused as soon as they are new would be refused a third time: it is no matter of
        // their age.
        if std::mem::replace(&mut poll.keys_renewed, true) {
            return false;
        }
        let credential = target.planned.key.credential_id();
        self.out.effect(Effect::RenewKeys { credential: credential.clone(), refused: generation });
        self.keys.park(Parked { credential, ticket, refused: Some((generation, fault.clone())) });
        true
    }

    /// Whether a fault names fields that can be left out, so that the request is worth repeating.
    fn leave_fields_out(&mut self, ticket: Ticket, fault: &Fault) -> bool {
        let Some(target) = self.targets.get(ticket) else { return false };
        let credential = target.planned.key.credential_id();
        let asked = target.poll.as_ref().map_or(MetricSet::NONE, |poll| poll.metrics);
        self.quirks.leave_out(&credential, fault, asked, self.now.uptime, &mut self.out)
    }

    /// Ends a target's poll: publishes what is good, reports what is not, and decides when to ask again.
    pub(super) fn finish(&mut self, ticket: Ticket, result: &Result<(), Fault>) {
        let now = self.now;
        let Some(target) = self.targets.get_mut(ticket) else { return };
        let poll = target.poll.take().unwrap_or_else(|| Poll::new(now.uptime));
        let outgrown = std::mem::take(&mut target.outgrown);
        let key = target.planned.key.clone();
        let partial = result.is_err() && poll.pages > 0;
        let (started, resumed) = (poll.started, poll.resumed);
        let gathered = match result {
            Err(fault) if poll.can_resume(key.subject, fault, now.uptime) => {
                target.poll = Some(poll.resumed());
                Gathered::default()
            }
            _ => poll.gathered,
        };
        // The number of half an answer would read like campaigns that are gone.
        let rows = result.is_ok().then(|| gathered.row_count());
        for (field, count) in &gathered.rejected {
            self.out.observe(Measurement::Rejected { source: key.source, field, count: *count });
        }

        // Half of an answer is published as well: what was read is newer than what is shown.
        let mut replan = false;
        // Whoever asked gets it, whole or not at all, and the exposition never sees it.
        if target.survey {
            let found = result.clone().map(|()| Box::new(gathered));
            self.out.effect(Effect::Found { key: key.clone(), found });
        } else if result.is_ok() || partial {
            replan |= self.take_in(ticket, gathered, partial, outgrown);
        }

        let outcome = result.as_ref().map_or_else(Outcome::Failed, |()| Outcome::Fresh);
        // Before anything is shown of the poll: when it is due next, and whether its lane is blocked, is
        // decided here.
        self.schedule.settle(ticket, outcome, now.uptime, now.dice);

        let fault = result.as_ref().err();
        let Some(target) = self.targets.get_mut(ticket) else { return };
        // An account that may not be read as a whole must not hide campaigns that can be read one by one.
        if let Some(fault) = fault {
            let failures = self.schedule.failures(ticket);
            replan |= self.membership.part(&target.planned, fault.reason, failures, now.uptime);
        }
        if fault.is_none() {
            target.answered = Some(now.uptime);
        }
        // Another question by now, or campaigns that joined while their names were being read: neither waits until the
        // next poll.
        if std::mem::take(&mut target.ask_again) {
            self.schedule.reschedule(ticket, target.soon(now.uptime));
        }
        // A cursor does not live for ever. The listing starts over, and not after the hours that a mistake would wait.
        if resumed && fault.is_some_and(|fault| fault.reason == Reason::InvalidRequest) {
            self.schedule.reschedule(ticket, now.uptime + START_OVER);
        }
        // Where the smallest page is still too much, it is the list of ids that has to become shorter.
        if target.page.learn(fault.map(|fault| fault.reason)) {
            replan |= self.split_list(ticket);
        }
        self.note_poll(
            ticket,
            &key,
            started,
            fault.map(|fault| (fault, if partial { Reason::Partial } else { fault.reason })),
            rows,
        );
        self.note_news_to_save();
        // A crash must not be a way past a block.
        if fault.is_some_and(|fault| fault.reason == Reason::Throttled) {
            self.save();
        }
        // Last, because it may remove the very target that was answered.
        if replan {
            self.replan();
        }
    }

    /// Passes the end of a poll on to whoever watches: target, credential, lane.
    fn note_poll(
        &mut self,
        ticket: Ticket,
        key: &TargetKey,
        started: Uptime,
        fault: Option<(&Fault, Reason)>,
        rows: Option<usize>,
    ) {
        let now = self.now;
        let load = self.schedule.load(ticket);
        let terms = self.targets.get(ticket).map(|target| target.planned.terms.of_samples()).unwrap_or_default();
        let interval = terms.interval.mul_f64(load.stretch);
        let leaves_early = Some(terms.staleness.bound(interval)).filter(|_| terms.staleness.is_too_short(interval));
        let end = PollEnd {
            started,
            fault,
            rows,
            interval,
            leaves_early,
            next_poll: self.schedule.due(ticket),
            failures: self.schedule.failures(ticket),
        };
        self.health.note_poll(key, &end, now, &mut self.out);
        let has_content = self.keys.newest(&key.credential_id()).is_some();
        self.health.trouble.poll(key, fault, has_content, now.uptime, &mut self.out);
        self.health.trouble.load(&load, leaves_early, now.uptime, &mut self.out);
        if key.subject == Subject::Token && fault.is_some() {
            self.health.credentials.note_token_fault(&key.credential_id(), &mut self.out);
        }
        self.health.credentials.note_acceptance(&key.credential_id(), fault, now, &mut self.out);
        self.health.lanes.note_load(load, &mut self.out);
        self.health.lanes.note_blocked(self.schedule.blocked(now.uptime), now, &mut self.out);
    }

    /// Publishes what a poll brought, and learns from it which targets there are. Says whether that changes the plan.
    fn take_in(&mut self, ticket: Ticket, gathered: Gathered, partial: bool, outgrown: bool) -> bool {
        let now = self.now;
        let Some(target) = self.targets.get_mut(ticket) else { return false };
        let planned = &target.planned;
        let (key, terms) = (planned.key.clone(), planned.terms.clone());
        let freshness = Freshness::new(now.uptime, self.schedule.load(ticket).stretch);
        let home: GroupKey = (key.source, key.account.or(gathered.account));
        match key.subject {
            // Half a listing would take the other half's names away.
            _ if partial && key.subject.is_discovery() => false,
            Subject::Token => {
                if let Some(health) = gathered.token {
                    self.health.credentials.note_token(&key.credential_id(), health, now, &mut self.out);
                }
                false
            }
            Subject::AccountFacts => {
                if let Some(facts) = gathered.facts {
                    self.out.change(Change::Account { key, home, facts, terms: terms.of_samples(), freshness });
                }
                false
            }
            Subject::Listing | Subject::CampaignFacts(_) => {
                let listing = Listing::new(&gathered.campaigns);
                let channel = self.plan.fleet.channel_of_all(&key).map(FleetChannel::id);
                self.out.change(Change::Campaigns { key, home, listing, terms: terms.of_samples(), freshness });
                let campaigns = gathered.campaigns.into_keys().collect();
                // Some APIs have no request for all campaigns: each of those listed becomes a target of its own.
                channel.is_some_and(|channel| self.targets.note_listed(channel, campaigns))
            }
            // Only surveys ask for these.
            Subject::VisibleAccounts | Subject::AssignedAccounts => false,
            Subject::Campaigns | Subject::Totals | Subject::Campaign(_) => {
                let joins = self.membership.note(planned, &gathered, now.uptime);
                let mut rows = gathered.rows;
                if outgrown {
                    let listed = planned.selection.listed().map(AsRef::as_ref);
                    rows = rows.iter().map(|page| page.narrowed(listed, terms.metrics)).collect();
                }
                self.out.change(Change::Rows(PolledRows {
                    key,
                    account: gathered.named,
                    // An answer to another list says nothing about the campaigns that joined meanwhile.
                    whole: !partial && !outgrown,
                    terms: terms.of_samples(),
                    freshness,
                    rows,
                }));
                joins
            }
        }
    }

    /// Spreads an account's list of ids over twice as many requests, where the smallest page is too much for the API.
    /// Says whether that can be done.
    fn split_list(&mut self, ticket: Ticket) -> bool {
        let Some(target) = self.targets.get(ticket) else { return false };
        // Noted in the plan alone: a reload or a restart tries the longer list again.
        let Some(ids) = self.plan.fleet.split_list(&target.planned) else { return false };
        let line = "the smallest page is too large for the API; each request lists fewer ids from now on";
        let report = LogLine::of_target(Severity::Warning, &target.planned.key, line);
        self.out.report(report.with("ids", ids.to_string()));
        true
    }
}
