//! The daemon on an allowance as small as the lower tier's, in real time.

use marketing_messages_exporter::simulate::{Allowance, Change, Spec};

use crate::harness::TestApp;

const EAGER: &str = "
poll: {interval: 1s}
meta:
  main:
    token_file: DIR/token
    base_url: URL
    accounts: [{id: 1001, windows: [last_7d], totals: false}, {id: 1002, windows: [last_7d], totals: false}]
";

fn limited() -> Spec {
    let mut spec = Spec::fleet(2, 2);
    for account in &mut spec.accounts {
        account.allowance = Some(Allowance::LIMITED);
    }
    spec
}

fn requests(metrics: &crate::harness::Exposition) -> f64 {
    metrics.sum("marketing_messages_exporter_api_requests_total", &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interval_that_does_not_fit_is_stretched_and_nothing_is_refused() {
    let mut app = TestApp::start(limited(), EAGER).await;
    app.ready().await;
    let metrics = app.eventually("polls go on", |m| requests(m) >= 9.0).await;
    assert_eq!(app.control.statistics().refusals, 0);
    assert_eq!(metrics.count("marketing_messages_exporter_target_up", &["} 1"]), 2, "a stretched target is up");
    let account = ["account_id=\"1001\""];
    let allowed = metrics.value("marketing_messages_exporter_api_allowance_requests_per_hour", &account).unwrap();
    let wanted = metrics.value("marketing_messages_exporter_api_demand_requests_per_hour", &account).unwrap();
    assert!(wanted > 3600.0 && allowed < 600.0, "{wanted} wanted, {allowed} allowed");
    let interval = metrics.value("marketing_messages_exporter_target_poll_interval_seconds", &account).unwrap();
    assert!(interval > 5.0, "{interval} s are in force");
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_greedy_client_a_block_costs_one_refusal_at_most() {
    let mut app = TestApp::start(limited(), EAGER).await;
    for account in [1001, 1002] {
        app.control.change(Change::Eat(account, 30));
    }
    app.ready().await;
    app.control.change(Change::Eat(1001, 40));
    let usage = ["account_id=\"1001\"", "limit=\"account\""];
    app.eventually("the account is over its allowance", |m| {
        m.value("marketing_messages_exporter_api_usage_ratio", &usage) > Some(0.95)
    })
    .await;
    let before = requests(&app.metrics().await);
    app.eventually("the other goes on", |m| requests(m) > before).await;
    let statistics = app.control.statistics();
    assert!(statistics.refusals <= 1, "{statistics:?}");
    assert_eq!(
        statistics.while_blocked, statistics.refusals,
        "the other client's block was met, and no request after it"
    );
}
