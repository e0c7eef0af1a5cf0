//! The token's own health: `debug_token`.

use http::{HeaderValue, Request, Response, header};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{Graph, Page, faults, silent, unbuildable};
use crate::domain::fault::{Fault, Reason};
use crate::source::query::query;
use crate::source::{Asked, Keys, TokenHealth, one_line};

/// Asks with the app's own token. What is asked about has no place but a parameter: it goes into the
/// body of a POST that Graph reads as a GET, and so stays out of every URL.
pub(super) fn question(graph: &Graph, asked: &Asked<'_>) -> Result<Request<Vec<u8>>, Fault> {
    let Keys::Meta { token, app_secret: Some(secret), app_id: Some(id) } = asked.keys else {
        return Err(Fault::new(Reason::InvalidRequest, "the token's health needs app_id and app_secret"));
    };
    let bearer = HeaderValue::from_str(&format!("Bearer {id}|{}", secret.expose_secret()));
    let mut bearer = bearer.map_err(|error| unbuildable(&error.into()))?;
    bearer.set_sensitive(true);
    Request::post(format!("{}/{}/debug_token", graph.base_url, graph.version))
        .header(header::AUTHORIZATION, bearer)
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(query([("method", "get"), ("input_token", token.expose_secret())]).into_bytes())
        .map_err(|error| unbuildable(&error))
}

#[derive(Deserialize)]
struct Answer<'a> {
    data: Option<Data>,
    #[serde(borrow)]
    error: Option<faults::GraphError<'a>>,
}

#[derive(Deserialize)]
struct Data {
    is_valid: bool,
    /// Unix seconds; 0 is never.
    expires_at: Option<i64>,
    #[serde(rename = "data_access_expires_at")]
    access_expires_at: Option<i64>,
    error: Option<Reproach>,
}

#[derive(Deserialize)]
struct Reproach {
    #[serde(default)]
    message: String,
}

pub(super) fn read(response: &Response<Vec<u8>>) -> Result<Page, Fault> {
    let answer: Answer<'_> = serde_json::from_slice(response.body()).map_err(|_| silent(response))?;
    if let Some(error) = answer.error {
        // The app's own token was refused, which says nothing of the token asked about.
        let fault = faults::classify(&error, response);
        if fault.reason != Reason::Unauthorized {
            return Err(fault);
        }
        let origin = fault.message.split_once(" (").map_or_else(String::new, |(_, origin)| format!(" ({origin}"));
        let message = format!("the app is refused: check app_id and app_secret against the app's settings{origin}");
        return Err(Fault { reason: Reason::InvalidRequest, message, ..fault });
    }
    let data = answer.data.ok_or_else(|| silent(response))?;
    if !data.is_valid {
        let why = data.error.map(|error| one_line(&error.message)).unwrap_or_default();
        return Err(Fault::new(Reason::Unauthorized, format!("debug_token: the token is invalid: {why}")));
    }
    let instant = |seconds: Option<i64>| seconds.filter(|s| *s > 0).and_then(|s| Timestamp::from_second(s).ok());
    let health =
        TokenHealth { expires: instant(data.expires_at), data_access_expires: instant(data.access_expires_at) };
    Ok(Page { token: Some(health), ..Page::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(body: &str) -> Result<Option<TokenHealth>, Reason> {
        read(&Response::new(body.as_bytes().to_vec())).map(|page| page.token).map_err(|fault| fault.reason)
    }

    #[test]
    fn zero_is_never() {
        let body = r#"{"data":{"app_id":"1","type":"SYSTEM_USER","data_access_expires_at":0,"expires_at":1772161256,"is_valid":true,"scopes":["ads_read"]}}"#;
        let expires = Timestamp::from_second(1_772_161_256).ok();
        assert_eq!(health(body), Ok(Some(TokenHealth { expires, data_access_expires: None })));
    }

    #[test]
    fn an_invalid_token_is_unauthorized_and_a_refused_app_is_not() {
        let body = r#"{"data":{"is_valid":false,"scopes":[],"error":{"code":190,"message":"expired"}}}"#;
        assert_eq!(health(body), Err(Reason::Unauthorized));
        assert_eq!(
            health(r#"{"error":{"code":190,"message":"Invalid OAuth access token signature."}}"#),
            Err(Reason::InvalidRequest)
        );
        assert_eq!(health("<html>"), Err(Reason::Malformed));
    }
}
