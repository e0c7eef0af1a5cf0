//! Mappings with known keys: a struct with a field for each key.

use std::collections::BTreeMap;

use super::entry::{Entry, Holds, Wrong};
use super::nearest::nearest;
use super::node::{Node, Value};

/// Defines sections: their structs, how they are read, the names of their keys, and their schemas.
macro_rules! sections {
    ($($(#[$about:meta])* $name:ident { $($(#[$meaning:meta])* $key:ident: $type:ty,)* })*) => {$(
        #[derive(Default, schemars::JsonSchema)]
        $(#[$about])*
        #[schemars(deny_unknown_fields, default)]
        pub(super) struct $name {
            $($(#[$meaning])* pub(super) $key: $crate::settings::entry::Entry<$type>,)*
        }

        impl $crate::settings::entry::Holds for $name {
            fn read(node: $crate::settings::node::Node) -> $crate::settings::entry::Entry<Self> {
                $crate::settings::section::SectionKeys::open(node, |keys| Self {
                    $($key: keys.take(stringify!($key)),)*
                }, &[$(stringify!($key)),*])
            }

            fn keys() -> serde_json::Value {
                let keys = [$((stringify!($key).to_owned(), <$type as $crate::settings::entry::Holds>::keys())),*];
                serde_json::Value::Object(keys.into_iter().collect())
            }

            fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                generator.subschema_for::<Self>()
            }
        }
    )*};
}
pub(super) use sections;

/// The keys of a section that were not taken yet.
pub(super) struct SectionKeys(BTreeMap<String, Node>);

impl SectionKeys {
    /// Reads a section; keys that nobody takes are unknown.
    pub(super) fn open<T>(node: Node, read: impl FnOnce(&mut Self) -> T, known: &[&str]) -> Entry<T> {
        let not_a_mapping = node.not_a_mapping("key");
        let Value::Map(keys) = node.value else {
            return Entry::wrong(not_a_mapping);
        };
        let mut keys = Self(keys);
        let section = read(&mut keys);
        let mut wrongs = Vec::new();
        for key in keys.0.into_keys() {
            let message = match nearest(&key, known.iter().copied()) {
                Some(name) => format!("unknown key; did you mean `{name}`?"),
                None => format!("unknown key; the keys here are {}", known.join(", ")),
            };
            wrongs.push(Wrong { key: Some(key), message });
        }
        Entry { value: Some(section), wrongs }
    }

    /// What a key holds.
    pub(super) fn take<T: Holds>(&mut self, key: &str) -> Entry<T> {
        self.0.remove(key).map(Entry::of).unwrap_or_default()
    }
}
