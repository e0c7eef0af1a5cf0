//! A client of HTTP/2 that is made of frames, so that it can leave some out, and TLS for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use marketing_messages_exporter::app::WebOptions;
use marketing_messages_exporter::simulate::Spec;
use marketing_messages_exporter::web::Limits;
use reqwest::{StatusCode, Version};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::authority::Authority;
use crate::harness::{TestApp, eventually};
use crate::tls::{TLS, status};

/// Longer than anything that is expected to happen takes.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
const ACK: u8 = 1;
const END_STREAM_AND_HEADERS: u8 = 5;

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    flags: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Whether it begins an answer with status 200.
    pub(crate) fn is_ok(&self) -> bool {
        // The first field is the status; this is the static table's entry for 200.
        self.kind == HEADERS && self.payload.first() == Some(&0x88)
    }
}

/// A connection.
pub(crate) struct Http2 {
    stream: TlsStream<TcpStream>,
    next: u32,
    /// Whether PINGs are answered.
    pub(crate) alive: bool,
}

impl Http2 {
    /// Makes the TLS connection from an address of loopback, and sends nothing.
    pub(crate) async fn silent(addr: SocketAddr, from: [u8; 4], authority: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        let stream = socket.connect(addr).await.unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(addr.ip().into(), stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        Self { stream, next: 1, alive: true }
    }

    /// The same with preface and settings: how much is taken of each answer without being asked.
    pub(crate) async fn connect(addr: SocketAddr, from: [u8; 4], authority: &str, window: u32) -> Self {
        let mut client = Self::silent(addr, from, authority).await;
        client.stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let window = window.to_be_bytes();
        client.send(SETTINGS, 0, 0, &[&[0, 4][..], &window].concat()).await;
        client
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        // A connection that is closed is noticed by reading.
        let _ = self.stream.write_all(&[&head, payload].concat()).await;
    }

    /// Asks for a path.
    pub(crate) async fn get(&mut self, path: &str) {
        let stream = self.next;
        self.next += 2;
        // GET and https from the static table, then path and authority as they are.
        let mut head = vec![0x82, 0x87, 0x04, u8::try_from(path.len()).unwrap()];
        head.extend_from_slice(path.as_bytes());
        head.extend_from_slice(b"\x01\x01x");
        self.send(HEADERS, END_STREAM_AND_HEADERS, stream, &head).await;
    }

    /// The next frame that is none of the connection's own; `None` when the daemon has closed it.
    pub(crate) async fn read(&mut self) -> Option<Frame> {
        tokio::time::timeout(PATIENCE, async {
            loop {
                let mut head = [0; 9];
                self.stream.read_exact(&mut head).await.ok()?;
                let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
                self.stream.read_exact(&mut payload).await.ok()?;
                let frame = Frame { kind: head[3], flags: head[4], payload };
                match frame.kind {
                    SETTINGS if frame.flags & ACK == 0 => self.send(SETTINGS, ACK, 0, &[]).await,
                    PING if frame.flags & ACK == 0 && self.alive => {
                        self.send(PING, ACK, 0, &frame.payload).await;
                        return Some(frame);
                    }
                    DATA | HEADERS | RESET => return Some(frame),
                    _ => {}
                }
            }
        })
        .await
        .expect("the daemon sends something, or closes")
    }

    /// Reads until the daemon closes.
    pub(crate) async fn closed(&mut self) {
        while self.read().await.is_some() {}
    }
}

/// A daemon with TLS, and its authority.
async fn app(campaigns: u32, max_requests: usize, limits: Limits) -> (TestApp, Authority) {
    let authority = Authority::new();
    let options = WebOptions { limits, max_requests, ..WebOptions::default() };
    let app = authority.app_with(TLS, Spec::fleet(1, campaigns), options).await;
    (app, authority)
}

const LOCAL: [u8; 4] = [127, 0, 0, 1];

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_preface_or_request_is_closed() {
    let limits = Limits { head: Duration::from_secs(1), ..Limits::default() };
    let (app, authority) = app(1, 40, limits).await;
    Http2::silent(app.addr, LOCAL, &authority.pem()).await.closed().await;
    Http2::connect(app.addr, LOCAL, &authority.pem(), 1 << 20).await.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_shows_no_sign_of_life_is_closed_and_others_are_not() {
    let limits = Limits { ping: Duration::from_millis(200), pong: Duration::from_secs(1), ..Limits::default() };
    let (app, authority) = app(1, 40, limits).await;
    let mut dead = Http2::connect(app.addr, LOCAL, &authority.pem(), 1 << 20).await;
    let mut alive = Http2::connect(app.addr, LOCAL, &authority.pem(), 1 << 20).await;
    dead.alive = false;
    dead.get("/-/healthy").await;
    alive.get("/-/healthy").await;
    let outlives = async {
        let mut pings = 0;
        while pings < 10 {
            pings += usize::from(alive.read().await.expect("it answers, so it goes on").kind == PING);
        }
    };
    tokio::join!(dead.closed(), outlives);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_asks_for_nothing_more_ends() {
    let (app, authority) = app(1, 40, Limits { idle: Duration::from_millis(200), ..Limits::default() }).await;
    let mut client = Http2::connect(app.addr, LOCAL, &authority.pem(), 1 << 20).await;
    client.get("/-/healthy").await;
    assert!(client.read().await.unwrap().is_ok());
    // It does not close by itself.
    client.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_answers_that_are_not_taken_leave_places_and_are_given_up() {
    let limits = Limits { stall: Duration::from_secs(2), ..Limits::default() };
    let (app, authority) = app(100, 40, limits).await;
    let mut greedy = Http2::connect(app.addr, LOCAL, &authority.pem(), 0).await;
    for _ in 0..40 {
        greedy.get("/metrics").await;
    }
    let (mut taken, mut refused) = (0, 0);
    while taken + refused < 40 {
        let frame = greedy.read().await.unwrap();
        assert_eq!(frame.kind, HEADERS, "nothing is given up yet");
        *(if frame.is_ok() { &mut taken } else { &mut refused }) += 1;
    }
    assert_eq!((taken, refused), (10, 30), "a quarter of the places over one connection");
    let client = authority.client().build().unwrap();
    let url = format!("https://{}/metrics", app.addr);
    assert_eq!(status(&client, &url, None).await, StatusCode::OK, "another connection of the same address");

    let mut given_up = 0;
    while given_up < taken {
        let frame = greedy.read().await.expect("the connection goes on");
        given_up += usize::from(frame.kind == RESET);
    }
    let again = async || {
        let mut other = Http2::connect(app.addr, LOCAL, &authority.pem(), 0).await;
        for _ in 0..10 {
            other.get("/metrics").await;
        }
        let mut taken = 0;
        for _ in 0..10 {
            taken += usize::from(other.read().await.is_some_and(|frame| frame.is_ok()));
        }
        taken == 10
    };
    eventually("the places come back", again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_connection_has_so_many_requests_at_a_time() {
    let (app, authority) = app(1, 40, Limits::default()).await;
    let mut client = Http2::connect(app.addr, LOCAL, &authority.pem(), 0).await;
    for _ in 0..70 {
        client.get("/-/healthy").await;
    }
    let (mut begun, mut refused) = (0, 0);
    while begun + refused < 70 {
        match client.read().await.unwrap() {
            frame if frame.kind == RESET => refused += 1,
            frame if frame.is_ok() => begun += 1,
            _ => {}
        }
    }
    assert_eq!((begun, refused), (64, 6));
}

/// An answer of which a part is taken looks finished to the server: the rest waits within HTTP/2.
#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_an_answer_that_is_not_taken_ends_the_connection() {
    let limits = Limits { stall: Duration::from_secs(1), ..Limits::default() };
    // One place for pages.
    let (app, authority) = app(1, 4, limits).await;
    let mut client = Http2::connect(app.addr, LOCAL, &authority.pem(), 1).await;
    client.get("/config").await;
    assert!(client.read().await.unwrap().is_ok());
    assert_eq!(client.read().await.unwrap().payload.len(), 1);
    let other = authority.client().build().unwrap();
    let url = format!("https://{}/config", app.addr);
    assert_eq!(status(&other, &url, None).await, StatusCode::SERVICE_UNAVAILABLE);
    client.closed().await;
    eventually("the place comes back", async || status(&other, &url, None).await == StatusCode::OK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_taken_too_slowly_is_given_up_and_its_connection_goes_on() {
    let limits = Limits { answer: Duration::from_secs(2), ..Limits::default() };
    let (app, authority) = app(500, 1, limits).await;
    let url = format!("https://{}/metrics", app.addr);
    let client = authority.client().http2_initial_stream_window_size(1_000).build().unwrap();
    let held = client.get(&url).send().await.unwrap();
    assert_eq!((held.status(), held.version()), (StatusCode::OK, Version::HTTP_2));
    // Over the same connection, which goes on.
    assert_eq!(status(&client, &url, None).await, StatusCode::SERVICE_UNAVAILABLE);
    eventually("the place comes back", async || status(&client, &url, None).await == StatusCode::OK).await;
    assert!(held.bytes().await.is_err(), "what was not taken is cut off");
}
