//! Single campaigns whose account has become known join that account's request: one request reads all of them, instead
//! of one request each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Fleet, FleetAccount, FleetCampaign, PollTerms, WantedCampaigns};
use crate::domain::target::{AccountId, Level, Window};

/// What single campaigns have in common that may share a request.
type Kind<'a> = (&'a [Window], &'a PollTerms);

/// Parts of an account's requests that a group of joined campaigns has to itself.
const ACCOUNT_PARTS: u32 = 1000;

impl Fleet {
    /// The fleet with every campaign of which `member` knows the account, and what its id means
    /// there, moved to that account.
    pub fn joined(&self, member: impl Fn(&FleetCampaign) -> Option<(AccountId, Level)>) -> Self {
        let mut fleet = self.clone();
        fleet.campaigns.clear();
        // Whoever configures a campaign by itself wants it on these terms, whatever else brings it.
        for account in &mut fleet.accounts {
            let ours = self.campaigns.iter().filter(|campaign| campaign.terms.credential == account.terms.credential);
            let apart = ours.filter(|campaign| campaign.terms != account.terms);
            account.apart = apart.map(|campaign| (campaign.id, campaign.windows.clone())).collect();
        }
        let kinds = self.kinds();
        let mut groups: BTreeMap<(u32, AccountId, Level), FleetAccount> = BTreeMap::new();
        for campaign in &self.campaigns {
            match member(campaign) {
                None => fleet.campaigns.push(campaign.clone()),
                // The cheapest first: a request that goes out anyway brings it for nothing.
                Some((id, level)) if fleet.takes_in(campaign, id, level) => {}
                Some((id, level)) => {
                    let kind = kinds.get(&(&campaign.windows[..], &campaign.terms)).copied().unwrap_or_default();
                    let group = groups.entry((kind, id, level)).or_insert_with(|| FleetAccount {
                        id,
                        level,
                        totals: false,
                        wanted: WantedCampaigns::Only(BTreeSet::new()),
                        windows: campaign.windows.clone(),
                        apart: Vec::new(),
                        first_part: 0,
                        terms: campaign.terms.clone(),
                    });
                    group.insert(campaign);
                }
            }
        }
        // Groups of one account must not share keys with each other or with the account itself.
        for ((kind, id, level), mut group) in groups {
            let configured =
                |account: &&FleetAccount| account.id == id && account.terms.credential == group.terms.credential;
            let configured = u32::try_from(self.accounts.iter().filter(configured).count()).unwrap_or(u32::MAX);
            group.first_part =
                ACCOUNT_PARTS.saturating_mul(configured + 2 * kind + u32::from(level == Level::Campaign));
            fleet.accounts.push(group);
        }
        fleet
    }

    /// The terms on which single campaigns are configured, numbered as they come, credential by credential. A group
    /// of joined campaigns has the number of its terms: a campaign that joins must not renumber the others.
    fn kinds(&self) -> HashMap<Kind<'_>, u32> {
        let mut kinds = HashMap::new();
        let mut of_credential: HashMap<_, u32> = HashMap::new();
        for campaign in &self.campaigns {
            let next = of_credential.entry(&campaign.terms.credential).or_default();
            kinds.entry((&campaign.windows[..], &campaign.terms)).or_insert_with(|| {
                *next += 1;
                *next - 1
            });
        }
        kinds
    }

    /// Whether a configured account's own requests bring the campaign in all of its windows, and on its terms.
    fn takes_in(&mut self, campaign: &FleetCampaign, id: AccountId, level: Level) -> bool {
        let account = self.accounts.iter_mut().find(|account| {
            account.id == id
                && account.level == level
                // What a filter admits may change, and a campaign of its own is wanted whatever its name.
                && !matches!(account.wanted, WantedCampaigns::Matching(_))
                && account.terms == campaign.terms
                && campaign.windows.iter().all(|window| account.windows.contains(window))
        });
        account.map(|account| account.insert(campaign)).is_some()
    }
}

