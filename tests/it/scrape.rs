//! What a scrape shows when the APIs do what they promise.

use marketing_messages_exporter::simulate::{Campaign, Channel, Key, ScriptedFault, Spec, WorldChange};

use crate::harness::{TestApp, eventually};

const ONE_ACCOUNT: &str = "
poll: {interval: 1s, timeout: 5s}
meta:
  main:
    token_file: DIR/token
    base_url: URL
    accounts: [{id: 1001, windows: [last_7d]}]
";

fn both_sources() -> Spec {
    let mut spec = Spec::fleet(2, 3);
    let account = spec.accounts.pop().unwrap();
    spec.channels.push(Channel { space: "cams-a".into(), page: 77, account });
    spec.keys.push(Key { id: "key-id".into(), secret: "key-secret".into(), security_token: None, per_second: None });
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_scrape_shows_both_sources() {
    let mut app = TestApp::start(
        both_sources(),
        "
poll: {interval: 1s}
meta:
  main:
    token_file: DIR/token
    base_url: URL
    labels: {team: growth}
    accounts: [{id: act_1001, windows: [today, last_7d, maximum]}]
cams:
  sg:
    access_key_id: key-id
    access_key_secret: key-secret
    endpoint: URL
    requests_per_second: 50
    channels: [{cust_space_id: cams-a, page_id: 77, ad_account_id: 1002, campaigns: all}]
",
    )
    .await;
    let metrics = app.ready().await;
    metrics.assert_well_formed();
    for window in ["today", "last_7d"] {
        let window = format!("window=\"{window}\"");
        assert_eq!(metrics.count("marketing_messages_delivered", &["source=\"meta\"", &window, "team=\"growth\""]), 3);
        assert_eq!(metrics.count("marketing_messages_account_spend", &["currency=\"EUR\"", &window]), 1);
    }
    let cams = ["source=\"cams\"", "account_id=\"1002\"", "window=\"unspecified\""];
    assert_eq!(metrics.count("marketing_messages_cost_per_link_click", &cams), 3);
    assert_eq!(metrics.count("marketing_messages_campaign_info", &["campaign_name=\"Campaign 1002000001\""]), 1);
    assert_eq!(metrics.count("marketing_messages_account_info", &["timezone=\"Europe/Berlin\""]), 1);
    assert_eq!(metrics.count("marketing_messages_exporter_target_up", &["} 1"]), 6 + 3);
    let (start, end) =
        ("marketing_messages_window_start_timestamp_seconds", "marketing_messages_window_end_timestamp_seconds");
    let days = |window: &str, seconds: f64| {
        let bounds = ["account_id=\"1001\"", "campaign_id=\"\"", &format!("window=\"{window}\""), "team=\"growth\""];
        let length = metrics.value(end, &bounds).unwrap() - metrics.value(start, &bounds).unwrap();
        assert!((length - seconds).abs() <= 3600.0, "days in Berlin have 23 to 25 hours: {length} s");
    };
    days("today", 86_400.0);
    days("last_7d", 7.0 * 86_400.0);
    let own = |family, window| metrics.count(family, &["campaign_id=\"1001", window]);
    for bound in [start, end] {
        assert_eq!([own(bound, "window=\"today\""), own(bound, "window=\"maximum\"")], [0, 3], "{bound}");
        assert_eq!(metrics.count(bound, &["source=\"meta\""]), 2 + 3, "{bound}");
        assert_eq!(metrics.count(bound, &["source=\"cams\"", "campaign_id=\"1002", "window=\"unspecified\""]), 3);
    }
    // Money of CAMS carries the currency that discovery learned, be it before or after the figures.
    app.eventually("the currency is known", |m| {
        m.count("marketing_messages_spend", &["source=\"cams\"", "currency=\"EUR\""]) == 3
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_move_and_every_page_is_read() {
    let mut spec = Spec::fleet(1, 1200);
    spec.empty_pages = true;
    let mut app = TestApp::start(spec, ONE_ACCOUNT).await;
    let metrics = app.ready().await;
    assert_eq!(metrics.count("marketing_messages_delivered", &[]), 1200);
    assert_eq!(metrics.value("marketing_messages_exporter_target_rows", &["target=\"account\""]), Some(1200.0));
    assert_eq!(app.control.statistics().endpoints["insights"], 4, "three pages, and an empty one before the last");
}

#[tokio::test(flavor = "multi_thread")]
async fn wanted_campaigns_alone_are_shown_at_their_level() {
    let mut spec = Spec::fleet(2, 700);
    spec.accounts[0].ordinary_ads = 2;
    let configuration = "
poll: {interval: 1s}
meta:
  main:
    token_file: DIR/token
    base_url: URL
    accounts:
      - {id: 1001, totals: false, windows: [last_7d], campaigns: [1001000007, 1001000003]}
      - {id: 1002, totals: false, windows: [last_7d], level: campaign, campaigns: [501002000001]}
    campaigns: [{id: 1002000009, windows: [last_3d, last_7d]}, {id: 1002000001, windows: [last_7d]}]
";
    let mut app = TestApp::start(spec, configuration).await;
    let metrics = app.ready().await;
    let shown = |id: &str| metrics.count("marketing_messages_delivered", &[&format!("campaign_id=\"{id}\"")]);
    assert_eq!([shown("1001000007"), shown("1001000003"), shown("501002000001"), shown("1002000009")], [1, 1, 1, 2]);
    assert_eq!(metrics.count("marketing_messages_delivered", &[]), 6);
    assert_eq!(metrics.count("marketing_messages_account_delivered", &[]), 0);
    assert_eq!(metrics.count("marketing_messages_delivered", &["account_id=\"\""]), 0, "a row names its account");
    app.eventually("names are known", |m| {
        m.count("marketing_messages_campaign_info", &["campaign_name=\"Campaign "]) == 5
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vanished_campaign_leaves_and_a_new_one_comes() {
    let mut app = TestApp::start(Spec::fleet(1, 3), ONE_ACCOUNT).await;
    app.ready().await;
    app.control.change(WorldChange::Vanish(1_001_000_002));
    app.control.change(WorldChange::Add(1001, Campaign::steady(1_001_000_099)));
    app.eventually("one went, one came", |metrics| {
        let shown = |id: &str| metrics.count("marketing_messages_delivered", &[&format!("campaign_id=\"{id}\"")]);
        [shown("1001000001"), shown("1001000002"), shown("1001000099")] == [1, 0, 1]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_name_is_escaped_in_both_formats() {
    let mut spec = Spec::fleet(1, 1);
    spec.accounts[0].campaigns[0].name = "a\\b\"c\nd 🌷 {x=\"1\"}".into();
    let mut app = TestApp::start(spec, ONE_ACCOUNT).await;
    app.ready().await;
    let metrics = app
        .eventually("names come after figures", |metrics| {
            metrics.count("marketing_messages_campaign_info", &["status=\"ACTIVE\""]) > 0
        })
        .await;
    let name = "campaign_name=\"a\\\\b\\\"c\\nd 🌷 {x=\\\"1\\\"}\"";
    assert_eq!(metrics.count("marketing_messages_campaign_info", &[name]), 1, "{}", metrics.0);
    let open = app.request("GET", "/metrics", &[("accept", "application/openmetrics-text;version=1.0.0")]).await;
    let open = open.text().await.unwrap();
    assert!(open.contains(name) && open.ends_with("\n# EOF\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn formats_encodings_filters_and_methods() {
    let mut app = TestApp::start(
        Spec::fleet(2, 2),
        &ONE_ACCOUNT.replace("accounts: [", "accounts: [{id: 1002, windows: [last_7d]}, "),
    )
    .await;
    app.ready().await;

    let text = app.request("GET", "/metrics", &[]).await;
    assert_eq!(text.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(text.headers()["vary"], "Accept, Accept-Encoding");
    let open = app.request("GET", "/metrics", &[("accept", "application/openmetrics-text")]).await;
    assert_eq!(open.headers()["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let open = open.text().await.unwrap();
    assert!(open.contains("# TYPE marketing_messages_exporter_polls counter\n"), "{open}");
    assert!(open.contains("# UNIT marketing_messages_link_click_ratio ratio\n"), "{open}");

    let packed = app.request("GET", "/metrics", &[("accept-encoding", "gzip")]).await;
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let mut body = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*packed.bytes().await.unwrap()), &mut body)
        .unwrap();
    assert!(body.contains("\nmarketing_messages_delivered{"));

    let one = crate::harness::Exposition(app.get("/metrics?account_id=1002&source=meta").await.1);
    assert_eq!(one.count("marketing_messages_delivered", &["account_id=\"1002\""]), 2);
    assert_eq!(one.count("marketing_messages_delivered", &[]), 2);
    assert_eq!(app.get("/metrics?source=tiktok").await.0, 400);

    let head = app.request("HEAD", "/metrics", &[]).await;
    assert_eq!((head.status().as_u16(), head.bytes().await.unwrap().len()), (200, 0));
    let post = app.request("POST", "/metrics", &[]).await;
    assert_eq!((post.status().as_u16(), &post.headers()["allow"]), (405, &"GET,HEAD".parse().unwrap()));
    assert_eq!(app.get("/nothing").await.0, 404);
    assert_eq!(app.get("/-/healthy").await, (200, "healthy\n".to_owned()));
    assert!(app.get("/").await.1.contains("href=\"metrics\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_api_does_not_slow_a_scrape() {
    let mut app = TestApp::start(Spec::fleet(1, 3), ONE_ACCOUNT).await;
    app.ready().await;
    let before = app.control.statistics().total;
    app.script("", "", 100, ScriptedFault::Slow { millis: 60_000 });
    eventually("a request is under way", async || app.control.statistics().total != before).await;
    // The request under way takes a minute; the scrapes during it do not wait for it.
    for _ in 0..20 {
        assert_eq!(app.metrics().await.count("marketing_messages_delivered", &[]), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn single_campaigns_of_one_account_come_to_share_a_request() {
    let configuration = "
poll: {interval: 1s}
meta:
  main:
    token_file: DIR/token
    base_url: URL
    windows: [last_7d]
    campaigns: [{id: 1001000001}, {id: 1001000002}, {id: 501001000003}, {id: 1002000004}]
";
    let mut app = TestApp::start(Spec::fleet(2, 5), configuration).await;
    app.ready().await;
    let single = "marketing_messages_exporter_api_requests_total";
    let metrics = app
        .eventually("they joined", |m| m.count("marketing_messages_exporter_target_up", &["target=\"account"]) == 3)
        .await;
    metrics.assert_well_formed();
    assert_eq!(metrics.count("marketing_messages_delivered", &[]), 4, "nobody is lost on the way");
    let id = |id: &str| metrics.count("marketing_messages_delivered", &[&format!("campaign_id=\"{id}\"")]);
    assert_eq!([id("1001000001"), id("501001000003"), id("1002000004")], [1, 1, 1]);
    let before = app.control.statistics().endpoints["campaign_insights"];
    let requests = metrics.value(single, &["endpoint=\"insights\"", "code=\"200\""]).unwrap();
    app.eventually("polls go on", |m| {
        m.value(single, &["endpoint=\"insights\"", "code=\"200\""]).unwrap() > requests + 6.0
    })
    .await;
    assert_eq!(app.control.statistics().endpoints["campaign_insights"], before, "no campaign is asked for by itself");
}
