//! The JSON Schema of the configuration, and what is derived from it: the configuration in force as
//! text, with the defaults that the schema knows and without the secrets that it marks.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value as Json};
use yaml_rust2::{Yaml, YamlEmitter, yaml::Hash};

use super::raw::Raw;

/// What stands for a secret.
const HIDDEN: &str = "<secret>";

/// The schema, for editors: every key with its meaning, its default and what it may hold.
pub fn schema() -> Json {
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Raw>().to_value();
    drop_empty_defaults(&mut schema);
    schema["title"] = "Configuration of marketing-messages-exporter".into();
    schema
}

/// Takes away the defaults that only say that a key is absent: `Raw` has no others of its own.
fn drop_empty_defaults(json: &mut Json) {
    match json {
        Json::Object(map) => {
            let empty = |json: &Json| match json {
                Json::Array(items) => items.iter().any(|item| !item.is_string()),
                other => other.is_null() || other.is_object(),
            };
            if map.get("default").is_some_and(empty) {
                map.remove("default");
            }
            map.values_mut().for_each(drop_empty_defaults);
        }
        Json::Array(items) => items.iter_mut().for_each(drop_empty_defaults),
        _ => {}
    }
}

/// A configuration as YAML: what was given, the defaults of the rest, and no secret.
pub(super) fn printed(given: &Json) -> String {
    let root = schema();
    let mut text = String::new();
    let yaml = yaml(&filled(given, &root, &root));
    // Writing into a string does not fail.
    let _ = YamlEmitter::new(&mut text).dump(&yaml);
    format!("{}\n", text.trim_start_matches("---\n"))
}

fn filled(given: &Json, schema: &Json, root: &Json) -> Json {
    let schema = meant(given, schema, root);
    match given {
        _ if schema.get("writeOnly").is_some() => HIDDEN.into(),
        Json::Object(given) => {
            let properties = schema["properties"].as_object();
            let absent = |key: &String| given.get(key).is_none_or(Json::is_null);
            let mut all = Map::new();
            for (key, value) in given.iter().filter(|(_, value)| !value.is_null()) {
                let inner = properties.and_then(|known| known.get(key)).unwrap_or(&schema["additionalProperties"]);
                all.insert(key.clone(), filled(value, inner, root));
            }
            for (key, inner) in properties.into_iter().flatten().filter(|(key, _)| absent(key)) {
                let section = Json::Object(Map::new());
                if let Some(default) = inner.get("default") {
                    all.insert(key.clone(), default.clone());
                } else if meant(&section, inner, root).get("properties").is_some() {
                    all.insert(key.clone(), filled(&section, inner, root));
                }
            }
            Json::Object(all)
        }
        Json::Array(items) => items.iter().map(|item| filled(item, &schema["items"], root)).collect(),
        scalar => scalar.clone(),
    }
}

/// The schema behind references and alternatives that describes a value of this kind.
fn meant<'s>(given: &Json, schema: &'s Json, root: &'s Json) -> &'s Json {
    if let Some(name) = schema["$ref"].as_str() {
        return root.pointer(name.trim_start_matches('#')).map_or(schema, |inner| meant(given, inner, root));
    }
    let Some(choices) = schema["anyOf"].as_array() else { return schema };
    let mut choices = choices.iter().map(|choice| meant(given, choice, root));
    let fits = |choice: &&Json| match given {
        Json::Object(_) => choice["type"] == "object",
        Json::Array(_) => choice["type"] == "array",
        _ => choice["type"] != "object" && choice["type"] != "array",
    };
    choices.find(fits).unwrap_or(schema)
}

fn yaml(json: &Json) -> Yaml {
    match json {
        Json::Null => Yaml::Null,
        Json::Bool(flag) => Yaml::Boolean(*flag),
        Json::Number(number) => number.as_i64().map_or_else(|| Yaml::Real(number.to_string()), Yaml::Integer),
        Json::String(text) => Yaml::String(text.clone()),
        Json::Array(items) => Yaml::Array(items.iter().map(yaml).collect()),
        Json::Object(map) => {
            Yaml::Hash(map.iter().map(|(key, value)| (Yaml::String(key.clone()), yaml(value))).collect::<Hash>())
        }
    }
}
