//! Changes of configuration, credentials and processes over sockets; `tests/simulation` plays many more of them.

use marketing_messages_exporter::simulate::{ScriptedFault, Spec, WorldChange};

use crate::harness::{TestApp, eventually};

const CONFIGURATION: &str = "
poll: {interval: 1h, stale_after: 8h}
state: {file: DIR/state}
meta:
  main:
    token_file: DIR/token
    base_url: URL
    api_version: v26.0
    accounts:
      - {id: 1001, windows: [last_7d], totals: false, campaigns: ['1001000001', '1001000002']}
      - {id: 1002, windows: [last_7d], totals: false, interval: 1s}
";

const DELIVERED: &str = "marketing_messages_delivered";
const UP: &str = "marketing_messages_exporter_target_up";
const VERSION: &str = "marketing_messages_exporter_api_version_info";
const RESTORED: &str = "marketing_messages_exporter_state_restored_targets";

fn refusal(status: u16, code: i64) -> ScriptedFault {
    ScriptedFault::Graph { status, code, subcode: None, message: "no".into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_a_reload_raises_is_asked_for_and_the_former_one_is_told_no_more() {
    let mut app = TestApp::start(Spec::fleet(2, 3), CONFIGURATION).await;
    app.ready().await;
    app.eventually("the version is told", |m| m.count(VERSION, &["requested=\"v26.0\""]) == 1).await;
    app.reload("v26.0", "v27.0").await.unwrap();
    let after =
        app.eventually("the next one", |m| m.count(VERSION, &["requested=\"v27.0\"", "served=\"v27.0\""]) == 1).await;
    assert_eq!(after.count(VERSION, &[]), 1);
    assert_eq!(after.count(DELIVERED, &[]), 5, "no sample left for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_list_keeps_the_samples_of_campaigns_that_stay_while_the_api_is_down() {
    let mut app = TestApp::start(Spec::fleet(2, 3), CONFIGURATION).await;
    app.ready().await;
    app.script("insights", "act_1001", 10_000, refusal(500, 2));
    app.reload("['1001000001', '1001000002']", "['1001000002', '1001000003']").await.unwrap();
    let down =
        app.eventually("the new list is asked for", |m| m.value(UP, &["account_id=\"1001\""]) == Some(0.0)).await;
    assert_eq!(down.count(DELIVERED, &["campaign_id=\"1001000002\""]), 1, "it is in both lists");
    assert_eq!(down.count(DELIVERED, &["campaign_id=\"1001000001\""]), 0, "it left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_a_shorter_interval_does_not_wait_for_the_former_one() {
    let mut app = TestApp::start(Spec::fleet(2, 3), &CONFIGURATION.replace(", interval: 1s", "")).await;
    app.ready().await;
    app.stop().await;
    let asked = app.control.statistics().endpoints["insights"];
    let file = app.folder.0.join("config.yaml");
    let shorter = std::fs::read_to_string(&file).unwrap().replace("interval: 1h", "interval: 1s");
    std::fs::write(&file, shorter).unwrap();
    app.run();
    assert_eq!(app.metrics().await.count(RESTORED, &[]), 1);
    eventually("both are polled again", async || app.control.statistics().endpoints["insights"] >= asked + 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_keys_end_the_back_off_of_what_the_former_ones_were_forbidden() {
    let mut app = TestApp::start(Spec::fleet(2, 3), CONFIGURATION).await;
    app.script("insights", "act_1001", 1, refusal(403, 200));
    app.eventually("it is forbidden", |m| m.failures("forbidden") == 1.0).await;
    app.control.change(WorldChange::SetToken("main".into(), "token-new".into()));
    let new = app.folder.write("token.new", "token-new\n");
    std::fs::rename(new, app.folder.0.join("token")).unwrap();
    app.eventually("it is tried at once", |m| m.value(UP, &["account_id=\"1001\""]) == Some(1.0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_daemons_on_one_state_file_the_second_goes_on_without() {
    let mut first = TestApp::start(Spec::fleet(2, 3), CONFIGURATION).await;
    first.ready().await;
    let state = first.folder.0.join("state").display().to_string();
    let mut second = TestApp::start(Spec::fleet(2, 3), &CONFIGURATION.replace("DIR/state", &state)).await;
    let shown = second.ready().await;
    assert_eq!((shown.count(DELIVERED, &[]), shown.count(RESTORED, &[])), (5, 0));
    second.stop().await;
    first.stop().await;
    first.run();
    assert_eq!(first.metrics().await.count(DELIVERED, &[]), 5, "the file is the first one's still");
}
