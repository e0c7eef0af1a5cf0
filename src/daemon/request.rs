//! Makes one request, sends it and reads its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;

use crate::clock::{self, Clock};
use crate::credentials::{Keyring, Unread};
use crate::domain::fault::{Fault, Reason};
use crate::engine::{Answer, Generation, KeyContent, Outgoing};
use crate::fetch::Fetch;
use crate::source::{Received, Redactor, RequestContext, http_date};

/// A larger body is read on a thread that may take its time.
const LARGE_BODY: usize = 64 << 10;

/// A request on its way out.
#[derive(Debug)]
pub enum Prepared {
    /// It is made, with this content of its credential.
    Ready(Box<Request<Vec<u8>>>, Generation),
    /// Its keys are being fetched.
    Pending,
    /// It cannot be made: this stands for its answer.
    Failed(Box<Answer>),
}

/// Makes a request with the content of its credential as it is now, and says what reading that came to.
pub fn prepare(
    keyring: &mut Keyring,
    outgoing: &Outgoing,
    at: Timestamp,
    nonce: u128,
) -> (Option<KeyContent>, Prepared) {
    let read = match keyring.read(&outgoing.credential) {
        Ok(read) => read,
        Err(Unread::Pending) => return (None, Prepared::Pending),
        Err(unread) => {
            let fault = Fault::new(Reason::Unauthorized, unread.to_string());
            return (Some(unread.content()), Prepared::Failed(Box::new(unsent(outgoing, None, fault))));
        }
    };
    let asked = RequestContext {
        cursor: outgoing.cursor.as_ref(),
        limit: outgoing.limit,
        at,
        nonce,
        keys: &read.keys,
        metrics: outgoing.metrics,
    };
    let prepared = match outgoing.target.request(&asked) {
        Ok(request) => Prepared::Ready(Box::new(request), read.generation),
        Err(fault) => Prepared::Failed(Box::new(unsent(outgoing, Some(read.generation), fault))),
    };
    (Some(read.content()), prepared)
}

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
    if sent.response.as_ref().ok().is_none_or(|response| response.body().len() <= LARGE_BODY) {
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
        let served = sent.and_then(|response| target.served(response.headers(), &redactor, at));
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
fn unsent(outgoing: &Outgoing, generation: Option<Generation>, fault: Fault) -> Answer {
    let (ticket, usage) = (outgoing.ticket, Vec::new());
    Answer { ticket, generation, result: Err(fault), status: None, usage, served: None, took: None }
}

/// Seconds by which our clock is ahead of the API's, as the header `date` tells.
fn skew(headers: &http::HeaderMap, now: Timestamp) -> Option<i64> {
    Some(now.duration_since(http_date(headers, http::header::DATE)?).as_secs())
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
