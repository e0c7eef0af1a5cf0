//! A YAML mapping that is read key by key: all problems are collected, and keys that nobody read are
//! unknown.

use std::cell::RefCell;

use yaml_rust2::{Yaml, YamlLoader};

use crate::settings::{NOT_SHOWN, Problem, Problems, is_like_a_secret};

/// What is wrong with a file so far.
#[derive(Debug)]
pub(super) struct FileProblems {
    file: String,
    problems: RefCell<Vec<Problem>>,
}

impl FileProblems {
    /// A report about a file.
    pub(super) fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), problems: RefCell::default() }
    }

    /// Notes what is wrong with a key, and what to write instead; with the file if the key is empty.
    pub(super) fn problem(&self, key: &str, message: impl Into<String>) {
        let colon = if key.is_empty() { "" } else { ": " };
        let path = format!("{}{colon}{key}", self.file);
        self.problems.borrow_mut().push(Problem { path, message: message.into() });
    }

    /// A value, if nothing at all is wrong.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Problems> {
        let problems = self.problems.into_inner();
        value.filter(|_| problems.is_empty()).ok_or(Problems(problems))
    }
}

/// A mapping, at a place.
pub(super) struct Section<'r> {
    report: &'r FileProblems,
    path: String,
    entries: Vec<(String, Yaml)>,
    asked: Vec<&'static str>,
}

impl<'r> Section<'r> {
    /// The mapping that a whole file holds.
    pub(super) fn parse(text: &str, report: &'r FileProblems) -> Option<Self> {
        let documents = match YamlLoader::load_from_str(text) {
            Ok(documents) => documents,
            Err(error) => {
                let twice = "duplicated key in mapping";
                // It quotes the key.
                let what = if error.info().ends_with(twice) { "a key is given twice" } else { error.info() };
                let (line, column) = (error.marker().line(), error.marker().col() + 1);
                report.problem("", format!("line {line}, column {column}: {what}; correct the syntax there"));
                return None;
            }
        };
        let top = documents.into_iter().next().filter(Yaml::is_hash);
        if top.is_none() {
            // A file that is being written is empty for a moment, and must not open the doors.
            report.problem("", "the file is not a mapping; write `{}` for a server without TLS and logins");
        }
        top.map(|top| Self::of(report, String::new(), top))
    }

    fn of(report: &'r FileProblems, path: String, yaml: Yaml) -> Self {
        let mut entries = Vec::new();
        match yaml {
            Yaml::Hash(hash) => {
                for (key, value) in hash {
                    match text(&key) {
                        Some(key) => entries.push((key, value)),
                        None => report.problem(&path, "a key is not a string; write `key: value`"),
                    }
                }
            }
            Yaml::Null => {}
            _ => report.problem(&path, "this is not a mapping; write `key: value` below it"),
        }
        Self { report, path, entries, asked: Vec::new() }
    }

    /// The place of a key, from the top.
    pub(super) fn path(&self, key: &str) -> String {
        let dot = if self.path.is_empty() { "" } else { "." };
        format!("{}{dot}{}", self.path, shown(key))
    }

    /// Notes what is wrong with a key.
    pub(super) fn problem(&self, key: &str, message: impl Into<String>) {
        self.report.problem(&self.path(key), message);
    }

    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn take(&mut self, key: &'static str) -> Option<Yaml> {
        self.asked.push(key);
        let index = self.entries.iter().position(|(name, _)| name == key)?;
        // A key without a value counts as absent, as in Go's exporters.
        Some(self.entries.swap_remove(index).1).filter(|value| !value.is_null())
    }

    /// The mapping below a key; an empty one if there is none.
    pub(super) fn section(&mut self, key: &'static str) -> Self {
        let yaml = self.take(key).unwrap_or(Yaml::Null);
        Self::of(self.report, self.path(key), yaml)
    }

    /// A text. An empty one is none, as in the files of other exporters.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let found = text(&self.take(key)?);
        if found.is_none() {
            self.problem(key, "this is not a string; write one, in quotes if necessary");
        }
        found.filter(|text| !text.is_empty())
    }

    /// A truth value.
    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        match self.take(key) {
            None => default,
            Some(Yaml::Boolean(flag)) => flag,
            Some(_) => {
                self.problem(key, "this is not a boolean; write true or false");
                default
            }
        }
    }

    /// A list of texts, each with its place; `None` if there is none.
    pub(super) fn list(&mut self, key: &'static str) -> Option<Vec<(String, String)>> {
        let Yaml::Array(items) = self.take(key)? else {
            self.problem(key, "this is not a list; write `- item` below it");
            return None;
        };
        let mut texts = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let place = format!("{key}[{index}]");
            match text(item) {
                Some(text) => texts.push((place, text)),
                None => self.problem(&place, "this is not a string; write one, in quotes if necessary"),
            }
        }
        Some(texts)
    }

    /// Every key with its text, where the keys are names of the user's own.
    pub(super) fn texts(&mut self) -> Vec<(String, String)> {
        let mut texts = Vec::new();
        for (key, value) in std::mem::take(&mut self.entries) {
            match text(&value) {
                Some(text) => texts.push((key, text)),
                None => self.problem(&key, "this is not a string; write one, in quotes if necessary"),
            }
        }
        texts
    }

    /// Says that what is left is unknown.
    pub(super) fn finish(&self) {
        for (key, _) in &self.entries {
            self.problem(key, format!("unknown key; the keys here are {}", self.asked.join(", ")));
        }
    }
}

/// A key or a name of the user's own. What was pasted in its place is not shown: a secret by its form, whatever
/// stands behind a colon, as a password does, and what is longer than names are.
fn shown(name: &str) -> String {
    const MAX_NAME_BYTES: usize = 64;
    let (name, behind) = name.split_once(':').map_or((name, ""), |(name, _)| (name, ":..."));
    if is_like_a_secret(name) || name.len() > MAX_NAME_BYTES || name.contains("-----") {
        return NOT_SHOWN.to_owned();
    }
    format!("{}{behind}", name.escape_debug())
}

/// A scalar as it was typed, as far as YAML tells.
fn text(yaml: &Yaml) -> Option<String> {
    match yaml {
        Yaml::String(text) | Yaml::Real(text) => Some(text.clone()),
        Yaml::Integer(number) => Some(number.to_string()),
        Yaml::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}
