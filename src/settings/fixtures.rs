//! The shipped configurations, and `tests/data/settings`: every `*.ok.yaml` loads, and every
//! `*.bad.yaml` has exactly the problems of its `*.bad.txt`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value as Json;

use super::entry::Holds;
use super::node::{Node, Scalar, ScalarKind, Value};
use super::raw::Raw;
use super::report::{Problems, Report};
use super::{Access, Secret, Settings, document, load};
use crate::domain::fleet::WantedCampaigns;
use crate::domain::freshness::Staleness;

const FOLDER: &str = "tests/data/settings";

fn fixtures(ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no {ending} in {FOLDER}");
    paths
}

pub(super) fn load_file(
    path: &Path,
    environment: &[(&str, &str)],
    overrides: &[(&str, &str)],
) -> Result<Settings, Problems> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let environment = environment.iter().map(owned).collect();
    load(&[path.to_owned()], &environment, &overrides.iter().map(owned).collect::<Vec<_>>())
}

/// Where the tests' configurations from text go.
pub(super) fn written(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("mme-settings-{}-{name}", std::process::id()));
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn good_fixtures_load() {
    for path in fixtures(".ok.yaml") {
        let loaded = load_file(&path, &[], &[]);
        assert!(loaded.is_ok(), "{}:\n{}", path.display(), loaded.unwrap_err());
    }
}

#[test]
fn bad_fixtures_have_exactly_their_problems() {
    let mut differing = Vec::new();
    for path in fixtures(".bad.yaml") {
        let expected = fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
        let found = match load_file(&path, &[], &[]) {
            Ok(_) => "(loads)".to_owned(),
            Err(problems) => problems.to_string(),
        };
        if found != expected.trim_end() {
            differing.push(format!("== {}\n{found}", path.display()));
        }
    }
    assert!(differing.is_empty(), "other problems than expected:\n{}", differing.join("\n"));
}

const EXAMPLE_SECRETS: [(&str, &str); 4] = [
    ("meta.main.token", "token"),
    ("meta.main.app_secret", "secret"),
    ("cams.sg.access_key_id", "id"),
    ("cams.sg.access_key_secret", "secret"),
];

#[test]
fn the_example_loads_and_shows_every_key() {
    let example = Path::new("config/example.yaml");
    let settings = load_file(example, &[], &EXAMPLE_SECRETS).unwrap();
    assert_eq!(settings.warnings, Vec::<String>::new());
    assert_eq!((settings.fleet.accounts.len(), settings.fleet.channels.len()), (3, 1));

    let shown = yaml(example);
    let mut missing = Vec::new();
    compare(&Raw::keys(), &[&shown], "", &mut missing);
    assert_eq!(missing, Vec::<String>::new(), "keys that config/example.yaml does not show");
}

/// The content of a YAML file as an editor sees it.
pub(super) fn yaml(path: &Path) -> Json {
    let report = Report::default();
    let node = document::open(path, &report);
    assert!(report.is_clean(), "{}: {}", path.display(), report.finish().unwrap_err());
    seen(node.unwrap())
}

fn seen(node: Node) -> Json {
    match node.value {
        Value::Nothing => Json::Null,
        Value::Scalar(Scalar { text, kind: ScalarKind::Number | ScalarKind::Truth }) => {
            serde_json::from_str(&text).unwrap()
        }
        Value::Scalar(Scalar { text, .. }) => text.into(),
        Value::List(items) => items.into_iter().map(seen).collect(),
        Value::Map(keys) => keys.into_iter().map(|(key, node)| (key, seen(node))).collect(),
    }
}

/// The schema, to validate with.
pub(super) fn compiled() -> (boon::Schemas, boon::SchemaIndex) {
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("schema.json", super::schema()).unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap();
    (schemas, index)
}

