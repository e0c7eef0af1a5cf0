//! Single campaigns that join a request of their account, once an answer tells which it is.

use super::progress::Progress;
use super::{Poll, Poller};
use crate::domain::fault::Reason;
use crate::domain::plan::{Ask, MetaCampaign, Planned};
use crate::domain::snapshot::Change;
use crate::domain::target::{AccountId, Level, Subject, TargetKey};

/// What is known of a single campaign's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Membership {
    /// Its account, and what its id means there.
    In(AccountId, Level),
    /// The account's own request brings nothing of it: it is asked for by itself.
    Apart,
}

impl Poller {
    /// The account that a single campaign may join.
    pub(super) fn member(&self, campaign: &MetaCampaign) -> Option<(AccountId, Level)> {
        if self.trials.is_some() {
            // A check tries what is configured, each by itself.
            return None;
        }
        match self.members.get(&(campaign.terms.credential.clone(), campaign.id))? {
            Membership::In(account, level) => Some((*account, *level)),
            Membership::Apart => None,
        }
    }

    /// Notes the account that a single campaign's own answer named. Says whether that is news.
    pub(super) fn note_member(&mut self, poll: &Poll, progress: &Progress) -> bool {
        let key = &poll.planned.key;
        let (Subject::Campaign(id), None) = (key.subject, key.account) else { return false };
        let account = progress.named;
        let Some((account, level)) = account.zip(progress.level) else { return false };
        let known = self.members.entry((key.credential.clone(), id));
        let mut news = false;
        known.or_insert_with(|| {
            news = true;
            Membership::In(account, level)
        });
        news
    }

    /// A request of the account that is refused as a whole must not take campaigns along that could
    /// be read by themselves. Says whether there are any.
    pub(super) fn part_members(&mut self, poll: &Poll, reason: Reason) -> bool {
        let Ask::Meta { only: Some(only), .. } = &poll.planned.ask else { return false };
        if !matches!(reason, Reason::Forbidden | Reason::NotFound | Reason::InvalidRequest) {
            return false;
        }
        let mut parted = false;
        for id in only.iter() {
            let member = self.members.get_mut(&(poll.planned.key.credential.clone(), *id));
            if let Some(member) = member.filter(|member| **member != Membership::Apart) {
                *member = Membership::Apart;
                parted = true;
            }
        }
        parted
    }

    /// The rows of targets that go are shown by the one that takes their place, until it is polled.
    pub(super) fn hand_over(&mut self, planned: &Planned, gone: &[TargetKey]) {
        let Ask::Meta { only: Some(only), .. } = &planned.ask else { return };
        if planned.key.subject != Subject::Campaigns {
            return;
        }
        let takes = |key: &&TargetKey| {
            key.window == planned.key.window
                && key.credential == planned.key.credential
                && matches!(key.subject, Subject::Campaign(id) if only.contains(&id))
        };
        let givers: Vec<_> = gone.iter().filter(takes).cloned().collect();
        if !givers.is_empty() {
            self.news.changes.push(Change::Move(givers, planned.key.clone(), planned.terms.labels.clone()));
        }
    }
}
