//! What discovery knows of accounts and campaigns: their names and states.

use std::collections::BTreeMap;

use super::target::{CampaignId, Currency};

/// What is known of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountFacts {
    /// Its name, as its owner wrote it.
    pub name: String,
    /// The currency of its money.
    pub currency: Option<Currency>,
    /// Its time zone's IANA name.
    pub timezone: String,
    /// Its state in the API's words.
    pub status: String,
}

/// What is known of a campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CampaignFacts {
    /// Its name, as its owner wrote it.
    pub name: String,
    /// Its state in the API's words.
    pub status: String,
    /// Whether it is known to be a marketing-message campaign; others are shown only with rows.
    pub marketing: bool,
}

/// The campaigns that one discovery found, names and states in one text: a map of strings would
/// take four times the memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    entries: Box<[ListingEntry]>,
    text: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ListingEntry {
    campaign: CampaignId,
    /// Where the name and the state behind it end in the text; a name begins where the last state ends.
    name: u32,
    status: u32,
    marketing: bool,
}

/// A campaign of a [`Listing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedCampaign<'a> {
    /// Which.
    pub campaign: CampaignId,
    /// Its name, as its owner wrote it.
    pub name: &'a str,
    /// Its state in the API's words.
    pub status: &'a str,
    /// Whether it is known to be a marketing-message campaign.
    pub marketing: bool,
}

impl Listing {
    /// The same, compact.
    pub fn new(facts: &BTreeMap<CampaignId, CampaignFacts>) -> Self {
        let mut text = String::with_capacity(facts.values().map(|facts| facts.name.len() + facts.status.len()).sum());
        let end = |text: &String| u32::try_from(text.len()).unwrap_or(u32::MAX);
        let entries = facts.iter().map(|(campaign, facts)| {
            text.push_str(&facts.name);
            let name = end(&text);
            text.push_str(&facts.status);
            ListingEntry { campaign: *campaign, name, status: end(&text), marketing: facts.marketing }
        });
        Self { entries: entries.collect(), text: text.into() }
    }

    /// Whether a campaign is among them.
    pub fn contains(&self, campaign: CampaignId) -> bool {
        self.entries.binary_search_by_key(&campaign, |entry| entry.campaign).is_ok()
    }

    /// Those that `keep` names.
    pub fn only(&self, keep: impl Fn(CampaignId) -> bool) -> Self {
        Self::of(self.iter().filter(|listed| keep(listed.campaign)))
    }

    /// These and others; of a campaign that is in both, what stands here counts.
    pub fn with(&self, others: &Self) -> Self {
        let both: BTreeMap<_, _> = others.iter().chain(self.iter()).map(|listed| (listed.campaign, listed)).collect();
        Self::of(both.into_values())
    }

    fn of<'a>(listed: impl Iterator<Item = ListedCampaign<'a>>) -> Self {
        let facts = listed.map(|ListedCampaign { campaign, name, status, marketing }| {
            (campaign, CampaignFacts { name: name.to_owned(), status: status.to_owned(), marketing })
        });
        Self::new(&facts.collect())
    }

    /// Number of campaigns.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The campaign at a place, counted in ascending order.
    pub fn at(&self, place: usize) -> Option<ListedCampaign<'_>> {
        let entry = self.entries.get(place)?;
        // A name begins where the state before it ends, so only ends are stored.
        let start = place.checked_sub(1).map_or(0, |before| self.entries[before].status);
        let text = |from: u32, to: u32| self.text.get(from as usize..to as usize).unwrap_or_default();
        Some(ListedCampaign {
            campaign: entry.campaign,
            name: text(start, entry.name),
            status: text(entry.name, entry.status),
            marketing: entry.marketing,
        })
    }

    /// The campaigns, ascending.
    pub fn iter(&self) -> impl Iterator<Item = ListedCampaign<'_>> {
        (0..self.len()).filter_map(|place| self.at(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_gives_back_what_it_was_made_of() {
        let id = |id: u32| CampaignId::parse(&id.to_string()).unwrap();
        let facts = |name: &str, status: &str, marketing| CampaignFacts {
            name: name.to_owned(),
            status: status.to_owned(),
            marketing,
        };
        let known = [
            (id(2), facts("Größe \"M\"", "ACTIVE", true)),
            (id(1), facts("", "", false)),
            (id(9), facts("x", "PAUSED", true)),
        ];
        let listing = Listing::new(&known.iter().cloned().collect());
        let listed: Vec<_> = listing.iter().map(|l| (l.campaign, l.name, l.status, l.marketing)).collect();
        assert_eq!(
            listed,
            [(id(1), "", "", false), (id(2), "Größe \"M\"", "ACTIVE", true), (id(9), "x", "PAUSED", true)]
        );
        assert_eq!((listing.len(), listing.at(3)), (3, None));
    }
}
