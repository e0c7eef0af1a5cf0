//! Which single campaigns are read with the request of their account, and when they are read alone again.
//!
//! A campaign that is configured without its account takes a request for itself. Once an answer names its account, it
//! joins the account's request, which brings all of them at the price of one. An account that refuses a request as a
//! whole must not take campaigns along that could be read by themselves: they part again.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::poll::Gathered;
use crate::domain::fault::Reason;
use crate::domain::fleet::{Fleet, FleetCampaign, Planned};
use crate::domain::saved::SavedMember;
use crate::domain::target::{AccountId, CampaignId, CredentialId, Level, Subject};
use crate::domain::time::Uptime;

/// Refusals of an account's request in a row after which its campaigns are read by themselves: one may be an accident.
const REFUSALS_TO_PART: u32 = 2;

/// How long they are; then the account is tried again.
const APART: Duration = Duration::from_hours(6);

/// What is known of a single campaign's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MemberHome {
    /// Its account, and what its id means there.
    In { account: AccountId, level: Level },
    /// The account's own request brings nothing of it: it is asked for by itself until then.
    Apart(Uptime),
}

/// The accounts of single campaigns, as their own answers named them. Two hundred campaigns that are configured by id
/// alone take two hundred requests in the first round, and two in the second: by then they ride with their account.
#[derive(Debug, Default)]
pub(super) struct Membership {
    places: BTreeMap<(CredentialId, CampaignId), MemberHome>,
}

impl Membership {
    /// The fleet with each campaign whose account is known moved to that account.
    pub(super) fn join(&self, fleet: &Fleet) -> Fleet {
        fleet.joined(|campaign| match self.places.get(&place_of(campaign))? {
            MemberHome::In { account, level } => Some((*account, *level)),
            MemberHome::Apart(_) => None,
        })
    }

    /// Notes the account that a single campaign's own answer named. Says whether that is news.
    pub(super) fn note(&mut self, planned: &Planned, gathered: &Gathered, now: Uptime) -> bool {
        let (Subject::Campaign(id), None) = (planned.key.subject, planned.key.account) else { return false };
        let Some((account, level)) = gathered.named.zip(gathered.level) else { return false };
        let member = (planned.key.credential_id(), id);
        // The first word stands: a campaign that went apart would otherwise join again with its next answer.
        match self.places.get(&member) {
            Some(MemberHome::In { .. }) => return false,
            Some(MemberHome::Apart(until)) if *until > now => return false,
            Some(MemberHome::Apart(_)) | None => {}
        }
        self.places.insert(member, MemberHome::In { account, level });
        true
    }

    /// Lets the campaigns of a request that was refused so many times in a row be read by themselves, for a while. Says
    /// whether there are any.
    pub(super) fn part(&mut self, planned: &Planned, reason: Reason, failures: u32, now: Uptime) -> bool {
        // Any other fault would have met the campaigns by themselves as well, and names are nobody's figures.
        let refused = matches!(reason, Reason::Forbidden | Reason::NotFound | Reason::InvalidRequest);
        if !refused || planned.key.subject != Subject::Campaigns || failures < REFUSALS_TO_PART {
            return false;
        }
        let mut parted = false;
        for id in planned.selection.listed().into_iter().flat_map(|listed| listed.iter()) {
            let place = self.places.get_mut(&(planned.key.credential_id(), *id));
            if let Some(place) = place.filter(|place| matches!(place, MemberHome::In { .. })) {
                *place = MemberHome::Apart(now + APART);
                parted = true;
            }
        }
        parted
    }

    /// Forgets the campaigns that are not configured any more.
    pub(super) fn retain(&mut self, fleet: &Fleet) {
        let single: HashSet<_> = fleet.campaigns.iter().map(place_of).collect();
        self.places.retain(|member, _| single.contains(member));
    }

    /// What survives a restart.
    pub(super) fn saved(&self) -> Vec<SavedMember> {
        let mut members = Vec::with_capacity(self.places.len());
        for ((credential, campaign), place) in &self.places {
            // A restart may be what mends a refusal.
            if let MemberHome::In { account, level } = place {
                members.push((credential.name.clone(), *campaign, Some((*account, *level))));
            }
        }
        members
    }

    /// What an earlier life knew. Campaigns that are not configured any more are left out.
    pub(super) fn restore(&mut self, fleet: &Fleet, members: Vec<SavedMember>) {
        for (name, campaign, place) in members {
            let single = fleet.campaigns.iter().find(|one| one.id == campaign && one.terms.credential.name == name);
            // Earlier versions wrote those down that were parted, too.
            let place = place.map(|(account, level)| MemberHome::In { account, level });
            self.places.extend(single.map(place_of).zip(place));
        }
    }
}

