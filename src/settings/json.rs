//! JSON as nodes, numbers with the text that was typed.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::node::{Node, ScalarKind, Value};
use super::reading::{Reading, line_of};

/// What a text says; `None` where it cannot be read at all, which is reported.
pub(super) fn read(text: &str, reading: &Reading<'_>) -> Option<Node> {
    let mut document = JsonDocument { text, reading, nodes: 0, lines: (0, 1) };
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => document.node(raw, 1),
        Err(error) => {
            let message = error.to_string();
            // The line is in the path already, in the form that editors follow.
            let message = message.split(" at line").next().unwrap_or_default();
            reading.at_line(error.line()).problem(format!("{message}; correct the JSON there"));
            None
        }
    }
}

struct JsonDocument<'t, 'r> {
    text: &'t str,
    reading: &'r Reading<'r>,
    nodes: usize,
    /// A byte that was looked at, and its line: values come in their order, so that lines are counted once.
    lines: (usize, usize),
}

impl<'t> JsonDocument<'t, '_> {
    fn line(&mut self, raw: &RawValue) -> usize {
        let offset = (raw.get().as_ptr().addr()).saturating_sub(self.text.as_ptr().addr());
        let (from, line) = if self.lines.0 <= offset { self.lines } else { (0, 1) };
        let line = line + line_of(self.text.get(from..).unwrap_or_default(), offset - from) - 1;
        self.lines = (offset, line);
        line
    }

    fn node(&mut self, raw: &'t RawValue, depth: usize) -> Option<Node> {
        let line = self.line(raw);
        self.reading.count(&mut self.nodes, depth, line)?;
        let text = raw.get();
        let value = match text.bytes().next() {
            Some(b'{') => {
                let pairs: Pairs<'t> = self.parsed(text, line)?;
                let mut keys = BTreeMap::new();
                for (key, raw) in pairs.0 {
                    let node = self.node(raw, depth + 1)?;
                    if let Some(Node { origin, .. }) = keys.get(&key) {
                        let line = self.lines.1;
                        self.reading.twice(&key, line, origin);
                    }
                    keys.insert(key, node);
                }
                Value::Map(keys)
            }
            Some(b'[') => {
                let items: Vec<&'t RawValue> = self.parsed(text, line)?;
                Value::List(items.into_iter().map(|item| self.node(item, depth + 1)).collect::<Option<_>>()?)
            }
            Some(b'"') => Value::scalar(self.parsed::<String>(text, line)?, ScalarKind::Text),
            Some(b't' | b'f') => Value::scalar(text, ScalarKind::Truth),
            Some(b'n') => Value::Nothing,
            _ => Value::scalar(text, ScalarKind::Number),
        };
        Some(Node { origin: self.reading.origin(line), value })
    }

    /// What is left to fail here is a text with half a surrogate.
    fn parsed<T: Deserialize<'t>>(&self, text: &'t str, line: usize) -> Option<T> {
        let parsed = serde_json::from_str(text);
        parsed.map_err(|_| self.reading.at_line(line).problem("this is not valid JSON text; correct its escapes")).ok()
    }
}

/// The keys of an object in their order, those that are given twice as well.
struct Pairs<'t>(Vec<(String, &'t RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}
