//! YAML as nodes. The events of the parser are read one by one, and not what its loader makes of them:
//! the loader has numbers instead of what was typed, knows no lines, and recurses as deep as a file says.

use std::collections::BTreeMap;

use yaml_rust2::parser::{Event, Parser, Tag};
use yaml_rust2::scanner::{Marker, ScanError, TScalarStyle};

use super::node::{Node, ScalarKind, Value};
use super::reading::{MAX_DEPTH, Reading};

/// What a text says; `None` where it cannot be read at all, which is reported.
pub(super) fn read(text: &str, reading: &Reading<'_>) -> Option<Node> {
    let mut document = YamlDocument { reading, open: Vec::new(), whole: None, anchors: BTreeMap::new(), nodes: 0 };
    let mut parser = Parser::new_from_str(text);
    loop {
        match parser.next_token() {
            Ok((Event::StreamEnd, _)) => break,
            Ok((event, mark)) => document.take(event, mark)?,
            Err(error) => {
                reading.at_line(error.marker().line()).problem(told(&error));
                return None;
            }
        }
    }
    Some(document.whole.unwrap_or_else(|| Node::empty(reading.origin(1))))
}

/// A mapping or list whose end is still to come.
struct OpenNode {
    anchor: usize,
    line: usize,
    inner: Inner,
}

enum Inner {
    List(Vec<Node>),
    /// The keys so far, each with its line, and the one whose value is to come.
    Map(BTreeMap<String, Node>, Option<(String, usize)>),
}

struct YamlDocument<'r> {
    reading: &'r Reading<'r>,
    open: Vec<OpenNode>,
    whole: Option<Node>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
}

impl YamlDocument<'_> {
    fn take(&mut self, event: Event, mark: Marker) -> Option<()> {
        let line = mark.line();
        match event {
            // Of two documents one would be ignored without a word.
            Event::DocumentStart if self.whole.is_some() => {
                self.fail(line, "a second document starts here; keep one document per file")
            }
            Event::Scalar(text, style, anchor, tag) => self.scalar(text, style, anchor, tag.as_ref(), line),
            Event::SequenceStart(anchor, tag) => self.begin(anchor, tag.as_ref(), line, Inner::List(Vec::new())),
            Event::MappingStart(anchor, tag) => {
                self.begin(anchor, tag.as_ref(), line, Inner::Map(BTreeMap::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return self.fail(
                        line,
                        "the name after * refers to an & that is not complete yet; write the value itself",
                    );
                };
                // Each repetition counts in full: aliases of aliases would otherwise fill the memory from a short
                // file.
                self.nodes += count(&node);
                self.place(node, line)
            }
            _ => Some(()),
        }
    }

    fn fail(&self, line: usize, message: &str) -> Option<()> {
        self.reading.at_line(line).problem(message);
        None
    }

    fn begin(&mut self, anchor: usize, tag: Option<&Tag>, line: usize, inner: Inner) -> Option<()> {
        self.check_tag(tag, line)?;
        if matches!(self.open.last(), Some(OpenNode { inner: Inner::Map(_, None), .. })) {
            return self.fail(line, "a key must be a single word; write `key: value`");
        }
        if self.open.len() >= MAX_DEPTH {
            return self.fail(line, "this is nested too deeply for a configuration; remove brackets or indentation");
        }
        self.open.push(OpenNode { anchor, line, inner });
        Some(())
    }

    fn end(&mut self) -> Option<()> {
        let OpenNode { anchor, line, inner } = self.open.pop()?;
        let value = match inner {
            Inner::List(items) => Value::List(items),
            Inner::Map(keys, _) => Value::Map(keys),
        };
        self.finish(Node { origin: self.reading.origin(line), value }, anchor, line)
    }

    fn scalar(
        &mut self,
        text: String,
        style: TScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        line: usize,
    ) -> Option<()> {
        self.check_tag(tag, line)?;
        if let Some(OpenNode { inner: Inner::Map(keys, key @ None), .. }) = self.open.last_mut() {
            if let Some(first) = keys.get(&text) {
                let first = first.origin.clone();
                self.reading.twice(&text, line, &first);
            }
            *key = Some((text, line));
            return Some(());
        }
        // In quotes, or with `!!str`, it is a text whatever it looks like.
        let value = if style == TScalarStyle::Plain && tag.is_none() {
            plain(text)
        } else {
            Value::scalar(text, ScalarKind::Text)
        };
        self.finish(Node { origin: self.reading.origin(line), value }, anchor, line)
    }

    fn check_tag(&self, tag: Option<&Tag>, line: usize) -> Option<()> {
        let text = |tag: &Tag| tag.handle == "tag:yaml.org,2002:" && tag.suffix == "str";
        if tag.is_none_or(text) { Some(()) } else { self.fail(line, "a type after ! has no meaning here; remove it") }
    }

    fn finish(&mut self, node: Node, anchor: usize, line: usize) -> Option<()> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.place(node, line)
    }

    /// Puts a complete node where it belongs.
    fn place(&mut self, mut node: Node, line: usize) -> Option<()> {
        // How deep it lies was asked where the one above it began.
        self.reading.count(&mut self.nodes, 0, line)?;
        match self.open.last_mut() {
            None => self.whole = Some(node),
            Some(OpenNode { inner: Inner::List(items), .. }) => items.push(node),
            Some(OpenNode { inner: Inner::Map(keys, key), .. }) => {
                let Some((key, line)) = key.take() else {
                    return self.fail(line, "a key must be a single word; write `key: value`");
                };
                node.origin = self.reading.origin(line);
                keys.insert(key, node);
            }
        }
        Some(())
    }
}

