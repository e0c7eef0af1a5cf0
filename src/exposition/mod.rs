//! The snapshot as text: rendered and deflated block by block when it changes, joined when it is
//! scraped.
//!
//! An [`Exposition`] is an immutable list of shared blocks. A scrape holds one from its first byte to
//! its last, whatever is published meanwhile, and two scrapes of one are byte-identical.

mod block;
mod cut;
mod deflate;
mod family;
mod figures;
mod info;
mod line;
mod scrape;
mod state;
mod windows;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use block::{Block, BlockContent, BlockId};
pub use family::{FAMILIES, Family, Format, header, target_families};
pub use line::escape;
pub use scrape::{Deflated, Scrape};

use crate::domain::change::GroupKey;
use crate::domain::snapshot::{Changed, Snapshot};
use crate::domain::status::{FleetHealth, TargetStatus};
use crate::domain::target::{AccountId, CampaignId, Source, TargetKey};

/// Everything a scrape shows of the campaigns, by account, and of the targets: immutable, replaced whole by the
/// publisher. A clone is a list of pointers, so the former exposition costs nothing but what changed since, for as long
/// as a slow scrape holds it.
#[derive(Clone, Debug, Default)]
pub struct Exposition {
    groups: BTreeMap<GroupKey, Blocks>,
    states: Blocks,
    health: Arc<FleetHealth>,
}

type Blocks = Arc<[Arc<Block>]>;

/// Which campaign series a scrape wants; empty lists want all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrapeFilter {
    /// Accounts.
    pub accounts: Vec<AccountId>,
    /// Sources.
    pub sources: Vec<Source>,
}

impl ScrapeFilter {
    fn wants(&self, (source, account): &GroupKey) -> bool {
        (self.sources.is_empty() || self.sources.contains(source))
            && (self.accounts.is_empty() || account.is_some_and(|account| self.accounts.contains(&account)))
    }
}

impl Exposition {
    /// The exposition after something of the snapshot changed. What did not change is shared.
    #[must_use]
    pub fn update(&self, snapshot: &Snapshot, changed: &Changed) -> Self {
        let mut groups = self.groups.clone();
        for key in &changed.groups {
            let contents = snapshot.groups().get(key).map(|group| cut::of_group(*key, group)).unwrap_or_default();
            if contents.is_empty() {
                groups.remove(key);
            } else {
                let blocks = render(contents, groups.get(key));
                groups.insert(*key, blocks);
            }
        }
        let states =
            if changed.statuses { render(cut::of_states(snapshot), Some(&self.states)) } else { self.states.clone() };
        Self { groups, states, health: snapshot.health().clone() }
    }

    /// What a scrape sends, with a text of the exporter's own at the end. A filter leaves accounts
    /// out; the state of the targets and the text are shown to all.
    pub fn scrape(&self, format: Format, filter: &ScrapeFilter, own: Deflated) -> Scrape {
        let groups = self.groups.iter().filter(|(key, _)| filter.wants(key));
        let blocks = groups.flat_map(|(_, blocks)| blocks.iter());
        Scrape::new(format, blocks.chain(self.states.iter()), own)
    }

    /// How each target fares, in order. Those who show it in another form show what a scrape does.
    pub fn statuses(&self) -> impl Iterator<Item = &(TargetKey, TargetStatus)> {
        let states = self.states.iter().filter_map(|block| match block.content() {
            BlockContent::States(states) => Some(&states.0),
            _ => None,
        });
        states.flatten()
    }

    /// How the lanes and the credentials fare.
    pub fn health(&self) -> &FleetHealth {
        &self.health
    }

    /// The accounts that discovery knows, with their names.
    pub fn account_names(&self) -> impl Iterator<Item = (GroupKey, &str)> {
        self.groups.values().flat_map(|blocks| blocks.iter()).filter_map(|block| match block.content() {
            BlockContent::Account(account) => Some((account.group, &*account.facts.name)),
            _ => None,
        })
    }

    /// The campaigns that discovery knows, with their names.
    pub fn campaign_names(&self) -> impl Iterator<Item = (Source, CampaignId, &str)> {
        self.groups.iter().flat_map(|((source, _), blocks)| {
            let campaigns = blocks.iter().filter_map(|block| match block.content() {
                BlockContent::Campaigns(campaigns) => Some(campaigns),
                _ => None,
            });
            campaigns.flat_map(info::CampaignRun::names).map(|(campaign, name)| (*source, campaign, name))
        })
    }
}

fn render(contents: Vec<(BlockId, BlockContent)>, former: Option<&Blocks>) -> Blocks {
    // By what they begin with and not by place: a block that moved is still the same.
    let former: HashMap<_, _> =
        former.iter().flat_map(|former| former.iter()).map(|block| (block.id(), block)).collect();
    let mut text = Vec::new();
    let blocks = contents.into_iter().map(|(id, content)| {
        let former = former.get(&id).copied();
        Block::render(id, content, former, &mut text)
    });
    blocks.collect()
}
