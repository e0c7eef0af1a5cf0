//! The daemon on an allowance as small as the lower tier's, in real time.

use marketing_messages_exporter::simulate::{Allowance, Spec, WorldChange};

use serde_json::Value;

use crate::cli::run;
use crate::harness::{TestApp, until};
use crate::logs::{Talker, logfmt};

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
        app.control.change(WorldChange::Eat(account, 30));
    }
    app.ready().await;
    app.control.change(WorldChange::Eat(1001, 40));
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

/// What plan, log, gauge and page say of the lane's allowance, and on which tier it rests.
async fn told(base_url: &str, tier: &str) -> ([f64; 4], String, [String; 3]) {
    let configuration = format!(
        "meta: {{main: {{token_file: DIR/token, base_url: '{base_url}', {tier} accounts: [{{id: 1001, windows: [today]}}]}}}}"
    );
    let app = TestApp::start(limited(), &configuration).await;
    let file = app.folder.0.join("config.yaml").display().to_string();
    let (status, plan, errors) = run(&["plan", "--config.file", &file]);
    assert_eq!(status, Some(0), "{errors}");
    let row = plan.lines().find(|line| line.starts_with("meta/main/1001 ")).unwrap();
    let planned = row.split_whitespace().nth(3).unwrap().parse().unwrap();
    let doubt = plan.lines().find(|line| line.starts_with("meta/main: ")).unwrap_or_default().to_owned();

    let talker = tokio::task::spawn_blocking(move || {
        let talker =
            Talker::listen(crate::cli::command(&["--config.file", &file, "--web.listen-address", "127.0.0.1:0"]));
        talker.until(logfmt, |lines| lines.iter().any(|line| line["msg"].starts_with("lane meta/main/1001")))
    });
    let start = talker.await.unwrap().pop().unwrap();

    let family = "marketing_messages_exporter_api_allowance_requests_per_hour";
    let gauge = app.metrics().await.value(family, &["1001"]).unwrap();
    let json =
        until("the lane is there", async || app.get("/api/v1/targets").await.1, |json| json.contains("1001")).await;
    let json: Value = serde_json::from_str(&json).unwrap();
    let lane = &json["lanes"][0];
    let page = app.get("/").await.1;
    let shown = page.contains(" requests an hour (") && page.contains("until an answer names");
    let words = [lane["tier"].to_string(), lane["tierBasis"].to_string(), shown.to_string()];
    let figures = [
        planned,
        start["allowance_per_hour"].parse().unwrap(),
        gauge,
        lane["allowanceRequestsPerHour"].as_f64().unwrap(),
    ];
    (figures, format!("{doubt}\n{}", start["msg"]), words)
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_log_gauge_and_page_agree_on_an_allowance_that_nobody_has_told_yet() {
    // Nobody answers there, so nobody tells.
    let nowhere = "https://graph.invalid";
    for (tier, allowance, basis) in [("", 423.0, "assumed"), ("tier: full,", 81_000.0, "configured")] {
        let (figures, sentences, words) = told(nowhere, tier).await;
        for figure in figures {
            assert!((figure - allowance).abs() < 0.5, "{tier} {figures:?} {sentences}");
        }
        let name = if basis == "assumed" { "limited" } else { "full" };
        assert_eq!(words, [format!("\"{name}\""), format!("\"{basis}\""), "true".to_owned()]);
        let sentence = if basis == "assumed" {
            "unknown until an answer names the tier; assumed: limited"
        } else {
            "full tier, as configured"
        };
        assert_eq!(sentences.matches(sentence).count(), 2, "plan and log say so: {sentences}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_names_the_tier_ends_the_doubt() {
    let mut app = TestApp::start(limited(), EAGER).await;
    app.ready().await;
    let told = |json: &String| json.contains(r#""tierBasis":"told""#);
    until("the tier is known", async || app.get("/api/v1/targets").await.1, told).await;
    assert!(!app.get("/").await.1.contains("assumed: limited"), "of neither lane");
}
