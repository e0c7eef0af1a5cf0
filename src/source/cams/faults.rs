//! What the codes of Alibaba Cloud's gateway and of CAMS mean for us.
//!
//! The vendor's own pages give different statuses for the same code: the code decides. The message
//! of a signature fault quotes what was signed, security token included, and is never repeated.

use std::time::Duration;

use bytes::Bytes;
use http::Response;

use crate::domain::fault::{Fault, Reason, Scope};
use crate::source::json::{Object, start};
use crate::source::{Received, reason_of_status, retry_after, silent};

/// The part of an answer that says how it went.
#[derive(Debug)]
pub(super) struct ResponseStatus<'a> {
    /// Codes come as texts and, in one published sample, as a number.
    code: &'a str,
    success: Option<bool>,
    message: &'a str,
    request_id: &'a str,
}

impl<'a> ResponseStatus<'a> {
    /// In either of the gateway's spellings.
    pub(super) fn of(top: &'a Object) -> Self {
        let text = |[one, other]: [&str; 2]| top.text(one).or_else(|| top.text(other)).unwrap_or_default();
        Self {
            code: text(["Code", "code"]),
            success: top.flag("Success").or_else(|| top.flag("success")),
            message: text(["Message", "message"]),
            request_id: text(["RequestId", "requestId"]),
        }
    }

    /// Whether anything says that it is the gateway's word: any proxy can send an object.
    pub(super) fn is_known(&self) -> bool {
        self.success.is_some() || !self.code.is_empty() || !self.request_id.is_empty()
    }

    /// Whether the operation failed, whatever the HTTP status says.
    pub(super) fn is_error(&self) -> bool {
        // The published samples of success have `OK` or a number.
        self.success == Some(false) || !matches!(self.code, "" | "OK" | "0" | "200")
    }
}

/// Codes by prefix, the first match counts; reason, and what to tell the operator.
#[rustfmt::skip]
const CODES: &[(&str, Reason, &str)] = &[
    ("Throttling", Reason::Throttled, "too many calls with this access key"),
    ("Rejected.Throttling", Reason::Throttled, "too many calls with this access key"),
    ("System.LimitControl", Reason::Throttled, "the product is throttling requests"),
    ("ServiceUnavailable", Reason::Unavailable, "the service is down"),
    ("InternalError", Reason::Unavailable, "internal error of the API"),
    ("SignatureNonceUsed", Reason::Unavailable, "the nonce was used before: another client generates the same ones"),
    ("InvalidTimeStamp", Reason::Unavailable, "the clock is off by more than 15 minutes: set the clock"),
    ("InvalidSecurityToken", Reason::Unauthorized, "the security token expired or is invalid"),
    ("MissingSecurityToken", Reason::Unauthorized, "temporary keys need their security token"),
    ("InvalidAccessKeyId", Reason::Unauthorized, "the access key does not exist or is inactive"),
    ("SignatureDoesNotMatch", Reason::Unauthorized, "the signature does not match: check the access key's secret"),
    ("IncompleteSignature", Reason::Unauthorized, "the signature is incomplete: check the access key"),
    ("NoPermission", Reason::Forbidden, "no permission: grant cams:Get* and cams:List* (AliyunCamsReadOnlyAccess)"),
    ("Forbidden", Reason::Forbidden, "no permission: grant cams:Get* and cams:List* (AliyunCamsReadOnlyAccess)"),
    ("Ram.PermissionDeny", Reason::Forbidden, "no permission: grant cams:Get* and cams:List* (AliyunCamsReadOnlyAccess)"),
    ("Authentication.NoAuth", Reason::Forbidden, "no permission: grant cams:Get* and cams:List* (AliyunCamsReadOnlyAccess)"),
    ("Product.Unsubscript", Reason::Forbidden, "the account has not subscribed to the product"),
    ("Unknown.ResourceOwnerId", Reason::NotFound, "the channel, page or account belongs to someone else"),
    ("InvalidAction.NotFound", Reason::InvalidRequest, "the endpoint does not know the operation: check endpoint"),
    ("InvalidApi.NotFound", Reason::InvalidRequest, "the endpoint does not know the operation: check endpoint"),
    ("InvalidProduct.NotFound", Reason::InvalidRequest, "the endpoint does not know the product: check endpoint"),
    ("InvalidVersion", Reason::InvalidRequest, "the endpoint does not know this version: check endpoint"),
    ("InvalidProtocol.NeedSsl", Reason::InvalidRequest, "the endpoint requires https"),
    ("InvalidParameter", Reason::InvalidRequest, ""),
    ("Missing", Reason::InvalidRequest, ""),
    ("Invalid", Reason::InvalidRequest, ""),
];

