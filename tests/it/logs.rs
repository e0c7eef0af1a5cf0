//! What the daemon says, as collectors of logs read it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use marketing_messages_exporter::simulate::Spec;
use serde_json::Value as Json;

use crate::cli::{Running, command};
use crate::harness::{Folder, TestApp, until};

/// Longest that a line may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// APIs that nobody serves, with a credential of each kind.
const CONFIGURATION: &str = "
meta:
  main: {token: x, base_url: 'http://127.0.0.1:1', accounts: [{id: 1001, windows: [last_7d]}]}
cams:
  sg:
    credentials: default
    endpoint: http://127.0.0.1:1
    channels: [{cust_space_id: cams-a, page_id: 1, ad_account_id: 2}]
";

/// A daemon, and what it says.
pub(crate) struct Talker {
    pub(crate) daemon: Running,
    lines: Receiver<String>,
}

impl Talker {
    fn start(folder: &Folder, configuration: &str, more: &[&str]) -> Self {
        let file = folder.write("config.yaml", configuration).display().to_string();
        let arguments = ["--config.file", &file, "--web.listen-address", "127.0.0.1:0"];
        let mut command = command(&[&arguments[..], more].concat());
        command.env("ALIBABA_CLOUD_CREDENTIALS_URI", "http://127.0.0.1:1/keys").env("MME_WEB_PROT_FILE", "x");
        Self::listen(command)
    }

    pub(crate) fn listen(mut command: Command) -> Self {
        let mut daemon = Running(command.spawn().unwrap());
        let stderr = BufReader::new(daemon.0.stderr.take().unwrap());
        let (said, lines) = channel();
        // Ends with the daemon.
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
        Self { daemon, lines }
    }

    /// Every line up to its end.
    fn rest(&self) -> Vec<Pairs> {
        std::iter::from_fn(|| self.lines.recv_timeout(PATIENCE).ok()).map(|line| logfmt(&line)).collect()
    }

    /// Every line up to the one with which all that is wanted has been said.
    pub(crate) fn until<T>(&self, read: impl Fn(&str) -> T, wanted: impl Fn(&[T]) -> bool) -> Vec<T> {
        let mut lines = Vec::new();
        while !wanted(&lines) {
            let line = self.lines.recv_timeout(PATIENCE).expect("the line comes");
            lines.push(read(&line));
        }
        lines
    }
}

pub(crate) type Pairs = BTreeMap<String, String>;

/// A line of logfmt, read strictly.
pub(crate) fn logfmt(line: &str) -> Pairs {
    let (mut pairs, mut rest) = (Pairs::new(), line);
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=').unwrap_or_else(|| panic!("no pair at the end of {line}"));
        assert!(!key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{key:?} in {line}");
        let (text, end) = if value.starts_with('"') {
            let mut strings = serde_json::Deserializer::from_str(value).into_iter::<String>();
            (strings.next().unwrap().unwrap_or_else(|error| panic!("{error}: {line}")), strings.byte_offset())
        } else {
            let end = value.find(' ').unwrap_or(value.len());
            (value.split_at(end).0.to_owned(), end)
        };
        let quoted = value.starts_with('"');
        assert!(quoted || !text.is_empty() && !text.contains(['"', '=']), "{text:?} in {line}");
        assert!(pairs.insert(key.to_owned(), text).is_none(), "{key} stands twice in {line}");
        rest = value.split_at(end).1;
        assert!(rest.is_empty() || rest.len() > 1 && rest.starts_with(' '), "{rest:?} in {line}");
        rest = rest.strip_prefix(' ').unwrap_or_default();
    }
    pairs
}

#[test]
fn without_a_terminal_each_line_is_logfmt_with_the_labels_as_fields() {
    let folder = Folder::new();
    let talker = Talker::start(&folder, CONFIGURATION, &["--log.level", "debug"]);
    let failed = |line: &&Pairs| line["msg"].starts_with("poll failed") && line["source"] == "meta";
    let lines = talker.until(logfmt, |lines| lines.iter().any(|line| failed(&line)));
    for line in &lines {
        let level = ["error", "warn", "info", "debug", "trace"].contains(&line["level"].as_str());
        assert!(level && line["ts"].parse::<jiff::Timestamp>().is_ok() && !line["msg"].is_empty(), "{line:?}");
    }
    let fault = lines.iter().find(failed).unwrap();
    let fields = ["level", "credential", "account_id", "reason", "code"].map(|key| fault[key].as_str());
    assert_eq!(fields, ["warn", "main", "1001", "unavailable", ""]);
    assert!(fault.contains_key("target") && fault.contains_key("window"), "{fault:?}");
    let strange = lines.iter().find(|line| line["msg"].contains("MME_WEB_PROT_FILE")).expect("it is warned of");
    assert!(strange["level"] == "warn" && strange["msg"].ends_with("did you mean MME_WEB_PORT_FILE?"), "{strange:?}");
}

