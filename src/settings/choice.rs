//! Values of windows and of selections of campaigns: names, patterns, states, ids.

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::{Schema, SchemaGenerator};
use serde_json::{Value as Json, json};

use super::entry::Leaf;
use super::entry::{Bare, Entry, Holds, List, quoted, schema};
use super::leaf::leaf;
use super::nearest::nearest;
use super::node::{Node, Scalar, Value};
use super::report::Location;
use crate::domain::filter::Glob;
use crate::domain::fleet::WantedCampaigns;
use crate::domain::target::{CampaignId, Level, PRESETS};

/// Names of windows that mean something else.
const RESERVED: [&str; 2] = ["unspecified", "day"];

/// The name of a window of fixed days.
pub(super) struct RangeName(pub(super) Arc<str>);

leaf!(
    RangeName,
    Refused,
    "a valid window name",
    |text| {
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        (plain && !taken().contains(&text) && (1..=64).contains(&text.len())).then(|| RangeName(text.into()))
    },
    "1 to 64 characters of a-z, 0-9, _ and -, but not a preset, `day` or `unspecified`",
    {"type": "string", "pattern": "^[a-z0-9_-]{1,64}$", "not": {"enum": taken()}}
);

/// Names that no window of the user's can have.
fn taken() -> Vec<&'static str> {
    [&RESERVED[..], &PRESETS].concat()
}

/// Campaigns of a channel, as typed.
pub(super) enum ChannelCampaigns {
    /// All that there are.
    All,
    /// These.
    Only(List<CampaignId>),
}

impl ChannelCampaigns {
    /// What is wanted; an id that is listed twice is a problem.
    pub(super) fn wanted(self, at: &Location<'_>) -> WantedCampaigns {
        let Self::Only(ids) = self else { return WantedCampaigns::All };
        let mut only = BTreeSet::new();
        for (at, id) in at.items(ids) {
            if !only.insert(id) {
                at.problem(format!("campaign {id} is listed twice; remove one of them"));
            }
        }
        WantedCampaigns::Only(only)
    }

    /// Reads a word or a list; `remedy` says what else to write.
    pub(super) fn read_or(node: Node, remedy: &str) -> Entry<Self> {
        match &node.value {
            Value::Scalar(Scalar { text, .. }) if text == "all" => Entry::sound(Self::All),
            Value::List(ids) if ids.is_empty() => Entry::wrong(format!("the list is empty; {remedy}")),
            Value::List(_) => List::read(node).map(Self::Only),
            Value::Scalar(Scalar { text, .. }) => {
                Entry::wrong(format!("{} does not select campaigns; {remedy}", quoted(text)))
            }
            _ => Entry::wrong(format!("{} does not select campaigns; {remedy}", node.kind())),
        }
    }
}

impl Holds for ChannelCampaigns {
    fn read(node: Node) -> Entry<Self> {
        Self::read_or(node, "write all, or a list of campaign ids")
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        schema(json!({"anyOf": [{"const": "all"}, {"type": "array", "minItems": 1, "items": CampaignId::shape()}]}))
    }
}

leaf!(
    Glob,
    Refused,
    "a name pattern",
    |text| Self::new(text),
    "1 to 256 characters, where * matches any text and ? any single character, such as \"Spring*\"",
    {"type": "string", "minLength": 1, "maxLength": 256}
);

/// An effective status, in Meta's words.
pub(super) struct CampaignState(pub(super) &'static str);

impl Leaf for CampaignState {
    const NOUN: &'static str = "a status";
    const BARE: Bare = Bare::Refused;

    fn parse(text: &str) -> Option<Self> {
        Level::Ad.states().iter().find(|state| **state == text).map(|state| Self(state))
    }

    fn remedy(text: &str) -> String {
        let states = Level::Ad.states();
        match nearest(&text.to_uppercase(), states.iter().copied()) {
            Some(state) => format!("`{state}`"),
            None => format!("one of {}", states.join(", ")),
        }
    }

    fn shape() -> Json {
        json!({"enum": Level::Ad.states()})
    }
}
