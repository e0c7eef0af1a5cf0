//! Warm start: what a restart keeps, and what becomes of files that cannot be read.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use marketing_messages_exporter::domain::rows::{Column, Figure, Row, Rows};
use marketing_messages_exporter::domain::saved::{SavedRows, SavedState, SavedTarget};
use marketing_messages_exporter::domain::target::{CampaignId, Source, Subject, TargetKey, Window};
use marketing_messages_exporter::domain::time::UnixSeconds;
use marketing_messages_exporter::simulate::{Channel, Key, ScriptedFault, Spec};
use marketing_messages_exporter::state::{self, StateFileError};

use crate::harness::{Folder, TestApp, eventually};
use crate::process::Process;

const CONFIGURATION: &str = "
poll: {interval: 1h, stale_after: 8h}
state: {file: DIR/state}
meta:
  main:
    token_file: DIR/token
    base_url: URL
    accounts: [{id: 1001, windows: [today, last_7d]}]
    campaigns: [{id: 1003000001, windows: [last_7d]}, {id: 1003000002, windows: [last_7d]}]
cams:
  sg:
    access_key_id: key-id
    access_key_secret: key-secret
    endpoint: URL
    requests_per_second: 100
    channels: [{cust_space_id: cams-a, page_id: 77, ad_account_id: 1002, campaigns: all}]
";

fn world() -> Spec {
    let mut spec = Spec::fleet(3, 3);
    let account = spec.accounts.remove(1);
    spec.channels.push(Channel { space: "cams-a".into(), page: 77, account });
    spec.keys.push(Key { id: "key-id".into(), secret: "key-secret".into(), security_token: None, per_second: None });
    spec
}

