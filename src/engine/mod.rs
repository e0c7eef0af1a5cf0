//! The engine: every decision about polling, and nothing else.
//!
//! It learns what happened from [`Event`]s and says what is to be done by [`Effect`]s. It has no clock, no dice, no
//! socket and no key: instants and dice come with each event, requests are data, credentials are known by name and
//! by the number of their content. So a day of an agency can be played in a test, and played again.
//!
//! ```text
//! engine.handle(event, moment);
//! while let Some(effect) = engine.poll() { /* carry it out */ }
//! /* sleep until engine.timeout(), or until something happens */
//! ```
//!
//! Each owner below decides about its own matter and sees no other's fields: `Targets` what is polled and how far
//! each poll got, [`Schedule`] whose request goes out next, `Membership` which single campaign rides with which
//! account, `Quirks` what an API was found to refuse, `Health` how targets, lanes and credentials fare. The
//! engine asks them in turn: `answer.rs` says in which order when an answer comes, this file when anything else
//! happens.

mod answer;
mod effect;
mod event;
mod health;
mod keys;
mod membership;
mod outbox;
mod poll;
mod quirks;
mod targets;
mod warm_start;

use std::collections::BTreeSet;
use std::time::Duration;

pub use effect::{Effect, Failed, LogLine, Measurement, Outgoing, Outlook, Severity, Update};
pub use event::{Answer, CredentialPlan, Event, Generation, KeyContent, Moment, PollPlan};
pub use poll::Gathered;

use crate::domain::change::Change;
use crate::domain::counted::counted;
use crate::domain::saved::SavedState;
use crate::domain::schedule::{Next, Schedule, Ticket};
use crate::domain::target::{CredentialId, Subject, TargetKey};
use crate::domain::time::Uptime;
use health::Health;
use keys::{KeyGenerations, Parked};
use membership::Membership;
use outbox::Outbox;
use poll::Poll;
use quirks::Quirks;
use targets::{Planning, Targets, WantedTarget};
use warm_start::SaveTimer;

/// Longest sleep of an engine that has nothing to do.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// The state behind every decision: the plan, and the owners that the module's documentation names.
#[derive(Debug, Default)]
pub struct Engine {
    /// The instant of the event that is being handled.
    now: Moment,
    plan: PollPlan,
    targets: Targets,
    schedule: Schedule,
    membership: Membership,
    quirks: Quirks,
    health: Health,
    keys: KeyGenerations,
    in_flight: usize,
    /// When the schedule lets the next request out.
    next_send: Option<Uptime>,
    ready: bool,
    /// Whether names were asked for once, too.
    named: bool,
    saving: Option<SaveTimer>,
    out: Outbox,
}

impl Engine {
    /// Takes in what happened. What is to be done about it is said by [`Engine::poll`] from then on.
    pub fn handle(&mut self, event: Event, now: Moment) {
        self.now = now;
        // What a plan shows is published before the first request of it goes out, with the next event.
        let sends = !matches!(event, Event::Plan(_) | Event::Restore(_));
        match event {
            Event::Plan(plan) => self.take_plan(*plan),
            Event::Restore(state) => self.restore(state),
            Event::Keys { credential, content } => self.on_keys(&credential, &content),
            Event::NotSent(ticket) => self.on_not_sent(ticket),
            Event::Answer(answer) => self.on_answer(*answer),
            Event::Time => {}
            Event::Stop => {
                // The log limits itself; what it held back is said now or never.
                self.health.trouble.say_rest(now.uptime, &self.targets.keys(), &mut self.out);
                self.save();
                return self.out.flush();
            }
        }
        self.health.trouble.say_due(now.uptime, &self.targets.keys(), &mut self.out);
        if sends {
            self.read_credentials();
            self.send_due();
        } else {
            self.next_send = Some(now.uptime);
        }
        self.note_ready();
        self.save_when_due();
        self.out.flush();
    }

