//! No secret leaves by any door but the API's, whatever goes wrong.

use std::time::{Duration, Instant};

use marketing_messages_exporter::simulate::{FaultRule, ScriptedFault, WorldChange};

use crate::cli::command;
use crate::harness::Folder;
use crate::process::Process;

const SECRETS: [&str; 5] =
    ["hush-token-0123456789", "hush-app-secret", "hush-proof", "hush-key-secret", "hush-security-token"];

const CONFIGURATION: &str = "
poll: {interval: 1s, timeout: 1s, max_response: 1MiB}
meta:
  main:
    token: hush-token-0123456789
    app_id: 42
    app_secret: hush-app-secret
    base_url: URL
    accounts: [{id: 1001, windows: [last_7d]}, {id: 1002, windows: [last_7d]}]
cams:
  sg:
    access_key_id: key-id
    access_key_secret: hush-key-secret
    security_token: hush-security-token
    endpoint: URL
    requests_per_second: 50
    channels: [{cust_space_id: cams-demo, page_id: 323456789012345, ad_account_id: 2399887766, campaigns: all}]
";

/// Every fault, each with a text that quotes what it should not.
fn faults() -> Vec<ScriptedFault> {
    // What each of the APIs could know.
    let quoting = "hush-token-0123456789 hush-app-secret https://x/?appsecret_proof=hush-proof&a=b";
    let keys = "hush-key-secret hush-security-token";
    let graph = |status, code, subcode| ScriptedFault::Graph { status, code, subcode, message: format!("x {quoting}") };
    let raw = |status, body: &str| ScriptedFault::Raw { status, body: body.to_owned(), headers: Vec::new() };
    vec![
        graph(400, 100, None),
        graph(400, 190, Some(463)),
        graph(400, 104, None),
        graph(400, 4, None),
        graph(400, 17, Some(2_446_079)),
        graph(400, 2635, None),
        graph(400, 424_242, None),
        graph(500, 1, None),
        ScriptedFault::Gateway { status: 400, code: "SignatureDoesNotMatch".into() },
        ScriptedFault::Gateway { status: 400, code: format!("Odd {keys}") },
        ScriptedFault::Business { code: "InvalidParameter".into() },
        raw(400, &format!(r#"{{"Code":"Unheard","Message":"{keys}"}}"#)),
        raw(200, quoting),
        raw(504, &format!("<html>{quoting}</html>")),
        raw(302, ""),
        ScriptedFault::Header { name: "facebook-api-version".into(), value: "v99".into() },
        ScriptedFault::Header { name: "x-ad-api-version-warning".into(), value: format!("old {quoting}") },
        ScriptedFault::Truncated,
        ScriptedFault::Reset,
        ScriptedFault::Stall,
        ScriptedFault::Huge { bytes: 2 << 20 },
    ]
}

/// The daemon as a process of its own, with all that it says at trace level, against every fault.
#[tokio::test(flavor = "multi_thread")]
async fn no_log_page_or_metric_holds_a_secret() {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for fault in faults() {
        let mut world = marketing_messages_exporter::simulate::Spec::fleet(2, 2);
        world.tokens[0].text = SECRETS[0].to_owned();
        world.app = Some(("42".into(), "hush-app-secret".into()));
        let demo = marketing_messages_exporter::simulate::Spec::demo();
        world.channels = demo.channels;
        world.keys = demo.keys;
        world.keys[0].id = "key-id".into();
        world.keys[0].secret = "hush-key-secret".into();
        world.keys[0].security_token = Some("hush-security-token".into());
        let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let simulation = marketing_messages_exporter::simulate::Simulation::bind(world, any).await.unwrap();
        let (control, url) = (simulation.control(), format!("http://{}", simulation.addr()));
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { simulation.run(std::future::pending()).await.unwrap() });
        let rule =
            FaultRule { endpoint: String::new(), contains: String::new(), skip: 0, times: 6, fault: fault.clone() };
        control.change(WorldChange::Fault(rule));

        let folder = Folder::new();
        let file = folder.write("config.yaml", &CONFIGURATION.replace("URL", &url)).display().to_string();
        let log = folder.0.join("log");
        let command = command(&["--config.file", &file, "--log.level", "trace"]);
        let mut daemon = Process::spawn_logging(command, &folder.0, &log);
        let mut said = String::new();
        let deadline = Instant::now() + Duration::from_mins(1);
        while control.leftover_faults() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
            // Faults that stop a lane leave some of the script over: that is what they are for.
            if control.leftover_faults() < 6 && control.statistics().total > 12 {
                break;
            }
            if matches!(fault, ScriptedFault::Graph { .. } | ScriptedFault::Gateway { .. })
                && control.leftover_faults() < 4
            {
                break;
            }
        }
        for path in ["/metrics", "/", "/api/v1/targets", "/config", "/-/ready", "/nothing"] {
            said += &client.get(format!("http://{}{path}", daemon.addr)).send().await.unwrap().text().await.unwrap();
        }
        daemon.child.signal("-TERM");
        daemon.child.wait();
        said += &std::fs::read_to_string(&log).unwrap();
        assert!(said.contains("level=trace") || said.contains("level=info"), "it said nothing: {said}");
        for secret in SECRETS {
            let line = said.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{fault:?} brought {secret} to light: {line:?}");
        }
    }
}
