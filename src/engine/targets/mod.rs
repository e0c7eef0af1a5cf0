//! What is polled, and how far each poll got.

mod planning;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

pub(super) use planning::{Planning, WantedTarget};

use super::poll::Poll;
use super::quirks::PageSize;
use crate::domain::fleet::{ChannelId, Fleet, Planned, WantedCampaigns};
use crate::domain::schedule::Ticket;
use crate::domain::target::{CampaignId, TargetKey};
use crate::domain::time::Uptime;
use crate::source::Target;

/// A target that is polled: what was planned, how it looks on the wire, and the poll under way if there is one. A
/// target keeps its ticket and its samples over a reload unless what it asks for has changed.
pub(super) struct PolledTarget {
    pub(super) planned: Planned,
    /// The fingerprint of what it asks for: each save needs it, and it seldom changes.
    pub(super) asks: String,
    /// Builds its requests and reads their answers.
    pub(super) wire: Arc<dyn Target>,
    pub(super) poll: Option<Poll>,
    /// Rows a page.
    pub(super) page: PageSize,
    /// What its rows mean: another question of the same meaning keeps those that it asks for, too.
    pub(super) meaning: String,
    /// Whether the poll under way asks for another list, or other families, than are wanted by now.
    pub(super) outgrown: bool,
    /// Whether it is asked again as soon as the poll under way is over.
    pub(super) ask_again: bool,
    /// When it was last answered as a whole.
    pub(super) answered: Option<Uptime>,
    /// Whether its answers are for whoever asked, and not to be published.
    pub(super) survey: bool,
}

impl std::fmt::Debug for PolledTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolledTarget").field("planned", &self.planned).finish_non_exhaustive()
    }
}

/// Least time between two readings of an account's names, however many campaigns join: each takes hundreds of requests.
const NAMES_GAP: Duration = Duration::from_mins(10);

impl PolledTarget {
    /// When it is asked again because it is asked for something else.
    pub(super) fn soon(&self, now: Uptime) -> Uptime {
        let names = self.planned.key.subject.is_discovery();
        self.answered.filter(|_| names).map_or(now, |answered| (answered + NAMES_GAP).max(now))
    }
}

/// All targets, by ticket and by key.
#[derive(Debug, Default)]
pub(super) struct Targets {
    by_ticket: HashMap<Ticket, PolledTarget>,
    tickets: BTreeMap<TargetKey, Ticket>,
    /// Targets that were removed while a request was under way: its answer still says something about their lane.
    departed: HashMap<Ticket, PolledTarget>,
    /// The campaigns of channels of which all are wanted, as their listings said.
    listed: BTreeMap<ChannelId, Vec<CampaignId>>,
}

impl Targets {
    pub(super) fn get(&self, ticket: Ticket) -> Option<&PolledTarget> {
        self.by_ticket.get(&ticket)
    }

    pub(super) fn get_mut(&mut self, ticket: Ticket) -> Option<&mut PolledTarget> {
        self.by_ticket.get_mut(&ticket)
    }

    pub(super) fn ticket(&self, key: &TargetKey) -> Option<Ticket> {
        self.tickets.get(key).copied()
    }

    pub(super) fn by_key(&self, key: &TargetKey) -> Option<&PolledTarget> {
        self.get(self.ticket(key)?)
    }

    /// Keys and tickets, in the order of the keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&TargetKey, Ticket)> {
        self.tickets.iter().map(|(key, ticket)| (key, *ticket))
    }

    /// The keys of all targets.
    pub(super) fn keys(&self) -> impl Iterator<Item = &TargetKey> + Clone {
        self.tickets.keys()
    }

    /// How many targets there are; lookups of names, states and tokens are not counted.
    pub(super) fn count(&self) -> usize {
        self.keys().filter(|key| !key.subject.is_discovery()).count()
    }

    pub(super) fn insert(&mut self, ticket: Ticket, target: PolledTarget) {
        self.tickets.insert(target.planned.key.clone(), ticket);
        self.by_ticket.insert(ticket, target);
    }

    /// Removes a target. One whose request is under way is kept aside until the answer comes.
    pub(super) fn remove(&mut self, key: &TargetKey, under_way: bool) -> Option<Ticket> {
        let ticket = self.tickets.remove(key)?;
        let target = self.by_ticket.remove(&ticket)?;
        // Its lane counts the request until it is back, and its headers still speak for the lane.
        if under_way {
            self.departed.insert(ticket, target);
        }
        Some(ticket)
    }

    /// A removed target whose answer came.
    pub(super) fn take_departed(&mut self, ticket: Ticket) -> Option<PolledTarget> {
        self.departed.remove(&ticket)
    }

    /// The campaigns that a channel is known to have; none before its listing was read.
    pub(super) fn listed(&self, channel: &ChannelId) -> Vec<CampaignId> {
        self.listed.get(channel).cloned().unwrap_or_default()
    }

    /// Notes which campaigns a channel has, and says whether that is news.
    pub(super) fn note_listed(&mut self, channel: ChannelId, campaigns: Vec<CampaignId>) -> bool {
        let news = self.listed.get(&channel) != Some(&campaigns);
        self.listed.insert(channel, campaigns);
        news
    }

    /// Another fleet from now on: forgets the channels that it has not. Where campaigns were listed in the
    /// configuration and now all are wanted, those are what is known until the API has listed them.
    pub(super) fn keep_listed(&mut self, former: &Fleet, fleet: &Fleet) {
        for channel in &former.channels {
            if let WantedCampaigns::Only(campaigns) = &channel.wanted {
                self.listed.insert(channel.id(), campaigns.iter().copied().collect());
            }
        }
        self.listed.retain(|channel, _| fleet.channels.iter().any(|wanted| wanted.id() == *channel));
    }
}

#[cfg(test)]
mod tests;
