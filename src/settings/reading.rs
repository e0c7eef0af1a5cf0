//! What the readers of all formats share: lines as places, and bounds on size and depth.

use std::path::Path;
use std::sync::Arc;

use super::node::Origin;
use super::report::{Location, Report, on_one_line};

/// Mappings and lists in each other. A configuration has six of them; without a bound, a file of
/// brackets would exhaust the stack.
pub(super) const MAX_DEPTH: usize = 64;
/// Values in a file, those that aliases repeat counted each time: some ten lists of all campaigns of
/// the largest accounts.
const MOST_NODES: usize = 1_000_000;

/// What is being read, and where to report what is wrong with it.
pub(super) struct Reading<'r> {
    report: &'r Report,
    origin: Origin,
}

impl<'r> Reading<'r> {
    /// A file.
    pub(super) fn file(report: &'r Report, path: &Path) -> Self {
        Self { report, origin: Origin::File(Arc::from(path), 1) }
    }

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

/// The line of a byte, the first of which is 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}