    /// The next thing to be done.
    pub fn poll(&mut self) -> Option<Effect> {
        self.out.next()
    }

    /// When to say that time passed, if nothing happens before.
    pub fn timeout(&self) -> Uptime {
        let read = self.credentials_to_read().next().map(|_| self.keys.read_due());
        let save = self.saving.and_then(SaveTimer::due);
        let due = [self.next_send, read, save, self.health.trouble.due()].into_iter().flatten().min();
        let longest = self.now.uptime + LONGEST_SLEEP;
        due.map_or(longest, |due| due.min(longest))
    }

    /// Whether every target was answered or refused once, be it that its lane or its credential is refused, and no
    /// request is under way.
    pub fn is_settled(&self) -> bool {
        self.in_flight == 0 && self.keys.is_idle() && self.schedule.all_settled(self.now.uptime)
    }

    /// What became of polling everything once.
    pub fn failed(&self) -> Failed {
        let mut failed = Failed { targets: 0, total: self.targets.count(), lookups: 0 };
        for (key, ticket) in self.targets.iter() {
            let fails = !self.schedule.is_settled(ticket) || self.health.is_failing(key);
            let count = if key.subject.is_discovery() { &mut failed.lookups } else { &mut failed.targets };
            *count += usize::from(fails);
        }
        failed
    }

    /// What is to be expected of a target's first answer.
    pub fn outlook(&self, key: &TargetKey) -> Outlook {
        let Some(ticket) = self.targets.ticket(key).filter(|ticket| !self.schedule.is_settled(*ticket)) else {
            return Outlook::Settled;
        };
        match self.schedule.opens(ticket) {
            _ if self.schedule.is_under_way(ticket) => Outlook::Due(self.now.uptime),
            // As much of its lane is under way as may be.
            None => Outlook::Due(self.now.uptime),
            Some(_) if self.schedule.is_rejected(&key.credential_id()) => Outlook::CredentialRefused,
            Some(opens) => Outlook::Due(opens),
        }
    }

    /// Takes over a plan: that of the start, or that of a reload.
    fn take_plan(&mut self, plan: PollPlan) {
        let first = self.plan.credentials.is_empty();
        let before = self.targets.count();
        let former = std::mem::replace(&mut self.plan, plan);
        self.out.change(Change::Bound(self.plan.max_series));
        let gone = self.take_credentials(&former);
        self.targets.keep_listed(&former.fleet, &self.plan.fleet);
        self.membership.retain(&self.plan.fleet);
        let wanted = self.wanted();
        let (targets, mut with) = self.planning();
        let anew = targets.reload(wanted, &mut with);
        for credential in gone {
            self.health.trouble.forget_credential(&credential, self.now.uptime);
            self.health.credentials.forget(&credential, &mut self.out);
        }
        for credential in self.plan.changed.clone() {
            self.try_again(&credential, false);
        }
        self.note_news_to_save();
        if !first {
            let targets = self.targets.count();
            let line = format!("the configuration was reloaded: {}, {before} before", counted(targets, "target"));
            let report = LogLine::new(Severity::Info, line).with("targets", targets.to_string());
            self.out.report(report.with("before", before.to_string()).with("anew", anew.to_string()));
        }
    }

    /// The credentials of the plan: those that are new, changed, or gone. Gives back those that are gone; they are
    /// forgotten when their targets are.
    fn take_credentials(&mut self, former: &PollPlan) -> Vec<CredentialId> {
        for new in &self.plan.credentials {
            let Some(old) = former.credential(&new.id) else {
                self.health.credentials.expect(&new.id, new.expiry, &mut self.out);
                continue;
            };
            if self.plan.changed.contains(&new.id) {
                self.health.credentials.set_expiry_kind(&new.id, new.expiry, &mut self.out);
                // Whatever it was refused for may be over.
                self.schedule.credential_changed(&new.id);
            }
            self.schedule.regrant(&new.id, new.grant);
            if !new.api.is_same(&*old.api) {
                // Another version may take the fields that this one refused.
                self.quirks.forget(&new.id, &old.api.version(), &mut self.out);
            }
        }
        let mut gone = Vec::new();
        for old in former.credentials.iter().filter(|old| self.plan.credential(&old.id).is_none()) {
            self.quirks.forget(&old.id, &old.api.version(), &mut self.out);
            self.keys.forget(&old.id);
            // A name that is configured again later begins without its former refusal.
            self.schedule.credential_changed(&old.id);
            gone.push(old.id.clone());
        }
        gone
    }

