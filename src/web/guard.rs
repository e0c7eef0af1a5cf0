//! Checks before every answer: rate limit and login.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::time::Instant;

use super::config::{WebConfig, WebPolicy};
use super::login::LoginOutcome;
use super::peer::Peer;

/// How a client is asked for its login.
const CHALLENGE: &str = "Basic realm=\"marketing-messages-exporter\", charset=\"UTF-8\"";

/// Answers those who keep to the policy, and sets the fields that every answer gets.
pub(super) async fn guard(State(config): State<Arc<WebConfig>>, request: Request, next: Next) -> Response {
    let policy = config.policy();
    let authorization = request.headers().get(header::AUTHORIZATION).cloned();
    // The cheap refusals first: nobody gets a password hashed whose request is refused anyway.
    let refusal = match too_early(&policy, &request) {
        Some(refusal) => Some(refusal),
        None => not_logged_in(&policy, authorization).await,
    };
    let mut response = match refusal {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    // Refusals get them, too: a browser shows those as well.
    for (name, value) in &policy.headers {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    response
}

/// What is refused before anybody's login is looked at.
fn too_early(policy: &WebPolicy, request: &Request) -> Option<Response> {
    let peer = request.extensions().get::<Peer>();
    // A connection from before a change has not shown what is asked now, and may stay open for long.
    if peer.is_some_and(|peer| !policy.ask_the_same(peer.asked.as_ref())) {
        let explanation = "the web configuration has changed since this connection was made; connect again\n";
        return Some((StatusCode::MISDIRECTED_REQUEST, explanation).into_response());
    }
    if policy.rate.as_ref().is_some_and(|rate| !rate.allows(Instant::now())) {
        let explanation = "too many requests (rate_limit of the web configuration)\n";
        return Some((StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")], explanation).into_response());
    }
    if !names_one_host(request) {
        let explanation = "an HTTP/1.1 request needs exactly one Host field, with a host and optionally a port\n";
        return Some((StatusCode::BAD_REQUEST, explanation).into_response());
    }
    None
}

/// Whether a request says whom it is for, as HTTP/1.1 demands (RFC 9112, 3.2). A proxy may pick another of two hosts
/// than we do, and the check of a request's origin compares with it.
fn names_one_host(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        // HTTP/2 has `:authority` instead, and HTTP/1.0 nothing.
        (None, _) => request.version() != Version::HTTP_11,
        (Some(host), None) => host.is_empty() || is_host(host.as_bytes()),
        (Some(_), Some(_)) => false,
    }
}

fn is_host(text: &[u8]) -> bool {
    !text.contains(&b'@') && Authority::try_from(text).is_ok()
}

async fn not_logged_in(policy: &WebPolicy, authorization: Option<HeaderValue>) -> Option<Response> {
    let logins = policy.logins.as_ref()?;
    match logins.judge(authorization.as_ref()).await {
        LoginOutcome::Welcome => None,
        LoginOutcome::Refused => {
            let challenge = [(header::WWW_AUTHENTICATE, CHALLENGE)];
            Some((StatusCode::UNAUTHORIZED, challenge, "a user name and a password are needed\n").into_response())
        }
        LoginOutcome::Busy => {
            let explanation = "too many logins at a time\n";
            Some((StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], explanation).into_response())
        }
    }
}
