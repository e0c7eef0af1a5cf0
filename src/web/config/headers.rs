//! `http_server_config`: the versions of HTTP, and fields that every answer gets.

use axum::http::{HeaderName, HeaderValue};

use super::document::Section;

/// The fields that may be set, and the values that they may have; any if none is listed.
const FIELDS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-XSS-Protection", &[]),
    ("Strict-Transport-Security", &[]),
];

/// Whether HTTP/2 is offered over TLS, and the fields.
pub(super) fn read(mut at: Section<'_>) -> (bool, Vec<(HeaderName, HeaderValue)>) {
    let http2 = at.flag("http2", true);
    let mut below = at.section("headers");
    let mut fields = Vec::new();
    for (name, values) in FIELDS {
        let Some(text) = below.text(name) else { continue };
        // Browsers ignore a value that they do not know, so the protection would be missing without a word.
        if !values.is_empty() && !values.iter().any(|value| value.eq_ignore_ascii_case(&text)) {
            below.problem(
                name,
                format!("the value is not among those that browsers know; write {}", values.join(" or ")),
            );
        }
        match (HeaderName::try_from(name), HeaderValue::try_from(text)) {
            (Ok(name), Ok(value)) => fields.push((name, value)),
            _ => below.problem(name, "a header field is one line of ASCII; write one"),
        }
    }
    below.finish();
    at.finish();
    (http2, fields)
}
