//! What is to be polled, and the fewest requests that cover it.

mod joined;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::filter::Filter;
use super::freshness::{SampleTerms, Staleness};
use super::metric::MetricSet;
use super::target::{AccountId, CampaignId, CredentialId, Currency, Labels, Level, PageId, Subject, TargetKey, Window};

/// How long names, currencies and listings are trusted before they are read again.
pub const DISCOVERY_INTERVAL: Duration = Duration::from_hours(6);

/// Ids in one request's filter: some 4 kB of URL, which every proxy lets through.
pub const IDS_PER_REQUEST: usize = 150;

/// A list longer than this is not sent: reading the whole account by pages and keeping what is
/// wanted takes fewer requests than asking for the list in parts.
pub const LONGEST_LIST: usize = 4 * IDS_PER_REQUEST;

/// Everything that the configuration asks for, and the place where it becomes the fewest targets that bring it.
///
/// An account with two windows and its totals is six targets: its facts, its listing, and for each window the rows of
/// all campaigns and the totals. Campaigns that are listed by id share requests, [`IDS_PER_REQUEST`] at a time. CAMS
/// answers for one campaign at a time, so there each campaign is a target.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// Ad accounts.
    pub accounts: Vec<FleetAccount>,
    /// Single campaigns, whose account is not configured.
    pub campaigns: Vec<FleetCampaign>,
    /// Channels.
    pub channels: Vec<FleetChannel>,
    /// Credentials whose tokens' health is read, with the terms of that.
    pub tokens: Vec<PollTerms>,
    /// Ids in one request's filter where [`IDS_PER_REQUEST`] proved too many for the API.
    pub shorter_lists: BTreeMap<(CredentialId, AccountId), usize>,
    /// Questions of somebody who waits for the answers: these are not published.
    pub surveys: Vec<Planned>,
}

/// What tells the channels of one source apart, wherever they are in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChannelId {
    credential: CredentialId,
    space: Arc<str>,
    page: PageId,
    account: AccountId,
}

/// How often a target is asked and how its samples are kept and labelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PollTerms {
    /// In whose name it is asked.
    pub credential: CredentialId,
    /// Time between two polls.
    pub interval: Duration,
    /// How long samples outlive their last success.
    pub staleness: Staleness,
    /// Static labels.
    pub labels: Labels,
    /// The families to ask for.
    pub metrics: MetricSet,
}

/// An ad account and which of its campaigns are wanted.
#[derive(Clone, Debug)]
pub struct FleetAccount {
    /// The account.
    pub id: AccountId,
    /// Whether the account's own figures are read as well.
    pub totals: bool,
    /// What a campaign id means here.
    pub level: Level,
    /// Which campaigns.
    pub wanted: WantedCampaigns,
    /// Over which days; names are unique.
    pub windows: Vec<Window>,
    /// Campaigns of these windows that are configured by themselves, on other terms: a target of their own shows them.
    pub apart: Vec<(CampaignId, Vec<Window>)>,
    /// Where its requests are counted from: 0, but for campaigns that joined an account.
    pub first_part: u32,
    /// Interval, labels and families.
    pub terms: PollTerms,
}

/// One campaign without its account.
#[derive(Clone, Debug)]
pub struct FleetCampaign {
    /// The campaign.
    pub id: CampaignId,
    /// Over which days; names are unique.
    pub windows: Vec<Window>,
    /// Interval, labels and families.
    pub terms: PollTerms,
}

/// A channel's page and ad account: what CAMS reads an account through.
#[derive(Clone, Debug)]
pub struct FleetChannel {
    /// Space id of an ISV's customer, or instance id of a direct customer.
    pub space: Arc<str>,
    /// The Messenger page.
    pub page: PageId,
    /// The ad account behind it.
    pub account: AccountId,
    /// The account's currency, where the user said it.
    pub currency: Option<Currency>,
    /// Which campaigns.
    pub wanted: WantedCampaigns,
    /// Interval, labels and families.
    pub terms: PollTerms,
}

/// Which campaigns of an account or channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedCampaigns {
    /// All that there are.
    All,
    /// These.
    Only(BTreeSet<CampaignId>),
    /// Those that a filter admits; only ever of an ad account.
    Matching(Filter),
}

/// One thing to ask regularly: a target before anybody asked it. The key says which one it is, over reloads and
/// restarts; the terms say how often and how its samples are labelled; the selection says what the request holds beyond
/// the key. Other terms are the same target, another selection is another question.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its identity.
    pub key: TargetKey,
    /// Interval, labels and families.
    pub terms: PollTerms,
    /// What the request needs beyond the key.
    pub selection: Selection,
}