    /// Every target that is wanted as far as it is known.
    fn wanted(&self) -> Vec<WantedTarget> {
        let fleet = self.membership.join(&self.plan.fleet);
        let planned = fleet.targets(|channel| self.targets.listed(&channel.id()));
        let surveys = self.plan.fleet.surveys.iter().map(|planned| (planned.clone(), true));
        planned.into_iter().map(|planned| (planned, false)).chain(surveys).collect()
    }

    /// Brings targets and schedule in line with the plan and with what was learned.
    fn replan(&mut self) {
        let wanted = self.wanted();
        let (targets, mut with) = self.planning();
        targets.replan(wanted, &mut with);
    }

    fn planning(&mut self) -> (&mut Targets, Planning<'_>) {
        let Self { plan, schedule, health, out, now, .. } = self;
        (&mut self.targets, Planning { plan, schedule, health, out, now: *now })
    }

    /// Keeps the state from now on, and goes on where an earlier life ended.
    fn restore(&mut self, state: Option<SavedState>) {
        self.saving = Some(SaveTimer::from(self.now.uptime));
        let Some(mut state) = state else { return };
        // Which targets there are depends on what was learned.
        self.membership.restore(&self.plan.fleet, std::mem::take(&mut state.members));
        warm_start::restore_listings(&mut self.targets, &self.plan, &state, self.now);
        self.replan();
        let (targets, mut with) = self.planning();
        let restored = warm_start::restore(targets, state, &mut with);
        self.out.observe(Measurement::Restored(restored));
        let targets = self.targets.count();
        let line = format!("warm start: {restored} of {} continue where they left off", counted(targets, "target"));
        let report = LogLine::new(Severity::Info, line).with("restored", restored.to_string());
        self.out.report(report.with("targets", targets.to_string()));
    }

    fn note_news_to_save(&mut self) {
        self.saving.iter_mut().for_each(SaveTimer::note_news);
    }

    fn save_when_due(&mut self) {
        if self.saving.and_then(SaveTimer::due).is_some_and(|due| due <= self.now.uptime) {
            self.save();
        }
    }

    /// Has the state written, where it is kept at all.
    fn save(&mut self) {
        if let Some(saving) = &mut self.saving {
            *saving = SaveTimer::from(self.now.uptime);
            self.out.save(warm_start::state(&self.targets, &self.schedule, &self.membership, self.now));
        }
    }

    /// A credential was read. New content is tried at once, whatever the former was refused for.
    fn on_keys(&mut self, credential: &CredentialId, content: &KeyContent) {
        let problem = match content {
            KeyContent::Read(_) => Some(None),
            KeyContent::Unreadable { last, problem } => Some(Some((problem.as_str(), last.is_some()))),
            // Keys from elsewhere are in no file and no variable.
            KeyContent::NotFetched => None,
        };
        if let Some(problem) = problem {
            let message = problem.map(|(message, _)| message);
            self.health.credentials.note_readable(credential, message, self.now, &mut self.out);
            self.health.trouble.content(credential, problem, self.now.uptime, &mut self.out);
        }
        if let KeyContent::Read(generation) = content
            && self.keys.note(credential, *generation)
        {
            if self.schedule.is_rejected(credential) {
                self.out.report(LogLine::of_credential(
                    Severity::Info,
                    credential,
                    "the credential changed: trying it",
                ));
            }
            self.schedule.credential_changed(credential);
            self.health.credentials.note_keys_read(credential, self.now, &mut self.out);
            // How long the former token lived says nothing about this one.
            self.health.credentials.forget_token(credential, &mut self.out);
            self.try_again(credential, true);
        }
        for Parked { ticket, refused, .. } in self.keys.unpark(credential) {
            match refused {
                // Nothing better came: then the refusal is the answer.
                Some((generation, fault)) if self.keys.newest(credential) == Some(generation) => {
                    self.finish(ticket, &Err(fault));
                }
                _ => self.schedule.hand_back(ticket),
            }
        }
    }