/// The fault behind a verdict that is not success.
pub(super) fn classify(verdict: &ResponseStatus<'_>, answer: Received<'_>) -> Fault {
    let status = answer.response.status().as_u16();
    let code = verdict.code;
    let row = CODES.iter().find(|(prefix, ..)| code.starts_with(prefix));
    // The vendor's own clients look for the word anywhere in the code.
    let row = row.or_else(|| CODES.first().filter(|_| code.contains("Throttling")));
    let reason = match (row, reason_of_status(status)) {
        (Some((_, reason, _)), _) => *reason,
        (None, Some(reason)) => reason,
        // An error object without a code is as good as no word of the API.
        (None, None) if code.is_empty() => silent(answer).reason,
        (None, None) => Reason::InvalidRequest,
    };
    let throttled = reason == Reason::Throttled;
    let say = row.map_or("", |(.., say)| say);
    let quoted = |text| answer.redactor.line(text);
    let say = match (say, quoted(verdict.message)) {
        ("", message) if message.is_empty() => "the API gives no reason".to_owned(),
        ("", message) => message,
        (say, _) => say.to_owned(),
    };
    let named = |what, text| match quoted(text) {
        text if text.is_empty() => format!("no {what}"),
        text => format!("{what} {text}"),
    };
    Fault {
        reason,
        scope: Scope::Lane,
        // Whether CAMS sends the header is not documented; most of its siblings do not.
        wait: throttled.then(|| {
            let asked = retry_after_millis(answer.response).or_else(|| retry_after(answer.response));
            asked.unwrap_or(THROTTLE_WAIT)
        }),
        // The prefix and not the code: the API's codes end in names of parameters, and labels must be few.
        code: Some(row.map_or("other", |(prefix, ..)| prefix)),
        abuse: false,
        fields: Vec::new(),
        message: format!(
            "{say} (CAMS {}, HTTP {status}, {})",
            named("code", code),
            named("request", verdict.request_id),
        ),
    }
}

/// The gateway counts by the second; where it names no time, a lane pauses for some of them.
const THROTTLE_WAIT: Duration = Duration::from_secs(10);

/// `x-acs-retry-after` is in milliseconds; the vendor's clients cap it at two minutes.
fn retry_after_millis(response: &Response<Bytes>) -> Option<Duration> {
    let millis: u64 = response.headers().get("x-acs-retry-after")?.to_str().ok()?.trim().parse().ok()?;
    // The vendor's clients take positive numbers only.
    (millis > 0).then(|| Duration::from_millis(millis.min(120_000)))
}

