//! The schema accepts what the parser accepts, and nothing else; and what is typed arrives as it was
//! typed, or is refused.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::{Union, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};

use super::entry::Holds as _;
use super::fixtures::{compiled, load_file, written, yaml};
use super::raw::Raw;
use super::reading::Reading;
use super::report::{Problem, Report};
use super::{Purpose, Settings};
use crate::domain::target::Window;

/// Values tried at each leaf.
const VALUES_PER_LEAF: usize = 16;

/// What is wrong with several values together, or with the world, and not with a value: no schema of
/// a single file can know it.
const BEYOND_THE_SCHEMA: [&str; 15] = [
    "access keys and credentials are both given",
    "the app's secret is missing",
    "there is no credential",
    "there is no token",
    "there are no access keys",
    "the access key's",
    "is shorter than the interval",
    "listed twice",
    "is already listed",
    "overlap with those of",
    "cannot be read",
    // A path or a name of which nothing can be read, and which looks like what it should lead to.
    "looks like the secret itself",
    "is not set",
    "is a status of ads only",
    "is after until",
];

/// What the parser says of a configuration, but for what several values make wrong together.
fn problems(text: &str) -> Vec<Problem> {
    let report = Report::default();
    let node = super::json::read(text, &Reading::variable(&report, "test")).unwrap();
    report.note_origins(&node);
    let top = report.place("");
    let raw = top.open(Raw::read(node)).unwrap_or_default();
    super::read(&top, raw, &BTreeMap::new(), Purpose::Discovery);
    let problems = report.finish().err().map_or_else(Vec::new, |problems| problems.0);
    problems
        .into_iter()
        .filter(|problem| !BEYOND_THE_SCHEMA.iter().any(|part| problem.message.contains(part)))
        .collect()
}

