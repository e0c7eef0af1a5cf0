//! The same figures and rules as a test for promtool, which must find the same alerts.

use std::fmt::Write;
use std::path::Path;

use crate::alert::episodes;
use crate::figures::DAY;
use crate::model::Model;
use crate::promql::column::is_present;
use crate::promql::series::NAME;
use crate::study::Trial;

/// Days that are compared: promtool takes a minute for two weeks.
const DAYS: std::ops::Range<usize> = 31..43;

/// Writes the rules without their texts, and a test of one campaign, into a folder.
pub fn write(trial: &Trial, number: u64, rules: &Path, folder: &Path) -> Result<usize, String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let mut test = String::from("rule_files:\n");
    for entry in std::fs::read_dir(rules).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
        // A test has one step for all groups, and compares texts word by word.
        let text: String = bare(&text);
        std::fs::write(folder.join(&name), text).map_err(|error| error.to_string())?;
        let _ = writeln!(test, "  - {name}");
    }
    test.push_str("evaluation_interval: 15m\ngroup_eval_order:\n");
    for group in trial.rules.groups() {
        let _ = writeln!(test, "  - {group}");
    }
    test.push_str("tests:\n  - interval: 15m\n    input_series:\n");
    let model = Model::new(&trial.profile);
    let mut evaluation = trial.evaluation(&model, number).within(DAYS.start * DAY..DAYS.end * DAY);
    let steps = DAYS.len() * DAY;
    for series in evaluation.scraped() {
        let labels: Vec<_> = series
            .labels
            .iter()
            .filter(|(name, _)| *name != NAME)
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let values = series.column.values(steps);
        // promtool begins its clock at 0.
        let shift =
            if series.labels.get(NAME).ends_with("timestamp_seconds") { evaluation.grid().start as f64 } else { 0.0 };
        let values: Vec<_> = values
            .iter()
            .map(|value| if is_present(*value) { format!("{}", value - shift) } else { "_".to_owned() })
            .collect();
        let _ = writeln!(
            test,
            "      - series: '{}{{{}}}'\n        values: '{}'",
            series.labels.get(NAME),
            labels.join(", "),
            values.join(" ")
        );
    }
    test.push_str("    alert_rule_test:\n");
    let mut checks = 0;
    for rule in trial.rules.alerts().filter(|rule| trial.alerts.iter().any(|name| rule.name.ends_with(name))) {
        let found = episodes(&mut evaluation, rule)?;
        let mut times: Vec<usize> = found
            .iter()
            .flat_map(|one| [one.start.saturating_sub(1), one.start, one.end.saturating_sub(1), one.end])
            .chain((0..steps).step_by(DAY / 4))
            .filter(|step| *step < steps)
            .collect();
        times.sort_unstable();
        times.dedup();
        for step in times {
            let _ = writeln!(
                test,
                "      - eval_time: {}m\n        alertname: {}\n        exp_alerts:",
                step * 15,
                rule.name
            );
            let firing = found.iter().filter(|one| (one.start..one.end).contains(&step));
            let mut any = false;
            for one in firing {
                any = true;
                let labels: Vec<_> = one
                    .labels
                    .iter()
                    .map(|(name, value)| format!("{name}: \"{value}\""))
                    .chain(rule.labels.iter().map(|(name, value)| format!("{name}: {value}")))
                    .collect();
                let _ = writeln!(test, "          - exp_labels: {{{}}}", labels.join(", "));
            }
            if !any {
                test.truncate(test.trim_end().len());
                test.push_str(" []\n");
            }
            checks += 1;
        }
    }
    std::fs::write(folder.join("test.yaml"), test).map_err(|error| error.to_string())?;
    Ok(checks)
}

/// Rules without annotations and intervals.
fn bare(text: &str) -> String {
    let mut skipping = None;
    let mut kept = String::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        if skipping.is_some_and(|at| line.trim().is_empty() || indent > at) {
            continue;
        }
        skipping = None;
        if line.trim_start() == "annotations:" {
            skipping = Some(indent);
        } else if !line.trim_start().starts_with("interval:") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}
