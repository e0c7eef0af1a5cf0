//! What any body costs: shapes that grow when they are read, sent by both APIs to a daemon of its own,
//! whose peak memory is read from the system.

mod shapes;

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Response, Uri, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::task::JoinSet;

use crate::harness::Folder;
use crate::process::Process;
use shapes::{Shape, generated, shapes};

/// What a poll may keep of a campaign with a short name until its last page.
const CAMPAIGN: u64 = 200;

/// How long a daemon may take for its bodies.
const PATIENCE: Duration = Duration::from_mins(9);

/// What a request may take beside its body: buffers of its connection, headers, the unpacker.
const REQUEST: u64 = 512 << 10;

/// A daemon and what the APIs send it.
struct Trial {
    /// `poll.max_response`.
    most: usize,
    concurrency: usize,
    /// Ad accounts, and campaigns of a channel.
    targets: usize,
    sent: Sent,
    /// Header lines of a kilobyte in each answer.
    headers: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Sent {
    /// Small on the way.
    Packed,
    /// As it is, with its length.
    Plain,
    /// As it is, piece by piece.
    Endless,
}

impl Trial {
    /// A few targets, as the shape is asked for by each kind of request.
    fn of(most: usize) -> Self {
        Self { most, concurrency: 8, targets: 2, sent: Sent::Packed, headers: 0 }
    }

    fn configuration(&self, url: &str) -> String {
        let mut text = format!(
            "poll: {{interval: 1h, timeout: 5m, max_response: {}KiB, concurrency: {}}}\n\
             meta:\n  main:\n    token: EAAGhush0123456789token\n    app_id: 42\n    app_secret: hushapp0123456789secret\n    \
             base_url: {url}\n    accounts:\n",
            self.most >> 10,
            self.concurrency,
        );
        for account in 0..self.targets {
            writeln!(text, "      - {{id: {}, windows: [last_7d], totals: false}}", 1001 + account).unwrap();
        }
        let campaigns: Vec<_> = (1..=self.targets).map(|id| id.to_string()).collect();
        write!(
            text,
            "cams:\n  sg:\n    access_key_id: key-id\n    access_key_secret: hush-key-secret\n    endpoint: {url}\n    \
             requests_per_second: 1000\n    channels:\n      \
             - {{cust_space_id: cams-demo, page_id: 1, ad_account_id: 2, campaigns: [{}]}}\n",
            campaigns.join(", "),
        )
        .unwrap();
        text
    }

    /// The body as it is sent.
    fn wrap(&self, body: Vec<u8>) -> Bytes {
        if self.sent != Sent::Packed {
            return body.into();
        }
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&body).unwrap();
        packer.finish().unwrap().into()
    }

    fn answer(&self, body: Bytes) -> Response<Body> {
        let mut answer = Response::builder();
        if self.sent == Sent::Packed {
            answer = answer.header(header::CONTENT_ENCODING, "gzip");
        }
        for number in 0..self.headers {
            answer = answer.header(format!("x-{number}"), "h".repeat(1 << 10));
        }
        answer.body(if self.sent == Sent::Endless { Body::new(Unmeasured(body.into())) } else { body.into() }).unwrap()
    }

