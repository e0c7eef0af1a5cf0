//! Reads a configuration file into nodes, whatever its format.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::node::{Node, Value};
use super::reading::{Reading, line_of};
use super::report::{Report, on_one_line};
use super::{json, toml, yaml};

/// Bytes of a file.
const MAX_FILE_BYTES: u64 = 64 << 20;

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
    let reading = Reading::file(report, path);
    let text = match std::str::from_utf8(&bytes) {
        // Editors on Windows put a byte order mark before the first key.
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
        // A file of comments alone is a layer that says nothing.
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
    // One byte more than allowed tells a file that is too long from one that just fits.
    File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("the file is larger than {} MiB; name a configuration", MAX_FILE_BYTES >> 20));
    }
    Ok(bytes)
}