#[test]
fn json_has_the_same_fields_and_a_chain_is_told_once() {
    let folder = Folder::new();
    let talker = Talker::start(&folder, CONFIGURATION, &["--log.format", "json", "--log.level", "debug"]);
    let read = |line: &str| serde_json::from_str::<Json>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let says = |line: &Json, words: &str| line["message"].as_str().is_some_and(|message| message.contains(words));
    let find = |lines: &[Json], words: &str| lines.iter().find(|line| says(line, words)).cloned();
    let last = "again no access keys";
    let lines = talker.until(read, |lines| find(lines, last).is_some() && find(lines, "poll failed").is_some());
    for line in lines.iter().filter(|line| says(line, "access keys")) {
        assert_eq!((&line["source"], &line["credential"]), (&"cams".into(), &"sg".into()), "{line}");
    }
    let levels = ["no access keys, retrying", last].map(|words| find(&lines, words).unwrap()["level"].clone());
    assert_eq!(levels, ["WARN", "DEBUG"], "told once");
    let fault = find(&lines, "poll failed").unwrap();
    for key in ["source", "credential", "account_id", "target", "window", "reason", "code"] {
        assert!(fault[key].is_string(), "{key} in {fault}");
    }
}

#[test]
fn the_start_tells_everything_and_the_fullest_lanes() {
    let folder = Folder::new();
    let mut configuration = String::from(
        "meta:\n  main:\n    token: x\n    tier: limited\n    base_url: http://127.0.0.1:1\n    accounts:\n",
    );
    for account in 1..=25 {
        let windows = if account == 7 { "[today, last_7d, last_28d]" } else { "[today]" };
        writeln!(
            configuration,
            "      - {{id: {account}, windows: {windows}, campaigns: [1{account}], totals: false}}"
        )
        .unwrap();
    }
    let talker = Talker::start(&folder, &configuration, &[]);
    let said = talker.until(logfmt, |lines| lines.iter().any(|line| line["msg"].contains("more lanes")));
    let total = said.iter().position(|line| line["msg"].contains("is polling")).unwrap();
    let (all, lanes) = (&said[total], &said[total + 1..said.len() - 1]);
    assert_eq!((all["targets"].as_str(), all["lanes"].as_str()), ("27", "25"));
    let number = |line: &Pairs, key: &str| line[key].parse::<f64>().unwrap();
    assert!(number(all, "requests_per_hour") >= 27.0 * 4.0 && number(all, "share") > 0.0, "{all:?}");
    assert_eq!(lanes.len(), 20);
    let first = ["source", "credential", "account_id", "targets"].map(|key| lanes[0][key].as_str());
    assert_eq!(first, ["meta", "main", "7", "3"]);
    assert!(lanes.windows(2).all(|two| number(&two[0], "share") >= number(&two[1], "share")));
    assert!(said.last().unwrap()["msg"].starts_with("and 5 more lanes, "), "{:?}", said.last());
}

#[test]
fn a_target_that_does_not_fit_is_told_once() {
    let mut demo = command(&["demo", "--web.listen-address", "127.0.0.1:0", "--log.level", "debug"]);
    demo.env("MME__EXPOSITION__MAX_SERIES", "1").env("MME__POLL__INTERVAL", "1s");
    let left_out = |line: &&Pairs| line.contains_key("left_out");
    let talker = Talker::listen(demo);
    let same = |one: &Pairs, line: &Pairs| ["account_id", "target", "window"].iter().all(|key| line[*key] == one[*key]);
    let again = |lines: &[Pairs]| {
        let first = lines.iter().find(left_out);
        first.is_some_and(|one| lines.iter().filter(left_out).filter(|line| same(one, line)).count() > 1)
    };
    let lines = talker.until(logfmt, again);
    let one = lines.iter().find(left_out).unwrap();
    let levels: Vec<_> =
        lines.iter().filter(left_out).filter(|line| same(one, line)).map(|line| line["level"].as_str()).collect();
    assert_eq!(levels, ["error", "debug"]);
}