    /// The peak of a daemon to which both APIs say nothing else.
    async fn peak(self, answer: impl Fn(&Uri, usize) -> Bytes + Send + Sync + 'static) -> u64 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let configuration = self.configuration(&format!("http://{}", listener.local_addr().unwrap()));
        let shared = Arc::new((self, answer, [AtomicUsize::new(0), AtomicUsize::new(0)]));
        let router = Router::new().fallback(move |uri: Uri| {
            let shared = shared.clone();
            async move {
                let (trial, answer, count) = &*shared;
                trial.answer(answer(&uri, count[usize::from(is_cams(&uri))].fetch_add(1, Ordering::Relaxed)))
            }
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let folder = Folder::new();
        let daemon = Process::start(&folder.write("config.yaml", &configuration), &[]);
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap();
        let deadline = Instant::now() + PATIENCE;
        let mut pause = tokio::time::interval(Duration::from_millis(50));
        let ready = async || client.get(format!("http://{}/-/ready", daemon.addr)).send().await.unwrap().status();
        while !ready().await.is_success() {
            assert!(Instant::now() < deadline, "not every target was asked");
            pause.tick().await;
        }
        daemon.peak_memory()
    }
}

fn is_cams(uri: &Uri) -> bool {
    uri.path() == "/"
}

/// A body that does not say how long it is.
struct Unmeasured(Body);

impl axum::body::HttpBody for Unmeasured {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        std::pin::Pin::new(&mut self.0).poll_frame(context)
    }
}

const META: [&str; 3] = ["data", "ad_id", "marketing_messages_spend"];
const CAMS: [&str; 3] = ["Data", "CampaignId", "MarketingMessagesSpend"];

/// Every shape, as each of the APIs writes it.
fn pairs() -> Vec<(Shape, Shape)> {
    let written = |[list, id, figure]: [&'static str; 3]| {
        let generated = (1..=8).map(move |seed| generated(seed, list, id, figure));
        shapes(list, id, figure).into_iter().chain(generated)
    };
    written(META).zip(written(CAMS)).collect()
}

fn bodies(trial: &Trial, (meta, cams): &(Shape, Shape)) -> [Bytes; 2] {
    [meta, cams].map(|shape| trial.wrap(shape.body(trial.most)))
}

/// Bodies of both APIs, in turn.
async fn peak_in_turn(trial: Trial, bodies: Vec<[Bytes; 2]>) -> u64 {
    trial.peak(move |uri, number| bodies[number % bodies.len()][usize::from(is_cams(uri))].clone()).await
}

async fn idle(trial: Trial) -> u64 {
    let empty = [br#"{"data":[]}"#.to_vec(), br#"{"Data":[]}"#.to_vec()].map(|body| trial.wrap(body));
    peak_in_turn(trial, vec![empty]).await
}

/// Peaks, and what they may be.
struct Peaks {
    bound: u64,
    over: Vec<String>,
}

#[allow(clippy::print_stdout, reason = "the figures are what `make memory` is for")]
impl Peaks {
    /// `beside` is what may be taken beside the bodies: by all requests at a time, or by the campaigns of a listing.
    async fn above(trial: Trial, beside: u64) -> Self {
        let most = trial.most as u64;
        let idle = idle(trial).await;
        let bound = idle + 3 * most + beside;
        println!("{:>6.1} MiB  with empty answers; the bound is {:.1} MiB", mib(idle), mib(bound));
        Self { bound, over: Vec::new() }
    }

    fn note(&mut self, peak: u64, what: &str) {
        println!("{:>6.1} MiB  {what}", mib(peak));
        if peak > self.bound {
            self.over.push(format!("{:.1} MiB for {what}", mib(peak)));
        }
    }

    fn judge(self) {
        assert!(self.over.is_empty(), "more than {:.1} MiB: {:#?}", mib(self.bound), self.over);
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Shapes of every kind into one daemon, as many at a time as the default allows.
#[tokio::test(flavor = "multi_thread")]
async fn no_bodies_take_more_than_three_times_the_bound_of_one() {
    let trial = || Trial { targets: 6, ..Trial::of(6 << 20) };
    let mut peaks = Peaks::above(trial(), 0).await;
    let pairs = pairs();
    let answer = move |uri: &Uri, number: usize| {
        // CAMS is asked less often: its steps go over the whole list.
        let (meta, _) = &pairs[number % pairs.len()];
        let (_, cams) = &pairs[(4 * number + 1) % pairs.len()];
        trial().wrap(if is_cams(uri) { cams } else { meta }.body(trial().most))
    };
    peaks.note(trial().peak(answer).await, "shapes of every kind, from both APIs");
    peaks.judge();
}

/// Each shape in a daemon of its own, and each way to send it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make memory"]
async fn no_body_takes_more_than_three_times_its_bound() {
    let trial = || Trial::of(8 << 20);
    let mut peaks = Peaks::above(trial(), 0).await;
    for pair in pairs() {
        peaks.note(peak_in_turn(trial(), vec![bodies(&trial(), &pair)]).await, &pair.0.name);
    }
    for (sent, how) in [(Sent::Plain, "not packed"), (Sent::Endless, "of no known length")] {
        let trial = || Trial { sent, ..trial() };
        for pair in pairs().into_iter().filter(|(meta, _)| ["small rows", "bad letters"].contains(&&*meta.name)) {
            let peak = peak_in_turn(trial(), vec![bodies(&trial(), &pair)]).await;
            peaks.note(peak, &format!("{}, {how}", pair.0.name));
        }
    }
    peaks.judge();
}

/// As many requests at a time as there may be, each answered with a body that leaves room for others.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make memory"]
async fn many_requests_at_a_time_take_little_more_than_one() {
    for (headers, most, each) in [(0, 8 << 20, 256), (80, 8 << 20, 256), (0, 4 << 20, 32)] {
        let trial = || Trial { concurrency: 256, targets: 200, headers, ..Trial::of(most) };
        let mut peaks = Peaks::above(Trial { headers: 0, ..trial() }, 256 * REQUEST).await;
        for pair in pairs().into_iter().filter(|(meta, _)| ["good rows", "bad letters"].contains(&&*meta.name)) {
            let [meta, cams] = [&pair.0, &pair.1].map(|shape| trial().wrap(shape.body(each << 10)));
            let peak = peak_in_turn(trial(), vec![[meta, cams]]).await;
            peaks.note(peak, &format!("{}, {each} KiB each, 256 at a time, {headers} KiB of headers", pair.0.name));
        }
        peaks.judge();
    }
}

/// Listings that go on until they are not believed any more.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make memory"]
async fn a_listing_of_many_pages_ends() {
    let trial = || Trial { targets: 1, ..Trial::of(8 << 20) };
    let mut peaks = Peaks::above(trial(), 500_000 * CAMPAIGN).await;
    let peak = trial().peak(move |uri, number| trial().wrap(page(uri, number))).await;
    peaks.note(peak, "listings of 500,000 campaigns");
    peaks.judge();
}

/// A page of a listing that has a next one, or nothing.
fn page(uri: &Uri, number: usize) -> Vec<u8> {
    if !uri.path().ends_with("/ads") {
        return br#"{"data":[],"Data":[]}"#.to_vec();
    }
    let mut page = String::from(r#"{"data":["#);
    for row in 0..9_999 {
        write!(
            page,
            r#"{{"id":"{}","name":"campaign of a name","is_message_campaign":true}},"#,
            number * 10_000 + row + 1
        )
        .unwrap();
    }
    write!(page, r#"{{}}],"paging":{{"next":"u","cursors":{{"after":"{number}"}}}}}}"#).unwrap();
    page.into_bytes()
}
