//! Secrets that were pasted into the web configuration where they do not belong.

use marketing_messages_exporter::web::WebConfig;

use crate::authority::Authority;
use crate::cli;
use crate::quoting::hits;

/// Where something is pasted, with what belongs there beside it.
const PLACES: [&str; 17] = [
    "basic_auth_users: {anna: PASTED}",
    "basic_auth_users: PASTED",
    "basic_auth_users: [PASTED]",
    "tls_server_config: {cert_file: PASTED, key_file: server.key}",
    "tls_server_config: {cert_file: server.crt, key_file: PASTED}",
    "tls_server_config: {cert: PASTED, key: PASTED}",
    "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: PASTED}",
    "tls_server_config: {cert_file: server.crt, key_file: server.key, client_auth_type: PASTED}",
    "tls_server_config: {cert_file: server.crt, key_file: server.key, min_version: PASTED, max_version: PASTED}",
    "tls_server_config: {cert_file: server.crt, key_file: server.key, cipher_suites: [PASTED]}",
    "tls_server_config: {cert_file: server.crt, key_file: server.key, curve_preferences: [PASTED]}",
    "tls_server_config: {cert_file: server.crt, key_file: server.key, client_allowed_sans: [PASTED]}",
    "tls_server_config: PASTED",
    "http_server_config: {http2: PASTED, headers: {X-Frame-Options: PASTED, Strict-Transport-Security: [PASTED]}}",
    "rate_limit: {interval: PASTED, burst: PASTED}",
    "PASTED",
    "[PASTED]",
];

/// The same for keys, where a word is taken for what it is: a name.
const KEYS: [&str; 6] = [
    "{PASTED: x}",
    "{PASTED: x, PASTED: y}",
    "basic_auth_users: {PASTED: anna}",
    "basic_auth_users: {PASTED: [x]}",
    "tls_server_config: {PASTED: x}",
    "http_server_config: {headers: {PASTED: x}}",
];

#[test]
fn no_problem_of_the_web_configuration_quotes_what_was_pasted() {
    let authority = Authority::new();
    let (_, key) = authority.sign(&["x"]);
    let words = "correct horse battery staple".to_owned();
    let hash = bcrypt::hash(&words, 4).unwrap();
    let token = "EAAGm0PX4ZCpsBAKZCbvTz0123456789abcdefghijklmnopqrstuvwxyz".to_owned();
    let login = format!("anna:{words}");
    let recognizable = [&key, &hash, &token, &login];
    let places =
        PLACES.iter().flat_map(|place| recognizable.into_iter().chain([&words]).map(move |text| (place, text)));
    let keys = KEYS.iter().flat_map(|place| recognizable.into_iter().map(move |text| (place, text)));
    let mut told = 0;
    for (place, text) in places.chain(keys) {
        // In double quotes, as it is, and as a text of several lines.
        let lines: Vec<_> = text.lines().map(|line| format!("    {line}")).collect();
        let block = format!("|\n{}\n", lines.join("\n"));
        let last = place.trim_end_matches(['}', ']']).ends_with("PASTED") && !place.contains(['{', '[']);
        for (written, fits) in [(format!("{text:?}"), true), (text.clone(), true), (block, last)] {
            if !fits {
                continue;
            }
            let file = authority.config(&place.replace("PASTED", &written));
            let Err(problems) = WebConfig::open(&file) else { continue };
            told += 1;
            let lines: Vec<_> = text.lines().map(ToOwned::to_owned).chain([words.clone()]).collect();
            let found = hits(&problems.to_string(), &lines);
            assert!(found.is_empty(), "{place}: {found:#?} in\n{problems}");
        }
    }
    println!("{told} problems of web configurations with something pasted into them: 0 hits");
    assert!(told > 150, "{told}");

    let file = authority.config("basic_auth_users: {anna: correct horse battery staple}").display().to_string();
    let configuration = authority.folder.write("config.yaml", "meta: {main: {token: x, accounts: [{id: 1}]}}\n");
    let configuration = configuration.display().to_string();
    for command in ["check", "run"] {
        let (code, stdout, stderr) = cli::run(&[command, "--config.file", &configuration, "--web.config.file", &file]);
        assert_eq!(code, Some(78), "{command}: {stdout}{stderr}");
        assert!(stderr.contains("basic_auth_users.anna: this is not a bcrypt hash"), "{stderr}");
        assert!(hits(&format!("{stdout}{stderr}"), std::slice::from_ref(&words)).is_empty(), "{stdout}{stderr}");
    }
    let swapped = authority.config(&format!("basic_auth_users: {{{hash:?}: anna}}"));
    let problems = WebConfig::open(&swapped).unwrap_err().to_string();
    assert!(problems.contains("<not shown>: name and hash are swapped"), "{problems}");
    let inline = authority.config(&format!("tls_server_config: {{cert_file: server.crt, key_file: {key:?}}}"));
    let problems = WebConfig::open(&inline).unwrap_err().to_string();
    assert!(problems.contains("key_file: this is what a PEM file holds"), "{problems}");
}
