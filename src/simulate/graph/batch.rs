//! Batches: up to fifty calls in one, each answered, charged and counted as if it came by itself.

use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::fault::{Delivery, Framing};
use super::super::{Call, Reply};
use super::authorisation::token_of;
use super::reply::{detailed, error, not_simulated};

/// Calls of one batch.
const MOST_CALLS: usize = 50;

#[derive(Deserialize)]
struct SentCall {
    #[serde(default = "get")]
    method: String,
    relative_url: String,
    #[serde(default)]
    body: String,
    /// What else there is, which is refused by name: what belongs to a batch and is not simulated, or was mistyped.
    #[serde(flatten)]
    more: Map<String, Value>,
}

fn get() -> String {
    "GET".to_owned()
}

/// The calls of a batch.
pub(super) fn calls(batch: &Call, version: Option<&str>) -> Result<Vec<Call>, Reply> {
    let sent = batch.parameter("batch").and_then(|text| serde_json::from_str::<Vec<SentCall>>(text).ok());
    let sent = sent.ok_or_else(|| error(400, 100, None, "(#100) param batch must be an array of calls."))?;
    if sent.len() > MOST_CALLS {
        let message = format!("Too many requests in batch message. Maximum batch size is {MOST_CALLS}");
        return Err(detailed(400, 100, None, &message, &json!({"type": "GraphBatchException"})));
    }
    sent.iter().map(|sent| inner(batch, sent, version)).collect()
}

fn inner(batch: &Call, sent: &SentCall, version: Option<&str>) -> Result<Call, Reply> {
    if let Some(name) = sent.more.keys().find(|name| *name != "headers") {
        return Err(not_simulated(&format!("`batch`: {name}")));
    }
    let url = sent.relative_url.trim_start_matches('/');
    let versioned = url.split(['/', '?']).next().is_some_and(super::version::is_version);
    let prefix = version.filter(|_| !versioned).map(|version| format!("/{version}")).unwrap_or_default();
    let mut headers = HeaderMap::new();
    if !sent.body.is_empty() {
        headers.insert("content-type", axum::http::HeaderValue::from_static("application/x-www-form-urlencoded"));
    }
    let request = axum::http::Request::builder().method(sent.method.as_str()).uri(format!("{prefix}/{url}")).body(());
    let (mut parts, ()) = request
        .map_err(|_| error(400, 100, None, &format!("(#100) batch: {} is no relative_url", sent.relative_url)))?
        .into_parts();
    parts.headers = headers;
    let mut call = Call::new(&parts, sent.body.clone().into());
    // A token, and its proof, may be given once for all.
    if call.parameter("access_token").is_none() {
        call.parameters.extend(token_of(batch).map(|token| ("access_token".to_owned(), token.to_owned())));
        let proofs = batch.parameters.iter().filter(|(name, _)| name.starts_with("appsecret_"));
        call.parameters.extend(proofs.cloned());
    }
    Ok(call)
}

/// An answer as it stands in the list; a call whose answer does not arrive whole is `null`.
pub(super) fn item(delivery: &Delivery, with_headers: bool) -> Value {
    if delivery.framing != Framing::Whole {
        return Value::Null;
    }
    let response = &delivery.response;
    let mut item = json!({"code": response.status().as_u16(), "body": String::from_utf8_lossy(response.body())});
    if with_headers {
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| json!({"name": name.as_str(), "value": value.to_str().unwrap_or_default()}));
        item["headers"] = headers.collect();
    }
    item
}
