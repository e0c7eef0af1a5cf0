//! The token's own health: `debug_token`.

use http::{HeaderValue, Request, header};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::{Graph, Page, Received, open, silent, unbuildable};
use crate::domain::fault::{Fault, Reason};
use crate::source::encode::query;
use crate::source::{Keys, RequestContext, TokenHealth};

/// Asks with the app's own token. What is asked about has no place but a parameter: it goes into the
/// body of a POST that Graph reads as a GET, and so stays out of every URL.
pub(super) fn request(graph: &Graph, asked: &RequestContext<'_>) -> Result<Request<Vec<u8>>, Fault> {
    let Keys::Meta { token, app_secret: Some(secret), app_id: Some(id) } = asked.keys else {
        return Err(Fault::new(Reason::InvalidRequest, "looking up the token's expiry needs app_id and app_secret"));
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

pub(super) fn read(answer: Received<'_>) -> Result<Page, Fault> {
    let object = open(answer).map_err(|fault| {
        // The app's own token was refused, which says nothing of the token asked about.
        if fault.reason != Reason::Unauthorized || fault.code.is_none() {
            return fault;
        }
        // Only the API's code and trace id are kept: the text says that "the token" is invalid, which would
        // send the operator after the wrong one.
        let origin = fault.message.split_once(" (").map_or_else(String::new, |(_, origin)| format!(" ({origin}"));
        let message =
            format!("the API rejects the app: check app_id and app_secret against the app's settings{origin}");
        Fault { reason: Reason::InvalidRequest, message, ..fault }
    })?;
    // A token that is no longer valid is reported inside a normal answer, not as an error of the request.
    let data = object.object("data").ok_or_else(|| silent(answer))?;
    match data.flag("is_valid") {
        Some(true) => {}
        Some(false) => {
            let why = data.object("error").and_then(|error| error.text("message")).unwrap_or_default();
            let why = answer.redactor.line(why);
            return Err(Fault::new(Reason::Unauthorized, format!("debug_token: the token is invalid: {why}")));
        }
        None => return Err(silent(answer)),
    }
    // Unix seconds; 0 is never.
    let instant = |key| data.number(key).filter(|s| *s > 0).and_then(|s| Timestamp::from_second(s).ok());
    let health = TokenHealth { expires: instant("expires_at"), data_access_expires: instant("data_access_expires_at") };
    Ok(Page { token: Some(health), ..Page::default() })
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;
    use crate::source::Redactor;

    fn health(body: &str) -> Result<Option<TokenHealth>, Reason> {
        let response = Response::new(body.as_bytes().to_vec().into());
        let answer = Received { response: &response, redactor: &Redactor::default() };
        read(answer).map(|page| page.token).map_err(|fault| fault.reason)
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
