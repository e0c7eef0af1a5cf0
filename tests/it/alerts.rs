//! Rules, dashboards and their documents name what exists: families, labels, runbooks, tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use marketing_messages_exporter::command::metrics::reference;

const RULES: &str = "deploy/prometheus/rules";

/// Labels that Prometheus or the rules themselves give to any series.
const OF_RULES: &[&str] = &[
    "job",
    "instance",
    "le",
    "team",
    "threshold",
    "day",
    "expires",
    "span",
    "alertname",
    "alertstate",
    "severity",
    "code",
    "rule_group",
];

/// Names and contents of the files of a folder with an ending.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == ending))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no {ending} files", folder.display());
    files
}

/// Everything that holds a query.
fn queries() -> Vec<(String, String)> {
    [(RULES, "yml"), ("deploy/grafana/dashboards", "json"), ("docs", "md"), ("docs/runbooks", "md")]
        .into_iter()
        .flat_map(|(folder, ending)| files(folder, ending))
        .filter(|(name, _)| name != "metrics.md")
        // The quotes of a query are escaped in JSON.
        .map(|(name, text)| (name, text.replace("\\\"", "\"")))
        .collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).filter(|word| !word.is_empty())
}

/// The families of the reference with their labels. Campaign families have no column of labels: those of all.
fn catalog() -> BTreeMap<String, BTreeSet<String>> {
    let own = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<BTreeSet<_>>();
    let campaign = own(&["source", "account_id", "campaign_id", "window", "currency", "action"]);
    let mut families = BTreeMap::new();
    for line in reference().unwrap().lines().filter(|line| line.starts_with("| `marketing_messages_")) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let ticked = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
        let labels = match cells[2] {
            "gauge" | "counter" | "histogram" => ticked(cells[3]),
            cell if cell.starts_with('`') => ticked(cell),
            _ => campaign.clone(),
        };
        families.insert(cells[1].trim_matches('`').to_owned(), labels);
    }
    families
}

/// The names of the shipped recording rules; a user's own are one more.
fn recorded() -> BTreeSet<String> {
    let mut names = BTreeSet::from(["marketing_messages:threshold:custom".to_owned()]);
    for (_, text) in files(RULES, "yml") {
        names.extend(text.split("record: ").skip(1).map(|rest| words(rest).next().unwrap().to_owned()));
    }
    names
}

fn alerts() -> Vec<(String, String)> {
    let mut alerts = Vec::new();
    for (_, text) in files(RULES, "yml") {
        for block in text.split("- alert: ").skip(1) {
            alerts.push((words(block).next().unwrap().to_owned(), block.to_owned()));
        }
    }
    alerts
}

#[test]
fn every_family_of_a_query_exists() {
    let (families, recorded) = (catalog(), recorded());
    let known = |word: &str| {
        let bare = ["_bucket", "_sum", "_count"].iter().find_map(|ending| word.strip_suffix(ending)).unwrap_or(word);
        families.contains_key(word) || families.contains_key(bare) || recorded.contains(word)
    };
    for (file, text) in queries() {
        for word in
            words(&text).filter(|word| word.contains("marketing_messages_") || word.contains("marketing_messages:"))
        {
            let word = word.trim_end_matches(':');
            assert!(word.ends_with('_') || known(word), "{file} names {word}, which does not exist");
        }
    }
}

