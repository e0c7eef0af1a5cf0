//! The rules of the code base that no lint knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Longest file, its unit tests included.
const LONGEST: usize = 400;

/// Widest comment; rustfmt leaves them as they are.
const WIDEST: usize = 120;

/// Which modules of ours a module may use, and which crates where that is limited. The first row
/// whose prefix matches counts. `*` is anything.
#[rustfmt::skip]
const MAY_USE: &[(&str, &[&str], &[&str])] = &[
    ("domain/", &["domain"], &["std", "jiff", "thiserror"]),
    ("engine/", &["domain", "engine", "source"], &["std", "humantime", "jiff", "sha2"]),
    ("source/", &["domain", "source"], &["std", "bytes", "jiff", "http", "memmap2", "serde", "serde_json", "hmac", "percent_encoding", "sha2", "secrecy"]),
    ("exposition/", &["domain", "exposition"], &["std", "jiff", "bytes", "crc32fast", "flate2", "itoa", "memmap2", "zmij"]),
    ("settings/", &["clock", "domain", "settings"], &["*"]),
    ("simulate/", &["domain::api_version", "domain::metric", "simulate"], &["*"]),
    ("store.rs", &["domain", "exposition"], &["std", "arc_swap"]),
    ("clock.rs", &["domain"], &["std", "jiff"]),
    ("fetch", &["domain", "fetch"], &["std", "bytes", "http", "memmap2", "reqwest", "tokio"]),
    ("telemetry.rs", &["domain", "engine"], &["std", "prometheus"]),
    ("credentials/", &["clock", "credentials", "domain", "engine", "fetch", "panics", "random", "settings", "source"], &["std", "anyhow", "bytes", "http", "reqwest", "secrecy", "tokio"]),
    ("heartbeat.rs", &["domain"], &["std"]),
    ("logging/logfmt.rs", &["clock"], &["std", "serde_json", "tracing", "tracing_subscriber"]),
    ("systemd.rs", &["clock", "heartbeat"], &["std", "anyhow", "listenfd", "sd_notify", "tokio"]),
    ("daemon/", &["clock", "credentials", "daemon", "domain", "engine", "fetch", "heartbeat", "logging", "panics", "publish", "random", "settings", "source", "telemetry"], &["*"]),
    ("panics.rs", &[], &["std", "anyhow", "tokio", "tracing"]),
    ("random.rs", &[], &["getrandom"]),
    ("publish", &["clock", "domain", "panics", "publish", "state", "store", "telemetry"], &["std", "anyhow", "tokio"]),
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
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    // Where tests share what they read with.
    code.split("#[cfg(test)]\npub(crate) mod tests").next().unwrap_or_default()
}

#[test]
fn modules_import_only_what_they_may() {
    let sources = production();
    // `use` of a module of one's own begins with its name.
    let modules: BTreeSet<_> = sources.keys().flat_map(|name| name.trim_end_matches(".rs").split('/')).collect();
    for (name, text) in &sources {
        let Some((_, ours, crates)) = MAY_USE.iter().find(|(prefix, ..)| name.starts_with(prefix)) else { continue };
        for line in text.lines() {
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
    let pure = |name: &str| ["domain/", "engine/", "source/", "exposition/"].iter().any(|pure| name.starts_with(pure));
    for (name, text) in production().into_iter().filter(|(name, _)| pure(name)) {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let word = IMPURE.iter().find(|word| line.contains(**word));
            assert!(word.is_none(), "{name}: {word:?} does not belong into the core: {line}");
        }
    }
}

#[test]
fn files_are_short_and_say_what_they_are() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= LONGEST, "{name} has {lines} lines, more than {LONGEST}: split it by what it does");
        assert!(text.starts_with("//!"), "{name} does not say what it is in its first line");
        let mut comments = text.lines().filter(|line| line.trim_start().starts_with("//"));
        let wide = comments.find(|line| line.chars().count() > WIDEST);
        assert!(wide.is_none(), "{name} has a comment of more than {WIDEST} columns: {wide:?}");
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

/// Files that may hold inherent `impl`s of one type.
const MAX_IMPL_FILES: usize = 2;

/// The code of each file of `src` without its tests.
fn production() -> BTreeMap<String, String> {
    let ours = sources().into_iter().filter_map(|(name, text)| Some((name.strip_prefix("src/")?.to_owned(), text)));
    let code = ours.filter(|(name, _)| !name.ends_with("tests.rs") && !name.contains("tests/"));
    code.map(|(name, text)| (name, without_tests(&text).to_owned())).collect()
}

/// The name of a top-level type that a line begins, or of the type that an inherent `impl` is for.
fn named<'a>(line: &'a str, keywords: &[&str]) -> Option<&'a str> {
    let line = line.strip_prefix("pub").map_or(line, |rest| rest.trim_start_matches(|c: char| c != ' ').trim_start());
    let rest = keywords.iter().find_map(|keyword| line.strip_prefix(keyword))?;
    // Generic parameters of an `impl` stand before the name.
    let rest = rest.strip_prefix('<').map_or(rest, |generic| generic.split_once("> ").map_or("", |(_, rest)| rest));
    rest.trim_start().split(|c: char| !c.is_alphanumeric()).next().filter(|name| !name.is_empty())
}

#[test]
fn a_name_is_that_of_one_type() {
    let mut files = BTreeMap::<String, BTreeSet<String>>::new();
    // What is typed has the names of what is meant.
    for (file, text) in production().into_iter().filter(|(file, _)| file != "settings/raw.rs") {
        for name in text.lines().filter_map(|line| named(line, &["struct ", "enum ", "type ", "trait "])) {
            files.entry(name.to_owned()).or_default().insert(file.clone());
        }
    }
    assert!(files.len() > 200, "types are found: {}", files.len());
    for (name, files) in &files {
        assert!(files.len() == 1, "{name} is a type in {files:?}: rename the more special one");
    }
}

