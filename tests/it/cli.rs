//! The binary as it is started: exit statuses, signals, and what it prints where.

use std::io::{BufRead as _, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Folder, told};
use crate::process::Process;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_marketing-messages-exporter");

/// The binary with nothing of the environment that could change what it does.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    told(command(arguments))
}

/// A child that does not outlive its test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    pub(crate) fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    pub(crate) fn wait(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Waits for a file with something in it.
pub(crate) fn written(path: &std::path::Path) -> String {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        match std::fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ => assert!(Instant::now() < deadline, "{} is not written", path.display()),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn demo(folder: &Folder, more: &[&str]) -> (Running, String) {
    let process = Process::spawn(command(&[&["demo"], more].concat()), &folder.0);
    (process.child, process.addr.to_string())
}

#[test]
fn usage_version_and_help() {
    assert_eq!(run(&["--nonsense"]).0, Some(2));
    assert_eq!(run(&["nonsense"]).0, Some(2));
    let (code, version, _) = run(&["--version"]);
    assert_eq!(code, Some(0));
    assert!(version.starts_with("marketing-messages-exporter 0."), "{version}");
    for command in
        ["run", "check", "discover", "once", "plan", "demo", "simulate", "metrics", "healthcheck", "completions"]
    {
        let (code, help, _) = run(&[command, "--help"]);
        assert!(code == Some(0) && help.contains("Usage"), "{command}");
        assert_eq!(run(&[command, "--version"]).0, Some(0), "{command}");
    }
    assert!(run(&["completions", "bash"]).1.contains("marketing-messages-exporter"));
}

#[test]
fn a_wrong_configuration_is_78_and_every_problem_is_told() {
    let folder = Folder::new();
    let file = folder.write(
        "bad.yaml",
        "poll: {interval: soon}\nmeta:\n  main:\n    token: t\n    budgett: 1\n    accounts: [{id: x1, windows: [last_8d]}]\n",
    );
    let file = file.display().to_string();
    for command in ["check", "run", "once", "plan"] {
        let (code, stdout, stderr) = run(&[command, "--config.file", &file]);
        assert_eq!((code, stdout.as_str()), (Some(78), ""), "{command}");
        for path in
            ["poll.interval", "meta.main.budgett", "meta.main.accounts[0].id", "meta.main.accounts[0].windows[0]"]
        {
            assert!(stderr.contains(path), "{command}: {path} is not in\n{stderr}");
        }
    }
    assert_eq!(run(&["--config.check", "--config.file", &file]).0, Some(78));
    assert_eq!(run(&["check", "--config.file", "/nowhere.yaml"]).0, Some(78));
}

#[test]
fn without_a_configuration_it_says_where_one_was_looked_for() {
    for command in ["check", "run", "plan", "discover", "once"] {
        let (code, _, stderr) = run(&[command]);
        assert_eq!(code, Some(78), "{command}: no configuration has no target");
        let looked =
            "/etc/marketing-messages-exporter/config.yaml: the file does not exist, and --config.file names no other";
        assert!(stderr.contains(looked), "{command}: {stderr}");
    }
}

#[test]
fn files_before_and_behind_the_command_count_in_order() {
    let folder = Folder::new();
    let write = |name: &str, text: &str| folder.write(name, text).display().to_string();
    let first =
        write("first.yaml", "poll: {interval: 20m, timeout: 11s}\nmeta: {main: {token: x, accounts: [{id: 1}]}}\n");
    let second = write("second.yaml", "poll: {timeout: 12s, concurrency: 3}\n");
    let third = write("third.yaml", "poll: {concurrency: 4}\n");
    let printed = |arguments: &[&str]| {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
        stdout
    };
    let expected =
        printed(&["check", "--print", "--config.file", &first, "--config.file", &second, "--config.file", &third]);
    for line in ["interval: 20m", "timeout: 12s", "concurrency: 4"] {
        assert!(expected.contains(line), "{line} is not in {expected}");
    }
    for arguments in [
        &["--config.file", &first, "check", "--print", "--config.file", &second, "--config.file", &third][..],
        &["--config.file", &first, "--config.file", &second, "check", "--config.file", &third, "--print"],
        &[
            "--log.level=warn",
            "--config.file",
            &first,
            "--config.file",
            &second,
            "--config.file",
            &third,
            "check",
            "--print",
        ],
    ] {
        assert_eq!(printed(arguments), expected, "{arguments:?}");
    }
}

#[test]
fn wrong_usage_is_2_whatever_it_is() {
    for arguments in [
        &["--config.check", "plan"][..],
        &["once", "--config.check"],
        &["--web.telemetry-path", "/:x"],
        &["--web.telemetry-path", "/{x}"],
        &["--web.telemetry-path", "/{*x}"],
        &["--web.telemetry-path", "//"],
        &["--web.telemetry-path", "/-/healthy"],
        &["--web.telemetry-path", "/config"],
        &["--web.telemetry-path", "metrics"],
        &["--web.route-prefix", "/:x"],
        &["--web.route-prefix", "/{x}"],
        &["--web.external-url", "http://example.org/{x}"],
        &["--web.external-url", "http://user:word@example.org/"],
        &["--log.level", "off"],
        &["--log.level", "3"],
        &["--log.format", "xml"],
        &["--web.max-requests", "0"],
        &["simulate", "--accounts", "4294967295", "--campaigns", "4294967295"],
    ] {
        let (code, _, stderr) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
    for value in ["logfmt", "LOGFMT", "text", "json", "auto"] {
        assert_eq!(run(&["metrics", "--log.format", value, "--log.level", "WARN"]).0, Some(0), "{value}");
    }
}

#[test]
fn variables_of_flags_are_lenient_and_empty_ones_are_none() {
    // `plan` reads every flag's variable and fails for want of a configuration, not for the variable.
    let code = |name: &str, value: &str| command(&["plan"]).env(name, value).output().unwrap().status.code();
    for name in ["MME_WEB_ENABLE_LIFECYCLE", "MME_WEB_SYSTEMD_SOCKET", "MME_WEB_DISABLE_EXPORTER_METRICS"] {
        for value in ["1", "0", "yes", "no", "on", "off", "true", "false", "True", "OFF", ""] {
            assert_eq!(code(name, value), Some(78), "{name}={value}");
        }
        assert_eq!(code(name, "maybe"), Some(2), "{name}");
    }
    for name in [
        "MME_CONFIG_FILE",
        "MME_WEB_LISTEN_ADDRESS",
        "MME_WEB_PORT_FILE",
        "MME_WEB_EXTERNAL_URL",
        "MME_WEB_ROUTE_PREFIX",
        "MME_WEB_CONFIG_FILE",
        "MME_WEB_TELEMETRY_PATH",
        "MME_WEB_MAX_REQUESTS",
        "MME_LOG_LEVEL",
        "MME_LOG_FORMAT",
    ] {
        assert_eq!(code(name, ""), Some(78), "{name}");
    }
    let folder = Folder::new();
    let mut demo = command(&["demo"]);
    demo.env("MME_WEB_ENABLE_LIFECYCLE", "on");
    let mut process = Process::spawn(demo, &folder.0);
    let mut stream = std::net::TcpStream::connect(process.addr).unwrap();
    std::io::Write::write_all(&mut stream, b"POST /-/quit HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(process.child.wait(), Some(0), "the lifecycle is on");
}

#[test]
fn flags_that_a_command_does_not_heed_are_told_and_ignored() {
    let (code, _, stderr) = run(&["metrics", "--web.port-file", "/nowhere/x", "--log.level", "info"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("--web.port-file has no effect on this command"), "{stderr}");
}

/// Answers each connection with these bytes, and counts on being asked once at least.
fn answering(answer: &'static [u8]) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 1024];
            let _ = stream.read(&mut head);
            let _ = std::io::Write::write_all(&mut stream, answer);
        }
    });
    address
}

#[test]
fn whatever_a_daemon_answers_it_is_alive() {
    for (answer, alive, told) in [
        (&b"HTTP/1.1 200 OK\r\n\r\n"[..], 0, "200"),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", 0, "401"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", 0, "403"),
        (b"HTTP/1.1 429 Too Many Requests\r\n\r\n", 0, "429"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", 0, "503"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", 1, "pass --web.route-prefix"),
        (b"HTTP/1.0 404 File not found\r\n\r\n", 1, "pass --web.route-prefix"),
        (b"\x15\x03\x03\x00\x02\x02\x32", 0, "it speaks TLS; pass its --web.config.file"),
        (b"", 1, "if it speaks TLS, pass its --web.config.file"),
        (b"SSH-2.0-OpenSSH\r\n", 1, "SSH"),
    ] {
        let address = answering(answer);
        let (code, stdout, stderr) = run(&["healthcheck", "--web.listen-address", &address]);
        assert_eq!(code, Some(alive), "{answer:?}: {stdout}{stderr}");
        assert!(stdout.contains(told) || stderr.contains(told), "{told}: {stdout}{stderr}");
    }
}

