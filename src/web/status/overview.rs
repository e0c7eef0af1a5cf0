//! The data behind page and JSON: every target, lane and credential.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::when::InstantView;
use crate::domain::budget::BelievedTier;
use crate::domain::change::GroupKey;
use crate::domain::lane::LaneKey;
use crate::domain::status::{CredentialStatus, FleetHealth, LaneStatus, LastFault, TargetStatus};
use crate::domain::target::{AccountId, CampaignId, Source, Subject, TargetKey, account_label};
use crate::domain::time::UnixSeconds;
use crate::exposition::Exposition;

/// A target's state in one word, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TargetState {
    /// The API does not accept its credential.
    Refused,
    /// It failed for so long that its samples were dropped.
    Stale,
    /// Its last poll failed.
    Failing,
    /// Its lane is stopped.
    Waiting,
    /// It was not polled yet.
    New,
    /// Its last poll succeeded.
    Up,
}

impl TargetState {
    pub(super) const ALL: [Self; 6] = [Self::Refused, Self::Stale, Self::Failing, Self::Waiting, Self::New, Self::Up];

    /// The name in queries, in JSON and in style sheets.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Stale => "stale",
            Self::Failing => "failing",
            Self::Waiting => "waiting",
            Self::New => "new",
            Self::Up => "up",
        }
    }

    /// The word on the page.
    pub(super) fn word(self) -> &'static str {
        if self == Self::New { "not polled yet" } else { self.name() }
    }

    /// What the word means.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Refused => "the API does not accept the credential",
            Self::Stale => "no successful poll for so long that the samples were dropped",
            Self::Failing => "the last poll failed; the last good samples are served",
            Self::Waiting => "the allowance is used up; no requests are sent until it is available again",
            Self::New => "the first poll is still to come",
            Self::Up => "the last poll succeeded",
        }
    }

    fn of(status: &TargetStatus, credential: Option<&CredentialStatus>, blocked: bool) -> Self {
        match status.up {
            _ if credential.is_some_and(|credential| credential.accepted == Some(false)) => Self::Refused,
            Some(false) if status.samples.is_none() && status.last_success.is_some() => Self::Stale,
            _ if blocked => Self::Waiting,
            Some(false) => Self::Failing,
            None => Self::New,
            Some(true) => Self::Up,
        }
    }
}

/// Everything of one moment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Overview<'a> {
    pub(super) exporter: Exporter,
    /// Number of targets in each state, over all, whatever is chosen.
    pub(super) states: BTreeMap<TargetState, usize>,
    pub(super) targets: Vec<TargetView<'a>>,
    pub(super) lanes: Vec<LaneView<'a>>,
    pub(super) credentials: Vec<CredentialView<'a>>,
}

/// The process itself.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Exporter {
    pub(super) version: &'static str,
    pub(super) revision: &'static str,
    pub(super) now: InstantView,
    pub(super) start_time: InstantView,
    pub(super) ready: bool,
    pub(super) config_reload_successful: bool,
    pub(super) config_last_success: Option<InstantView>,
}

/// One target.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TargetView<'a> {
    pub(super) state: TargetState,
    pub(super) source: &'static str,
    pub(super) credential: &'a str,
    pub(super) account_id: String,
    pub(super) account_name: &'a str,
    /// `account`, `totals`, or a campaign's id.
    #[serde(rename = "target")]
    pub(super) subject: String,
    /// Of a single campaign, as far as it is known.
    pub(super) campaign_name: &'a str,
    pub(super) window: &'a str,
    pub(super) up: Option<bool>,
    pub(super) since: Option<InstantView>,
    pub(super) last_success: Option<InstantView>,
    pub(super) last_attempt: Option<InstantView>,
    pub(super) next_poll: Option<InstantView>,
    pub(super) interval_seconds: f64,
    /// How many times longer that is than wanted.
    pub(super) stretch: f64,
    /// After how many seconds samples leave, where that is less than two intervals in force.
    pub(super) leaves_early_seconds: Option<f64>,
    pub(super) consecutive_failures: u32,
    pub(super) samples: usize,
    pub(super) last_fault: Option<FaultView<'a>>,
}

/// Why a poll failed.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FaultView<'a> {
    pub(super) reason: &'static str,
    pub(super) meaning: &'static str,
    pub(super) remedy: &'static str,
    pub(super) message: &'a str,
    pub(super) at: InstantView,
}

