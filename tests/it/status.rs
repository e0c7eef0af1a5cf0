//! The status page and its JSON: what they say of targets, allowances and credentials.

use marketing_messages_exporter::simulate::{ScriptedFault, Spec, WorldChange};
use serde_json::Value;

use crate::harness::{TestApp, until};

const CONFIGURATION: &str = "
poll: {interval: 1s, timeout: 2s}
meta:
  main:
    token_file: DIR/token
    base_url: URL
    accounts:
      - {id: 1001, windows: [last_7d]}
      - {id: 1002, windows: [last_7d, today], totals: false}
";

async fn overview(app: &TestApp, query: &str) -> Value {
    let (status, body) = app.get(&format!("/api/v1/targets{query}")).await;
    assert_eq!(status, 200, "{query}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// The same when a condition holds: the page shows what is published, a moment after it is counted.
async fn eventually(app: &TestApp, query: &str, condition: impl Fn(&Value) -> bool) -> Value {
    until("the page shows it", async || overview(app, query).await, condition).await
}

/// The named fields of each target, in order.
fn fields(overview: &Value, names: &[&str]) -> Vec<String> {
    let targets = overview["targets"].as_array().unwrap();
    let field = |target: &Value, name: &str| {
        let value = target.pointer(name).unwrap_or(&Value::Null);
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    };
    targets.iter().map(|target| names.iter().map(|name| field(target, name)).collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_target_is_listed_with_its_state_and_its_samples() {
    let mut app = TestApp::start(Spec::fleet(2, 3), CONFIGURATION).await;
    app.ready().await;
    app.eventually("names are known", |m| m.count("marketing_messages_account_info", &[]) == 2).await;
    let all = overview(&app, "").await;
    assert_eq!(
        fields(&all, &["/accountId", "/target", "/window", "/state", "/samples"]),
        [
            "1001 account last_7d up 24",
            "1001 totals last_7d up 8",
            "1002 account last_7d up 24",
            "1002 account today up 24"
        ],
        "{all:#}"
    );
    assert_eq!(all["states"]["up"], 4, "{all:#}");
    assert_eq!(all["exporter"]["ready"], true);
    assert_eq!(all["lanes"].as_array().unwrap().len(), 2, "{all:#}");
    assert!(all["lanes"][0]["allowanceRequestsPerHour"].as_f64().unwrap() > 0.0, "{all:#}");
    assert!(!all["targets"][0]["accountName"].as_str().unwrap().is_empty());
    let credential = &all["credentials"][0];
    assert_eq!(
        (&credential["credential"], &credential["accepted"], &credential["targets"]),
        (&"main".into(), &true.into(), &4.into())
    );

    let words = overview(&app, "?q=1002%20TODAY").await;
    assert_eq!(fields(&words, &["/accountId", "/window"]), ["1002 today"]);
    assert_eq!(words["states"]["up"], 4, "the numbers are over all");
    let sorted = overview(&app, "?sort=samples").await;
    assert_eq!(fields(&sorted, &["/target"]), ["totals", "account", "account", "account"]);
    let turned = overview(&app, "?sort=-target").await;
    assert_eq!(fields(&turned, &["/accountId", "/window"])[0], "1002 today");
    for (query, told) in [
        ("?state=tired", "state: one of refused, stale, failing, waiting, new, up\n"),
        ("?sort=colour", "sort: one of state, target, success, next, interval, failures, samples\n"),
        ("?page=0", "page: a number from 1\n"),
    ] {
        for path in ["/", "/api/v1/targets"] {
            assert_eq!(app.get(&format!("{path}{query}")).await, (400, told.to_owned()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_told_with_its_remedy_and_kept_when_it_is_over() {
    let mut app = TestApp::start(Spec::fleet(2, 2), CONFIGURATION).await;
    app.ready().await;
    let hostile = "no <b>access</b> & \"more\"";
    let fault = ScriptedFault::Graph { status: 500, code: 555, subcode: None, message: hostile.to_owned() };
    app.script("insights", "act_1001", 1_000, fault);
    let failing = eventually(&app, "?state=failing", |seen| seen["states"]["failing"] != 0).await;
    let fault = &failing["targets"][0]["lastFault"];
    assert_eq!(fault["reason"], "unavailable", "{failing:#}");
    assert!(fault["remedy"].as_str().unwrap().starts_with("check the API's status"), "{failing:#}");
    assert!(fault["message"].as_str().unwrap().contains(hostile), "{failing:#}");
    let (_, page) = app.get("/?state=failing").await;
    assert!(page.contains("no &lt;b&gt;access&lt;/b&gt; &amp; &quot;more&quot;") && !page.contains("<b>"), "{page}");

    app.control.change(WorldChange::Calm);
    let over = eventually(&app, "?q=1001", |seen| seen["states"]["up"] == 4).await;
    assert!(fields(&over, &["/state", "/lastFault/reason"]).contains(&"up unavailable".to_owned()), "{over:#}");
    assert!(app.get("/").await.1.contains("unavailable, "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_told_of_and_forgotten_with_its_credential() {
    let mut app = TestApp::start(Spec::fleet(2, 2), CONFIGURATION).await;
    app.ready().await;
    app.control.change(WorldChange::RefuseToken("main".to_owned(), Some(463)));
    let refused = eventually(&app, "", |seen| seen["states"]["refused"] == 4).await;
    assert_eq!(refused["credentials"][0]["accepted"], false);

    app.control.change(WorldChange::RefuseToken("main".to_owned(), None));
    app.reload("  main:", "  other:").await.unwrap();
    let other = eventually(&app, "", |seen| seen["states"]["up"] == 4).await;
    assert_eq!(other["credentials"].as_array().unwrap().len(), 1, "{other:#}");
    assert_eq!(other["credentials"][0]["credential"], "other");
    assert!(other["lanes"].as_array().unwrap().iter().all(|lane| lane["credential"] == "other"), "{other:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_in_force_is_shown_without_secrets_and_changes_with_a_reload() {
    let text = CONFIGURATION.replace("token_file: DIR/token", "token: token-main");
    let mut app = TestApp::start(Spec::fleet(2, 2), &text).await;
    app.ready().await;
    let answer = app.request("GET", "/config", &[]).await;
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    let shown = answer.text().await.unwrap();
    assert!(shown.contains("<secret>") && shown.contains("1002") && !shown.contains("token-main"), "{shown}");

    assert!(app.reload("interval: 1s", "interval: soon").await.is_err());
    assert_eq!(app.get("/config").await.1, shown, "what failed is not in force");
    assert!(app.get("/").await.1.contains("The last reload failed"));
    app.reload("interval: soon", "interval: 2s").await.unwrap();
    assert!(app.get("/config").await.1.contains("interval: 2s"), "{shown}");
    assert!(!app.get("/").await.1.contains("The last reload failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_holds_five_hundred_rows_and_no_script() {
    let accounts: Vec<_> =
        (1001..1261).map(|id| format!("{{id: {id}, windows: [today, last_7d], totals: false}}")).collect();
    let text = format!(
        "poll: {{interval: 1h}}\nmeta: {{main: {{token_file: DIR/token, base_url: URL, accounts: [{}]}}}}",
        accounts.join(", ")
    );
    let mut app = TestApp::start(Spec::fleet(260, 1), &text).await;
    app.ready().await;
    let rows = |page: &str| page.matches("class=\"window\"").count();
    let answer = app.request("GET", "/", &[]).await;
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'self';") && !policy.contains("unsafe"), "{policy}");
    let first = answer.text().await.unwrap();
    assert_eq!(rows(&first), 500);
    assert!(first.contains("520 targets, page 1 of 2") && first.contains("href=\"?page=2\""));
    assert!(!first.contains("<script") && !first.contains("style="));
    let second = app.get("/?page=2").await.1;
    assert_eq!(rows(&second), 20);
    assert_eq!(rows(&app.get("/?page=99").await.1), 20, "a page too far is the last one");
    let style = first.split('"').find(|part| part.starts_with("-/assets/")).unwrap();
    let (status, text) = app.get(&format!("/{style}")).await;
    assert!(status == 200 && text.contains("prefers-color-scheme: dark"));
    assert_eq!(app.get("/-/assets/other.css").await.0, 404);
    assert_eq!(overview(&app, "").await["targets"].as_array().unwrap().len(), 520, "programs get all at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_a_tokens_end_is_said_where_there_is_no_date() {
    let note = async |app: &TestApp, wanted: &str| {
        let shown = eventually(app, "", |seen| seen["credentials"][0]["expiryNote"] == wanted).await;
        assert!(app.get("/").await.1.contains(wanted), "{shown:#}");
    };
    let mut app = TestApp::start(Spec::fleet(2, 2), CONFIGURATION).await;
    app.ready().await;
    note(&app, "unknown: set app_id and app_secret").await;
    // An app that the simulated API does not know may not look.
    app.reload("  main:\n", "  main:\n    app_id: '17'\n    app_secret: not-the-apps\n").await.unwrap();
    note(&app, "unknown: the lookup failed; check app_id and app_secret").await;
}