impl FleetAccount {
    fn insert(&mut self, campaign: &FleetCampaign) {
        if let WantedCampaigns::Only(ids) = &mut self.wanted {
            ids.insert(campaign.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::filter::{Filter, Glob};
    use crate::domain::fleet::{PollTerms, Selection};
    use crate::domain::freshness::Staleness;
    use crate::domain::metric::MetricSet;
    use crate::domain::target::{CampaignId, CredentialId, Source, Subject, Window};
    use std::sync::Arc;
    use std::time::Duration;

    fn terms() -> PollTerms {
        PollTerms {
            credential: CredentialId { source: Source::META, name: "main".into() },
            interval: Duration::from_mins(15),
            staleness: Staleness::FollowsInterval,
            labels: Arc::new([]),
            metrics: MetricSet::default_on(),
        }
    }

    fn campaign(id: u32, window: &'static str) -> FleetCampaign {
        FleetCampaign {
            id: CampaignId::parse(&id.to_string()).unwrap(),
            windows: vec![Window::Preset(window)],
            terms: terms(),
        }
    }

    fn account(id: u32, wanted: WantedCampaigns) -> FleetAccount {
        FleetAccount {
            id: AccountId::parse(&id.to_string()).unwrap(),
            totals: false,
            level: Level::Ad,
            wanted,
            windows: vec![Window::Preset("today")],
            apart: Vec::new(),
            first_part: 0,
            terms: terms(),
        }
    }

    /// Subjects and lists of the insights requests.
    fn requests(fleet: &Fleet) -> Vec<(String, usize)> {
        let rows = fleet.targets(|_| Vec::new());
        let rows = rows.into_iter().filter(|planned| !planned.key.subject.is_discovery());
        rows.map(|planned| match planned.selection {
            Selection::Campaigns { only, .. } => (planned.key.to_string(), only.map_or(0, |only| only.len())),
            Selection::Channel { .. } => unreachable!("no channel"),
        })
        .collect()
    }

    #[test]
    fn campaigns_of_one_account_share_a_request() {
        let account = AccountId::parse("7").ok();
        let fleet = Fleet { campaigns: (1..=200).map(|id| campaign(id, "today")).collect(), ..Fleet::default() };
        assert_eq!(requests(&fleet).len(), 200);
        let joined =
            fleet.joined(|campaign| account.filter(|_| campaign.id.to_string() != "5").map(|id| (id, Level::Ad)));
        assert_eq!(
            requests(&joined),
            [
                ("meta/main/7/account/today".to_owned(), 150),
                ("meta/main/7/account_1/today".to_owned(), 49),
                ("meta/main/5/today".to_owned(), 0),
            ]
        );
    }

    #[test]
    fn a_filter_takes_no_campaign_in_that_is_named() {
        let matching = WantedCampaigns::Matching(Filter { name: Glob::new("Spring*"), states: [].into() });
        let fleet =
            Fleet { accounts: vec![account(7, matching)], campaigns: vec![campaign(1, "today")], ..Fleet::default() };
        let id = AccountId::parse("7").unwrap();
        let own: Vec<_> = requests(&fleet.joined(|_| Some((id, Level::Ad)))).into_iter().map(|(_, own)| own).collect();
        assert_eq!(own, [0, 1]);
    }

    #[test]
    fn a_configured_account_takes_its_own_campaigns_in() {
        let id = AccountId::parse("7").unwrap();
        let campaigns = vec![campaign(1, "today"), campaign(2, "last_7d")];
        let all = Fleet {
            accounts: vec![account(7, WantedCampaigns::All)],
            campaigns: campaigns.clone(),
            ..Fleet::default()
        };
        let listed = WantedCampaigns::Only([CampaignId::parse("9").unwrap()].into());
        let some = Fleet { accounts: vec![account(7, listed)], campaigns, ..Fleet::default() };
        for (fleet, own) in [(all, 0), (some, 2)] {
            let joined = fleet.joined(|_| Some((id, Level::Ad)));
            let expected =
                [("meta/main/7/account/today".to_owned(), own), ("meta/main/7/account_3000/last_7d".to_owned(), 1)];
            assert_eq!(requests(&joined), expected);
            let keys: std::collections::BTreeSet<_> =
                joined.targets(|_| Vec::new()).into_iter().map(|p| p.key).collect();
            assert_eq!(keys.len(), joined.targets(|_| Vec::new()).len(), "keys are unique");
            assert!(keys.iter().all(|key| key.subject != Subject::Token));
        }
    }

    #[test]
    fn a_campaign_on_terms_of_its_own_keeps_them_and_the_account_leaves_it_out() {
        let id = AccountId::parse("7").unwrap();
        let own =
            FleetCampaign { terms: PollTerms { interval: Duration::from_mins(5), ..terms() }, ..campaign(1, "today") };
        let listed = WantedCampaigns::Only([own.id, CampaignId::parse("9").unwrap()].into());
        for wanted in [WantedCampaigns::All, listed] {
            let fleet = Fleet { accounts: vec![account(7, wanted)], campaigns: vec![own.clone()], ..Fleet::default() };
            for known in [None, Some((id, Level::Ad))] {
                let planned = fleet.joined(|_| known).targets(|_| Vec::new());
                let rows: Vec<_> = planned.iter().filter(|planned| !planned.key.subject.is_discovery()).collect();
                let asks: Vec<_> = rows.iter().map(|planned| planned.selection.admits(own.id)).collect();
                assert_eq!((rows.len(), &*asks), (2, [false, true].as_slice()), "{known:?}");
                assert_eq!(rows[1].terms, own.terms, "{known:?}");
                let names = planned.iter().filter(|planned| planned.key.subject == Subject::Listing);
                assert!(!names.clone().next().unwrap().selection.admits(own.id), "its name has its labels, too");
            }
        }
        let other = FleetCampaign { windows: vec![Window::Preset("last_7d")], ..own.clone() };
        let fleet =
            Fleet { accounts: vec![account(7, WantedCampaigns::All)], campaigns: vec![other], ..Fleet::default() };
        let planned = fleet.joined(|_| None).targets(|_| Vec::new());
        let today = planned.iter().find(|planned| planned.key.window == Window::Preset("today")).unwrap();
        assert!(today.selection.admits(own.id), "of this window nobody else shows it");
    }

    #[test]
    fn a_joined_list_that_is_too_much_for_the_api_is_split() {
        let id = AccountId::parse("7").unwrap();
        let mut fleet = Fleet { campaigns: (1..=100).map(|id| campaign(id, "today")).collect(), ..Fleet::default() };
        let rows = |fleet: &Fleet| {
            let planned = fleet.joined(|_| Some((id, Level::Ad))).targets(|_| Vec::new());
            planned.into_iter().filter(|planned| !planned.key.subject.is_discovery()).collect::<Vec<_>>()
        };
        let mut asked = rows(&fleet);
        for (ids, requests) in [(50, 2), (25, 4)] {
            assert_eq!(fleet.split_list(&asked[0]), Some(ids));
            asked = rows(&fleet);
            assert_eq!(asked.len(), requests);
        }
        let one = Fleet { campaigns: vec![campaign(1, "today")], ..Fleet::default() };
        assert_eq!(fleet.split_list(&rows(&one)[0]), None, "one id is as short as it gets");
    }
}
