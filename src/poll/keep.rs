//! What survives a restart: where each target stood in the timetable, and what was learned.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::api::Api;
use super::join::Membership;
use super::{Poller, channel_of};
use crate::clock;
use crate::domain::counted::counted;
use crate::domain::plan::Planned;
use crate::domain::schedule::Uptime;
use crate::domain::snapshot::{Brought, Change};
use crate::domain::target::{Labels, Source, TargetKey};
use crate::state::{Kept, State};

/// How old the file may grow while there is news.
const SAVE_EVERY: Duration = Duration::from_secs(15);

/// Longest that anything is put off for what a file says: a wall clock may have jumped meanwhile.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// When the state is to be written next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Saving {
    next: Uptime,
    /// Whether anything was polled since.
    pub(super) news: bool,
}

impl Poller {
    /// Keeps the state from now on, and goes on where an earlier life ended.
    pub fn remember(&mut self, earlier: Option<State>) {
        self.saving = Some(Saving { next: self.clock.uptime() + SAVE_EVERY, news: false });
        let Some(state) = earlier else { return };
        let restored = self.restore(state);
        self.telemetry.state_restored_targets.with_label_values::<&str>(&[]).set(restored as f64);
        let targets = self.target_count();
        tracing::info!(
            restored,
            targets,
            "warm start: {restored} of {} go on where they were",
            counted(targets, "target")
        );
        if self.timetable.all_settled(self.clock.uptime()) {
            self.ready = true;
            self.news.ready = true;
        }
    }

    /// When the state is to be written, where there is anything new.
    pub(super) fn saves_at(&self) -> Option<Uptime> {
        self.saving.filter(|saving| saving.news).map(|saving| saving.next)
    }

    /// Passes the state on to be written.
    pub(super) fn save(&mut self) {
        let next = self.clock.uptime() + SAVE_EVERY;
        if let Some(saving) = &mut self.saving {
            *saving = Saving { next, news: false };
            self.news.state = Some(self.keep());
        }
    }

    fn keep(&self) -> State {
        let mut state = State::default();
        for (key, ticket) in &self.tickets {
            if let Some(poll) = self.polls.get(ticket).filter(|_| self.timetable.is_settled(*ticket)) {
                let kept = Kept {
                    asks: self.question(&poll.planned),
                    due: self.clock.wall_at(self.timetable.due(*ticket)),
                    failures: self.timetable.failures(*ticket),
                    ..Kept::default()
                };
                state.targets.insert(key.clone(), kept);
            }
        }
        let members = self.members.iter().map(|((credential, campaign), member)| match member {
            Membership::In(account, level) => (credential.clone(), *campaign, Some((*account, *level))),
            Membership::Apart => (credential.clone(), *campaign, None),
        });
        state.members = members.collect();
        let blocked = self.timetable.blocked(self.clock.uptime());
        state.blocked = blocked.map(|(lane, until)| (lane.clone(), self.clock.wall_at(until))).collect();
        state
    }

    /// Restores what is still wanted as it was, and says how many targets that are.
    fn restore(&mut self, state: State) -> usize {
        let (now, wall) = (self.clock.uptime(), clock::wall_seconds());
        let uptime = |instant: f64| {
            let wait = Duration::try_from_secs_f64(instant - wall).unwrap_or_default();
            now + wait.min(LONGEST_WAIT)
        };
        // Which targets there are depends on what was learned.
        for (credential, campaign, member) in state.members {
            let member = member.map_or(Membership::Apart, |(account, level)| Membership::In(account, level));
            self.members.insert((credential, campaign), member);
        }
        for (key, _, listing) in state.listings.iter().filter(|(key, ..)| key.source == Source::Cams) {
            let known = self.tickets.get(key).and_then(|ticket| self.polls.get(ticket));
            let same = |kept: &Kept| known.is_some_and(|poll| self.question(&poll.planned) == kept.asks);
            let channel = self.fleet.channels.get(key.part as usize);
            if let Some(channel) = channel.filter(|_| state.targets.get(key).is_some_and(same)) {
                self.listed.insert(channel_of(channel), listing.iter().map(|listed| listed.campaign).collect());
            }
        }
        self.replan();
        for (lane, until) in &state.blocked {
            self.timetable.block(lane, uptime(*until));
        }
        self.note_blocked(now);

        let mut restored = 0;
        for (key, ticket) in &self.tickets {
            let Some(poll) = self.polls.get_mut(ticket) else { continue };
            let asks = question(&self.apis, &poll.planned);
            let Some(kept) = state.targets.get(key).filter(|kept| kept.asks == asks) else { continue };
            restored += usize::from(!key.subject.is_discovery());
            self.timetable.resume(*ticket, uptime(kept.due), kept.failures);
            let terms = &poll.planned.terms;
            if let Some(status) = &kept.status {
                poll.status = status.clone();
                self.news.changes.push(Change::Status(key.clone(), status.clone()));
            }
            if let Some(rows) = &kept.rows {
                let expires = uptime(rows.expires).min(now + terms.stale_after);
                self.news.changes.push(Change::Rows(Brought {
                    key: key.clone(),
                    account: rows.account,
                    rows: vec![(*rows.rows).clone()],
                    whole: true,
                    labels: terms.labels.clone(),
                    expires,
                }));
            }
        }
        for (key, home, facts) in state.accounts {
            if let Some(labels) = self.labels_of(&key, &state.targets) {
                self.news.changes.push(Change::Account(key, home, facts, labels));
            }
        }
        for (key, home, listing) in state.listings {
            if let Some(labels) = self.labels_of(&key, &state.targets) {
                self.news.changes.push(Change::Campaigns(key, home, listing, labels));
            }
        }
        restored
    }

    /// The static labels of a target that is still wanted and asks what it asked.
    fn labels_of(&self, key: &TargetKey, kept: &BTreeMap<TargetKey, Kept>) -> Option<Labels> {
        let poll = self.polls.get(self.tickets.get(key)?)?;
        let same = kept.get(key)?.asks == self.question(&poll.planned);
        same.then(|| poll.planned.terms.labels.clone())
    }

    fn question(&self, planned: &Planned) -> String {
        question(&self.apis, planned)
    }
}

/// What a target asks of whom, in a few letters: rows that answer another question are not shown.
pub(super) fn question(apis: &HashMap<(Source, Arc<str>), Api>, planned: &Planned) -> String {
    let api = apis.get(&(planned.key.source, planned.key.credential.clone())).map(Api::base_url);
    let text = format!("{api:?} {:?} {:?}", planned.ask, planned.terms.metrics);
    let mut letters = String::new();
    for byte in Sha256::digest(text.as_bytes()).iter().take(8) {
        let _ = write!(letters, "{byte:02x}");
    }
    letters
}
