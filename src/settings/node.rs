//! A configuration before it means anything: mappings, lists and texts, each with the place where it
//! was typed. Numbers keep their text: `00501` in a label is not 501.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A value and where it was typed.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) value: Value,
}

/// Where a value was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// In a line of a file, the first of which is 1.
    File(Arc<Path>, usize),
    /// In a variable of the environment.
    Variable(Arc<str>),
    /// The program itself says it.
    Program,
}

/// What was typed.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Nothing, or a word for it: `null` and `~` of YAML.
    Nothing,
    /// A text, a number or a boolean.
    Scalar(Scalar),
    /// Items in order.
    List(Vec<Node>),
    /// Values by their keys.
    Map(BTreeMap<String, Node>),
}

/// A scalar as it was typed, without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) kind: ScalarKind,
}

/// What the file's format takes a scalar for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScalarKind {
    Text,
    Number,
    Truth,
    /// It is from a variable, in which everything is a text.
    Any,
}

impl Value {
    pub(super) fn scalar(text: impl Into<String>, kind: ScalarKind) -> Self {
        Self::Scalar(Scalar { text: text.into(), kind })
    }
}

impl Node {
    /// A mapping without keys.
    pub(super) fn empty(origin: Origin) -> Self {
        Self { origin, value: Value::Map(BTreeMap::new()) }
    }

    /// The keys of a mapping, to change them.
    pub(super) fn keys_mut(&mut self) -> Option<&mut BTreeMap<String, Self>> {
        if let Value::Map(keys) = &mut self.value { Some(keys) } else { None }
    }

    /// Whether there is nothing.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(self.value, Value::Nothing)
    }

    /// What this holds below a path of keys, as a mapping of its own.
    pub(super) fn below<'k>(self, path: impl DoubleEndedIterator<Item = &'k str>) -> Self {
        path.rev().fold(self, |inner, key| Self {
            origin: inner.origin.clone(),
            value: Value::Map([(key.to_owned(), inner)].into()),
        })
    }

    /// Lays another over this one: mappings key by key, anything else as a whole.
    pub(super) fn lay_over(&mut self, other: Self) {
        match (&mut self.value, other.value) {
            (Value::Map(mine), Value::Map(others)) => {
                for (key, theirs) in others {
                    match mine.get_mut(&key) {
                        Some(present) => present.lay_over(theirs),
                        None => drop(mine.insert(key, theirs)),
                    }
                }
            }
            (_, value) => *self = Self { origin: other.origin, value },
        }
    }

    /// What is wrong with anything but a mapping from such keys, and what to write where it was typed.
    pub(super) fn not_a_mapping(&self, key: &str) -> String {
        let kind = self.kind();
        match self.origin {
            Origin::Variable(_) => {
                format!("{kind} is not a mapping; in a variable, mappings are JSON, such as {{\"{key}\": \"value\"}}")
            }
            _ => format!("{kind} is not a mapping; write `{key}: value` below the key"),
        }
    }

    /// What this is, without what it says.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Nothing => "nothing",
            Value::Scalar(Scalar { kind: ScalarKind::Truth, .. }) => "a boolean",
            Value::Scalar(Scalar { kind: ScalarKind::Number, .. }) => "a number",
            Value::Scalar(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

impl Origin {
    /// The folder of the file; empty for what is not from a file.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::File(path, _) => path.parent().unwrap_or(path),
            _ => Path::new(""),
        }
    }
}