#[test]
fn check_and_plan_call_nothing_and_say_what_will_be() {
    let folder = Folder::new();
    let file = folder.write(
        "good.yaml",
        "meta: {main: {token: hush-token, tier: limited, base_url: 'http://127.0.0.1:1', accounts: [{id: 1, windows: [today, last_28d], interval: 10s}], campaigns: [{id: 7, windows: [last_7d, maximum]}]}}\n",
    );
    let file = file.display().to_string();
    let (code, stdout, stderr) = run(&["check", "--config.file", &file]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("configuration is valid: 1 credential, 1 Meta ad account, "), "{stdout}");
    let (code, plan, _) = run(&["plan", "--config.file", &file]);
    assert_eq!(code, Some(0));
    // Eight families in each window, and the bounds of the one that begins with the campaign.
    assert!(plan.contains("expected series: 18 for") && plan.contains("up to 16 for each campaign"), "{plan}");
    assert!(plan.contains("meta/main/1 ") && plan.contains("the configured interval does not fit"), "{plan}");
    assert!(!stdout.contains("hush-token") && !plan.contains("hush-token"));
}

#[test]
fn once_prints_the_exposition_and_fails_when_a_target_does() {
    let folder = Folder::new();
    let mut simulate = command(&["simulate", "--listen-address", "127.0.0.1:0", "--accounts", "1", "--campaigns", "2"]);
    let mut simulate = Running(simulate.spawn().unwrap());
    let mut greeting = [0; 200];
    let length = simulate.0.stdout.as_mut().unwrap().read(&mut greeting).unwrap();
    let greeting = String::from_utf8_lossy(&greeting[..length]).into_owned();
    let url = greeting.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
    let configuration = |account: u32| {
        let text = format!(
            "meta: {{main: {{token: token-main, base_url: '{url}', accounts: [{{id: {account}, windows: [last_7d]}}]}}}}\n"
        );
        folder.write(&format!("{account}.yaml"), &text).display().to_string()
    };
    let (code, stdout, stderr) = run(&["once", "--config.file", &configuration(1001)]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stdout.matches("\nmarketing_messages_delivered{").count(), 2);
    let dead = format!("meta: {{main: {{token: dead, base_url: '{url}', accounts: [{{id: 1001}}, {{id: 1002}}]}}}}\n");
    let dead = folder.write("dead.yaml", &dead).display().to_string();
    assert_eq!(run(&["once", "--config.file", &dead]).0, Some(1), "a dead token ends it, whoever else waits");
    let (code, stdout, stderr) = run(&["once", "--config.file", &configuration(9)]);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stderr.contains("hidden from this token"), "{stderr}");
    simulate.signal("-TERM");
    assert_eq!(simulate.wait(), Some(0));
}

