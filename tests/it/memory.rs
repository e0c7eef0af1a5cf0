//! What any body costs: shapes that grow when they are read, sent by both APIs to a daemon of its own,
//! whose peak memory is read from the system.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, Uri, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::task::JoinSet;

use crate::harness::{Folder, until};
use crate::process::Process;

/// `poll.max_response` of the daemon.
const MOST: usize = 8 << 20;

const CONFIGURATION: &str = "
poll: {interval: 1h, timeout: 1m, max_response: 8MiB}
meta:
  main:
    token: EAAGhush0123456789token
    app_id: 42
    app_secret: hushapp0123456789secret
    base_url: URL
    accounts: [{id: 1001, windows: [today, last_7d], totals: false}]
cams:
  sg:
    access_key_id: key-id
    access_key_secret: hush-key-secret
    endpoint: URL
    channels: [{cust_space_id: cams-demo, page_id: 1, ad_account_id: 2, campaigns: [5, 6]}]
";

/// A body: a beginning, what is repeated as far as there is room, and an end.
struct Shape {
    name: String,
    begin: String,
    /// `#` is a number that is another each time.
    again: String,
    end: String,
}

/// The shapes of an API, whose list stands under this key.
fn shapes(list: &str, id: &str, figure: &str) -> Vec<Shape> {
    let shape = |name: &str, begin: &str, again: &str, end: &str| Shape {
        name: name.to_owned(),
        begin: begin.replace("LIST", list),
        again: again.replace("ID", id).replace("FIGURE", figure),
        end: end.to_owned(),
    };
    vec![
        shape("numbers", r#"{"LIST":[0"#, ",0", "]}"),
        shape("empty rows", r#"{"LIST":[{}"#, ",{}", "]}"),
        shape("empty lists", r#"{"LIST":[[]"#, ",[]", "]}"),
        shape("empty texts", r#"{"LIST":[""#, r#"",""#, r#""]}"#),
        shape("small rows", r#"{"LIST":[0"#, r#",{"ID":"1#"}"#, "]}"),
        shape("good rows", r#"{"LIST":[0"#, r#",{"ID":"1#","FIGURE":"1","name":"n","CampaignName":"n"}"#, "]}"),
        shape("one row again and again", r#"{"LIST":[0"#, r#",{"ID":"1","FIGURE":"1"}"#, "]}"),
        shape("a wide row", r#"{"LIST":[{"a":0"#, r#","k#":0"#, "}]}"),
        shape("bad fields in one row", r#"{"LIST":[{"a":0"#, r#","FIGURE":"x""#, "}]}"),
        shape("figures in one row", r#"{"LIST":[{"a":0"#, r#","FIGURE":"1""#, "}]}"),
        shape(
            "actions",
            r#"{"LIST":[{"ad_id":"1","marketing_messages_spend":"1","actions":[{}"#,
            r#",{"action_type":"offsite_conversion.fb_pixel_lead","value":"x"}"#,
            "]}]}",
        ),
        shape("actions of nothing", r#"{"LIST":[{"actions":[{}"#, ",{}", "]}]}"),
        shape("a deep list", r#"{"LIST":[{"x":"#, "[", ""),
        shape("deep rows", r#"{"LIST":"#, r#"[{"x":"#, ""),
        shape("a deep object of a known name", r#"{"paging":"#, r#"{"paging":"#, ""),
        shape("a long name", r#"{"LIST":[{"ID":"1","name":""#, "n", r#""}]}"#),
        shape("a long name of escapes", r#"{"LIST":[{"ID":"1","CampaignName":""#, r"\u00e9", r#""}]}"#),
        shape("a long key of escapes", r#"{"LIST":[{""#, r"\u00e9", r#"":1}]}"#),
        shape("a long message", r#"{"Code":"Unheard","Message":"m","error":{"code":424242,"message":""#, "m", r#""}}"#),
        shape("a long code", r#"{"error":{"code":424242,"message":"m"},"Message":"m","Code":""#, "\\\"", r#""}"#),
        shape("errors", r#"{"a":0"#, r#","error":{"message":"m"},"Code":"x""#, "}"),
        shape("lists", r#"{"a":0"#, r#","LIST":[0]"#.replace("LIST", list).as_str(), "}"),
        shape("paging", r#"{"LIST":[],"paging":{"next":"u","cursors":{"after":""#, "A", r#""}}}"#),
        shape(
            "names of refused fields",
            r#"{"error":{"code":100,"message":"(#100) a"#,
            ", a",
            r#" are not valid for fields param."}}"#,
        ),
        shape("bad letters", r#"{"LIST":[{"ID":"1","name":""#, r"\ud800\q", r#""}]}"#),
        shape("an unfinished list", r#"{"LIST":[0"#, ",0", ""),
        shape("white space", r#"{"LIST":["#, " ", "]}"),
        shape("XML", "<Error><Code>", "x", "</Code></Error>"),
        shape("a number", r#"{"LIST":[{"ID":"#, "1", "}]}"),
    ]
}

/// Shapes that nobody thought of: pieces of the grammar, put together by chance.
fn generated(seed: u64, list: &str, id: &str, figure: &str) -> Shape {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut dice = move |sides: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % sides as u64).unwrap()
    };
    let keys = [
        list,
        id,
        figure,
        "actions",
        "action_type",
        "value",
        "paging",
        "cursors",
        "error",
        "message",
        "name",
        "campaign",
        "Code",
        "k#",
    ];
    let mut value = String::from("0");
    for _ in 0..dice(5) {
        let key = keys[dice(keys.len())];
        value = match dice(6) {
            0 => format!("[{value},{value}]"),
            1 => format!(r#"{{"{key}":{value}}}"#),
            2 => format!(r#"{{"{id}":"1#","{figure}":"1","{key}":{value}}}"#),
            3 => r#""\n\n\n""#.to_owned(),
            4 => format!(r#"{{"{key}":{value},"{key}":{value}}}"#),
            _ => format!(r#"{{"offsite":[{value}],"{key}":""}}"#),
        };
    }
    let key = keys[dice(keys.len())];
    let (begin, again, end) = match dice(4) {
        0 => (format!(r#"{{"{list}":[0"#), format!(",{value}"), "]}".to_owned()),
        1 => (format!(r#"{{"{list}":[{{"{key}":[0"#), format!(",{value}"), "]}]}".to_owned()),
        2 => (format!(r#"{{"{list}":[{{"a":0"#), format!(r#","{key}":{value}"#), "}]}".to_owned()),
        _ => (r#"{"a":0"#.to_owned(), format!(r#","{key}":{value}"#), "}".to_owned()),
    };
    Shape { name: format!("generated {seed}: {again}"), begin, again, end }
}

impl Shape {
    /// The body, packed: what is sent is small.
    fn packed(&self) -> Bytes {
        let mut body = self.begin.clone();
        if let Some((start, end)) = self.again.split_once('#') {
            for number in 0.. {
                let piece = format!("{start}{}", format!("{number}{end}").replace('#', "0"));
                if body.len() + piece.len() + self.end.len() > MOST {
                    break;
                }
                body += &piece;
            }
        } else if !self.again.is_empty() {
            body += &self.again.repeat((MOST - body.len() - self.end.len()) / self.again.len());
        }
        body += &self.end;
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(body.as_bytes()).unwrap();
        packer.finish().unwrap().into()
    }
}

/// The peak of a daemon to which both APIs say nothing else, and of how many failed polls.
async fn peak(meta: Bytes, cams: Bytes) -> u64 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let bodies = Arc::new((meta, cams));
    let router = Router::new().fallback(move |uri: Uri| {
        let bodies = bodies.clone();
        async move {
            let body = if uri.path() == "/" { bodies.1.clone() } else { bodies.0.clone() };
            (StatusCode::OK, [(header::CONTENT_ENCODING, "gzip")], body)
        }
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let folder = Folder::new();
    let file = folder.write("config.yaml", &CONFIGURATION.replace("URL", &url));
    // Without it glibc comes to keep large blocks that were given back, one in each thread's arena.
    let threshold = [("MALLOC_MMAP_THRESHOLD_", std::path::Path::new("131072"))];
    let daemon = Process::start(&file, &threshold).await;
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap();
    let ready = async || client.get(format!("http://{}/-/ready", daemon.addr)).send().await.unwrap().status().as_u16();
    until("every target was asked", ready, |status| *status == 200).await;
    daemon.peak_memory()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_takes_more_than_three_times_its_bound() {
    let packed = |text: &str| {
        Shape { name: String::new(), begin: text.to_owned(), again: String::new(), end: String::new() }.packed()
    };
    let idle = peak(packed(r#"{"data":[]}"#), packed(r#"{"Data":[]}"#)).await;
    println!("{:>6.1} MiB  with empty answers", mib(idle));
    let meta = ("data", "ad_id", "marketing_messages_spend");
    let cams = ("Data", "CampaignId", "MarketingMessagesSpend");
    let mut pairs: Vec<_> = shapes(meta.0, meta.1, meta.2).into_iter().zip(shapes(cams.0, cams.1, cams.2)).collect();
    pairs
        .extend((1..=8).map(|seed| (generated(seed, meta.0, meta.1, meta.2), generated(seed, cams.0, cams.1, cams.2))));
    let mut worst = Vec::new();
    for (meta, cams) in pairs {
        let peak = peak(meta.packed(), cams.packed()).await;
        println!("{:>6.1} MiB  {}", mib(peak), meta.name);
        if peak > idle + 3 * MOST as u64 {
            worst.push(format!("{:.1} MiB for {}", mib(peak), meta.name));
        }
    }
    assert!(worst.is_empty(), "more than {:.1} MiB: {worst:#?}", mib(idle + 3 * MOST as u64));
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
