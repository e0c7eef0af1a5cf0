//! What every request passes before it is answered: the limit of requests, and the login.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::time::Instant;

use super::config::{Terms, WebConfig};
use super::login::Verdict;

/// How a client is asked for its login.
const CHALLENGE: &str = "Basic realm=\"marketing-messages-exporter\", charset=\"UTF-8\"";

/// Answers those who keep to the terms, and sets the fields that every answer gets.
pub(super) async fn guard(State(config): State<Arc<WebConfig>>, request: Request, next: Next) -> Response {
    let terms = config.terms();
    let mut response = match refusal(&terms, request.headers().get(header::AUTHORIZATION).cloned()).await {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    for (name, value) in &terms.headers {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    response
}

async fn refusal(terms: &Terms, authorization: Option<HeaderValue>) -> Option<Response> {
    if terms.rate.as_ref().is_some_and(|rate| !rate.allows(Instant::now())) {
        let explanation = "too many requests (rate_limit of the web configuration)\n";
        return Some((StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")], explanation).into_response());
    }
    let logins = terms.logins.as_ref()?;
    match logins.judge(authorization.as_ref()).await {
        Verdict::Welcome => None,
        Verdict::Refused => {
            let challenge = [(header::WWW_AUTHENTICATE, CHALLENGE)];
            Some((StatusCode::UNAUTHORIZED, challenge, "a user name and a password are needed\n").into_response())
        }
        Verdict::Busy => {
            let explanation = "too many logins at a time\n";
            Some((StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], explanation).into_response())
        }
    }
}
