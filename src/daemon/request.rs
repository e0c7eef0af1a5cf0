//! Sends one request and reads its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;

use crate::clock::{self, Clock};
use crate::domain::fault::{Fault, Reason};
use crate::engine::{Answer, Generation, Outgoing};
use crate::fetch::Fetch;
use crate::source::{Received, Redactor};

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
    // The proof is made for this request alone, so nobody else knows it to be secret.
    let redactor = redactor.and_proof_of(&request);
    let started = clock.uptime();
    let response = fetch.send(request).await;
    let sent = Sent { outgoing, generation, redactor, response, took: clock.uptime() - started, at: clock::wall() };
    // A small body is read faster than a thread is found for it.
    if sent.response.as_ref().map_or(true, |response| response.body().len() <= LARGE_BODY) {
        return sent.read();
    }
    let outgoing = sent.outgoing.clone();
    match tokio::task::spawn_blocking(move || sent.read()).await {
        Ok(answer) => answer,
        // The runtime stops, or reading has a bug: then the request's task breaks as it would by itself.
        Err(broken) => match broken.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => unsent(&outgoing, Some(generation), Fault::new(Reason::Unavailable, "stopping")),
        },
    }
}

/// A request that was sent, and what came back.
#[derive(Debug)]
pub struct Sent {
    /// What was asked.
    pub outgoing: Outgoing,
    /// With which content of the credential.
    pub generation: Generation,
    /// What every text of the answer passes.
    pub redactor: Arc<Redactor>,
    /// The answer, or why there is none.
    pub response: Result<Response<Bytes>, Fault>,
    /// From sending to the last byte.
    pub took: Duration,
    /// When the last byte came.
    pub at: Timestamp,
}

impl Sent {
    /// What the answer means.
    pub fn read(self) -> Answer {
        let Self { outgoing: Outgoing { ticket, target, cursor, .. }, generation, redactor, response, took, at } = self;
        let sent = response.as_ref().ok();
        let status = sent.map(|response| response.status().as_u16());
        // From every answer, refusals included: those tell most about an allowance.
        let usage = sent.map(|response| target.usage(response.headers())).unwrap_or_default();
        let served = sent.and_then(|response| target.served(response.headers(), &redactor));
        let skew = sent.and_then(|response| skew(response.headers(), at));
        let result = match &response {
            Ok(response) => target.read(Received { response, redactor: &redactor }, cursor.as_ref()),
            Err(fault) => Err(Fault { message: redactor.line(&fault.message), ..fault.clone() }),
        };
        let result = result.map_err(|fault| match skew.filter(|_| target.blames_the_clock(&fault)) {
            Some(skew) => {
                Fault { message: format!("{} (our clock is {skew} s off the API's)", fault.message), ..fault }
            }
            None => fault,
        });
        Answer { ticket, generation: Some(generation), result, status, usage, served, took: Some(took) }
    }
}

/// The answer to a request that could not be sent at all.
pub fn unsent(outgoing: &Outgoing, generation: Option<Generation>, fault: Fault) -> Answer {
    let (ticket, usage) = (outgoing.ticket, Vec::new());
    Answer { ticket, generation, result: Err(fault), status: None, usage, served: None, took: None }
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