#[test]
fn an_outage_of_every_target_is_counted_and_what_is_untold_is_told_at_the_end() {
    let accounts: Vec<_> = (1..=40).map(|id| format!("{{id: {id}, windows: [today], totals: false}}")).collect();
    let configuration =
        format!("meta: {{main: {{token: x, base_url: 'http://127.0.0.1:1', accounts: [{}]}}}}", accounts.join(", "));
    let folder = Folder::new();
    let talker = Talker::start(&folder, &configuration, &["--log.level", "debug"]);
    let of_targets = |line: &&Pairs| line.get("target").is_some_and(|target| target == "account");
    let failed = |lines: &[Pairs]| lines.iter().filter(of_targets).count() >= 40;
    let lines = talker.until(logfmt, failed);
    let ready = |lines: &[Pairs]| lines.iter().any(|line| line["msg"].contains("ready"));
    let lines = if ready(&lines) { lines } else { [lines, talker.until(logfmt, ready)].concat() };
    let told: Vec<_> = lines.iter().filter(of_targets).filter(|line| line["level"] == "warn").collect();
    assert_eq!(told.len(), 3, "the first three by name: {told:#?}");
    let line = lines.iter().find(|line| line["msg"].contains("ready")).unwrap();
    assert_eq!(line["msg"], "every target was polled once: ready; 40 of 40 targets failed");
    talker.daemon.signal("-TERM");
    let rest = talker.rest();
    let count = rest.iter().find(|line| line["msg"].starts_with("40 of 40 targets of meta/main fail: unavailable"));
    assert_eq!(count.map(|line| line["level"].as_str()), Some("warn"), "{rest:#?}");
}

#[test]
fn the_level_follows_a_reload_and_an_account_has_its_own() {
    let configuration = |log: &str| {
        format!(
            "log: {log}\npoll: {{interval: 1s}}\nmeta: {{main: {{token: x, base_url: 'http://127.0.0.1:1', accounts: \
             [{{id: 1001, windows: [today], totals: false}}, {{id: 1002, windows: [today], totals: false}}]}}}}\n"
        )
    };
    let folder = Folder::new();
    let talker = Talker::start(&folder, &configuration("{level: error, accounts: {'1001': debug}}"), &[]);
    let debug_of = |account: &'static str| {
        move |line: &Pairs| line["level"] == "debug" && line.get("account_id").is_some_and(|id| id == account)
    };
    let watched = debug_of("1001");
    let lines = talker.until(logfmt, |lines| lines.iter().filter(|line| watched(line)).count() > 5);
    let other =
        |line: &Pairs| line["msg"].contains("is polling") || line.get("account_id").is_some_and(|id| id != "1001");
    assert!(!lines.iter().any(other), "{lines:#?}");
    folder.write("config.yaml", &configuration("{level: debug, accounts: {act_1001: error}}"));
    talker.daemon.signal("-HUP");
    let other = debug_of("1002");
    talker.until(logfmt, |lines| lines.iter().filter(|line| other(line)).count() > 5);
    let later = talker.until(logfmt, |lines| lines.iter().filter(|line| other(line)).count() > 5);
    assert!(!later.iter().any(watched), "{later:#?}");
}

