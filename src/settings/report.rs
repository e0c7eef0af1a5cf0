//! Problems and warnings with their places, collected while the rest is still being read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::discreet::discreet;
use super::entry::{Entry, Leaf};
use super::node::{Node, Origin, Value};

/// Everything that is wrong with a configuration.
#[derive(Debug)]
pub struct Problems(pub Vec<Problem>);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, from the top: `meta.main.accounts[0].windows[2]`; before it the file and line, or the
    /// variable, where it was typed. Of what is not typed in a key, the file or the variable alone.
    pub path: String,
    /// What is wrong and what to write instead, parted by a semicolon.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "configuration" } else { &self.path };
        write!(f, "{path}: {}", self.message)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, problem)| {
            f.write_str(if index == 0 { "" } else { "\n" })?;
            problem.fmt(f)
        })
    }
}

impl std::error::Error for Problems {}

/// Where problems and warnings are gathered, by their paths. The place in a file is added at the end: what is wrong
/// with `meta.main.interval` is reported as `config.yaml:7: meta.main.interval: ...`, or with the variable that set it.
#[derive(Default)]
pub(super) struct Report {
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    /// Where the keys were typed, by their paths.
    origins: RefCell<BTreeMap<String, Origin>>,
}

impl Report {
    /// The place of the whole configuration, or of a file or variable by its name.
    pub(super) fn place(&self, path: impl Into<String>) -> Location<'_> {
        Location { report: self, path: path.into() }
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_clean(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    /// Has what is said of a key name where it was typed.
    pub(super) fn note_origins(&self, tree: &Node) {
        fn note(place: &Location<'_>, node: &Node, origins: &mut BTreeMap<String, Origin>) {
            match &node.value {
                Value::Map(keys) => keys.iter().for_each(|(key, node)| note(&place.key(key), node, origins)),
                Value::List(items) => {
                    items.iter().enumerate().for_each(|(index, node)| note(&place.item(index), node, origins));
                }
                _ => {}
            }
            origins.insert(place.to_string(), node.origin.clone());
        }
        note(&self.place(""), tree, &mut self.origins.borrow_mut());
    }

    /// The warnings, if there are no problems.
    pub(super) fn finish(self) -> Result<Vec<String>, Problems> {
        let (mut problems, origins) = (self.problems.into_inner(), self.origins.into_inner());
        // In the order of the file, which is how somebody goes through them with an editor.
        problems.sort_by_cached_key(|problem| (typed_at(&problem.path, &origins), order(&problem.path)));
        let named = |Problem { path, message }| Problem { path: located(path, &origins), message };
        if problems.is_empty() {
            Ok(self.warnings.into_inner().into_iter().map(|warning| named(warning).to_string()).collect())
        } else {
            Err(Problems(problems.into_iter().map(named).collect()))
        }
    }
}

/// A text whose line ends and other controls are escaped.
pub(super) fn on_one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] }).collect()
}

/// The file and line of a key; of one that is missing, those of the mapping that it is missing in.
fn typed_at<'o>(path: &str, origins: &'o BTreeMap<String, Origin>) -> Option<(&'o Path, usize)> {
    let ends = path.char_indices().filter(|(_, c)| matches!(c, '.' | '[')).map(|(end, _)| end);
    let mut above: Vec<&str> = ends.filter_map(|end| path.get(..end)).chain([path]).collect();
    above.reverse();
    match above.into_iter().find_map(|above| origins.get(above)) {
        Some(Origin::File(file, line)) => Some((file, *line)),
        _ => None,
    }
}

/// A key's path, and before it where the key was typed: the variable, or the line of a file.
fn located(path: String, origins: &BTreeMap<String, Origin>) -> String {
    match (origins.get(&path), typed_at(&path, origins)) {
        (Some(Origin::Variable(name)), _) => format!("{name} ({path})"),
        (_, Some((file, line))) => format!("{}:{line}: {path}", on_one_line(&file.display().to_string())),
        _ => path,
    }
}

/// The parts of a path, so that the tenth item of a list comes after the second.
fn order(path: &str) -> Vec<String> {
    let part = |part: &str| part.parse::<u32>().map_or_else(|_| part.to_owned(), |index| format!("{index:010}"));
    path.split(['.', '[', ']']).map(part).collect()
}

/// A key of the configuration, and where to report what is found there.
#[derive(Clone)]
pub(super) struct Location<'r> {
    report: &'r Report,
    path: String,
}

impl Location<'_> {
    /// The place of a key in this mapping.
    pub(super) fn key(&self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        // Each name by itself: several in a row may look like a secret, of which none is one.
        self.report.place(format!("{}{dot}{}", self.path, discreet(name).escape_debug()))
    }

    /// The place of an item of this list.
    pub(super) fn item(&self, index: usize) -> Self {
        self.report.place(format!("{}[{index}]", self.path))
    }

    /// The place of the whole configuration.
    pub(super) fn root(&self) -> Self {
        self.report.place("")
    }

    /// Whether nothing is wrong so far, here or elsewhere.
    pub(super) fn is_clean(&self) -> bool {
        self.report.is_clean()
    }

    /// Says what is wrong here.
    pub(super) fn problem(&self, message: impl Into<String>) {
        self.push(&self.report.problems, &message.into());
    }

    /// Says what is allowed here but hardly meant.
    pub(super) fn warning(&self, message: impl Into<String>) {
        self.push(&self.report.warnings, &message.into());
    }

    // What is inherited is checked at each heir, and said once.
    fn push(&self, list: &RefCell<Vec<Problem>>, message: &str) {
        // Names of files may hold line ends.
        let message = on_one_line(&discreet(message));
        let problem = Problem { path: self.path.clone(), message };
        let mut list = list.borrow_mut();
        if !list.contains(&problem) {
            list.push(problem);
        }
    }

    /// What the entry at this place holds; what is wrong with it is reported.
    pub(super) fn open<T>(&self, entry: Entry<T>) -> Option<T> {
        for wrong in entry.wrongs {
            wrong.key.map_or_else(|| self.clone(), |key| self.key(&key)).problem(wrong.message);
        }
        entry.value
    }

    /// What a key of this mapping holds.
    pub(super) fn take<T>(&self, key: &str, entry: Entry<T>) -> Option<T> {
        self.key(key).open(entry)
    }

    /// What a key of this mapping holds; its absence is a problem.
    pub(super) fn require<T: Leaf>(&self, key: &str, entry: Entry<T>) -> Option<T> {
        if entry.is_absent() {
            self.key(key).problem(format!("{} is missing; write {}", T::NOUN, T::remedy("")));
        }
        self.take(key, entry)
    }

    /// What the items of the list at this place hold, each with its place.
    pub(super) fn items<T>(&self, entries: Vec<Entry<T>>) -> Vec<(Self, T)> {
        let mut items = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let at = self.item(index);
            if entry.is_absent() {
                at.problem("the item is empty; fill it in or remove it");
            }
            items.extend(at.open(entry).map(|value| (at, value)));
        }
        items
    }
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}