#[test]
fn every_label_of_a_query_exists() {
    let families = catalog();
    let all: BTreeSet<&str> = families.values().flatten().map(String::as_str).chain(OF_RULES.iter().copied()).collect();
    for (file, text) in queries() {
        let parts: Vec<_> = text.split('{').collect();
        for pair in parts.windows(2) {
            let name = pair[0].rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).next().unwrap();
            let Some((matchers, _)) = pair[1].split_once('}').filter(|_| name.contains("marketing_messages")) else {
                continue;
            };
            // What stands between quotes is a value.
            for label in matchers.split(['"', '\'']).step_by(2).flat_map(words) {
                let fits = families.get(name).is_none_or(|own| own.contains(label) || OF_RULES.contains(&label));
                assert!(fits && all.contains(label), "{file}: {name} has no label {label}");
            }
        }
        for keyword in ["by (", "on (", "group_left ("] {
            for list in text.split(keyword).skip(1).filter_map(|rest| rest.split(')').next()) {
                for label in words(list) {
                    assert!(all.contains(label), "{file}: no family has the label {label} ({keyword}{list}))");
                }
            }
        }
    }
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let alerts: BTreeSet<String> = alerts().into_iter().map(|(name, _)| name).collect();
    let runbooks: BTreeSet<String> =
        files("docs/runbooks", "md").into_iter().map(|(name, _)| name.trim_end_matches(".md").to_owned()).collect();
    assert_eq!(alerts, runbooks);
    let [(_, listed)] =
        &files("docs", "md").into_iter().filter(|(name, _)| name == "alerting.md").collect::<Vec<_>>()[..]
    else {
        panic!("docs/alerting.md is missing")
    };
    for alert in alerts {
        assert!(listed.contains(&format!("(runbooks/{alert}.md)")), "docs/alerting.md does not list {alert}");
    }
}

#[test]
fn every_alert_says_what_it_is_and_where_help_is() {
    let mut bases = BTreeSet::new();
    for (name, block) in alerts() {
        for key in ["summary:", "description:", "severity:", "keep_firing_for:"] {
            assert!(block.contains(key), "{name} has no {key}");
        }
        let severity = block.split("severity: ").nth(1).and_then(|rest| words(rest).next());
        assert!(matches!(severity, Some("critical" | "warning" | "info")), "{name}: severity {severity:?}");
        let url = block.split("runbook_url: ").nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let (base, file) = url.split_once("/blob/main/docs/runbooks/").unwrap_or_default();
        assert_eq!(file, format!("{name}.md"), "{name}: {url}");
        bases.insert(base.to_owned());
        // It writes 0.10 as 100m.
        assert!(!block.contains("humanize }}"), "{name}: money is printed, not humanized");
    }
    assert_eq!(bases.len(), 1, "one address for all runbooks: {bases:?}");
}

#[test]
fn every_alert_is_tested_for_firing_and_for_silence() {
    let tests: String = files("deploy/prometheus/tests", "yml").into_iter().map(|(_, text)| text).collect();
    for (name, _) in alerts() {
        let cases: Vec<_> = tests.split(&format!("alertname: {name}\n")).skip(1).collect();
        let silent = cases.iter().any(|case| case.trim_start().starts_with("exp_alerts: []"));
        let fires = cases.iter().any(|case| case.trim_start().starts_with("exp_alerts:\n"));
        assert!(silent && fires, "{name} needs a test that it fires and one that it does not");
    }
}

#[test]
fn every_question_of_the_documents_has_its_panel() {
    let boards: BTreeMap<String, serde_json::Value> = files("deploy/grafana/dashboards", "json")
        .into_iter()
        .map(|(_, text)| serde_json::from_str::<serde_json::Value>(&text).unwrap())
        .map(|board| (board["title"].as_str().unwrap().to_lowercase(), board))
        .collect();
    let (_, page) = files("docs", "md").into_iter().find(|(name, _)| name == "dashboards.md").unwrap();
    let table = page.split("| question | dashboard | panel |").nth(1).expect("a table of questions");
    let mut questions = 0;
    for row in table.lines().skip(2).take_while(|row| row.starts_with('|')) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let (dashboard, panel) = (cells[2].to_lowercase(), cells[3]);
        let board = boards
            .get(&format!("marketing messages: {dashboard}"))
            .unwrap_or_else(|| panic!("no dashboard {dashboard}"));
        let titles: Vec<_> =
            board["panels"].as_array().unwrap().iter().filter_map(|panel| panel["title"].as_str()).collect();
        assert!(titles.contains(&panel), "{dashboard} has no panel {panel}: {titles:?}");
        questions += 1;
    }
    assert!(questions >= 10, "only {questions} questions");
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    for folder in ["docs", "docs/runbooks"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for (name, text) in files(folder, "md") {
            for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let target = target.split('#').next().unwrap_or_default();
                let local = !target.is_empty() && !target.contains("://");
                assert!(
                    !local || root.join(target).exists(),
                    "{folder}/{name} links to {target}, which does not exist"
                );
            }
        }
    }
}
