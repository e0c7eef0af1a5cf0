//! What Graph's error codes mean for us.
//!
//! The code decides before the HTTP status, which is rarely useful: a throttled call is a 400, a
//! removed parameter a 500. Texts are localised and decide only where the code says nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::{reason_of_status, retry_after};
use super::{Object, Received, usage};
use crate::domain::fault::{Fault, Reason, Scope};
use crate::domain::metric::{METRICS, Metric};

/// One row of the table.
struct Rule {
    code: i64,
    /// `None` matches any subcode, and none.
    subcode: Option<i64>,
    /// Part of the message, where one code means several things.
    text: &'static str,
    reason: Reason,
    scope: Scope,
    /// Shortest wait in seconds, where the documentation or experience gives one.
    wait: Option<u64>,
    /// What to tell the operator.
    say: &'static str,
}

const fn rule(code: i64, subcode: Option<i64>, reason: Reason, say: &'static str) -> Rule {
    Rule { code, subcode, text: "", reason, scope: Scope::Lane, wait: None, say }
}

const fn throttle(code: i64, subcode: Option<i64>, scope: Scope, wait: u64, say: &'static str) -> Rule {
    Rule { code, subcode, text: "", reason: Reason::Throttled, scope, wait: Some(wait), say }
}

const fn worded(code: i64, text: &'static str, reason: Reason, say: &'static str) -> Rule {
    Rule { code, subcode: None, text, reason, scope: Scope::Lane, wait: None, say }
}

/// The score bucket's block on the lower tier.
const SCORE_BLOCK_SECONDS: u64 = 300;
/// A spent hourly quota, where no header says more.
const QUOTA_BLOCK_SECONDS: u64 = 300;
/// Abuse prevention: calling on makes it worse, and somebody should look.
const ABUSE_BLOCK_SECONDS: u64 = 3600;

use Reason::{ApiVersion, Forbidden, InvalidRequest, Malformed, NotFound, TooLarge, Unauthorized, Unavailable};
use Scope::{Credential, Lane};

