//! The fleet while it is being built: every target with its place in the configuration, so that duplicates can be
//! reported.

use std::collections::btree_map::{BTreeMap, Entry};
use std::fmt::Display;

use super::CredentialSettings;
use super::report::Location;
use crate::domain::fleet::{Fleet, FleetAccount, FleetCampaign, FleetChannel, WantedCampaigns};

/// A target and where it is configured.
type Placed<'r, T> = (Location<'r>, T);

/// What has been read so far.
#[derive(Default)]
pub(super) struct Draft<'r> {
    /// Credentials, in the order of their names.
    pub(super) credentials: Vec<CredentialSettings>,
    /// Meta ad accounts.
    pub(super) accounts: Vec<Placed<'r, FleetAccount>>,
    /// Single Meta campaigns.
    pub(super) campaigns: Vec<Placed<'r, FleetCampaign>>,
    /// CAMS channels.
    pub(super) channels: Vec<Placed<'r, FleetChannel>>,
}

impl Draft<'_> {
    /// The fleet.
    pub(super) fn into_fleet(self) -> Fleet {
        fn bare<T>(placed: Vec<Placed<'_, T>>) -> Vec<T> {
            placed.into_iter().map(|(_, target)| target).collect()
        }
        Fleet {
            accounts: bare(self.accounts),
            campaigns: bare(self.campaigns),
            channels: bare(self.channels),
            ..Fleet::default()
        }
    }

    /// Reports whatever would be polled twice, or would appear twice in the exposition.
    pub(super) fn check_unique(&self) {
        let mut accounts = Seen::default();
        for (at, account) in &self.accounts {
            accounts.note(account.id, &at.key("id"), || format!("account {}", account.id));
        }
        let mut campaigns = Seen::default();
        for (at, campaign) in &self.campaigns {
            campaigns.note(campaign.id, &at.key("id"), || format!("campaign {}", campaign.id));
            self.check_account_lists(at, campaign);
        }
        let mut channels = Seen::default();
        let mut listed = Seen::default();
        for (index, (at, channel)) in self.channels.iter().enumerate() {
            let FleetChannel { space, page, account, wanted, .. } = channel;
            let fresh = channels.note((space, page, account), at, || format!("the channel {space}, {page}, {account}"));
            if let WantedCampaigns::Only(ids) = wanted {
                for id in ids.iter().filter(|_| fresh) {
                    let what = || format!("campaign {id} of account {account}");
                    listed.note((account, *id), &at.key("campaigns"), what);
                }
            }
            let overlap = |other: &FleetChannel| {
                // Two spaces may lead to the same page: what `all` brings through one, the other would bring again.
                (other.page, other.account) == (*page, *account)
                    && other.space != *space
                    && (other.wanted == WantedCampaigns::All || *wanted == WantedCampaigns::All)
            };
            if let Some((other, _)) = self.channels.iter().take(index).find(|(_, other)| overlap(other)) {
                at.problem(format!(
                    "the campaigns of page {page} and account {account} overlap with those of {other}; \
                     keep one of them, or list different campaigns in both"
                ));
            }
        }
    }

    /// A campaign may stand alone and in an account's list only over different windows.
    fn check_account_lists(&self, at: &Location<'_>, campaign: &FleetCampaign) {
        for (account_at, account) in &self.accounts {
            let WantedCampaigns::Only(ids) = &account.wanted else { continue };
            let shared =
                // Labels tell series apart, so it is the window's name that counts, whatever days it stands for.
                campaign.windows.iter().find(|window| account.windows.iter().any(|w| w.label() == window.label()));
            if let Some(window) = shared.filter(|_| ids.contains(&campaign.id)) {
                at.key("id").problem(format!(
                    "campaign {} is already listed at {} over the window {}; keep one of them",
                    campaign.id,
                    account_at.key("campaigns"),
                    window.label()
                ));
            }
        }
    }
}

/// Where each key was seen first.
struct Seen<K>(BTreeMap<K, String>);

impl<K> Default for Seen<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Seen<K> {
    /// Whether the key is new; if not, that is a problem.
    fn note<N: Display>(&mut self, key: K, at: &Location<'_>, name: impl FnOnce() -> N) -> bool {
        match self.0.entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert(at.to_string());
                true
            }
            Entry::Occupied(first) => {
                at.problem(format!("{} is already listed at {}; keep one of them", name(), first.get()));
                false
            }
        }
    }
}