#[test]
fn the_schema_accepts_what_loads_and_refuses_what_it_can() {
    let (schemas, index) = compiled();
    let shipped = ["config/example.yaml".into(), "config/demo.yaml".into()];
    for path in fixtures(".ok.yaml").into_iter().chain(shipped) {
        let given = yaml(&path);
        let verdict = schemas.validate(&given, index);
        assert!(verdict.is_ok(), "{}: {:#}", path.display(), verdict.unwrap_err());
    }
    for name in ["unknown-key", "wrong-type", "duration", "extra-metrics", "windows"] {
        let path = Path::new(FOLDER).join(format!("{name}.bad.yaml"));
        assert!(schemas.validate(&yaml(&path), index).is_err(), "{name} fits the schema");
    }
}

#[test]
fn what_is_printed_means_the_same_and_shows_no_secret() {
    for path in fixtures(".ok.yaml").into_iter().chain(["config/demo.yaml".into()]) {
        let settings = load_file(&path, &[("MME__META__MAIN__TOKEN", "hush")], &[]).unwrap();
        assert!(settings.printed.contains("token: \"<secret>\""), "{}", settings.printed);
        assert!(!settings.printed.contains("hush"), "{}", settings.printed);
        let again = written("printed.yaml", &settings.printed);
        let same = load_file(&again, &[], &[]).unwrap_or_else(|problems| panic!("{problems}\n{}", settings.printed));
        assert_eq!(format!("{:?}", same.fleet), format!("{:?}", settings.fleet));
        assert_eq!(format!("{:?}", same.credentials), format!("{:?}", settings.credentials));
        assert_eq!((same.poll, same.max_series), (settings.poll, settings.max_series));
        assert_eq!(same.printed, settings.printed);
        fs::remove_file(again).unwrap();
    }
}

/// Collects the keys that none of the shown values has.
fn compare(keys: &Json, shown: &[&Json], path: &str, missing: &mut Vec<String>) {
    match keys {
        Json::Object(keys) if keys.contains_key("*") => {
            let values: Vec<_> =
                shown.iter().filter_map(|json| json.as_object()).flat_map(|map| map.values()).collect();
            if values.is_empty() {
                missing.push(path.to_owned());
            }
            compare(&keys["*"], &values, &format!("{path}.*"), missing);
        }
        Json::Object(keys) => {
            for (key, inner) in keys {
                let values: Vec<_> = shown.iter().filter_map(|json| json.get(key)).collect();
                let path = format!("{path}.{key}");
                if values.is_empty() {
                    missing.push(path.clone());
                }
                compare(inner, &values, &path, missing);
            }
        }
        Json::Array(items) => {
            let values: Vec<_> = shown.iter().filter_map(|json| json.as_array()).flatten().collect();
            for item in items {
                compare(item, &values, &format!("{path}[]"), missing);
            }
        }
        _ => {}
    }
}

#[test]
fn the_demo_loads() {
    let settings =
        load_file(Path::new("config/demo.yaml"), &[], &[("meta.main.base_url", "http://127.0.0.1:1")]).unwrap();
    let names: Vec<_> = settings.credentials.iter().map(|credential| &*credential.name).collect();
    assert_eq!(names, ["growth", "main", "sg"]);
    let accounts: Vec<_> = settings.fleet.accounts.iter().map(|account| account.id.to_string()).collect();
    assert_eq!(accounts, ["2398765434", "2398765432", "2398765433"]);
    assert_eq!(settings.fleet.channels[0].wanted, WantedCampaigns::All);
    assert_eq!(settings.fleet.channels[0].terms.interval, Duration::from_secs(5));
    let Access::Meta { base_url, .. } = &settings.credentials[1].access else { panic!("main is Meta's") };
    assert_eq!(base_url.as_str(), "http://127.0.0.1:1");
    assert!(
        settings.warnings.iter().all(|warning| warning.contains("the secret is written in the configuration")),
        "{:?}",
        settings.warnings
    );
}

