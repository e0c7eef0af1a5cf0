//! The two forms of the list.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{AccountListing, FoundCampaign};
use crate::command::table::table;
use crate::domain::target::{AccountId, CampaignId, Level, PageId, Source};

/// What is said of a campaign whose kind the API leaves open.
const UNSURE: &str = "perhaps not a marketing-message campaign: the API does not say";

/// What stands for something that is not there.
const NOTHING: &str = "-";

/// A line for each campaign; the names come last, because nobody knows how wide they are.
pub(super) fn as_table(places: &[AccountListing]) -> String {
    let titles = ["source", "credential", "account", "campaign", "parent", "status", "account name", "name"];
    let mut rows = vec![titles.map(str::to_uppercase).to_vec()];
    for place in places {
        let home = [place.source.label().to_owned(), place.credential.to_string(), place.account.to_string()];
        let row = |campaign: String, parent: String, status: String, name: String| {
            home.iter().cloned().chain([campaign, parent, status, or_nothing(&place.name), name]).collect()
        };
        for FoundCampaign { id, parent, name, status, sure } in &place.campaigns {
            let name = if *sure { or_nothing(name) } else { format!("? {name}") };
            rows.push(row(shown(*id), shown(*parent), or_nothing(status), name));
        }
        if place.campaigns.is_empty() {
            let none = "(no marketing-message campaign)".to_owned();
            rows.push(row(NOTHING.to_owned(), NOTHING.to_owned(), NOTHING.to_owned(), none));
        }
    }
    let mut text = table(&rows);
    let campaigns = || places.iter().flat_map(|place| &place.campaigns);
    if campaigns().any(|campaign| !campaign.sure) {
        text.push_str("? the API does not say whether this is a marketing-message campaign\n");
    }
    if campaigns().any(|campaign| campaign.id.is_none()) {
        text.push_str("a line without a campaign is a parent without an ad: level: ad has nothing to read there yet\n");
    }
    text
}

/// Configuration that follows every account and channel. Their campaigns stand in comments: a list of ids would keep
/// out every campaign that is created later.
pub(super) fn as_yaml(places: &[AccountListing]) -> String {
    let mut text = String::from(
        "# Found by `marketing-messages-exporter discover`. Paste it below your credentials, or name it as a\n\
         # second --config.file; its lists replace those of the files before it.\n",
    );
    let mut seen = BTreeSet::new();
    for source in Source::ALL.into_iter().rev() {
        let ours = places.iter().filter(|place| place.source == source);
        let (wanted, others): (Vec<_>, Vec<_>) =
            ours.map(|place| (place, place.why_not(&mut seen))).partition(|(_, why)| why.is_none());
        for (AccountListing { credential, account, name, .. }, why) in others {
            let why = why.unwrap_or_default();
            let _ = writeln!(text, "# {}/{credential} {account}{}: {why}", source.label(), after_space(name));
        }
        let mut written = None;
        for (place, _) in &wanted {
            if written.is_none() {
                let _ = writeln!(text, "{}:", source.label());
            }
            if written != Some(&place.credential) {
                let list = if place.channel.is_none() { "accounts" } else { "channels" };
                // A name of digits would be read as a number, and one of two letters as a boolean.
                let _ = writeln!(text, "  \"{}\":\n    {list}:", place.credential);
                written = Some(&place.credential);
            }
            place.write_yaml(&mut text);
        }
    }
    text
}

impl AccountListing {
    /// Why the configuration does without it. `seen` holds what the places before it ask for.
    fn why_not(&self, seen: &mut BTreeSet<(Source, AccountId, Option<PageId>)>) -> Option<&'static str> {
        if !self.campaigns.iter().any(FoundCampaign::is_useful) {
            return Some("no marketing-message campaign");
        }
        let polled = (self.source, self.account, self.channel.as_ref().map(|(_, page)| *page));
        (!seen.insert(polled)).then_some("already listed, and polled only once")
    }

    fn write_yaml(&self, text: &mut String) {
        let named = remark(&[&self.name]);
        let _ = match &self.channel {
            None => {
                writeln!(text, "      - id: \"{}\"{named}\n        level: {}", self.account, self.level.label())
            }
            Some((space, page)) => writeln!(
                text,
                "      - cust_space_id: {}\n        page_id: \"{page}\"\n        ad_account_id: \"{}\"{named}",
                serde_json::Value::from(&**space),
                self.account
            ),
        };
        text.push_str("        campaigns: all  # those of today:\n");
        let mut listed = BTreeSet::new();
        for campaign in &self.campaigns {
            let FoundCampaign { name, status, .. } = campaign;
            let id = if self.level == Level::Ad { campaign.id } else { campaign.parent };
            let Some(id) = id.filter(|id| listed.insert(*id)) else { continue };
            let unsure = if campaign.sure { "" } else { UNSURE };
            let _ = writeln!(text, "        #   \"{id}\"{}", remark(&[name, status, unsure]));
        }
    }
}

impl FoundCampaign {
    fn is_useful(&self) -> bool {
        self.sure && self.id.is_some()
    }
}

/// A comment behind a value. Names are free of line breaks by now.
fn remark(parts: &[&str]) -> String {
    let parts: Vec<_> = parts.iter().filter(|part| !part.is_empty()).copied().collect();
    if parts.is_empty() { String::new() } else { format!("  # {}", parts.join(", ")) }
}

fn after_space(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" {text}") }
}

fn shown(id: Option<CampaignId>) -> String {
    id.map_or_else(|| NOTHING.to_owned(), |id| id.to_string())
}

fn or_nothing(text: &str) -> String {
    if text.is_empty() { NOTHING.to_owned() } else { text.to_owned() }
}