#[test]
fn what_is_odd_about_a_configuration_is_told_when_it_changes_and_not_at_each_reload() {
    let folder = Folder::new();
    let talker = Talker::start(&folder, CONFIGURATION, &[]);
    let odd = |lines: &[Pairs]| lines.iter().filter(|line| line["msg"].contains("the secret is written")).count();
    let reloaded = |lines: &[Pairs]| lines.iter().any(|line| line["msg"].contains("the configuration was reloaded"));
    let started = talker.until(logfmt, |lines| lines.iter().any(|line| line["msg"].contains("is polling")));
    assert_eq!(odd(&started), 1, "{started:#?}");
    let reload = || {
        talker.daemon.signal("-HUP");
        talker.until(logfmt, reloaded)
    };
    let lines = reload();
    assert_eq!(odd(&lines), 0, "{lines:#?}");
    let second = "    app_id: 42\n    app_secret: y\n";
    let other = "  main: {token: x, base_url: 'http://127.0.0.1:1', accounts: [{id: 1001, windows: [last_7d]}]}\n";
    let changed = CONFIGURATION.replace(
        other,
        &format!("  main:\n    token: x\n    base_url: http://127.0.0.1:1\n    accounts: [{{id: 1001, windows: [last_7d]}}]\n{second}"),
    );
    assert_ne!(changed, CONFIGURATION);
    folder.write("config.yaml", &changed);
    let lines = reload();
    assert_eq!(odd(&lines), 2, "the token stands in another line, the app's secret is new: {lines:#?}");
    let lines = reload();
    assert_eq!(odd(&lines), 0, "{lines:#?}");
}

#[test]
fn lines_of_one_kind_are_bounded_whatever_writes_them() {
    let accounts: Vec<_> = (1..=80).map(|id| format!("'{id}': info")).collect();
    let configuration = format!("log: {{accounts: {{{}}}}}{CONFIGURATION}", accounts.join(", "));
    let folder = Folder::new();
    let talker = Talker::start(&folder, &configuration, &[]);
    let lines = talker.until(logfmt, |lines| lines.iter().any(|line| line["msg"].contains("is polling")));
    let summary = |line: &Pairs| line["msg"].starts_with("there were 60 lines like this one");
    let warning =
        |line: &Pairs| line["msg"].contains(": log.accounts.") || line["msg"].contains("the secret is written");
    let of_the_kind = lines.iter().filter(|line| warning(line) && !summary(line)).count();
    let left_out = lines.iter().filter(|line| summary(line)).count();
    assert_eq!((of_the_kind, left_out), (60, 1), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_file_that_vanishes_is_one_line_and_shows_until_it_is_back() {
    const READABLE: &str = "marketing_messages_exporter_credential_readable";
    let configuration =
        "poll: {interval: 1s}\nmeta: {main: {token_file: DIR/token, base_url: URL, accounts: [{id: 1001}]}}";
    let mut app = TestApp::start(Spec::fleet(1, 1), configuration).await;
    assert_eq!(app.ready().await.value(READABLE, &["main"]), Some(1.0));
    let (file, config) = (app.folder.0.join("token"), app.folder.0.join("config.yaml").display().to_string());
    let arguments = ["--config.file", &config, "--web.listen-address", "127.0.0.1:0", "--log.level", "debug"];
    let talker = Talker::listen(command(&arguments));
    let token = std::fs::read(&file).unwrap();
    let ready = |lines: &[Pairs]| lines.iter().any(|line| line["msg"].contains("ready"));
    let mut lines = talker.until(logfmt, ready);
    for missing in [true, false] {
        if missing {
            std::fs::remove_file(&file).unwrap();
        } else {
            std::fs::write(&file, " \n").unwrap();
        }
        let metrics = app.eventually("it shows", |m| m.value(READABLE, &["main"]) == Some(0.0)).await;
        assert_eq!(metrics.value("marketing_messages_exporter_credential_valid", &["main"]), Some(1.0));
        let shows = |json: &String| json.contains(r#""readable":false"#) && json.contains(&file.display().to_string());
        until("so does JSON", async || app.get("/api/v1/targets").await.1, shows).await;
        assert!(app.get("/").await.1.contains("cannot be read"));
        let before = lines.len();
        let polls = |lines: &[Pairs]| lines.iter().filter(|line| line["msg"] == "poll succeeded").count() > 8;
        lines
            .extend(talker.until(logfmt, |lines| {
                polls(lines) && lines.iter().any(|line| line["msg"].contains("cannot be read"))
            }));
        let told = lines[before..].iter().filter(|line| line["msg"].contains("cannot be read")).count();
        assert_eq!(told, 1, "{:#?}", &lines[before..]);
        std::fs::write(&file, &token).unwrap();
        app.eventually("it is back", |m| m.value(READABLE, &["main"]) == Some(1.0)).await;
        lines.extend(
            talker.until(logfmt, |lines| lines.iter().any(|line| line["msg"] == "the credential can be read again")),
        );
    }
}
