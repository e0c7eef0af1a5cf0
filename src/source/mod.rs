//! The two APIs, sans IO: what to ask next, and what an answer means.
//!
//! A source builds `http::Request`s and reads `http::Response`s. It never connects, sleeps, looks
//! at a clock or rolls dice: instant, nonce and credentials come with the request.

pub mod cams;
mod encode;
mod json;
pub mod meta;
mod redact;
mod wire;

pub(crate) use encode::hex;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{DATE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, Request, Response};
use jiff::Timestamp;
use secrecy::SecretString;

use crate::domain::budget::Usage;
use crate::domain::facts::{AccountFacts, CampaignFacts};
use crate::domain::fault::{Fault, Reason};
use crate::domain::fleet::Planned;
use crate::domain::metric::MetricSet;
use crate::domain::rows::Row;
use crate::domain::target::{AccountId, CampaignId, Level};

pub use redact::{FRAGMENT_CHARS, Redactor};

/// An API as one credential asks it: where it is, and which version.
pub trait Api: std::fmt::Debug + Send + Sync {
    /// The wire's view of a planned target.
    fn target(&self, planned: &Planned) -> Arc<dyn Target>;

    /// Scheme and host, without a slash at the end.
    fn base_url(&self) -> &str;

    /// The version that requests ask for.
    fn version(&self) -> Arc<str>;

    /// Rows a page, where the API takes that many at once.
    fn page_rows(&self) -> u32;

    /// Whether another API is the same one in the same version.
    fn is_same(&self, other: &dyn Api) -> bool {
        self.base_url() == other.base_url() && self.version() == other.version()
    }
}

/// One thing to poll, seen from the wire.
pub trait Target: Send + Sync {
    /// The value of the label `endpoint`.
    fn endpoint(&self) -> &'static str;

    /// The request for a page; the first one when there is no cursor.
    fn request(&self, asked: &RequestContext<'_>) -> Result<Request<Vec<u8>>, Fault>;

    /// What an answer to the page after `cursor` means. It sees every status: both APIs explain
    /// errors in the body.
    fn read(&self, answer: Received<'_>, cursor: Option<&Cursor>) -> Result<Page, Fault>;

    /// Whether a fault means that temporary keys expired: others may do.
    fn refuses_expired_keys(&self, _: &Fault) -> bool {
        false
    }

    /// Whether a fault means that our clock is off.
    fn blames_the_clock(&self, _: &Fault) -> bool {
        false
    }

    /// Which version answered, where the API tells, and what is to be said of it at that time.
    fn served(&self, _: &HeaderMap, _: &Redactor, _: Timestamp) -> Option<ServedVersion> {
        None
    }

    /// How much of which allowance an answer says is used.
    fn usage(&self, _: &HeaderMap) -> Vec<Usage> {
        Vec::new()
    }
}

/// What a request needs from outside.
#[derive(Debug)]
pub struct RequestContext<'a> {
    /// Where the last page ended.
    pub cursor: Option<&'a Cursor>,
    /// Rows a page.
    pub limit: u32,
    /// Wall-clock instant of the request.
    pub at: Timestamp,
    /// Unique for each request.
    pub nonce: u128,
    /// What the API knows us by.
    pub keys: &'a Keys,
    /// Families to ask for; fields that this credential was refused are not among them.
    pub metrics: MetricSet,
}

/// An answer, and what must not be repeated of it.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Status, headers and body, whatever the status is.
    pub response: &'a Response<Bytes>,
    /// What every text of it passes before anybody sees it.
    pub redactor: &'a Redactor,
}

impl Received<'_> {
    /// The name under a key, as it may be shown.
    fn name(self, object: &json::Object, key: &str) -> String {
        object.text(key).map(|text| self.redactor.name(text)).unwrap_or_default()
    }
}

/// Where a page ended: Graph's `paging.cursors.after`, or the number of CAMS' next page. Cursors live minutes, so they
/// are never saved: a poll that a restart interrupts begins with its first page.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(pub String);

/// A credential's content.
#[derive(Clone, Debug)]
pub enum Keys {
    /// Meta's access token, and the app's secret where requests are to carry its proof.
    Meta {
        /// Access token.
        token: SecretString,
        /// App secret.
        app_secret: Option<SecretString>,
        /// App id, digits.
        app_id: Option<String>,
    },
    /// An Alibaba Cloud access key.
    Cams {
        /// `AccessKeyId`.
        id: SecretString,
        /// `AccessKeySecret`.
        secret: SecretString,
        /// Security token of temporary keys.
        security_token: Option<SecretString>,
    },
}

