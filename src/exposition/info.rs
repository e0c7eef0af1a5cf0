//! The `_info` families: what is known about an account and its campaigns.

use std::sync::Arc;

use super::family::{self, FAMILIES, Other};
use super::line;
use crate::domain::change::GroupKey;
use crate::domain::facts::{AccountFacts, ListedCampaign, Listing};
use crate::domain::snapshot::{Group, Learned};
use crate::domain::target::{CampaignId, Currency, Labels, account_label};

/// A run of an account's campaigns.
#[derive(Debug)]
pub(super) struct CampaignRun {
    pub(super) group: GroupKey,
    pub(super) origins: Arc<[CampaignOrigin]>,
    pub(super) members: Vec<KnownCampaign>,
}

/// Where campaigns are known from.
#[derive(Clone, Debug)]
pub(super) struct CampaignOrigin {
    /// The discovery that named them; `None` for those that only have rows.
    listing: Option<Arc<Listing>>,
    labels: Labels,
}

impl CampaignOrigin {
    fn listing_at(&self) -> Option<*const Listing> {
        self.listing.as_ref().map(Arc::as_ptr)
    }
}

/// A campaign, by the place where it is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KnownCampaign {
    pub(super) campaign: CampaignId,
    origin: u32,
    place: u32,
}

/// The campaigns of an account, ascending. A campaign is shown when discovery knows it as one of
/// marketing messages, or when it has rows.
pub(super) fn campaigns(group: &Group) -> (Arc<[CampaignOrigin]>, Vec<KnownCampaign>) {
    let mut origins: Vec<CampaignOrigin> = Vec::new();
    let mut known = Vec::new();
    for published in group.targets.values() {
        let same = |origin: &CampaignOrigin| origin.labels == published.terms.labels;
        let origin = origins.iter().position(same).unwrap_or_else(|| {
            origins.push(CampaignOrigin { listing: None, labels: published.terms.labels.clone() });
            origins.len() - 1
        });
        let campaigns = published.rows.campaigns().iter().flatten();
        known.extend(campaigns.map(|campaign| KnownCampaign { campaign: *campaign, origin: small(origin), place: 0 }));
    }
    // Targets come sorted, each with its campaigns sorted: runs that a stable sort merges.
    known.sort_by_key(|known| known.campaign);
    known.dedup_by_key(|known| known.campaign);
    for Learned { what: listing, terms, .. } in group.listings.values() {
        let origin = small(origins.len());
        origins.push(CampaignOrigin { listing: Some(listing.clone()), labels: terms.labels.clone() });
        let with_rows = known.len();
        for (place, listed) in listing.iter().enumerate() {
            // Only among those known before this listing: they are sorted, what it adds behind them is not yet.
            let at = known[..with_rows].binary_search_by_key(&listed.campaign, |known| known.campaign);
            let entry = KnownCampaign { campaign: listed.campaign, origin, place: small(place) };
            match at {
                // A listing knows the name; a campaign that only has rows is shown without one.
                Ok(at) => known[at] = entry,
                Err(_) if listed.marketing => known.push(entry),
                Err(_) => {}
            }
        }
        known.sort_by_key(|known| known.campaign);
    }
    (origins.into(), known)
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl CampaignRun {
    pub(super) fn identical(&self, former: &Self) -> bool {
        let origins = || self.origins.iter().zip(former.origins.iter());
        self.origins.len() == former.origins.len()
            && origins().all(|(one, other)| one.labels == other.labels && one.listing_at() == other.listing_at())
            && self.members == former.members
    }

    pub(super) fn same(&self, former: &Self) -> bool {
        self.members.len() == former.members.len()
            && self
                .members
                .iter()
                .zip(&former.members)
                .all(|(one, other)| one.campaign == other.campaign && self.facts(*one) == former.facts(*other))
    }

    /// Those whose names are known.
    pub(super) fn names(&self) -> impl Iterator<Item = (CampaignId, &str)> {
        let name = |known: &KnownCampaign| Some((known.campaign, self.facts(*known).0?.name));
        self.members.iter().filter_map(name)
    }

    fn facts(&self, known: KnownCampaign) -> (Option<ListedCampaign<'_>>, &Labels) {
        let origin = &self.origins[known.origin as usize];
        (origin.listing.as_ref().and_then(|listing| listing.at(known.place as usize)), &origin.labels)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let (source, account) = self.group;
        let mut head = format!("{}{{", FAMILIES[family::other(Other::CampaignInfo)].name);
        line::label("source", source.label(), &mut head);
        line::label("account_id", &account_label(account), &mut head);
        let mut text = String::new();
        for known in &self.members {
            let (listed, labels) = self.facts(*known);
            text.clone_from(&head);
            line::plain_label("campaign_id", known.campaign, &mut text);
            line::label("campaign_name", listed.map_or("", |listed| listed.name), &mut text);
            line::label("status", listed.map_or("", |listed| listed.status), &mut text);
            end(labels, &mut text);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// An account.
#[derive(Debug, PartialEq)]
pub(super) struct AccountInfo {
    pub(super) group: GroupKey,
    pub(super) facts: AccountFacts,
    pub(super) labels: Labels,
}

impl AccountInfo {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let (source, account) = self.group;
        let mut text = format!("{}{{", FAMILIES[family::other(Other::AccountInfo)].name);
        line::label("source", source.label(), &mut text);
        line::label("account_id", &account_label(account), &mut text);
        line::label("account_name", &self.facts.name, &mut text);
        line::label("currency", self.facts.currency.as_ref().map_or("", Currency::as_str), &mut text);
        line::label("timezone", &self.facts.timezone, &mut text);
        line::label("status", &self.facts.status, &mut text);
        end(&self.labels, &mut text);
        out.extend_from_slice(text.as_bytes());
    }
}

/// Static labels come last; the value is 1.
fn end(labels: &Labels, text: &mut String) {
    for (name, value) in labels.iter() {
        line::label(name, value, text);
    }
    text.push_str("} 1\n");
}
