//! TOML as nodes.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::node::{Node, ScalarKind, Value};
use super::reading::Reading;

/// What a text says; `None` where it cannot be read at all, which is reported.
pub(super) fn read(text: &str, reading: &Reading<'_>) -> Option<Node> {
    let lines = Lines::of(text);
    match DeTable::parse(text) {
        Ok(table) => {
            let mut nodes = 0;
            let keys = keys(text, table.into_inner(), &lines, reading, 1, &mut nodes)?;
            Some(Node { origin: reading.origin(1), value: Value::Map(keys) })
        }
        Err(error) => {
            let line = lines.number(error.span().map_or(text.len(), |span| span.start));
            let message = error.message().lines().next().unwrap_or("this is not TOML").to_owned();
            reading.at_line(line).problem(format!("{message}; correct the TOML there"));
            None
        }
    }
}

/// Where lines begin: to count them again for each value would take the square of the file's length.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at).collect())
    }

    fn number(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}

fn keys(
    text: &str,
    table: DeTable<'_>,
    lines: &Lines,
    reading: &Reading<'_>,
    depth: usize,
    nodes: &mut usize,
) -> Option<BTreeMap<String, Node>> {
    let mut keys = BTreeMap::new();
    for (key, value) in table {
        let line = lines.number(key.span().start);
        let mut node = node(text, value, lines, reading, depth, nodes)?;
        node.origin = reading.origin(line);
        keys.insert(key.into_inner().into_owned(), node);
    }
    Some(keys)
}

fn node(
    text: &str,
    value: Spanned<DeValue<'_>>,
    lines: &Lines,
    reading: &Reading<'_>,
    depth: usize,
    nodes: &mut usize,
) -> Option<Node> {
    let span = value.span();
    let line = lines.number(span.start);
    reading.count(nodes, depth, line)?;
    let typed = || text.get(span.clone()).unwrap_or_default().trim().to_owned();
    let value = match value.into_inner() {
        DeValue::String(text) => Value::scalar(text, ScalarKind::Text),
        DeValue::Integer(_) | DeValue::Float(_) => Value::scalar(typed(), ScalarKind::Number),
        DeValue::Boolean(_) => Value::scalar(typed(), ScalarKind::Truth),
        // A day without quotes is what people write for a day.
        DeValue::Datetime(_) => Value::scalar(typed(), ScalarKind::Text),
        DeValue::Array(items) => {
            let items = items.into_iter().map(|item| node(text, item, lines, reading, depth + 1, nodes));
            Value::List(items.collect::<Option<_>>()?)
        }
        DeValue::Table(table) => Value::Map(keys(text, table, lines, reading, depth + 1, nodes)?),
    };
    Some(Node { origin: reading.origin(line), value })
}