/// The first row that matches counts.
#[rustfmt::skip]
const RULES: &[Rule] = &[
    rule(-2, None, Unavailable, "the report failed"),
    rule(-3, None, TooLarge, "the report is too large"),
    worded(1, "reduce the amount of data", TooLarge, "the API asks for less data at once"),
    rule(1, None, Unavailable, "the API reports an unknown error"),
    rule(2, Some(1_504_038), TooLarge, "the query timed out: ask for less data at once"),
    rule(2, Some(1_504_041), InvalidRequest, "invalid breakdown"),
    rule(2, Some(1_504_042), InvalidRequest, "invalid custom metric"),
    rule(2, None, Unavailable, "the service is down"),
    rule(3, None, Forbidden, "the app lacks the capability: add the product Marketing API to the app that issued the token"),
    throttle(4, None, Credential, QUOTA_BLOCK_SECONDS, "the app has reached its request limit; all of its accounts wait"),
    rule(10, None, Forbidden, "a permission is missing or was revoked: grant ads_read (or ads_management) to the token's user and issue a new token"),
    throttle(17, None, Lane, SCORE_BLOCK_SECONDS, "too many calls to this ad account"),
    throttle(32, None, Lane, QUOTA_BLOCK_SECONDS, "the page's request limit is reached"),
    rule(100, Some(33), NotFound, "the object does not exist, is of another kind, or is hidden from this token: check the id, that ad accounts are listed under accounts and campaigns under campaigns, and that the system user is assigned to the ad account"),
    rule(100, Some(1_487_534), TooLarge, "too much data in one call"),
    rule(100, Some(1_504_018), TooLarge, "the query timed out: ask for less data at once"),
    rule(100, Some(3_191_001), Forbidden, "no permission to read insights: grant ads_read to the token"),
    worded(100, "Cannot include", Unavailable, "a temporary error of the API"),
    rule(100, None, InvalidRequest, ""),
    rule(102, None, Unauthorized, "the session is invalid: issue a new token"),
    rule(104, None, InvalidRequest, "incorrect signature: check app_secret"),
    rule(190, Some(458), Unauthorized, "the app is not installed for the token's user: authorise the app again and issue a new token"),
    rule(190, Some(459), Unauthorized, "the token's user must pass a checkpoint: log in at facebook.com, or use a system user's token"),
    rule(190, Some(460), Unauthorized, "the password changed or the session was reset: issue a new token"),
    rule(190, Some(463), Unauthorized, "the token expired: issue a new one; a system user's token can be issued without an expiry"),
    rule(190, Some(464), Unauthorized, "the token's user is not confirmed: confirm the account at facebook.com, then issue a new token"),
    rule(190, Some(467), Unauthorized, "the token is invalid, for example after a logout or a revocation: issue a new one"),
    rule(190, Some(492), Unauthorized, "the token's user has no role on the page: give it one, then issue a new token"),
    rule(190, Some(493), Unauthorized, "the app was not used for 90 days: issue a new token"),
    rule(190, None, Unauthorized, "the token is invalid: check that it was copied completely, or issue a new one"),
    throttle(341, None, Credential, QUOTA_BLOCK_SECONDS, "the application's limit is reached"),
    throttle(368, None, Lane, ABUSE_BLOCK_SECONDS, "blocked for policy reasons: the account needs a manual review"),
    throttle(613, Some(1_487_742), Lane, SCORE_BLOCK_SECONDS, "too many calls to this ad account"),
    throttle(613, None, Lane, ABUSE_BLOCK_SECONDS, "abuse prevention stopped this ad account: the account needs a manual review"),
    rule(960, None, Unavailable, "the request timed out"),
    rule(2500, None, InvalidRequest, "the API cannot parse the request"),
    rule(2601, Some(1_815_107), Unavailable, "the report is not ready"),
    rule(2635, None, ApiVersion, "this API version has been retired: raise api_version"),
    rule(2642, None, Malformed, "the cursor expired: the listing starts over"),
    rule(3018, None, InvalidRequest, "the window begins more than 37 months ago"),
    throttle(80_000, None, Lane, QUOTA_BLOCK_SECONDS, "the ad account's hourly insights quota is spent"),
    throttle(80_001, None, Lane, QUOTA_BLOCK_SECONDS, "the page's quota is spent"),
    throttle(80_002, None, Lane, QUOTA_BLOCK_SECONDS, "the Instagram quota is spent"),
    throttle(80_003, None, Lane, QUOTA_BLOCK_SECONDS, "the custom audience quota is spent"),
    throttle(80_004, None, Lane, QUOTA_BLOCK_SECONDS, "the ad account's hourly management quota is spent"),
    throttle(80_005, None, Lane, QUOTA_BLOCK_SECONDS, "the lead quota is spent"),
    throttle(80_006, None, Lane, QUOTA_BLOCK_SECONDS, "the Messenger quota is spent"),
    throttle(80_008, None, Lane, QUOTA_BLOCK_SECONDS, "the WhatsApp quota is spent"),
    throttle(80_009, None, Lane, QUOTA_BLOCK_SECONDS, "the catalog quota is spent"),
    throttle(80_014, None, Lane, QUOTA_BLOCK_SECONDS, "the catalog batch quota is spent"),
];

/// Permissions take a range of codes.
const PERMISSIONS: Rule = rule(
    200,
    None,
    Forbidden,
    "the token may not read this: grant ads_read to it, and assign the ad account to its system user",
);

/// The values of the label `error_code`, one for each code of the table.
#[rustfmt::skip]
const LABELS: &[(i64, &str)] = &[
    (-3, "-3"), (-2, "-2"), (1, "1"), (2, "2"), (3, "3"), (4, "4"), (10, "10"), (17, "17"), (32, "32"), (100, "100"),
    (102, "102"), (104, "104"), (190, "190"), (200, "200"), (341, "341"), (368, "368"), (613, "613"), (960, "960"),
    (2500, "2500"), (2601, "2601"), (2635, "2635"), (2642, "2642"), (3018, "3018"), (80_000, "80000"),
    (80_001, "80001"), (80_002, "80002"), (80_003, "80003"), (80_004, "80004"), (80_005, "80005"), (80_006, "80006"),
    (80_008, "80008"), (80_009, "80009"), (80_014, "80014"),
];

