//! The web configuration file: TLS, logins, headers, and what happens when it changes.

use marketing_messages_exporter::app::WebOptions;
use marketing_messages_exporter::simulate::Spec;
use marketing_messages_exporter::web::WebConfig;
use reqwest::{Client, ClientBuilder, Identity, StatusCode, Version};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::authority::{Authority, CONFIGURATION};
use crate::cli;
use crate::harness::{TestApp, eventually};
use crate::http2::Http2;

pub(crate) const TLS: &str = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n";

/// Of cost 4, so that tests do not wait: anna's is `right`, ben's `other`.
fn users() -> String {
    let hash = |password| bcrypt::hash(password, 4).unwrap();
    format!("basic_auth_users: {{anna: {}, ben: {}}}\n", hash("right"), hash("other"))
}

pub(crate) async fn status(client: &Client, url: &str, login: Option<(&str, &str)>) -> StatusCode {
    let request = client.get(url);
    let request = match login {
        Some((user, password)) => request.basic_auth(user, Some(password)),
        None => request,
    };
    request.send().await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_speaks_both_versions_of_http_and_nothing_in_plain() {
    let authority = Authority::new();
    let app = authority.app(TLS).await;
    let url = format!("https://{}/metrics", app.addr);
    let answer = authority.client().build().unwrap().get(&url).send().await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
    assert!(answer.text().await.unwrap().contains("marketing_messages_exporter_build_info"));
    let answer = authority.client().http1_only().build().unwrap().get(&url).send().await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_11));
    assert!(Client::builder().no_proxy().build().unwrap().get(&url).send().await.is_err(), "an unknown authority");
    let plain = Client::builder().no_proxy().build().unwrap();
    assert!(plain.get(url.replace("https", "http")).send().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_can_be_turned_off_and_old_versions_refused() {
    let authority = Authority::new();
    let text = "tls_server_config: {cert_file: server.crt, key_file: server.key, min_version: TLS13,\n  \
                curve_preferences: [CurveP256, X25519]}\nhttp_server_config: {http2: false}\n";
    let app = authority.app(text).await;
    let url = format!("https://{}/-/healthy", app.addr);
    let answer = authority.client().build().unwrap().get(&url).send().await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_11);
    let old = authority.client().tls_version_max(reqwest::tls::Version::TLS_1_2).build().unwrap();
    assert!(old.get(&url).send().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_anything_without_a_login() {
    let authority = Authority::new();
    let app = authority.app(&format!("{TLS}{}", users())).await;
    let client = authority.client().build().unwrap();
    for path in ["/metrics", "/", "/-/healthy", "/-/ready", "/nowhere"] {
        let answer = client.get(format!("https://{}{path}", app.addr)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "));
    }
    let url = format!("https://{}/metrics", app.addr);
    // Twice each: the second verdict is a kept one.
    for _ in 0..2 {
        for (login, expected) in [
            (("anna", "right"), StatusCode::OK),
            (("ben", "other"), StatusCode::OK),
            (("anna", "other"), StatusCode::UNAUTHORIZED),
            (("anna", ""), StatusCode::UNAUTHORIZED),
            (("carl", "right"), StatusCode::UNAUTHORIZED),
            (("carl", ""), StatusCode::UNAUTHORIZED),
            (("", ""), StatusCode::UNAUTHORIZED),
        ] {
            assert_eq!(status(&client, &url, Some(login)).await, expected, "{login:?}");
        }
    }
    let odd = client.get(&url).header("authorization", "Bearer right").send().await.unwrap();
    assert_eq!(odd.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_passwords_holds_nobody_back() {
    let authority = Authority::new();
    // A hash of this cost takes long, so whoever needs one waits.
    let slow = "$2b$14$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu";
    let quick = bcrypt::hash("right", 4).unwrap();
    let app = authority.app(&format!("basic_auth_users: {{anna: {quick}, slow: {slow}}}\n")).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/metrics", app.addr);
    assert_eq!(status(&client, &url, Some(("anna", "right"))).await, StatusCode::OK);
    let mut guesses = tokio::task::JoinSet::new();
    for number in 0..40 {
        let (client, url) = (client.clone(), url.clone());
        guesses.spawn(async move { status(&client, &url, Some(("slow", &number.to_string()))).await });
    }
    // Only so many wait for their hash; the others are sent away at once.
    assert_eq!(guesses.join_next().await.unwrap().unwrap(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(status(&client, &url, Some(("anna", "right"))).await, StatusCode::OK);
    assert!(!guesses.is_empty());
    guesses.abort_all();
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_show_certificates_when_asked() {
    let authority = Authority::new();
    let text = "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: ca.crt,\n  \
                client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: ['spiffe://mesh/prometheus', 10.0.0.9, scraper.lan]}\n";
    let app = authority.app(text).await;
    let url = format!("https://{}/metrics", app.addr);
    let ask = async |identity: Option<Identity>| {
        let client = authority.client();
        let client = identity.into_iter().fold(client, ClientBuilder::identity).build().unwrap();
        client.get(&url).send().await.is_ok_and(|answer| answer.status() == StatusCode::OK)
    };
    for (names, expected) in [
        (&["spiffe://mesh/prometheus"][..], true),
        (&["10.0.0.9"], true),
        (&["other.lan", "scraper.lan"], true),
        (&["*.lan"], false),
        (&["10.0.0.8"], false),
        (&["other.lan"], false),
    ] {
        assert_eq!(ask(Some(authority.identity(names))).await, expected, "{names:?}");
    }
    assert!(!ask(None).await, "no certificate");
    assert!(!ask(Some(Authority::new().identity(&["scraper.lan"]))).await, "an unknown authority");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_and_users_are_taken_up_and_mistakes_are_not() {
    let authority = Authority::new();
    let config = Arc::new(WebConfig::open(&authority.config(&format!("{TLS}{}", users()))).unwrap());
    let options = WebOptions { config: config.clone(), ..WebOptions::default() };
    let app = TestApp::start_with(Spec::fleet(1, 1), CONFIGURATION, options).await;
    let url = format!("https://{}/metrics", app.addr);
    // No connection is kept, so every answer shows what is in force.
    let fresh = |of: &Authority| of.client().pool_max_idle_per_host(0).build().unwrap();
    let client = fresh(&authority);
    assert_eq!(status(&client, &url, Some(("anna", "right"))).await, StatusCode::OK);

    let successor = Authority::new();
    let (certificate, key) = successor.sign(&["127.0.0.1"]);
    authority.folder.write("server.crt", &certificate);
    assert_eq!(status(&client, &url, Some(("anna", "right"))).await, StatusCode::OK, "a key that does not fit yet");
    authority.folder.write("server.key", &key);
    let newer = fresh(&successor);
    eventually("the new certificate is shown", async || newer.get(&url).send().await.is_ok()).await;

    for wrong in ["", "{}", TLS, "basic_auth_users: [", "colour: blue\n"] {
        authority.config(wrong);
        // Half a file is no mistake, and has to wait.
        assert_eq!(config.reload().is_err(), !["{}", TLS].contains(&wrong), "{wrong:?}");
        assert_eq!(status(&newer, &url, None).await, StatusCode::UNAUTHORIZED, "{wrong:?} opens no door");
        assert_eq!(status(&newer, &url, Some(("anna", "right"))).await, StatusCode::OK, "{wrong:?}");
    }
    authority.config(&format!("{TLS}basic_auth_users: {{carl: {}}}\n", bcrypt::hash("new", 4).unwrap()));
    eventually("the new user is known", async || status(&newer, &url, Some(("carl", "new"))).await == StatusCode::OK)
        .await;
    assert_eq!(
        status(&newer, &url, Some(("anna", "right"))).await,
        StatusCode::UNAUTHORIZED,
        "the verdict is not kept"
    );
}

/// Text of a web configuration that asks for certificates.
const CERTIFICATES: &str = "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: ca.crt,\n  \
                            client_auth_type: RequireAndVerifyClientCert}\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_less_of_clients_is_put_into_force_late_and_closes_their_connections() {
    let authority = Authority::new();
    let app = authority.app(CERTIFICATES).await;
    let url = format!("https://{}/-/healthy", app.addr);
    let anybody = || authority.client().pool_max_idle_per_host(0).build().unwrap();
    assert!(anybody().get(&url).send().await.is_err());
    // Less is asked again and again, and never for long.
    for text in [TLS, CERTIFICATES, "{}", CERTIFICATES, &format!("{TLS}{}", users()), CERTIFICATES] {
        authority.config(text);
        assert!(anybody().get(&url).send().await.is_err(), "{text}");
    }
    authority.config(TLS);
    eventually("it has settled", async || anybody().get(&url).send().await.is_ok()).await;

    // Asking more is taken up soon, and ends what was made before.
    let mut kept = Http2::connect(app.addr, [127, 0, 0, 1], &authority.pem(), 1 << 20).await;
    kept.get("/-/healthy").await;
    assert!(kept.read().await.unwrap().is_ok());
    authority.config(CERTIFICATES);
    kept.closed().await;
    assert!(anybody().get(&url).send().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_turned_on_at_once_and_off_late() {
    let authority = Authority::new();
    let app = authority.app("{}").await;
    let (plain, secret) = (format!("http://{}/-/healthy", app.addr), format!("https://{}/-/healthy", app.addr));
    let answers = async |url: &str| {
        let client = authority.client().pool_max_idle_per_host(0).build().unwrap();
        client.get(url).send().await.is_ok_and(|answer| answer.status() == StatusCode::OK)
    };
    let mut kept = TcpStream::connect(app.addr).await.unwrap();
    kept.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(kept.read_u8().await.unwrap(), b'H');
    authority.config(TLS);
    let mut rest = Vec::new();
    kept.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"healthy\n"), "one answer, and the connection is closed");
    assert!(answers(&secret).await && !answers(&plain).await);
    authority.config("{}");
    eventually("TLS is off", async || answers(&plain).await).await;
    assert!(!answers(&secret).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn healthcheck_finds_life_behind_tls_logins_and_certificates() {
    let authority = Authority::new();
    for (text, said) in
        [(TLS, "200 OK"), (&format!("{TLS}{}", users()), "401"), (&users(), "401"), (CERTIFICATES, "certificate")]
    {
        let app = authority.app(text).await;
        let (address, file) = (app.addr.to_string(), authority.config(text).display().to_string());
        let arguments = ["healthcheck", "--web.listen-address", &address, "--web.config.file", &file];
        let (code, stdout, stderr) = cli::run(&arguments);
        assert_eq!(code, Some(0), "{text}: {stdout}{stderr}");
        assert!(stdout.contains(said), "{text}: {stdout}");
        if text.contains("tls_server_config") {
            let (code, stdout, stderr) = cli::run(&["healthcheck", "--web.listen-address", &address]);
            assert_eq!(code, Some(0), "{text}: {stdout}{stderr}");
            let told = format!("{stdout}{stderr}");
            assert!(told.contains("TLS") && told.contains("--web.config.file"), "{text}: {told}");
        }
    }
}

#[test]
fn check_reads_the_web_configuration_too() {
    let authority = Authority::new();
    let web = authority.config("colour: blue\n").display().to_string();
    let bad = authority.folder.write("bad.yaml", "poll: {interval: soon}\n").display().to_string();
    for command in ["check", "run"] {
        let (code, _, stderr) = cli::run(&[command, "--config.file", &bad, "--web.config.file", &web]);
        assert_eq!(code, Some(78), "{stderr}");
        assert!(stderr.contains("poll.interval") && stderr.contains("web.yml: colour: unknown key"), "{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_set_and_requests_limited() {
    let authority = Authority::new();
    let text = "http_server_config: {headers: {X-Frame-Options: deny, Content-Security-Policy: default-src *}}\n\
                rate_limit: {interval: 1h, burst: 2}\n";
    let app = authority.app(text).await;
    let healthy = app.request("GET", "/-/healthy", &[]).await;
    assert_eq!(healthy.headers()["x-frame-options"], "deny");
    assert_eq!(healthy.headers()["content-security-policy"], "default-src *");
    let page = app.request("GET", "/", &[]).await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; "), "our page's own is the stricter one: {policy}");
    let third = app.request("GET", "/-/healthy", &[]).await;
    assert_eq!(third.status().as_u16(), 429);
    assert!(third.headers().contains_key("retry-after") && third.headers().contains_key("x-frame-options"));
}

#[test]
fn every_mistake_is_told_with_its_remedy_and_no_secret() {
    let authority = Authority::new();
    let secret = "hush-hush";
    let text = format!(
        "tls_server_config:\n  cert_file: nowhere.crt\n  key: {secret}\n  min_version: TLS10\n  client_auth_type: Maybe\n  \
         cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]\n  curve_preferences: [CurveP521]\n  client_allowed_sans: [a@b.c]\n  \
         colour: blue\nhttp_server_config: {{http2: perhaps, headers: {{X-Frame-Options: allow, Server: mine}}}}\n\
         basic_auth_users: {{anna: {secret}, 'a:b': [x]}}\nrate_limit: {{interval: soon, burst: 0}}\nother: 1\n"
    );
    let problems = WebConfig::open(&authority.config(&text)).unwrap_err().to_string();
    for place in [
        "tls_server_config.cert_file",
        "tls_server_config.key",
        "tls_server_config.min_version",
        "tls_server_config.client_auth_type",
        "tls_server_config.cipher_suites[0]",
        "tls_server_config.curve_preferences[0]",
        "tls_server_config.client_allowed_sans",
        "tls_server_config.client_allowed_sans[0]",
        "tls_server_config.colour",
        "http_server_config.http2",
        "http_server_config.headers.X-Frame-Options",
        "http_server_config.headers.Server",
        "basic_auth_users.anna",
        "basic_auth_users.a:...",
        "rate_limit.interval",
        "other",
    ] {
        let told = problems.lines().find(|line| line.contains(&format!("web.yml: {place}: ")));
        assert!(told.is_some_and(|line| line.contains("; ")), "{place} is not in\n{problems}");
    }
    assert!(!problems.contains(secret), "{problems}");
    for (text, part) in [
        ("{}", None),
        ("tls_server_config: {}\nbasic_auth_users:\n", None),
        ("tls_server_config: {min_version: TLS12}", Some("cert_file: missing")),
        ("tls_server_config: {cert_file: server.crt, cert: x, key_file: server.key}", Some("write one of them")),
        ("tls_server_config: {cert_file: ca.crt, key_file: server.key}", Some("the key must be that of")),
        (
            "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: ca.crt}",
            Some("clients are not asked"),
        ),
        (
            "tls_server_config: {cert_file: server.crt, key_file: server.key, client_auth_type: VerifyClientCertIfGiven}",
            Some("client_ca_file: missing"),
        ),
        ("rate_limit: {interval: 1s}", Some("rate_limit.burst")),
        ("a: [", Some("correct the syntax")),
    ] {
        let opened = WebConfig::open(&authority.config(text));
        let told = opened.as_ref().err().map(ToString::to_string);
        assert_eq!(told.is_some(), part.is_some(), "{text}: {told:?}");
        assert!(part.is_none_or(|part| told.unwrap().contains(part)), "{text}");
    }
    assert!(WebConfig::open(&authority.folder.0.join("none.yml")).unwrap_err().to_string().contains("cannot be read"));
}
