//! Where one block ends and the next begins.
//!
//! Decided by the ids and not by counting, so that the same snapshot is always cut alike, and a
//! campaign that comes or goes changes its own block only.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::tz::TimeZone;

use super::block::{BlockContent, BlockId};
use super::figures::{FigureRun, TargetRows};
use super::info::{self, CampaignRun};
use super::state::States;
use super::windows::Windows;
use crate::domain::change::GroupKey;
use crate::domain::lane::LaneKey;
use crate::domain::snapshot::{Group, Learned, Snapshot};
use crate::domain::target::{CampaignId, TargetKey};

/// A block has this many members in the mean, as a power of two.
const MEAN_MEMBERS_LOG2: u32 = 9;

/// Whether a block begins at a campaign. The multiplier spreads ids that follow one another evenly.
fn begins(campaign: CampaignId) -> bool {
    campaign.number().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - MEAN_MEMBERS_LOG2) == 0
}

/// Whether a block begins at a target.
fn begins_at_target(key: &TargetKey) -> bool {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish() >> (64 - MEAN_MEMBERS_LOG2) == 0
}

/// The blocks of an account, in the order of the exposition.
pub(super) fn of_group(key: GroupKey, group: &Group) -> Vec<(BlockId, BlockContent)> {
    let facts = group.account().map(|known| &known.what);
    let zone = facts.and_then(|facts| TimeZone::get(&facts.timezone).ok()).unwrap_or(TimeZone::UTC);
    let mut blocks = figures(key, group, &zone);
    let windows = Windows::of(key, zone, group);
    if !windows.is_empty() {
        blocks.push((BlockId::Windows, BlockContent::Windows(windows)));
    }
    let (origins, known) = info::campaigns(group);
    let runs = known.chunk_by(|_, next| !begins(next.campaign));
    blocks.extend(runs.filter_map(|run| {
        let content = CampaignRun { group: key, origins: origins.clone(), members: run.to_vec() };
        Some((BlockId::Campaigns(run.first()?.campaign), BlockContent::Campaigns(content)))
    }));
    if let Some(Learned { what: facts, terms, .. }) = group.account() {
        let account = info::AccountInfo { group: key, facts: facts.clone(), labels: terms.labels.clone() };
        blocks.push((BlockId::Account, BlockContent::Account(account)));
    }
    blocks
}

fn figures(key: GroupKey, group: &Group, zone: &TimeZone) -> Vec<(BlockId, BlockContent)> {
    let currency = group.account().and_then(|known| known.what.currency);
    let empty = || FigureRun { group: key, currency, zone: zone.clone(), parts: Vec::new() };

    let mut blocks: Vec<(BlockId, BlockContent)> = Vec::new();
    let mut open: Option<(BlockId, FigureRun)> = None;
    for (target, published) in &group.targets {
        let campaigns = published.rows.campaigns();
        let mut start = 0;
        for run in campaigns.chunk_by(|_, next| !next.is_some_and(begins)) {
            let range = start..start + run.len();
            start = range.end;
            // The first run of a target may go on the block of the target before: small targets share one.
            if run.first().copied().flatten().is_some_and(begins) {
                blocks.extend(open.take().map(|(id, figures)| (id, BlockContent::Figures(figures))));
            }
            let first = run.first().copied().flatten();
            let (_, figures) = open.get_or_insert_with(|| (BlockId::Figures(target.clone(), first), empty()));
            figures.parts.push(TargetRows {
                window: target.window.clone(),
                labels: published.terms.labels.clone(),
                rows: published.rows.clone(),
                range,
            });
        }
    }
    blocks.extend(open.map(|(id, figures)| (id, BlockContent::Figures(figures))));
    blocks
}

/// The blocks of the targets' states.
pub(super) fn of_states(snapshot: &Snapshot) -> Vec<(BlockId, BlockContent)> {
    let mut blocks: Vec<(BlockId, States)> = Vec::new();
    for (key, status) in snapshot.statuses() {
        if blocks.is_empty() || begins_at_target(key) {
            blocks.push((BlockId::States(key.clone()), States(Vec::new())));
        }
        if let Some((_, states)) = blocks.last_mut() {
            let mut status = status.clone();
            // Its lane may open only later.
            let lane = snapshot.health().lanes.get(&LaneKey::of(key));
            let blocked = lane.and_then(|lane| lane.blocked_until);
            status.next_poll = status.next_poll.map(|next| blocked.filter(|until| *until > next).unwrap_or(next));
            states.0.push((key.clone(), status));
        }
    }
    blocks.into_iter().map(|(id, states)| (id, BlockContent::States(states))).collect()
}