/// What a request needs beyond its target's key: which campaigns, and for CAMS through which channel.
///
/// A list of 100 ids goes out as a filter (`filtered`). One of 1,000 would need more requests than the whole account
/// has pages: the account is read and what is not listed is dropped here. A pattern for names is applied here too, and
/// only a part of it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Of an ad account, or of a single campaign: the level of the rows, and the campaigns to keep.
    Campaigns {
        /// What a campaign id means.
        level: Level,
        /// The campaigns to keep; `None` keeps all.
        only: Option<Arc<BTreeSet<CampaignId>>>,
        /// Whether `only` is sent as a filter, or applied to the answer.
        filtered: bool,
        /// What names and states the campaigns must have; `None` takes any.
        matching: Option<Arc<Filter>>,
        /// Campaigns that another target shows, whatever else is wanted; `None` for none.
        except: Option<Arc<BTreeSet<CampaignId>>>,
    },
    /// Of a channel.
    Channel {
        /// `CustSpaceId`.
        space: Arc<str>,
        /// `PageId`.
        page: PageId,
        /// `AdAccountId`.
        account: AccountId,
        /// The currency of its money, where the user said it.
        currency: Option<Currency>,
    },
}

impl Fleet {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.campaigns.is_empty() && self.channels.is_empty()
    }

    /// Every target, discovery first. `listed` says which campaigns a channel of which all are
    /// wanted is known to have; before its listing was read there are none.
    pub fn targets(&self, listed: impl Fn(&FleetChannel) -> Vec<CampaignId>) -> Vec<Planned> {
        let accounts = self.accounts.iter().flat_map(|account| account.targets(self.ids_per_request(account)));
        let campaigns = self.campaigns.iter().flat_map(FleetCampaign::targets);
        let channels = self.channels.iter().flat_map(|channel| {
            let ids = match &channel.wanted {
                // CAMS can only be asked for one campaign at a time, so which there are has to be known first.
                WantedCampaigns::All | WantedCampaigns::Matching(_) => listed(channel),
                WantedCampaigns::Only(ids) => ids.iter().copied().collect(),
            };
            channel.targets(self.part_of(channel), &ids)
        });
        let tokens = self.tokens.iter().map(|terms| Planned {
            key: terms.key(None, Subject::Token, Window::Unspecified),
            terms: terms.clone(),
            selection: Selection::whole(Level::Ad),
        });
        tokens.chain(accounts).chain(campaigns).chain(channels).collect()
    }
}

impl Fleet {
    /// The channel whose listing this key is, where all of its campaigns are wanted.
    pub fn channel_of_all(&self, key: &TargetKey) -> Option<&FleetChannel> {
        let mut channels = self
            .channels
            .iter()
            .filter(|channel| Some(channel.account) == key.account && channel.terms.credential == key.credential_id());
        let channel = channels.find(|channel| self.part_of(channel) == key.part)?;
        (key.subject == Subject::Listing && channel.wanted == WantedCampaigns::All).then_some(channel)
    }

    /// Which of the channels of its ad account a channel is, by what it is and not by where it stands: two that share
    /// an account have keys of their own, and the others never change them.
    fn part_of(&self, channel: &FleetChannel) -> u32 {
        let same = self
            .channels
            .iter()
            .filter(|other| other.account == channel.account && other.terms.credential == channel.terms.credential);
        let before = same.filter(|other| (&other.space, other.page) < (&channel.space, channel.page));
        u32::try_from(before.count()).unwrap_or(u32::MAX)
    }

    /// Spreads the account's list that a target asks for over twice as many requests, whether the account is configured
    /// or its campaigns joined it. Gives back how many ids a request has from now on; `None` where the target asks for
    /// no list, or for one id alone.
    pub fn split_list(&mut self, planned: &Planned) -> Option<usize> {
        let Selection::Campaigns { only: Some(only), filtered: true, .. } = &planned.selection else { return None };
        let account = planned.key.account.filter(|_| only.len() > 1)?;
        // Half of what this request had, not of the setting: the last part of a list is shorter.
        let ids = only.len().div_ceil(2);
        self.shorter_lists.insert((planned.key.credential_id(), account), ids);
        Some(ids)
    }

    fn ids_per_request(&self, account: &FleetAccount) -> usize {
        let shorter = self.shorter_lists.get(&(account.terms.credential.clone(), account.id));
        shorter.map_or(IDS_PER_REQUEST, |ids| (*ids).max(1))
    }
}

impl Selection {
    /// Everything that an account, or a single campaign, has.
    pub fn whole(level: Level) -> Self {
        Self::Campaigns { level, only: None, filtered: false, matching: None, except: None }
    }

    /// Whether a campaign of the answer is wanted, as far as its id tells.
    pub fn admits(&self, campaign: CampaignId) -> bool {
        let Self::Campaigns { only, except, .. } = self else { return true };
        only.as_ref().is_none_or(|only| only.contains(&campaign))
            && !except.as_ref().is_some_and(|except| except.contains(&campaign))
    }

    /// The campaigns that the answer is to be about; `None` for all.
    pub fn listed(&self) -> Option<&Arc<BTreeSet<CampaignId>>> {
        match self {
            Self::Campaigns { only, .. } => only.as_ref(),
            Self::Channel { .. } => None,
        }
    }
}

impl FleetChannel {
    /// What tells it apart from others.
    pub fn id(&self) -> ChannelId {
        let Self { space, page, account, .. } = self;
        ChannelId { credential: self.terms.credential.clone(), space: space.clone(), page: *page, account: *account }
    }
}

