//! Random texts, secrets, encodings, cuts and places: no twelve characters of a secret come through.

use proptest::prelude::*;

use super::*;
use crate::source::encode::encoded;

/// The ways a secret is written on its way through others' hands.
fn written(secret: &str, way: u8, at: usize) -> String {
    let json = |text: &str| serde_json::Value::from(text).to_string();
    let lower =
        |text: &str| encoded(text).to_string().replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d");
    let split = |with: &str| {
        let (start, end) = secret.split_at(at % secret.len());
        format!("{start}{with}{end}")
    };
    let hex = |before: &str, write: &dyn Fn(u8) -> String| {
        secret.bytes().map(|byte| [before, &write(byte)].concat()).collect::<String>()
    };
    match way % 14 {
        0 => secret.to_owned(),
        1 => encoded(secret).to_string(),
        2 => lower(secret),
        3 => encoded(&encoded(secret).to_string()).to_string(),
        4 => json(secret),
        5 => json(&json(secret)),
        6 => json(&json(&json(secret))),
        7 => split("\n"),
        8 => split("\r\n\t"),
        9 => split("\u{200b}"),
        10 => json(&split("\n")),
        11 => hex("%", &|byte| format!("{byte:02x}")),
        12 => hex("\\u00", &|byte| format!("{byte:02X}")),
        _ => encoded(&json(secret)).to_string(),
    }
}

/// The text as somebody reads it who undoes what was done to it.
fn read(text: &str) -> Vec<String> {
    let signs = |text: &str| -> Vec<Sign> {
        text.bytes().enumerate().map(|(start, byte)| Sign { byte, start, end: start + 1 }).collect()
    };
    let mut all = vec![text.to_owned()];
    for _ in 0..4 {
        let decoded = decode(&signs(all.last().unwrap()));
        let bytes: Vec<u8> = decoded.iter().map(|sign| sign.byte).collect();
        all.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    all
}

fn shows(text: &str, secret: &str) -> Option<String> {
    let fragments: Vec<_> = secret.as_bytes().windows(FRAGMENT_CHARS).map(String::from_utf8_lossy).collect();
    read(text).into_iter().find(|text| fragments.iter().any(|fragment| text.contains(&**fragment)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Wherever it stands, however it is written, and wherever the sender or the bound cuts it.
    #[test]
    fn no_fragment_comes_through(
        secret in "[ -~]{0,3}[A-Za-z0-9+/=_.|\"\\\\-]{13,80}[!-~]",
        (before, after) in ("(?s).{0,320}", "(?s).{0,40}"),
        (way, at, from, to) in (any::<u8>(), any::<usize>(), 0_usize..60, 0_usize..60),
    ) {
        let secret = secret.trim();
        let written = written(secret, way, at);
        // The sender may have cut it, too.
        let whole: Vec<char> = written.chars().collect();
        let part: String = whole.iter().skip(from % whole.len()).take(whole.len().saturating_sub(to % whole.len())).collect();
        let redactor = Redactor::of([secret, "another-secret-0123456789"]);
        for quoted in [&written, &part] {
            let text = format!("{before}{quoted}{after}");
            for shown in [redactor.line(&text), redactor.name(&text)] {
                prop_assert_eq!(shows(&shown, secret), None, "{} as {}: {}", secret, quoted, shown);
            }
        }
    }

    /// What holds no secret is left as it is, but for its length and its line ends.
    #[test]
    fn other_texts_are_left_alone(text in "[ -$&-\\[\\]-~]{0,290}") {
        prop_assume!(!SECRET_PARAMETERS.iter().any(|name| text.contains(name)));
        prop_assert_eq!(Redactor::of(["EAAGm0PX4ZCpsBAzzzz0123456789"]).line(&text), text);
    }
}

/// Each position of the cut to the length of a line, for each way of writing.
#[test]
fn no_cut_of_a_line_shows_what_it_crosses() {
    let secret = "EAAGm0PX4ZCps/BA+x=QwErTyUiOp0123456789|app";
    let redactor = Redactor::of([secret]);
    for way in 0..14 {
        let written = written(secret, way, 20);
        for start in LONGEST_LINE.saturating_sub(written.len() + 2)..=LONGEST_LINE + 2 {
            let text = format!("{}{written} and more of it", "x".repeat(start));
            let line = redactor.line(&text);
            assert_eq!(shows(&line, secret), None, "{written} at {start}: {line}");
            assert!(line.chars().count() <= LONGEST_LINE + 1);
        }
    }
}

#[test]
fn what_is_secret_is_redacted_plain_encoded_and_by_its_parameter() {
    let redactor = Redactor::of(["EAA+x/y", "shh"]);
    let text = "Malformed access token EAA+x/y at ?t=EAA%2Bx%2Fy&appsecret_proof=0a1b&x=1 (shh)\nnext";
    assert_eq!(
        redactor.line(text),
        "Malformed access token <secret> at ?t=<secret>&appsecret_proof=<secret>&x=1 (<secret>) next"
    );
    assert_eq!(redactor.line(&"é".repeat(1000)).chars().count(), LONGEST_LINE + 1);
    assert_eq!(redactor.name("Spring\n\"2026\""), "Spring\n\"2026\"");
    assert_eq!(Redactor::default().line("shh"), "shh");
}

#[test]
fn a_requests_proof_is_known_without_its_name() {
    let request =
        Request::get("http://h/x?a=1&appsecret_proof=0123456789abcdef0123&appsecret_time=1").body(()).unwrap();
    let redactor = Arc::new(Redactor::of(["hush-token-of-length"])).and_proof_of(&request);
    assert_eq!(redactor.line("proof 456789abcdef0 of hush-token-of"), "proof <secret> of <secret>");
}
