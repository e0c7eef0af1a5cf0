//! What clients send to get in: no output holds any of it, whether they are let in or not.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::authority::{Authority, CONFIGURATION};
use crate::cli::command;
use crate::process::Process;
use crate::quoting::hits;

/// The right password, a wrong one, and a token of somebody who thinks of another server.
const PASSWORD: &str = "Right0horse1battery2staple";
const WRONG: &str = "Wrong9horse8battery7staple";
const TOKEN: &str = "EAAGm0PX4ZCpsBAKZCbvTz0123456789abcdefghijklmnopqrstuvwxyz";

/// What is sent as `Authorization`.
fn authorizations() -> Vec<String> {
    let basic = |login: &str| format!("Basic {}", BASE64_STANDARD.encode(login));
    vec![
        basic(&format!("anna:{PASSWORD}")),
        basic(&format!("anna:{WRONG}")),
        basic(&format!("ben:{WRONG}")),
        basic(&format!("{WRONG}:anna")),
        basic(WRONG),
        format!("Basic {WRONG}"),
        format!("Basic anna:{WRONG}"),
        format!("Bearer {TOKEN}"),
        WRONG.to_owned(),
    ]
}

/// A header field by field, as a client sees it.
fn shown(headers: &HeaderMap) -> String {
    let line =
        |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    headers.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_output_holds_what_a_client_sends_to_be_let_in() {
    let (authority, foreign) = (Authority::new(), Authority::new());
    let hash = bcrypt::hash(PASSWORD, 4).unwrap();
    let web = authority.config(&format!(
        "tls_server_config: {{cert_file: server.crt, key_file: server.key, client_ca_file: ca.crt,\n  \
         client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [scraper]}}\n\
         basic_auth_users: {{anna: {hash}}}\n"
    ));
    let configuration = CONFIGURATION.replace("URL", "http://127.0.0.1:1").replace("token_file: DIR/token", "token: x");
    let configuration = authority.folder.write("config.yaml", &configuration);
    let log = authority.folder.0.join("log");
    let mut command = command(&["--log.level", "trace", "--web.enable-lifecycle"]);
    command.arg("--config.file").arg(configuration).arg("--web.config.file").arg(web);
    let mut daemon = Process::spawn_logging(command, &authority.folder.0, &log);
    let address = daemon.addr;

    // One that is let in, one of another name, one of another authority, and one that shows nothing.
    let signed = [authority.sign(&["scraper"]), authority.sign(&["other"]), foreign.sign(&["scraper"])];
    let identity = |(certificate, key): &(String, String)| {
        reqwest::Identity::from_pem(format!("{certificate}{key}").as_bytes()).unwrap()
    };
    let mut clients: Vec<_> =
        signed.iter().map(|pair| authority.client().identity(identity(pair)).build().unwrap()).collect();
    clients.push(authority.client().build().unwrap());
    let (mut outputs, mut refused, mut statuses) = (Vec::new(), 0, Vec::new());
    for client in &clients {
        for authorization in authorizations() {
            for (method, path) in [("GET", "/"), ("GET", "/metrics"), ("POST", "/-/reload")] {
                let url = format!("https://{address}{path}?access_token={TOKEN}&password={WRONG}");
                let request = client.request(method.parse().unwrap(), url).header("authorization", &authorization);
                let request = request.header("cookie", format!("session={TOKEN}")).header("x-password", WRONG);
                match request.send().await {
                    Ok(answer) => {
                        statuses.push(answer.status().as_u16());
                        outputs.push(shown(answer.headers()) + &answer.text().await.unwrap());
                    }
                    Err(_) => refused += 1,
                }
            }
        }
    }
    let tried = authorizations().len() * 3;
    assert_eq!(refused, 3 * tried, "clients without a certificate that counts get nowhere");
    assert!(statuses.contains(&200) && statuses.iter().filter(|status| **status == 401).count() == tried - 3);
    for path in ["/metrics", "/", "/api/v1/targets", "/config"] {
        let answer = clients[0].get(format!("https://{address}{path}"));
        outputs.push(answer.basic_auth("anna", Some(PASSWORD)).send().await.unwrap().text().await.unwrap());
    }
    daemon.child.signal("-TERM");
    daemon.child.wait();
    outputs.push(std::fs::read_to_string(&log).unwrap());

    let keys = signed.iter().flat_map(|(_, key)| key.lines().filter(|line| !line.starts_with("---")));
    let encoded = authorizations().into_iter().map(|text| text.trim_start_matches("Basic ").to_owned());
    let words = [PASSWORD, WRONG, TOKEN, &hash].map(ToOwned::to_owned);
    let secrets: Vec<String> = words.into_iter().chain(encoded).chain(keys.map(ToOwned::to_owned)).collect();
    let found: Vec<_> = outputs.iter().flat_map(|text| hits(text, &secrets)).collect();
    println!(
        "{} outputs of logins, {refused} of them refused with their certificate, looked at for {} secrets: {} hits",
        outputs.len() + refused,
        secrets.len(),
        found.len()
    );
    assert!(found.is_empty(), "{found:#?}");
}