/// The lines of campaigns, accounts and targets: all but what the process says of itself.
fn figures(body: &str) -> Vec<&str> {
    let ours = |line: &&str| {
        line.starts_with("marketing_messages_")
            && (!line.starts_with("marketing_messages_exporter_")
                || line.starts_with("marketing_messages_exporter_target_"))
    };
    body.lines().filter(ours).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_shows_everything_and_asks_for_nothing() {
    let mut app = TestApp::start(world(), CONFIGURATION).await;
    app.ready().await;
    let joined = "target=\"account\"";
    let before = app
        .eventually("everything is known", |m| {
            m.count("marketing_messages_campaign_info", &["campaign_name=\"C"]) == 3 + 3 + 2
                && m.count("marketing_messages_account_info", &[]) == 3
                && m.count("marketing_messages_exporter_target_up", &["account_id=\"1003\"", joined, "} 1"]) == 1
        })
        .await;
    app.stop().await;
    let asked = app.control.statistics().total;
    app.run();
    assert_eq!(app.get("/-/ready").await.0, 200, "ready from the start");
    let after = app.metrics().await;
    let (before, shown) = (figures(&before.0), figures(&after.0));
    let odd = before.iter().zip(&shown).find(|(before, after)| before != after);
    assert_eq!((odd, before.len()), (None, shown.len()));
    assert_eq!(after.count("marketing_messages_exporter_state_restored_targets", &[]), 1);
    assert_eq!(app.control.statistics().total, asked, "nothing is due");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_question_is_asked_anew_and_a_target_that_went_is_gone() {
    let mut app = TestApp::start(world(), CONFIGURATION).await;
    app.ready().await;
    app.stop().await;
    let file = app.folder.0.join("config.yaml");
    let changed = std::fs::read_to_string(&file).unwrap();
    let changed = changed.replace("windows: [today, last_7d]}]", "windows: [last_7d], campaigns: [1001000002]}]");
    std::fs::write(&file, changed).unwrap();
    let asked = app.control.statistics().endpoints["insights"];
    app.run();
    let metrics = app.ready().await;
    assert_eq!(metrics.count("marketing_messages_delivered", &["account_id=\"1001\""]), 1);
    assert_eq!(metrics.count("marketing_messages_account_delivered", &["account_id=\"1001\""]), 1, "the totals stay");
    assert_eq!(metrics.count("marketing_messages_delivered", &["window=\"today\""]), 0);
    assert_eq!(app.control.statistics().endpoints["insights"], asked + 1, "only the changed list is asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_outlives_a_restart() {
    let mut app = TestApp::start(world(), CONFIGURATION).await;
    let spent = r#"{"error":{"message":"too many calls","code":80000,"error_subcode":2446079}}"#;
    let usage = ("x-ad-account-usage".to_owned(), r#"{"acc_id_util_pct":100,"reset_time_duration":600}"#.to_owned());
    let fault = ScriptedFault::Raw { status: 400, body: spent.to_owned(), headers: vec![usage] };
    app.script("insights", "act_1001", 1, fault);
    app.eventually("blocked", |m| m.failures("throttled") == 1.0).await;
    app.stop().await;
    let refused = app.control.statistics().total;
    app.run();
    let until = |m: &crate::harness::Exposition| {
        m.value("marketing_messages_exporter_api_blocked_until_timestamp_seconds", &["account_id=\"1001\""])
    };
    // It is shown when the first poll of any target ends.
    app.eventually("the others are polled", |m| until(m).is_some() || m.count("marketing_messages_delivered", &[]) > 0)
        .await;
    let asked: Vec<_> = app.control.statistics().endpoints.into_iter().collect();
    assert!(app.control.statistics().total >= refused, "{asked:?}");
    assert_eq!(app.metrics().await.count("marketing_messages_delivered", &["account_id=\"1001\""]), 0);
}

/// The daemon as a process of its own, killed again and again: each life begins where the last one ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemon_goes_on_where_it_was() {
    let app = TestApp::start(
        world(),
        "poll: {interval: 8h}\nmeta: {main: {token_file: DIR/token, base_url: URL, accounts: [{id: 1001}]}}",
    )
    .await;
    let file = app.folder.write("killed.yaml", &std::fs::read_to_string(app.folder.0.join("config.yaml")).unwrap());
    let state = app.folder.0.join("killed-state");
    let mut asked = None;
    for round in 0..6_u64 {
        let daemon = Process::start(&file, &[("MME__STATE__FILE", &state)]);
        let is_named = || state::read(&state).ok().flatten().is_some_and(|state| !state.listings.is_empty());
        eventually("the state is kept, names and all", async || is_named()).await;
        let body = daemon.get("/metrics").await;
        let delivered = body.lines().filter(|line| line.starts_with("marketing_messages_delivered{")).count();
        assert_eq!(delivered, 3 * 3, "round {round}");
        let total = app.control.statistics().total;
        assert_eq!(*asked.get_or_insert(total), total, "round {round}: nothing is due");
        tokio::time::sleep(Duration::from_millis(round * 17)).await;
        drop(daemon);
    }
}

#[test]
fn what_cannot_be_read_is_set_aside() {
    let folder = Folder::new();
    let path = folder.0.join("state");
    state::write(&path, &some_state(3)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&whole[..]).read_to_string(&mut text).unwrap();
    let packed = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let lines: Vec<_> = text.lines().collect();
    let cases: [(&str, Vec<u8>); 8] = [
        ("not a state file", b"{}".to_vec()),
        ("not a state file", Vec::new()),
        ("not a state file", packed("{\"format\":\"something else\",\"version\":1}\n")),
        ("newer", packed(&text.replacen("\"version\":1", "\"version\":2", 1))),
        ("damaged", whole[..whole.len() - 5].to_vec()),
        ("damaged", flipped),
        ("damaged", packed(&lines[..lines.len() - 1].join("\n"))),
        ("damaged", packed(&[lines[0], lines[2], lines[lines.len() - 1]].join("\n"))),
    ];
    for (number, (what, bytes)) in (1..).zip(cases) {
        std::fs::write(&path, &bytes).unwrap();
        let error = state::read(&path).unwrap_err().to_string();
        assert!(error.contains(what), "{what}: {error}");
        assert_eq!(state::load(&path), None);
        let end = if number == 1 { String::new() } else { format!(".{number}") };
        let aside = format!("{}.unreadable{end}", path.display());
        assert_eq!(std::fs::read(&aside).unwrap(), bytes, "it is kept beside those before");
        assert!(matches!(state::read(&path), Ok(None)), "and out of the way");
    }
    assert!(matches!(state::read(&folder.0), Err(StateFileError::Foreign | StateFileError::Closed(_))), "a folder");
}

/// A state that tells its number in every place, and is the longer the larger it is.
fn some_state(number: u32) -> SavedState {
    let key = TargetKey {
        source: Source::META,
        account: None,
        subject: Subject::Campaigns,
        credential: "main".into(),
        part: 0,
        window: Window::Preset("today"),
    };
    let row = |id: u32| Row {
        account: None,
        campaign: CampaignId::parse(&(id + 1).to_string()).ok(),
        currency: None,
        days: None,
        figures: vec![Figure { column: Column { metric: 0, action: None }, value: f64::from(number) }],
    };
    let rows = Arc::new(Rows::new((0..10 * (number % 100)).map(row).collect()));
    let kept = |part: u32| {
        let at = UnixSeconds::new(f64::from(number));
        let rows = Some(SavedRows { account: None, expires: at, older: Vec::new(), rows: rows.clone() });
        (TargetKey { part, ..key.clone() }, SavedTarget { due: at, rows, ..SavedTarget::default() })
    };
    SavedState { targets: (0..4).map(kept).collect(), ..SavedState::default() }
}

/// Where the child of [`a_kill_at_any_moment_leaves_a_whole_file`] writes to.
const WRITES_TO: &str = "MME_IT_WRITES_STATES_TO";

/// No test by itself: what the next one starts as a process of its own, to kill it.
#[test]
#[ignore = "it writes for ever"]
fn writes_states_for_ever() {
    let path = std::env::var(WRITES_TO).unwrap();
    for number in 1.. {
        state::write(Path::new(&path), &some_state(number)).unwrap();
    }
}

#[test]
fn a_kill_at_any_moment_leaves_a_whole_file() {
    let folder = Folder::new();
    let path = folder.0.join("state");
    let new = path.with_extension("new");
    let mut halves = 0;
    for round in 0..300_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["restart::writes_states_for_ever", "--exact", "--ignored"])
            .env(WRITES_TO, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Some write is under way at any moment; which one is left to the scheduler and this wait.
        let (begun, wait) = (Instant::now(), Duration::from_micros(round * 7919 % 20_000));
        let deadline = begun + Duration::from_mins(1);
        while !path.exists() && Instant::now() < deadline {
            std::hint::spin_loop();
        }
        std::thread::sleep(wait);
        child.kill().unwrap();
        child.wait().unwrap();
        let state = state::read(&path).expect("the file is whole").expect("there is one");
        let number = state.targets.values().next().unwrap().due.as_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it counts from one")]
        let expected = some_state(number as u32);
        assert_eq!(state, expected, "and holds one state");
        halves += u32::from(new.exists());
        std::fs::remove_file(&path).unwrap();
    }
    assert!(halves > 20, "some kills came in the middle of a file: {halves}");
}
