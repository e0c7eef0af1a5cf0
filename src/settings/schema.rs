//! The JSON Schema of the configuration, and what is derived from it: the configuration in force as
//! text, with the defaults that the schema knows and without the secrets that it marks.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::Value as Json;
use yaml_rust2::{Yaml, YamlEmitter, yaml::Hash};

use super::entry::{Holds as _, number};
use super::node::{Node, Origin, Scalar, ScalarKind, Value};
use super::raw::Raw;
use super::yaml::is_number;

/// What stands for a secret.
const HIDDEN: &str = "<secret>";

/// The schema, for editors: every key with its meaning, its default and what it may hold.
pub fn schema() -> Json {
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Raw>().to_value();
    schema["title"] = "Configuration of marketing-messages-exporter".into();
    schema
}

/// The variables of the keys that every configuration has, such as `MME__POLL__INTERVAL`.
pub fn key_variables() -> Vec<String> {
    let keys = Raw::keys();
    let sections =
        keys.as_object().into_iter().flatten().filter_map(|(section, keys)| Some((section, keys.as_object()?)));
    let names = sections.flat_map(|(section, keys)| keys.keys().map(move |key| (section, key)));
    let fixed = names.filter(|(_, key)| *key != "*");
    fixed.map(|(section, key)| format!("MME__{section}__{key}").to_uppercase()).collect()
}

/// A configuration as YAML: what was given, the defaults of the rest, and no secret.
pub(super) fn printed(given: &Node) -> String {
    let root = schema();
    let mut text = String::new();
    let yaml = filled(given, &root, &root);
    // Writing into a string does not fail.
    let _ = YamlEmitter::new(&mut text).dump(&yaml);
    format!("{}\n", text.trim_start_matches("---\n"))
}

fn filled(given: &Node, schema: &Json, root: &Json) -> Yaml {
    let schema = meant(&given.value, schema, root);
    match &given.value {
        // The schema marks secrets, so no list of their names can be forgotten here.
        _ if schema.get("writeOnly").is_some() => Yaml::String(HIDDEN.to_owned()),
        Value::Map(given) => {
            let properties = schema["properties"].as_object();
            let mut all = BTreeMap::new();
            for (key, node) in given.iter().filter(|(_, node)| !node.is_nothing()) {
                let inner = properties.and_then(|known| known.get(key)).unwrap_or(&schema["additionalProperties"]);
                all.insert(key.clone(), filled(node, inner, root));
            }
            let absent =
                properties.into_iter().flatten().filter(|(key, _)| given.get(*key).is_none_or(Node::is_nothing));
            for (key, inner) in absent {
                let section = Node::empty(Origin::Program);
                if let Some(default) = inner.get("default") {
                    all.insert(key.clone(), yaml(default));
                } else if meant(&section.value, inner, root).get("properties").is_some() {
                    all.insert(key.clone(), filled(&section, inner, root));
                }
            }
            Yaml::Hash(all.into_iter().map(|(key, value)| (Yaml::String(key), value)).collect::<Hash>())
        }
        Value::List(items) => Yaml::Array(items.iter().map(|item| filled(item, &schema["items"], root)).collect()),
        Value::Scalar(scalar) => typed(scalar, schema),
        Value::Nothing => Yaml::Null,
    }
}

/// A scalar so that it is read as it was. TOML and JSON take texts for numbers that YAML does not.
fn typed(scalar: &Scalar, schema: &Json) -> Yaml {
    let Scalar { text, kind } = scalar;
    let is_text = schema["type"].as_array().is_some_and(|kinds| kinds.contains(&"boolean".into()));
    match kind {
        ScalarKind::Truth => Yaml::Real(text.clone()),
        ScalarKind::Number if is_number(text) => Yaml::Real(text.clone()),
        ScalarKind::Number if !is_text => Yaml::Real(number(text)),
        _ => Yaml::String(text.clone()),
    }
}

/// The schema behind references and alternatives that describes a value of this kind.
fn meant<'s>(given: &Value, schema: &'s Json, root: &'s Json) -> &'s Json {
    if let Some(name) = schema["$ref"].as_str() {
        return root.pointer(name.trim_start_matches('#')).map_or(schema, |inner| meant(given, inner, root));
    }
    let Some(choices) = schema["anyOf"].as_array().filter(|_| schema.get("properties").is_none()) else {
        return schema;
    };
    let mut choices = choices.iter().map(|choice| meant(given, choice, root));
    let fits = |choice: &&Json| match given {
        Value::Map(_) => choice["type"] == "object",
        Value::List(_) => choice["type"] == "array",
        _ => choice["type"] != "object" && choice["type"] != "array",
    };
    choices.find(fits).unwrap_or(schema)
}

fn yaml(json: &Json) -> Yaml {
    match json {
        Json::Null => Yaml::Null,
        Json::Bool(flag) => Yaml::Boolean(*flag),
        Json::Number(number) => Yaml::Real(number.to_string()),
        Json::String(text) => Yaml::String(text.clone()),
        Json::Array(items) => Yaml::Array(items.iter().map(yaml).collect()),
        Json::Object(map) => {
            Yaml::Hash(map.iter().map(|(key, value)| (Yaml::String(key.clone()), yaml(value))).collect::<Hash>())
        }
    }
}