/// Pointers to the leaves of a document, each list and mapping included.
fn pointers(json: &Json, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match json {
        Json::Object(map) => map.iter().for_each(|(key, inner)| pointers(inner, &format!("{at}/{key}"), found)),
        Json::Array(items) => {
            items.iter().enumerate().for_each(|(index, inner)| pointers(inner, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

/// Every pattern of the schema, without its anchors.
fn patterns(json: &Json, found: &mut Vec<String>) {
    match json {
        Json::Object(map) => {
            if let Some(Json::String(pattern)) = map.get("pattern") {
                found.push(pattern.trim_start_matches('^').trim_end_matches('$').to_owned());
            }
            map.values().for_each(|inner| patterns(inner, found));
        }
        Json::Array(items) => items.iter().for_each(|inner| patterns(inner, found)),
        _ => {}
    }
}

/// Texts that mean something somewhere, or nearly do.
fn texts() -> impl Strategy<Value = String> + Clone {
    let words = "all today last_7d ACTIVE active limited full ad campaign default debug info true True no off 0 1 00 01 act_1 act_01 \
                 EUR eur v26.0 26.0 2026-02-28 2026-02-29 2024-02-29 2026-13-01 0s 1s 1ms 999ms 15m 1h30m 367d 366d 13M 1.5h 1ns \
                 256 257 1KiB 1023 1GiB 2GiB 0.5MiB 1001 1000.0 0.001 0.0009 1e-3 https://a http://a http://localhost \
                 https://a:0 https://a:65535 https://a:65536 https://1.2.3.4 https://1.2.3 unspecified day job le __a sent";
    let known: Vec<String> =
        words.split_whitespace().map(str::to_owned).chain([String::new(), " ".to_owned()]).collect();
    select(known)
}

/// Any value; integral floats are left out, because a schema cannot tell 8.0 from 8.
fn values(patterns: &[String]) -> impl Strategy<Value = Json> {
    let matching = Union::new(patterns.iter().map(|pattern| proptest::string::string_regex(pattern).unwrap())).boxed();
    let mutated = (matching.clone(), any::<Index>(), "[ -~]?").prop_map(|(text, at, new)| {
        let mut letters: Vec<char> = text.chars().collect();
        let at = at.index(letters.len() + 1);
        letters.splice(at..(at + 1).min(letters.len()), new.chars());
        letters.into_iter().collect::<String>()
    });
    let integers = select(vec![0, 1, 2, 256, 257, 1000, 1001, 1023, 1024, 1 << 30, (1 << 30) + 1, 1_000_000_001]);
    // Nothing nearer to the bound: validators compare large numbers as floats.
    let large = select(vec![u64::MAX, 9_999_999_999_999_999_999, 11_000_000_000_000_000_000]);
    let floats = select(vec![0.0009, 0.001, 0.5, 1.5, 999.999, 1000.5, 1e-20, -0.5, 0.123_456_789_012_345_67]);
    prop_oneof![
        6 => matching.prop_map(Json::from),
        3 => mutated.prop_map(Json::from),
        3 => texts().prop_map(Json::from),
        2 => "\\PC{0,12}".prop_map(Json::from),
        1 => "[a-z]{64}|[a-z-]{63}|[a-z]{255,257}".prop_map(Json::from),
        2 => integers.prop_map(Json::from),
        1 => large.prop_map(Json::from),
        1 => any::<i64>().prop_map(Json::from),
        2 => floats.prop_map(Json::from),
        1 => select(vec![json!(null), json!(true), json!(false), json!([]), json!({}), json!(["x"]), json!({"x": 1})]),
    ]
}

#[test]
fn the_schema_and_the_parser_agree_on_every_value() {
    let whole = yaml(Path::new("config/example.yaml"));
    let (schemas, index) = compiled();
    let (mut leaves, mut shapes) = (Vec::new(), Vec::new());
    pointers(&whole, "", &mut leaves);
    patterns(&super::schema(), &mut shapes);
    let values = values(&shapes);
    let mut runner = TestRunner::default();
    let (mut compared, mut accepted, mut differing) = (0, 0, Vec::new());
    let mut compare = |place: &str, value: &Json, document: &Json| {
        let wrong = problems(&document.to_string());
        let schema = schemas.validate(document, index);
        compared += 1;
        accepted += usize::from(schema.is_ok());
        if schema.is_ok() != wrong.is_empty() && differing.len() < 20 {
            let parser = wrong.first().map_or("accepted".to_owned(), Problem::to_string);
            differing.push(format!("{place}: {value}\n  schema: {}\n  parser: {parser}", schema.is_ok()));
        }
    };
    for leaf in &leaves {
        for _ in 0..VALUES_PER_LEAF {
            let mut document = whole.clone();
            let value = values.new_tree(&mut runner).unwrap().current();
            *document.pointer_mut(leaf).unwrap() = value.clone();
            compare(leaf, &value, &document);
            // Under that name instead of its own: of a credential, a label, an account or a key.
            let Some((above, key)) = leaf.rsplit_once('/') else { continue };
            let Some(name) = value.as_str() else { continue };
            let mut document = whole.clone();
            let Some(keys) = document.pointer_mut(above).and_then(Json::as_object_mut) else { continue };
            let inner = keys.remove(key).unwrap();
            keys.entry(name).or_insert(inner);
            compare(leaf, &json!({name: "renamed"}), &document);
        }
    }
    println!("{compared} values compared at {} places, {accepted} of them accepted", leaves.len());
    assert!(differing.is_empty(), "the schema and the parser differ:\n{}", differing.join("\n"));
    assert!(accepted * 20 > compared, "{accepted} of {compared} accepted: the generator finds no good values");
}

/// What a text becomes at a place of the configuration.
type Arrived = fn(&Settings) -> Option<String>;

/// Texts of the user's: where each is typed in YAML, with `@` for it, its key, and what arrives.
const TYPED: [(&str, &str, Arrived); 9] = [
    ("{labels: {x: @}, accounts: [{id: 1}]}", "meta.main.labels.x", |s| {
        Some(s.fleet.accounts[0].terms.labels[0].1.clone())
    }),
    ("{accounts: [{id: @}]}", "meta.main.accounts[0].id", |s| Some(s.fleet.accounts[0].id.to_string())),
    ("{accounts: [{id: 1, campaigns: {name: @}}]}", "meta.main.accounts[0].campaigns", |s| {
        let crate::domain::fleet::WantedCampaigns::Matching(filter) = &s.fleet.accounts[0].wanted else { return None };
        filter.name.as_ref().map(|glob| glob.as_str().to_owned())
    }),
    ("{accounts: [{id: 1, campaigns: [@]}]}", "meta.main.accounts[0].campaigns[0]", |s| {
        let crate::domain::fleet::WantedCampaigns::Only(ids) = &s.fleet.accounts[0].wanted else { return None };
        ids.first().map(ToString::to_string)
    }),
    ("{campaigns: [{id: @}]}", "meta.main.campaigns[0].id", |s| Some(s.fleet.campaigns[0].id.to_string())),
    ("{app_id: @, app_secret: x, accounts: [{id: 1}]}", "meta.main.app_id", |s| match &s.credentials[0].access {
        super::Access::Meta { app_id, .. } => app_id.clone(),
        super::Access::Cams { .. } => None,
    }),
    (
        "{accounts: [{id: 1, windows: [{name: @, since: 2026-01-01, until: 2026-01-02}]}]}",
        "meta.main.accounts[0].windows[0].name",
        |s| match &s.fleet.accounts[0].windows[0] {
            Window::Range { name, .. } => Some(name.to_string()),
            _ => None,
        },
    ),
    (
        "{accounts: [{id: 1}]}, x: {token: x}}\ncams: {c: {access_key_id: x, access_key_secret: x, \
         channels: [{cust_space_id: @, page_id: 1, ad_account_id: 2}]}",
        "cams.c.channels[0].cust_space_id",
        |s| Some(s.fleet.channels[0].space.to_string()),
    ),
    ("{token: @, accounts: [{id: 1}]}", "meta.main.token", |s| match &s.credentials[0].access {
        super::Access::Meta { token: super::Secret::Inline(text), .. } => {
            Some(secrecy::ExposeSecret::expose_secret(text).to_owned())
        }
        _ => None,
    }),
];

/// Scalars that one program or another takes for something else than a text.
fn scalars() -> impl Strategy<Value = String> {
    let words = "00501 1.10 0x1F 0xff 12e4567 1_000 0o17 0b11 017 on On off yes no y n true True TRUE false .5 5. +1 -1 1e3 1e400 -0 0 0.0 \
                 .inf -.INF .nan 2026-03-01 2026-03-01T00:00:00Z 12:30:00 190:20:30 ~ null Null NULL 9999999999999999999 18446744073709551616 \
                 1.0 1e+20 1E-7 act_00501 __ -- 0x 0o 0o8";
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    prop_oneof![
        4 => select(words),
        2 => "[-+]?(0x|0o|0b)?[0-9]{1,20}([._][0-9]{1,6})?([eE][-+]?[0-9]{1,4})?",
        1 => "[A-Za-z0-9][A-Za-z0-9._+-]{0,9}",
    ]
}

/// Whether what was typed arrives; or a problem that names the key, and the file and line.
fn arrives(text: &str, ending: &str, typed: &str, key: &str, arrived: Arrived) -> Result<(), String> {
    let path = written(&format!("typed-{}.{ending}", key.replace(['[', ']'], "-")), text);
    let loaded = load_file(&path, &[], &[]);
    let file = path.display().to_string();
    std::fs::remove_file(&path).unwrap();
    match loaded {
        Ok(settings) => match arrived(&settings) {
            Some(text) if text == typed || format!("act_{text}") == typed => Ok(()),
            // Of a key that may be absent, these say that it is.
            None if key.ends_with("app_id") && matches!(typed, "~" | "null" | "Null" | "NULL") => Ok(()),
            other => Err(format!("{other:?} arrives of {typed:?} at {key}\n{text}")),
        },
        Err(problems) => {
            let named = |problem: &Problem| problem.path.starts_with(&format!("{file}:")) && problem.path.contains(key);
            if problems.0.iter().all(named) { Ok(()) } else { Err(format!("{typed:?} at {key}: {problems}\n{text}")) }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_typed_arrives_or_is_refused(typed in scalars(), at in 0..TYPED.len()) {
        let (yaml, key, arrived) = TYPED[at];
        let token = if key.ends_with("token") { "" } else { "token: x, " };
        let yaml = format!("meta: {{main: {}}}\n", yaml.replacen('{', &format!("{{{token}"), 1));
        prop_assert_eq!(arrives(&yaml.replace('@', &typed), "yaml", &typed, key, arrived), Ok(()));
        let quoted = yaml.replace('@', &format!("\"{typed}\""));
        prop_assert_eq!(arrives(&quoted, "yaml", &typed, key, arrived), Ok(()));
        // The same as JSON and TOML, bare where the format knows such a number.
        let number = serde_json::from_str::<&serde_json::value::RawValue>(&typed).is_ok_and(|raw| raw.get() == typed);
        if number {
            let path = written("shape.yaml", &yaml.replace('@', "\"@\""));
            let json = super::fixtures::yaml(&path).to_string().replace("\"@\"", &typed);
            prop_assert_eq!(arrives(&json, "json", &typed, key, arrived), Ok(()));
        }
        let toml = format!("[meta.main]\ntoken = 'x'\naccounts = [{{id = 1}}]\nlabels = {{x = {typed}}}\n");
        let label = |s: &Settings| Some(s.fleet.accounts[0].terms.labels[0].1.clone());
        let parses = toml::de::DeTable::parse(&toml).is_ok();
        if parses {
            prop_assert_eq!(arrives(&toml, "toml", &typed, "meta.main.labels.x", label), Ok(()));
        }
    }

    #[test]
    fn what_a_variable_says_arrives_or_is_refused(typed in scalars()) {
        let path = written("typed-variable.yaml", "meta: {main: {token: x, accounts: [{id: 1}]}}\n");
        for (variable, arrived) in [
            ("MME__META__MAIN__LABELS__X", TYPED[0].2),
            ("MME__META__MAIN__ACCOUNTS", (|s: &Settings| Some(s.fleet.accounts[0].id.to_string())) as Arrived),
        ] {
            let value = if variable.ends_with("ACCOUNTS") { format!("[{{id: {typed}}}]") } else { typed.clone() };
            match load_file(&path, &[(variable, &value)], &[]) {
                Ok(settings) => {
                    let text = arrived(&settings).unwrap();
                    prop_assert!(text == typed || format!("act_{text}") == typed, "{text:?} of {typed:?}");
                }
                Err(problems) => {
                    prop_assert!(problems.0.iter().all(|problem| problem.path.starts_with(variable)), "{problems}");
                }
            }
        }
    }
}
