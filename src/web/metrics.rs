//! `GET /metrics`.

use std::io::Write as _;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Site, negotiate, openmetrics};
use crate::domain::target::{AccountId, Source};
use crate::exposition::{Filter, Format};
use crate::telemetry;

/// Level 2 is a third smaller than level 1 on such text, and higher levels win nearly nothing.
const LEVEL: Compression = Compression::new(2);

pub(super) async fn metrics(
    State(site): State<Site>,
    Query(parameters): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let Ok(permit) = site.scrapes.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many scrapes at a time (--web.max-requests)\n").into_response();
    };
    let filter = match filter(&parameters) {
        Ok(filter) => filter,
        Err(problem) => return (StatusCode::BAD_REQUEST, problem).into_response(),
    };
    let (format, gzip) = (negotiate::format(&headers), negotiate::gzip(&headers));
    // Rendering a large exposition takes milliseconds: not on the threads that serve the timers.
    let body = tokio::task::spawn_blocking(move || {
        let body = body(&site, format, &filter, gzip);
        drop(permit);
        body
    });
    let Ok(Ok(body)) = body.await else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "the exposition cannot be rendered\n").into_response();
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(negotiate::content_type(format)));
    headers.insert(header::VARY, header::HeaderValue::from_static("Accept, Accept-Encoding"));
    if gzip {
        headers.insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    }
    response
}

fn body(site: &Site, format: Format, filter: &Filter, gzip: bool) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    site.store.exposition().write(format, filter, &mut text);
    let own = site.telemetry.gather();
    match format {
        Format::Text => text.extend_from_slice(telemetry::text(&own).as_bytes()),
        Format::OpenMetrics => text.extend_from_slice(openmetrics::text(&own).as_bytes()),
    }
    if !gzip {
        return Ok(text);
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), LEVEL);
    encoder.write_all(&text)?;
    encoder.finish()
}

/// `?account_id=` and `?source=`, both repeatable. Other parameters are none of ours.
fn filter(parameters: &[(String, String)]) -> Result<Filter, String> {
    let mut filter = Filter::default();
    for (name, value) in parameters {
        match name.as_str() {
            "account_id" => {
                filter.accounts.push(AccountId::parse(value).map_err(|error| format!("account_id: {error}\n"))?);
            }
            "source" => match value.as_str() {
                "meta" => filter.sources.push(Source::Meta),
                "cams" => filter.sources.push(Source::Cams),
                _ => return Err("source: meta or cams\n".to_owned()),
            },
            _ => {}
        }
    }
    Ok(filter)
}
