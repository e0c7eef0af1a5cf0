//! A file, or the text of a variable, as nodes: the same whatever its format.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use super::node::{Node, Origin, Value};
use super::report::{Location, Report, on_one_line};
use super::{json, toml, yaml};

/// Mappings and lists in each other. A configuration has six of them; without a bound, a file of
/// brackets would exhaust the stack.
pub(super) const MAX_DEPTH: usize = 64;
/// Values in a file, those that aliases repeat counted each time: some ten lists of all campaigns of
/// the largest accounts.
const MOST_NODES: usize = 1_000_000;
/// Bytes of a file.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// What is being read, and where to report what is wrong with it.
pub(super) struct Reading<'r> {
    report: &'r Report,
    origin: Origin,
}

impl<'r> Reading<'r> {
    /// The text of a variable.
    pub(super) fn variable(report: &'r Report, name: &str) -> Self {
        Self { report, origin: Origin::Variable(name.into()) }
    }

    /// Where a line is.
    pub(super) fn origin(&self, line: usize) -> Origin {
        match &self.origin {
            Origin::File(path, _) => Origin::File(path.clone(), line.max(1)),
            other => other.clone(),
        }
    }

    /// The place of a line; of a variable, its name alone.
    pub(super) fn at_line(&self, line: usize) -> Location<'r> {
        match &self.origin {
            Origin::File(path, _) => {
                self.report.place(format!("{}:{}", on_one_line(&path.display().to_string()), line.max(1)))
            }
            Origin::Variable(name) => self.report.place(name.to_string()),
            Origin::Program => self.report.place(""),
        }
    }

    /// Counts a value. `None` where there are too many, or too deep in each other, which is reported.
    pub(super) fn count(&self, nodes: &mut usize, depth: usize, line: usize) -> Option<()> {
        *nodes += 1;
        if depth <= MAX_DEPTH && *nodes <= MOST_NODES {
            return Some(());
        }
        self.at_line(line).problem("this holds more values than any configuration needs; list fewer");
        None
    }

    /// A key that is given again.
    pub(super) fn twice(&self, key: &str, line: usize, first: &Origin) {
        let key = key.escape_debug();
        let first = if let Origin::File(_, line) = first { format!(" in line {line}") } else { String::new() };
        self.at_line(line).problem(format!("the key `{key}` is already given{first}; keep one of them"));
    }
}

/// What a file says; `None` where it cannot be read, which is reported.
pub(super) fn open(path: &Path, report: &Report) -> Option<Node> {
    let at = report.place(on_one_line(&path.display().to_string()));
    let read = match path.extension().and_then(|ending| ending.to_str()) {
        Some("yaml" | "yml") => yaml::read,
        Some("toml") => toml::read,
        Some("json") => json::read,
        _ => {
            at.problem("the file extension is unknown; use .yaml, .yml, .toml or .json");
            return None;
        }
    };
    let bytes = match contents(path) {
        Ok(bytes) => bytes,
        Err(problem) => {
            at.problem(problem);
            return None;
        }
    };
    let reading = Reading { report, origin: Origin::File(Arc::from(path), 1) };
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).and_then(|before| std::str::from_utf8(before).ok());
            let line = line_of(before.unwrap_or_default(), error.valid_up_to());
            reading.at_line(line).problem("this is not UTF-8; save the file as UTF-8");
            return None;
        }
    };
    let node = read(text, &reading)?;
    match node.value {
        Value::Map(_) => Some(node),
        Value::Nothing => Some(Node::empty(node.origin)),
        _ => {
            at.problem("the file is not a mapping; write `key: value`");
            None
        }
    }
}

fn contents(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error| format!("the file cannot be read: {error}; create it, or name another");
    // Asked before it is opened: a pipe without a writer would hold us for ever.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err("this is not a regular file; name one".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("the file is larger than {} MiB; name a configuration", MAX_FILE_BYTES >> 20));
    }
    Ok(bytes)
}

/// The line of a byte, the first of which is 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}
