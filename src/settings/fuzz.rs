//! Whatever a file holds, it is loaded or refused with a place: never a panic, never a word of the
//! parser's inside.

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value as Json;

use super::fixtures::{load_file, written, yaml};
use super::report::Problems;

/// Words that a library says to programmers, and nobody else.
const LIBRARY_WORDS: [&str; 9] = [
    "String(",
    "Hash(",
    "Yaml",
    "serde",
    "invalid type",
    "expected struct",
    "deserialize",
    "duplicated key",
    "Error {",
];

/// Loads a text as a file of each format.
fn checked(name: &str, bytes: &[u8]) -> Result<(), TestCaseError> {
    for ending in ["yaml", "toml", "json"] {
        let path = written(&format!("fuzz-{name}.{ending}"), "");
        std::fs::write(&path, bytes).unwrap();
        let loaded = load_file(&path, &[], &[]);
        std::fs::remove_file(&path).unwrap();
        if let Err(Problems(problems)) = loaded {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                let told = problem.to_string();
                let placed = problem.path.is_empty() || told.starts_with(&path.display().to_string());
                prop_assert!(placed, "{told} names no place");
                prop_assert!(problem.message.contains(';') || problem.message.contains('?'), "{told} has no remedy");
                prop_assert!(!told.contains('\n'), "{told} is more than a line");
                let message = problem.message.split('`').step_by(2).collect::<String>();
                prop_assert!(!LIBRARY_WORDS.iter().any(|word| message.contains(word)), "{told} speaks of the inside");
            }
        }
    }
    Ok(())
}

/// Something that YAML, TOML or JSON gives a meaning.
fn pieces() -> impl Strategy<Value = String> {
    let signs = "{ } [ ] , : - ? & * ! | > ' \" % @ ` # = --- ... &a *a !!str !x << .. [[ ]] {{";
    let signs: Vec<String> = signs.split_whitespace().map(str::to_owned).collect();
    prop_oneof![
        select(signs),
        select(vec![
            "\n".to_owned(),
            "\t".to_owned(),
            "\r\n".to_owned(),
            "  ".to_owned(),
            "\u{0}".to_owned(),
            "\u{feff}".to_owned()
        ]),
        select(vec!["null", "~", "1e400", "-1", "9".repeat(40).leak(), "584942417355y", "1e-20", "0x", "\u{e9}"])
            .prop_map(str::to_owned),
        "\\PC{1,4}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_bytes_bring_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        checked("bytes", &bytes)?;
    }

    #[test]
    fn no_mixture_of_signs_brings_it_down(pieces in proptest::collection::vec(pieces(), 0..40)) {
        checked("signs", pieces.concat().as_bytes())?;
    }

    #[test]
    fn no_mutation_of_a_good_file_brings_it_down(
        cuts in proptest::collection::vec((any::<Index>(), 0_usize..12, pieces()), 1..6),
        toml in any::<bool>(),
    ) {
        const TOML: &str = "[poll]\ninterval = '15m'\n[meta.main]\ntoken = 'x'\naccounts = [{id = 1_0, windows = ['today']}]\n\
                            [[cams.sg.channels]]\npage_id = 1\nsince = 2026-03-01\n";
        let mut text = if toml { TOML.to_owned() } else { std::fs::read_to_string("config/example.yaml").unwrap() };
        for (at, length, piece) in cuts {
            let mut letters: Vec<char> = text.chars().collect();
            let at = at.index(letters.len() + 1);
            letters.splice(at..(at + length).min(letters.len()), piece.chars());
            text = letters.into_iter().collect();
        }
        checked("mutated", text.as_bytes())?;
    }

    #[test]
    fn no_value_at_any_key_brings_it_down(
        key in any::<Index>(),
        value in prop_oneof![pieces().prop_map(Json::from), any::<f64>().prop_map(Json::from), any::<u64>().prop_map(Json::from)],
        nesting in 0..3,
    ) {
        let mut tree = yaml(Path::new("config/example.yaml"));
        let mut leaves = Vec::new();
        collect(&mut tree, &mut leaves);
        let index = key.index(leaves.len());
        *leaves.swap_remove(index) = (0..nesting).fold(value, |inner, depth| {
            if depth == 0 { Json::Array(vec![inner]) } else { serde_json::json!({"x": inner}) }
        });
        drop(leaves);
        checked("values", tree.to_string().as_bytes())?;
    }
}

fn collect<'j>(json: &'j mut Json, leaves: &mut Vec<&'j mut Json>) {
    match json {
        Json::Object(map) => map.values_mut().for_each(|value| collect(value, leaves)),
        Json::Array(items) => items.iter_mut().for_each(|item| collect(item, leaves)),
        leaf => leaves.push(leaf),
    }
}

#[test]
fn depth_and_repetition_are_bounded() {
    let deep = |open: &str| open.repeat(200_000);
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        writeln!(laughs, "a{level}: &a{level} [{}]", [before.as_str(); 10].join(", ")).unwrap();
    }
    for (name, text) in [
        ("lists", deep("[")),
        ("keys", deep("{a: ")),
        ("dashes", deep("- ")),
        ("json", deep("{\"a\":")),
        ("laughs", laughs),
    ] {
        checked(name, text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