/// The fault behind the object under `error`, of which only message, type and code are usual.
pub(super) fn classify(top: &Object, answer: Received<'_>) -> Fault {
    let none = Object::default();
    let error = top.object("error").unwrap_or(&none);
    let text = error.text("message").unwrap_or_default();
    let status = answer.response.status().as_u16();
    // The type is `OAuthException` for nearly everything, throttling included, and so is not looked at.
    let code = error.number("code").unwrap_or_default();
    let subcode = error.number("error_subcode");
    let matches = |rule: &&Rule| {
        rule.code == code && rule.subcode.is_none_or(|wanted| subcode == Some(wanted)) && text.contains(rule.text)
    };
    let permission = (200..=299).contains(&code).then_some(&PERMISSIONS);
    let rule = RULES.iter().find(matches).or(permission);
    let reason = match (rule, status) {
        (Some(rule), _) => rule.reason,
        // For known codes the flag is ignored: Meta sets it for spent limits too, where asking again prolongs the
        // block.
        (None, _) if error.flag("is_transient") == Some(true) => Reason::Unavailable,
        (None, 401) => Reason::Unauthorized,
        (None, 403) => Reason::Forbidden,
        // A status alone proves little: removed parameters come as 500 too, but those have a code above.
        (None, _) => reason_of_status(status).unwrap_or(Reason::InvalidRequest),
    };
    let label = LABELS.iter().find(|(known, _)| rule.is_some_and(|rule| rule.code == *known));
    let throttled = reason == Reason::Throttled;
    let regain = usage::read(answer.response.headers()).iter().filter_map(|usage| usage.regain).max();
    let wait = rule.and_then(|rule| rule.wait).map(Duration::from_secs);
    Fault {
        reason,
        scope: rule.map_or(Scope::Lane, |rule| rule.scope),
        // The time that the API gives counts; a rule's is for when it gives none.
        wait: throttled.then(|| regain.or_else(|| retry_after(answer.response)).or(wait)).flatten(),
        // A closed set of values: an unknown code must not open a new series.
        code: Some(label.map_or("other", |(_, label)| label)),
        abuse: rule.is_some_and(|rule| rule.wait == Some(ABUSE_BLOCK_SECONDS)),
        fields: if code == 100 { refused_fields(text) } else { Vec::new() },
        message: message(answer, error, rule.map_or("", |rule| rule.say)),
    }
}

/// The fields of ours that an error names. The usual sentence is `(#100) a, b are not valid for fields param. please
/// check ...`; others were seen, and none is promised, so any text about a field counts that has the name of one.
fn refused_fields(message: &str) -> Vec<String> {
    let words = message.split(|letter: char| !(letter.is_ascii_lowercase() || letter == '_'));
    let words: BTreeSet<_> = words.collect();
    // `actions` is an English word, too.
    let is_name = |word: &str| word.contains('_') || words.contains("field") || words.contains("fields");
    let ours: BTreeSet<_> = METRICS.iter().map(Metric::snake).collect();
    ours.into_iter().filter(|field| words.contains(&**field) && is_name(field)).collect()
}

