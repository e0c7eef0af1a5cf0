//! What is derived from the tables is what the tables say. Each message names the command that
//! repairs it.

use std::path::Path;

use marketing_messages_exporter::app::WebOptions;
use marketing_messages_exporter::command::check::schema_text;
use marketing_messages_exporter::command::metrics::reference;
use marketing_messages_exporter::domain::fault::Reason;
use marketing_messages_exporter::domain::metric::{METRICS, extra_words};
use marketing_messages_exporter::domain::target::PRESETS;
use marketing_messages_exporter::web::Limits;

use crate::tidy;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_default()
}

#[test]
fn the_reference_of_metrics_is_the_tables() {
    assert!(read("docs/metrics.md") == reference().unwrap(), "docs/metrics.md is out of date: run `make docs`");
}

#[test]
fn the_schema_is_the_types() {
    assert!(read("config/schema.json") == schema_text().unwrap(), "config/schema.json is out of date: run `make docs`");
}

#[test]
fn the_example_names_every_preset_and_every_extra_family() {
    let example = read("config/example.yaml");
    for word in PRESETS.into_iter().chain(extra_words()) {
        assert!(
            example.contains(word),
            "config/example.yaml does not mention {word}: add it to the comment of its key"
        );
    }
}

#[test]
fn the_documents_explain_every_reason_as_the_status_page_does() {
    let page = read("docs/operating.md");
    for reason in Reason::ALL {
        let row = format!("| `{}` | {} | {} |", reason.label(), reason.meaning(), reason.remedy());
        assert!(page.contains(&row), "docs/operating.md lacks the row: {row}");
    }
}

#[test]
fn every_own_metric_of_the_documents_exists() {
    let reference = reference().unwrap();
    for file in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        let text = read(file);
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for word in words.filter(|word| word.starts_with("marketing_messages_") && !word.ends_with('_')) {
            let wire = METRICS.iter().any(|metric| metric.snake() == word);
            assert!(wire || reference.contains(&format!("`{word}`")), "{file} names {word}, which does not exist");
        }
    }
}

/// The text of every file below a folder.
fn below(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { below(&path) } else { std::fs::read_to_string(path).unwrap() }).collect()
}

#[test]
fn what_check_online_is_documented_to_say_it_says() {
    let source = below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let page = read("docs/credentials.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let said: Vec<_> = rows.filter(|words| words.contains(' ')).collect();
    assert!(said.len() >= 8, "{said:?}");
    for words in said {
        assert!(source.contains(words), "docs/credentials.md quotes {words:?}, which the program does not say");
    }
}

#[test]
fn every_path_of_the_documents_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.filter(|page| page.extension().is_some_and(|kind| kind == "md"));
    let pages = pages.map(|page| page.strip_prefix(root).unwrap().display().to_string());
    for file in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(ToOwned::to_owned).into_iter().chain(pages) {
        let file = file.as_str();
        let folder = root.join(file).parent().unwrap().to_owned();
        for target in read(file).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split('#').next().unwrap_or_default();
            let local = !target.is_empty() && !target.contains("://");
            assert!(!local || folder.join(target).exists(), "{file} links to {target}, which does not exist");
        }
    }
}

/// Rows of the table of bounds, cell by cell.
fn bounds() -> Vec<Vec<String>> {
    let page = read("docs/security.md");
    let section = page.split("## Bounds").nth(1).unwrap();
    let table = section.split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    rows.skip(1).map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn every_bound_has_tests_that_exist() {
    let sources: String = tidy::sources().into_iter().map(|(_, text)| text).collect();
    let bounds = bounds();
    assert!(bounds.len() > 15, "{bounds:?}");
    for row in bounds {
        let names: Vec<_> = row[2].split(", ").map(|name| name.trim_matches('`')).collect();
        for name in names {
            assert!(
                sources.contains(&format!("fn {name}(")),
                "docs/security.md names a test that is not there: {name}"
            );
        }
    }
}

#[test]
fn the_table_of_bounds_has_the_values_of_the_code() {
    let Limits { connections, head, stall, answer, idle, ping, pong, farewell } = Limits::default();
    let seconds = |time: std::time::Duration| format!("{} s", time.as_secs());
    let bounds = bounds();
    for (bound, value) in [
        ("concurrent connections", connections.to_string()),
        ("from accepting to the end of", seconds(head)),
        ("header of each further request", seconds(head)),
        ("a response of which the client reads nothing", seconds(stall)),
        ("a whole response", seconds(answer)),
        ("between two requests", seconds(idle)),
        ("PING to a silent HTTP/2 client", format!("after {}", seconds(ping))),
        ("its reply to the PING", seconds(pong)),
        ("for a client to close", seconds(farewell)),
        ("concurrent scrapes and pages", format!("`--web.max-requests`, {}", WebOptions::default().max_requests)),
    ] {
        let row = bounds.iter().find(|row| row[0].starts_with(bound)).unwrap_or_else(|| panic!("no row for {bound}"));
        assert_eq!(row[1], value, "docs/security.md, {bound}");
    }
}

/// Cargo does not build a package of whose targets one has no file.
#[test]
fn the_image_is_built_with_every_benchmark() {
    let (cargo, dockerfile) = (read("Cargo.toml"), read("Dockerfile"));
    let names = cargo.split("[[bench]]").skip(1).filter_map(|bench| bench.split('"').nth(1));
    let missing: Vec<_> = names.filter(|name| !dockerfile.contains(&format!(" benches/{name}.rs"))).collect();
    assert!(missing.is_empty(), "Dockerfile has to create an empty file for each of {missing:?}");
}
