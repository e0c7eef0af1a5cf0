//! Problems and warnings, each with the place it is about, gathered while everything else is read on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use super::discreet::discreet;
use super::entry::{Entry, Leaf};

/// Everything that is wrong with a configuration.
#[derive(Debug)]
pub struct Problems(pub Vec<Problem>);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, from the top: `meta.main.accounts[0].windows[2]`; or the file, or the variable; of a
    /// key that a variable sets, both.
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

/// Where problems and warnings are gathered.
#[derive(Default)]
pub(super) struct Report {
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    /// Variables by the keys that they set.
    variables: RefCell<BTreeMap<String, String>>,
}

impl Report {
    /// The place of the whole configuration, or of a file or variable by its name.
    pub(super) fn place(&self, path: impl Into<String>) -> Place<'_> {
        Place { report: self, path: path.into() }
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_clean(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    /// Has what is said of a key name the variable that sets it, which is what its user typed.
    pub(super) fn came_from(&self, key: &str, variable: &str) {
        self.variables.borrow_mut().insert(key.to_owned(), variable.to_owned());
    }

    /// The warnings, if there are no problems.
    pub(super) fn finish(self) -> Result<Vec<String>, Problems> {
        let (mut problems, variables) = (self.problems.into_inner(), self.variables.into_inner());
        problems.sort_by_cached_key(|problem| order(&problem.path));
        let named = |Problem { path, message }| match variables.get(&path) {
            Some(variable) => Problem { path: format!("{variable} ({path})"), message },
            None => Problem { path, message },
        };
        if problems.is_empty() {
            Ok(self.warnings.into_inner().into_iter().map(|warning| named(warning).to_string()).collect())
        } else {
            Err(Problems(problems.into_iter().map(named).collect()))
        }
    }
}

/// The parts of a path, so that the tenth item of a list comes after the second.
fn order(path: &str) -> Vec<String> {
    let part = |part: &str| part.parse::<u32>().map_or_else(|_| part.to_owned(), |index| format!("{index:010}"));
    path.split(['.', '[', ']']).map(part).collect()
}

/// A key of the configuration, and where to report what is found there.
#[derive(Clone)]
pub(super) struct Place<'r> {
    report: &'r Report,
    path: String,
}

impl Place<'_> {
    /// The place of a key in this mapping.
    pub(super) fn key(&self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
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
        let problem = Problem { path: discreet(&self.path).into_owned(), message: discreet(message).into_owned() };
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
                at.problem("an empty item; fill it in or remove it");
            }
            items.extend(at.open(entry).map(|value| (at, value)));
        }
        items
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}
