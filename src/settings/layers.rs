//! Files, environment and overrides, laid over each other by the `config` crate.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Environment, File, FileFormat, Map, Source, Value, ValueKind};
use serde_json::Value as Json;

use super::paths;
use super::report::{Place, Report};

/// Stem of every secret's keys: `token` of `token`, `token_file` and `token_env`.
const SECRETS: [&str; 5] = ["token", "app_secret", "access_key_id", "access_key_secret", "security_token"];

/// The configuration of all layers together; `None` if a layer cannot be read at all.
pub(super) fn merge(
    files: &[PathBuf],
    environment: &BTreeMap<String, String>,
    overrides: &[(String, String)],
    report: &Report,
) -> Option<Json> {
    let mut layers = Vec::new();
    let mut origins = Origins::default();
    for path in files {
        let at = report.place(path.display().to_string());
        if let Some(layer) = file(path, &at) {
            origins.note(&layer, path.parent().unwrap_or(path));
            layers.push(layer);
        }
    }
    let overrides: Layer =
        overrides.iter().map(|(key, value)| (key.clone(), Value::new(None, value.as_str()))).collect();
    for layer in [variables(environment, &overrides, report), overrides] {
        origins.note(&layer, Path::new(""));
        layers.push(layer);
    }
    if !report.is_clean() {
        return None;
    }
    let mut builder = Config::builder();
    for (key, value) in layers.into_iter().flatten() {
        builder = builder.add_source(Assignment(key, value));
    }
    match builder.build().and_then(|config| config.collect()) {
        Ok(mut tree) => {
            settle_secrets(&mut tree, &origins, environment, report);
            settle_state(&mut tree, &origins);
            Some(json(Value::new(None, tree)))
        }
        Err(error) => {
            report.place("").problem(format!("{error}; correct it"));
            None
        }
    }
}

/// What one source says, by path, so that the shorter of two paths comes first.
type Layer = BTreeMap<String, Value>;

/// One path and its value, as a source: sources are applied in the order in which they are added,
/// while the order of a map's keys is anyone's guess.
#[derive(Clone, Debug)]
struct Assignment(String, Value);

impl Source for Assignment {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok([(self.0.clone(), self.1.clone())].into_iter().collect())
    }
}

fn file(path: &Path, at: &Place<'_>) -> Option<Layer> {
    let format = match path.extension().and_then(|ending| ending.to_str()) {
        Some("yaml" | "yml") => FileFormat::Yaml,
        Some("toml") => FileFormat::Toml,
        Some("json") => FileFormat::Json,
        _ => {
            at.problem("the file's ending says nothing of its format; name it .yaml, .yml, .toml or .json");
            return None;
        }
    };
    match fs::metadata(path) {
        Err(error) => at.problem(format!("the file cannot be read: {error}; create it, or name another")),
        Ok(metadata) if !metadata.is_file() => at.problem("this is no regular file; name one"),
        Ok(_) => match File::from(path).format(format).collect() {
            Ok(table) => return Some(top_level(table, at)),
            Err(ConfigError::FileParse { cause, .. }) if cause.is::<Box<ConfigError>>() => {
                at.problem("the file is no mapping; write `key: value`");
            }
            Err(ConfigError::FileParse { cause, .. }) => {
                at.problem(format!("{}; correct the syntax there", without_excerpt(&cause.to_string())));
            }
            Err(error) => at.problem(format!("the file cannot be read: {error}; create it, or name another")),
        },
    }
    None
}

/// A syntax error on one line. The excerpt of the file that TOML adds may show a secret.
fn without_excerpt(message: &str) -> String {
    let margin = |c: char| c.is_ascii_digit() || c == ' ';
    let lines = message.lines().filter(|line| !line.trim_start_matches(margin).starts_with('|'));
    lines.collect::<Vec<_>>().join(": ")
}

/// The table of a file. A dot or a bracket in a key of the top level would be read as a path.
fn top_level(table: Map<String, Value>, at: &Place<'_>) -> Layer {
    let (plain, odd): (Layer, Layer) = table.into_iter().partition(|(key, _)| is_plain(key));
    for key in odd.keys() {
        at.problem(format!("unknown key `{}`; write one key below the other", key.escape_debug()));
    }
    plain
}

