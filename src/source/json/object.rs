//! JSON objects of which only the named keys are kept.

use serde::de::{IgnoredAny, MapAccess};

use super::{Any, KeyReader, LONGEST_TEXT, Lenient};

/// Depth at which objects within objects are still looked for.
const MAX_KEPT_DEPTH: usize = 4;

/// The keys that are kept of objects, at any depth.
#[derive(Clone, Copy, Debug)]
pub(in crate::source) struct KeptKeys {
    /// Those of single values.
    pub(in crate::source) values: &'static [&'static str],
    /// Those of objects.
    pub(in crate::source) objects: &'static [&'static str],
}

/// A single value.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::source) enum KeptValue {
    /// The beginning of a text, or a number's digits.
    Text(String),
    Flag(bool),
    /// A list or an object.
    Odd,
}

/// What was kept of an object.
#[derive(Debug, Default)]
pub(in crate::source) struct Object {
    values: Vec<(&'static str, KeptValue)>,
    objects: Vec<(&'static str, Object)>,
}

impl Object {
    /// The single value under a key, unless it is null.
    pub(in crate::source) fn get(&self, key: &str) -> Option<&KeptValue> {
        self.values.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// The object under a key.
    pub(in crate::source) fn object(&self, key: &str) -> Option<&Self> {
        self.objects.iter().find(|(name, _)| *name == key).map(|(_, object)| object)
    }

    /// The text under a key.
    pub(in crate::source) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(KeptValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The whole number under a key, or under a text of one.
    pub(in crate::source) fn number(&self, key: &str) -> Option<i64> {
        self.text(key)?.parse().ok()
    }

    /// The truth value under a key.
    pub(in crate::source) fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key) {
            Some(KeptValue::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }
}

/// Reads a single value; null is none.
struct Single;

impl Lenient<'_> for Single {
    type Out = Option<KeptValue>;

    fn nothing(self) -> Self::Out {
        None
    }
    fn text(self, text: &str) -> Self::Out {
        Some(KeptValue::Text(start(text).to_owned()))
    }
    fn flag(self, flag: bool) -> Self::Out {
        Some(KeptValue::Flag(flag))
    }
    fn odd(self) -> Self::Out {
        Some(KeptValue::Odd)
    }
}

/// The beginning of a text, as long as any that is looked at.
pub(in crate::source) fn start(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST_TEXT)).unwrap_or(text)
}

/// Reads an object; anything else is none.
#[derive(Clone, Copy)]
pub(in crate::source) struct Keep {
    names: &'static KeptKeys,
    depth: usize,
}

impl Keep {
    /// Keeps what stands under these names.
    pub(in crate::source) fn only(names: &'static KeptKeys) -> Self {
        Self { names, depth: 0 }
    }

    /// What a key means.
    pub(super) fn find(self, key: &str) -> KeyUse {
        let named = |names: &[&'static str]| names.iter().copied().find(|name| *name == key);
        match (named(self.names.objects), named(self.names.values)) {
            (Some(name), _) if self.depth < MAX_KEPT_DEPTH => KeyUse::Object(name),
            (_, Some(name)) => KeyUse::Value(name),
            _ => KeyUse::Other,
        }
    }

    /// Reads the value under a key.
    pub(super) fn read<'de, M: MapAccess<'de>>(
        self,
        found: KeyUse,
        map: &mut M,
        object: &mut Object,
    ) -> Result<(), M::Error> {
        match found {
            KeyUse::Object(name) => {
                let inner = map.next_value_seed(Any(Self { depth: self.depth + 1, ..self }))?;
                object.objects.retain(|(known, _)| *known != name);
                object.objects.extend(inner.map(|inner| (name, inner)));
            }
            KeyUse::Value(name) => {
                let value = map.next_value_seed(Any(Single))?;
                object.values.retain(|(known, _)| *known != name);
                object.values.extend(value.map(|value| (name, value)));
            }
            KeyUse::Other => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// What stands under a key.
#[derive(Clone, Copy)]
pub(super) enum KeyUse {
    Object(&'static str),
    Value(&'static str),
    Other,
}

impl<'de> Lenient<'de> for Keep {
    type Out = Option<Object>;

    fn odd(self) -> Self::Out {
        None
    }
    fn object<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Out, M::Error> {
        let mut object = Object::default();
        while let Some(found) = map.next_key_seed(KeyReader(|key: &str| self.find(key)))? {
            self.read(found, &mut map, &mut object)?;
        }
        Ok(Some(object))
    }
}