#[test]
fn later_layers_win_and_inherit() {
    let path = written(
        "layers.yaml",
        "poll: {interval: 20m, stale_after: 2h, timeout: 10s}\n\
         meta: {main: {token_file: /nonexistent, labels: {a: x, b: 1}, interval: 30m, accounts: [\
         {id: act_1, labels: {a: y}}, {id: 2, interval: 1h, campaigns: [7, 8]}]}}\n",
    );
    let environment = [
        ("MME__META__MAIN__TOKEN_ENV", "TOKEN"),
        ("TOKEN", " EAAB\n"),
        ("MME__POLL__CONCURRENCY", "3"),
        ("MME__POLL__TIMEOUT", ""),
        ("MME_WEB_LISTEN_ADDRESS", ":1"),
    ];
    let settings = load_file(&path, &environment, &[("poll.max_response", "1MiB")]).unwrap();
    assert_eq!((settings.poll.concurrency, settings.poll.max_response), (3, 1 << 20));
    assert_eq!(settings.poll.timeout, Duration::from_secs(10));
    let Access::Meta { token: Secret::Environment(name), .. } = &settings.credentials[0].access else { panic!() };
    assert_eq!(name, "TOKEN");
    let [first, second] = settings.fleet.accounts.as_slice() else { panic!() };
    assert_eq!(first.terms.interval, Duration::from_mins(30));
    let labels = first.terms.labels.iter().map(|(name, value)| format!("{name}={value}"));
    assert_eq!(labels.collect::<Vec<_>>(), ["a=y", "b=1"]);
    assert_eq!(
        (second.terms.interval, second.terms.staleness),
        (Duration::from_hours(1), Staleness::Fixed(Duration::from_hours(2)))
    );
    fs::remove_file(path).unwrap();
}

#[test]
fn files_that_cannot_be_read_are_all_named() {
    let files = ["/nonexistent/a.yaml".into(), "/nonexistent/b.txt".into()];
    let environment = BTreeMap::from([("MME__A[9]".to_owned(), "1".to_owned())]);
    let found = load(&files, &environment, &[]).unwrap_err().to_string();
    let expected = "/nonexistent/a.yaml: the file cannot be read: No such file or directory (os error 2); create it, or name another\n\
         /nonexistent/b.txt: the file extension is unknown; use .yaml, .yml, .toml or .json\n\
         MME__A[9]: the variable's name is not a key; use letters, digits, - and _, and __ between keys";
    assert_eq!(found, expected);
}

#[test]
fn syntax_errors_name_the_line_and_show_nothing_of_it() {
    let path = written("syntax.toml", "[meta.main]\ntoken = 'hush\n");
    let found = load_file(&path, &[], &[]).unwrap_err().to_string();
    assert!(found.contains("syntax.toml:2: ") && !found.contains("hush"), "{found}");
    fs::remove_file(path).unwrap();
}

#[test]
fn what_is_hardly_meant_is_warned_of() {
    let path = written(
        "warnings.yaml",
        "poll: {interval: 20s}\nmeta: {main: {token: x, accounts: [{id: 1}]}, idle: {token: x, api_version: v24.0}}\n\
         cams: {eu: {credentials: default, endpoint: 'https://cams.eu-central-1.aliyuncs.com'}}\n",
    );
    let warnings = load_file(&path, &[], &[]).unwrap().warnings.join("\n");
    for part in [
        "poll.interval: Meta refreshes",
        "poll.timeout: 30s is longer than the interval of 20s (poll.interval)",
        "meta.main.token: the secret is written in the configuration",
        "meta.idle: nothing is polled",
        "meta.idle.api_version: v24.0 ended on 2026-10-06; set api_version to v27.0",
        "meta.main.app_id: without app_id and app_secret nothing warns before the token expires",
        "cams.eu.endpoint: according to its documentation, CAMS provides",
    ] {
        assert!(warnings.contains(part), "{part} in\n{warnings}");
    }
    fs::remove_file(path).unwrap();
}
