//! What survives a restart: where each target was in the schedule, and what was learned.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::event::{Moment, PollPlan};
use super::membership::Membership;
use super::targets::{Planning, Targets};
use crate::domain::change::{Change, PolledRows};
use crate::domain::freshness::{Freshness, SampleTerms};
use crate::domain::saved::{SavedNames, SavedState, SavedTarget};
use crate::domain::schedule::Schedule;
use crate::domain::target::{Subject, TargetKey};
use crate::domain::time::{UnixSeconds, Uptime};

/// How old the file may grow while there is news.
const SAVE_EVERY: Duration = Duration::from_secs(15);

/// Longest that anything is put off for what a file says: a wall clock may have jumped meanwhile.
const MAX_RESTORED_WAIT: Duration = Duration::from_hours(24);

/// When the state is to be written next.
#[derive(Clone, Copy, Debug)]
pub(super) struct SaveTimer {
    next: Uptime,
    /// Whether anything was polled since.
    news: bool,
}

impl SaveTimer {
    /// Nothing is to be written yet.
    pub(super) fn from(now: Uptime) -> Self {
        Self { next: now + SAVE_EVERY, news: false }
    }

    pub(super) fn note_news(&mut self) {
        self.news = true;
    }

    /// When to write, where there is anything new.
    pub(super) fn due(self) -> Option<Uptime> {
        self.news.then_some(self.next)
    }
}

/// What is to survive. Rows and names are added by whoever publishes them.
pub(super) fn state(targets: &Targets, schedule: &Schedule, membership: &Membership, now: Moment) -> SavedState {
    let mut state = SavedState { members: membership.saved(), ..SavedState::default() };
    // What was never answered has nothing to go on from; it starts at once after a restart, too.
    for (key, ticket) in targets.iter().filter(|(_, ticket)| schedule.is_settled(*ticket)) {
        let Some(target) = targets.get(ticket) else { continue };
        let saved = SavedTarget {
            asks: target.asks.clone(),
            due: now.wall_at(schedule.due(ticket)),
            failures: schedule.failures(ticket),
            ..SavedTarget::default()
        };
        state.targets.insert(key.clone(), saved);
    }
    let blocked = schedule.blocked(now.uptime);
    state.blocked = blocked.map(|(lane, until)| (lane.clone(), now.wall_at(until))).collect();
    state
}

/// Notes which campaigns the channels had, as far as their listings ask what they asked then.
pub(super) fn restore_listings(targets: &mut Targets, plan: &PollPlan, state: &SavedState, now: Moment) {
    for known in state.listings.iter().filter(|known| known.expires > now.wall) {
        let key = &known.key;
        let channel = plan.fleet.channel_of_all(key).filter(|_| asks_the_same(targets, key, &state.targets));
        if let Some(channel) = channel {
            targets.note_listed(channel.id(), known.what.iter().map(|listed| listed.campaign).collect());
        }
    }
}

/// Goes on where an earlier life ended, as far as that is still wanted. Says how many targets do.
pub(super) fn restore(targets: &Targets, mut state: SavedState, with: &mut Planning<'_>) -> usize {
    let now = with.now;
    let uptime = |instant: UnixSeconds| {
        let wait = Duration::try_from_secs_f64(instant - now.wall).unwrap_or_default();
        now.uptime + wait.min(MAX_RESTORED_WAIT)
    };
    for (lane, until) in &state.blocked {
        // First of all: a restart must not be a way past a block, which calls would only prolong.
        with.schedule.block(lane, uptime(*until));
    }
    with.health.lanes.note_blocked(with.schedule.blocked(now.uptime), now, with.out);

    // A file of last month must not bring last month's names.
    state.accounts.retain(|known| known.expires > now.wall);
    state.listings.retain(|known| known.expires > now.wall);
    let accounts = state.accounts.iter().map(|known| known.key.clone());
    let names: BTreeSet<_> = accounts.chain(state.listings.iter().map(|known| known.key.clone())).collect();

    let mut restored = 0;
    for (key, ticket) in targets.iter() {
        // Whoever has no names to show asks for them at once.
        let nameless = key.subject.is_discovery() && key.subject != Subject::Token && !names.contains(key);
        if nameless || !asks_the_same(targets, key, &state.targets) {
            continue;
        }
        let (Some(saved), Some(target)) = (state.targets.get_mut(key), targets.get(ticket)) else { continue };
        restored += usize::from(!key.subject.is_discovery());
        let terms = &target.planned.terms;
        // The interval, or the clock, may be another by now; and whoever restarts may have mended what failed.
        // A first poll is followed by the second after one and a half intervals at the latest.
        let due = uptime(saved.due).min(now.uptime + terms.interval.mul_f64(1.5));
        with.schedule.resume(ticket, due, saved.failures);
        let stretch = saved.status.as_ref().map_or(1.0, |status| status.interval.div_duration_f64(terms.interval));
        if let Some(status) = saved.status.take() {
            with.health.restore(key, status, with.out);
        }
        if let Some(rows) = saved.rows.take() {
            let terms = terms.of_samples();
            let mut freshness = Freshness::new(now.uptime, stretch.max(1.0));
            // Never later than a fresh answer would expire: the clock, or `stale_after`, may be another by now.
            let bound = freshness.bound(&terms, 1.0);
            let age = |expires: UnixSeconds| bound.saturating_sub(uptime(expires) - now.uptime);
            freshness.age = age(rows.expires);
            let older =
                rows.older.iter().map(|(campaign, expires)| (*campaign, age(*expires).saturating_sub(freshness.age)));
            freshness.older = older.collect();
            with.out.change(Change::Rows(PolledRows {
                key: key.clone(),
                account: rows.account,
                rows: vec![Arc::unwrap_or_clone(rows.rows)],
                whole: true,
                terms,
                freshness,
            }));
        }
    }
    let aged = |terms: &SampleTerms, expires: UnixSeconds| {
        let mut freshness = Freshness::new(now.uptime, 1.0);
        freshness.age = freshness.bound(terms, 1.0).saturating_sub(uptime(expires) - now.uptime);
        freshness
    };
    for SavedNames { key, home, what: facts, expires } in state.accounts {
        if let Some(terms) = terms_of(targets, &key, &state.targets) {
            let freshness = aged(&terms, expires);
            with.out.change(Change::Account { key, home, facts, terms, freshness });
        }
    }
    for SavedNames { key, home, what: listing, expires } in state.listings {
        if let Some(terms) = terms_of(targets, &key, &state.targets) {
            let freshness = aged(&terms, expires);
            with.out.change(Change::Campaigns { key, home, listing, terms, freshness });
        }
    }
    restored
}

type Saved = BTreeMap<TargetKey, SavedTarget>;

/// Whether a target is still wanted and asks what it asked then: rows that answer another question are not shown.
fn asks_the_same(targets: &Targets, key: &TargetKey, saved: &Saved) -> bool {
    saved.get(key).zip(targets.by_key(key)).is_some_and(|(saved, target)| saved.asks == target.asks)
}

fn terms_of(targets: &Targets, key: &TargetKey, saved: &Saved) -> Option<SampleTerms> {
    let target = targets.by_key(key).filter(|_| asks_the_same(targets, key, saved))?;
    Some(target.planned.terms.of_samples())
}

#[cfg(test)]
mod tests;