fn place_of(campaign: &FleetCampaign) -> (CredentialId, CampaignId) {
    (campaign.terms.credential.clone(), campaign.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fleet::PollTerms;
    use crate::domain::freshness::Staleness;
    use crate::domain::metric::MetricSet;
    use crate::domain::target::{Source, TargetKey, Window};
    use std::sync::Arc;

    fn campaign(id: u32) -> FleetCampaign {
        FleetCampaign {
            id: CampaignId::parse(&id.to_string()).unwrap(),
            windows: vec![Window::Preset("today")],
            terms: PollTerms {
                credential: CredentialId { source: Source::META, name: "main".into() },
                interval: Duration::from_mins(15),
                staleness: Staleness::FollowsInterval,
                labels: Arc::new([]),
                metrics: MetricSet::default_on(),
            },
        }
    }

    fn fleet(ids: &[u32]) -> Fleet {
        Fleet { campaigns: ids.iter().map(|id| campaign(*id)).collect(), ..Fleet::default() }
    }

    /// The insights requests of a fleet: subject and number of listed ids.
    fn rows(fleet: &Fleet) -> Vec<Planned> {
        let planned = fleet.targets(|_| Vec::new());
        planned.into_iter().filter(|planned| !planned.key.subject.is_discovery()).collect()
    }

    fn answer(account: u32) -> Gathered {
        Gathered { named: AccountId::parse(&account.to_string()).ok(), level: Some(Level::Ad), ..Gathered::default() }
    }

    #[test]
    fn a_campaign_joins_the_account_that_its_answer_names_and_parts_when_the_account_is_refused() {
        let fleet = fleet(&[1, 2, 3]);
        let mut membership = Membership::default();
        for planned in rows(&fleet).iter().take(2) {
            assert!(membership.note(planned, &answer(7), Uptime::ZERO));
            assert!(!membership.note(planned, &answer(8), Uptime::ZERO), "the first answer counts");
        }
        let joined = rows(&membership.join(&fleet));
        let keys: Vec<_> = joined.iter().map(|planned| planned.key.to_string()).collect();
        assert_eq!(keys, ["meta/main/7/account/today", "meta/main/3/today"]);

        let now = Uptime::ZERO;
        assert!(!membership.part(&joined[0], Reason::Unavailable, 9, now), "an outage is nobody's refusal");
        assert!(!membership.part(&joined[0], Reason::Forbidden, 1, now), "one refusal may be an accident");
        let listing =
            Planned { key: TargetKey { subject: Subject::Listing, ..joined[0].key.clone() }, ..joined[0].clone() };
        assert!(!membership.part(&listing, Reason::Forbidden, 9, now), "names are nobody's figures");
        assert!(membership.part(&joined[0], Reason::Forbidden, 2, now));
        assert!(!membership.part(&joined[0], Reason::Forbidden, 3, now), "they have parted already");
        assert_eq!(rows(&membership.join(&fleet)).len(), 3);

        let single = &rows(&fleet)[0];
        assert!(!membership.note(single, &answer(7), now), "the account was refused just now");
        assert!(membership.note(single, &answer(7), now + APART), "it is tried again");
    }

    #[test]
    fn what_is_known_survives_and_what_is_not_configured_any_more_is_forgotten() {
        let whole = fleet(&[1, 2]);
        let mut membership = Membership::default();
        for planned in &rows(&whole) {
            membership.note(planned, &answer(7), Uptime::ZERO);
        }
        let mut later = Membership::default();
        later.restore(&fleet(&[2]), membership.saved());
        assert_eq!(later.places.len(), 1);
        membership.retain(&fleet(&[1]));
        assert_eq!(membership.places.len(), 1);
    }

    #[test]
    fn only_a_campaign_that_is_configured_without_its_account_joins_and_each_by_its_own_credential() {
        let whole = fleet(&[1]);
        let mut membership = Membership::default();
        let mut at_home = rows(&whole)[0].clone();
        at_home.key.account = AccountId::parse("7").ok();
        assert!(!membership.note(&at_home, &answer(7), Uptime::ZERO));

        membership.note(&rows(&whole)[0], &answer(7), Uptime::ZERO);
        let mut others = fleet(&[1]);
        others.campaigns[0].terms.credential.name = "other".into();
        let mut later = Membership::default();
        later.restore(&others, membership.saved());
        assert!(later.places.is_empty(), "another credential may not read that account");
    }
}
