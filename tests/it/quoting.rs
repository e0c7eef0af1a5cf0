//! APIs that quote secrets in everything they say: in each form that a text takes on its way, across
//! each place where it is cut. Every output of every command is looked through.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::json;
use tokio::task::JoinSet;

use crate::cli::command;
use crate::harness::{Folder, eventually};
use crate::process::Process;

/// Letters in a row that count as part of a secret.
const FRAGMENT_CHARS: usize = 12;

const SECRETS: [&str; 5] = [
    "EAAGm0PX4ZCpsBAKZCbv+Tz/0123=456789abcdefghijklmnopqrstuvwxyz",
    "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "LTAI5tHushKeyId0123456789",
    "hushKey/Secret+0123456789=abcdef",
    "CAISHush/Token+with=chars==0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
];

/// The token that the first one takes the place of.
const ROTATED: &str = "EAAGoldPX4ZCpsRotated9876543210zyxwvutsrq";

const CONFIGURATION: &str = "
poll: {interval: 1h, timeout: 5s, concurrency: 64}
state: {file: DIR/state}
meta:
  main:
    token_file: DIR/token
    app_id: 42
    app_secret: APPSECRET
    base_url: URL
    accounts: [{id: 1001, windows: [last_7d]}, {id: 1002, windows: [last_7d], campaigns: [12, 13]}]
    campaigns: [CAMPAIGNS]
cams:
  sg:
    access_key_id: KEYID
    access_key_secret: KEYSECRET
    security_token: KEYTOKEN
    endpoint: URL
    requests_per_second: 1000
    channels:
      - {cust_space_id: cams-demo, page_id: 3, ad_account_id: 23, campaigns: [CHANNEL]}
      - {cust_space_id: cams-all, page_id: 4, ad_account_id: 24, campaigns: all}
";

/// Single campaigns, each with an answer of its own.
const CAMPAIGNS: usize = 90;

/// What the APIs have quoted so far.
#[derive(Default)]
struct Quoted {
    number: AtomicUsize,
    /// Whether whoever asks had the former token before.
    rotates: AtomicBool,
    proofs: Mutex<BTreeSet<String>>,
}

/// A secret as it is written in its `way`-th form.
fn written(secret: &str, way: usize) -> String {
    let json = |text: &str| json!(text).to_string();
    let hex = |before: &str| secret.bytes().map(|byte| [before, &format!("{byte:02x}")].concat()).collect::<String>();
    let escaped = |upper: bool| {
        let escape = |byte: u8| if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
        let plain = |byte: u8| char::from(byte).to_string();
        secret
            .bytes()
            .map(|byte| if byte.is_ascii_alphanumeric() { plain(byte) } else { escape(byte) })
            .collect::<String>()
    };
    let (start, end) = secret.split_at(secret.len() / 2);
    match way % 11 {
        0 => secret.to_owned(),
        1 => escaped(true),
        2 => escaped(false),
        3 => escaped(true).replace('%', "%25"),
        4 => json(&json(secret)),
        5 => format!("{start}\n{end}"),
        6 => format!("{start}\r\n\t {end}"),
        7 => json(&format!("{start}\n{end}")),
        8 => hex("%"),
        9 => hex("\\u00"),
        _ => secret.chars().skip(way % 7).take(FRAGMENT_CHARS + way % 5).collect(),
    }
}

impl Quoted {
    /// A text that is another each time: some letters, so that the cut falls somewhere else, then a secret.
    fn next(&self, query: &str, bearer: &str) -> String {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let proof = query.split('&').find_map(|part| part.strip_prefix("appsecret_proof=")).unwrap_or_default();
        // It knows the tokens that it was given; the former one only where the same process gave both.
        let known = |secret: &&&str| match ***secret {
            _ if **secret == SECRETS[0] => bearer.contains(SECRETS[0]),
            _ if **secret == ROTATED => bearer.contains(ROTATED) || self.rotates.load(Ordering::Relaxed),
            _ => true,
        };
        let secrets = SECRETS.iter().chain([&ROTATED]).filter(known);
        let mut secrets: Vec<String> = secrets.map(|secret| (*secret).to_owned()).collect();
        if !proof.is_empty() {
            self.proofs.lock().unwrap().insert(proof.to_owned());
            secrets.push(proof.to_owned());
        }
        let count = secrets.len();
        let (secret, way) = (&secrets[number % count], number / count);
        let written = written(secret, way);
        // The cut to 300 characters goes through it at each of its places in turn.
        let before =
            if number % 5 == 4 { number % 7 } else { 300_usize.saturating_sub(number * 7 % written.len().max(1)) };
        format!("{}{written} and more", "x".repeat(before))
    }