/// What `once` prints of one campaign over a week, against `simulate` with flags.
fn simulated_week(flags: &[&str]) -> Vec<String> {
    let folder = Folder::new();
    let fleet = ["simulate", "--listen-address", "127.0.0.1:0", "--accounts", "1", "--campaigns", "1"];
    let mut simulate = Running(command(&[&fleet, flags].concat()).spawn().unwrap());
    let mut greeting = String::new();
    std::io::BufReader::new(simulate.0.stdout.as_mut().unwrap()).read_line(&mut greeting).unwrap();
    let url = greeting.trim().rsplit(' ').next().unwrap();
    let text = format!(
        "meta: {{main: {{token: token-main, base_url: '{url}', windows: [last_7d], accounts: [{{id: 1001}}]}}}}\n"
    );
    let file = folder.write("week.yaml", &text).display().to_string();
    let (code, stdout, stderr) = run(&["once", "--config.file", &file]);
    assert_eq!(code, Some(0), "{stderr}");
    let wanted = ["marketing_messages_delivered{", "marketing_messages_link_clicks{", "marketing_messages_spend{"];
    stdout.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name))).map(ToOwned::to_owned).collect()
}

#[test]
fn simulated_noise_follows_from_its_flags() {
    let (exact, noisy) = (simulated_week(&[]), simulated_week(&["--noise"]));
    assert!(exact.len() == 3 && noisy.len() == 3 && exact != noisy, "{exact:?} {noisy:?}");
    assert_eq!(noisy, simulated_week(&["--noise"]));
    for flag in ["--seed=2", "--click-lag=10days", "--send-hour=23", "--cost-spread=0.5", "--revised-share=0.3"] {
        assert_ne!(noisy, simulated_week(&["--noise", flag]), "{flag}");
    }
    for wrong in
        [vec!["--send-hour", "9"], vec!["--noise", "--send-hour", "24"], vec!["--noise", "--cost-spread", "10"]]
    {
        assert_eq!(run(&[&["simulate"], wrong.as_slice()].concat()).0, Some(2), "{wrong:?}");
    }
}