/// What shares an allowance.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LaneView<'a> {
    pub(super) source: &'static str,
    pub(super) credential: &'a str,
    pub(super) account_id: String,
    pub(super) account_name: &'a str,
    pub(super) allowance_requests_per_hour: Option<f64>,
    pub(super) demand_requests_per_hour: Option<f64>,
    /// Meta's tier that the allowance rests on, and what that rests on: `told` (the API said so), `configured` or
    /// `assumed`.
    pub(super) tier: Option<&'static str>,
    pub(super) tier_basis: Option<&'static str>,
    /// For the page: a sentence instead of two words.
    #[serde(skip)]
    pub(super) believed: Option<BelievedTier>,
    pub(super) stretch: Option<f64>,
    /// What is used of each allowance, 1 is all of it.
    pub(super) usage_ratio: &'a BTreeMap<&'static str, f64>,
    /// While it is stopped.
    pub(super) blocked_until: Option<InstantView>,
}

/// One credential.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CredentialView<'a> {
    pub(super) source: &'static str,
    #[serde(rename = "credential")]
    pub(super) name: &'a str,
    pub(super) accepted: Option<bool>,
    /// Since when, and why, it is refused.
    pub(super) refusal: Option<FaultView<'a>>,
    pub(super) targets: usize,
    /// `false` while its file or variable cannot be read.
    pub(super) readable: bool,
    /// Since when, and why, it cannot be read.
    pub(super) unreadable: Option<UnreadableView<'a>>,
    pub(super) expires: Option<InstantView>,
    pub(super) data_access_expires: Option<InstantView>,
    /// What to make of there being no date.
    pub(super) expiry_note: Option<&'static str>,
    pub(super) last_read: Option<InstantView>,
}

/// Why the content of a credential cannot be read.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UnreadableView<'a> {
    pub(super) message: &'a str,
    pub(super) since: InstantView,
}

/// Names by what they are names of.
struct NamesView<'a> {
    accounts: HashMap<GroupKey, &'a str>,
    campaigns: HashMap<(Source, CampaignId), &'a str>,
}

impl<'a> NamesView<'a> {
    /// Of all accounts, and of the campaigns that are targets of their own: there may be a hundred
    /// thousand others.
    fn of(exposition: &'a Exposition) -> Self {
        let mut campaigns: HashMap<_, _> =
            exposition.statuses().filter_map(|(key, _)| Some(((key.source, campaign(key)?), ""))).collect();
        if !campaigns.is_empty() {
            for (source, campaign, known) in exposition.campaign_names() {
                campaigns.entry((source, campaign)).and_modify(|name| *name = known);
            }
        }
        Self { accounts: exposition.account_names().collect(), campaigns }
    }

    fn account(&self, source: Source, account: Option<AccountId>) -> &'a str {
        account.and_then(|_| self.accounts.get(&(source, account)).copied()).unwrap_or_default()
    }

    fn campaign(&self, key: &TargetKey) -> &'a str {
        campaign(key).and_then(|campaign| self.campaigns.get(&(key.source, campaign)).copied()).unwrap_or_default()
    }
}

fn campaign(key: &TargetKey) -> Option<CampaignId> {
    match key.subject {
        Subject::Campaign(campaign) => Some(campaign),
        _ => None,
    }
}

impl<'a> Overview<'a> {
    /// Everything that an exposition shows, as it is seen now.
    pub(super) fn of(exposition: &'a Exposition, exporter: Exporter) -> Self {
        let (health, names, now) = (exposition.health(), NamesView::of(exposition), exporter.now.0);
        let mut states: BTreeMap<_, _> = TargetState::ALL.into_iter().map(|state| (state, 0)).collect();
        let mut members: HashMap<(Source, &str), usize> = HashMap::new();
        let mut targets = Vec::new();
        for (key, status) in exposition.statuses() {
            let target = TargetView::of(key, status, health, &names, now);
            *states.entry(target.state).or_default() += 1;
            *members.entry((key.source, &key.credential)).or_default() += 1;
            targets.push(target);
        }
        let lanes = health.lanes.iter().map(|(key, status)| LaneView::of(key, status, &names, now)).collect();
        let credentials = health.credentials.iter().map(|(id, status)| CredentialView {
            source: id.source.label(),
            name: &id.name,
            accepted: status.accepted,
            refusal: status.fault.as_deref().map(FaultView::of),
            targets: members.get(&(id.source, &*id.name)).copied().unwrap_or_default(),
            readable: status.unreadable.is_none(),
            unreadable: status.unreadable.as_deref().map(|unreadable| UnreadableView {
                message: &unreadable.message,
                since: InstantView(unreadable.since),
            }),
            expiry_note: status.expiry.without_date().filter(|_| status.expires.is_none()),
            expires: status.expires.map(InstantView),
            data_access_expires: status.data_access_expires.map(InstantView),
            last_read: status.last_read.map(InstantView),
        });
        Self { exporter, states, targets, lanes, credentials: credentials.collect() }
    }
}