/// Our own words where we have some; the API's, which may be in any language, where we have none.
fn message(answer: Received<'_>, error: &Object, say: &str) -> String {
    let quoted = |key| error.text(key).map(|text| answer.redactor.line(text));
    let say = if say.is_empty() { quoted("message").unwrap_or_default() } else { say.to_owned() };
    let (status, code) = (answer.response.status().as_u16(), error.number("code").unwrap_or_default());
    let subcode = error.number("error_subcode").map_or_else(String::new, |subcode| format!("/{subcode}"));
    // Meta's support finds the request by it. It is short-lived: either the log has it, or nobody does.
    let trace = quoted("fbtrace_id").map_or_else(String::new, |id| format!(", fbtrace_id {id}"));
    format!("{say} (Graph code {code}{subcode}, HTTP {status}{trace})")
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;
    use crate::source::Redactor;
    use crate::source::json::Keep;

    fn fault(status: u16, body: &str) -> Fault {
        let response = Response::builder().status(status).body(body.as_bytes().to_vec().into()).unwrap();
        let answer = Received { response: &response, redactor: &Redactor::default() };
        super::super::listed(answer, Keep::only(&super::super::NAMES), |_, _| true).expect_err("an error")
    }

    fn error(code: i64, subcode: i64, message: &str) -> String {
        let subcode = if subcode == 0 { String::new() } else { format!(r#","error_subcode":{subcode}"#) };
        format!(r#"{{"error":{{"message":"{message}","type":"OAuthException","code":{code}{subcode}}}}}"#)
    }

    /// Every row of the sheet's table: status, code, subcode, message; reason, scope, least wait.
    #[test]
    fn every_row_of_the_error_table() {
        use Reason::Throttled;
        let ids = "The ids query parameter is deprecated in v26.0+.";
        let reduce = "Please reduce the amount of data you're asking for, then retry your request";
        let fields = "(#100) actions, marketing_messages_spend are not valid for fields param. please check x";
        let abuse = ABUSE_BLOCK_SECONDS;
        #[rustfmt::skip]
        let rows = [
            (200, -2, 2_490_547, "", Unavailable, Lane, 0),
            (200, -3, 1_504_045, "", TooLarge, Lane, 0),
            (500, 1, 0, "An unknown error occurred", Unavailable, Lane, 0),
            (500, 1, 99, "", Unavailable, Lane, 0),
            (500, 1, 0, reduce, TooLarge, Lane, 0),
            (503, 2, 0, "", Unavailable, Lane, 0),
            (400, 2, 1_504_038, "", TooLarge, Lane, 0),
            (400, 2, 1_504_043, "", Unavailable, Lane, 0),
            (400, 2, 1_504_044, "", Unavailable, Lane, 0),
            (400, 2, 1_504_041, "", InvalidRequest, Lane, 0),
            (400, 2, 1_504_042, "", InvalidRequest, Lane, 0),
            (400, 3, 0, "", Forbidden, Lane, 0),
            (403, 4, 0, "", Throttled, Credential, QUOTA_BLOCK_SECONDS),
            (400, 4, 1_504_022, "", Throttled, Credential, QUOTA_BLOCK_SECONDS),
            (400, 4, 1_504_039, "", Throttled, Credential, QUOTA_BLOCK_SECONDS),
            (403, 10, 0, "", Forbidden, Lane, 0),
            (400, 17, 0, "", Throttled, Lane, SCORE_BLOCK_SECONDS),
            (400, 17, 2_446_079, "", Throttled, Lane, SCORE_BLOCK_SECONDS),
            (400, 32, 0, "", Throttled, Lane, QUOTA_BLOCK_SECONDS),
            (400, 80_000, 2_446_079, "", Throttled, Lane, QUOTA_BLOCK_SECONDS),
            (400, 80_001, 0, "", Throttled, Lane, QUOTA_BLOCK_SECONDS),
            (400, 80_002, 0, "", Throttled, Lane, QUOTA_BLOCK_SECONDS),
            (400, 80_003, 0, "", Throttled, Lane, QUOTA_BLOCK_SECONDS),
            (400, 80_004, 2_446_079, "", Throttled, Lane, QUOTA_BLOCK_SECONDS),
            (400, 80_005, 0, "", Throttled, Lane, QUOTA_BLOCK_SECONDS),
            (400, 80_006, 0, "", Throttled, Lane, QUOTA_BLOCK_SECONDS),
            (400, 80_008, 0, "", Throttled, Lane, QUOTA_BLOCK_SECONDS),
            (400, 80_009, 0, "", Throttled, Lane, QUOTA_BLOCK_SECONDS),
            (400, 80_014, 0, "", Throttled, Lane, QUOTA_BLOCK_SECONDS),
            (400, 960, 0, "", Unavailable, Lane, 0),
            (400, 104, 0, "", InvalidRequest, Lane, 0),
            (400, 100, 0, fields, InvalidRequest, Lane, 0),
            (500, 100, 0, ids, InvalidRequest, Lane, 0),
            (400, 100, 0, "After Cursor specified exceeds the max limit", InvalidRequest, Lane, 0),
            (400, 100, 0, "(#100) Cannot include x in summary param", Unavailable, Lane, 0),
            (400, 100, 33, "", NotFound, Lane, 0),
            (400, 100, 1_487_534, "", TooLarge, Lane, 0),
            (400, 100, 1_504_018, "", TooLarge, Lane, 0),
            (400, 100, 3_191_001, "", Forbidden, Lane, 0),
            (400, 102, 0, "", Unauthorized, Lane, 0),
            (400, 190, 0, "", Unauthorized, Lane, 0),
            (400, 190, 463, "", Unauthorized, Lane, 0),
            (400, 190, 460, "", Unauthorized, Lane, 0),
            (403, 200, 0, "", Forbidden, Lane, 0),
            (403, 294, 0, "", Forbidden, Lane, 0),
            (400, 341, 0, "", Throttled, Credential, QUOTA_BLOCK_SECONDS),
            (400, 368, 0, "", Throttled, Lane, abuse),
            (400, 613, 1_487_742, "", Throttled, Lane, SCORE_BLOCK_SECONDS),
            (400, 613, 0, "", Throttled, Lane, abuse),
            (400, 613, 1996, "", Throttled, Lane, abuse),
            (400, 2500, 0, "", InvalidRequest, Lane, 0),
            (400, 2601, 1_815_107, "", Unavailable, Lane, 0),
            (400, 2635, 0, "", ApiVersion, Lane, 0),
            (400, 2642, 0, "", Malformed, Lane, 0),
            (400, 3018, 0, "", InvalidRequest, Lane, 0),
            (400, 987_654, 0, "", InvalidRequest, Lane, 0),
            (503, 987_654, 0, "", Unavailable, Lane, 0),
            (429, 987_654, 0, "", Throttled, Lane, 0),
        ];
        for (status, code, subcode, text, reason, scope, wait) in rows {
            let fault = fault(status, &error(code, subcode, text));
            let waits = fault.wait.map_or(0, |wait| wait.as_secs());
            assert_eq!((fault.reason, fault.scope, waits), (reason, scope, wait), "{status} {code}/{subcode} {text}");
            assert_eq!(fault.is_abuse(), wait == abuse, "{code}/{subcode}");
        }
    }

    #[test]
    fn an_answer_in_which_the_api_does_not_speak() {
        for (status, body, reason) in [
            (504, "<html>Gateway Timeout</html>", Unavailable),
            (200, "Service Unavailable", Malformed),
            (200, "", Malformed),
            (200, r#"{"data":[{"a"#, Malformed),
            (302, "", Unavailable),
            // A proxy's word is no verdict of the API.
            (401, "<html>", Unavailable),
            (403, "<html>", Unavailable),
            (404, "", Unavailable),
            (408, "", Unavailable),
            (429, "", Reason::Throttled),
        ] {
            assert_eq!(fault(status, body).reason, reason, "{status} {body}");
        }
    }

    #[test]
    fn an_unknown_transient_error_is_transient_and_counted_as_other() {
        let fault = fault(400, r#"{"error":{"message":"x","code":555,"is_transient":true,"error_subcode":"12"}}"#);
        assert_eq!((fault.reason, fault.code), (Unavailable, Some("other")));
        assert_eq!(fault.message, "x (Graph code 555/12, HTTP 400)");
    }

    #[test]
    fn refused_fields_are_named() {
        let both = ["actions", "marketing_messages_spend"];
        for (message, named) in [
            ("(#100) marketing_messages_spend, actions are not valid for fields param. please check x", &both[..]),
            ("(#100) marketing_messages_spend is not valid for fields param.", &both[1..]),
            ("(#100) Tried accessing nonexisting field (actions) on node type (AdAccount)", &both[..1]),
            ("Il campo marketing_messages_spend non esiste.", &both[1..]),
            ("(#100) The actions of this account are limited", &[]),
            ("(#100) Invalid parameter", &[]),
            ("(#100) marketing_messages_spender is not valid for fields param.", &[]),
        ] {
            assert_eq!(refused_fields(message), named, "{message}");
        }
    }

    #[test]
    fn every_code_of_the_table_has_a_label() {
        for rule in RULES {
            assert!(
                LABELS.iter().any(|(code, label)| *code == rule.code && label.parse() == Ok(rule.code)),
                "{}",
                rule.code
            );
        }
    }
}