#[test]
fn the_daemon_stops_cleanly_at_sigterm_and_answers_healthcheck_before() {
    let folder = Folder::new();
    let (mut daemon, address) = demo(&folder, &[]);
    let (code, stdout, _) = run(&["healthcheck", "--web.listen-address", &address]);
    assert_eq!(code, Some(0), "{stdout}");
    daemon.signal("-TERM");
    assert_eq!(daemon.wait(), Some(0));
    assert_eq!(run(&["healthcheck", "--web.listen-address", &address]).0, Some(1), "nobody is there any more");
}

#[test]
fn a_second_signal_aborts() {
    let folder = Folder::new();
    let (mut daemon, address) = demo(&folder, &[]);
    // A request that never ends keeps the drain busy.
    let mut held = std::net::TcpStream::connect(&address).unwrap();
    std::io::Write::write_all(&mut held, b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
    daemon.signal("-INT");
    let deadline = Instant::now() + Duration::from_mins(1);
    // The listener closes when the first signal has arrived.
    while std::net::TcpStream::connect(&address).is_ok() {
        assert!(Instant::now() < deadline, "the first signal does not arrive");
        std::thread::sleep(Duration::from_millis(10));
    }
    daemon.signal("-INT");
    assert_eq!(daemon.wait(), Some(1));
}

#[test]
fn an_address_in_use_is_told_with_its_name() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, _, stderr) = run(&["demo", "--web.listen-address", &address]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&format!("cannot listen on {address}")), "{stderr}");
}

#[test]
fn a_log_for_collectors_is_json_line_by_line() {
    let folder = Folder::new();
    let (mut daemon, _) = demo(&folder, &["--log.format", "json"]);
    daemon.signal("-TERM");
    daemon.wait();
    let mut log = String::new();
    daemon.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.lines().count() >= 2);
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["message"].is_string() && line["level"].is_string());
    }
}
