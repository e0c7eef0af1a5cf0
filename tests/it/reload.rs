//! Other settings while polling goes on.

use marketing_messages_exporter::simulate::{ScriptedFault, Spec};

use crate::harness::{TestApp, eventually};

const CONFIGURATION: &str = "
poll: {interval: 1h, stale_after: 8h}
meta:
  main:
    token_file: DIR/token
    base_url: URL
    accounts: [{id: 1001, windows: [last_7d]}, {id: 1002, windows: [last_7d]}]
";

const SUCCESS: &str = "marketing_messages_exporter_config_last_reload_successful";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_same_is_neither_asked_for_nor_touched() {
    let mut app = TestApp::start(Spec::fleet(3, 3), CONFIGURATION).await;
    let before = app.ready().await;
    let asked = app.control.statistics().endpoints["insights"];
    app.reload("{id: 1002, windows: [last_7d]}", "{id: 1003, windows: [last_7d]}").await.unwrap();
    let after = app
        .eventually("the new account is there", |m| {
            m.count("marketing_messages_delivered", &["1003"]) == 3
                && m.count("marketing_messages_account_delivered", &["1003"]) == 1
        })
        .await;
    assert_eq!(after.count("marketing_messages_delivered", &["account_id=\"1002\""]), 0, "the old one went");
    assert!(!after.0.contains("account_id=\"1002\""), "with everything that was told of it");
    assert_eq!(app.control.statistics().endpoints["insights"], asked + 1, "the new account's rows");
    let family = "marketing_messages_exporter_target_last_success_timestamp_seconds";
    let one = ["account_id=\"1001\"", "target=\"account\""];
    assert_eq!(after.value(family, &one), before.value(family, &one));
    assert_eq!(after.value(SUCCESS, &[]), Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_and_intervals_change_without_a_request() {
    let mut app = TestApp::start(Spec::fleet(2, 3), CONFIGURATION).await;
    app.ready().await;
    app.eventually("names are known", |m| m.count("marketing_messages_account_info", &[]) == 2).await;
    let asked = app.control.statistics().total;
    app.reload("base_url", "labels: {team: growth}\n    interval: 2h\n    base_url").await.unwrap();
    let after = app
        .eventually("labels are there", |m| m.count("marketing_messages_delivered", &["team=\"growth\""]) == 6)
        .await;
    for family in ["account_info", "campaign_info", "account_spend", "window_start_timestamp_seconds"] {
        let family = format!("marketing_messages_{family}");
        assert_eq!(after.count(&family, &["team=\"growth\""]), after.count(&family, &[]), "{family}");
    }
    let interval = "marketing_messages_exporter_target_poll_interval_seconds";
    assert_eq!(after.count(interval, &["} 7200"]), 4);
    assert_eq!(app.control.statistics().total, asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_changes_nothing() {
    let mut app = TestApp::start(Spec::fleet(2, 3), CONFIGURATION).await;
    app.ready().await;
    let problems = app.reload("interval: 1h", "interval: soon, concurrence: 3").await.unwrap_err();
    assert!(problems.contains("poll.interval") && problems.contains("poll.concurrence"), "{problems}");
    let metrics = app.metrics().await;
    assert_eq!(metrics.value(SUCCESS, &[]), Some(0.0));
    assert_eq!(metrics.count("marketing_messages_delivered", &[]), 6);
    app.reload("interval: soon, concurrence: 3", "interval: 1h").await.unwrap();
    assert_eq!(app.metrics().await.value(SUCCESS, &[]), Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_outlives_a_reload_and_another_token_ends_a_refusal() {
    let mut app = TestApp::start(Spec::fleet(2, 3), CONFIGURATION).await;
    app.ready().await;
    let dead = ScriptedFault::Graph { status: 400, code: 190, subcode: Some(463), message: "expired".into() };
    app.script("insights", "", 10_000, dead);
    app.reload("interval: 1h", "interval: 1s").await.unwrap();
    app.eventually("the token is refused", |m| m.failures("unauthorized") >= 1.0).await;
    let refused = app.control.statistics().endpoints["insights"];
    app.reload("interval: 1s", "interval: 2s").await.unwrap();
    assert_eq!(app.control.statistics().endpoints["insights"], refused, "a dead token is left alone");
    std::fs::copy(app.folder.0.join("token"), app.folder.0.join("other-token")).unwrap();
    app.reload(
        "DIR/token".replace("DIR", &app.folder.0.display().to_string()).as_str(),
        &app.folder.0.join("other-token").display().to_string(),
    )
    .await
    .unwrap();
    eventually("another file is tried at once", async || app.control.statistics().endpoints["insights"] != refused)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_under_load_lose_no_sample_and_leak_nothing() {
    let mut app = TestApp::start(Spec::fleet(3, 40), CONFIGURATION).await;
    app.reload("interval: 1h", "interval: 1s").await.unwrap();
    app.ready().await;
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    app.eventually("names are known", |m| m.count("marketing_messages_account_info", &[]) == 2).await;
    let before = (tasks(), descriptors());
    for round in 0..100 {
        let (from, to) =
            if round % 2 == 0 { ("1002, windows", "1003, windows") } else { ("1003, windows", "1002, windows") };
        app.reload(from, to).await.unwrap();
        let metrics = app.metrics().await;
        assert_eq!(metrics.count("marketing_messages_delivered", &["account_id=\"1001\""]), 40, "round {round}");
        metrics.assert_well_formed();
    }
    let now = (tasks(), descriptors());
    // Requests and scrapes under way make a difference of a few; a leak would be a hundred.
    assert!(now.0 <= before.0 + 20 && now.1 <= before.1 + 40, "tasks and descriptors: {before:?}, then {now:?}");
}
