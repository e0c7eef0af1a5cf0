//! The two forms of the list.

use std::fmt::Write as _;

use super::{Campaign, Place};
use crate::command::table::table;
use crate::domain::target::{CampaignId, Source};

/// What stands for something that is not there.
const NOTHING: &str = "-";

/// A line for each campaign; the names come last, because nobody knows how wide they are.
pub(super) fn as_table(places: &[Place]) -> String {
    let titles = ["source", "credential", "account", "campaign", "parent", "status", "account name", "name"];
    let mut rows = vec![titles.map(str::to_uppercase).to_vec()];
    for place in places {
        let home = [place.source.label().to_owned(), place.credential.to_string(), place.account.to_string()];
        let row = |campaign: String, parent: String, status: String, name: String| {
            home.iter().cloned().chain([campaign, parent, status, or_nothing(&place.name), name]).collect()
        };
        for Campaign { id, parent, name, status, sure } in &place.campaigns {
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

/// Configuration that names every campaign.
pub(super) fn as_yaml(places: &[Place]) -> String {
    let mut text = String::from(
        "# Found by `marketing-messages-exporter discover`. Paste it below your credentials, or name it as a\n\
         # second --config.file; its lists replace those of the files before it.\n",
    );
    for source in [Source::Meta, Source::Cams] {
        let ours: Vec<_> = places.iter().filter(|place| place.source == source).collect();
        for place in ours.iter().filter(|place| !place.is_useful()) {
            let Place { credential, account, name, .. } = place;
            let _ = writeln!(text, "# {}/{credential} {account} {name}: no campaign to list", source.label());
        }
        let mut written = None;
        for place in ours.iter().filter(|place| place.is_useful()) {
            if written.is_none() {
                let _ = writeln!(text, "{}:", source.label());
            }
            if written != Some(&place.credential) {
                let list = if source == Source::Meta { "accounts" } else { "channels" };
                // A name of digits would be read as a number, and one of two letters as a truth value.
                let _ = writeln!(text, "  \"{}\":\n    {list}:", place.credential);
                written = Some(&place.credential);
            }
            place.write_yaml(&mut text);
        }
    }
    text
}

impl Place {
    fn is_useful(&self) -> bool {
        self.campaigns.iter().any(Campaign::is_useful)
    }

    fn write_yaml(&self, text: &mut String) {
        let named = remark(&[&self.name]);
        let _ = match &self.channel {
            None => writeln!(text, "      - id: \"{}\"{named}\n        level: ad", self.account),
            Some((space, page)) => writeln!(
                text,
                "      - cust_space_id: {}\n        page_id: \"{page}\"\n        ad_account_id: \"{}\"{named}",
                serde_json::Value::from(&**space),
                self.account
            ),
        };
        text.push_str("        campaigns:\n");
        for campaign in &self.campaigns {
            let Campaign { id: Some(id), name, status, .. } = campaign else { continue };
            if campaign.is_useful() {
                let _ = writeln!(text, "          - \"{id}\"{}", remark(&[name, status]));
            } else {
                let unsure = "the API does not say whether it is a marketing-message campaign";
                let _ = writeln!(text, "          # - \"{id}\"{} ({unsure})", remark(&[name, status]));
            }
        }
    }
}

impl Campaign {
    fn is_useful(&self) -> bool {
        self.sure && self.id.is_some()
    }
}

/// A comment behind a value. Names are free of line breaks by now.
fn remark(parts: &[&str]) -> String {
    let parts: Vec<_> = parts.iter().filter(|part| !part.is_empty()).copied().collect();
    if parts.is_empty() { String::new() } else { format!("  # {}", parts.join(", ")) }
}

fn shown(id: Option<CampaignId>) -> String {
    id.map_or_else(|| NOTHING.to_owned(), |id| id.to_string())
}

fn or_nothing(text: &str) -> String {
    if text.is_empty() { NOTHING.to_owned() } else { text.to_owned() }
}
