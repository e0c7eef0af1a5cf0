//! Values that are either a word or something with parts: windows and campaigns.

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::{Schema, SchemaGenerator};
use serde_json::{Value as Json, json};

use super::entry::Leaf;
use super::entry::{Bare, Entry, Holds, List, quoted, schema};
use super::leaf::leaf;
use super::nearest::nearest;
use super::node::{Node, Scalar, Value};
use super::raw::{Filter, Range};
use super::report::Location;
use crate::domain::filter::Glob;
use crate::domain::plan::WantedCampaigns;
use crate::domain::target::{CampaignId, Level, PRESETS, Window};

/// A window as it is typed.
pub(super) enum WindowChoice {
    /// By the API's name.
    Preset(Window),
    /// By its days.
    Range(Box<Range>),
}

impl Holds for WindowChoice {
    fn read(node: Node) -> Entry<Self> {
        let shown = match &node.value {
            Value::Map(_) => return Range::read(node).map(|range| Self::Range(Box::new(range))),
            Value::Scalar(Scalar { text, .. }) => match Window::preset(text) {
                Some(window) => return Entry::sound(Self::Preset(window)),
                None => match nearest(text, PRESETS) {
                    Some(preset) => {
                        return Entry::wrong(format!("{} is not a window; did you mean `{preset}`?", quoted(text)));
                    }
                    None => quoted(text),
                },
            },
            _ => node.kind().to_owned(),
        };
        let presets = PRESETS.join(", ");
        Entry::wrong(format!("{shown} is not a window; write {{name, since, until}} or one of {presets}"))
    }

    fn keys() -> Json {
        Range::keys()
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        schema(json!({"anyOf": [{"enum": PRESETS}, Range::schema(generator)]}))
    }
}

/// Names of windows that mean something else.
const RESERVED: [&str; 2] = ["unspecified", "day"];

/// The name of a window of fixed days.
pub(super) struct RangeName(Arc<str>);

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

/// The windows of a list; `None` unless the list is sound.
pub(super) fn windows(at: &Location<'_>, choices: List<WindowChoice>) -> Option<Vec<Window>> {
    if choices.is_empty() {
        at.problem("the list is empty; add a window, or remove the key to use the default");
    }
    let mut windows: Vec<Window> = Vec::new();
    for (at, choice) in at.items(choices) {
        let window = match choice {
            WindowChoice::Preset(window) => Some(window),
            WindowChoice::Range(range) => span(&at, *range),
        };
        let Some(window) = window else { continue };
        if windows.iter().any(|other| other.label() == window.label()) {
            at.problem(format!("the window `{}` is listed twice; remove one of them", window.label()));
        }
        windows.push(window);
    }
    (!windows.is_empty()).then_some(windows)
}

fn span(at: &Location<'_>, range: Range) -> Option<Window> {
    let name = at.require("name", range.name);
    let since = at.require("since", range.since);
    let until = at.require("until", range.until);
    let (name, since, until) = (name?.0, since?, until?);
    if since > until {
        at.problem(format!("since {since} is after until {until}; swap them"));
    }
    Some(Window::Range { name, since, until })
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

    fn read(node: Node, remedy: &str) -> Entry<Self> {
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
        Self::read(node, "write all, or a list of campaign ids")
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        schema(json!({"anyOf": [{"const": "all"}, {"type": "array", "minItems": 1, "items": CampaignId::shape()}]}))
    }
}

/// Campaigns of an ad account, as typed.
pub(super) enum AccountCampaigns {
    /// All, or some by their ids.
    Listed(ChannelCampaigns),
    /// Those of certain names and states.
    Filter(Box<Filter>),
}

impl Holds for AccountCampaigns {
    fn read(node: Node) -> Entry<Self> {
        if matches!(node.value, Value::Map(_)) {
            return Filter::read(node).map(|filter| Self::Filter(Box::new(filter)));
        }
        ChannelCampaigns::read(node, "write all, a list of campaign ids, or {name: \"Spring*\", status: [ACTIVE]}")
            .map(Self::Listed)
    }

    fn keys() -> Json {
        Filter::keys()
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        schema(json!({"anyOf": [ChannelCampaigns::schema(generator), Filter::schema(generator)]}))
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
