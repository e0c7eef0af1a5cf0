//! The end of a poll: publish what is good, say what is not, decide when to ask again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::progress::Progress;
use super::{Poll, Poller, channel_of, count_samples, dice};
use crate::clock;
use crate::domain::fault::{Fault, Reason};
use crate::domain::plan::Wanted;
use crate::domain::repeat::Telling;
use crate::domain::schedule::{Outcome, Ticket, Uptime};
use crate::domain::snapshot::{GroupKey, Row};
use crate::domain::target::{CampaignId, Source, Subject, account_label};

/// A stretch that is worth a line.
const STRETCHED: f64 = 1.1;

impl Poller {
    /// Ends a target's poll.
    pub(super) fn settle(&mut self, ticket: Ticket, result: &Result<(), Fault>) {
        let now = self.clock.uptime();
        let Some(mut poll) = self.polls.remove(&ticket) else { return };
        let progress = poll.progress.take().unwrap_or_else(|| Progress::new(now));
        let started = progress.started;
        let partial = result.is_err() && progress.pages > 0;

        for field in &progress.rejected {
            self.telemetry.samples_rejected.with_label_values(&[poll.planned.key.source.label(), field]).inc();
        }
        self.note_trial(&poll.planned.key, result, &progress);
        let mut rows = None;
        let mut replan = if result.is_ok() || partial {
            rows = Some(progress.rows.len()).filter(|_| !partial);
            self.publish(&mut poll, progress, partial, now)
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
        let reason = result.as_ref().err().map(|fault| if partial { Reason::Partial } else { fault.reason });
        // A check tells everything at its end.
        if self.trials.is_none() {
            let telling = poll.repeats.note(reason, now);
            report(&poll, result.as_ref().err().zip(reason), telling);
        }
        poll.last = reason;
        if poll.fit_page(result.as_ref().err()) {
            replan |= self.split_list(&poll);
        }
        self.tell_stretch(ticket);
        self.record(&poll, ticket, reason, rows, (started, now));
        self.polls.insert(ticket, poll);
        if replan {
            self.replan();
        }
    }

    /// Puts an answer into the snapshot and, with what changed, before the scrapes. Says whether
    /// discovery brought something that changes the plan.
    fn publish(&mut self, poll: &mut Poll, progress: Progress, partial: bool, now: Uptime) -> bool {
        let (key, terms) = (&poll.planned.key, &poll.planned.terms);
        let home: GroupKey = (key.source, key.account.or(progress.account));
        let mut replan = false;
        let changed = match key.subject {
            // Half a listing would take the other half's names away.
            _ if partial && key.subject.is_discovery() => return false,
            Subject::Token => {
                if let Some(health) = progress.token {
                    self.note_token(poll, health);
                }
                return false;
            }
            Subject::AccountFacts => {
                let Some(facts) = progress.facts else { return false };
                self.snapshot.learn_account(home, facts, &terms.labels);
                vec![home]
            }
            Subject::Listing | Subject::CampaignFacts(_) => {
                replan = self.note_campaigns(poll, &progress);
                let (key, labels) = (&poll.planned.key, &poll.planned.terms.labels);
                self.snapshot.learn_campaigns(key, home, progress.campaigns, labels);
                vec![home]
            }
            Subject::Campaigns | Subject::Totals | Subject::Campaign(_) => {
                replan = self.note_member(poll, &progress);
                let outgrown = std::mem::take(&mut poll.outgrown);
                let (key, terms) = (&poll.planned.key, &poll.planned.terms);
                let rows = if partial || outgrown { self.completed(poll, progress.rows) } else { progress.rows };
                // What a poll did not bring grows no younger by what it brought.
                let former = self.snapshot.expires(key).filter(|_| partial || outgrown);
                let expires = former.unwrap_or(now + terms.stale_after);
                let (changed, full) = self.snapshot.publish(key, rows, &terms.labels, expires);
                if let Some(full) = full {
                    let labels = [key.source.label(), &*key.credential];
                    self.telemetry.series_dropped.with_label_values(&labels).inc_by(full.left_out as u64);
                    tracing::error!(source = key.source.label(), credential = %key.credential, account = account_label(key.account), target = %key.subject, window = key.window.label(), left_out = full.left_out, "exposition.max_series is reached: the target is left out; raise it, or ask for fewer campaigns or windows");
                }
                let held = self.snapshot.rows(key).map_or(0, |rows| rows.iter().map(|row| row.figures.len()).sum());
                count_samples(poll, i64::try_from(held).unwrap_or(i64::MAX), &self.telemetry);
                changed
            }
        };
        self.store.publish(self.store.exposition().update(&self.snapshot, &changed));
        replan
    }

    /// The pages that were read, and the former rows of what they did not hold.
    fn completed(&self, poll: &Poll, rows: Vec<Row>) -> Vec<Row> {
        let mut by_campaign: BTreeMap<Option<CampaignId>, Row> = BTreeMap::new();
        let former = self.snapshot.rows(&poll.planned.key);
        for row in former.into_iter().flat_map(|rows| rows.iter().cloned()).chain(rows) {
            by_campaign.insert(row.campaign, row);
        }
        by_campaign.into_values().collect()
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

    /// One line when a lane's intervals begin to stretch, and one when they fit again.
    fn tell_stretch(&mut self, ticket: Ticket) {
        let load = self.timetable.load(ticket);
        let (lane, stretched) = (load.lane, self.stretched.contains(load.lane));
        let (source, credential) = (lane.source.label(), &*lane.credential);
        let account = account_label(lane.account);
        if !stretched && load.stretch > STRETCHED {
            tracing::warn!(
                source,
                credential,
                account,
                demand = load.demand.round(),
                allowance = load.allowance.round(),
                "the wanted intervals need more requests than the allowance grants: they stretch {:.1} times",
                load.stretch
            );
            self.stretched.insert(lane.clone());
        } else if stretched && load.stretch <= 1.0 {
            tracing::info!(source, credential, account, "the wanted intervals fit the allowance again");
            self.stretched.remove(&lane.clone());
        }
    }

    /// The metrics of a poll that ended.
    fn record(
        &self,
        poll: &Poll,
        ticket: Ticket,
        reason: Option<Reason>,
        rows: Option<usize>,
        (started, now): (Uptime, Uptime),
    ) {
        let (telemetry, key) = (&self.telemetry, &poll.planned.key);
        let (source, credential) = (key.source.label(), &*key.credential);
        match reason {
            None => telemetry.credential_valid.with_label_values(&[source, credential]).set(1),
            Some(Reason::Unauthorized) => telemetry.credential_valid.with_label_values(&[source, credential]).set(0),
            Some(_) => {}
        }
        let blocked = self.timetable.blocked(now).map(|(lane, until)| (lane, self.clock.wall_at(until)));
        telemetry.set_blocked(blocked);
        let load = self.timetable.load(ticket);
        let account = account_label(load.lane.account);
        telemetry.api_allowance.with_label_values(&[source, credential, &account]).set(load.allowance);
        telemetry.api_demand.with_label_values(&[source, credential, &account]).set(load.demand);
        telemetry.polls.with_label_values(&[source, credential]).inc();
        telemetry.poll_duration.with_label_values(&[source]).observe(now.saturating_sub(started).as_secs_f64());
        if let Some(reason) = reason {
            telemetry.poll_failures.with_label_values(&[source, credential, reason.label()]).inc();
        }
        if key.subject.is_discovery() {
            return;
        }
        let labels = poll.labels.values();
        telemetry.target_up.with_label_values(&labels).set(i64::from(reason.is_none()));
        telemetry.target_last_attempt.with_label_values(&labels).set(clock::wall_seconds());
        if reason.is_none() {
            telemetry.target_last_success.with_label_values(&labels).set(clock::wall_seconds());
        }
        let interval = poll.planned.terms.interval.as_secs_f64() * load.stretch;
        telemetry.target_poll_interval.with_label_values(&labels).set(interval);
        let next = self.clock.wall_at(self.timetable.due(ticket));
        telemetry.target_next_poll.with_label_values(&labels).set(next);
        let failures = i64::from(self.timetable.failures(ticket));
        telemetry.target_consecutive_failures.with_label_values(&labels).set(failures);
        if let Some(rows) = rows {
            telemetry.target_rows.with_label_values(&labels).set(i64::try_from(rows).unwrap_or(i64::MAX));
        }
    }
}

/// One line when a target's state changes, and one an hour while it fails; the rest is told at debug
/// level.
fn report(poll: &Poll, fault: Option<(&Fault, Reason)>, telling: Telling) {
    let key = &poll.planned.key;
    let (source, credential, window) = (key.source.label(), &*key.credential, key.window.label());
    let account = account_label(key.account);
    let target = key.subject.to_string();
    let Some((fault, reason)) = fault else {
        if let Telling::Recovered(polls) = telling {
            tracing::info!(source, credential, account, target, window, polls, "poll succeeds again");
        } else {
            tracing::debug!(source, credential, account, target, window, "poll succeeded");
        }
        return;
    };
    let (reason, code) = (reason.label(), fault.code.unwrap_or_default());
    match telling {
        Telling::Changed if fault.is_abuse() => {
            tracing::error!(
                source,
                credential,
                account,
                target,
                window,
                reason,
                code,
                "the API sees abuse and blocks: {fault}"
            );
        }
        Telling::Changed => {
            tracing::warn!(source, credential, account, target, window, reason, code, "poll failed: {fault}");
        }
        Telling::Still(polls, time) => {
            let time = humantime::format_duration(Duration::from_secs(time.as_secs()));
            tracing::warn!(
                source,
                credential,
                account,
                target,
                window,
                reason,
                code,
                polls,
                "poll still fails, {polls} times in {time}: {fault}"
            );
        }
        _ => tracing::debug!(source, credential, account, target, window, reason, code, "poll failed again: {fault}"),
    }
}