    fn answer(&self, uri: &Uri, headers: &HeaderMap) -> (StatusCode, HeaderMap, Bytes) {
        let query = uri.query().unwrap_or_default();
        let bearer = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let next = || self.next(query, bearer);
        let rows = |key: &str, id: &str, name: &str| {
            let row = |n: usize| {
                json!({id: n.to_string(), name: next(), "effective_status": next(), "Status": next(),
                "timezone_name": next(), "account_status": next(), "is_message_campaign": true, "account_id": n.to_string()})
            };
            json!({key: (1..=40).map(row).collect::<Vec<_>>(), "Code": "OK"})
        };
        let action = headers.get("x-acs-action").map(|action| action.to_str().unwrap());
        let (status, body) = match (action, uri.path().rsplit('/').next().unwrap_or_default()) {
            (Some("ListMessageCampaign"), _) => (200, rows("Data", "CampaignId", "CampaignName")),
            (Some("ListPageAdAccount"), _) => {
                (200, json!({"Code": "OK", "Data": [{"AdAccountId": "23", "AdAccountName": next()}]}))
            }
            (Some(_), _) => (400, json!({"Code": next(), "Message": next(), "RequestId": next()})),
            (None, "ads" | "campaigns" | "adaccounts") => (200, rows("data", "id", "name")),
            (None, "debug_token") => (200, json!({"data": {"is_valid": false, "error": {"message": next()}}})),
            (None, node) if node.starts_with("act_") => (
                200,
                json!({"account_id": node.trim_start_matches("act_"),
                "name": next(), "timezone_name": next(), "account_status": next(), "currency": next()}),
            ),
            _ => (
                400,
                json!({"error": {"code": 424_242, "message": next(), "fbtrace_id": next(), "error_subcode": next()}}),
            ),
        };
        let mut fields = HeaderMap::new();
        let text: String = next().chars().filter(|c| (' '..='~').contains(c)).collect();
        fields.insert("x-ad-api-version-warning", text.parse().unwrap());
        fields.insert("facebook-api-version", "v27.0".parse().unwrap());
        (StatusCode::from_u16(status).unwrap(), fields, body.to_string().into())
    }
}