    /// Other keys, or settings, may be granted what the former were refused, and another token lives for another
    /// time: no back-off is waited out.
    fn try_again(&mut self, credential: &CredentialId, token_too: bool) {
        for (key, ticket) in self.targets.iter().filter(|(key, _)| key.credential_id() == *credential) {
            if self.schedule.failures(ticket) > 0 || token_too && key.subject == Subject::Token {
                self.schedule.reschedule(ticket, self.now.uptime);
            }
        }
    }

    /// Credentials that are refused, or cannot be read: they are read until that is over.
    fn credentials_to_read(&self) -> impl Iterator<Item = CredentialId> {
        // The schedule remembers credentials that left the configuration.
        let refused = self.schedule.rejected().filter(|credential| self.plan.credential(credential).is_some());
        refused.chain(self.health.credentials.unreadable().cloned())
    }

    fn read_credentials(&mut self) {
        if self.keys.read_due() > self.now.uptime {
            return;
        }
        let credentials: BTreeSet<_> = self.credentials_to_read().collect();
        if !credentials.is_empty() {
            // Only when there was one to read, so that the first refusal is looked into at once.
            self.keys.note_read(self.now.uptime);
        }
        for credential in credentials {
            self.out.effect(Effect::ReadKeys(credential));
        }
    }

    /// The keys of a request are still being fetched.
    fn on_not_sent(&mut self, ticket: Ticket) {
        self.in_flight = self.in_flight.saturating_sub(1);
        match self.targets.get(ticket) {
            Some(target) => {
                self.keys.park(Parked { credential: target.planned.key.credential_id(), ticket, refused: None });
            }
            None => self.schedule.hand_back(ticket),
        }
    }

    /// Lets every request out that is due, as far as the bound on requests in flight allows.
    fn send_due(&mut self) {
        self.next_send = None;
        while self.in_flight < self.plan.concurrency {
            match self.schedule.next(self.now.uptime, self.plan.concurrency - self.in_flight) {
                Next::Ask(ticket) => self.send(ticket),
                Next::Sleep(until) => {
                    self.next_send = until;
                    break;
                }
            }
        }
    }

    fn send(&mut self, ticket: Ticket) {
        let Some(target) = self.targets.get_mut(ticket) else { return };
        let credential = target.planned.key.credential_id();
        let metrics = self.quirks.supported(&credential, target.planned.terms.metrics, self.now.uptime, &mut self.out);
        let poll = target.poll.get_or_insert_with(|| Poll::new(self.now.uptime));
        poll.metrics = metrics;
        let outgoing = Outgoing {
            ticket,
            credential,
            target: target.wire.clone(),
            cursor: poll.cursor.clone(),
            limit: target.page.rows(),
            metrics,
        };
        self.in_flight += 1;
        self.out.effect(Effect::Send(outgoing));
    }

    fn note_ready(&mut self) {
        // Before the first plan nothing is outstanding, but nothing is known either.
        let planned = !self.plan.credentials.is_empty();
        // Names may take their time: a listing has hundreds of pages.
        if planned && !self.ready && self.schedule.figures_settled(self.now.uptime) {
            self.ready = true;
            self.out.ready();
            self.save();
        }
        // Whoever is killed soon after does not ask for them again.
        if self.ready && !self.named && self.schedule.all_settled(self.now.uptime) {
            self.named = true;
            self.save();
        }
    }
}

#[cfg(test)]
mod tests;
