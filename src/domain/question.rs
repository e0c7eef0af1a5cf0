//! What a target asks of whom, spelled out: an answer to another question is not shown in its place.
//!
//! The state file keeps a hash of it, so the spelling is part of its format. A type may be renamed and its fields
//! reordered; what is hashed stays, byte for byte, or every target would start anew after an upgrade.

use super::filter::Filter;
use super::fleet::{Planned, Selection};
use super::target::Level;

/// What a target asks of the API at an address, as it is hashed.
pub fn spelled(base_url: Option<&str>, planned: &Planned) -> String {
    let base_url = optional(base_url.map(|base_url| format!("{base_url:?}")));
    format!("{base_url} {} MetricSet({})", spelled_selection(&planned.selection), planned.terms.metrics.bits())
}

fn spelled_selection(selection: &Selection) -> String {
    match selection {
        Selection::Campaigns { level, only, filtered, matching } => {
            let level = match level {
                Level::Ad => "Ad",
                Level::Campaign => "Campaign",
            };
            let only = only.as_ref().map(|ids| list(ids.iter().map(|id| format!("CampaignId({id})"))));
            let matching = matching.as_ref().map(|filter| spelled_filter(filter));
            let (only, matching) = (optional(only), optional(matching));
            format!("Meta {{ level: {level}, only: {only}, filtered: {filtered}, matching: {matching} }}")
        }
        Selection::Channel { space, page, account } => {
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
