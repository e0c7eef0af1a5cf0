//! Tokens that die and come back.

use marketing_messages_exporter::simulate::{Spec, Token, WorldChange};

use crate::harness::TestApp;

const VALID: &str = "marketing_messages_exporter_credential_valid";

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_recovers_when_its_file_changes_and_another_never_notices() {
    let mut spec = Spec::fleet(2, 2);
    spec.tokens.push(Token {
        name: "other".into(),
        text: "token-other".into(),
        accounts: vec![1002],
        expires: None,
        refused: None,
    });
    let configuration = "
poll: {interval: 1s}
meta:
  main: {token_file: DIR/token, base_url: URL, accounts: [{id: 1001, windows: [last_7d]}]}
  other: {token: token-other, base_url: URL, accounts: [{id: 1002, windows: [last_7d]}]}
";
    let mut app = TestApp::start(spec, configuration).await;
    app.ready().await;
    app.control.change(WorldChange::RefuseToken("main".into(), Some(463)));
    let dead = app.eventually("the token is dead", |m| m.value(VALID, &["credential=\"main\""]) == Some(0.0)).await;
    assert_eq!(dead.value(VALID, &["credential=\"other\""]), Some(1.0));
    assert_eq!(dead.count("marketing_messages_delivered", &["account_id=\"1001\""]), 2);

    // A dead token is not asked with: the other credential's polls go on, this one's do not.
    let refused = app.control.statistics().statuses[&400];
    let polls = |m: &crate::harness::Exposition| {
        m.value("marketing_messages_exporter_polls_total", &["credential=\"other\""]).unwrap()
    };
    let before = polls(&app.metrics().await);
    app.eventually("the other goes on", |m| polls(m) > before + 4.0).await;
    assert_eq!(app.control.statistics().statuses[&400], refused);

    // A new token arrives as Kubernetes replaces it: another file under the old name.
    app.control.change(WorldChange::RefuseToken("main".into(), None));
    app.control.change(WorldChange::SetToken("main".into(), "token-new".into()));
    let new = app.folder.write("token.new", "token-new\n");
    std::fs::rename(new, app.folder.0.join("token")).unwrap();
    app.eventually("it recovers", |m| m.value(VALID, &["credential=\"main\""]) == Some(1.0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tokens_health_is_read_and_a_token_that_never_expires_has_no_expiry() {
    let mut spec = Spec::fleet(1, 2);
    spec.app = Some(("42".into(), "app-secret".into()));
    spec.tokens[0].expires = Some(2_000_000_000);
    spec.upgrades_versions = true;
    let configuration = "
poll: {interval: 1s}
meta:
  main: {token_file: DIR/token, app_id: 42, app_secret: app-secret, base_url: URL, api_version: v24.0, accounts: [{id: 1001, windows: [last_7d]}]}
";
    let mut app = TestApp::start(spec, configuration).await;
    let metrics = app.ready().await;
    assert_eq!(metrics.value("marketing_messages_exporter_credential_expires_timestamp_seconds", &[]), Some(2e9));
    assert_eq!(metrics.count("marketing_messages_exporter_credential_data_access_expires_timestamp_seconds", &[]), 0);
    let version = ["requested=\"v24.0\"", "served=\"v25.0\""];
    assert_eq!(metrics.value("marketing_messages_exporter_api_version_info", &version), Some(1.0));
    assert_eq!(app.control.statistics().endpoints["debug_token"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secrets_proof_is_sent_and_the_secret_is_not() {
    let mut spec = Spec::fleet(1, 2);
    spec.app = Some(("42".into(), "app-secret".into()));
    let configuration = "
poll: {interval: 1s}
meta:
  main: {token_file: DIR/token, app_secret: app-secret, base_url: URL, accounts: [{id: 1001, windows: [last_7d]}]}
";
    let mut app = TestApp::start(spec, configuration).await;
    let metrics = app.ready().await;
    assert_eq!(metrics.count("marketing_messages_delivered", &[]), 2);
    assert!(!metrics.0.contains("app-secret") && !metrics.0.contains("token-main"));
}
