//! Files, environment and overrides, laid over each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::node::{Node, Origin, Scalar, ScalarKind, Value};
use super::report::Report;
use super::secret::keys_of;
use super::{document, paths, variables};

/// Stem of every secret's keys: `token` of `token`, `token_file` and `token_env`.
const SECRETS: [&str; 5] = ["token", "app_secret", "access_key_id", "access_key_secret", "security_token"];

/// The configuration of all layers together; `None` if a layer cannot be read at all. What is typed
/// wrongly in one is reported all the same.
pub(super) fn merge(
    files: &[PathBuf],
    environment: &BTreeMap<String, String>,
    overrides: &[(String, String)],
    report: &Report,
) -> Option<Node> {
    let opened: Vec<_> = files.iter().map(|path| document::open(path, report)).collect();
    let whole = opened.iter().all(Option::is_some);
    let set = variables::read(environment, report);
    // Without a layer the rest would have problems that are none, such as a token that is missing.
    if !whole || !report.is_clean() {
        return None;
    }
    let mut tree = Node::empty(Origin::Program);
    for layer in opened.into_iter().flatten().chain(set) {
        tree.lay_over(layer);
    }
    for (path, text) in overrides {
        let value = Value::scalar(text.as_str(), ScalarKind::Any);
        tree.lay_over(Node { origin: Origin::Program, value }.below(path.split('.')));
    }
    settle_secrets(&mut tree, files, environment, report);
    if let Some(file) = tree.keys_mut().and_then(|keys| keys.get_mut("state")?.keys_mut()?.get_mut("file")) {
        settle_path(file, paths::plain);
    }
    report.note_origins(&tree);
    Some(tree)
}

/// Where a value stands among the layers.
fn rank(node: &Node, files: &[PathBuf]) -> usize {
    match &node.origin {
        Origin::File(path, _) => files.iter().rposition(|file| **file == **path).unwrap_or_default(),
        Origin::Variable(_) => files.len(),
        Origin::Program => files.len() + 1,
    }
}

/// Replaces a path by where it leads, seen from the folder of the file that it stands in.
fn settle_path(node: &mut Node, lead: impl Fn(&str, &Path) -> PathBuf) {
    let Value::Scalar(Scalar { text, kind: ScalarKind::Text | ScalarKind::Any }) = &mut node.value else { return };
    if !text.is_empty()
        && let Some(path) = lead(text, node.origin.folder()).to_str()
    {
        path.clone_into(text);
    }
}

/// Of the places of one secret, those of the last layer that names any count: a variable `token`
/// stands in for a file's `token_file`. Warns of secrets that a file holds itself.
fn settle_secrets(tree: &mut Node, files: &[PathBuf], environment: &BTreeMap<String, String>, report: &Report) {
    for source in ["meta", "cams"] {
        let Some(credentials) = tree.keys_mut().and_then(|keys| keys.get_mut(source)?.keys_mut()) else { continue };
        for (name, credential) in credentials {
            let Some(credential) = credential.keys_mut() else { continue };
            for stem in SECRETS {
                let keys = keys_of(stem);
                let given = |key: &String| credential.get(key).filter(|node| !node.is_nothing());
                let last = keys.iter().filter_map(given).map(|node| rank(node, files)).max();
                credential.retain(|key, node| !keys.contains(key) || Some(rank(node, files)) == last);
                let inline = credential.get(stem).filter(|node| !node.is_nothing());
                if inline.is_some_and(|node| matches!(node.origin, Origin::File(..))) {
                    let at = report.place("").key(source).key(name).key(stem);
                    at.warning(format!(
                        "the secret is written in the configuration, which others may get to see; use {stem}_file instead"
                    ));
                }
                if let Some(file) = credential.get_mut(&keys[1]) {
                    settle_path(file, |text, folder| paths::secret(text, folder, environment));
                }
            }
        }
    }
}
