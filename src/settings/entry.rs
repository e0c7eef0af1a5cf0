//! The value of a key as it was typed: read leniently, so that one wrong value hides no other.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value as Json, json};

use super::discreet::is_like_a_secret;
use super::nearest::nearest;

/// The value of a key: deserializing it never fails, but keeps what is wrong.
pub(super) struct Entry<T> {
    /// The value, unless it is absent, null or wrong.
    pub(super) value: Option<T>,
    /// What is wrong with it.
    pub(super) wrongs: Vec<Wrong>,
}

/// What is wrong with a value, or with one key in it.
pub(super) struct Wrong {
    /// The key, when the mapping as a whole is sound.
    pub(super) key: Option<String>,
    /// What is wrong, and what to write instead.
    pub(super) message: String,
}

impl<T> Entry<T> {
    /// A sound value.
    pub(super) fn sound(value: T) -> Self {
        Self { value: Some(value), wrongs: Vec::new() }
    }

    /// A value that is wrong as a whole.
    pub(super) fn wrong(message: impl Into<String>) -> Self {
        Self { value: None, wrongs: vec![Wrong { key: None, message: message.into() }] }
    }

    /// Whether the key is not given at all.
    pub(super) fn is_absent(&self) -> bool {
        self.value.is_none() && self.wrongs.is_empty()
    }

    /// The same entry of another type.
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Entry<U> {
        Entry { value: self.value.map(change), wrongs: self.wrongs }
    }
}

impl<T> Default for Entry<T> {
    fn default() -> Self {
        Self { value: None, wrongs: Vec::new() }
    }
}

impl<'de, T: Holds> Deserialize<'de> for Entry<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Json::deserialize(deserializer).map(|json| if json.is_null() { Self::default() } else { T::read(json) })
    }
}

/// Writes the keys without their values, so that a section's keys are known from its type alone
/// and no secret is ever written.
impl<T: Holds> Serialize for Entry<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::keys().serialize(serializer)
    }
}

/// The schema of what an entry holds, or null.
impl<T: Holds> JsonSchema for Entry<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Entry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        or_null(&T::schema(generator))
    }
}

/// What an entry can hold.
pub(super) trait Holds: Sized {
    /// Reads any value but null.
    fn read(json: Json) -> Entry<Self>;

    /// The keys in it, with null for each value.
    fn keys() -> Json {
        Json::Null
    }

    /// What an editor should know of the value.
    fn schema(generator: &mut SchemaGenerator) -> Schema;
}

/// A value without keys of its own, read from its text: `8`, `"8"` and an environment variable of
/// `8` mean the same.
pub(super) trait Leaf: Sized {
    /// What it is, with its article.
    const NOUN: &'static str;

    /// The value behind a text.
    fn parse(text: &str) -> Option<Self>;

    /// What to write instead of a text that is refused; of an empty one when there is none.
    fn remedy(text: &str) -> String;

    /// What an editor should know of the value, as JSON Schema.
    fn shape() -> Json;

    /// A refused text as a message may show it.
    fn shown(text: &str) -> String {
        quoted(text)
    }
}

/// A text in a message: bounded, and on one line.
pub(super) fn quoted(text: &str) -> String {
    if is_like_a_secret(text) {
        return "what looks like a secret, and is not shown,".to_owned();
    }
    let start: String = text.chars().take(80).collect();
    let end = if start.len() < text.len() { "..." } else { "" };
    format!("`{}{end}`", start.escape_debug())
}

impl<T: Leaf> Holds for T {
    fn read(json: Json) -> Entry<Self> {
        let (shown, remedy) = match scalar(&json) {
            Ok(text) => match T::parse(&text) {
                Some(value) => return Entry::sound(value),
                None => (T::shown(&text), T::remedy(&text)),
            },
            Err(kind) => (kind.to_owned(), T::remedy("")),
        };
        Entry::wrong(format!("{shown} is not {}; write {remedy}", T::NOUN))
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        schema(T::shape())
    }
}

/// A list, item by item.
pub(super) type List<T> = Vec<Entry<T>>;

impl<T: Holds> Holds for List<T> {
    fn read(json: Json) -> Entry<Self> {
        match json {
            Json::Array(items) => {
                let read = |item: Json| if item.is_null() { Entry::default() } else { T::read(item) };
                Entry::sound(items.into_iter().map(read).collect())
            }
            other => Entry::wrong(format!("{} is not a list; write [first, second]", kind(&other))),
        }
    }

    fn keys() -> Json {
        Json::Array(vec![T::keys()])
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        schema(json!({"type": "array", "items": T::schema(generator)}))
    }
}

/// A mapping by names of the user's.
pub(super) type Named<T> = BTreeMap<String, Entry<T>>;

impl<T: Holds> Holds for Named<T> {
    fn read(json: Json) -> Entry<Self> {
        match json {
            Json::Object(_) => serde_json::from_value(json).map_or_else(|e| Entry::wrong(e.to_string()), Entry::sound),
            other => Entry::wrong(format!("{} is not a mapping; write `name: value` below the key", kind(&other))),
        }
    }

    fn keys() -> Json {
        Json::Object([("*".to_owned(), T::keys())].into_iter().collect())
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        schema(json!({"type": "object", "additionalProperties": or_null(&T::schema(generator))}))
    }
}

/// A mapping with the keys of a struct. The struct derives `Deserialize`, `Serialize` and `Default`.
pub(super) fn section<T: DeserializeOwned + Serialize + Default>(json: Json) -> Entry<T> {
    let Json::Object(given) = &json else {
        return Entry::wrong(format!("{} is not a mapping; write `key: value` below the key", kind(&json)));
    };
    let known = section_keys::<T>();
    let names = || known.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let unknown = |key: &String| {
        let message = match nearest(key, names()) {
            Some(name) => format!("unknown key; did you mean `{name}`?"),
            None => format!("unknown key; the keys here are {}", names().collect::<Vec<_>>().join(", ")),
        };
        Wrong { key: Some(key.clone()), message }
    };
    let wrongs = given.keys().filter(|key| known.get(key).is_none()).map(unknown).collect();
    match serde_json::from_value(json) {
        Ok(value) => Entry { value: Some(value), wrongs },
        Err(error) => Entry::wrong(error.to_string()),
    }
}

/// The keys of a section's struct.
pub(super) fn section_keys<T: Serialize + Default>() -> Json {
    serde_json::to_value(T::default()).unwrap_or_default()
}

/// A schema from its JSON; anything but a mapping allows everything.
pub(super) fn schema(json: Json) -> Schema {
    json.try_into().unwrap_or_default()
}

/// The schema, or null: a key that is given without a value is as good as absent.
fn or_null(given: &Schema) -> Schema {
    schema(json!({"anyOf": [given, {"type": "null"}]}))
}

/// The text of a scalar, or the kind of anything else.
pub(super) fn scalar(json: &Json) -> Result<String, &'static str> {
    match json {
        Json::String(text) => Ok(text.clone()),
        Json::Number(number) => Ok(number.to_string()),
        Json::Bool(flag) => Ok(flag.to_string()),
        other => Err(kind(other)),
    }
}

/// What a value is, without what it says.
pub(super) fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "nothing",
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a mapping",
    }
}
