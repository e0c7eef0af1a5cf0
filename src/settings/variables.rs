//! The keys that variables of the environment set: `MME__POLL__INTERVAL` is `poll.interval`.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::discreet::discreet;
use super::entry::Holds as _;
use super::node::{Node, Origin, ScalarKind, Value};
use super::raw::Raw;
use super::reading::Reading;
use super::report::Report;
use super::yaml;

const PREFIX: &str = "MME__";

/// What the variables say, each a configuration of one key; what is no key is reported. An empty
/// variable says nothing.
pub(super) fn read(environment: &BTreeMap<String, String>, report: &Report) -> Vec<Node> {
    let given = environment.iter().filter(|(_, value)| !value.is_empty());
    given.filter_map(|(name, value)| one(name, name.strip_prefix(PREFIX)?, value, report)).collect()
}

fn one(name: &str, keys: &str, value: &str, report: &Report) -> Option<Node> {
    let at = report.place(discreet(name).escape_debug().to_string());
    let plain = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let mut path: Vec<String> = keys.split("__").map(str::to_lowercase).collect();
    if !path.iter().all(|key| plain(key)) {
        at.problem("the variable's name is not a key; use letters, digits, - and _, and __ between keys");
        return None;
    }
    if let [source, credential, ..] = path.as_mut_slice()
        && matches!(source.as_str(), "meta" | "cams")
    {
        // Shells take no dash in a variable's name, and no credential's name holds an underscore.
        *credential = credential.replace('_', "-");
    }
    let shape = match shape(&path) {
        Ok(shape) => shape,
        Err(depth) => {
            let list = path.get(..depth).unwrap_or_default().join("__").replace('-', "_").to_uppercase();
            at.problem(format!(
                "a list cannot be set item by item; set {PREFIX}{list} to the whole list, such as first,second or a JSON list"
            ));
            return None;
        }
    };
    let origin = Origin::Variable(name.into());
    let flow = |bracket: char| value.trim_start().starts_with(bracket);
    // A variable is a text; what it is to be follows from the key, so `00501` stays what was typed.
    let node = match shape {
        Json::Array(_) if flow('[') => yaml::read(value, &Reading::variable(report, name))?,
        Json::Array(_) => {
            let item = |item: &str| Node { origin: origin.clone(), value: Value::scalar(item.trim(), ScalarKind::Any) };
            Node { origin: origin.clone(), value: Value::List(value.split(',').map(item).collect()) }
        }
        Json::Object(_) if flow('{') => yaml::read(value, &Reading::variable(report, name))?,
        Json::Object(_) => {
            at.problem(format!(
                "this is a mapping; set its keys, {name}__KEY=..., or the whole mapping as JSON, {{\"key\": ...}}"
            ));
            return None;
        }
        _ => Node { origin, value: Value::scalar(value, ScalarKind::Any) },
    };
    Some(node.below(path.iter().map(String::as_str)))
}

/// What the configuration has at a path: an array, an object, or null for a single value and for what
/// there is nothing of. An error says after how many keys the path leads into a list.
fn shape(path: &[String]) -> Result<Json, usize> {
    let mut shape = Raw::keys();
    for (depth, key) in path.iter().enumerate() {
        shape = match shape {
            Json::Array(_) => return Err(depth),
            Json::Object(mut keys) => keys.remove(key).or_else(|| keys.remove("*")).unwrap_or_default(),
            _ => Json::Null,
        };
    }
    Ok(shape)
}
