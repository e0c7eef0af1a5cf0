//! Content negotiation: the format and compression that a client accepts.

use axum::http::{HeaderMap, header};

use crate::exposition::Format;

/// The content type of a format.
pub(super) fn content_type(format: Format) -> &'static str {
    match format {
        Format::Text => "text/plain; version=0.0.4; charset=utf-8",
        Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
    }
}

/// `OpenMetrics` where it is asked for at least as urgently as plain text; else text, which every
/// client reads.
pub(super) fn format(headers: &HeaderMap) -> Format {
    // Wildcards count for neither: a browser's `*/*` gets the plain text.
    let (mut open, mut text) = (0.0_f64, 0.0_f64);
    for (range, quality) in items(headers, header::ACCEPT) {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let version = parts.find_map(|part| part.strip_prefix("version=")).map(|version| version.trim_matches('"'));
        match (media.as_str(), version) {
            ("application/openmetrics-text", None | Some("1.0.0" | "0.0.1")) => open = open.max(quality),
            ("text/plain", None | Some("0.0.4" | "1.0.0")) => text = text.max(quality),
            _ => {}
        }
    }
    if open > 0.0 && open >= text { Format::OpenMetrics } else { Format::Text }
}

/// Whether gzip is accepted.
pub(super) fn gzip(headers: &HeaderMap) -> bool {
    items(headers, header::ACCEPT_ENCODING)
        .any(|(coding, quality)| quality > 0.0 && matches!(coding.to_ascii_lowercase().as_str(), "gzip" | "x-gzip"))
}

/// The items of a list header with their quality, 1 where none is given.
fn items(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = (String, f64)> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|item| {
        let quality = item.split(';').map(str::trim).find_map(|part| part.strip_prefix("q="));
        // An unreadable quality counts as a refusal; the plain form is the safe one.
        let quality = quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
        let kept: Vec<_> = item.split(';').map(str::trim).filter(|part| !part.starts_with("q=")).collect();
        (kept.join(";"), quality)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, axum::http::HeaderValue::from_static(value))])
    }

    #[test]
    fn what_servers_ask_for() {
        for (value, expected) in [
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", Format::Text),
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text; version=2.0.0,text/plain", Format::Text),
            ("text/plain;version=0.0.4,application/openmetrics-text;q=0.5", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
        ] {
            assert_eq!(format(&accept(header::ACCEPT, value)), expected, "{value}");
        }
        assert_eq!(format(&HeaderMap::new()), Format::Text);
    }

    #[test]
    fn gzip_is_given_to_those_who_take_it() {
        for (value, expected) in [("gzip", true), ("deflate, gzip;q=0.5", true), ("gzip;q=0", false), ("br", false)] {
            assert_eq!(gzip(&accept(header::ACCEPT_ENCODING, value)), expected, "{value}");
        }
    }
}
