//! The daemon as a service: what systemd is told and hands over, stopping and reloading from outside,
//! and a place behind a reverse proxy.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use marketing_messages_exporter::app::WebOptions;
use marketing_messages_exporter::simulate::Spec;
use marketing_messages_exporter::web::WebConfig;

use crate::cli::{self, BINARY, Running, written};
use crate::harness::{Folder, TestApp};

const PATIENCE: Duration = Duration::from_mins(1);

const CONFIGURATION: &str = "
poll: {interval: 1h}
meta: {main: {token_file: DIR/token, base_url: URL, accounts: [{id: 1001, windows: [today]}]}}
";

/// What a service manager hears.
struct Manager {
    socket: UnixDatagram,
    folder: Folder,
}

impl Manager {
    fn new() -> Self {
        let folder = Folder::new();
        let socket = UnixDatagram::bind(folder.0.join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, folder }
    }

    /// Waits for a message with this line, and gives it whole.
    fn hear(&self, line: &str) -> String {
        let (deadline, mut buffer) = (Instant::now() + PATIENCE, [0; 4096]);
        loop {
            let length = self.socket.recv(&mut buffer).unwrap_or_else(|_| panic!("{line} is not told"));
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if message.lines().any(|told| told == line) {
                return message;
            }
            assert!(Instant::now() < deadline, "{line} is not told");
        }
    }
}

#[test]
fn systemd_hears_when_the_daemon_is_ready_alive_reloading_and_stopping() {
    let manager = Manager::new();
    let port_file = manager.folder.0.join("port");
    let file = port_file.display().to_string();
    let mut daemon = cli::command(&["demo", "--web.listen-address", "127.0.0.1:0", "--web.port-file", &file]);
    daemon.env("NOTIFY_SOCKET", manager.folder.0.join("notify")).env("WATCHDOG_USEC", "400000");
    let mut daemon = Running(daemon.spawn().unwrap());
    let ready = manager.hear("READY=1");
    let address = written(&port_file);
    assert!(ready.contains(&format!("STATUS=serving http://{address}/metrics")), "{ready}");
    // Fed at least twice: the poller beats though it has nothing to do.
    manager.hear("WATCHDOG=1");
    manager.hear("WATCHDOG=1");
    daemon.signal("-HUP");
    let reloading = manager.hear("RELOADING=1");
    assert!(reloading.lines().any(|line| line.starts_with("MONOTONIC_USEC=")), "{reloading}");
    manager.hear("READY=1");
    daemon.signal("-TERM");
    manager.hear("STOPPING=1");
    assert_eq!(daemon.wait(), Some(0));
}

