//! What clients may do to the listener: nothing that others would notice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use marketing_messages_exporter::app::WebOptions;
use marketing_messages_exporter::clock::Clock;
use marketing_messages_exporter::domain::target::PRESETS;
use marketing_messages_exporter::simulate::Spec;
use marketing_messages_exporter::telemetry::Telemetry;
use marketing_messages_exporter::web::{Limits, Server, WebConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::authority::Authority;
use crate::harness::{Exposition, TestApp, eventually};
use crate::http2::Http2;
use crate::tls::TLS;

const CONFIGURATION: &str = "
poll: {interval: 1h}
meta:
  main:
    token_file: DIR/token
    base_url: URL
    accounts: [{id: 1001, windows: [today, last_7d, last_30d]}]
";

/// Longer than anything that is expected to happen takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A daemon whose body is larger than what the system takes for a client that does not read.
async fn large(max_requests: usize, limits: Limits) -> TestApp {
    let options = WebOptions { max_requests, limits, ..WebOptions::default() };
    let mut app = TestApp::start_with(Spec::fleet(1, 2_000), CONFIGURATION, options).await;
    app.ready().await;
    app
}

/// A client that takes next to nothing unless it reads.
async fn narrow(app: &TestApp) -> TcpStream {
    narrow_from(app, [127, 0, 0, 1]).await
}

/// The same from an address of loopback.
async fn narrow_from(app: &TestApp, address: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind((address, 0).into()).unwrap();
    socket.connect(app.addr).await.unwrap()
}

/// Asks for a path over a connection, and gives the answer's status.
async fn status_of(stream: &mut TcpStream, path: &str) -> u16 {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).await.unwrap();
    std::str::from_utf8(&begun).unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

/// Sends a request, and reads until the answer has begun.
async fn begin(stream: &mut TcpStream) {
    assert_eq!(status_of(stream, "/metrics").await, 200);
}

/// Reads until the daemon closes, whichever way, and says how many bytes came.
async fn rest(stream: &mut TcpStream) -> usize {
    let (mut buffer, mut total) = (vec![0; 4096], 0);
    let read = async {
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            total += length;
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("the daemon closes the connection");
    total
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_scraper_is_cut_off_and_its_place_comes_back() {
    let limits = Limits { stall: Duration::from_secs(2), ..Limits::default() };
    let mut app = large(1, limits).await;
    let length = app.metrics().await.0.len();
    let mut stuck = narrow(&app).await;
    begin(&mut stuck).await;
    let refused = app.request("GET", "/metrics", &[]).await;
    assert_eq!(refused.status().as_u16(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    app.eventually("the place comes back", |metrics| metrics.0.contains("marketing_messages_delivered{")).await;
    assert!(rest(&mut stuck).await < length, "what was not taken is not sent any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scraper_that_takes_a_little_now_and_then_is_cut_off_too() {
    let limits = Limits { stall: Duration::from_mins(10), answer: Duration::from_secs(2), ..Limits::default() };
    let mut app = large(1, limits).await;
    let mut slow = narrow(&app).await;
    begin(&mut slow).await;
    let dribble = async {
        let mut bytes = [0; 64];
        while slow.read_exact(&mut bytes).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = app.eventually("the place comes back", |metrics| metrics.0.contains("marketing_messages_delivered{")) => {}
        () = dribble => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_scrapes_at_a_time_and_no_more() {
    let app = large(3, Limits::default()).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = narrow(&app).await;
        begin(&mut stream).await;
        held.push(stream);
    }
    assert_eq!(app.get("/metrics").await.0, 503);
    assert_eq!(app.get("/-/healthy").await.0, 200, "only scrapes are counted");
    drop(held.pop());
    eventually("the place of a scraper that went away is free", async || app.get("/metrics").await.0 == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_many_requests_and_head_tells_the_length() {
    let app = large(1, Limits::default()).await;
    let mut stream = TcpStream::connect(app.addr).await.unwrap();
    for path in ["/-/healthy", "/-/ready", "/-/healthy"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"y\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
    stream.write_all(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut head = String::new();
    stream.read_to_string(&mut head).await.unwrap();
    assert!(head.ends_with("\r\n\r\n") && head.starts_with("HTTP/1.1 200"), "a head and no body: {head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert!(length.parse::<usize>().unwrap() > 1_000_000, "{head}");
    assert_eq!(app.get("/metrics").await.0, 200, "HEAD gave its place back");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_do_not_end_and_idle_connections_are_cut_off() {
    let limits = Limits { head: Duration::from_millis(300), idle: Duration::from_mins(10), ..Limits::default() };
    let app = large(1, limits).await;
    let mut dribble = TcpStream::connect(app.addr).await.unwrap();
    dribble.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let started = Instant::now();
    // A header field now and then does not help.
    while dribble.write_all(b"X: y\r\n").await.is_ok() {
        assert!(started.elapsed() < PATIENCE, "the head goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    // Nor does it help to send nothing, or to send the first byte late.
    let mut silent = TcpStream::connect(app.addr).await.unwrap();
    assert_eq!(rest(&mut silent).await, 0);

    let limits = Limits { idle: Duration::from_millis(300), ..Limits::default() };
    let app = large(1, limits).await;
    let mut kept = TcpStream::connect(app.addr).await.unwrap();
    kept.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(rest(&mut kept).await > 0, "it is answered, and closed when nothing follows");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_one_host() {
    let app = large(40, Limits::default()).await;
    for (version, fields, wanted) in [
        ("1.1", "Host: x\r\n", 200),
        ("1.1", "Host: [::1]:10396\r\n", 200),
        ("1.1", "Host:\r\n", 200),
        ("1.0", "", 200),
        ("1.1", "", 400),
        ("1.1", "Host: x\r\nHost: x\r\n", 400),
        ("1.0", "Host: x\r\nHost: y\r\n", 400),
        ("1.1", "Host: x/../y\r\n", 400),
        ("1.1", "Host: user@x\r\n", 400),
        ("1.1", "Host: x y\r\n", 400),
    ] {
        let mut stream = narrow(&app).await;
        let request = format!("GET /-/healthy HTTP/{version}\r\n{fields}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        assert_eq!(status, *format!("HTTP/{version} {wanted}").as_bytes(), "{request:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_head_has_its_time_too() {
    let limits = Limits { head: Duration::from_secs(1), idle: Duration::from_mins(10), ..Limits::default() };
    let app = large(1, limits).await;
    let mut kept = TcpStream::connect(app.addr).await.unwrap();
    assert_eq!(status_of(&mut kept, "/-/healthy").await, 200);
    kept.write_all(b"GET /-/healthy HTTP/1.1\r\n").await.unwrap();
    rest(&mut kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_a_longest_size() {
    let app = large(1, Limits::default()).await;
    for (kibibytes, answered) in [(32, true), (128, false)] {
        let mut stream = TcpStream::connect(app.addr).await.unwrap();
        let field = "y".repeat(kibibytes << 10);
        let head = format!("GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: {field}\r\n\r\n");
        // It may be closed before everything is written.
        let _ = stream.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(answer.ends_with(b"healthy\n"), answered, "{kibibytes} KiB");
    }
}

/// A second byte while an answer is sent begins no head, and starts no time again.
#[tokio::test(flavor = "multi_thread")]
async fn a_scraper_that_asks_for_more_meanwhile_gets_no_more_time() {
    let limits = Limits { stall: Duration::from_mins(10), answer: Duration::from_secs(1), ..Limits::default() };
    let app = large(1, limits).await;
    let length = app.metrics().await.0.len();
    let mut stuck = narrow(&app).await;
    begin(&mut stuck).await;
    stuck.write_all(b"GET /metrics HTTP/1.1\r\n").await.unwrap();
    eventually("the place comes back", async || app.get("/metrics").await.0 == 200).await;
    assert!(rest(&mut stuck).await < length);
}

/// One sample of a family of the exporter's own.
fn own(metrics: &Exposition, family: &str, parts: &[&str]) -> f64 {
    metrics.value(&format!("marketing_messages_exporter_{family}"), parts).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_keep_nobody_out() {
    let limits = Limits { connections: 8, head: Duration::from_mins(10), ..Limits::default() };
    let options = WebOptions { limits, ..WebOptions::default() };
    let mut app = TestApp::start_with(Spec::fleet(1, 1), CONFIGURATION, options).await;
    let refused = "web_connections_refused_total";
    let before = app.ready().await;
    for reason in ["address", "full", "displaced", "accept"] {
        assert_eq!(own(&before, refused, &[&format!("\"{reason}\"")]), 0.0, "{reason} is there from the start");
    }
    let mut held = Vec::new();
    for address in [[127, 0, 0, 2], [127, 0, 0, 3], [127, 0, 0, 1]] {
        for _ in 0..20 {
            held.push(narrow_from(&app, address).await);
        }
        // From the address that has connections enough, and from another one.
        for client in [address, [127, 0, 0, 9]] {
            assert_eq!(status_of(&mut narrow_from(&app, client).await, "/-/healthy").await, 200);
        }
    }
    // The text of the exporter's own metrics may be a second old.
    let displaced = |m: &Exposition| own(m, refused, &["\"displaced\""]) >= 60.0 - 8.0;
    let metrics = app.eventually("those that gave way are counted", displaced).await;
    let open = own(&metrics, "web_connections", &[]);
    assert!((2.0..=8.0).contains(&open), "{open}");
    assert_eq!(rest(held.first_mut().unwrap()).await, 0, "the oldest one was closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_do_not_read_keep_nobody_out_of_a_full_house() {
    let limits = Limits { connections: 4, ..Limits::default() };
    let mut app = large(40, limits).await;
    let mut stuck = Vec::new();
    for address in [2, 2, 2, 3] {
        let mut stream = narrow_from(&app, [127, 0, 0, address]).await;
        begin(&mut stream).await;
        stuck.push(stream);
    }
    // None of them is idle, but after a moment they have taken nothing for long enough.
    let healthy = async || {
        let mut stream = narrow_from(&app, [127, 0, 0, 4]).await;
        let _ = stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        rest(&mut stream).await > 0
    };
    eventually("another client is served", healthy).await;
    app.eventually("and counted", |m| own(m, "web_connections_refused_total", &["\"displaced\""]) >= 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_does_not_take_every_place_for_scrapes() {
    let app = large(4, Limits::default()).await;
    let mut held = Vec::new();
    for expected in [200, 200, 200, 503] {
        let mut stream = narrow_from(&app, [127, 0, 0, 2]).await;
        assert_eq!(status_of(&mut stream, "/metrics").await, expected);
        held.push(stream);
    }
    assert_eq!(app.get("/metrics").await.0, 200, "another address is served");
    let refused = app.request("GET", "/metrics", &[]).await;
    assert_eq!(refused.status().as_u16(), 200, "and once more, as its first place is free again");
    drop(held.swap_remove(0));
    eventually("a place is given back", async || {
        status_of(&mut narrow_from(&app, [127, 0, 0, 2]).await, "/-/ready").await == 200
            && status_of(&mut narrow_from(&app, [127, 0, 0, 2]).await, "/metrics").await == 200
    })
    .await;
}

/// A page is whole in memory until its last byte is sent, so it counts until then. It is larger than what
/// the system takes for a client that does not read.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_keeps_its_place_until_it_is_sent() {
    let accounts: Vec<_> = (0..200).map(|n| format!("{{id: {}}}", 1001 + n)).collect();
    let configuration = format!(
        "meta: {{main: {{token_file: DIR/token, base_url: URL, windows: [{}], accounts: [{}]}}}}\n",
        PRESETS.join(", "),
        accounts.join(", ")
    );
    let options = WebOptions { max_requests: 4, ..WebOptions::default() };
    let app = TestApp::start_with(Spec::fleet(1, 1), &configuration, options).await;
    eventually("every target is shown", async || app.get("/api/v1/targets").await.1.len() > 3_000_000).await;
    let mut unread = narrow(&app).await;
    assert_eq!(status_of(&mut unread, "/api/v1/targets").await, 200);
    for other in ["/", "/config", "/api/v1/targets"] {
        assert_eq!(app.get(other).await.0, 503, "{other} while another page is not read");
    }
    assert_eq!(app.get("/metrics").await.0, 200, "pages do not take the places of scrapes");
    drop(unread);
    eventually("the place of a reader that went away is free", async || app.get("/").await.0 == 200).await;
}

/// Serves without a daemon around it that would cut it off: only what it waits for keeps it from its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_nobody_who_asks_for_nothing() {
    let authority = Authority::new();
    let telemetry = Arc::new(Telemetry::new(false).unwrap());
    for tls in [false, true] {
        let text = if tls { TLS } else { "{}" };
        let config = Arc::new(WebConfig::open(&authority.config(text)).unwrap());
        let router = axum::Router::new().route("/", axum::routing::get(async || "here"));
        // Nothing but the stop ends a connection.
        let long = Duration::from_hours(1);
        let limits = Limits { head: long, idle: long, ping: long, stall: long, answer: long, ..Limits::default() };
        let server = Server::new(router, config, limits, telemetry.clone(), Clock::start());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let mut serving = tokio::task::JoinSet::new();
        serving.spawn(server.serve(listener, stopped));
        let (silent, mut part, mut idle) = (
            TcpStream::connect(addr).await.unwrap(),
            TcpStream::connect(addr).await.unwrap(),
            TcpStream::connect(addr).await.unwrap(),
        );
        let (mut silent2, mut idle2, mut closed2) = (None, None, None);
        if tls {
            // A handshake that does not go on, too.
            part.write_all(&[22, 3, 1]).await.unwrap();
            silent2 = Some(Http2::silent(addr, [127, 0, 0, 1], &authority.pem()).await);
            let mut client = Http2::connect(addr, [127, 0, 0, 1], &authority.pem(), 1 << 20).await;
            client.get("/").await;
            assert!(client.read().await.unwrap().is_ok());
            idle2 = Some(client);
            // An answer of which nothing is taken.
            let mut client = Http2::connect(addr, [127, 0, 0, 1], &authority.pem(), 0).await;
            client.get("/").await;
            assert!(client.read().await.unwrap().is_ok());
            closed2 = Some(client);
        } else {
            part.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
            assert_eq!(status_of(&mut idle, "/").await, 200);
        }
        stop.send(true).unwrap();
        let ended = tokio::time::timeout(PATIENCE, serving.join_next()).await.expect("it does not wait");
        ended.unwrap().unwrap().unwrap();
        drop((silent, part, idle, silent2, idle2, closed2));
    }
}
