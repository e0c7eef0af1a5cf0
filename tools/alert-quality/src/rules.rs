//! The shipped rule files, as Prometheus reads them.

use std::collections::BTreeMap;
use std::path::Path;

use promql_parser::parser::{Expr, parse};
use yaml_rust2::{Yaml, YamlLoader};

/// What a rule makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Recording,
    Alerting,
}

/// One rule.
pub struct Rule {
    pub kind: Kind,
    pub name: String,
    pub expression: Expr,
    pub labels: Vec<(String, String)>,
    /// Seconds for which the expression holds before the alert fires.
    pub hold: u64,
    /// Seconds for which it fires on.
    pub keep: u64,
}

/// All rules of a folder.
#[derive(Default)]
pub struct Rules {
    rules: Vec<Rule>,
    groups: Vec<String>,
    by_name: BTreeMap<String, Vec<usize>>,
}

impl Rules {
    /// Reads the files of a folder in the order of their names.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|path| path.extension().is_some_and(|end| end == "yml"));
        files.sort();
        let mut rules = Self::default();
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            rules.add(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        Ok(rules)
    }

    /// Adds the rules of a file.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let documents = YamlLoader::load_from_str(text).map_err(|error| error.to_string())?;
        for group in documents.iter().flat_map(|document| document["groups"].as_vec()).flatten() {
            self.groups.push(group["name"].as_str().unwrap_or_default().to_owned());
            for rule in group["rules"].as_vec().into_iter().flatten() {
                let rule = one(rule)?;
                self.by_name.entry(rule.name.clone()).or_default().push(self.rules.len());
                self.rules.push(rule);
            }
        }
        Ok(())
    }

    /// The same with another default of a threshold.
    pub fn set_default(&mut self, threshold: &str, value: f64) -> Result<(), String> {
        let is_it = |rule: &&mut Rule| {
            rule.name == "marketing_messages:threshold:default"
                && rule.labels == [("threshold".to_owned(), threshold.to_owned())]
        };
        let rule = self.rules.iter_mut().find(is_it).ok_or(format!("no threshold {threshold}"))?;
        rule.expression = parse(&value.to_string())?;
        Ok(())
    }

    /// The rules that record a series of this name.
    pub fn recording(&self, name: &str) -> impl Iterator<Item = &Rule> {
        let places = self.by_name.get(name).into_iter().flatten();
        places.map(|place| &self.rules[*place]).filter(|rule| rule.kind == Kind::Recording)
    }

    /// The groups, those that others read first.
    pub fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = self.groups.iter().map(String::as_str).collect();
        let rank = |name: &str| match name {
            "marketing-messages-thresholds" => 1,
            name if name.contains("thresholds-") => 0,
            name if name.contains("names") || name.contains("figures") => 2,
            name if name.contains("accounts") => 3,
            name if name.contains("cost") => 4,
            _ => 5,
        };
        groups.sort_by_key(|name| rank(name));
        groups
    }

    /// Every alert.
    pub fn alerts(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.kind == Kind::Alerting)
    }
}

fn one(rule: &Yaml) -> Result<Rule, String> {
    let (kind, name) = match (rule["record"].as_str(), rule["alert"].as_str()) {
        (Some(name), None) => (Kind::Recording, name),
        (None, Some(name)) => (Kind::Alerting, name),
        _ => return Err(format!("neither record nor alert: {rule:?}")),
    };
    let text = match &rule["expr"] {
        Yaml::String(text) | Yaml::Real(text) => text.clone(),
        Yaml::Integer(number) => number.to_string(),
        other => return Err(format!("{name}: {other:?} is not an expression")),
    };
    let labels = rule["labels"].as_hash().into_iter().flatten();
    Ok(Rule {
        kind,
        name: name.to_owned(),
        expression: parse(&text).map_err(|error| format!("{name}: {error}"))?,
        labels: labels.filter_map(|(name, value)| Some((name.as_str()?.into(), value.as_str()?.into()))).collect(),
        hold: seconds(&rule["for"])?,
        keep: seconds(&rule["keep_firing_for"])?,
    })
}

fn seconds(duration: &Yaml) -> Result<u64, String> {
    match duration.as_str() {
        None => Ok(0),
        Some(text) => Ok(promql_parser::util::parse_duration(text)?.as_secs()),
    }
}