/// What one answer held, whatever it answered: rows of insights, campaigns of a listing, the facts of an account, the
/// health of a token. Most of it is empty in any one page. Adding pages up is the poll's business.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Insights.
    pub rows: Vec<Row>,
    /// Facts about campaigns, from discovery.
    pub campaigns: BTreeMap<CampaignId, CampaignFacts>,
    /// The Meta campaign above each listed ad.
    pub parents: BTreeMap<CampaignId, CampaignId>,
    /// The ad accounts that the credential can see, from their listing.
    pub accounts: BTreeMap<AccountId, AccountFacts>,
    /// Whose campaigns these are, where discovery learned it.
    pub account: Option<AccountId>,
    /// What a single campaign's id means in its account, where its row tells.
    pub level: Option<Level>,
    /// Facts about the account, from discovery.
    pub facts: Option<AccountFacts>,
    /// What the API says of the token itself.
    pub token: Option<TokenHealth>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Cursor>,
    /// How many values of a field were no number; of [`ROW`], how many rows could not be read at all.
    pub rejected: BTreeMap<&'static str, u64>,
}

/// How long a token lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenHealth {
    /// When it expires; `None` for never.
    pub expires: Option<Timestamp>,
    /// When its access to data ends; `None` for never.
    pub data_access_expires: Option<Timestamp>,
}

/// Which version of an API answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedVersion {
    /// The version, as the API names it.
    pub version: String,
    /// That the version asked for ends, or ended, as the API says or as its dates are known; with what to do about it.
    pub warning: Option<String>,
}

/// The entry of [`Page::rejected`] for a row without a readable id.
pub const ROW: &str = "row";

impl Keys {
    /// What of it nobody else may see; the id of an access key is treated like its secret.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        let all = match self {
            Self::Meta { token, app_secret, .. } => [Some(token), app_secret.as_ref(), None],
            Self::Cams { id, secret, security_token } => [Some(id), Some(secret), security_token.as_ref()],
        };
        all.into_iter().flatten()
    }
}

/// What a status means whoever sent it, the API or a proxy. Any other has a meaning only together with what was said.
fn reason_of_status(status: u16) -> Option<Reason> {
    match status {
        429 => Some(Reason::Throttled),
        500.. => Some(Reason::Unavailable),
        _ => None,
    }
}

/// The fault of an answer in which the API did not speak: a proxy's page, an empty body, a cut one.
fn silent(answer: Received<'_>) -> Fault {
    let response = answer.response;
    let status = response.status();
    let reason = reason_of_status(status.as_u16()).unwrap_or(if status.is_success() {
        Reason::Malformed
    } else {
        // Whatever a proxy thinks of the request, or of our keys, is no verdict of the API: it is asked again soon.
        Reason::Unavailable
    });
    let wait = matches!(status.as_u16(), 429 | 503).then(|| retry_after(response)).flatten();
    let what = if response.body().is_empty() { "an empty body" } else { "a body that is not the API's JSON" };
    Fault { wait, ..Fault::new(reason, format!("HTTP {} with {what}", status.as_u16())) }
}

/// The longest wait that a header is believed: none of them may stop a lane for ever.
const MAX_WAIT: Duration = Duration::from_hours(1);

/// The wait that `retry-after` asks for, as seconds or as a date; a date counts from the answer's own.
fn retry_after(response: &Response<Bytes>) -> Option<Duration> {
    let headers = response.headers();
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok();
    let wait = match seconds {
        Some(seconds) => Duration::from_secs(seconds),
        None => http_date(headers, RETRY_AFTER)?.duration_since(http_date(headers, DATE)?).try_into().ok()?,
    };
    Some(wait.min(MAX_WAIT)).filter(|wait| !wait.is_zero())
}

/// The instant in a header.
pub(crate) fn http_date(headers: &HeaderMap, name: HeaderName) -> Option<Timestamp> {
    let date = headers.get(name)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(date).ok()?.timestamp())
}

/// A page of which nothing can be read says nothing.
fn check_readable(rows: usize, any: bool) -> Result<(), Fault> {
    let sound = rows == 0 || any;
    let fault = || Fault::new(Reason::Malformed, format!("none of the page's {rows} rows can be read"));
    sound.then_some(()).ok_or_else(fault)
}

/// The fault of a page that does not end.
fn endless() -> Fault {
    let most = json::MOST_ROWS;
    Fault::new(Reason::Malformed, format!("the page has more than {most} rows, many times what was requested"))
}

/// A request that could not be built; every part of it was checked before, so this is a bug of ours.
fn unbuildable(error: &http::Error) -> Fault {
    Fault::new(Reason::InvalidRequest, format!("the request cannot be built: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let date = "Tue, 27 Jan 2026 08:00:00 GMT";
        for (asked, seconds) in [
            ("90", Some(90)),
            ("Tue, 27 Jan 2026 08:02:00 GMT", Some(120)),
            ("1000000000", Some(3600)),
            ("Wed, 28 Jan 2026 08:00:00 GMT", Some(3600)),
            ("0", None),
            ("Tue, 27 Jan 2026 07:00:00 GMT", None),
            ("soon", None),
        ] {
            let answer = Response::builder().status(503).header("date", date).header("retry-after", asked);
            let response = answer.body(Bytes::new()).unwrap();
            let fault = silent(Received { response: &response, redactor: &Redactor::default() });
            assert_eq!((fault.reason, fault.wait), (Reason::Unavailable, seconds.map(Duration::from_secs)), "{asked}");
        }
    }
}
