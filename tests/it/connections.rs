//! What clients may do to the listener: nothing that others would notice.

use std::time::{Duration, Instant};

use marketing_messages_exporter::app::WebOptions;
use marketing_messages_exporter::simulate::Spec;
use marketing_messages_exporter::web::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::{TestApp, eventually};

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
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(app.addr).await.unwrap()
}

/// Sends a request, and reads until the answer has begun.
async fn begin(stream: &mut TcpStream) {
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
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

    let limits = Limits { idle: Duration::from_millis(300), head: Duration::from_mins(10), ..Limits::default() };
    let app = large(1, limits).await;
    let mut silent = TcpStream::connect(app.addr).await.unwrap();
    assert_eq!(rest(&mut silent).await, 0);
    let mut kept = TcpStream::connect(app.addr).await.unwrap();
    kept.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(rest(&mut kept).await > 0, "it is answered, and closed when nothing follows");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_bound_wait_for_a_place() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let options = WebOptions { limits, ..WebOptions::default() };
    let app = TestApp::start_with(Spec::fleet(1, 1), CONFIGURATION, options).await;
    let held = TcpStream::connect(app.addr).await.unwrap();
    let mut waits = TcpStream::connect(app.addr).await.unwrap();
    waits.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    drop(held);
    assert!(rest(&mut waits).await > 0);
}
