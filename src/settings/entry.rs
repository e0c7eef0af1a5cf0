//! The value of a key as it was typed: read leniently, so that one wrong value does not hide another.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value as Json, json};

use super::discreet::is_like_a_secret;
use super::node::{Node, Scalar, ScalarKind, Value};

/// The value of a key, or what is wrong with it. `interval: 15` is wrong by itself, and still `poll.timeout` beside it
/// is read and checked: all problems are reported together, so a value that is wrong must not end the reading.
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

impl<T: Holds> Entry<T> {
    /// What a node says.
    pub(super) fn of(node: Node) -> Self {
        if node.is_nothing() { Self::default() } else { T::read(node) }
    }
}

impl<T> Default for Entry<T> {
    fn default() -> Self {
        Self { value: None, wrongs: Vec::new() }
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
    /// Whether it is a single value. One that is null under a name of the user's may be meant as a
    /// text, and is refused.
    const SINGLE: bool = false;

    /// Reads any node but nothing.
    fn read(node: Node) -> Entry<Self>;

    /// The keys in it, with null for each value.
    fn keys() -> Json {
        Json::Null
    }

    /// What an editor should know of the value.
    fn schema(generator: &mut SchemaGenerator) -> Schema;
}

/// What is made of a value without quotes that a file's format takes for a number or a boolean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bare {
    /// It must be quoted: the text is what counts, and another program may read it differently.
    Refused,
    /// It is meant as a number.
    Number,
    /// The text counts, as it was typed.
    Typed,
}

/// A value without keys of its own, read from its text: an environment variable of `8` means what `8`
/// means in a file.
pub(super) trait Leaf: Sized {
    /// What it is, with its article.
    const NOUN: &'static str;
    /// What a value without quotes is.
    const BARE: Bare;

    /// The value behind a text.
    fn parse(text: &str) -> Option<Self>;

    /// What to write instead of a text that is refused; of an empty one when there is none.
    fn remedy(text: &str) -> String;

    /// What an editor should know of the value, as JSON Schema: it accepts what is parsed, and nothing
    /// else.
    fn shape() -> Json;

    /// A refused text as a message may show it.
    fn shown(text: &str) -> String {
        quoted(text)
    }
}

/// A text in a message: bounded, and on one line.
pub(super) fn quoted(text: &str) -> String {
    if is_like_a_secret(text) {
        return "a value that looks like a secret (not shown)".to_owned();
    }
    let start: String = text.chars().take(80).collect();
    let end = if start.len() < text.len() { "..." } else { "" };
    format!("`{}{end}`", start.escape_debug())
}

/// A number's text without what TOML and YAML allow for the eye alone.
pub(super) fn number(text: &str) -> String {
    text.strip_prefix('+').unwrap_or(text).replace('_', "")
}

impl<T: Leaf> Holds for T {
    const SINGLE: bool = true;

    fn read(node: Node) -> Entry<Self> {
        let Value::Scalar(Scalar { text, kind }) = &node.value else {
            return Entry::wrong(format!("{} is not {}; write {}", node.kind(), T::NOUN, T::remedy("")));
        };
        let bare = matches!(kind, ScalarKind::Number | ScalarKind::Truth);
        // `1_000` and `+5` are numbers to TOML and YAML; in quotes they are just texts.
        let parsed = if T::BARE == Bare::Number && *kind == ScalarKind::Number {
            T::parse(&number(text))
        } else {
            T::parse(text)
        };
        match parsed {
            Some(_) if bare && T::BARE == Bare::Refused => {
                let shown = T::shown(text);
                Entry::wrong(format!("{shown} is {}, but a string is expected; quote it: \"{text}\"", node.kind()))
            }
            Some(value) => Entry::sound(value),
            None => Entry::wrong(format!("{} is not {}; write {}", T::shown(text), T::NOUN, T::remedy(text))),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        schema(T::shape())
    }
}

/// A list, item by item.
pub(super) type List<T> = Vec<Entry<T>>;

impl<T: Holds> Holds for List<T> {
    fn read(node: Node) -> Entry<Self> {
        match node.value {
            Value::List(items) => Entry::sound(items.into_iter().map(Entry::of).collect()),
            _ => Entry::wrong(format!("{} is not a list; write [first, second]", node.kind())),
        }
    }

    fn keys() -> Json {
        Json::Array(vec![T::keys()])
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        schema(json!({"type": "array", "items": T::schema(generator)}))
    }
}

/// A mapping by names of the user's, which are such as `K` takes.
pub(super) struct Named<K, T>(pub(super) BTreeMap<String, Entry<T>>, PhantomData<K>);

impl<K, T> Default for Named<K, T> {
    fn default() -> Self {
        Self(BTreeMap::new(), PhantomData)
    }
}

impl<K: Leaf, T: Holds> Holds for Named<K, T> {
    fn read(node: Node) -> Entry<Self> {
        let not_a_mapping = node.not_a_mapping("name");
        let Value::Map(keys) = node.value else {
            return Entry::wrong(not_a_mapping);
        };
        let mut wrongs = Vec::new();
        for name in keys.keys().filter(|name| K::parse(name).is_none()) {
            let message = format!("{} is not {}; write {}", K::shown(name), K::NOUN, K::remedy(name));
            wrongs.push(Wrong { key: Some(name.clone()), message });
        }
        let entry = |node: Node| {
            // YAML reads `null` and `~` as nothing, and a label may be meant to have that value.
            if T::SINGLE && node.is_nothing() {
                Entry::wrong("the value is missing; write one (in quotes if it is the word null), or remove the key")
            } else {
                Entry::of(node)
            }
        };
        let values = keys.into_iter().map(|(name, node)| (name, entry(node))).collect();
        Entry { value: Some(Self(values, PhantomData)), wrongs }
    }

    fn keys() -> Json {
        Json::Object([("*".to_owned(), T::keys())].into_iter().collect())
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let inner = T::schema(generator);
        let inner = if T::SINGLE { inner } else { or_null(&inner) };
        schema(json!({"type": "object", "propertyNames": K::shape(), "additionalProperties": inner}))
    }
}

/// A schema from its JSON; anything but a mapping allows everything.
pub(super) fn schema(json: Json) -> Schema {
    json.try_into().unwrap_or_default()
}

/// The schema, or null: a key that is given without a value is as good as absent.
fn or_null(given: &Schema) -> Schema {
    schema(json!({"anyOf": [given, {"type": "null"}]}))
}