/// The gateway's older form: `<Error><Code>..</Code><Message>..</Message></Error>`.
pub(super) fn from_xml(answer: Received<'_>) -> Option<Fault> {
    let body = std::str::from_utf8(answer.response.body()).ok()?;
    let element = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        let (text, _) = rest.split_once(&format!("</{name}>"))?;
        Some(start(text))
    };
    let code = body.contains("<Error>").then(|| element("Code")).flatten()?;
    let text = |name| element(name).unwrap_or_default();
    Some(classify(
        &ResponseStatus { code, success: None, message: text("Message"), request_id: text("RequestId") },
        answer,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Redactor;
    use crate::source::json::Keep;

    fn read(response: &Response<Bytes>) -> Fault {
        let answer = Received { response, redactor: &Redactor::default() };
        let read = super::super::open(answer, Keep::only(&super::super::NAMES), |(), _| {});
        read.err().expect("an error")
    }

    fn fault(status: u16, body: &str) -> Fault {
        read(&Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes())).unwrap())
    }

    /// Every row of the sheet's table.
    #[test]
    fn every_row_of_the_error_table() {
        use Reason::{Forbidden, InvalidRequest, NotFound, Throttled, Unauthorized, Unavailable};
        for (status, code, reason) in [
            (400, "Throttling", Throttled),
            (400, "Throttling.User", Throttled),
            (400, "Throttling.Api", Throttled),
            (400, "Rejected.Throttling", Throttled),
            (400, "Some.New.Throttling.Kind", Throttled),
            (400, "System.LimitControl", Throttled),
            (429, "Unheard", Throttled),
            (403, "ServiceUnavailable", Unavailable),
            (400, "InternalError", Unavailable),
            (502, "Unheard", Unavailable),
            (400, "SignatureNonceUsed", Unavailable),
            (400, "InvalidTimeStamp.Expired", Unavailable),
            (400, "InvalidTimeStamp.Format", Unavailable),
            (400, "InvalidSecurityToken.Expired", Unauthorized),
            (400, "InvalidSecurityToken.Malformed", Unauthorized),
            (400, "MissingSecurityToken", Unauthorized),
            (404, "InvalidAccessKeyId.NotFound", Unauthorized),
            (400, "InvalidAccessKeyId.Inactive", Unauthorized),
            (403, "SignatureDoesNotMatch", Unauthorized),
            (400, "IncompleteSignature", Unauthorized),
            (403, "NoPermission", Forbidden),
            (400, "Forbidden", Forbidden),
            (400, "Forbidden.RAM", Forbidden),
            (400, "Ram.PermissionDeny", Forbidden),
            (400, "Authentication.NoAuth", Forbidden),
            (400, "Product.Unsubscript", Forbidden),
            (400, "Unknown.ResourceOwnerId", NotFound),
            (400, "MissingCampaignId", InvalidRequest),
            (400, "InvalidParameter.PageInvalid", InvalidRequest),
            (400, "InvalidPageId", InvalidRequest),
            (404, "InvalidAction.NotFound", InvalidRequest),
            (404, "InvalidApi.NotFound", InvalidRequest),
            (404, "InvalidProduct.NotFound", InvalidRequest),
            (400, "InvalidVersion", InvalidRequest),
            (400, "InvalidProtocol.NeedSsl", InvalidRequest),
            (400, "Something.Else", InvalidRequest),
            (200, "Something.Else", InvalidRequest),
        ] {
            let body = format!(r#"{{"Code":"{code}","Message":"m","RequestId":"r"}}"#);
            assert_eq!(fault(status, &body).reason, reason, "{status} {code}");
            let xml = format!("<?xml version='1.0'?><Error><Code>{code}</Code><Message>m</Message></Error>");
            assert_eq!(fault(status, &xml).reason, reason, "{status} {code} as XML");
        }
    }

    #[test]
    fn success_false_is_an_error_under_any_status_and_spelling() {
        assert_eq!(fault(200, r#"{"Success":false,"Code":"OK","Message":"m"}"#).reason, Reason::InvalidRequest);
        assert_eq!(fault(200, r#"{"code":"NoPermission","message":"m"}"#).reason, Reason::Forbidden);
        assert_eq!(fault(500, r#"{"Code":"OK"}"#).reason, Reason::Unavailable);
        assert_eq!(fault(502, "<html>").reason, Reason::Unavailable);
    }

    #[test]
    fn what_an_error_does_not_say_is_told_as_missing() {
        for (status, body, message) in [
            (400, r#"{"Success":false}"#, "the API gives no reason (CAMS no code, HTTP 400, no request)"),
            (400, r#"{"Success":false,"Message":"m"}"#, "m (CAMS no code, HTTP 400, no request)"),
            (
                400,
                r#"{"Code":"Something.Else","RequestId":"r"}"#,
                "the API gives no reason (CAMS code Something.Else, HTTP 400, request r)",
            ),
        ] {
            assert_eq!(fault(status, body).message, message);
        }
    }

    #[test]
    fn a_signature_fault_does_not_repeat_what_was_signed() {
        let body =
            r#"{"Code":"SignatureDoesNotMatch","Message":"server StringToSign is [CAISsecret]","RequestId":"r1"}"#;
        let message = fault(400, body).message;
        assert!(!message.contains("CAISsecret") && message.contains("r1"), "{message}");
    }

    #[test]
    fn retry_after_is_in_milliseconds() {
        let body = br#"{"Code":"Throttling.User"}"#;
        for (value, wait) in [("1500", 1.5), ("999999999", 120.0), ("0", 10.0), ("soon", 10.0)] {
            let response = Response::builder()
                .status(400)
                .header("x-acs-retry-after", value)
                .body(Bytes::from_static(body))
                .unwrap();
            assert_eq!(read(&response).wait, Some(Duration::from_secs_f64(wait)), "{value}");
        }
    }
}
