//! Names and labels that the user chooses.

use serde_json::{Value as Json, json};

use super::entry::{Bare, Leaf};
use super::leaf::leaf;

/// The name of a credential.
pub(super) struct CredentialName;

leaf!(
    CredentialName,
    Refused,
    "a valid credential name",
    |text| {
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        (plain && (1..=63).contains(&text.len())).then_some(CredentialName)
    },
    "1 to 63 characters of a-z, 0-9 and -",
    {"type": "string", "pattern": "^[a-z0-9-]{1,63}$"}
);

/// The name of a static label.
pub(super) struct LabelName;

/// Names of labels that samples or the exporter's own metrics have, or that the format gives a meaning.
const BUILT_IN: [&str; 14] = [
    "source",
    "account_id",
    "campaign_id",
    "window",
    "currency",
    "action",
    "campaign_name",
    "account_name",
    "status",
    "timezone",
    "credential",
    "target",
    "le",
    "quantile",
];
/// Labels of the scrape itself, over which Prometheus renames a sample's own.
const OF_THE_SCRAPE: [&str; 2] = ["job", "instance"];

impl Leaf for LabelName {
    const NOUN: &'static str = "a valid label name";
    const BARE: Bare = Bare::Refused;

    fn parse(text: &str) -> Option<Self> {
        let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        let plain = text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit());
        let free = !text.starts_with("__") && !OF_THE_SCRAPE.contains(&text) && !BUILT_IN.contains(&text);
        (plain && free).then_some(Self)
    }

    fn remedy(text: &str) -> String {
        let reason = if text.starts_with("__") {
            ": names starting with __ are reserved for Prometheus"
        } else if OF_THE_SCRAPE.contains(&text) {
            ": Prometheus sets this label itself and would rename this one to exported_..."
        } else if BUILT_IN.contains(&text) {
            ": samples already have a label of this name"
        } else {
            " of letters, digits and _, not starting with a digit"
        };
        format!("another name{reason}")
    }

    fn shape() -> Json {
        let taken = [&BUILT_IN[..], &OF_THE_SCRAPE].concat();
        json!({"pattern": "^(_?[A-Za-z][A-Za-z0-9_]*|_([0-9][A-Za-z0-9_]*)?)$", "not": {"enum": taken}})
    }
}

/// The value of a static label.
pub(super) struct LabelValue(pub(super) String);

leaf!(
    LabelValue,
    Typed,
    "a label's value",
    |text| (text.chars().count() <= 256).then(|| LabelValue(text.to_owned())),
    "a string of at most 256 characters",
    {"type": ["string", "number", "boolean"], "maxLength": 256}
);
