//! What a target asks, and of which API, as text: rows that answer one question are never shown for another.
//!
//! The state file keeps a hash of it, so the spelling is part of its format. A type may be renamed and its fields
//! reordered; what is hashed stays, byte for byte, or every target would start anew after an upgrade.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::filter::Filter;
use super::fleet::{Planned, Selection};
use super::target::{CampaignId, Level};

/// What a target asks of the API at an address, as it is hashed.
pub fn spelled(base_url: Option<&str>, planned: &Planned) -> String {
    let base_url = optional(base_url.map(|base_url| format!("{base_url:?}")));
    format!("{base_url} {} MetricSet({})", spelled_selection(&planned.selection), planned.terms.metrics.bits())
}

/// What the rows of a target mean, whichever of them it asks for: those of one meaning may be shown until others come.
pub fn meaning(base_url: Option<&str>, planned: &Planned) -> String {
    match &planned.selection {
        // Which names a pattern admits only the API knows, so another pattern is another meaning.
        Selection::Campaigns { level, matching, .. } => {
            let matching = matching.as_ref().map(|filter| spelled_filter(filter)).unwrap_or_default();
            format!("{} {} {matching}", base_url.unwrap_or_default(), level.label())
        }
        channel @ Selection::Channel { .. } => {
            format!("{} {}", base_url.unwrap_or_default(), spelled_selection(channel))
        }
    }
}

fn spelled_selection(selection: &Selection) -> String {
    match selection {
        Selection::Campaigns { level, only, filtered, matching, except } => {
            let level = match level {
                Level::Ad => "Ad",
                Level::Campaign => "Campaign",
            };
            let ids = |ids: &Arc<BTreeSet<CampaignId>>| list(ids.iter().map(|id| format!("CampaignId({id})")));
            // Left out where there is none, as it was before there could be one.
            let except = except.as_ref().map(|except| format!(", except: {}", ids(except))).unwrap_or_default();
            let only = only.as_ref().map(ids);
            let matching = matching.as_ref().map(|filter| spelled_filter(filter));
            let (only, matching) = (optional(only), optional(matching));
            format!("Meta {{ level: {level}, only: {only}, filtered: {filtered}, matching: {matching}{except} }}")
        }
        // The currency is a label of the answer, and no part of the question.
        Selection::Channel { space, page, account, currency: _ } => {
            format!("Cams {{ space: {space:?}, page: PageId({page}), account: AccountId({account}) }}")
        }
    }
}

fn spelled_filter(filter: &Filter) -> String {
    let name = optional(filter.name.as_ref().map(|glob| format!("Glob({:?})", glob.as_str())));
    let states = list(filter.states.iter().map(|state| format!("{state:?}")));
    format!("Filter {{ name: {name}, states: {states} }}")
}

fn optional(text: Option<String>) -> String {
    text.map_or_else(|| "None".to_owned(), |text| format!("Some({text})"))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", items.collect::<Vec<_>>().join(", "))
}
