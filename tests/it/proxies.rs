//! Proxies of the environment: what goes through them, what never does, and what they get to see.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use crate::cli::command;
use crate::harness::{Folder, eventually};
use crate::process::Process;

const TOKEN: &str = "EAAGhush0123456789proxy";

/// A proxy that refuses everything, and what it was asked.
fn proxy() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
    let heard = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut request = String::new();
            let mut reader = BufReader::new(&stream);
            while reader.read_line(&mut request).is_ok_and(|length| length > 2) {}
            heard.lock().unwrap().push(request);
            let _ = (&stream).write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (address, asked)
}

/// What a proxy is asked while every target of an API is polled once.
fn asked(base_url: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let (address, asked) = proxy();
    let folder = Folder::new();
    let configuration = format!(
        "poll: {{timeout: 2s}}\nmeta: {{main: {{token: {TOKEN}, base_url: '{base_url}', campaigns: [{{id: 7, windows: [today]}}]}}}}"
    );
    let file = folder.write("config.yaml", &configuration).display().to_string();
    let mut command = command(&["once", "--config.file", &file, "--log.level", "error"]);
    for (name, value) in variables {
        command.env(name, value.replace("PROXY", &format!("http://{address}")));
    }
    command.output().unwrap();
    asked.lock().unwrap().clone()
}

#[test]
fn requests_to_this_machine_never_go_through_a_proxy() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for host in ["127.0.0.1", "127.9.9.9", "[::1]", "localhost"] {
        for name in ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"] {
            let heard = asked(&format!("http://{host}:{nobody}"), &[(name, "PROXY")]);
            assert!(heard.is_empty(), "{name} got {heard:?} of {host}");
        }
    }
    let heard = asked(&format!("https://[::ffff:127.0.0.1]:{nobody}"), &[("https_proxy", "PROXY")]);
    assert!(heard.is_empty(), "{heard:?}");
}

#[test]
fn an_api_is_asked_through_the_proxy_and_the_token_stays_inside_tls() {
    for name in ["https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        let heard = asked("https://graph.invalid", &[(name, "PROXY")]);
        assert!(heard.first().is_some_and(|head| head.starts_with("CONNECT graph.invalid:443 ")), "{name}: {heard:?}");
        assert!(!heard.concat().contains(TOKEN), "{heard:?}");
    }
    for (name, value) in [("NO_PROXY", "graph.invalid"), ("no_proxy", ".invalid"), ("NO_PROXY", "*")] {
        let heard = asked("https://graph.invalid", &[("https_proxy", "PROXY"), (name, value)]);
        assert!(heard.is_empty(), "{name}={value}: {heard:?}");
    }
    assert!(asked("https://graph.invalid", &[("http_proxy", "PROXY")]).is_empty(), "that is for plain HTTP");
}

#[tokio::test]
async fn the_demo_and_its_healthcheck_work_where_a_proxy_is_set() {
    let folder = Folder::new();
    let mut demo = command(&["demo", "--log.level", "error"]);
    demo.env("TMPDIR", &folder.0);
    let variables = ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"];
    demo.envs(variables.map(|name| (name, "http://127.0.0.1:9")));
    // A pipe that nobody reads would stop it.
    demo.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let Process { addr: address, child: mut demo } = Process::spawn(demo, &folder.0);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    eventually("the demo shows gauges", async || {
        let text = client.get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap();
        text.contains("\nmarketing_messages_delivered{source=\"meta\"")
            && text.contains("\nmarketing_messages_delivered{source=\"cams\"")
    })
    .await;
    let mut health = command(&["healthcheck", "--web.listen-address", &address.to_string()]);
    assert!(health.envs(variables.map(|name| (name, "http://127.0.0.1:9"))).status().unwrap().success());

    let name = |entry: &std::path::Path| entry.file_name().unwrap().to_string_lossy().into_owned();
    let entries = std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().path());
    let own: Vec<_> = entries.filter(|path| name(path).starts_with("marketing-messages-exporter-demo-")).collect();
    let [own] = &*own else { panic!("{own:?}") };
    assert!(!name(own).ends_with(&demo.0.id().to_string()), "its name can be foreseen");
    let mode = std::os::unix::fs::PermissionsExt::mode(&own.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
    demo.signal("-TERM");
    demo.wait();
    assert!(!own.exists());
}
