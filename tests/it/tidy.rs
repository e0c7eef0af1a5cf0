//! The rules of the code base that no lint knows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Longest file, its unit tests included.
const LONGEST: usize = 400;

/// Which modules of ours a module may use, and which crates where that is limited. The first row
/// whose prefix matches counts. `*` is anything.
#[rustfmt::skip]
const MAY_USE: &[(&str, &[&str], &[&str])] = &[
    ("domain/", &["domain"], &["std", "jiff", "thiserror"]),
    ("engine/", &["domain", "engine", "source"], &["std", "humantime", "jiff", "sha2"]),
    ("source/", &["domain", "source"], &["std", "bytes", "jiff", "http", "memmap2", "serde", "serde_json", "hmac", "percent_encoding", "sha2", "secrecy"]),
    ("exposition/", &["domain", "exposition"], &["std", "jiff", "bytes", "crc32fast", "flate2", "itoa", "memmap2", "zmij"]),
    ("settings/", &["clock", "domain", "settings"], &["*"]),
    ("simulate/", &["domain::metric", "simulate"], &["*"]),
    ("store.rs", &["domain", "exposition"], &["std", "arc_swap"]),
    ("clock.rs", &["domain"], &["std", "jiff"]),
    ("fetch", &["domain", "fetch"], &["std", "bytes", "http", "memmap2", "reqwest", "tokio"]),
    ("telemetry.rs", &["domain", "engine"], &["std", "prometheus"]),
    ("default_credentials.rs", &["clock", "domain", "fetch", "settings", "source"], &["std", "bytes", "http", "secrecy", "tokio"]),
    ("keyring.rs", &["default_credentials", "domain", "engine", "settings", "source"], &["std", "anyhow", "reqwest", "secrecy", "tokio"]),
    ("heartbeat.rs", &["domain"], &["std"]),
    ("logfmt.rs", &["clock"], &["std", "serde_json", "tracing", "tracing_subscriber"]),
    ("systemd.rs", &["clock", "heartbeat"], &["std", "anyhow", "listenfd", "sd_notify", "tokio"]),
    ("daemon/", &["clock", "daemon", "domain", "engine", "fetch", "heartbeat", "keyring", "logging", "publish", "settings", "source", "telemetry"], &["*"]),
    ("publish", &["clock", "domain", "publish", "state", "store", "telemetry"], &["std", "anyhow", "tokio"]),
    ("replace.rs", &[], &["std"]),
    ("state/", &["domain", "replace", "state"], &["std", "flate2", "jiff", "serde", "thiserror"]),
    ("web/", &["clock", "domain", "exposition", "settings", "store", "telemetry", "web"], &["*"]),
];

/// What the pure modules must not even name.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "getrandom",
    "tokio",
    "async fn",
    ".await",
    "tracing",
];

pub(crate) fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        walk(&root.join(folder), &mut files);
    }
    let name = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    files.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

/// A file without its unit tests, which may use what they like.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default()
}

#[test]
fn modules_import_only_what_they_may() {
    let sources = sources();
    // `use` of a module of one's own begins with its name.
    let parts = sources.iter().flat_map(|(name, _)| name.trim_end_matches(".rs").split('/'));
    let modules: BTreeSet<_> = parts.collect();
    for (name, text) in &sources {
        let Some(name) = name.strip_prefix("src/") else { continue };
        let Some((_, ours, crates)) = MAY_USE.iter().find(|(prefix, ..)| name.starts_with(prefix)) else { continue };
        if name.ends_with("tests.rs") || name.contains("/tests/") {
            continue;
        }
        for line in without_tests(text).lines() {
            if let Some(used) = line.split("crate::").nth(1).filter(|_| !line.trim_start().starts_with("//")) {
                let fits = |module: &&&str| used.starts_with(**module);
                assert!(ours.iter().any(|module| fits(&module)), "{name} must not use crate::{used}");
            }
            let used = line.trim_start().strip_prefix("use ").or_else(|| line.trim_start().strip_prefix("pub use "));
            let first = used.and_then(|used| used.split("::").next()).unwrap_or("crate");
            let known = ["crate", "super", "self"].contains(&first) || first.chars().any(char::is_uppercase);
            let local = modules.contains(first);
            let fine = known || local || crates.contains(&"*") || crates.contains(&first);
            assert!(fine, "{name} must not use {first}");
        }
    }
}

#[test]
fn the_core_is_pure() {
    for (name, text) in sources() {
        if ["src/domain/", "src/engine/", "src/source/", "src/exposition/"].iter().any(|pure| name.starts_with(pure)) {
            let code = without_tests(&text).lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                let word = IMPURE.iter().find(|word| line.contains(**word));
                assert!(word.is_none(), "{name}: {word:?} does not belong into the core: {line}");
            }
        }
    }
}

#[test]
fn files_are_short_and_say_what_they_are() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= LONGEST, "{name} has {lines} lines, more than {LONGEST}: split it by what it does");
        assert!(text.starts_with("//!"), "{name} does not say what it is in its first line");
        for word in ["utils", "helpers", "common", "manager"] {
            assert!(!name.contains(word), "{name}: name it after what it holds");
        }
    }
}

#[test]
fn nothing_is_left_to_do() {
    for (name, text) in sources() {
        for word in ["TO", "FIX", "XX"].map(|word| {
            format!(
                "{word}{}",
                if word == "TO" {
                    "DO"
                } else if word == "FIX" {
                    "ME"
                } else {
                    "X"
                }
            )
        }) {
            assert!(!text.contains(&word), "{name} says {word}: do it, or write an issue");
        }
    }
}

/// A row of the table in ARCHITECTURE.md: the module, and what it may use.
fn documented() -> Vec<(String, Vec<String>, Vec<String>)> {
    let page = std::fs::read_to_string("ARCHITECTURE.md").unwrap();
    let section = page.split("## Who may use whom").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let names = |cell: &str| match cell.trim() {
        "-" => Vec::new(),
        "any" => vec!["*".to_owned()],
        cell => cell.split(',').map(|name| name.trim().trim_matches('`').replace('-', "_")).collect(),
    };
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').collect();
        (names(cells[0]).remove(0), names(cells[1]), names(cells[2]))
    })
    .collect()
}

#[test]
fn the_table_of_architecture_is_the_one_that_is_held() {
    let held: Vec<_> = MAY_USE
        .iter()
        .map(|(prefix, ours, crates)| {
            let module = prefix.trim_end_matches('/').trim_end_matches(".rs").to_owned();
            // A module may use itself, and everybody the standard library.
            let others = |names: &[&str], own: &str| {
                names.iter().filter(|name| **name != own).map(|name| (*name).to_owned()).collect::<Vec<_>>()
            };
            (module.clone(), others(ours, &module), others(crates, "std"))
        })
        .collect();
    for row in documented() {
        assert!(held.contains(&row), "ARCHITECTURE.md says {row:?}, which tests/it/tidy.rs does not hold: {held:#?}");
    }
    assert_eq!(documented().len(), held.len(), "ARCHITECTURE.md and tests/it/tidy.rs have as many rows");
}

#[test]
fn the_code_map_is_what_the_files_say() {
    let checked = std::process::Command::new("scripts/map.py").arg("--check").status().unwrap();
    assert!(checked.success(), "run scripts/map.py");
}
