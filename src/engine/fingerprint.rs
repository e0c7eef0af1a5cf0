//! What a target asks of whom, in a few letters: an answer to another question is not shown in its place.
//!
//! The state file keeps them, so the spelling below is part of its format. A type may be renamed and its fields
//! reordered; what is hashed stays, byte for byte, or every target would start anew after an upgrade.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::event::PollPlan;
use crate::domain::filter::Filter;
use crate::domain::plan::{Planned, Selection};
use crate::domain::target::Level;
use crate::source::hex;

impl PollPlan {
    /// The fingerprint of a target's question. Labels and intervals are no part of it, nor is the version, whose
    /// answers mean the same.
    pub(super) fn fingerprint(&self, planned: &Planned) -> String {
        let base_url = self.credential(&planned.key.credential_id()).map(|credential| credential.api.base_url());
        let mut question = base_url.map_or_else(|| "None".to_owned(), |base_url| format!("Some({base_url:?})"));
        question.push(' ');
        spell(&planned.selection, &mut question);
        let _ = write!(question, " MetricSet({})", planned.terms.metrics.bits());
        hex(&Sha256::digest(question.as_bytes())[..8])
    }
}

fn spell(selection: &Selection, to: &mut String) {
    let _ = match selection {
        Selection::Meta { level, only, filtered, matching } => {
            let level = match level {
                Level::Ad => "Ad",
                Level::Campaign => "Campaign",
            };
            let only = only.as_ref().map(|ids| list(ids.iter().map(|id| format!("CampaignId({id})"))));
            let matching = matching.as_ref().map(|filter| spelled_filter(filter));
            let (only, matching) = (optional(only), optional(matching));
            write!(to, "Meta {{ level: {level}, only: {only}, filtered: {filtered}, matching: {matching} }}")
        }
        Selection::Cams { space, page, account } => {
            write!(to, "Cams {{ space: {space:?}, page: PageId({page}), account: AccountId({account}) }}")
        }
    };
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
