//! Access keys that come from the default credentials: `credentials: default`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use marketing_messages_exporter::simulate::{Channel, Key, Spec};
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{Exposition, TestApp};

const VALID: &str = "marketing_messages_exporter_credential_valid";

const CONFIGURATION: &str = "
poll: {interval: 1s}
cams:
  sg:
    credentials: default
    endpoint: URL
    requests_per_second: 50
    channels: [{cust_space_id: cams-a, page_id: 77, ad_account_id: 1001, campaigns: [1001000001, 1001000002]}]
";

/// A world whose only access key is `key-id` with the token `token-2`.
fn world() -> Spec {
    let mut spec = Spec::fleet(1, 2);
    let account = spec.accounts.pop().unwrap();
    spec.channels.push(Channel { space: "cams-a".into(), page: 77, account });
    let token = Some("token-2".into());
    spec.keys.push(Key { id: "key-id".into(), secret: "key-secret".into(), security_token: token, per_second: None });
    spec
}

/// An address that hands keys out.
struct Giver {
    asked: Arc<AtomicUsize>,
    environment: BTreeMap<String, String>,
    _tasks: JoinSet<()>,
}

impl Giver {
    /// Gives, the n-th time it is asked from 0, a status, an id, a token and how long they live.
    async fn start(
        give: impl Fn(usize) -> (u16, &'static str, &'static str, i64) + Clone + Send + Sync + 'static,
    ) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/keys", listener.local_addr().unwrap());
        let count = asked.clone();
        let router = Router::new().fallback(move || async move {
            let (status, id, token, seconds) = give(count.fetch_add(1, Ordering::SeqCst));
            let expires = Timestamp::now() + SignedDuration::from_secs(seconds);
            let body = json!({"Code": "Success", "AccessKeyId": id, "AccessKeySecret": "key-secret", "SecurityToken": token,
                "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()});
            (StatusCode::from_u16(status).unwrap(), body.to_string())
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let environment = [("ALIBABA_CLOUD_CREDENTIALS_URI".to_owned(), uri)].into();
        Self { asked, environment, _tasks: tasks }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn asked_often(&self, times: usize) {
        let asked = async {
            while self.asked() < times {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), asked).await.expect("keys are asked for again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn default_credentials_are_polled_with_and_renewed_before_they_expire() {
    let giver = Giver::start(|_| (200, "key-id", "token-2", 4)).await;
    let mut app = TestApp::start_in(world(), CONFIGURATION, &giver.environment).await;
    let metrics = app.ready().await;
    assert_eq!(metrics.count("marketing_messages_delivered", &[]), 2);
    assert_eq!(metrics.failures("unauthorized"), 0.0, "nothing was asked before the keys were there");
    giver.asked_often(3).await;
    let metrics = app.metrics().await;
    assert_eq!(metrics.value(VALID, &[]), Some(1.0));
    for secret in ["key-secret", "token-2", "key-id"] {
        assert!(!metrics.0.contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_keys_stand_while_there_are_no_new_ones() {
    let giver = Giver::start(|n| (if n == 0 { 200 } else { 503 }, "key-id", "token-2", 3)).await;
    let mut app = TestApp::start_in(world(), CONFIGURATION, &giver.environment).await;
    app.ready().await;
    giver.asked_often(3).await;
    let polls = |m: &Exposition| m.value("marketing_messages_exporter_polls_total", &[]).unwrap();
    let before = polls(&app.metrics().await);
    let after = app.eventually("polls go on", |m| polls(m) > before + 2.0).await;
    assert_eq!((after.value(VALID, &[]), after.failures("unauthorized")), (Some(1.0), 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_recovers_with_the_next_renewal() {
    let giver = Giver::start(|n| (200, if n == 0 { "key-gone" } else { "key-id" }, "token-2", 6)).await;
    let mut app = TestApp::start_in(world(), CONFIGURATION, &giver.environment).await;
    app.eventually("the key is dead", |m| m.value(VALID, &[]) == Some(0.0)).await;
    app.eventually("the next one lives", |m| m.value(VALID, &[]) == Some(1.0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_replaced_at_once_and_no_poll_fails() {
    let giver = Giver::start(|n| (200, "key-id", if n == 0 { "token-1" } else { "token-2" }, 3_600)).await;
    let mut app = TestApp::start_in(world(), CONFIGURATION, &giver.environment).await;
    let metrics = app.ready().await;
    assert_eq!(metrics.count("marketing_messages_delivered", &[]), 2);
    assert_eq!(metrics.failures("unauthorized"), 0.0);
    let refused = metrics.value("marketing_messages_exporter_api_errors_total", &["InvalidSecurityToken"]);
    assert!(refused >= Some(1.0), "{refused:?}");
    assert_eq!(giver.asked(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_again_is_like_any_dead_credential() {
    let giver = Giver::start(|_| (200, "key-id", "token-1", 3_600)).await;
    // Another credential goes on meanwhile, and so tells how much time has passed.
    let mut world = world();
    world.accounts = Spec::fleet(1, 1).accounts;
    let meta = "meta: {main: {token_file: DIR/token, base_url: URL, accounts: [{id: 1001, windows: [last_7d]}]}}";
    let mut app = TestApp::start_in(world, &format!("{CONFIGURATION}{meta}\n"), &giver.environment).await;
    app.eventually("the key is dead", |m| m.value(VALID, &["source=\"cams\""]) == Some(0.0)).await;
    let calls = app.control.statistics().statuses[&400];
    let asked = giver.asked();
    assert!((2..=3).contains(&asked), "one renewal a poll at most, not {asked}");
    let polls = |m: &crate::harness::Exposition| m.sum("marketing_messages_exporter_polls_total", &["source=\"meta\""]);
    let before = polls(&app.metrics().await);
    app.eventually("the other goes on", |m| polls(m) > before + 5.0).await;
    assert_eq!((app.control.statistics().statuses[&400], giver.asked()), (calls, asked), "nobody hammers");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_nothing_is_asked_and_they_are_tried_for_again() {
    let giver = Giver::start(|n| (if n < 2 { 503 } else { 200 }, "key-id", "token-2", 3_600)).await;
    let mut app = TestApp::start_in(world(), CONFIGURATION, &giver.environment).await;
    app.eventually("there are none", |m| m.value(VALID, &[]) == Some(0.0)).await;
    assert!(app.control.statistics().statuses.is_empty(), "the API was not asked");
    app.eventually("the keys arrive", |m| m.value(VALID, &[]) == Some(1.0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environments_own_keys_come_first() {
    let giver = Giver::start(|_| (200, "key-id", "token-1", 3_600)).await;
    let mut environment = giver.environment.clone();
    for (name, value) in
        [("ACCESS_KEY_ID", "key-id"), ("ACCESS_KEY_SECRET", "key-secret"), ("SECURITY_TOKEN", "token-2")]
    {
        environment.insert(format!("ALIBABA_CLOUD_{name}"), value.to_owned());
    }
    let mut app = TestApp::start_in(world(), CONFIGURATION, &environment).await;
    assert_eq!(app.ready().await.value(VALID, &[]), Some(1.0));
    assert_eq!(giver.asked(), 0);
}
