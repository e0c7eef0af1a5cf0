//! The end of a poll: publish what is good, say what is not, decide when to ask again.

use super::progress::Progress;
use super::{Poll, Poller, channel_of, dice, report};
use crate::clock;
use crate::domain::facts::Listing;
use crate::domain::fault::{Fault, Reason};
use crate::domain::plan::Wanted;
use crate::domain::schedule::{Outcome, Ticket, Uptime};
use crate::domain::snapshot::{Brought, Change, GroupKey};
use crate::domain::status::Expiry;
use crate::domain::target::{Source, Subject, TargetKey};

impl Poller {
    /// Ends a target's poll.
    pub(super) fn settle(&mut self, ticket: Ticket, result: &Result<(), Fault>) {
        let now = self.clock.uptime();
        let Some(mut poll) = self.polls.remove(&ticket) else { return };
        let progress = poll.progress.take().unwrap_or_else(|| Progress::new(now));
        let started = progress.started;
        let partial = result.is_err() && progress.pages > 0;

        for (field, count) in &progress.rejected {
            let labels = [poll.planned.key.source.label(), *field];
            self.telemetry.samples_rejected.with_label_values(&labels).inc_by(*count);
        }
        self.note_trial(&poll.planned.key, result, &progress);
        let mut rows = None;
        let mut replan = if result.is_ok() || partial {
            rows = Some(progress.row_count()).filter(|_| !partial);
            self.bring(&mut poll, progress, partial, now)
        } else {
            false
        };
        match result {
            Ok(()) => self.timetable.settle(ticket, Outcome::Fresh, now, dice()),
            Err(fault) => self.timetable.settle(ticket, Outcome::Failed(fault), now, dice()),
        }
        if let Err(fault) = result {
            replan |= self.part_members(&poll, fault.reason);
        }
        if poll.planned.key.subject.is_discovery() && std::mem::take(&mut poll.outgrown) {
            self.timetable.reschedule(ticket, now);
        }
        let reason = result.as_ref().err().map(|fault| if partial { Reason::Partial } else { fault.reason });
        // A check tells everything at its end.
        if self.trials.is_none() {
            self.say(&poll.planned.key, ticket, result.as_ref().err().zip(reason), now);
        }
        poll.last = reason;
        if poll.fit_page(result.as_ref().err()) {
            replan |= self.split_list(&poll);
        }
        let fault = result.as_ref().err().zip(reason);
        if poll.planned.key.subject == Subject::Token && fault.is_some() {
            let key = &poll.planned.key;
            // A date that is known does not change because it cannot be looked up now.
            self.note_credential(key.source, &key.credential, |status| {
                status.expiry = if status.expiry == Expiry::Told { Expiry::Told } else { Expiry::Failed };
            });
        }
        self.note_standing(&poll.planned.key, ticket, fault, now);
        self.record(&mut poll, ticket, fault, rows, (started, now));
        self.polls.insert(ticket, poll);
        if let Some(saving) = &mut self.saving {
            saving.news = true;
        }
        if replan {
            self.replan();
        }
    }

    /// What the log says of a poll. A credential without any content was not refused by the API; the log has
    /// said by then what is wrong with its file, its variable or its surroundings.
    fn say(&mut self, key: &TargetKey, ticket: Ticket, fault: Option<(&Fault, Reason)>, now: Uptime) {
        let refused = matches!(fault, Some((_, Reason::Unauthorized)));
        if refused && !self.keyring.has_content(key.source, &key.credential) {
            report::debug(key, fault);
        } else {
            self.report.poll(key, fault, now);
        }
        self.report.load(&self.timetable.load(ticket), now);
    }

    /// Passes on what a poll brought. Says whether it changes the plan.
    fn bring(&mut self, poll: &mut Poll, progress: Progress, partial: bool, now: Uptime) -> bool {
        let (key, terms) = (&poll.planned.key, &poll.planned.terms);
        let home: GroupKey = (key.source, key.account.or(progress.account));
        let labels = terms.labels.clone();
        match key.subject {
            // Half a listing would take the other half's names away.
            _ if partial && key.subject.is_discovery() => false,
            Subject::Token => {
                if let Some(health) = progress.token {
                    self.note_token(poll, health);
                }
                false
            }
            Subject::AccountFacts => {
                let change = progress.facts.map(|facts| Change::Account(key.clone(), home, facts, labels));
                self.news.changes.extend(change);
                false
            }
            Subject::Listing | Subject::CampaignFacts(_) => {
                let listing = Listing::new(&progress.campaigns);
                self.news.changes.push(Change::Campaigns(key.clone(), home, listing, labels));
                self.note_campaigns(poll, &progress)
            }
            Subject::Campaigns | Subject::Totals | Subject::Campaign(_) => {
                let brought = Brought {
                    key: key.clone(),
                    account: progress.named,
                    whole: !partial && !std::mem::take(&mut poll.outgrown),
                    labels,
                    expires: now + terms.stale_after,
                    rows: Vec::new(),
                };
                let replan = self.note_member(poll, &progress);
                self.news.changes.push(Change::Rows(Brought { rows: progress.rows, ..brought }));
                replan
            }
        }
    }

    /// Keeps which campaigns a CAMS channel has, where all are wanted.
    fn note_campaigns(&mut self, poll: &Poll, progress: &Progress) -> bool {
        let key = &poll.planned.key;
        if key.source != Source::Cams {
            return false;
        }
        let Some(channel) = self.fleet.channels.get(key.part as usize) else { return false };
        let ids: Vec<_> = progress.campaigns.keys().copied().collect();
        let new = channel.wanted == Wanted::All && self.listed.get(&channel_of(channel)) != Some(&ids);
        if new {
            self.listed.insert(channel_of(channel), ids);
        }
        new
    }

    /// The metrics of a poll that ended.
    fn record(
        &mut self,
        poll: &mut Poll,
        ticket: Ticket,
        fault: Option<(&Fault, Reason)>,
        rows: Option<usize>,
        (started, now): (Uptime, Uptime),
    ) {
        let (telemetry, key) = (&self.telemetry, &poll.planned.key);
        let (source, credential) = (key.source.label(), &*key.credential);
        let reason = fault.map(|(_, reason)| reason);
        telemetry.polls.with_label_values(&[source, credential]).inc();
        telemetry.poll_duration.with_label_values(&[source]).observe(now.saturating_sub(started).as_secs_f64());
        if let Some(reason) = reason {
            telemetry.poll_failures.with_label_values(&[source, credential, reason.label()]).inc();
        }
        if key.subject.is_discovery() {
            return;
        }
        let interval = poll.planned.terms.interval.mul_f64(self.timetable.load(ticket).stretch);
        let status = &mut poll.status;
        status.note(fault.map(|(fault, reason)| (reason, &*fault.message)), clock::wall_seconds());
        status.interval = interval;
        status.next_poll = Some(self.clock.wall_at(self.timetable.due(ticket)));
        status.failures = Some(self.timetable.failures(ticket));
        status.rows = rows.or(status.rows);
        self.news.changes.push(Change::Status(poll.planned.key.clone(), poll.status.clone()));
    }
}
