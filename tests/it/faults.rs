//! What a scrape shows when the APIs do not do what they promise.

use marketing_messages_exporter::simulate::{Channel, Key, ScriptedFault, Spec, WorldChange};
use serde_json::json;

use crate::harness::{Exposition, TestApp, eventually};
use crate::process::Process;

const TWO_ACCOUNTS: &str = "
poll: {interval: 1s, timeout: 2s, max_response: 1MiB}
meta:
  main:
    token_file: DIR/token
    base_url: URL
    accounts:
      - {id: 1001, windows: [last_7d], totals: false}
      - {id: 1002, windows: [last_7d], totals: false}
";

const UP: &str = "marketing_messages_exporter_target_up";
const LAST_SUCCESS: &str = "marketing_messages_exporter_target_last_success_timestamp_seconds";

fn raw(status: u16, body: &str, headers: &[(&str, &str)]) -> ScriptedFault {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ScriptedFault::Raw { status, body: body.to_owned(), headers }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_account_waits_and_recovers_while_another_goes_on() {
    let mut app = TestApp::start(Spec::fleet(2, 2), TWO_ACCOUNTS).await;
    let before = app.ready().await.value(LAST_SUCCESS, &["1002"]).unwrap();
    let spent = r#"{"error":{"message":"too many calls","code":80000,"error_subcode":2446079}}"#;
    let usage = ("x-ad-account-usage", r#"{"acc_id_util_pct":100,"reset_time_duration":3}"#);
    app.script("insights", "act_1001", 1, raw(400, spent, &[usage]));
    let blocked = app.eventually("the account is blocked", |m| m.value(UP, &["1001"]) == Some(0.0)).await;
    assert_eq!(blocked.failures("throttled"), 1.0);
    assert_eq!(
        blocked.value("marketing_messages_exporter_api_blocked_until_timestamp_seconds", &[]).map(|_| ()),
        Some(())
    );
    assert_eq!(blocked.count("marketing_messages_delivered", &["1001"]), 2, "the last good samples stay");
    let asked = app.control.statistics().endpoints["insights"];
    let other = app.eventually("the other goes on", |m| m.value(LAST_SUCCESS, &["1002"]).unwrap() > before + 1.5).await;
    assert_eq!(other.value(UP, &["1001"]), Some(0.0), "still blocked");
    assert!(app.control.statistics().endpoints["insights"] > asked);
    app.eventually("it recovers", |m| m.value(UP, &["account_id=\"1001\""]) == Some(1.0)).await;
    assert_eq!(app.control.leftover_faults(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_field_costs_one_sample() {
    let mut app = TestApp::start(Spec::fleet(2, 2), TWO_ACCOUNTS).await;
    app.ready().await;
    let value = json!("not a number");
    app.script("insights", "act_1001", 1_000, ScriptedFault::Value { field: "marketing_messages_spend".into(), value });
    let metrics = app
        .eventually("the sample is gone", |m| m.count("marketing_messages_spend", &["account_id=\"1001\""]) == 1)
        .await;
    assert_eq!(metrics.count("marketing_messages_delivered", &["account_id=\"1001\""]), 2);
    assert_eq!(metrics.value(UP, &["account_id=\"1001\""]), Some(1.0));
    let rejected = metrics.value("marketing_messages_exporter_samples_rejected_total", &["field=\"spend\""]);
    assert!(rejected >= Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_a_counted_fault_and_the_last_good_samples_stay() {
    let mut app = TestApp::start(Spec::fleet(2, 2), TWO_ACCOUNTS).await;
    app.ready().await;
    for (reason, fault) in [
        ("malformed", ScriptedFault::Truncated),
        ("unavailable", raw(504, "<html>Gateway Timeout</html>", &[("content-type", "text/html")])),
        ("malformed", raw(200, "Service Unavailable", &[])),
        ("unavailable", ScriptedFault::Reset),
        ("timeout", ScriptedFault::Stall),
        ("too_large", ScriptedFault::Huge { bytes: 200 << 20 }),
        ("unavailable", raw(302, "", &[("location", "http://127.0.0.1:1/")])),
        ("not_found", ScriptedFault::Graph { status: 400, code: 100, subcode: Some(33), message: "x".into() }),
    ] {
        let before = app.metrics().await.failures(reason);
        app.script("insights", "act_1001", 1, fault.clone());
        let metrics = app.eventually(&format!("{fault:?}"), |m| m.failures(reason) > before).await;
        assert_eq!(metrics.count("marketing_messages_delivered", &["account_id=\"1001\""]), 2, "{fault:?}");
        assert_eq!(metrics.count("marketing_messages_delivered", &["account_id=\"1002\""]), 2, "{fault:?}");
        app.eventually("it recovers", |m| m.value(UP, &["account_id=\"1001\""]) == Some(1.0)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_is_never_held() {
    let mut app = TestApp::start(Spec::fleet(2, 2), TWO_ACCOUNTS).await;
    app.ready().await;
    app.stop().await;
    app.script("insights", "act_1001", 1, ScriptedFault::Huge { bytes: 200 << 20 });
    let daemon = Process::start(&app.folder.0.join("config.yaml"), &[]);
    eventually("it is asked", async || app.control.leftover_faults() == 0).await;
    let refused = async || Exposition(daemon.get("/metrics").await).failures("too_large") > 0.0;
    eventually("it is too large", refused).await;
    assert!(daemon.peak_memory() < 100 << 20, "{} bytes", daemon.peak_memory());
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_samples_leave() {
    let configuration = TWO_ACCOUNTS.replace("interval: 1s,", "interval: 1s, stale_after: 2s,");
    let mut app = TestApp::start(Spec::fleet(2, 2), &configuration).await;
    app.ready().await;
    app.script("insights", "act_1001", 1_000, raw(503, "", &[]));
    let metrics =
        app.eventually("they leave", |m| m.count("marketing_messages_delivered", &["account_id=\"1001\""]) == 0).await;
    assert_eq!(metrics.count("marketing_messages_delivered", &["account_id=\"1002\""]), 2);
    assert_eq!(metrics.value(UP, &["account_id=\"1001\""]), Some(0.0));
    assert_eq!(metrics.count("marketing_messages_exporter_samples", &[]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_fails_keeps_the_rows_of_the_others() {
    let mut app = TestApp::start(Spec::fleet(1, 600), TWO_ACCOUNTS.split("      - {id: 1002").next().unwrap()).await;
    app.ready().await;
    app.script("insights", "after", 1, raw(503, "", &[]));
    let metrics = app.eventually("the second page failed", |m| m.failures("partial") == 1.0).await;
    assert_eq!(metrics.count("marketing_messages_delivered", &[]), 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_pages_that_go_on_failing_grow_stale() {
    let configuration = TWO_ACCOUNTS.split("      - {id: 1002").next().unwrap();
    let configuration = configuration.replace("interval: 1s,", "interval: 1s, stale_after: 3s,");
    let mut app = TestApp::start(Spec::fleet(1, 600), &configuration).await;
    app.ready().await;
    app.script("insights", "after", 1_000, raw(503, "", &[]));
    app.eventually("the second page's rows leave", |m| m.count("marketing_messages_delivered", &[]) == 500).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_bound_on_series_whole_targets_are_left_out() {
    let configuration = format!("exposition: {{max_series: 25}}{TWO_ACCOUNTS}");
    let mut app = TestApp::start(Spec::fleet(2, 2), &configuration).await;
    let metrics = app.ready().await;
    assert_eq!(metrics.count("marketing_messages_delivered", &[]), 2);
    assert!(metrics.value("marketing_messages_exporter_series_dropped_total", &[]) >= Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_field_is_left_out_and_the_others_stand() {
    let mut spec = Spec::fleet(2, 2);
    spec.refused_fields = vec!["marketing_messages_delivery_rate".into(), "marketing_messages_read_rate".into()];
    let mut app = TestApp::start(spec, TWO_ACCOUNTS).await;
    let metrics = app.ready().await;
    assert_eq!(metrics.count("marketing_messages_spend", &[]), 4);
    assert_eq!(metrics.count("marketing_messages_read_ratio", &[]), 0);
    assert_eq!(metrics.value("marketing_messages_exporter_field_supported", &["field=\"read_ratio\""]), Some(0.0));
    assert_eq!(metrics.count(UP, &["} 1"]), 2);
    let before = app.control.statistics().statuses[&400];
    let later = metrics.value(LAST_SUCCESS, &["account_id=\"1001\""]).unwrap() + 2.0;
    app.eventually("polls go on", |m| m.value(LAST_SUCCESS, &["account_id=\"1001\""]).unwrap() > later).await;
    assert_eq!(app.control.statistics().statuses[&400], before, "it is not asked for again");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_data_at_once_is_asked_for_in_smaller_pages() {
    let mut spec = Spec::fleet(1, 300);
    spec.most_cells = Some(1000);
    let configuration = TWO_ACCOUNTS.split("      - {id: 1002").next().unwrap();
    let mut app = TestApp::start(spec, configuration).await;
    let metrics = app.eventually("all rows are read", |m| m.count("marketing_messages_delivered", &[]) == 300).await;
    assert_eq!(metrics.failures("too_large"), 2.0, "500 and 250 rows were too many, 125 are not");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_campaign_of_cams_never_stops_the_others() {
    let mut spec = Spec::fleet(1, 3);
    let account = spec.accounts.pop().unwrap();
    spec.channels.push(Channel { space: "cams-a".into(), page: 77, account });
    spec.keys.push(Key { id: "key-id".into(), secret: "key-secret".into(), security_token: None, per_second: None });
    let configuration = "
poll: {interval: 1s}
cams:
  sg:
    access_key_id: key-id
    access_key_secret: key-secret
    endpoint: URL
    requests_per_second: 50
    channels: [{cust_space_id: cams-a, page_id: 77, ad_account_id: 1001, campaigns: [1001000001, 1001000002, 5]}]
";
    let mut app = TestApp::start(spec, configuration).await;
    let metrics = app.ready().await;
    assert_eq!(metrics.count("marketing_messages_delivered", &[]), 2);
    assert_eq!(metrics.value(UP, &["target=\"5\""]), Some(0.0));
    assert_eq!(metrics.failures("invalid_request"), 1.0);
    app.script(
        "GetMessageCampaignInsights",
        "1001000001",
        1,
        ScriptedFault::Gateway { status: 400, code: "Throttling.User".into() },
    );
    app.eventually("the key is throttled", |m| m.failures("throttled") == 1.0).await;
    app.control.change(WorldChange::Vanish(1_001_000_002));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_too_much_even_by_the_smallest_page_is_split() {
    let configuration = TWO_ACCOUNTS
        .replace("interval: 1s", "interval: 1s, stale_after: 1h")
        .replace("{id: 1001,", "{id: 1001, campaigns: [1001000001, 1001000002, 1001000003, 1001000004],");
    let mut app = TestApp::start(Spec::fleet(2, 4), &configuration).await;
    app.ready().await;
    // Only requests that list the first and the last campaign together are too much.
    let message = "Please reduce the amount of data you're asking for, then retry your request";
    let fault = ScriptedFault::Graph { status: 500, code: 1, subcode: None, message: message.into() };
    app.script("insights", r#"1001000001\",\"1001000002\",\"1001000003"#, 1_000, fault);
    let metrics =
        app.eventually("two requests share the list", |m| m.count(UP, &["target=\"account_1\"", "} 1"]) == 1).await;
    assert!(metrics.failures("too_large") >= 6.0, "500, 250, 125, 62, 31, 15 and 10 rows were too many");
    app.eventually("the first half is read again", |m| m.value(UP, &["target=\"account\"", "1001"]) == Some(1.0)).await;
    assert_eq!(app.metrics().await.count("marketing_messages_delivered", &["account_id=\"1001\""]), 4);
}