#[test]
fn a_socket_that_systemd_passes_is_served() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let inherited = OwnedFd::from(socket.try_clone().unwrap());
    // The shell becomes the daemon, so the process that the sockets are for is known before.
    let script = format!("LISTEN_PID=$$ LISTEN_FDS=1 exec {BINARY} demo --web.systemd-socket 3<&0");
    let daemon =
        Command::new("sh").args(["-c", &script]).stdin(inherited).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut daemon = Running(daemon.unwrap());
    drop(socket);
    let (code, stdout, stderr) = cli::run(&["healthcheck", "--web.listen-address", &address]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    daemon.signal("-TERM");
    assert_eq!(daemon.wait(), Some(0));

    let (code, _, stderr) = cli::run(&["demo", "--web.systemd-socket"]);
    assert!(code == Some(1) && stderr.contains("systemd passed no socket"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lifecycle_is_closed_unless_it_is_opened() {
    let mut app = TestApp::start(Spec::fleet(1, 1), CONFIGURATION).await;
    app.ready().await;
    for path in ["/-/reload", "/-/quit"] {
        let refused = app.request("POST", path, &[]).await;
        assert_eq!(refused.status().as_u16(), 403);
        assert!(refused.text().await.unwrap().contains("--web.enable-lifecycle"));
        let get = app.request("GET", path, &[]).await;
        assert_eq!((get.status().as_u16(), &get.headers()["allow"]), (405, &"POST".parse().unwrap()));
    }
    assert_eq!(app.get("/-/healthy").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn reload_and_quit_by_post() {
    let options = WebOptions { lifecycle: true, ..WebOptions::default() };
    let mut app = TestApp::start_with(Spec::fleet(2, 1), CONFIGURATION, options).await;
    app.ready().await;
    let file = app.folder.0.join("config.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("1001", "1002")).unwrap();
    assert_eq!(app.request("POST", "/-/reload", &[]).await.status().as_u16(), 200);
    app.eventually("the other account is shown", |metrics| {
        metrics.count("marketing_messages_delivered", &["account_id=\"1002\""]) == 1
            && metrics.count("marketing_messages_delivered", &["account_id=\"1001\""]) == 0
    })
    .await;

    std::fs::write(&file, text.replace("1h", "soon").replace("today", "someday")).unwrap();
    let refused = app.request("POST", "/-/reload", &[]).await;
    assert_eq!(refused.status().as_u16(), 500);
    let problems = refused.text().await.unwrap();
    assert!(problems.contains("poll.interval") && problems.contains("windows[0]"), "{problems}");
    let metrics = app.metrics().await;
    assert_eq!(metrics.value("marketing_messages_exporter_config_last_reload_successful", &[]), Some(0.0));
    assert_eq!(metrics.count("marketing_messages_delivered", &["account_id=\"1002\""]), 1, "nothing changed");

    assert_eq!(app.request("POST", "/-/quit", &[]).await.status().as_u16(), 200);
    app.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_neither_reload_nor_stop() {
    let external_url = Some("https://tools.example/".parse().unwrap());
    let options = WebOptions { lifecycle: true, external_url, ..WebOptions::default() };
    let mut app = TestApp::start_with(Spec::fleet(1, 1), CONFIGURATION, options).await;
    let origin = format!("http://{}", app.addr);
    for (fields, status) in [
        (&[("sec-fetch-site", "cross-site")][..], 403),
        (&[("sec-fetch-site", "same-site"), ("origin", &origin)], 403),
        (&[("origin", "https://evil.example")], 403),
        (&[("origin", "null")], 403),
        (&[("sec-fetch-site", "same-origin")], 200),
        (&[("origin", &origin)], 200),
        (&[("origin", "https://tools.example")], 200),
        (&[], 200),
    ] {
        let answer = app.request("POST", "/-/reload", fields).await;
        assert_eq!(answer.status().as_u16(), status, "{fields:?}");
    }
    let refused = app.request("POST", "/-/quit", &[("origin", "https://evil.example")]).await;
    assert!(refused.status() == 403 && refused.text().await.unwrap().contains("--web.external-url"));
    assert_eq!(app.get("/-/healthy").await.0, 200);
    assert_eq!(app.request("POST", "/-/quit", &[("origin", "https://tools.example")]).await.status(), 200);
    app.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_configurations_are_put_into_force_or_neither_is() {
    let folder = Folder::new();
    let web = |text: &str| folder.write("web.yml", text);
    let frame = |value: &str| format!("http_server_config: {{headers: {{X-Frame-Options: {value}}}}}\n");
    let config = Arc::new(WebConfig::open(&web(&frame("deny"))).unwrap());
    let mut app =
        TestApp::start_with(Spec::fleet(2, 1), CONFIGURATION, WebOptions { config, ..WebOptions::default() }).await;
    app.ready().await;
    let shown = async |app: &TestApp| {
        let answer = app.request("GET", "/metrics", &[]).await;
        let frame = answer.headers()["x-frame-options"].to_str().unwrap().to_owned();
        (
            frame,
            answer.text().await.unwrap().contains("marketing_messages_delivered{source=\"meta\",account_id=\"1002\""),
        )
    };
    web(&frame("allow"));
    let told = app.reload("1001", "1002").await.unwrap_err();
    assert!(told.contains("web.yml: http_server_config.headers.X-Frame-Options"), "{told}");
    assert_eq!(shown(&app).await, ("deny".to_owned(), false));

    let told = app.reload("1h", "soon").await.unwrap_err();
    assert!(told.contains("poll.interval") && told.contains("web.yml"), "{told}");

    web(&frame("sameorigin"));
    assert!(app.reload("soon", "later").await.unwrap_err().contains("poll.interval"));
    app.reload("later", "1h").await.unwrap();
    app.eventually("the other account is shown", |m| m.count("marketing_messages_delivered", &["\"1002\""]) == 1).await;
    assert_eq!(shown(&app).await, ("sameorigin".to_owned(), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_is_below_the_prefix() {
    let options = WebOptions { prefix: "/tools/exporter".to_owned(), ..WebOptions::default() };
    let app = TestApp::start_with(Spec::fleet(1, 1), CONFIGURATION, options).await;
    for (path, status) in [
        ("/tools/exporter/", 200),
        ("/tools/exporter/metrics", 200),
        ("/tools/exporter/-/healthy", 200),
        ("/tools/exporter/nowhere", 404),
        ("/metrics", 404),
        ("/-/healthy", 404),
        ("/tools", 404),
        ("/tools/exporter2/metrics", 404),
    ] {
        assert_eq!(app.get(path).await.0, status, "{path}");
    }
    let post = app.request("POST", "/tools/exporter/metrics", &[]).await;
    assert_eq!((post.status().as_u16(), &post.headers()["allow"]), (405, &"GET,HEAD".parse().unwrap()));
    // The client follows: both ways lead to the page.
    for path in ["/", "/tools/exporter"] {
        let page = app.request("GET", path, &[]).await;
        assert_eq!((page.status().as_u16(), page.url().path()), (200, "/tools/exporter/"), "{path}");
    }
    let address = app.addr.to_string();
    let flags = ["healthcheck", "--web.listen-address", &address, "--web.external-url"];
    assert_eq!(cli::run(&[&flags[..], &["https://example.org/tools/exporter/"]].concat()).0, Some(0));
    assert_eq!(cli::run(&[&flags[..], &["https://example.org/"]].concat()).0, Some(1));
}