#[test]
fn what_a_type_does_is_in_two_files_at_most() {
    let mut files = BTreeMap::<String, BTreeSet<String>>::new();
    for (file, text) in production() {
        for line in text.lines().filter(|line| line.ends_with('{') && !line.contains(" for ")) {
            if let Some(name) = named(line, &["impl ", "impl"]) {
                files.entry(name.to_owned()).or_default().insert(file.clone());
            }
        }
    }
    assert!(files.len() > 150, "implementations are found: {}", files.len());
    for (name, files) in files {
        assert!(files.len() <= MAX_IMPL_FILES, "{name} is implemented in {files:?}: split it by what each part owns");
    }
}

/// The files that each file names in its `use` lines. A `mod.rs` is no corner: it names its files.
fn imports(sources: &BTreeMap<String, String>) -> BTreeMap<&str, BTreeSet<&str>> {
    let module = |file: &str| {
        let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
        path.split('/').map(str::to_owned).collect::<Vec<_>>()
    };
    let files: BTreeMap<_, _> = sources.keys().map(|file| (module(file), file.as_str())).collect();
    let plain = |file: &str| !file.ends_with("mod.rs");
    let used = |here: &[String], path: &str| {
        let mut at = here.to_vec();
        for step in path.split("::") {
            match step {
                "crate" => at.clear(),
                "super" => drop(at.pop()),
                "self" => {}
                step => at.push(step.to_owned()),
            }
        }
        // What stands behind the module is an item of it.
        while !at.is_empty() && !files.contains_key(&at) {
            at.pop();
        }
        files.get(&at).copied()
    };
    let of_file = |file: &str, text: &str| {
        let here = module(file);
        let statements = text.split(';').filter_map(|code| {
            let (before, path) = code.rsplit_once("use ")?;
            let before = before.rsplit('\n').next().unwrap_or_default().trim_start();
            (before.is_empty() || before.starts_with("pub")).then_some(path)
        });
        let paths = statements.flat_map(|path| {
            let (head, items) = path.split_once('{').unwrap_or((path, ""));
            items.split(['}', ',']).map(|item| format!("{head}{}", item.trim())).collect::<Vec<_>>()
        });
        let ours = paths.filter(|path| ["crate", "super", "self"].iter().any(|root| path.starts_with(root)));
        ours.filter_map(|path| used(&here, path.trim_end_matches("::"))).filter(|other| *other != file).collect()
    };
    let graph = sources.iter().filter(|(file, _)| plain(file)).map(|(file, text)| {
        let used: BTreeSet<_> = of_file(file, text);
        (file.as_str(), used.into_iter().filter(|file| plain(file)).collect())
    });
    graph.collect()
}

#[test]
fn no_file_uses_itself_around_a_corner() {
    let sources = production();
    let graph = imports(&sources);
    assert!(graph.values().map(BTreeSet::len).sum::<usize>() > 400, "imports are found: {graph:?}");
    for start in graph.keys() {
        let (mut reached, mut next) = (BTreeSet::new(), vec![*start]);
        while let Some(file) = next.pop() {
            next.extend(graph[file].iter().filter(|used| reached.insert(**used)));
        }
        assert!(
            !reached.contains(start),
            "{start} uses a file that uses it: move what they share. It reaches {reached:?}"
        );
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

/// How code names a source: by a type, a constant, an API or a module.
const SOURCE_WORDS: [&str; 7] = ["Meta", "META", "Cams", "CAMS", "Graph", "meta::", "cams::"];

/// The word by which a text names a source. What only begins like one, as `Metadata` does, is another word.
fn source_word(text: &str) -> Option<&'static str> {
    let named = |word: &str| {
        text.match_indices(word).any(|(at, _)| {
            let (before, after) = (text.as_bytes()[..at].last(), text.as_bytes().get(at + word.len()));
            !before.is_some_and(u8::is_ascii_alphanumeric)
                && (word.ends_with(':') || !after.is_some_and(u8::is_ascii_lowercase))
        })
    };
    SOURCE_WORDS.into_iter().find(|word| named(word))
}

/// Whether code says which sources there are. Texts that are shown may, and so may comments.
fn names_a_source(code: &str) -> bool {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n").replace("\\\"", "").replace("'\"'", "");
    code.split('"').step_by(2).any(|outside| source_word(outside).is_some())
}

#[test]
fn a_source_is_named_where_contributing_says_and_nowhere_else() {
    let page = std::fs::read_to_string("CONTRIBUTING.md").unwrap();
    let section = page.split("**A source.**").nth(1).unwrap().split("The compiler points").next().unwrap();
    let places: BTreeSet<_> = section.split('`').filter_map(|word| word.strip_prefix("src/")).collect();
    let naming: BTreeSet<_> =
        production().into_iter().filter(|(_, code)| names_a_source(code)).map(|(file, _)| file).collect();
    let stray: Vec<_> = naming.iter().filter(|file| !places.iter().any(|place| file.starts_with(place))).collect();
    assert!(stray.is_empty(), "{stray:?} name a source: make it a property of `Source`, or say so in CONTRIBUTING.md");
    let idle: Vec<_> = places.iter().filter(|place| !naming.iter().any(|file| file.starts_with(**place))).collect();
    assert!(idle.is_empty(), "CONTRIBUTING.md names {idle:?}, which know no source");
}

#[test]
fn the_engine_does_not_even_speak_of_a_source() {
    for (file, text) in production().into_iter().filter(|(file, _)| file.starts_with("engine/")) {
        let word = source_word(&text);
        assert!(word.is_none(), "{file} says {word:?}: what differs between sources is a property of `Source`");
    }
}
