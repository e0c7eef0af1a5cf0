//! What a new user meets first: `demo` and `simulate`, as they print and behave.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::ChildStdout;

use serde_json::{Value, json};

use crate::cli::{Running, command, run};
use crate::harness::Folder;

/// A process whose standard output is read line by line.
struct Speaker {
    child: Running,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Speaker {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Running(command(arguments).stderr(std::process::Stdio::null()).spawn().unwrap());
        let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Everything up to a line that begins so.
    fn until(&mut self, begin: &str) -> String {
        let mut text = String::new();
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            text.push_str(&line);
            text.push('\n');
            if line.starts_with(begin) {
                return text;
            }
        }
        panic!("it ended before it said {begin:?}:\n{text}");
    }

    fn stop(mut self) -> Option<i32> {
        self.child.signal("-TERM");
        self.child.wait()
    }
}

/// Status and body of a request to the simulated APIs.
fn ask(url: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn change(url: &str, body: &Value) -> (u16, String) {
    ask(url, "POST", "/_control/change", &body.to_string())
}

/// Starts `simulate`; gives it, its URL, and the file that holds what it printed.
fn simulate(folder: &Folder, more: &[&str]) -> (Speaker, String, String) {
    let arguments = [&["simulate", "--listen-address", "127.0.0.1:0"], more].concat();
    let mut simulate = Speaker::start(&arguments);
    // The last line is the channel's account.
    let text = simulate.until("        ad_account_id: ");
    let url = text.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
    let file = folder.write("simulated.yaml", &text).display().to_string();
    (simulate, url, file)
}

#[test]
fn what_simulate_prints_is_a_configuration_that_goes_on_working() {
    let folder = Folder::new();
    let (world, url, file) = simulate(&folder, &[]);
    let check = || run(&["check", "--online", "--config.file", &file]);
    let (code, stdout, stderr) = check();
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    for part in ["meta/main ", "meta/growth ", "cams/sg ", "ok, never expires\n"] {
        assert!(stdout.contains(part), "{part} is not in\n{stdout}");
    }
    assert_eq!(change(&url, &json!({"set_expiry": ["main", 1_924_992_000]})).0, 200);
    assert!(check().1.contains("ok, expires on 2031-01-01\n"), "{}", check().1);
    let wrong = std::fs::read_to_string(&file).unwrap().replace("demo-app-secret", "wrong");
    let wrong = folder.write("wrong.yaml", &wrong).display().to_string();
    let (code, stdout, _) = run(&["check", "--online", "--config.file", &wrong]);
    assert!(code == Some(1) && stdout.contains("the API rejects the app: check app_id and app_secret"), "{stdout}");
    // The demo's account is throttled by then, and its token has expired. A proof of the secret would not be taken by
    // an API whose clock is minutes ahead.
    let text = std::fs::read_to_string(&file).unwrap();
    let kept: Vec<_> = text.lines().filter(|line| !line.contains("app_")).collect();
    std::fs::write(&file, kept.join("\n")).unwrap();
    for seconds in [235, 400] {
        assert_eq!(change(&url, &json!({"set_offset": seconds})).0, 200);
        let (code, stdout, _) = check();
        assert_eq!(code, Some(0), "{seconds} s after the start:\n{stdout}");
    }
    assert_eq!(world.stop(), Some(0));
}

#[test]
fn simulate_tells_the_stories_where_it_is_asked_to() {
    let folder = Folder::new();
    let (_world, url, file) = simulate(&folder, &["--stories"]);
    assert_eq!(change(&url, &json!({"set_offset": 400})).0, 200);
    let (code, stdout, _) = run(&["check", "--online", "--config.file", &file]);
    assert_eq!(code, Some(1), "{stdout}");
}

/// Without root, and without Debian's tools.
#[test]
fn install_scripts_say_in_a_sentence_what_is_missing() {
    let folder = Folder::new();
    for program in ["dirname", "id"] {
        std::os::unix::fs::symlink(format!("/usr/bin/{program}"), folder.0.join(program)).unwrap();
    }
    for script in ["install-peers.sh", "install-browser.sh"] {
        let path = format!("{}/scripts/{script}", env!("CARGO_MANIFEST_DIR"));
        let mut shell = std::process::Command::new("/bin/sh");
        let output = shell.arg(path).env_clear().env("PATH", &folder.0).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{script}: {said}");
        assert!(said.contains(" is missing. Install what Debian calls "), "{said}");
    }
}

/// The JSON values with which lines of a text begin.
fn examples(text: &str) -> Vec<Value> {
    let starts = text.match_indices('\n').map(|(at, _)| text.get(at..).unwrap().trim_start());
    let alone =
        |rest: &str| rest.starts_with('"') && rest.lines().next().unwrap().split("  ").next().unwrap().ends_with('"');
    let starts = starts.filter(|rest| rest.starts_with("{\"") || alone(rest));
    let values = starts.filter_map(|rest| serde_json::Deserializer::from_str(rest).into_iter::<Value>().next());
    values.map(Result::unwrap).collect()
}

/// The variants that the control names when it is sent one that it does not have.
fn variants(refusal: &str) -> Vec<String> {
    let refusal: Value = serde_json::from_str(refusal).unwrap();
    let names = refusal["error"].as_str().unwrap().split_once("here, but ").unwrap().1;
    names.split(", ").map(ToOwned::to_owned).collect()
}

#[test]
fn the_help_of_simulate_documents_every_change_and_every_fault() {
    let folder = Folder::new();
    let (_world, url, _) = simulate(&folder, &[]);
    let (code, help, _) = run(&["simulate", "--help"]);
    assert_eq!(code, Some(0));
    let documentation = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/simulating.md")).unwrap();
    let in_a_rule = |fault: &Value| json!({"fault": {"times": 0, "fault": fault}});
    let (_, changes) = change(&url, &json!({"nonsense": null}));
    let (_, faults) = change(&url, &in_a_rule(&json!({"nonsense": null})));
    for text in [&help, &documentation] {
        // A fault stands for itself where a rule is explained.
        let shown = examples(&text.replace("FAULT}}", "\"stall\"}}"));
        let whole = |example: &Value| if change(&url, example).0 == 200 { example.clone() } else { in_a_rule(example) };
        let sent: Vec<_> = shown.iter().map(whole).collect();
        assert!(sent.len() >= 20, "{sent:?}");
        for example in &sent {
            let (status, answer) = change(&url, example);
            assert_eq!(status, 200, "{example}: {answer}");
        }
        for name in variants(&changes).iter().chain(&variants(&faults)) {
            assert!(text.contains(&format!("\"{name}\"")), "{name} is not documented in\n{text}");
        }
    }
    for path in ["statistics", "leftover_faults"] {
        assert_eq!(ask(&url, "GET", &format!("/_control/{path}"), "").0, 200);
        assert!(help.contains(path) && documentation.contains(path), "{path}");
    }
}

#[test]
fn demo_ends_its_start_with_addresses_that_answer_and_a_timeline() {
    let mut demo = Speaker::start(&["demo", "--web.listen-address", "127.0.0.1:0", "--web.route-prefix", "/x"]);
    let text = demo.until("Ctrl-C");
    let urls: Vec<_> = text.split_whitespace().filter(|word| word.starts_with("http://")).collect();
    assert_eq!(urls.len(), 4, "status page, metrics, simulated APIs, what to try:\n{text}");
    for url in urls {
        let (base, path) = url.split_at(url.char_indices().filter(|(_, c)| *c == '/').nth(2).unwrap().0);
        assert_eq!(ask(base, "GET", path, "").0, 200, "{url}");
    }
    // The first round was waited for: what is to be tried has something to show.
    let metrics = text.split_whitespace().find(|word| word.ends_with("/x/metrics")).unwrap();
    let (base, path) = metrics.split_at(metrics.find("/x").unwrap());
    assert!(ask(base, "GET", path, "").1.contains("\nmarketing_messages_cost_per_link_click{"));
    for story in ["throttles", "the token `growth` expires", "stops delivering", "costs more"] {
        assert!(text.contains(story), "{story} is not in\n{text}");
    }
    assert_eq!(demo.stop(), Some(0));
}