fn blocked(lane: &LaneStatus, now: UnixSeconds) -> Option<UnixSeconds> {
    lane.blocked_until.filter(|until| *until > now)
}

impl<'a> TargetView<'a> {
    fn of(
        key: &'a TargetKey,
        status: &'a TargetStatus,
        health: &'a FleetHealth,
        names: &NamesView<'a>,
        now: UnixSeconds,
    ) -> Self {
        let credential = health.credentials.get(&key.credential_id());
        let lane = health.lanes.get(&LaneKey::of(key));
        let blocked = lane.and_then(|lane| blocked(lane, now));
        let state = TargetState::of(status, credential.map(|credential| &**credential), blocked.is_some());
        // Of a refused credential's targets only the first one met the refusal.
        let refusal =
            credential.and_then(|credential| credential.fault.as_ref()).filter(|_| state == TargetState::Refused);
        Self {
            state,
            source: key.source.label(),
            credential: &key.credential,
            account_id: account_label(key.account),
            account_name: names.account(key.source, key.account),
            subject: key.label(),
            campaign_name: names.campaign(key),
            window: key.window.label(),
            up: status.up,
            since: status.since.map(InstantView),
            last_success: status.last_success.map(InstantView),
            last_attempt: status.last_attempt.map(InstantView),
            next_poll: status.next_poll.map(InstantView),
            interval_seconds: status.interval.as_secs_f64(),
            leaves_early_seconds: status.leaves_early.map(|bound| bound.as_secs_f64()),
            stretch: lane.and_then(|lane| lane.stretch).unwrap_or(1.0),
            consecutive_failures: status.failures.unwrap_or_default(),
            samples: status.samples.unwrap_or_default(),
            last_fault: refusal.or(status.fault.as_ref()).map(|fault| FaultView::of(fault)),
        }
    }

    /// Its last fault, unless that is over.
    pub(super) fn current_fault(&self) -> Option<FaultView<'a>> {
        self.last_fault.filter(|_| self.state == TargetState::Refused || self.up == Some(false))
    }
}

impl<'a> FaultView<'a> {
    fn of(fault: &'a LastFault) -> Self {
        Self {
            reason: fault.reason.label(),
            meaning: fault.reason.meaning(),
            remedy: fault.reason.remedy(),
            message: &fault.message,
            at: InstantView(fault.at),
        }
    }
}

impl<'a> LaneView<'a> {
    fn of(key: &'a LaneKey, status: &'a LaneStatus, names: &NamesView<'a>, now: UnixSeconds) -> Self {
        Self {
            source: key.source.label(),
            credential: &key.credential,
            account_id: account_label(key.account),
            account_name: names.account(key.source, key.account),
            allowance_requests_per_hour: status.allowance,
            demand_requests_per_hour: status.demand,
            tier: status.tier.map(|believed| believed.tier.label()),
            tier_basis: status.tier.map(|believed| believed.basis.label()),
            believed: status.tier,
            stretch: status.stretch,
            usage_ratio: &status.usage,
            blocked_until: blocked(status, now).map(InstantView),
        }
    }

    /// The allowance that is used most, and how much of it.
    pub(super) fn most_used(&self) -> Option<(&'static str, f64)> {
        let usage = self.usage_ratio.iter().map(|(limit, ratio)| (*limit, *ratio));
        usage.max_by(|one, other| one.1.total_cmp(&other.1))
    }

    /// What the targets want of what the budget allows.
    pub(super) fn wanted(&self) -> Option<f64> {
        let (demand, allowance) = (self.demand_requests_per_hour?, self.allowance_requests_per_hour?);
        Some(demand / allowance).filter(|share| share.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_explain_every_state() {
        let page = include_str!("../../../docs/operating.md");
        for state in TargetState::ALL {
            let row = format!("| {} | {} |", state.word(), state.meaning());
            assert!(page.contains(&row), "docs/operating.md lacks the row: {row}");
        }
    }
}