impl PollTerms {
    fn key(&self, account: Option<AccountId>, subject: Subject, window: Window) -> TargetKey {
        let CredentialId { source, name: credential } = self.credential.clone();
        TargetKey { source, account, credential, subject, part: 0, window }
    }

    fn for_discovery(&self) -> Self {
        Self { interval: DISCOVERY_INTERVAL, staleness: Staleness::FollowsInterval, ..self.clone() }
    }

    /// On which terms what it brings is shown.
    pub fn of_samples(&self) -> SampleTerms {
        SampleTerms { labels: self.labels.clone(), staleness: self.staleness, interval: self.interval }
    }
}

impl FleetAccount {
    fn targets(&self, ids_per_request: usize) -> Vec<Planned> {
        let filter = match &self.wanted {
            WantedCampaigns::Matching(filter) => Some(Arc::new(filter.clone())),
            WantedCampaigns::All | WantedCampaigns::Only(_) => None,
        };
        let plan = |subject, window: &Window, terms: &PollTerms, only, filtered| {
            let of_campaigns = matches!(subject, Subject::Campaigns | Subject::Listing);
            // The totals are those of the whole account, as they are beside a list.
            let matching = filter.clone().filter(|_| of_campaigns);
            let except = if of_campaigns { self.except(window) } else { None };
            Planned {
                key: terms.key(Some(self.id), subject, window.clone()),
                terms: terms.clone(),
                selection: Selection::Campaigns { level: self.level, only, filtered, matching, except },
            }
        };
        let rare = self.terms.for_discovery();
        let listed = match &self.wanted {
            WantedCampaigns::All | WantedCampaigns::Matching(_) => None,
            WantedCampaigns::Only(ids) => Some(Arc::new(ids.clone())),
        };
        let mut targets = vec![
            plan(Subject::AccountFacts, &Window::Unspecified, &rare, None, false),
            plan(Subject::Listing, &Window::Unspecified, &rare, listed, false),
        ];
        for target in &mut targets {
            target.key.part = self.first_part;
        }
        for window in &self.windows {
            for (part, (only, filtered)) in (self.first_part..).zip(self.parts(ids_per_request)) {
                let mut rows = plan(Subject::Campaigns, window, &self.terms, only, filtered);
                rows.key.part = part;
                targets.push(rows);
            }
            if self.totals {
                targets.push(plan(Subject::Totals, window, &self.terms, None, false));
            }
        }
        targets
    }

    /// The campaigns that another target shows in a window; names have no window.
    fn except(&self, window: &Window) -> Option<Arc<BTreeSet<CampaignId>>> {
        let shown = self.apart.iter().filter(|(_, windows)| *window == Window::Unspecified || windows.contains(window));
        let except: BTreeSet<_> = shown.map(|(campaign, _)| *campaign).collect();
        (!except.is_empty()).then(|| Arc::new(except))
    }

    /// The wanted campaigns by request: which to keep, and whether to send them as a filter.
    fn parts(&self, ids_per_request: usize) -> Vec<(Option<Arc<BTreeSet<CampaignId>>>, bool)> {
        match &self.wanted {
            WantedCampaigns::All | WantedCampaigns::Matching(_) => vec![(None, false)],
            // Read by pages and sorted out here: see `LONGEST_LIST`.
            WantedCampaigns::Only(ids) if ids.len() > LONGEST_LIST => vec![(Some(Arc::new(ids.clone())), false)],
            WantedCampaigns::Only(ids) => {
                let ids: Vec<_> = ids.iter().copied().collect();
                ids.chunks(ids_per_request).map(|part| (Some(Arc::new(part.iter().copied().collect())), true)).collect()
            }
        }
    }
}

impl FleetCampaign {
    fn targets(&self) -> Vec<Planned> {
        let plan = |subject, window, terms: &PollTerms| Planned {
            key: terms.key(None, subject, window),
            terms: terms.clone(),
            selection: Selection::whole(Level::Ad),
        };
        let facts = plan(Subject::CampaignFacts(self.id), Window::Unspecified, &self.terms.for_discovery());
        let rows = self.windows.iter().map(|window| plan(Subject::Campaign(self.id), window.clone(), &self.terms));
        std::iter::once(facts).chain(rows).collect()
    }
}

impl FleetChannel {
    fn targets(&self, part: u32, campaigns: &[CampaignId]) -> Vec<Planned> {
        let plan = |subject, terms: &PollTerms| Planned {
            key: terms.key(Some(self.account), subject, Window::Unspecified),
            terms: terms.clone(),
            selection: Selection::Channel {
                space: self.space.clone(),
                page: self.page,
                account: self.account,
                currency: self.currency,
            },
        };
        let rare = self.terms.for_discovery();
        let mut targets = vec![plan(Subject::AccountFacts, &rare), plan(Subject::Listing, &rare)];
        // Two channels may share an ad account; their discovery must not share a key.
        for target in &mut targets {
            target.key.part = part;
        }
        targets.extend(campaigns.iter().map(|id| plan(Subject::Campaign(*id), &self.terms)));
        targets
    }
}
