//! Sends one request and reads its answer.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;

use crate::clock::{self, Clock};
use crate::domain::fault::{Fault, Reason};
use crate::engine::{Answer, Generation, Outgoing};
use crate::fetch::Fetch;
use crate::source::{Cursor, Page, Received, Redactor, Target};

/// A larger body is read on a thread that may take its time.
const LARGE_BODY: usize = 64 << 10;

/// Sends a request and reads its answer. Whatever the answer says is free of secrets from here on.
pub(super) async fn send(
    outgoing: Outgoing,
    request: Request<Vec<u8>>,
    fetch: Fetch,
    (generation, redactor): (Generation, Arc<Redactor>),
    clock: Clock,
) -> Answer {
    let Outgoing { ticket, target, cursor, .. } = outgoing;
    // The proof is made for this request alone, so nobody else knows it to be secret.
    let redactor = redactor.and_proof_of(&request);
    let started = clock.uptime();
    let sent = fetch.send(request).await;
    let took = Some(clock.uptime() - started);
    let status = sent.as_ref().ok().map(|response| response.status().as_u16());
    // From every answer, refusals included: those tell most about an allowance.
    let usage = sent.as_ref().map(|response| target.usage(response.headers())).unwrap_or_default();
    let served = sent.as_ref().ok().and_then(|response| target.served(response.headers(), &redactor));
    let skew = sent.as_ref().ok().and_then(|response| skew(response.headers(), clock::wall()));
    let result = match sent {
        Ok(response) => read(target.clone(), response, cursor, redactor).await,
        Err(fault) => Err(Fault { message: redactor.line(&fault.message), ..fault }),
    };
    let result = result.map_err(|fault| match skew.filter(|_| target.blames_the_clock(&fault)) {
        Some(skew) => Fault { message: format!("{} (our clock is {skew} s off the API's)", fault.message), ..fault },
        None => fault,
    });
    Answer { ticket, generation: Some(generation), result, status, usage, served, took }
}

/// The answer to a request that could not be sent at all.
pub(super) fn unsent(outgoing: &Outgoing, generation: Option<Generation>, fault: Fault) -> Answer {
    let (ticket, usage) = (outgoing.ticket, Vec::new());
    Answer { ticket, generation, result: Err(fault), status: None, usage, served: None, took: None }
}

async fn read(
    target: Arc<dyn Target>,
    response: Response<Bytes>,
    cursor: Option<Cursor>,
    redactor: Arc<Redactor>,
) -> Result<Page, Fault> {
    let large = response.body().len() > LARGE_BODY;
    let read = move || target.read(Received { response: &response, redactor: &redactor }, cursor.as_ref());
    // A small body is read faster than a thread is found for it.
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