/// The text as it is, and as it is after each of some rounds of undoing its encodings.
fn undone(text: &str) -> Vec<String> {
    let round = |text: &str| {
        let text = text
            .replace("\\\\", "\\")
            .replace("\\\"", "\"")
            .replace("\\u00", "%")
            .replace("\\n", "")
            .replace("\\r", "")
            .replace("\\t", "");
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((first, behind)) = rest.split_first() {
            let escape = behind.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
            if let Some(byte) = escape.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                bytes.push(byte);
                rest = &behind[2..];
            } else {
                bytes.push(*first);
                rest = behind;
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let mut all = vec![text.to_owned()];
    for _ in 0..3 {
        all.push(round(all.last().unwrap()));
    }
    let without = |text: &String| text.chars().filter(|c| !c.is_whitespace()).collect();
    let joined: Vec<String> = all.iter().map(without).collect();
    all.extend(joined);
    all
}

/// Where a part of a secret is shown.
pub(crate) fn hits(output: &str, secrets: &[String]) -> Vec<String> {
    let fragments: BTreeSet<&[u8]> =
        secrets.iter().flat_map(|secret| secret.as_bytes().windows(FRAGMENT_CHARS)).collect();
    let shown = |text: &String| {
        let at = text.as_bytes().windows(FRAGMENT_CHARS).position(|window| fragments.contains(window))?;
        Some(String::from_utf8_lossy(&text.as_bytes()[at.saturating_sub(60)..(at + 60).min(text.len())]).into_owned())
    };
    undone(output).iter().filter_map(shown).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_output_holds_twelve_characters_of_a_secret() {
    let quoted: Arc<Quoted> = Arc::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let apis = quoted.clone();
    let router = Router::new().fallback(move |uri: Uri, headers: HeaderMap| async move { apis.answer(&uri, &headers) });
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });

    let folder = Folder::new();
    folder.write("token", ROTATED);
    let ids = |first: usize| (first..first + CAMPAIGNS).map(|id| id.to_string()).collect::<Vec<_>>();
    let campaigns: Vec<_> = ids(5000).iter().map(|id| format!("{{id: {id}, windows: [last_7d]}}")).collect();
    let configuration = CONFIGURATION
        .replace("URL", &url)
        .replace("DIR", &folder.0.display().to_string())
        .replace("CAMPAIGNS", &campaigns.join(", "))
        .replace("CHANNEL", &ids(7000).join(", "))
        .replace("APPSECRET", SECRETS[1])
        .replace("KEYID", SECRETS[2])
        .replace("KEYSECRET", SECRETS[3])
        .replace("KEYTOKEN", SECRETS[4]);
    let file = folder.write("config.yaml", &configuration).display().to_string();

    quoted.rotates.store(true, Ordering::Relaxed);
    let mut outputs = daemon(&folder, &file, &quoted).await;
    quoted.rotates.store(false, Ordering::Relaxed);
    for arguments in [
        &["check"][..],
        &["check", "--print"],
        &["check", "--online"],
        &["plan"],
        &["discover"],
        &["discover", "--output", "yaml"],
        &["once"],
    ] {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--config.file", &file, "--log.level", "trace"]);
        let name = arguments.join(" ");
        let output = tokio::task::spawn_blocking({
            let mut command: Command = command(&arguments);
            move || command.output().unwrap()
        });
        let output = output.await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        outputs.push((name, text));
    }

    let proofs = quoted.proofs.lock().unwrap().clone();
    assert!(!proofs.is_empty(), "no proof was sent");
    let secrets: Vec<String> = SECRETS.iter().chain([&ROTATED]).map(|s| (*s).to_owned()).chain(proofs).collect();
    let mut found = Vec::new();
    for (name, text) in &outputs {
        assert!(!text.is_empty(), "{name} says nothing");
        found.extend(hits(text, &secrets).into_iter().map(|hit| format!("{name}: {hit}")));
    }
    assert!(outputs.iter().filter(|(_, text)| text.contains("<secret>")).count() >= 6, "the APIs' texts are shown");
    println!(
        "{} outputs of {} bytes looked at for {} secrets ({} of them proofs), quoted {} times across a cut or encoded: {} hits",
        outputs.len(),
        outputs.iter().map(|(_, text)| text.len()).sum::<usize>(),
        secrets.len(),
        secrets.len() - SECRETS.len() - 1,
        quoted.number.load(Ordering::Relaxed),
        found.len()
    );
    assert!(found.is_empty(), "{found:#?}");
}

/// What a daemon says and shows and writes while its token is replaced.
async fn daemon(folder: &Folder, file: &str, quoted: &Quoted) -> Vec<(String, String)> {
    let log = folder.0.join("log");
    let command = command(&["--config.file", file, "--log.level", "trace"]);
    let mut daemon = Process::spawn_logging(command, &folder.0, &log);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let address = daemon.addr;
    let get =
        async |path: &str| client.get(format!("http://{address}{path}")).send().await.unwrap().text().await.unwrap();
    eventually("some answers came", async || quoted.number.load(Ordering::Relaxed) > 20).await;
    folder.write("token", SECRETS[0]);
    let targets = 2 * CAMPAIGNS;
    eventually("every target failed or succeeded once", async || {
        get("/metrics").await.lines().filter(|line| line.starts_with("marketing_messages_exporter_target_up{")).count()
            >= targets
    })
    .await;
    let mut outputs = Vec::new();
    for path in ["/metrics", "/", "/api/v1/targets", "/config", "/-/ready", "/nothing"] {
        outputs.push((path.to_owned(), get(path).await));
    }
    daemon.child.signal("-TERM");
    daemon.child.wait();
    let state = std::fs::read(folder.0.join("state")).unwrap();
    let mut plain = String::from_utf8_lossy(&state).into_owned();
    // The state is packed.
    let mut reader = flate2::read::MultiGzDecoder::new(&*state);
    let _ = std::io::Read::read_to_string(&mut reader, &mut plain);
    outputs.push(("state".to_owned(), plain));
    outputs.push(("log".to_owned(), std::fs::read_to_string(&log).unwrap()));
    outputs
}