fn count(node: &Node) -> usize {
    match &node.value {
        Value::List(items) => items.iter().map(count).sum::<usize>() + 1,
        Value::Map(keys) => keys.values().map(count).sum::<usize>() + 1,
        _ => 1,
    }
}

/// What a scalar without quotes is, by the core schema of YAML 1.2.
fn plain(text: String) -> Value {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => Value::Nothing,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Value::scalar(text, ScalarKind::Truth),
        number if is_number(number) => Value::scalar(text, ScalarKind::Number),
        _ => Value::scalar(text, ScalarKind::Text),
    }
}

/// Whether YAML takes a text without quotes for a number.
pub(super) fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some(octal) = text.strip_prefix("0o") {
        return !octal.is_empty() && octal.bytes().all(|b| (b'0'..=b'7').contains(&b));
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit());
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(text, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let exponent = exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)));
    let mantissa = match mantissa.split_once('.') {
        None => digits(mantissa),
        Some(("", part)) => digits(part),
        Some((whole, part)) => digits(whole) && (part.is_empty() || digits(part)),
    };
    mantissa && exponent
}

/// What is wrong, in the words of somebody who types a configuration. The parser's own are about its
/// inside, and some of them contradict each other.
fn told(error: &ScanError) -> &'static str {
    let info = error.info();
    let has = |word: &str| info.contains(word);
    if has("tab") {
        "YAML does not allow a tab here; indent with spaces"
    } else if has("quoted scalar") && !has("escape") && !has("hexadecimal") {
        "a quote is not closed, or text follows it; close the quote, and double any quote inside the string"
    } else if has("escape") || has("hexadecimal") {
        "a backslash in double quotes starts an unknown escape; write \\\\, or use single quotes"
    } else if has("mapping values are not allowed") || has("illegal placement of ':'") {
        "a colon is not allowed here; quote a string that contains a colon, or correct the indentation"
    } else if has("flow") || has("',' or") {
        "a bracket is not closed, or a comma is missing; write [first, second] or {key: value}"
    } else if has("simple key") {
        "this line is not `key: value`; add the colon and a space after it"
    } else if has("unknown anchor") || has("anchor or alias") {
        "the & or * here refers to nothing; quote a string that starts with it"
    } else if has("tag") || has("directive") || has("handle") {
        "a string that starts with ! or % must be quoted; add quotes"
    } else if has("recursion limit") {
        "this is nested too deeply for a configuration; remove brackets"
    } else if has("block scalar") {
        "the text below | or > is not indented evenly; indent all its lines alike, with spaces"
    } else {
        "invalid YAML in this line or the one before; check indentation, colons, quotes and brackets"
    }
}
