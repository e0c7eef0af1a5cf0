//! One request's way out and back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;

use crate::clock::{self, Clock};
use crate::domain::budget::Usage;
use crate::domain::fault::{Fault, Reason};
use crate::domain::schedule::Ticket;
use crate::domain::target::TargetKey;
use crate::fetch::Fetch;
use crate::source::{Cursor, Keys, Page, Received, Redactor, Served, Target};
use crate::telemetry::Telemetry;

/// A larger body is read on a thread that may take its time.
const LARGE: usize = 64 << 10;

/// What came back of a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) ticket: Ticket,
    /// What the request was made with.
    pub(super) keys: Arc<Keys>,
    pub(super) result: Result<Page, Fault>,
    /// HTTP status; `None` when there was no answer.
    status: Option<u16>,
    pub(super) usage: Vec<Usage>,
    pub(super) served: Option<Served>,
    took: Duration,
}

/// Sends a request and reads its answer. Whatever the answer says is free of secrets from here on.
pub(super) async fn fetch(
    ticket: Ticket,
    request: Request<Vec<u8>>,
    fetch: &Fetch,
    target: Arc<dyn Target>,
    cursor: Option<Cursor>,
    (keys, redactor): (Arc<Keys>, Arc<Redactor>),
    clock: Clock,
) -> Answer {
    let started = clock.uptime();
    let redactor = redactor.and_proof_of(&request);
    let sent = fetch.send(request).await;
    let took = clock.uptime().saturating_sub(started);
    let status = sent.as_ref().ok().map(|response| response.status().as_u16());
    let usage = sent.as_ref().map(|response| target.usage(response.headers())).unwrap_or_default();
    let served = sent.as_ref().ok().and_then(|response| target.served(response.headers(), &redactor));
    let skew = sent.as_ref().ok().and_then(|response| skew(response.headers(), clock::wall()));
    let result = match sent {
        Ok(response) => read(target, response, cursor, redactor).await,
        Err(fault) => Err(Fault { message: redactor.line(&fault.message), ..fault }),
    };
    let result = result.map_err(|fault| match skew.filter(|_| fault.code == Some("InvalidTimeStamp")) {
        Some(skew) => Fault { message: format!("{} (our clock is {skew} s off the API's)", fault.message), ..fault },
        None => fault,
    });
    Answer { ticket, keys, result, status, usage, served, took }
}

async fn read(
    target: Arc<dyn Target>,
    response: Response<Bytes>,
    cursor: Option<Cursor>,
    redactor: Arc<Redactor>,
) -> Result<Page, Fault> {
    let large = response.body().len() > LARGE;
    let read = move || target.read(Received { response: &response, redactor: &redactor }, cursor.as_ref());
    if !large {
        return read();
    }
    match tokio::task::spawn_blocking(read).await {
        Ok(page) => page,
        // The runtime stops, or reading has a bug: then the request's task breaks as it would by itself.
        Err(broken) => match broken.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Fault::new(Reason::Unavailable, "stopping")),
        },
    }
}

/// Seconds by which our clock is ahead of the API's, as the header `date` tells.
fn skew(headers: &http::HeaderMap, now: Timestamp) -> Option<i64> {
    let date = headers.get(http::header::DATE)?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    Some(now.duration_since(date).as_secs())
}

impl Answer {
    /// Counts the request.
    pub(super) fn record(&self, key: &TargetKey, endpoint: &str, telemetry: &Telemetry) {
        let (source, credential) = (key.source.label(), &*key.credential);
        let code = self.status.map_or_else(|| "error".to_owned(), |status| status.to_string());
        telemetry.api_requests.with_label_values(&[source, credential, endpoint, &code]).inc();
        telemetry.api_request_duration.with_label_values(&[source]).observe(self.took.as_secs_f64());
        if let Err(Fault { code: Some(code), .. }) = &self.result {
            telemetry.api_errors.with_label_values(&[source, code]).inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_skew_is_read_from_the_date() {
        let headers = |date: &'static str| {
            http::HeaderMap::from_iter([(http::header::DATE, http::HeaderValue::from_static(date))])
        };
        let now: Timestamp = "2026-01-27T08:20:00Z".parse().unwrap();
        assert_eq!(skew(&headers("Tue, 27 Jan 2026 08:00:00 GMT"), now), Some(1200));
        assert_eq!(skew(&headers("yesterday"), now), None);
        assert_eq!(skew(&http::HeaderMap::new(), now), None);
    }
}