/// The variables' values. A problem with one of them names it, unless an override stands in for it.
fn variables(environment: &BTreeMap<String, String>, overrides: &Layer, report: &Report) -> Layer {
    let mut layer = Layer::new();
    for (name, value) in environment.iter().filter(|(name, value)| name.starts_with("MME__") && !value.is_empty()) {
        if !is_plain(name) {
            let at = report.place(name.escape_debug().to_string());
            at.problem("the variable's name is no key; use letters, digits, - and _, and __ between keys");
            continue;
        }
        let one = [(name.clone(), value.clone())].into_iter().collect();
        let source = Environment::with_prefix("MME").prefix_separator("__").separator("__").source(Some(one));
        for (key, value) in source.collect().unwrap_or_default() {
            if !overrides.contains_key(&key) {
                report.came_from(&key, name);
            }
            layer.insert(key, value);
        }
    }
    layer
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Where values come from, by the origin that `config` notes on them.
#[derive(Default)]
struct Origins(BTreeMap<Option<String>, Origin>);

struct Origin {
    /// The layer's place among the others.
    rank: usize,
    /// The file's folder; empty for what is not from a file.
    folder: PathBuf,
}

impl Origins {
    /// Notes the next layer.
    fn note(&mut self, layer: &Layer, folder: &Path) {
        let origin = layer.values().next().and_then(|value| value.origin().map(str::to_owned));
        let rank = self.0.values().map(|origin| origin.rank + 1).max().unwrap_or_default();
        self.0.insert(origin, Origin { rank, folder: folder.to_owned() });
    }

    fn of(&self, value: &Value) -> Option<&Origin> {
        self.0.get(&value.origin().map(str::to_owned))
    }

    fn rank(&self, value: &Value) -> Option<usize> {
        self.of(value).map(|origin| origin.rank)
    }

    /// Replaces a path by where it leads, seen from the folder of the file that it stands in.
    fn settle_path(&self, value: &mut Value, lead: impl Fn(&str, &Path) -> PathBuf) {
        let text = value.clone().into_string().ok().filter(|text| !text.is_empty());
        let Some((text, origin)) = text.zip(self.of(value)) else { return };
        if let Some(path) = lead(&text, &origin.folder).to_str() {
            value.kind = path.into();
        }
    }
}

/// Of the places of one secret, those of the last layer that names any count: a variable `token`
/// stands in for a file's `token_file`. Warns of secrets that a file holds itself.
fn settle_secrets(
    tree: &mut Map<String, Value>,
    origins: &Origins,
    environment: &BTreeMap<String, String>,
    report: &Report,
) {
    for source in ["meta", "cams"] {
        let Some(ValueKind::Table(credentials)) = tree.get_mut(source).map(|value| &mut value.kind) else { continue };
        for (name, credential) in credentials {
            let ValueKind::Table(credential) = &mut credential.kind else { continue };
            for stem in SECRETS {
                let keys = [stem.to_owned(), format!("{stem}_file"), format!("{stem}_env")];
                let given = |key: &String| credential.get(key).filter(|value| value.kind != ValueKind::Nil);
                let last = keys.iter().filter_map(given).map(|value| origins.rank(value)).max();
                credential.retain(|key, value| !keys.contains(key) || Some(origins.rank(value)) == last);
                if credential.get(stem).and_then(Value::origin).is_some_and(|origin| origin != "the environment") {
                    let at = report.place("").key(source).key(name).key(stem);
                    at.warning(format!("the secret stands in a file that others may read; use {stem}_file instead"));
                }
                if let Some(file) = credential.get_mut(&keys[1]) {
                    origins.settle_path(file, |text, folder| paths::secret(text, folder, environment));
                }
            }
        }
    }
}

fn settle_state(tree: &mut Map<String, Value>, origins: &Origins) {
    let Some(ValueKind::Table(state)) = tree.get_mut("state").map(|value| &mut value.kind) else { return };
    if let Some(file) = state.get_mut("file") {
        origins.settle_path(file, paths::plain);
    }
}

fn json(value: Value) -> Json {
    match value.kind {
        ValueKind::Nil => Json::Null,
        ValueKind::Boolean(flag) => flag.into(),
        ValueKind::I64(number) => number.into(),
        ValueKind::U64(number) => number.into(),
        ValueKind::I128(number) => number.to_string().into(),
        ValueKind::U128(number) => number.to_string().into(),
        ValueKind::Float(number) => number.into(),
        ValueKind::String(text) => text.into(),
        ValueKind::Table(table) => table.into_iter().map(|(key, value)| (key, json(value))).collect(),
        ValueKind::Array(items) => items.into_iter().map(json).collect(),
    }
}
