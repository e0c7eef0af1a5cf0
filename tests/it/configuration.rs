//! The configuration as people write it: files that name each other's neighbours, and variables.

use crate::cli::{command, run};
use crate::harness::{Folder, told};

const TARGET: &str = "accounts: [{id: 1, windows: [today]}]";

/// Two folders with a configuration and a secret each, and a third to start in.
fn two_folders() -> Folder {
    let folder = Folder::new();
    for name in ["one", "two", "here"] {
        std::fs::create_dir(folder.0.join(name)).unwrap();
    }
    folder.write(
        "one/config.yaml",
        &format!("state: {{file: state}}\nmeta: {{main: {{token_file: token, {TARGET}}}}}\n"),
    );
    folder.write("one/token", "hush-one");
    folder.write("two/config.yaml", "meta: {main: {app_secret_file: secrets/app}}\n");
    std::fs::create_dir(folder.0.join("two/secrets")).unwrap();
    folder.write("two/secrets/app", "hush-two");
    folder
}

#[test]
fn relative_paths_lead_from_the_file_that_holds_them_and_variables_from_where_it_is_started() {
    let folder = two_folders();
    let root = folder.0.display();
    let print = |variables: &[(&str, &str)]| {
        let files = ["--config.file", "../one/config.yaml", "--config.file", "../two/config.yaml"];
        let mut command = command(&[&["check", "--print"], &files[..]].concat());
        command.current_dir(folder.0.join("here")).envs(variables.iter().copied());
        told(command)
    };
    let (code, stdout, stderr) = print(&[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let leads = |stdout: &str, key: &str, path: &str| {
        let line = stdout.lines().find_map(|line| line.trim().strip_prefix(&format!("{key}: "))).unwrap();
        let led = std::fs::canonicalize(line.trim_matches('"')).unwrap();
        assert_eq!(led, std::fs::canonicalize(folder.0.join(path)).unwrap(), "{key}");
    };
    leads(&stdout, "token_file", "one/token");
    leads(&stdout, "app_secret_file", "two/secrets/app");
    assert!(stdout.contains("one/state"), "{stdout}");

    folder.write("here/mine", "hush-three");
    let (code, stdout, stderr) = print(&[("MME__META__MAIN__TOKEN_FILE", "mine")]);
    assert_eq!(code, Some(0), "{stderr}");
    leads(&stdout, "token_file", "here/mine");

    let passed = folder.0.join("two/secrets").display().to_string();
    let (code, stdout, stderr) =
        print(&[("CREDENTIALS_DIRECTORY", &passed), ("MME__META__MAIN__TOKEN_FILE", "${CREDENTIALS_DIRECTORY}/app")]);
    assert_eq!(code, Some(0), "{stderr}");
    leads(&stdout, "token_file", "two/secrets/app");

    let (code, _, stderr) = print(&[("MME__META__MAIN__TOKEN_FILE", "gone")]);
    assert_eq!(code, Some(78));
    let expected = "MME__META__MAIN__TOKEN_FILE (meta.main.token_file): the file ";
    assert!(stderr.contains(expected) && stderr.contains("here/gone cannot be read"), "{root}: {stderr}");
}

#[test]
fn a_path_among_credentials_that_nobody_passes_is_told() {
    let folder = Folder::new();
    let text = format!("meta: {{main: {{token_file: '${{CREDENTIALS_DIRECTORY}}/token', {TARGET}}}}}\n");
    let file = folder.write("config.yaml", &text).display().to_string();
    let (code, _, stderr) = run(&["check", "--config.file", &file]);
    assert_eq!(code, Some(78));
    assert_eq!(stderr.matches("meta.main").count(), 1, "{stderr}");
    let expected = "meta.main.token_file: systemd passes no credentials ($CREDENTIALS_DIRECTORY is not set); \
                    start the service with LoadCredential, or write the path itself";
    assert!(stderr.contains(expected), "{stderr}");
}

#[test]
fn whoever_sets_everything_by_variables_misses_no_file() {
    let check = |accounts: &str| {
        let mut command = command(&["check"]);
        command.env("MME__META__MAIN__TOKEN", "x").env("MME__META__MAIN__ACCOUNTS", accounts);
        told(command)
    };
    assert_eq!(check(r#"[{"id": 2398765432}]"#).0, Some(0));
    for (accounts, expected) in [
        ("2398765432", "a string is not a mapping; in a variable, mappings are JSON, such as {\"key\": \"value\"}"),
        (r#"[{"id": "0501"}]"#, "`0501` is not an ad account id; write its digits, at most 19 and the first not 0"),
    ] {
        let (code, _, stderr) = check(accounts);
        assert_eq!(code, Some(78));
        assert!(stderr.contains(expected), "{stderr}");
        assert!(!stderr.contains("the file does not exist"), "{stderr}");
    }

    let token = "EAAGm0PX4ZCpsBAKZCbvTz0123456789";
    let mut pasted = command(&["check"]);
    pasted.env(format!("MME__META__MAIN__ACCOUNTS__{token}"), "x");
    let (code, _, stderr) = told(pasted);
    assert_eq!(code, Some(78));
    assert!(!stderr.contains("m0PX4ZCpsBAK"), "{stderr}");
}

#[test]
fn problems_and_typing_errors_name_the_variable() {
    let folder = Folder::new();
    let file = folder.write("config.yaml", &format!("meta: {{main: {{token: x, {TARGET}}}}}\n")).display().to_string();
    let check = |variables: &[(&str, &str)]| {
        let mut command = command(&["check", "--config.file", &file]);
        command.envs(variables.iter().copied());
        told(command)
    };
    let (code, _, stderr) = check(&[
        ("MME__POLL__INTERVALL", "5m"),
        ("MME__POLL__TIMEOUT", "soon"),
        ("MME__META__MAIN__BUDGET", "2"),
        ("MME__META__MAIN__TOKEN_ENV", "UNSET"),
    ]);
    assert_eq!(code, Some(78));
    for line in [
        "MME__POLL__INTERVALL (poll.intervall): unknown key; did you mean `interval`?",
        "MME__POLL__TIMEOUT (poll.timeout): `soon` is not a duration; ",
        "MME__META__MAIN__BUDGET (meta.main.budget): `2` is not a share; ",
        "MME__META__MAIN__TOKEN_ENV (meta.main.token_env): the environment variable UNSET is not set; ",
    ] {
        assert!(stderr.lines().any(|told| told.starts_with(line)), "{line} is not in\n{stderr}");
    }

    let (code, stdout, stderr) = check(&[("MME_LOG_LEVL", "debug"), ("MME__POLL__INTERVAL", "5m")]);
    assert_eq!(code, Some(0), "a stranger's variable refuses no start: {stderr}");
    assert!(stderr.contains("unknown environment variable MME_LOG_LEVL; did you mean MME_LOG_LEVEL?"), "{stderr}");
    assert!(stdout.contains("warning: MME__POLL__INTERVAL (poll.interval): Meta refreshes"), "{stdout}");
}

#[test]
fn what_is_printed_is_merged_and_holds_no_secret() {
    let folder = Folder::new();
    let one = "poll: {timeout: 10s, concurrency: 3}\nmeta:\n  main:\n    token: hush-token\n    app_id: 42\n    \
               app_secret: hush-app\n    accounts: [{id: 1001}]\n";
    let two = "poll: {concurrency: 4}\ncams:\n  sg:\n    access_key_id: hush-id\n    access_key_secret: hush-key\n    \
               security_token: hush-sts\n    channels: [{cust_space_id: cams-a, page_id: 1, ad_account_id: 2}]\n";
    let files = [folder.write("one.yaml", one), folder.write("two.yaml", two)].map(|file| file.display().to_string());
    let mut command = command(&["check", "--print", "--config.file", &files[0], "--config.file", &files[1]]);
    command.envs([("MME__POLL__INTERVAL", "1h"), ("MME__META__MAIN__TOKEN", "hush-variable")]);
    let (code, stdout, stderr) = told(command);
    assert_eq!(code, Some(0), "{stderr}");
    for line in [
        "timeout: 10s",
        "concurrency: 4",
        "interval: 1h",
        "max_series: 2000000",
        "token: \"<secret>\"",
        "app_secret: \"<secret>\"",
        "access_key_id: \"<secret>\"",
        "access_key_secret: \"<secret>\"",
        "security_token: \"<secret>\"",
    ] {
        let found = stdout.lines().any(|printed| printed.trim().replace("\"4\"", "4").replace("\"1h\"", "1h") == line);
        assert!(found, "{line} is not in\n{stdout}");
    }
    assert!(!stdout.contains("hush") && !stderr.contains("hush"), "{stdout}{stderr}");
}

#[test]
fn lists_mappings_and_names_with_dashes_come_from_variables() {
    let folder = Folder::new();
    let file = folder.write("config.yaml", "meta: {eu-west: {token: x, accounts: [{id: 1}]}}\n").display().to_string();
    let print = |variables: &[(&str, &str)]| {
        let mut command = command(&["check", "--print", "--config.file", &file]);
        command.envs(variables.iter().copied());
        told(command)
    };
    let expected =
        print(&[("MME__META__EU_WEST__WINDOWS", "today,last_7d"), ("MME__META__EU_WEST__LABELS__TEAM", "007")]);
    assert_eq!(expected.0, Some(0), "{}", expected.2);
    assert!(expected.1.contains("- today\n") && expected.1.contains("- last_7d\n"), "{}", expected.1);
    assert!(expected.1.contains("team: \"007\""), "{}", expected.1);
    for (windows, labels) in [
        (r#"["today", "last_7d"]"#, r#"{"team": "007"}"#),
        ("[today, last_7d]", "{team: 007}"),
        (" today , last_7d ", "{team: 007}"),
    ] {
        let (code, stdout, stderr) =
            print(&[("MME__META__EU_WEST__WINDOWS", windows), ("MME__META__EU-WEST__LABELS", labels)]);
        assert_eq!(code, Some(0), "{stderr}");
        assert_eq!(stdout.replace("team: 007", "team: \"007\""), expected.1, "{windows} {labels}");
    }
    let accounts = r#"[{"id": "act_2", "campaigns": {"name": "Spring*"}}, {"id": 3}]"#;
    let (code, stdout, stderr) = print(&[("MME__META__EU_WEST__ACCOUNTS", accounts), ("MME__STATE__FILE", "")]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("act_2") && stdout.contains("Spring*") && !stdout.contains("id: 1"), "{stdout}");

    let (code, _, stderr) = print(&[
        ("MME__META__EU_WEST__ACCOUNTS__0__ID", "5"),
        ("MME__META__EU_WEST__LABELS", "team=growth"),
        ("MME__META__EU_WEST__EXTRA_METRICS", "[sent"),
    ]);
    assert_eq!(code, Some(78));
    for line in [
        "MME__META__EU_WEST__ACCOUNTS__0__ID: a list cannot be set item by item; set MME__META__EU_WEST__ACCOUNTS to the whole list",
        "MME__META__EU_WEST__LABELS: this is a mapping; set its keys, MME__META__EU_WEST__LABELS__KEY=...",
        "MME__META__EU_WEST__EXTRA_METRICS: a bracket is not closed",
    ] {
        assert!(stderr.lines().any(|told| told.starts_with(line)), "{line} is not in\n{stderr}");
    }
    let (_, _, stderr) = print(&[("MME__META__EU_WEST__WINDOWS", "today,last_8d")]);
    assert!(
        stderr.contains("MME__META__EU_WEST__WINDOWS (meta.eu-west.windows[1]): `last_8d` is not a window"),
        "{stderr}"
    );
}

#[test]
fn what_is_hardly_meant_is_warned_of_with_its_line() {
    let folder = Folder::new();
    let text = "state:\n  file: gone/state\nmeta:\n  main:\n    token: x\n    accounts:\n      - id: 1\n        interval: 30d\n        \
                windows: [today, {name: later, since: 2999-01-01, until: 2999-01-02}]\n      - id: 2\n        windows: [maximum, \
                {name: past, since: 2020-01-01, until: 2020-01-02}]\n";
    let file = folder.write("config.yaml", text).display().to_string();
    let (code, stdout, stderr) = run(&["check", "--config.file", &file]);
    assert_eq!(code, Some(0), "{stderr}");
    for (line, part) in [
        (2, "state.file: the directory "),
        (8, "meta.main.accounts[0].interval: 30days is longer than the window today"),
        (9, "meta.main.accounts[0].windows: later starts on 2999-01-01"),
    ] {
        assert!(stdout.contains(&format!("warning: {file}:{line}: {part}")), "{part} is not in\n{stdout}");
    }
    assert!(!stdout.contains("past begins") && !stdout.contains("window maximum"), "{stdout}");
}

#[test]
fn the_host_that_is_signed_is_the_host_that_is_sent() {
    let folder = Folder::new();
    for (address, hosts) in [("127.0.0.1:0", &["127.0.0.1", "LOCALHOST", "localhost"][..]), ("[::1]:0", &["[::1]"])] {
        // Without version 6 on this machine there is nothing to ask.
        if std::net::TcpListener::bind(address).is_err() {
            continue;
        }
        let simulate = command(&["simulate", "--listen-address", address]).spawn().unwrap();
        let mut simulate = crate::cli::Running(simulate);
        let mut greeting = String::new();
        let mut stdout = std::io::BufReader::new(simulate.0.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut greeting).unwrap();
        let port = greeting.trim().rsplit(':').next().unwrap().to_owned();
        for host in hosts {
            let text = format!(
                "cams: {{sg: {{access_key_id: demo-key, access_key_secret: demo-secret, endpoint: 'http://{host}:{port}/', \
                 channels: [{{cust_space_id: cams-demo, page_id: 323456789012345, ad_account_id: 2399887766}}]}}}}\n"
            );
            let file = folder.write("cams.yaml", &text).display().to_string();
            let (code, stdout, stderr) = run(&["once", "--config.file", &file]);
            assert_eq!(code, Some(0), "{host}: {stdout}{stderr}");
            assert!(stdout.contains("source=\"cams\""), "{host}: {stdout}");
        }
    }
}
